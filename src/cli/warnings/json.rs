//! Warnings as machines read them.

use forewarn_core::ids::Key;
use forewarn_core::warning::{Evidence, Revision};
use serde_json::{Value, json};

use super::state;
use crate::channels::show;
use crate::cli::beside::Names;
use crate::state::{DeliveryRow, DeliveryState, WarningDetail};
use crate::views::{ReachView, ReachedView};

pub(super) fn warning_json(names: &Names, id: Key, ended: bool, newest: &Revision) -> Value {
    json!({
        "id": id.to_string(),
        "state": state(ended, newest),
        "about": names.about(&newest.about),
        "place": names.place(&newest.about),
        "newest": revision_json(names, newest),
    })
}

pub(super) fn detail_json(names: &Names, found: &WarningDetail) -> Value {
    json!({
        "id": found.digest.to_string(),
        "state": found.revisions.last().map(|newest| state(found.ended, newest)),
        "about": found.revisions.last().map(|newest| names.about(&newest.about)),
        "place": found.revisions.last().map(|newest| names.place(&newest.about)),
        "revisions": found.revisions.iter().map(|it| revision_json(names, it)).collect::<Vec<_>>(),
        "deliveries": found.deliveries.iter().map(|it| delivery_json(names, it)).collect::<Vec<_>>(),
        "acknowledged": found.acknowledgements.iter().map(|it| json!({
            "revision": it.number, "by": names.target(it.target), "at": names.time_json(it.at),
            "reach": it.reach.map(ReachView::of),
        })).collect::<Vec<_>>(),
        "reach": found.reach(&names.0).map(ReachedView::of),
    })
}

/// One revision as machines read it; `log show` prints it too.
pub(in crate::cli) fn revision_json(names: &Names, it: &Revision) -> Value {
    json!({
        "number": it.number,
        "kind": it.kind.word(),
        "reason": it.reason.word(),
        "status": it.status.word(),
        "level": it.level.word(),
        "peak": it.peak.word(),
        "urgency": it.urgency.word(),
        "severity": it.severity.word(),
        "certainty": it.certainty.word(),
        "onset": names.time_json(it.onset),
        "sent": names.time_json(it.sent),
        "expires": names.time_json(it.expires),
        "stale": it.stale,
        "sensors": it.sensors,
        "evidence": it.evidence.iter().map(|it| evidence_json(names, it)).collect::<Vec<_>>(),
        "seen": it.seen.map(|seen| json!({ "by": seen.by, "of": seen.of })),
        "detail": it.detail,
        "targets": it.due.iter().map(|due| names.target(due.target)).collect::<Vec<_>>(),
    })
}

fn evidence_json(names: &Names, it: &Evidence) -> Value {
    let unit = names.0.sensor(it.sensor).map(|sensor| show::symbol(sensor.unit));
    let rule_unit = names.0.rule(it.rule).map(|rule| show::symbol(rule.unit));
    json!({
        "sensor": names.sensor(it.sensor),
        "rule": names.rule(it.rule),
        "level": it.level.word(),
        "value": it.value,
        "unit": unit,
        "measured": it.measured,
        "limit": it.limit,
        "rule_unit": rule_unit,
        "trend_per_hour": it.trend,
        "since": names.time_json(it.since),
        "observed": names.time_json(it.observed),
        "unknown": it.unknown,
        "saturated": it.saturated,
    })
}

pub(super) fn delivery_json(names: &Names, row: &DeliveryRow) -> Value {
    let target = names.0.target(row.target);
    json!({
        "key": row.key.to_string(),
        "warning": row.warning.digest().to_string(),
        "number": row.number,
        "round": row.round,
        "target": row.target_id,
        "contact": target.map(|it| it.contact.as_str()),
        "channel": target.map(|it| it.channel.as_str()),
        "state": match row.state {
            DeliveryState::Queued => "queued",
            DeliveryState::Accepted => "accepted",
            DeliveryState::Superseded => "superseded",
            DeliveryState::Dead(_) => "dead",
        },
        "death": match row.state {
            DeliveryState::Dead(death) => Some(death.word()),
            DeliveryState::Queued | DeliveryState::Accepted | DeliveryState::Superseded => None,
        },
        "attempts": row.attempts,
        "digest": row.digest.map(|key| key.to_string()),
        "newest_attempt": row.note.as_ref().map(|(at, outcome)| json!({
            "at": names.time_json(*at), "outcome": outcome,
        })),
    })
}
