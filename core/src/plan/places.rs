//! What stands where: stations, and the sensors at them. A site has as many as
//! a million, so what most sensors have in common stands in memory once.

use std::ops::{Deref, DerefMut};
use std::sync::Arc;

use minicbor::encode::Write;
use minicbor::{Decode, Decoder, Encode, Encoder};

use super::names::Names;
use crate::checks::Flat;
use crate::ids::{AreaIx, DomainIx, StationIx};
use crate::time::{Span, Timestamp};
use crate::units::{Datum, Unit};

/// A place with position, area and failure domains.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub struct Station {
    /// As configuration calls it.
    #[n(0)]
    pub id: Box<str>,
    /// As people call it, by language tag; never empty.
    #[n(1)]
    pub names: Names,
    /// Degrees north, WGS-84.
    #[n(2)]
    pub lat: f64,
    /// Degrees east, WGS-84.
    #[n(3)]
    pub lon: f64,
    /// The area its findings go to.
    #[n(4)]
    pub area: AreaIx,
    /// What it depends on: gateway, power.
    #[n(5)]
    pub domains: Box<[DomainIx]>,
}

/// One quantity at one station. Reads as its [`Terms`]; what is changed about
/// them is changed for this sensor alone.
#[derive(Debug, Clone, PartialEq)]
pub struct Sensor {
    /// `station/quantity`.
    pub id: Box<str>,
    /// Where it stands.
    pub station: StationIx,
    /// What it measures and how; of sensors that have the same, the same.
    pub terms: Arc<Terms>,
}

/// What a sensor measures and how: what most sensors of a site have in common.
#[derive(Debug, Clone, PartialEq, Encode)]
pub struct Terms {
    /// What it measures, as configuration calls it: `level`, `rain` ...
    #[n(2)]
    pub quantity: String,
    /// The unit its readings are kept, judged and shown in.
    #[n(3)]
    pub unit: Unit,
    /// What a level is measured from; `None` where the quantity has no datum.
    #[n(4)]
    pub datum: Option<Datum>,
    /// How often it reports.
    #[n(5)]
    pub interval: Span,
    /// How late a reading may come and still be put in its place.
    #[n(6)]
    pub lateness: Span,
    /// How old a breach may be and still raise a warning.
    #[n(7)]
    pub max_age: Span,
    /// Lowest and highest value the sensor can measure; outside is flag 4.
    #[n(8)]
    pub span: Option<(f64, f64)>,
    /// Lowest and highest credible value; outside is flag 3.
    #[n(9)]
    pub suspect: Option<(f64, f64)>,
    /// Missed intervals before it counts as silent.
    #[n(10)]
    pub outage_intervals: u32,
    /// From the device's value to the sensor's, each from its civil instant on, in order; never empty.
    #[n(11)]
    pub conversions: Vec<Conversion>,
    /// How long it may say the same; `None`: for ever.
    #[n(12)]
    pub flat: Option<Flat>,
}

/// How a device's value becomes the sensor's: `value * scale + offset`, after
/// the unit was converted; `zero - value` is scale -1 and offset `zero`.
#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub struct Conversion {
    /// Civil time it begins to hold.
    #[n(0)]
    pub from: Timestamp,
    /// Factor, dimensionless.
    #[n(1)]
    pub scale: f64,
    /// In the sensor's unit.
    #[n(2)]
    pub offset: f64,
}

impl Terms {
    /// The device's value, already in the sensor's unit, as the sensor's value at `observed`.
    pub fn convert(&self, raw: f64, observed: Timestamp) -> f64 {
        let at = self.conversions.partition_point(|row| row.from <= observed).saturating_sub(1);
        self.conversions.get(at).map_or(raw, |row| raw * row.scale + row.offset)
    }
}

impl Deref for Sensor {
    type Target = Terms;

    fn deref(&self) -> &Terms {
        &self.terms
    }
}

impl DerefMut for Sensor {
    fn deref_mut(&mut self) -> &mut Terms {
        Arc::make_mut(&mut self.terms)
    }
}

/// A sensor as a plan's bytes hold it: with its terms, and nothing between them.
#[derive(Encode, Decode)]
struct Whole<Id, Quantity, Measured, Rows> {
    #[n(0)]
    id: Id,
    #[n(1)]
    station: StationIx,
    #[n(2)]
    quantity: Quantity,
    #[n(3)]
    unit: Unit,
    #[n(4)]
    datum: Measured,
    #[n(5)]
    interval: Span,
    #[n(6)]
    lateness: Span,
    #[n(7)]
    max_age: Span,
    #[n(8)]
    span: Option<(f64, f64)>,
    #[n(9)]
    suspect: Option<(f64, f64)>,
    #[n(10)]
    outage_intervals: u32,
    #[n(11)]
    conversions: Rows,
    #[n(12)]
    flat: Option<Flat>,
}

impl<C> Encode<C> for Sensor {
    fn encode<W: Write>(
        &self,
        out: &mut Encoder<W>,
        context: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let Terms { quantity, unit, datum, interval, lateness, max_age, .. } = &*self.terms;
        let Terms { span, suspect, outage_intervals, conversions, flat, .. } = &*self.terms;
        let whole = Whole {
            id: &*self.id,
            station: self.station,
            quantity: quantity.as_str(),
            unit: *unit,
            datum: datum.as_ref(),
            interval: *interval,
            lateness: *lateness,
            max_age: *max_age,
            span: *span,
            suspect: *suspect,
            outage_intervals: *outage_intervals,
            conversions: conversions.as_slice(),
            flat: *flat,
        };
        whole.encode(out, context)
    }
}

impl<'b, C> Decode<'b, C> for Sensor {
    fn decode(bytes: &mut Decoder<'b>, context: &mut C) -> Result<Self, minicbor::decode::Error> {
        let whole = Whole::<Box<str>, String, Option<Datum>, Vec<Conversion>>::decode(bytes, context)?;
        let terms = Terms {
            quantity: whole.quantity,
            unit: whole.unit,
            datum: whole.datum,
            interval: whole.interval,
            lateness: whole.lateness,
            max_age: whole.max_age,
            span: whole.span,
            suspect: whole.suspect,
            outage_intervals: whole.outage_intervals,
            conversions: whole.conversions,
            flat: whole.flat,
        };
        Ok(Sensor { id: whole.id, station: whole.station, terms: Arc::new(terms) })
    }
}
