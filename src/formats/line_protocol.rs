//! InfluxDB line protocol
//! (docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol).

use forewarn_core::reading::Marks;
use forewarn_core::time::Timestamp;
use serde::Deserialize;

use super::instant::EpochUnit;
use super::known::Known;
use super::lines::{Line, Reader, Value};
use super::{Decoded, Format, Message, Refusal, Session, Sink};

/// Reads line protocol: several lines a message, comments, escapes, quotes.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Raw")]
pub struct LineProtocol {
    /// The tag that holds the station.
    station: String,
    quantity: QuantityIs,
    precision: Precision,
}

/// Where the quantity is named.
#[derive(Debug, Clone, PartialEq, Eq)]
enum QuantityIs {
    /// Each field's key.
    Field,
    /// The measurement's name; the value is this field.
    Measurement { value: String },
}

/// What timestamps count.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Precision {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds, as the protocol has it.
    #[default]
    Nanos,
}

impl Precision {
    /// Reads `s`, `ms`, `us` or `ns`, as the query parameter `precision` has it.
    pub fn parse(text: &str) -> Result<Self, String> {
        match text {
            "s" => Ok(Precision::Seconds),
            "ms" => Ok(Precision::Millis),
            "us" => Ok(Precision::Micros),
            "ns" => Ok(Precision::Nanos),
            other => Err(format!("precision {other:?} is none, expected s, ms, us or ns")),
        }
    }

    fn unit(self) -> EpochUnit {
        match self {
            Precision::Seconds => EpochUnit::Seconds,
            Precision::Millis => EpochUnit::Millis,
            Precision::Micros => EpochUnit::Micros,
            Precision::Nanos => EpochUnit::Nanos,
        }
    }
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    station: Option<String>,
    quantity: Option<String>,
    value: Option<String>,
    precision: Option<String>,
}

impl LineProtocol {
    /// How configuration writes it.
    pub const EXAMPLE: &'static str =
        r#"decode = { format = "line-protocol", station = "station", quantity = "field", precision = "ns" }"#;

    /// The same with another precision: what one HTTP request asked for.
    #[must_use]
    pub fn with_precision(&self, precision: Precision) -> Self {
        LineProtocol { precision, ..self.clone() }
    }
}

impl Default for LineProtocol {
    /// Station from the tag `station`, quantity from each field's key, nanoseconds.
    fn default() -> Self {
        LineProtocol {
            station: "station".into(),
            quantity: QuantityIs::Field,
            precision: Precision::default(),
        }
    }
}

impl TryFrom<Raw> for LineProtocol {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let quantity = match (raw.quantity.as_deref(), raw.value) {
            (None | Some("field"), None) => QuantityIs::Field,
            (None | Some("field"), Some(_)) => {
                return Err(
                    "value names a field, but each field is a quantity, expected quantity = \"measurement\" \
                     beside it"
                        .into(),
                );
            }
            (Some("measurement"), value) => {
                QuantityIs::Measurement { value: value.unwrap_or_else(|| "value".into()) }
            }
            (Some(other), _) => {
                return Err(format!("quantity {other:?} is unknown, expected \"field\" or \"measurement\""));
            }
        };
        Ok(LineProtocol {
            station: raw.station.unwrap_or_else(|| "station".into()),
            quantity,
            precision: raw.precision.as_deref().map_or(Ok(Precision::default()), Precision::parse)?,
        })
    }
}

impl Format for LineProtocol {
    fn decode(&self, _: &mut Session, message: &Message<'_>, sink: &mut dyn Sink) -> Result<(), Refusal> {
        let text = std::str::from_utf8(message.payload).map_err(|fault| {
            Refusal(format!("byte {} is not UTF-8, expected line protocol in UTF-8", fault.valid_up_to() + 1))
        })?;
        let mut known = Known::new(sink);
        let mut reader = Reader::new(text);
        let mut line = Line::default();
        while reader.next_line() {
            let number = reader.line;
            reader.read(&mut line, &self.station).map_err(|what| Refusal(reader.place(&what)))?;
            if let Err(what) = self.give(&line, number, &mut known) {
                known.fault(format!("line {number}: {what}"));
            }
        }
        known.finish();
        Ok(())
    }
}

