//! The service itself.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forewarn_core::warning::TroubleCode;
use schemars::JsonSchema;
use serde::Serialize;

use super::names::Names;
use crate::channels::show;
use crate::state::{QuarantineRow, TroubleRow};

/// How the service is.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct StatusView {
    /// The site, as warnings sign it.
    pub site: String,
    /// `Actual` for a live service, `Exercise` for a drill.
    pub status: &'static str,
    /// Now, by the service's clock.
    pub now: String,
    /// Whether that clock can be trusted.
    pub clock_trusted: bool,
    /// Position of the last committed event.
    pub position: u64,
    /// Whether readings are taken and judged now.
    pub ready: bool,
    /// What is the matter, where not.
    pub reasons: Vec<String>,
    /// Whether its data directory was restored or copied: nothing but trouble goes out.
    pub held: bool,
    /// Sensors configured.
    pub sensors: usize,
    /// Sensors that are silent.
    pub sensors_silent: usize,
    /// Incidents that stand.
    pub incidents: usize,
    /// Troubles that stand, by code.
    pub troubles: BTreeMap<&'static str, usize>,
}

/// What the operator must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TroubleView {
    /// What.
    pub code: String,
    /// With what.
    pub subject: String,
    /// In words.
    pub detail: String,
    /// Since when.
    pub since: String,
}

impl TroubleView {
    /// Of a row.
    pub fn of(row: &TroubleRow, names: Names<'_>) -> TroubleView {
        TroubleView {
            code: row.code.clone(),
            subject: show::clean(&row.subject),
            detail: show::clean(&row.detail),
            since: names.time(row.since),
        }
    }

    /// Whether a code is known to this release.
    pub fn is_known(code: &str) -> bool {
        TroubleCode::ALL.iter().any(|known| known.word() == code)
    }
}

/// What came in and was not understood, in a line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct QuarantineView {
    /// For asking for it again.
    pub id: i64,
    /// Which way it came in.
    pub source: String,
    /// The MQTT topic, or the HTTP path.
    pub topic: String,
    /// Why it was not understood.
    pub reason: String,
    /// When it came.
    pub received: String,
    /// Bytes kept of it.
    pub bytes: usize,
}

/// The same with its bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct QuarantinedView {
    /// As in a list.
    #[serde(flatten)]
    pub message: QuarantineView,
    /// What came, in base64.
    pub base64: String,
    /// The same as text, where it is text.
    pub text: Option<String>,
}

impl QuarantineView {
    /// Of a row.
    pub fn of(row: &QuarantineRow, names: Names<'_>) -> QuarantineView {
        QuarantineView {
            id: row.id,
            source: names.source(row.source),
            topic: show::clean(&row.topic),
            reason: show::clean(&row.reason),
            received: names.time(row.received),
            bytes: row.bytes.len(),
        }
    }
}

impl QuarantinedView {
    /// Of a row.
    pub fn of(row: &QuarantineRow, names: Names<'_>) -> QuarantinedView {
        QuarantinedView {
            message: QuarantineView::of(row, names),
            base64: STANDARD.encode(&row.bytes),
            text: std::str::from_utf8(&row.bytes).ok().map(str::to_owned),
        }
    }
}
