//! What a start finds that the operator must know.

use forewarn_core::engine::ENGINE_VERSION;
use forewarn_core::event::{Input, TroubleReport};
use forewarn_core::warning::{TroubleCode, TroubleKey};
use tracing::{info, warn};

use crate::driver::recovery::Recovered;
use crate::log::Opened;

/// Of what a later release left behind, what a trouble is about.
const SNAPSHOTS: &str = "snapshots";
const LOG: &str = "log";

/// What the operator must know of how the directory was found, and what a start
/// shows to be over: the configuration was read, and where there is no room,
/// that is told anew.
pub(super) fn troubles(opened: &Opened, recovered: &Recovered) -> Vec<Input> {
    let is_over = |key: &&TroubleKey| match key.code {
        // Each start finds what of the other world is still there by itself.
        TroubleCode::ReloadRefused | TroubleCode::OtherWorld => true,
        TroubleCode::DiskLow => key.subject == "log",
        TroubleCode::Diverged => match key.subject.as_str() {
            SNAPSHOTS => recovered.later_snapshots.is_empty(),
            LOG => recovered.later_records.is_none(),
            _ => false,
        },
        TroubleCode::SensorSilent
        | TroubleCode::DomainSilent
        | TroubleCode::SourceDown
        | TroubleCode::OwnDowntime
        | TroubleCode::ClockUntrusted
        | TroubleCode::Unrouted
        | TroubleCode::Orphaned
        | TroubleCode::DeadLetter
        | TroubleCode::Rot
        | TroubleCode::StoreBehind
        | TroubleCode::PoisonInput
        | TroubleCode::Conflict
        | TroubleCode::MessageTooLarge
        | TroubleCode::Held
        | TroubleCode::Undelivered
        | TroubleCode::AlertWithheld
        | TroubleCode::Unacknowledged
        | TroubleCode::ApprovalWaiting
        | TroubleCode::Muted
        | TroubleCode::EndsSoon
        | TroubleCode::HasEnded
        | TroubleCode::HeartbeatLate => false,
    };
    let over = |key: &TroubleKey| {
        Input::Trouble(TroubleReport { key: key.clone(), present: false, detail: String::new() })
    };
    let standing = recovered.engine.troubles().map(|(key, _)| key);
    let over: Vec<Input> = standing.filter(is_over).map(over).collect();
    // A trouble has one detail: what else was found of it is counted.
    let mut found: Vec<(TroubleKey, String, usize)> = Vec::new();
    let mut tell = |code, subject: String, detail: String| {
        warn!(?code, subject, detail, "found at the start");
        let key = TroubleKey { code, subject };
        match found.iter_mut().find(|(known, ..)| *known == key) {
            Some((.., more)) => *more += 1,
            None => found.push((key, detail, 0)),
        }
    };
    for rot in &opened.rot {
        tell(TroubleCode::Rot, "log".into(), rot.to_string());
    }
    for bad in &recovered.bad_snapshots {
        tell(TroubleCode::Rot, "snapshots".into(), bad.clone());
    }
    for why in recovered.lost_plans.values() {
        let detail = format!("a plan that the log names is lost, what was decided under it stands: {why}");
        tell(TroubleCode::Rot, "plans".into(), detail);
    }
    if let Some(why) = &recovered.standing_lost {
        let detail =
            format!("the records of warnings are lost, and the projection cannot say which stand: {why}");
        tell(TroubleCode::Rot, "state.db".into(), detail);
    }
    if let Some((file, version)) = recovered.later_snapshots.first() {
        let detail = format!(
            "{file} is by engine version {version}, this is {ENGINE_VERSION}: not read; \
             run the later release again, or compare what this one makes of the log"
        );
        tell(TroubleCode::Diverged, SNAPSHOTS.into(), detail);
    }
    if let Some((position, version)) = recovered.later_records {
        let detail = format!(
            "records from position {} on are by engine version {version}, this is {ENGINE_VERSION}: \
             what was decided stands; run the later release again, or compare",
            position.0
        );
        tell(TroubleCode::Diverged, LOG.into(), detail);
    }
    for position in &recovered.poison {
        let detail = format!("position {} makes the engine stumble: passed over in recovery", position.0);
        tell(TroubleCode::PoisonInput, "log".into(), detail);
    }
    if let Some(position) = recovered.diverged {
        let detail = format!(
            "this version would have decided otherwise from position {} on; what was decided stands",
            position.0
        );
        tell(TroubleCode::Diverged, "engine".into(), detail);
    }
    if let Some(torn) = &opened.torn {
        info!(?torn, "a record that was never finished was cut off; nobody had been told of it");
    }
    let found = found.into_iter().map(|(key, detail, more)| {
        let detail = match more {
            0 => detail,
            more => format!("{detail}; and {more} more, each in the service's own log"),
        };
        Input::Trouble(TroubleReport { key, present: true, detail })
    });
    over.into_iter().chain(found).collect()
}
