//! What the tests of this room share.

use forewarn_core::level::Level;
use forewarn_core::plan::Target;

/// A contact's mail address, as a plan has it.
#[expect(clippy::unnecessary_wraps, reason = "it is put into a plan's table as it is")]
pub(super) fn target(id: &str, contact: &str) -> Option<Target> {
    Some(Target {
        id: id.into(),
        contact: contact.into(),
        roles: vec![],
        area: None,
        channel: "email".into(),
        language: "en".into(),
        min_level: Level::Blue,
        hours: None,
    })
}
