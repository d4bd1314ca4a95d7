//! What people and programs are shown, as plain values: pure functions from
//! rows, engine and plan. The API answers with them as JSON, pages lay them out.
//!
//! Words in them are codes of the domain, which pages put into a language;
//! times are local with their offset, as RFC 3339 has it; values stand in the
//! unit beside them. No address of a person stands in any of them.

mod incident;
mod names;
mod order;
mod reading;
mod sensor;
mod service;
mod warning;

pub use incident::IncidentView;
pub use names::{Names, NamesView};
pub use order::{DraftView, IssueView, MuteView, NoteView, SilenceView, TextView};
pub use reading::ReadingView;
pub use sensor::{RuleView, SensorDetailView, SensorState, SensorView};
pub use service::{QuarantineView, QuarantinedView, StatusView, TroubleView};
pub use warning::{
    AcknowledgementView, DeliveryView, EvidenceView, ReachView, ReachedView, RevisionView, WarningDetailView,
    WarningView,
};
