//! Warnings, their revisions, and what became of them.

use forewarn_core::time::Span;
use forewarn_core::warning::{Evidence, Reach, Revision, Seen};
use schemars::JsonSchema;
use serde::Serialize;

use super::names::{Names, NamesView};
use crate::channels::show;
use crate::state::{Acknowledgement, DeliveryRow, DeliveryState, WarningDetail, WarningRow};

/// A warning as it stands.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WarningView {
    /// Its id.
    pub id: String,
    /// `standing`, `blind` or `ended`.
    pub state: &'static str,
    /// `hazard@area`, or what else it is about.
    pub about: String,
    /// Of what; `null` where it is about the service.
    pub hazard: Option<String>,
    /// Where, by id; none where it is about the service.
    pub areas: Vec<String>,
    /// Where, as people call it, by language, in the same order.
    pub places: Vec<NamesView>,
    /// Its newest revision.
    pub newest: RevisionView,
}

/// A warning with all that is known of it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WarningDetailView {
    /// As in a list.
    #[serde(flatten)]
    pub warning: WarningView,
    /// Oldest first.
    pub revisions: Vec<RevisionView>,
    /// In order of revision and target.
    pub deliveries: Vec<DeliveryView>,
    /// Oldest first.
    pub acknowledged: Vec<AcknowledgementView>,
    /// By how many, within 5, 15 and 60 minutes.
    pub reach: Vec<ReachedView>,
}

/// One revision, complete in itself.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct RevisionView {
    /// From 1.
    pub number: u32,
    /// `alert`, `update`, `all-clear` or `cancel`.
    pub kind: &'static str,
    /// Why it was made.
    pub reason: &'static str,
    /// `Actual`, `Exercise` or `Test`: only the first is for real.
    pub status: &'static str,
    /// The level now.
    pub level: &'static str,
    /// The highest level so far.
    pub peak: &'static str,
    /// CAP's.
    pub urgency: &'static str,
    /// CAP's.
    pub severity: &'static str,
    /// CAP's.
    pub certainty: &'static str,
    /// When the breach began.
    pub onset: String,
    /// When this was said.
    pub sent: String,
    /// Until when it holds unless renewed.
    pub expires: String,
    /// Whether what it rests on can no longer be seen.
    pub stale: bool,
    /// How many sensors support it.
    pub sensors: u32,
    /// The worst of them first.
    pub evidence: Vec<EvidenceView>,
    /// How many had acknowledged what was told before, of how many.
    pub seen: Option<(u32, u32)>,
    /// More to say.
    pub detail: String,
    /// How many targets are due it.
    pub targets: usize,
}

/// What one sensor contributes.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct EvidenceView {
    /// `station/quantity`.
    pub sensor: String,
    /// The rule.
    pub rule: String,
    /// The level it supports.
    pub level: &'static str,
    /// The reading, in `unit`.
    pub value: Option<f64>,
    /// The sensor's unit.
    pub unit: String,
    /// What the rule measured, in `rule_unit`.
    pub measured: Option<f64>,
    /// The limit it is held against, in `rule_unit`.
    pub limit: Option<f64>,
    /// The rule's unit.
    pub rule_unit: String,
    /// In `unit` an hour.
    pub trend_per_hour: Option<f64>,
    /// Since when.
    pub since: String,
    /// When the reading was made.
    pub observed: String,
    /// Whether it can no longer be seen: treat as dangerous.
    pub unknown: bool,
    /// Whether the sensor is at the end of its span.
    pub saturated: bool,
}

/// One revision to one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct DeliveryView {
    /// The same at every attempt.
    pub key: String,
    /// Id of the warning.
    pub warning: String,
    /// Which revision.
    pub number: u32,
    /// Which repeat, from 0.
    pub round: u32,
    /// The target's opaque id.
    pub target: String,
    /// The contact's id.
    pub contact: Option<String>,
    /// By which channel.
    pub channel: Option<String>,
    /// `queued`, `accepted`, `superseded` or `dead`.
    pub state: &'static str,
    /// Why it was given up.
    pub death: Option<&'static str>,
    /// Attempts noted; of the digest, where it leaves in one.
    pub attempts: u32,
    /// The key of the digest that it leaves in, or left in; null where it goes alone.
    pub digest: Option<String>,
    /// When it was last tried.
    pub tried: Option<String>,
    /// What came of that, in words.
    pub outcome: Option<String>,
}

/// That somebody has a warning before them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct AcknowledgementView {
    /// Which revision they had.
    pub number: u32,
    /// The contact's id.
    pub contact: Option<String>,
    /// By which channel it had reached them.
    pub channel: Option<String>,
    /// When.
    pub at: String,
    /// What it added to the warning's reach; `null` where this person had
    /// acknowledged it before, or had an earlier revision before them.
    pub reach: Option<ReachView>,
}

/// How far a warning had come when one more person acknowledged it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReachView {
    /// Seconds after what was news had been told.
    pub after_secs: i64,
    /// How many people had acknowledged it by then, this one among them.
    pub by: u32,
    /// How many had been told.
    pub of: u32,
}

/// How many people had acknowledged what was last news within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ReachedView {
    /// Minutes after it had been told.
    pub within_mins: i64,
    /// How many had by then.
    pub by: u32,
    /// How many have been told.
    pub of: u32,
}

