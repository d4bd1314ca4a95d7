//! JSON: flat, nested by pointer, arrays, or a scalar with the sensor in the topic.

use serde::Deserialize;

use super::instant::{EpochUnit, ZoneOffset, Zoneless};
use super::mapping::{Hints, Mapping, RawReadings, Strings, slot};
use super::record::Record;
use super::records::{self, Records, Which};
use super::topic::{Named, Template};
use super::walk;
use super::{Format, Message, Refusal, Session, Sink, pointer};

/// Reads JSON payloads. Without any mapping: an object, or an array of them,
/// with `station`, `time` (or `ts`) and a number under each quantity's name.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Raw")]
pub struct Json {
    mapping: Mapping,
    /// Path to the array of records, where it is not the document.
    each: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Raw {
    each: Option<String>,
    station: Option<String>,
    time: Option<String>,
    time_unit: Option<String>,
    zone_offset: Option<String>,
    seq: Option<String>,
    quantity: Option<String>,
    value: Option<String>,
    unit: Option<String>,
    simulated: Option<String>,
    topic: Option<String>,
    readings: RawReadings,
    quantities: Vec<String>,
    strings: bool,
}

/// What of its settings helps where something is not understood.
const HINTS: Hints = Hints {
    station: " (or where station or topic in the source's decode says)",
    strings: " (strings = true in the source's decode reads it)",
    values: "",
};

impl Json {
    /// How configuration writes it.
    pub const EXAMPLE: &'static str = r#"decode = { format = "json", station = "/device/id", time = "/at", readings = { level = { from = "/data/distance", unit = "mm", apply = "zero - value" }, rain = "/data/rain" } }"#;
}

impl TryFrom<Raw> for Json {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let mut mapping = Mapping::new();
        mapping.hints = HINTS;
        let fault = |key: &str| {
            let key = key.to_owned();
            move |what: String| format!("{key}: {what}")
        };
        mapping.topic = raw.topic.as_deref().map(Template::parse).transpose()?;
        let by_topic = |has: fn(&Template) -> bool| mapping.topic.as_ref().is_some_and(has);
        let (station_by_topic, quantity_by_topic) =
            (by_topic(Template::has_station), by_topic(Template::has_quantity));
        if quantity_by_topic && !(raw.readings.is_empty() && raw.quantities.is_empty()) {
            return Err("the topic names the quantity and so do readings, expected one of the two".into());
        }
        match (station_by_topic, &raw.station) {
            (true, Some(_)) => {
                return Err("the topic names the station and so does station, expected one".into());
            }
            (true, None) => {}
            (false, pointer) => mapping
                .find(slot::STATION, pointer.as_deref().unwrap_or("/station"))
                .map_err(fault("station"))?,
        }
        mapping.find(slot::TIME, raw.time.as_deref().unwrap_or("/time")).map_err(fault("time"))?;
        if raw.time.is_none() {
            mapping.find(slot::TIME_ELSE, "/ts")?;
        }
        mapping.find(slot::SEQ, raw.seq.as_deref().unwrap_or("/seq")).map_err(fault("seq"))?;
        mapping.find(slot::UNIT, raw.unit.as_deref().unwrap_or("/unit")).map_err(fault("unit"))?;
        mapping
            .find(slot::SIMULATED, raw.simulated.as_deref().unwrap_or("/simulated"))
            .map_err(fault("simulated"))?;
        let pairs = raw.quantity.is_some() || raw.value.is_some();
        let listed = !(raw.readings.is_empty() && raw.quantities.is_empty());
        if pairs || !listed {
            if !quantity_by_topic {
                let pointer = raw.quantity.as_deref().unwrap_or("/quantity");
                mapping.find(slot::QUANTITY, pointer).map_err(fault("quantity"))?;
            }
            mapping.find(slot::VALUE, raw.value.as_deref().unwrap_or("/value")).map_err(fault("value"))?;
        }
        if quantity_by_topic {
            // The payload may be the number itself.
            mapping.find(slot::VALUE, "")?;
        } else if !pairs && !listed {
            mapping.gather("")?;
        }
        mapping.read(raw.readings)?;
        mapping.read_named(&raw.quantities)?;
        mapping.epoch = raw.time_unit.as_deref().map_or(Ok(EpochUnit::default()), EpochUnit::parse)?;
        mapping.zoneless = match raw.zone_offset.as_deref() {
            Some(offset) => Zoneless::At(ZoneOffset::parse(offset)?),
            None => Zoneless::Refused { hint: " (or zone_offset in the source's decode)" },
        };
        mapping.strings = if raw.strings { Strings::Numbers } else { Strings::Text };
        let each = raw.each.as_deref().map(pointer::parse).transpose().map_err(fault("each"))?;
        Ok(Json { mapping, each: each.filter(|path| !path.is_empty()) })
    }
}

