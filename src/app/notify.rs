//! A test of notification: whom it goes to, and what became of it while the
//! person who asked for it waits.

use std::time::Duration;

use forewarn_core::event::Decision;
use forewarn_core::ids::{Key, TargetIx};
use forewarn_core::plan::Plan;
use forewarn_core::warning::{About, Death};
use tokio::time::Instant;

use super::control::Response;
use crate::state::{DeliveryRow, DeliveryState, StateReader};

/// How often it is looked what became of the deliveries.
const LOOK_EVERY: Duration = Duration::from_millis(100);

/// Somebody whom a test was to reach and cannot.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Unknown {
    Contact(String),
    Target(String),
}

impl Unknown {
    /// What to tell the person; `shown` is the command that shows targets.
    pub(super) fn line(&self, shown: &str) -> String {
        match self {
            Unknown::Contact(id) => {
                format!("no contact {id:?} has an address, expected an id of contacts.csv")
            }
            Unknown::Target(id) => {
                format!("no target has the id {id:?}, expected one of `{shown}`")
            }
        }
    }
}

/// A test that was asked for.
#[derive(Debug)]
pub(super) struct Asked {
    /// Its digest.
    pub(super) test: Key,
    /// How many it goes to.
    pub(super) targets: usize,
    /// How long the person waits.
    pub(super) wait: Duration,
    /// The command that shows what comes of it later.
    pub(super) sees: String,
}

/// The targets of these contacts and these targets themselves, in order of
/// index; the operator's where none is given. All or nothing: a test that
/// passed somebody over would look like one that reached everybody.
pub(super) fn meant(
    plan: &Plan,
    contacts: &[String],
    targets: &[String],
) -> Result<Vec<TargetIx>, Vec<Unknown>> {
    if contacts.is_empty() && targets.is_empty() {
        return Ok(plan.operator.clone());
    }
    let known = || (0..).map(TargetIx).zip(&plan.targets).filter_map(|(ix, it)| Some((ix, it.as_ref()?)));
    let mut unknown = Vec::new();
    for contact in contacts.iter().filter(|id| !known().any(|(_, it)| it.contact == **id)) {
        unknown.push(Unknown::Contact(contact.clone()));
    }
    for target in targets.iter().filter(|id| !known().any(|(_, it)| it.id == **id)) {
        unknown.push(Unknown::Target(target.clone()));
    }
    if !unknown.is_empty() {
        return Err(unknown);
    }
    let is_meant = |ids: &[String], id: &str| ids.iter().any(|it| it == id);
    let of = known().filter(|(_, it)| is_meant(contacts, &it.contact) || is_meant(targets, &it.id));
    Ok(of.map(|(ix, _)| ix).collect())
}

/// The test that was decided, by the digest of its id.
pub(super) fn decided(decisions: &[Decision]) -> Option<Key> {
    decisions.iter().find_map(|decision| match decision {
        Decision::Revision(revision) if matches!(revision.about, About::NotifyTest) => {
            Some(revision.warning.digest())
        }
        Decision::Revision(_)
        | Decision::Incident(_)
        | Decision::WouldHave(_)
        | Decision::Trouble(_)
        | Decision::PlanRefused(_)
        | Decision::Resent { .. }
        | Decision::Asked { .. }
        | Decision::Acknowledged { .. }
        | Decision::Refused(_)
        | Decision::Drafted(_)
        | Decision::Muted(_)
        | Decision::Noted(_)
        | Decision::Lapsed(_)
        | Decision::Canary(_)
        | Decision::Resumed => None,
    })
}

