//! SenML in JSON (RFC 8428): an array of records, with base values that persist.

use std::borrow::Cow;

use forewarn_core::reading::Marks;
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::units::Unit;
use serde::Deserialize;

use super::instant::EpochUnit;
use super::known::Known;
use super::mapping::parse_unit;
use super::pointer::{self, Node};
use super::record::describe;
use super::records::{self, Records};
use super::walk::{self, Found, Scalar};
use super::{Decoded, Format, Message, Refusal, Session, Sink};

/// Reads SenML packs. The name, base and own, holds station and quantity as
/// `name` says: `{station}:{quantity}` and the like; without it, what stands
/// before and after the last `:` or `/`.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Raw")]
pub struct SenMl {
    name: Option<Name>,
    tree: Node,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    name: Option<String>,
}

/// Labels of RFC 8428, section 4.1 and 4.2, in the order of their slots.
const LABELS: [&str; 15] =
    ["bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "ut"];
const BASE_NAME: usize = 0;
const BASE_TIME: usize = 1;
const BASE_UNIT: usize = 2;
const BASE_VALUE: usize = 3;
const BASE_VERSION: usize = 5;
const NAME: usize = 6;
const UNIT: usize = 7;
const VALUE: usize = 8;
const TIME: usize = 13;

/// The slots of what else a record may hold in place of a number.
const OTHERWISE: [(usize, &str); 4] = [(9, "a string"), (10, "a boolean"), (11, "data"), (12, "a sum")];

/// The version of SenML that RFC 8428 describes.
const VERSION: i128 = 10;

/// Times below this are relative to now (RFC 8428, section 4.5.3), in seconds.
const ABSOLUTE_FROM_SECS: f64 = 268_435_456.0;

impl SenMl {
    /// How configuration writes it.
    pub const EXAMPLE: &'static str =
        r#"decode = { format = "senml", name = "urn:dev:{station}:{quantity}" }"#;
}

impl TryFrom<Raw> for SenMl {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let mut tree = Node { others: pointer::Others::Labelled, ..Node::default() };
        for (slot, label) in LABELS.iter().enumerate() {
            tree.add(&[(*label).to_owned()], slot)?;
        }
        Ok(SenMl { name: raw.name.as_deref().map(Name::parse).transpose()?, tree })
    }
}

/// How a name is made: what stands before, between and after station and quantity.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Name {
    text: String,
    before: String,
    between: String,
    after: String,
}

impl Name {
    fn parse(text: &str) -> Result<Self, String> {
        let expected =
            || format!("name {text:?} is not understood, expected one such as \"{{station}}:{{quantity}}\"");
        let (before, rest) = text.split_once("{station}").ok_or_else(expected)?;
        let (between, after) = rest.split_once("{quantity}").ok_or_else(expected)?;
        if between.is_empty() || [before, between, after].iter().any(|part| part.contains(['{', '}'])) {
            return Err(expected());
        }
        let [text, before, between, after] = [text, before, between, after].map(str::to_owned);
        Ok(Name { text, before, between, after })
    }

    fn split<'n>(&self, name: &'n str) -> Option<(&'n str, &'n str)> {
        name.strip_prefix(&*self.before)?.strip_suffix(&*self.after)?.rsplit_once(&*self.between)
    }
}

/// What is wrong with a record, and how far it reaches.
enum Wrong {
    /// This record only: its neighbours count.
    Record(String),
    /// The pack: what follows leans on it, and would count for another sensor.
    Pack(String),
}

/// Base values so far.
#[derive(Default)]
struct Base {
    name: String,
    time: f64,
    unit: Option<String>,
    value: f64,
}

impl SenMl {
    fn record(
        &self,
        base: &mut Base,
        received: Timestamp,
        found: &Found<'_>,
        known: &mut Known<'_>,
    ) -> Result<(), Wrong> {
        base.take(found).map_err(Wrong::Pack)?;
        self.give(base, received, found, known).map_err(Wrong::Record)
    }