impl Format for Json {
    fn quantities(&self) -> Vec<&str> {
        self.mapping.quantities()
    }

    fn turns(&self, quantity: &str) -> bool {
        self.mapping.turns(quantity)
    }

    fn decode(&self, _: &mut Session, message: &Message<'_>, sink: &mut dyn Sink) -> Result<(), Refusal> {
        let mapping = &self.mapping;
        let named = match &mapping.topic {
            Some(template) => template.read(message.topic).map_err(Refusal)?,
            None => Named::default(),
        };
        let text = walk::text(message.payload)?;
        // Station or time may stand around the records, and after them: a pass of its own.
        let around = match &self.each {
            Some(_) => Some(walk::whole(text, &mapping.tree, mapping.slots())?),
            None => None,
        };
        let records = self.each.as_deref().map_or(Records::Document, Records::At);
        records::each(text, &mapping.tree, mapping.slots(), records, |which, found| {
            let record = Record { mapping, found, around: around.as_ref(), named };
            record.give(&mut Placed { which, sink: &mut *sink });
        })
    }
}

/// Says of a fault in which record it is.
struct Placed<'a> {
    which: Which,
    sink: &'a mut dyn Sink,
}

impl Sink for Placed<'_> {
    fn reading(&mut self, reading: super::Decoded<'_>) {
        self.sink.reading(reading);
    }

    fn offer(&mut self, reading: super::Decoded<'_>) -> super::Offered {
        self.sink.offer(reading)
    }

    fn knows(&self, station: &str, quantity: &str) -> bool {
        self.sink.knows(station, quantity)
    }

    fn fault(&mut self, reason: String) {
        self.sink.fault(self.which.place(reason));
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;

    fn check(settings: &str, payload: &str, expected: &[&str]) {
        let settings = format!("{{ format = \"json\", {settings} }}");
        testing::check(&settings, "river/qj-017/level", payload, expected);
    }

    #[test]
    fn a_flat_object_needs_no_mapping() {
        for (payload, expected) in [
            (
                r#"{"station":"qj-017","time":"2026-07-01T08:00:00Z","level":3.21}"#,
                &["qj-017/level=3.21 @0.0"][..],
            ),
            (r#"{"level":3,"ts":1782892801000,"station":"qj-017","seq":7}"#, &["qj-017/level=3.0 @1.0 #7"]),
            (
                r#"{"station":"qj-017","level":3.21,"rain":0,"battery":3.6}"#,
                &["qj-017/level=3.21", "qj-017/rain=0.0"],
            ),
            (r#"{"station":"qj-017","level":1200,"unit":"mm"}"#, &["qj-017/level=1200.0 mm"]),
            (r#"{"station":"qj-017","quantity":"level","value":3.21}"#, &["qj-017/level=3.21"]),
            (r#"{"station":"qj-017","level":-0.0}"#, &["qj-017/level=0.0"]),
            (r#"{"station":"qj-017","level":1e308}"#, &["qj-017/level=1e308"]),
            ("\u{feff}{\"station\":\"qj-017\",\"level\":1} \n", &["qj-017/level=1.0"]),
            (r#"{"station":"qj-017","l\u0065vel":1}"#, &["qj-017/level=1.0"]),
            ("[]", &[]),
        ] {
            check("", payload, expected);
        }
    }

    #[test]
    fn arrays_are_records_and_one_bad_record_does_not_silence_the_others() {
        check(
            "",
            r#"[{"station":"qj-1","level":1},{"level":2},{"station":"xx","level":3},{"station":"qj-4","level":4}]"#,
            &[
                "qj-1/level=1.0",
                "record 2: no station, expected its id at \"/station\"",
                "xx/level is not configured",
                "qj-4/level=4.0",
            ],
        );
        check(
            r#"each = "/readings""#,
            r#"{"readings":[{"level":1},{"rain":2,"time":1782892805}],"station":"qj-1","time":1782892800}"#,
            &["qj-1/level=1.0 @0.0", "qj-1/rain=2.0 @5.0"],
        );
        check("", r#"[{"level":1}]"#, &["record 1: no station"]);
        check("", r#"{"level":1}"#, &["! no station"]);
        check(r#"each = "/readings""#, r#"{"station":"qj-1"}"#, &["no array at \"/readings\""]);
    }

    #[test]
    fn pointers_reach_into_nested_objects() {
        let settings = r#"station = "/device/id", time = "/at", readings = { level = { from = "/data/distance", unit = "mm", apply = "zero - value" }, rain = "/data/rain/0" }"#;
        for (payload, expected) in [
            (
                r#"{"device":{"id":"qj-017","x":[[1],{}]},"at":1782892800.5,"data":{"distance":812,"rain":[0.2,9]}}"#,
                &["qj-017/level=-812.0 mm @0.5", "qj-017/rain=0.2 @0.5"][..],
            ),
            (
                r#"{"device":{"id":17},"data":{"rain":[]}}"#,
                &["no value found, expected one at \"/data/distance\" or \"/data/rain/0\""],
            ),
            (r#"{"device":{"id":"qj-017"},"data":{"distance":null}}"#, &[]),
            (
                r#"{"device":{"id":"qj-017"},"data":{"distance":{}}}"#,
                &["\"/data/distance\": an object is no value"],
            ),
            (
                r#"{"device":{"id":"qj-017"},"data":{"distance":"812","rain":[1]}}"#,
                &["\"812\" is a string", "qj-017/rain=1.0"],
            ),
            (
                r#"{"device":{"id":["qj"]},"data":{"distance":1}}"#,
                &["\"/device/id\": an array is no station"],
            ),
        ] {
            check(settings, payload, expected);
        }
        check(
            r#"station = "/values/id", time = "/ts", readings = { level = "/values/level" }"#,
            r#"[{"ts":1782892800000,"values":{"id":"qj-1","level":"4.5"}}]"#,
            &["\"4.5\" is a string"],
        );
        check(
            r#"strings = true, quantities = ["level"]"#,
            r#"{"station":"qj-1","level":"4.5","rain":"NaN","ts":"1782892800000"}"#,
            &["qj-1/level=4.5 @0.0"],
        );
        check(
            "strings = true",
            r#"{"station":"qj-1","level":"4.5","seq":"7","ts":"1782892800.5"}"#,
            &["qj-1/level=4.5 @0.5 #7"],
        );
        check(
            r#"strings = true, quantities = ["rain"]"#,
            r#"{"station":"qj-1","rain":"NaN"}"#,
            &["NaN is no value"],
        );
    }

    #[test]
    fn a_configured_quantity_that_is_no_number_is_a_fault_and_other_fields_are_not() {
        for (fields, expected) in [
            (r#""level":"4.5","rain":0.2"#, &["\"level\": \"4.5\" is a string", "qj-1/rain=0.2"][..]),
            (r#""level":"4.5""#, &["\"level\": \"4.5\" is a string"]),
            (r#""level":true,"rain":0.2"#, &["\"level\": a boolean is no value", "qj-1/rain=0.2"]),
            (r#""level":{"mean":4.5},"rain":0.2"#, &["\"level\": an object is no value", "qj-1/rain=0.2"]),
            (r#""rain":0.2,"level":[4.5]"#, &["qj-1/rain=0.2", "\"level\": an array is no value"]),
            // The device says that it has none.
            (r#""level":null,"rain":0.2"#, &["qj-1/rain=0.2"]),
            (r#""model":"RG-3","ok":true,"gps":{"lat":1},"tags":[],"rain":0.2"#, &["qj-1/rain=0.2"]),
        ] {
            check("", &format!(r#"{{"station":"qj-1",{fields}}}"#), expected);
        }
        check(
            "strings = true",
            r#"{"station":"qj-1","level":"4,5","model":"RG-3","rain":"0.2"}"#,
            &["\"level\": \"4,5\" is no number", "qj-1/rain=0.2"],
        );
    }

    #[test]
    fn the_topic_may_name_the_sensor() {
        let settings = r#"topic = "river/{station}/{quantity}""#;
        check(settings, "3.21\n", &["qj-017/level=3.21"]);
        check(settings, r#"{"value":3.21,"time":1782892800}"#, &["qj-017/level=3.21 @0.0"]);
        check(settings, "\"3.21\"", &["is a string, expected a number"]);
        check(settings, "nan", &["expected"]);
        check(r#"topic = "river/{station}/+""#, r#"{"rain":1}"#, &["qj-017/rain=1.0"]);
        check(r#"topic = "river/{station}/+", readings = { level = "" }"#, "1", &["qj-017/level=1.0"]);
        check(r#"topic = "lake/{station}""#, "1", &["does not fit, expected \"lake/{station}\""]);
    }

    #[test]
    fn what_does_not_parse_is_refused_whole_and_said_why() {
        for (payload, why) in [
            ("", "line 1 column 0"),
            ("{\"station\":\"qj-1\",\"level\":NaN}", "NaN and Infinity are no numbers"),
            ("{\"station\":\"qj-1\",\"level\":-Infinity}", "refused"),
            ("{\"station\":\"qj-1\",\"level\":1e999}", "number out of range"),
            ("{\"station\":\"qj-1\",\"level\":1,\"level\":2}", "key \"level\" stands twice"),
            ("{\"station\":\"qj-1\",\"station\":\"qj-2\",\"level\":2}", "key \"station\" stands twice"),
            ("{\"station\":\"qj-1\",\"level\":1}x", "trailing characters"),
            ("[{\"station\":\"qj-1\",\"level\":1},", "line 1"),
            ("\"text\"", "no station"),
            ("{\"station\":\"qj-1\",\"time\":\"now\",\"level\":1}", "expected RFC 3339"),
            ("{\"station\":\"qj-1\",\"time\":\"2026-07-01T08:00:00\",\"level\":1}", "has no zone"),
            ("{\"station\":\"qj-1\",\"seq\":-1,\"level\":1}", "is no counter"),
            ("{\"station\":\"qj-1\",\"unit\":\"furlong\",\"level\":1}", "unit \"furlong\" is unknown"),
            (
                "{\"station\":\"qj-1\",\"unit\":[\"mm\"],\"level\":1}",
                "\"/unit\": an array is no unit, expected",
            ),
            (
                "{\"station\":\"qj-1\",\"time\":\"1782892800\",\"level\":1}",
                "\"1782892800\" is a string, expected RFC 3339 or a number since 1970 (strings = true",
            ),
            ("{\"station\":\"qj-1\"}", "no value found"),
            ("{\"station\":\"qj-1\",\"battery\":3}", "qj-1/battery is not configured"),
        ] {
            check("", payload, &[why]);
        }
        testing::check("{ format = \"json\", strings = false }", "", "\u{0}", &["refused"]);
        let format = testing::format("{ format = \"json\" }").expect("json");
        assert!(testing::decode(&format, "", b"{\"a\xff\":1}")[0].contains("byte 4 is not UTF-8"));
    }

    #[test]
    fn ten_thousand_brackets_are_refused_with_the_stack_safe() {
        for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("{\"station\":", "}")] {
            for payload in [open.repeat(10_000), open.repeat(10_000) + "1" + &close.repeat(10_000)] {
                check("", &payload, &["recursion limit exceeded"]);
                check(r#"each = "/a""#, &payload, &["refused"]);
            }
        }
        let many = (0..300).map(|n| format!("\"k{n}\":1")).collect::<Vec<_>>().join(",");
        check("", &format!("{{{many}}}"), &["more than 256 values"]);
    }

    #[test]
    fn a_mapping_that_cannot_be_meant_is_refused() {
        for (settings, why) in [
            (r#"stations = "/a""#, "unknown field `stations`"),
            (r#"station = "device""#, "expected one such as \"/device\""),
            (
                r#"readings = { level = { from = "/a", unit = "furlong" } }"#,
                "readings.level: unit \"furlong\"",
            ),
            (
                r#"readings = { level = { from = "/a", apply = "twice" } }"#,
                "expected \"value\" or \"zero - value\"",
            ),
            (r#"readings = { level = { from = "/a", unti = "m" } }"#, "unknown field `unti`"),
            ("readings = { level = 3 }", "expected a pointer"),
            (
                r#"readings = { level = "/a" }, quantities = ["level"]"#,
                "level stands in readings and in quantities",
            ),
            (r#"topic = "a/{statoin}""#, "expected {station}"),
            (r#"topic = "a/{station}", station = "/a""#, "expected one"),
            (r#"time_unit = "min""#, "expected s, ms, us or ns"),
            (r#"zone_offset = "Asia/Shanghai""#, "expected one such as \"+08:00\""),
        ] {
            let fault = testing::format(&format!("{{ format = \"json\", {settings} }}")).expect_err(settings);
            assert!(fault.contains(why), "{settings}: {fault}");
        }
    }
}
