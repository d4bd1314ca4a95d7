//! ChirpStack v4 in JSON: the `up` events of its MQTT integration
//! (chirpstack/chirpstack, api/proto/integration/integration.proto).

use serde::Deserialize;

use super::mapping::{Hints, Mapping, RawReadings, slot};
use super::record::Record;
use super::records::{self, Records};
use super::topic::Named;
use super::walk;
use super::{Format, Message, Refusal, Session, Sink, pointer};

/// Reads ChirpStack v4 events. The station is the device's EUI unless told
/// otherwise; without `readings`, each number of the decoded `object` that is
/// a configured quantity counts. The frame counter tells repeats apart.
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "Raw")]
pub struct ChirpStack {
    mapping: Mapping,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
struct Raw {
    station: Option<String>,
    time: Option<String>,
    readings: RawReadings,
}

/// Events that carry no measurement: understood, and nothing in them for us.
const WITHOUT_READINGS: &[&str] = &["join", "status", "ack", "txack", "log", "location", "integration"];

/// What of its settings, and of ChirpStack's, helps where something is not understood.
const HINTS: Hints = Hints {
    station: " (or where station in the source's decode says)",
    strings: "",
    values: " (without a decoded object, its device profile needs a codec)",
};

impl ChirpStack {
    /// How configuration writes it.
    pub const EXAMPLE: &'static str = r#"decode = { format = "chirpstack", station = "/deviceInfo/devEui", readings = { level = { from = "/object/distance", unit = "mm", apply = "zero - value" } } }"#;
}

impl TryFrom<Raw> for ChirpStack {
    type Error = String;

    fn try_from(raw: Raw) -> Result<Self, String> {
        let mut mapping = Mapping::new();
        mapping.hints = HINTS;
        let station = raw.station.as_deref().unwrap_or("/deviceInfo/devEui");
        mapping.find(slot::STATION, station).map_err(|what| format!("station: {what}"))?;
        // `time` is the gateway's time where it has one, else the server's own.
        let time = raw.time.as_deref().unwrap_or("/time");
        mapping.find(slot::TIME, time).map_err(|what| format!("time: {what}"))?;
        let gateway = mapping.tree.reach_each(&pointer::parse("/rxInfo")?)?;
        gateway.add(&pointer::parse("/gwTime")?, slot::TIME_ELSE)?;
        mapping.pointers[slot::TIME_ELSE] = "/rxInfo/*/gwTime".into();
        mapping.find(slot::SEQ, "/fCnt")?;
        if raw.readings.is_empty() {
            mapping.gather("/object")?;
        }
        mapping.read(raw.readings)?;
        Ok(ChirpStack { mapping })
    }
}

impl Format for ChirpStack {
    fn quantities(&self) -> Vec<&str> {
        self.mapping.quantities()
    }

    fn turns(&self, quantity: &str) -> bool {
        self.mapping.turns(quantity)
    }

    fn decode(&self, _: &mut Session, message: &Message<'_>, sink: &mut dyn Sink) -> Result<(), Refusal> {
        // `application/{id}/device/{devEui}/event/{event}`; a bridge may have renamed it, then it is an `up`.
        if let Some((_, event)) = message.topic.rsplit_once("/event/") {
            if WITHOUT_READINGS.contains(&event) {
                return Ok(());
            }
            if event != "up" {
                return Err(Refusal(format!(
                    "topic ends in event {event:?}, expected up or one of {}",
                    WITHOUT_READINGS.join(", ")
                )));
            }
        }
        let mapping = &self.mapping;
        let text = walk::text(message.payload)?;
        records::each(text, &mapping.tree, mapping.slots(), Records::Document, |_, found| {
            Record { mapping, found, around: None, named: Named::default() }.give(sink);
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing;

    const UP: &str = r#"{"deduplicationId":"3ac7e3c4-4401-4b8d-9386-a5c902f9202d","time":"2026-07-01T08:00:01.5+00:00","deviceInfo":{"tenantId":"52f14cd4","applicationId":"17c82e96","deviceName":"ford gauge","devEui":"qj01010101010101","tags":{"level":"upper"}},"devAddr":"00189440","adr":true,"dr":1,"fCnt":4,"fPort":1,"confirmed":false,"data":"/xMT","object":{"distance":812,"battery":3.6,"level":2.5},"rxInfo":[{"gatewayId":"0016c001f153a14c","uplinkId":4217106255,"gwTime":"2026-07-01T08:00:01+00:00","rssi":-36,"snr":10.5,"location":{"latitude":30.1,"longitude":120.2},"crcStatus":"CRC_OK"}],"txInfo":{"frequency":867100000,"modulation":{"lora":{"bandwidth":125000,"spreadingFactor":11,"codeRate":"CR_4_5"}}}}"#;

    fn check(settings: &str, event: &str, payload: &str, expected: &[&str]) {
        let topic = format!("application/17c82e96/device/qj01010101010101/event/{event}");
        testing::check(&format!("{{ format = \"chirpstack\"{settings} }}"), &topic, payload, expected);
    }

    #[test]
    fn an_uplink_gives_its_decoded_object() {
        check("", "up", UP, &["qj01010101010101/level=2.5 @1.5 #4"]);
        check(
            r#", readings = { level = { from = "/object/distance", unit = "mm", apply = "zero - value" } }"#,
            "up",
            UP,
            &["qj01010101010101/level=-812.0 mm @1.5 #4"],
        );
        let without_time = UP.replacen("\"time\"", "\"_\"", 1);
        check("", "up", &without_time, &["qj01010101010101/level=2.5 @1.0 #4"]);
        testing::check(
            "{ format = \"chirpstack\" }",
            "bridged/ford",
            UP,
            &["qj01010101010101/level=2.5 @1.5 #4"],
        );
    }

    #[test]
    fn the_first_gateway_that_has_a_clock_gives_the_time() {
        let payload = r#"{"deviceInfo":{"devEui":"qj1"},"object":{"level":1},"rxInfo":[{"rssi":-1},{"gwTime":"2026-07-01T08:00:02Z"},{"gwTime":"2026-07-01T08:00:09Z"}]}"#;
        check("", "up", payload, &["qj1/level=1.0 @2.0"]);
    }

    #[test]
    fn other_events_are_understood_and_yield_nothing() {
        for event in super::WITHOUT_READINGS {
            check("", event, r#"{"level":"ERROR","code":"UPLINK_CODEC"}"#, &[]);
        }
        check("", "sideways", UP, &["event \"sideways\", expected up"]);
    }

    #[test]
    fn what_is_missing_is_said() {
        check(
            "",
            "up",
            r#"{"devEUI":"AQEBAQEBAQE=","object":{"level":1}}"#,
            &[
                "no station, expected its id at \"/deviceInfo/devEui\" (or where station in the source's decode says)",
            ],
        );
        check(
            "",
            "up",
            r#"{"deviceInfo":{"devEui":"qj1"},"fPort":1,"data":"/xMT"}"#,
            &[
                "no value found, expected numbers at \"/object\" under their quantities' names (without a decoded",
            ],
        );
        check(
            "",
            "up",
            r#"{"deviceInfo":{"devEui":"qj1"},"object":{"distance":1}}"#,
            &["qj1/distance is not configured"],
        );
        check("", "up", "{", &["refused"]);
    }
}
