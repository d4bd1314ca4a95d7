//! A valley of gauges, each in an area of its own, and what its log holds.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use forewarn::log::{Record, Records};
use forewarn_core::event::{Decision, Input};
use forewarn_core::ids::Position;
use forewarn_core::reading::{Marks, Reading};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{About, Revision};

use crate::common::house::Folder;
use crate::publisher::{Message, Publisher};

/// Names of `count` gauges.
pub(crate) fn stations(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("g-{number}")).collect()
}

/// A folder with that many gauges, behind one gateway, and its publisher.
pub(crate) fn valley(webhook: &str, count: usize) -> (Folder, Publisher) {
    let folder = Folder::new(webhook, "");
    let path = folder.config().join("forewarn.toml");
    let toml = std::fs::read_to_string(&path).expect("written just now");
    // A gateway's burst is the point here, not its rate.
    folder.write("forewarn.toml", &toml.replace("listener = { ", "listener = { rate_max = 0, "));

    let mut sensors =
        String::from("station,quantity,name_zh,name_en,lat,lon,area,unit,datum,interval,lateness,min,max\n");
    let mut limits = String::from("sensor,season,valid_from,blue,yellow,orange,red,unit,datum\n");
    let mut contacts =
        format!("id,name,roles,area,language,email,webhook,min_level,hours\nit,值班,it,,zh,,{webhook},,\n");
    let mut areas = vec![];
    for station in stations(count) {
        writeln!(
            sensors,
            "{station},level,测站,Gauge,28.9,118.8,at-{station},m,1985-national,5 min,30 min,40,80"
        )
        .expect("a String takes all");
        writeln!(limits, "{station}/level,,,56,57,58,59,m,1985-national").expect("a String takes all");
        writeln!(contacts, "duty-{station},值班,duty,at-{station},zh,,{webhook},,")
            .expect("a String takes all");
        areas.push(format!(
            r#"{{"type":"Feature","properties":{{"id":"at-{station}","name_zh":"镇","name_en":"Town"}},
               "geometry":{{"type":"Polygon","coordinates":[[[118,28],[119,28],[119,29],[118,29],[118,28]]]}}}}"#
        ));
    }
    folder.write("sensors.csv", &sensors);
    folder.write("limits.csv", &limits);
    folder.write("contacts.csv", &contacts);
    folder.write(
        "areas.geojson",
        &format!(r#"{{"type":"FeatureCollection","features":[{}]}}"#, areas.join(",")),
    );
    let secret = folder.add_device("gateway-1", &stations(count).join(";"));
    (folder, Publisher::new("gateway-1", &secret))
}

/// Makes messages: each value its own, each time later than the one before.
#[derive(Debug)]
pub(crate) struct Gauges {
    made: u32,
    at: Timestamp,
}

impl Gauges {
    pub(crate) fn new() -> Gauges {
        Gauges { made: 0, at: forewarn::clock::wall() }
    }

    /// A reading near this level with the device's own time.
    pub(crate) fn dated(&mut self, station: &str, metres: f64) -> Message {
        let value = self.value(metres);
        let at = self.at.0;
        let payload = format!(r#"{{"station":"{station}","time":{at},"level":{value}}}"#);
        Message { station: station.into(), payload, value }
    }

    /// One that leaves the time to whoever receives it.
    pub(crate) fn undated(&mut self, station: &str, metres: f64) -> Message {
        let value = self.value(metres);
        Message {
            station: station.into(),
            payload: format!(r#"{{"station":"{station}","level":{value}}}"#),
            value,
        }
    }

    fn value(&mut self, metres: f64) -> f64 {
        self.made += 1;
        self.at = forewarn::clock::wall().max(self.at + Span(1));
        // A tenth of a millimetre tells them apart and moves no level.
        let text = format!("{:.6}", metres + f64::from(self.made) * 1e-5);
        text.parse().expect("a number")
    }
}

/// Every record of a log, in order.
pub(crate) fn records(data: &Path) -> Vec<Record> {
    let records = Records::open_read_only(data, Position(0)).expect("a log");
    records.collect::<Result<_, _>>().expect("all of it reads back")
}

/// How often each value counts in the log, by its bits; what is known to be a repeat does not.
pub(crate) fn counted(records: &[Record]) -> BTreeMap<u64, usize> {
    let mut counted = BTreeMap::new();
    for checked in records.iter().flat_map(|record| &record.flagged) {
        let Reading { value, marks, .. } = checked.reading;
        *counted.entry(value.to_bits()).or_insert(0) += usize::from(!marks.has(Marks::DUPLICATE));
    }
    counted
}

/// Every revision about an incident that the log decided, in order.
pub(crate) fn revisions(records: &[Record]) -> Vec<Revision> {
    let decisions = records.iter().flat_map(|record| &record.decisions);
    decisions
        .filter_map(|(_, decision)| match decision {
            Decision::Revision(revision) if matches!(revision.about, About::Incident(_)) => {
                Some(revision.clone())
            }
            _ => None,
        })
        .collect()
}

/// How many outcomes of deliveries the log holds.
pub(crate) fn outcomes(data: &Path) -> usize {
    let Ok(records) = Records::open_read_only(data, Position(0)) else { return 0 };
    let inputs = records.flatten().flat_map(|record| record.inputs);
    inputs.filter(|input| matches!(input, Input::Outcome(_))).count()
}
