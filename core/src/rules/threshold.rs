//! Threshold: the newest value itself.

use minicbor::{Decode, Encode};
use serde::Deserialize;

use super::{Corridor, Memory, Needs, Recall, Rule};
use crate::finding::Why;
use crate::sensing::window::View;
use crate::time::Span;

/// Measures the newest value, to hold against the limits of four levels.
#[derive(Debug, Clone, PartialEq, Encode, Decode, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {}

impl Threshold {
    /// A rule of this kind, as configuration writes it.
    pub const EXAMPLE: &'static str =
        r#"rule = { kind = "threshold", hazard = "flood", quantity = "level", limits = "limits.csv" }"#;
}

impl Rule for Threshold {
    fn needs(&self) -> Needs {
        Needs { readings: 1, span: Span::ZERO }
    }

    fn measure(&self, view: &View<'_>, _memory: &mut Memory) -> Result<f64, Why> {
        Ok(view.newest().value)
    }

    fn measures_rate(&self) -> bool {
        false
    }

    fn recall(&self) -> Recall {
        Recall::Newest
    }

    fn corridor(&self, _view: &View<'_>, (low, high): (f64, f64)) -> Option<Corridor> {
        Some(Corridor { low, high, ..Corridor::OPEN })
    }
}
