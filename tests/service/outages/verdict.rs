//! What must be so after all outages: of readings, and of warnings.

use std::collections::{BTreeMap, BTreeSet};

use forewarn::log::{Record, load_plan};
use forewarn::stores::sqlite::Readings;
use forewarn_core::event::Input;
use forewarn_core::ids::{Key, SensorIx};
use forewarn_core::level::Level;
use forewarn_core::plan::Plan;
use forewarn_core::reading::Marks;
use forewarn_core::time::Timestamp;
use forewarn_core::warning::{Outcome, Revision};

use super::Partners;
use crate::carriers::Reported;
use crate::common::house::Folder;
use crate::valley::revisions;

/// Every reading that was acknowledged stands in the log once, in the store, and in `InfluxDB`.
pub(super) fn judge_readings(
    folder: &Folder,
    partners: &Partners,
    records: &[Record],
    reported: &BTreeSet<Reported>,
) {
    let plan = plan(folder, records);
    let station = |sensor| {
        let sensor = plan.sensor(sensor).expect("a sensor of the plan");
        plan.stations[sensor.station.index()].as_ref().expect("a station of the plan").id.to_string()
    };
    let mut counted: BTreeMap<Reported, usize> = BTreeMap::new();
    for checked in records.iter().flat_map(|record| &record.flagged) {
        let reading = checked.reading;
        if !reading.marks.has(Marks::DUPLICATE) {
            *counted.entry((station(reading.sensor), reading.observed.0)).or_default() += 1;
        }
    }
    let twice: Vec<_> = counted.iter().filter(|(_, times)| **times != 1).collect();
    assert!(twice.is_empty(), "these count more than once: {twice:?}");
    let logged: BTreeSet<Reported> = counted.into_keys().collect();
    missing("the log", reported, &logged);

    let influx: BTreeSet<Reported> = partners.influx.points(&partners.bucket).into_iter().collect();
    missing("InfluxDB", reported, &influx);

    let file = folder.data().join(forewarn::stores::sqlite::FILE);
    let store = Readings::open_read_only(&file).expect("it is there");
    let all = (Timestamp(0), Timestamp(i64::MAX));
    let kept = (0..plan.sensors.len() as u32).map(SensorIx).flat_map(|sensor| {
        let kept = store.range(sensor, all.0, all.1, usize::MAX >> 1).expect("readable");
        kept.into_iter().map(move |it| (sensor, it.checked.reading.observed.0))
    });
    let kept: BTreeSet<Reported> = kept.map(|(sensor, at)| (station(sensor), at)).collect();
    missing("the embedded store", reported, &kept);
}

fn missing(place: &str, reported: &BTreeSet<Reported>, there: &BTreeSet<Reported>) {
    let lost: Vec<_> = reported.difference(there).collect();
    let first = &lost[..lost.len().min(3)];
    assert!(
        lost.is_empty(),
        "{} of {} acknowledged are not in {place}: {first:?}",
        lost.len(),
        reported.len()
    );
}

fn plan(folder: &Folder, records: &[Record]) -> Plan {
    load_plan(&folder.data(), records.last().expect("records").plan).expect("it is kept")
}

/// Every warning reached each of its targets, or was overtaken there by a later
/// one that did; and what a target got, it got in order.
pub(super) fn judge_warnings(folder: &Folder, partners: &Partners, records: &[Record], gauges: usize) {
    let (plan, revisions) = (plan(folder, records), revisions(records));
    let outcomes: BTreeMap<Key, Outcome> = (records.iter().flat_map(|record| &record.inputs))
        .filter_map(|input| match input {
            Input::Outcome(it) => Some((it.key, it.outcome)),
            _ => None,
        })
        .collect();
    let mut due: BTreeMap<(String, String), Vec<(&Revision, Key)>> = BTreeMap::new();
    for revision in &revisions {
        for it in &revision.due {
            let target = plan.target(it.target).expect("a target of the plan");
            let key = Key::of_delivery(&revision.id, &target.id, it.round);
            due.entry((revision.warning.digest().to_string(), target.id.clone()))
                .or_default()
                .push((revision, key));
        }
    }
    assert_eq!(due.len(), 2 * gauges, "one warning a gauge, by mail and by webhook");
    for ((warning, target), deliveries) in &due {
        let (last, key) = deliveries.last().expect("not empty");
        assert_eq!(last.level, Level::Red, "{warning} ends in red");
        assert_eq!(outcomes.get(key), Some(&Outcome::Accepted), "{warning} to {target}: its last word");
        for (revision, key) in deliveries {
            let outcome = outcomes.get(key);
            let is_over = matches!(outcome, Some(Outcome::Accepted | Outcome::Superseded));
            assert!(is_over, "{warning} {} to {target}: {outcome:?}", revision.number);
        }
    }
    // As the receivers have it: by what they took, in the order they took it.
    let mails = partners.smtp.mails();
    let by_mail = mails.iter().map(|mail| {
        let id = mail["messageId"].as_str().expect("a Message-ID");
        id.trim_matches(['<', '>']).split('@').next().expect("a key").to_owned()
    });
    let seen = partners.duty.seen();
    let by_webhook = seen.iter().filter(|it| it.accepted).map(|it| it.key.clone());
    let number: BTreeMap<String, (&(String, String), u32)> = (due.iter())
        .flat_map(|(whom, all)| all.iter().map(move |(it, key)| (key.to_string(), (whom, it.number))))
        .collect();
    let (mut newest, mut arrived) = (BTreeMap::new(), BTreeSet::new());
    for key in by_mail.chain(by_webhook) {
        let Some((whom, number)) = number.get(&key) else { continue };
        let before = newest.insert(*whom, *number).unwrap_or(0);
        assert!(before <= *number, "{whom:?}: {number} came after {before}");
        arrived.insert(key);
    }
    let accepted: BTreeSet<String> = (number.keys())
        .filter(|key| outcomes.get(&Key::parse(key).expect("a key")) == Some(&Outcome::Accepted))
        .cloned()
        .collect();
    assert_eq!(arrived, accepted, "what the log says was accepted is what arrived");
}