    fn give(
        &self,
        base: &Base,
        received: Timestamp,
        found: &Found<'_>,
        known: &mut Known<'_>,
    ) -> Result<(), String> {
        let own = text(found, NAME)?.unwrap_or("");
        let name: Cow<'_, str> = match (base.name.as_str(), own) {
            ("", own) => Cow::Borrowed(own),
            (base, own) => Cow::Owned(format!("{base}{own}")),
        };
        let Some(value) = number(found, VALUE)? else { return self.without_number(&name, found, known) };
        let (station, quantity) = self.split(&name).ok_or_else(|| {
            let expected = self.name.as_ref().map_or("{station}:{quantity}", |name| &name.text);
            format!(
                "name {name:?} does not fit, expected {expected:?} (or as name in the source's decode says)"
            )
        })?;
        let value = base.value + value;
        if !value.is_finite() {
            return Err(format!("\"v\" of {name:?}: {value} is no value, expected a finite number"));
        }
        let observed = observed(base, found, received)?;
        let symbol = text(found, UNIT)?.or(base.unit.as_deref());
        let reading = |unit: Option<Unit>| Decoded {
            station,
            quantity,
            value: value + 0.0,
            unit,
            observed,
            seq: None,
            marks: Marks::default(),
        };
        match symbol.map(parse_unit) {
            None => known.give(reading(None)),
            Some(Ok(unit)) => known.give(reading(Some(unit))),
            Some(Err(what)) => return Err(format!("\"u\" of {name:?}: {what}")),
        }
        Ok(())
    }

    /// Station and quantity of a name, where it holds both.
    fn split<'n>(&self, name: &'n str) -> Option<(&'n str, &'n str)> {
        let parts = match &self.name {
            Some(template) => template.split(name),
            None => name.rsplit_once([':', '/']),
        };
        parts.filter(|(station, quantity)| !station.is_empty() && !quantity.is_empty())
    }

    /// A record of a string, boolean, data or sum, or of base values only, is
    /// nothing to judge; but a sensor's own must not vanish unseen.
    fn without_number(&self, name: &str, found: &Found<'_>, known: &Known<'_>) -> Result<(), String> {
        let held = OTHERWISE.iter().find(|(slot, _)| found.slots[*slot].is_some());
        let is_sensor = self.split(name).is_some_and(|(station, quantity)| known.knows(station, quantity));
        match held {
            Some((slot, what)) if is_sensor => {
                Err(format!("{name:?} has {what} in {:?}, expected a number in \"v\"", LABELS[*slot]))
            }
            Some(_) | None => Ok(()),
        }
    }
}

impl Base {
    fn take(&mut self, found: &Found<'_>) -> Result<(), String> {
        if let Some(name) = text(found, BASE_NAME)? {
            name.clone_into(&mut self.name);
        }
        if let Some(time) = number(found, BASE_TIME)? {
            self.time = time;
        }
        if let Some(unit) = text(found, BASE_UNIT)? {
            self.unit = Some(unit.to_owned());
        }
        if let Some(value) = number(found, BASE_VALUE)? {
            self.value = value;
        }
        match &found.slots[BASE_VERSION] {
            None => Ok(()),
            Some(Scalar::Whole(version)) if (1..=VERSION).contains(version) => Ok(()),
            Some(other) => {
                Err(format!("\"bver\" is {}, expected a version from 1 to {VERSION}", describe(other)))
            }
        }
    }
}

fn text<'f>(found: &'f Found<'_>, slot: usize) -> Result<Option<&'f str>, String> {
    match &found.slots[slot] {
        None => Ok(None),
        Some(Scalar::Text(text)) => Ok(Some(text)),
        Some(other) => Err(format!("{:?} is {}, expected a string", LABELS[slot], describe(other))),
    }
}

fn number(found: &Found<'_>, slot: usize) -> Result<Option<f64>, String> {
    match &found.slots[slot] {
        None => Ok(None),
        Some(Scalar::Whole(number)) => Ok(Some(*number as f64)),
        Some(Scalar::Float(number)) => Ok(Some(*number)),
        Some(other) => Err(format!("{:?} is {}, expected a number", LABELS[slot], describe(other))),
    }
}

/// Base time and own, in seconds. Neither, or nothing: now, so the device gave no time.
fn observed(base: &Base, found: &Found<'_>, received: Timestamp) -> Result<Option<Timestamp>, String> {
    let secs = base.time + number(found, TIME)?.unwrap_or(0.0);
    if secs == 0.0 {
        return Ok(None);
    }
    if secs < ABSOLUTE_FROM_SECS {
        let micros = (secs * 1e6).round();
        // `as` saturates, and a sum beyond the years fails the check that every time passes.
        let at = received.0.saturating_add(Span(micros as i64).0);
        return EpochUnit::Micros.whole(at.into()).map(Some);
    }
    EpochUnit::Seconds.fraction(secs).map(Some)
}

