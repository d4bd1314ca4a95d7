//! Who came, and who was turned away: a line each in the service's log, under
//! the name `audit`, and in the audit trail. Accounts stand there by their opaque
//! ids; what a stranger typed does not, since people type passwords into the
//! wrong field. Of what strangers do there is a line at once and one in a while,
//! so that no attack fills a disk.

use std::net::IpAddr;

use forewarn_core::authority::Way;
use forewarn_core::time::Timestamp;
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::Doors;
use crate::accounts::Holder;
use crate::audit::{Deed, Door};

/// Under which name the lines stand.
const TARGET: &str = "audit";

pub(super) async fn came(doors: &Doors, holder: &Holder, from: IpAddr) {
    info!(target: TARGET, account = holder.id, role = holder.role.word(), %from, "logged in");
    keep(doors, "login", holder, from.to_string()).await;
}

pub(super) fn failed(doors: &Doors, from: IpAddr) {
    if let Some(times) = doors.keys.strangers.came(&format!("failed {from}"), Instant::now()) {
        warn!(target: TARGET, %from, times, "login failed");
    }
    doors.trail.failed(doors.civil.civil());
}

pub(super) fn waits(doors: &Doors, from: IpAddr) {
    if let Some(times) = doors.keys.strangers.came(&format!("waits {from}"), Instant::now()) {
        warn!(target: TARGET, %from, times, "login has to wait: too many failed");
    }
    doors.trail.failed(doors.civil.civil());
}

pub(super) async fn left(doors: &Doors, holder: &Holder) {
    info!(target: TARGET, account = holder.id, "logged out");
    keep(doors, "logout", holder, String::new()).await;
}

pub(super) async fn first(doors: &Doors, holder: &Holder, from: IpAddr) {
    info!(target: TARGET, account = holder.id, %from, "first administrator made");
    keep(doors, "first-administrator", holder, from.to_string()).await;
}

/// An account asked for what it may not have.
pub(super) fn denied(trail: &Door, at: Timestamp, holder: &Holder, path: &str, why: &str) {
    warn!(target: TARGET, account = holder.id, role = holder.role.word(), path, why, "denied");
    trail.note(Deed::at_the_door(at, "denied", by(holder), path, why));
}

/// A page of another site made somebody's browser ask.
pub(super) fn foreign(trail: &Door, at: Timestamp, holder: &Holder, path: &str) {
    warn!(target: TARGET, account = holder.id, path, "denied: not from a page of this service");
    trail.note(Deed::at_the_door(at, "denied", by(holder), path, "foreign page"));
}

/// The same of somebody who is not logged in.
pub(super) fn foreign_form(doors: &Doors) {
    if let Some(times) = doors.keys.strangers.came("form", Instant::now()) {
        warn!(target: TARGET, times, "denied: a form that is not of this service");
    }
}

/// Stands in the trail before it is answered. One that cannot be written there
/// is let pass all the same: in an emergency a full disk keeps nobody out.
async fn keep(doors: &Doors, what: &'static str, holder: &Holder, from: String) {
    let deed = Deed::at_the_door(doors.civil.civil(), what, by(holder), from, "");
    if !doors.trail.tell(deed).await {
        error!(target: TARGET, what, account = holder.id, "not in the audit trail");
    }
}

/// As the trail says of commands who gave them.
fn by(holder: &Holder) -> String {
    format!("{}:{} ({})", Way::Token.word(), holder.id, holder.role)
}