impl WarningView {
    /// Of a row.
    pub fn of(row: &WarningRow, names: Names<'_>) -> WarningView {
        WarningView::new(row.digest.to_string(), row.ended, &row.newest, names)
    }

    /// Of its newest revision.
    pub fn new(id: String, ended: bool, newest: &Revision, names: Names<'_>) -> WarningView {
        let cells = newest.about.cells();
        let state = match (ended, newest.stale) {
            (true, _) => "ended",
            (false, true) => "blind",
            (false, false) => "standing",
        };
        WarningView {
            id,
            state,
            about: names.about(&newest.about),
            hazard: cells.first().map(|cell| names.0.hazard(cell.hazard).to_owned()),
            areas: cells.iter().map(|cell| names.area(cell.area)).collect(),
            places: cells.iter().map(|cell| names.place(cell.area)).collect(),
            newest: RevisionView::of(newest, names),
        }
    }
}

impl WarningDetailView {
    /// Of all its rows; `None` where it has no revision.
    pub fn of(found: &WarningDetail, names: Names<'_>) -> Option<WarningDetailView> {
        let newest = found.revisions.last()?;
        Some(WarningDetailView {
            warning: WarningView::new(found.digest.to_string(), found.ended, newest, names),
            revisions: found.revisions.iter().map(|it| RevisionView::of(it, names)).collect(),
            deliveries: found.deliveries.iter().map(|it| DeliveryView::of(it, names)).collect(),
            acknowledged: found
                .acknowledgements
                .iter()
                .map(|it| AcknowledgementView::of(it, names))
                .collect(),
            reach: found.reach(names.0).map(ReachedView::of).to_vec(),
        })
    }
}

impl RevisionView {
    /// Of a revision.
    pub fn of(it: &Revision, names: Names<'_>) -> RevisionView {
        RevisionView {
            number: it.number,
            kind: it.kind.word(),
            reason: it.reason.word(),
            status: it.status.word(),
            level: it.level.word(),
            peak: it.peak.word(),
            urgency: it.urgency.word(),
            severity: it.severity.word(),
            certainty: it.certainty.word(),
            onset: names.time(it.onset),
            sent: names.time(it.sent),
            expires: names.time(it.expires),
            stale: it.stale,
            sensors: it.sensors,
            evidence: it.evidence.iter().map(|it| EvidenceView::of(it, names)).collect(),
            seen: it.seen.map(|seen| (seen.by, seen.of)),
            detail: show::clean(&it.detail),
            targets: it.due.len(),
        }
    }
}

impl EvidenceView {
    fn of(it: &Evidence, names: Names<'_>) -> EvidenceView {
        let (sensor, rule) = (names.0.sensor(it.sensor), names.0.rule(it.rule));
        let finite = |value: Option<f64>| value.filter(|value| value.is_finite());
        EvidenceView {
            sensor: names.sensor(it.sensor),
            rule: names.rule(it.rule),
            level: it.level.word(),
            value: finite(it.value),
            unit: sensor.map_or(String::new(), |sensor| show::symbol(sensor.unit)),
            measured: finite(it.measured),
            limit: finite(it.limit),
            rule_unit: rule.map_or(String::new(), |rule| show::symbol(rule.unit)),
            trend_per_hour: finite(it.trend),
            since: names.time(it.since),
            observed: names.time(it.observed),
            unknown: it.unknown,
            saturated: it.saturated,
        }
    }
}

impl DeliveryView {
    /// Of a row.
    pub fn of(row: &DeliveryRow, names: Names<'_>) -> DeliveryView {
        let (contact, channel) = names.target(row.target);
        let (state, death) = match row.state {
            DeliveryState::Queued => ("queued", None),
            DeliveryState::Accepted => ("accepted", None),
            DeliveryState::Superseded => ("superseded", None),
            DeliveryState::Dead(death) => ("dead", Some(death.word())),
        };
        let (tried, outcome) = match &row.note {
            Some((at, outcome)) => (Some(names.time(*at)), Some(show::clean(outcome))),
            None => (None, None),
        };
        DeliveryView {
            key: row.key.to_string(),
            warning: row.warning.digest().to_string(),
            number: row.number,
            round: row.round,
            target: row.target_id.clone(),
            contact,
            channel,
            state,
            death,
            attempts: row.attempts,
            digest: row.digest.map(|key| key.to_string()),
            tried,
            outcome,
        }
    }
}

impl AcknowledgementView {
    fn of(it: &Acknowledgement, names: Names<'_>) -> AcknowledgementView {
        let (contact, channel) = names.target(it.target);
        let reach = it.reach.map(ReachView::of);
        AcknowledgementView { number: it.number, contact, channel, at: names.time(it.at), reach }
    }
}

impl ReachView {
    /// Of what an acknowledgement added.
    pub fn of(it: Reach) -> ReachView {
        ReachView { after_secs: it.after.0 / Span::from_secs(1).0, by: it.seen.by, of: it.seen.of }
    }
}

impl ReachedView {
    /// Of what is counted.
    pub fn of((within, seen): (Span, Seen)) -> ReachedView {
        ReachedView { within_mins: within.0 / Span::from_mins(1).0, by: seen.by, of: seen.of }
    }
}