impl LineProtocol {
    fn give(&self, line: &Line<'_>, number: usize, known: &mut Known<'_>) -> Result<(), String> {
        let station = line
            .station
            .as_deref()
            .ok_or_else(|| format!("no tag {:?}, expected the station's id in it", self.station))?;
        let observed: Option<Timestamp> = match line.time {
            Some(time) => Some(self.precision.unit().whole(time.into())?),
            None => None,
        };
        let mut give = |quantity: &str, key: &str, value: Value| {
            let what = match value {
                Value::Number(value) => {
                    // Minus nothing is nothing.
                    let (value, marks) = (value + 0.0, Marks::default());
                    return known.give(Decoded {
                        station,
                        quantity,
                        value,
                        unit: None,
                        observed,
                        seq: None,
                        marks,
                    });
                }
                Value::Text => "a string",
                Value::Boolean => "a boolean",
            };
            // A sensor's own value must not vanish unseen; what any other field holds is nobody's business.
            if known.knows(station, quantity) {
                known.fault(format!(
                    "line {number}: field {key:?} of {station:?} is {what}, expected a number"
                ));
            }
        };
        match &self.quantity {
            QuantityIs::Field => {
                line.fields.iter().for_each(|(key, value)| give(key, key, *value));
                Ok(())
            }
            QuantityIs::Measurement { value: named } => {
                let (key, value) = line.fields.iter().find(|(key, _)| key == named).ok_or_else(|| {
                    format!(
                        "measurement {:?} has no field {named:?}, expected its value in it",
                        line.measurement
                    )
                })?;
                give(&line.measurement, key, *value);
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;

    fn check(settings: &str, payload: &str, expected: &[&str]) {
        testing::check(&format!("{{ format = \"line-protocol\"{settings} }}"), "write", payload, expected);
    }

    #[test]
    fn each_field_of_a_line_is_a_quantity() {
        check("", "river,station=qj-1 level=3.21 1782892800000000000", &["qj-1/level=3.21 @0.0"]);
        check(
            "",
            "# comment, with = all\n\nriver,basin=x,station=qj-1 level=3i,rain=4u,wet=t,note=\"a, \\\"b\\\"\nc=1\",battery=3.6 1782892801000000000\r\n  river,station=qj-2 temperature=-1.5e1\n",
            &["qj-1/level=3.0 @1.0", "qj-1/rain=4.0 @1.0", "qj-2/temperature=-15.0"],
        );
        check("", "r\\ i\\,ver,sta\\ t=a\\=b,station=qj\\ 1 level=-0", &["qj 1/level=0.0"]);
        check("", "r,station=qj\\n level=1", &["qj\\n/level=1.0"]);
        check("", "r,station=qj1  level=1  17 ", &["qj1/level=1.0 @-1782892800.0"]);
        check("", "", &[]);
    }

    #[test]
    fn tag_measurement_and_precision_are_configured() {
        let settings = ", station = \"host\", quantity = \"measurement\", precision = \"ms\"";
        check(settings, "level,host=qj-1 value=2.5 1782892801500", &["qj-1/level=2.5 @1.5"]);
        check(settings, "level,host=qj-1 other=2.5", &["no field \"value\", expected its value"]);
        for (settings, why) in [
            (", quantity = \"tag\"", "expected \"field\" or \"measurement\""),
            (", value = \"x\"", "expected quantity = \"measurement\""),
            (", precision = \"h\"", "expected s, ms, us or ns"),
            (", tag = \"x\"", "unknown field"),
        ] {
            let fault =
                testing::format(&format!("{{ format = \"line-protocol\"{settings} }}")).expect_err(why);
            assert!(fault.contains(why), "{fault}");
        }
    }

    #[test]
    fn a_line_without_its_sensor_does_not_silence_the_others() {
        check(
            "",
            "river level=1\nriver,station=xx level=2\nriver,station=qj-3 level=3",
            &["line 1: no tag \"station\"", "xx/level is not configured", "qj-3/level=3.0"],
        );
        check("", "river,station=qj-1 battery=3", &["qj-1/battery is not configured"]);
        check(
            "",
            "river,station=qj-1 level=\"4.5\",rain=1,note=\"x\"\nriver,station=qj-1 level=t",
            &[
                "line 1: field \"level\" of \"qj-1\" is a string, expected a number",
                "qj-1/rain=1.0",
                "line 2: field \"level\" of \"qj-1\" is a boolean",
            ],
        );
        let by_measurement = ", quantity = \"measurement\"";
        check(by_measurement, "level,station=qj-1 value=\"2\"", &["field \"value\" of \"qj-1\" is a string"]);
        check(by_measurement, "model,station=qj-1 value=\"RG-3\"", &[]);
    }

    #[test]
    fn what_does_not_parse_is_refused_whole_and_said_why() {
        for (payload, why) in [
            ("river", "line 1 column 6: ' ' is missing, expected a space before the fields"),
            ("river,station=qj-1", "expected a space"),
            ("river,station=qj-1 ", "expected a field"),
            ("river,station= level=1", "expected a tag's value"),
            ("river,station level=1", "expected a tag's ="),
            ("river,station=qj-1 level", "expected a field's ="),
            ("river,station=qj-1 level=", "field \"level\": \"\" is no value"),
            ("river,station=qj-1 level=nan", "expected a finite number"),
            ("river,station=qj-1 level=inf", "expected a finite number"),
            ("river,station=qj-1 level=1e999", "expected a finite number"),
            ("river,station=qj-1 level=1.5i", "expected a finite number"),
            ("river,station=qj-1 level=99999999999999999999i", "expected a finite number"),
            ("river,station=qj-1 level=1,level=2", "stands twice"),
            ("river,station=qj-1,station=qj-2 level=1", "stands twice"),
            ("river,station=qj-1 level=1 soon", "no whole number"),
            ("river,station=qj-1 level=1 1 2", "goes on after its time"),
            ("river,station=qj-1 note=\"x level=1\nriver", "begun in line 1 has no end"),
            ("r,station=qj-1 level=1\nriver,", "line 2 column 7"),
            ("{\"station\":\"qj-1\"}", "expected"),
        ] {
            check("", payload, &[why]);
        }
        let many = (0..300).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(",");
        check("", &format!("r,station=qj-1 {many}"), &["more than 256 fields"]);
    }
}
