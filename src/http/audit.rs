//! Who came, and who was turned away: a line each in the service's log, under
//! the name `audit`. Accounts stand there by their opaque ids; what a stranger
//! typed does not, since people type passwords into the wrong field.

use std::net::IpAddr;

use tracing::{info, warn};

use crate::accounts::Holder;

/// Under which name the lines stand.
const TARGET: &str = "audit";

pub(super) fn came(holder: &Holder, from: IpAddr) {
    info!(target: TARGET, account = holder.id, role = holder.role.word(), %from, "logged in");
}

pub(super) fn failed(from: IpAddr) {
    warn!(target: TARGET, %from, "login failed");
}

pub(super) fn waits(from: IpAddr) {
    warn!(target: TARGET, %from, "login has to wait: too many failed");
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
pub(super) fn foreign(holder: Option<&Holder>, path: &str) {
    let account = holder.map(|holder| holder.id.as_str()).unwrap_or_default();
    warn!(target: TARGET, account, path, "denied: not from a page of this service");
}
