//! Whether the stages of a service run: each drops the channel it tells its
//! progress by when it ends, in order or by a panic.

use forewarn_core::ids::Position;
use tokio::sync::watch;

use crate::courier::Standing;
use crate::driver::picture::Pulse;

/// What the stages tell their progress by.
#[derive(Debug)]
pub(super) struct Stages {
    /// The driver's.
    pub(super) driver: watch::Receiver<Pulse>,
    /// That of the projection's writer.
    pub(super) projection: watch::Receiver<Position>,
    /// The courier's.
    pub(super) courier: watch::Receiver<Standing>,
    /// That of each store's writer.
    pub(super) stores: Vec<watch::Receiver<Position>>,
}

impl Stages {
    /// One sentence for each that has ended. None of them ends before the service does.
    pub(super) fn ended(&self) -> impl Iterator<Item = &'static str> {
        let stores = self.stores.iter().any(|it| it.has_changed().is_err());
        [
            (self.driver.has_changed().is_err(), "the driver has ended: nothing is judged"),
            (
                self.projection.has_changed().is_err(),
                "the projection's writer has ended: warnings and deliveries are shown as they were",
            ),
            (self.courier.has_changed().is_err(), "the courier has ended: no warning goes out"),
            (stores, "the writer of a store has ended: readings are not kept there"),
        ]
        .into_iter()
        .filter_map(|(ended, sentence)| ended.then_some(sentence))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_stage_that_ends_is_named() {
        let (driver, projection) = (watch::Sender::new(Pulse::default()), watch::Sender::new(Position(0)));
        let (courier, store) = (watch::Sender::new(Standing::default()), watch::Sender::new(Position(0)));
        let stages = Stages {
            driver: driver.subscribe(),
            projection: projection.subscribe(),
            courier: courier.subscribe(),
            stores: vec![store.subscribe()],
        };
        let check = |named: &[&str]| {
            let ended: Vec<_> = stages.ended().collect();
            assert_eq!(ended.len(), named.len(), "{ended:?}");
            assert!(ended.iter().zip(named).all(|(sentence, name)| sentence.contains(name)), "{ended:?}");
        };
        check(&[]);
        // What was told and not yet looked at is no end.
        store.send_replace(Position(7));
        check(&[]);
        drop(store);
        check(&["a store"]);
        drop(courier);
        check(&["the courier", "a store"]);
        drop(projection);
        check(&["projection", "the courier", "a store"]);
        drop(driver);
        check(&["the driver", "projection", "the courier", "a store"]);
    }
}
