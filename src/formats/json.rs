//! JSON: flat, nested by pointer, arrays, or a scalar with the sensor in the topic.

use serde::Deserialize;

use super::{Format, Message, Refusal, Session, Sink};

/// Reads JSON payloads.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Json {}

impl Json {
    /// How configuration writes it.
    pub const EXAMPLE: &'static str = r#"decode = { format = "json" }"#;
}

impl Format for Json {
    fn decode(&self, _: &mut Session, _: &Message<'_>, _: &mut dyn Sink) -> Result<(), Refusal> {
        Err(Refusal("not yet".into()))
    }
}
