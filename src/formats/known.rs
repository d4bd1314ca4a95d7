//! Payloads that name their values themselves carry more than is configured:
//! a battery, a signal strength. What is no sensor's is left, as long as the
//! message holds something that is.

use super::{Decoded, Offered, Sink};

/// Offers values one by one, and speaks up for a message of which nothing was taken.
pub(super) struct Known<'s> {
    sink: &'s mut dyn Sink,
    /// Station, quantity and value of the first that was left.
    left: Option<(String, String, f64)>,
    used: Used,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Used {
    Nothing,
    Something,
}

impl<'s> Known<'s> {
    pub(super) fn new(sink: &'s mut dyn Sink) -> Self {
        Known { sink, left: None, used: Used::Nothing }
    }

    /// One value. An unknown station is always a fault: nobody carries another's
    /// readings by chance.
    pub(super) fn give(&mut self, reading: Decoded<'_>) {
        match self.sink.offer(reading) {
            Offered::Taken => self.used = Used::Something,
            Offered::UnknownStation => {
                self.used = Used::Something;
                self.sink.reading(reading);
            }
            Offered::UnknownQuantity => {
                let Decoded { station, quantity, value, .. } = reading;
                self.left.get_or_insert_with(|| (station.to_owned(), quantity.to_owned(), value));
            }
        }
    }

    /// Whether such a sensor is configured.
    pub(super) fn knows(&self, station: &str, quantity: &str) -> bool {
        self.sink.knows(station, quantity)
    }

    /// One part was not understood; the rest counts.
    pub(super) fn fault(&mut self, reason: String) {
        self.used = Used::Something;
        self.sink.fault(reason);
    }

    /// After the last value.
    pub(super) fn finish(self) {
        if let (Used::Nothing, Some((station, quantity, value))) = (self.used, self.left) {
            self.sink.reading(Decoded {
                station: &station,
                quantity: &quantity,
                value,
                unit: None,
                observed: None,
                seq: None,
                marks: forewarn_core::reading::Marks::default(),
            });
        }
    }
}