impl Format for SenMl {
    fn decode(&self, _: &mut Session, message: &Message<'_>, sink: &mut dyn Sink) -> Result<(), Refusal> {
        let text = walk::text(message.payload)?;
        if !text.trim_start().starts_with('[') {
            return Err(Refusal("line 1 column 1: no array, expected a SenML pack".into()));
        }
        let mut base = Base::default();
        let mut known = Known::new(sink);
        let mut spoilt = None;
        records::each(text, &self.tree, LABELS.len(), Records::Document, |which, found| {
            if spoilt.is_some() {
                return;
            }
            match self.record(&mut base, message.received, found, &mut known) {
                Ok(()) => {}
                Err(Wrong::Record(what)) => known.fault(which.place(what)),
                Err(Wrong::Pack(what)) => spoilt = Some(which.place(what)),
            }
        })?;
        if let Some(what) = spoilt {
            return Err(Refusal(what));
        }
        known.finish();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;

    fn check(settings: &str, payload: &str, expected: &[&str]) {
        testing::check(&format!("{{ format = \"senml\"{settings} }}"), "senml", payload, expected);
    }

    #[test]
    fn base_values_persist_and_add() {
        check("", r#"[{"bn":"urn:dev:ow:x:","v":1}]"#, &["does not fit, expected \"{station}:{quantity}\""]);
        check(
            "",
            r#"[{"bn":"qj-1:","bt":1782892800,"bu":"Cel","bver":5,"n":"temperature","v":20.5},
                {"n":"level","u":"m","v":3,"t":-5},
                {"bn":"qj-2/","bv":100,"n":"level","u":"mm","v":20,"t":1.5}]"#,
            &["qj-1/temperature=20.5 °C @0.0", "qj-1/level=3.0 m @-5.0", "qj-2/level=120.0 mm @1.5"],
        );
    }

    #[test]
    fn small_times_are_relative_to_receipt_and_none_is_no_time() {
        check(
            "",
            r#"[{"n":"qj-1:level","v":1},{"n":"qj-1:level","v":2,"t":-60},{"n":"qj-1:level","v":3,"t":0}]"#,
            &["qj-1/level=1.0", "qj-1/level=2.0 @-60.0", "qj-1/level=3.0"],
        );
    }

    #[test]
    fn a_base_that_is_not_understood_spoils_the_pack() {
        // Read on, the third would count for qj-1, whose gauge never said it.
        for (base, why) in [
            (r#""bn":7"#, "record 2: \"bn\" is 7, expected a string"),
            (r#""bt":"now""#, "record 2: \"bt\" is \"now\", expected a number"),
            (r#""bu":{}"#, "record 2: \"bu\" is an object, expected a string"),
            (r#""bv":null"#, "record 2: \"bv\" is null, expected a number"),
        ] {
            let pack = format!(
                r#"[{{"bn":"qj-1:","n":"level","v":1}},{{{base},"n":"level","v":5}},{{"n":"level","v":9}}]"#
            );
            check("", &pack, &[why]);
        }
    }

    #[test]
    fn a_sensors_own_record_without_a_number_is_a_fault_and_its_neighbours_count() {
        check(
            "",
            r#"[{"bn":"qj-1:","n":"level","vs":"4.5"},{"n":"rain","v":1},{"n":"temperature","s":3}]"#,
            &[
                "record 1: \"qj-1:level\" has a string in \"vs\", expected a number in \"v\"",
                "qj-1/rain=1.0",
                "record 3: \"qj-1:temperature\" has a sum",
            ],
        );
    }

    #[test]
    fn records_without_a_number_are_passed_over() {
        check(
            "",
            r#"[{"bn":"qj-1:"},{"n":"name","vs":"ford"},{"n":"wet","vb":true},{"n":"x","vd":"aGk"},{"n":"sum","s":3},{"n":"battery","u":"%","v":90},{"n":"level","v":1}]"#,
            &["qj-1/level=1.0"],
        );
        check("", r#"[{"n":"qj-1:battery","v":90}]"#, &["qj-1/battery is not configured"]);
        check(
            "",
            r#"[{"n":"qj-1:level","v":1},{"n":"xx:level","v":2}]"#,
            &["qj-1/level=1.0", "xx/level is not configured"],
        );
    }

    #[test]
    fn names_follow_the_template() {
        check(
            r#", name = "urn:dev:{station}:{quantity}""#,
            r#"[{"n":"urn:dev:qj:1:level","v":1}]"#,
            &["qj:1/level=1.0"],
        );
        check(
            r#", name = "urn:dev:{station}:{quantity}""#,
            r#"[{"n":"qj:1:level","v":1}]"#,
            &["does not fit"],
        );
        for name in ["{station}", "{station}{quantity}", "{quantity}:{station}", "{station}:{quantity}:{x}"] {
            assert!(
                testing::format(&format!("{{ format = \"senml\", name = \"{name}\" }}")).is_err(),
                "{name}"
            );
        }
    }

    #[test]
    fn what_must_be_understood_and_is_not_is_refused() {
        check("", r#"[{"n":"qj-1:level","v":1,"new_":1}]"#, &["label \"new_\" must be understood"]);
        check("", r#"[{"n":"qj-1:level","v":1,"new":1}]"#, &["qj-1/level=1.0"]);
        check(
            "",
            r#"[{"bver":11,"n":"qj-1:level","v":1}]"#,
            &["refused: record 1: \"bver\" is 11, expected a version from 1 to 10"],
        );
        // Whatever stands before it or after: the object is not to be used.
        check(
            "",
            r#"[{"n":"qj-1:level","v":1},{"bver":11},{"n":"qj-1:rain","v":1}]"#,
            &["refused: record 2: \"bver\""],
        );
        check("", r#"{"n":"qj-1:level","v":1}"#, &["expected a SenML pack"]);
        check("", r#"[{"n":"qj-1:level","v":"1"}]"#, &["record 1: \"v\" is \"1\", expected a number"]);
        check(
            "",
            r#"[{"n":"qj-1:level","u":"furlong","v":1},{"n":"qj-1:rain","v":1}]"#,
            &["\"furlong\" is unknown", "qj-1/rain=1.0"],
        );
        check("", r#"[{"n":"qj-1:level","bv":1e308,"v":1e308}]"#, &["expected a finite number"]);
        check("", r#"[{"n":"qj-1:level","v":1,"t":1e300}]"#, &["outside the years"]);
        check("", r#"[{"n":"qj-1:level","v":1,"v":2}]"#, &["stands twice"]);
    }
}
