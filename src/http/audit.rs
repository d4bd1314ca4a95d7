//! Who came, and who was turned away: a line each in the service's log, under
//! the name `audit`. Accounts stand there by their opaque ids; what a stranger
//! typed does not, since people type passwords into the wrong field. Of what
//! strangers do there is a line at once and one in a while, so that no attack fills a disk.

use std::net::IpAddr;

use tokio::time::Instant;
use tracing::{info, warn};

use crate::accounts::Holder;
use crate::ingest::strangers::Strangers;

/// Under which name the lines stand.
const TARGET: &str = "audit";

pub(super) fn came(holder: &Holder, from: IpAddr) {
    info!(target: TARGET, account = holder.id, role = holder.role.word(), %from, "logged in");
}

pub(super) fn failed(from: IpAddr, strangers: &Strangers) {
    if let Some(times) = strangers.came(&format!("failed {from}"), Instant::now()) {
        warn!(target: TARGET, %from, times, "login failed");
    }
}

pub(super) fn waits(from: IpAddr, strangers: &Strangers) {
    if let Some(times) = strangers.came(&format!("waits {from}"), Instant::now()) {
        warn!(target: TARGET, %from, times, "login has to wait: too many failed");
    }
}

pub(super) fn left(holder: &Holder) {
    info!(target: TARGET, account = holder.id, "logged out");
}

pub(super) fn first(holder: &Holder, from: IpAddr) {
    info!(target: TARGET, account = holder.id, %from, "first administrator made");
}

/// An account asked for what it may not have.
pub(super) fn denied(holder: &Holder, path: &str, why: &str) {
    warn!(target: TARGET, account = holder.id, role = holder.role.word(), path, why, "denied");
}

/// A page of another site made somebody's browser ask.
pub(super) fn foreign(holder: &Holder, path: &str) {
    warn!(target: TARGET, account = holder.id, path, "denied: not from a page of this service");
}

/// The same of somebody who is not logged in.
pub(super) fn foreign_form(strangers: &Strangers) {
    if let Some(times) = strangers.came("form", Instant::now()) {
        warn!(target: TARGET, times, "denied: a form that is not of this service");
    }
}