/// Waits until each delivery has its outcome, this long at most, and says what
/// became of it. Done only where each arrived.
pub(super) async fn outcome(state: &StateReader, plan: &Plan, asked: &Asked) -> Response {
    let until = Instant::now() + asked.wait;
    loop {
        let rows = match state.warning(asked.test) {
            Ok(found) => found.map(|found| found.deliveries).unwrap_or_default(),
            Err(error) => return Response::refused(format!("what became of it cannot be read: {error}")),
        };
        if (rows.len() >= asked.targets && rows.iter().all(is_told)) || Instant::now() >= until {
            return told(plan, &rows, asked);
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Whether nothing more is to come of a delivery; the note of what killed it
/// follows its outcome.
fn is_told(row: &DeliveryRow) -> bool {
    match row.state {
        DeliveryState::Queued => false,
        DeliveryState::Accepted
        | DeliveryState::Superseded
        | DeliveryState::Dead(Death::Expired | Death::Erased) => true,
        DeliveryState::Dead(Death::Rejected | Death::Forbidden) => row.note.is_some(),
    }
}

fn told(plan: &Plan, rows: &[DeliveryRow], asked: &Asked) -> Response {
    let Asked { targets, wait, sees, .. } = asked;
    let mut done = rows.len() >= *targets;
    let mut lines = Vec::new();
    for row in rows {
        let to = plan.target(row.target).map_or_else(
            || format!("target #{}", row.target.0),
            |target| format!("{} by {}", target.contact, target.channel),
        );
        // The note's first word says again what the line says.
        let cause = row.note.as_ref().map(|(_, note)| note.split_once(": ").map_or(note.as_str(), |it| it.1));
        let became = match (row.state, cause) {
            (DeliveryState::Accepted, _) => "delivered".to_owned(),
            (DeliveryState::Superseded, _) => "overtaken by a later one".to_owned(),
            (DeliveryState::Dead(death), None) => format!("failed: {}", death.word()),
            (DeliveryState::Dead(death), Some(cause)) => format!("failed: {}: {cause}", death.word()),
            (DeliveryState::Queued, Some(cause)) => format!("failed so far, it is tried again: {cause}"),
            (DeliveryState::Queued, None) => format!("not yet, after {} s", wait.as_secs_f64()),
        };
        done &= row.state == DeliveryState::Accepted;
        lines.push(format!("{to}: {became}"));
    }
    if rows.len() < *targets {
        lines.push(format!("not yet told of {}: see `{sees}`", targets - rows.len()));
    }
    Response { done, lines }
}

#[cfg(test)]
mod tests {
    use forewarn_core::ids::OutputId;
    use forewarn_core::time::Timestamp;

    use super::*;
    use crate::app::sample::target;

    fn plan() -> Plan {
        let targets = vec![target("t-1", "it"), None, target("t-3", "duty"), target("t-4", "duty")];
        Plan { targets, operator: vec![TargetIx(0)], ..Plan::default() }
    }

    #[test]
    fn a_test_of_notification_reaches_all_that_were_named_or_nobody() {
        let check = |contacts: &[&str], targets: &[&str], expected: Result<&[u32], &str>| {
            let owned = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect::<Vec<_>>();
            let found = meant(&plan(), &owned(contacts), &owned(targets)).map_err(|unknown| {
                unknown
                    .iter()
                    .map(|it| it.line("forewarn warnings show ID --json"))
                    .collect::<Vec<_>>()
                    .join("; ")
            });
            match (found, expected) {
                (Ok(found), Ok(expected)) => {
                    assert_eq!(found.iter().map(|ix| ix.0).collect::<Vec<_>>(), expected, "{contacts:?}");
                }
                (Err(found), Err(part)) => assert!(found.contains(part), "{found}"),
                (found, expected) => panic!("{contacts:?} {targets:?}: {found:?}, expected {expected:?}"),
            }
        };
        check(&[], &[], Ok(&[0]));
        check(&["duty"], &[], Ok(&[2, 3]));
        check(&[], &["t-4"], Ok(&[3]));
        check(&["it", "duty"], &["t-4"], Ok(&[0, 2, 3]));
        check(&["it", "nobody"], &[], Err("no contact \"nobody\" has an address"));
        check(&[], &["t-2"], Err("no target has the id \"t-2\""));
        check(&["nobody"], &["t-2"], Err("; no target"));
    }

    fn asked(targets: usize) -> Asked {
        let sees = "forewarn warnings list --data /srv/data".to_owned();
        Asked { test: Key([1; 16]), targets, wait: Duration::from_secs(10), sees }
    }

    #[test]
    fn what_is_not_told_yet_is_seen_by_a_command_for_this_directory() {
        let response = told(&plan(), &[], &asked(2));
        let line = "not yet told of 2: see `forewarn warnings list --data /srv/data`".to_owned();
        assert_eq!((response.done, response.lines), (false, vec![line]));
    }

    #[test]
    fn each_target_is_told_delivered_failed_or_not_yet() {
        let check = |state, note: Option<&str>, done: bool, line: &str, waits: bool| {
            let row = DeliveryRow {
                digest: None,
                key: Key([1; 16]),
                warning: OutputId::default(),
                number: 1,
                target: TargetIx(0),
                target_id: "t-1".into(),
                round: 0,
                state,
                attempts: u32::from(note.is_some()),
                note: note.map(|note| (Timestamp(0), note.to_owned())),
            };
            assert_eq!(is_told(&row), !waits, "{line}");
            let response = told(&plan(), &[row], &asked(1));
            assert_eq!((response.done, response.lines), (done, vec![line.to_owned()]));
        };
        check(DeliveryState::Accepted, Some("accepted"), true, "it by email: delivered", false);
        check(DeliveryState::Queued, None, false, "it by email: not yet, after 10 s", true);
        check(
            DeliveryState::Queued,
            Some("retry: 127.0.0.1:25: connection refused"),
            false,
            "it by email: failed so far, it is tried again: 127.0.0.1:25: connection refused",
            true,
        );
        let dead = DeliveryState::Dead(Death::Rejected);
        check(dead, None, false, "it by email: failed: rejected", true);
        check(
            dead,
            Some("rejected: 127.0.0.1:25: the mail server answered 550: mailbox unavailable"),
            false,
            "it by email: failed: rejected: 127.0.0.1:25: the mail server answered 550: mailbox unavailable",
            false,
        );
    }
}
