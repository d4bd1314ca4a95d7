//! The JSON body of a webhook. Its schema is `docs/webhook.schema.json`, made
//! from these types; fields are added, never renamed and never reused.

mod digest;
mod evidence;

use forewarn_core::ids::Key;
use forewarn_core::level::Level;
use forewarn_core::plan::Plan;
use forewarn_core::time::Timestamp;
use forewarn_core::warning::{About, Cell, Revision, Seen};
use schemars::JsonSchema;
use serde::Serialize;

use super::at_level::AtLevel;
use super::facts::Facts;
use super::summary::gravest_first;
use super::words::Words;
use super::{Member, detail, naming, show};
use crate::config::plan::Setup;
pub use digest::{CountBody, DigestBody, MemberBody, PlaceBody};
pub use evidence::{EvidenceBody, Station};

/// One delivery. Answer 2xx once you have it; the same `id` may come again.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(title = "Forewarn webhook", rename = "Delivery")]
pub struct Body {
    /// What is delivered: `warning.alert`, `warning.update`, `warning.all-clear`,
    /// `warning.cancel`, `trouble.raised`, `trouble.ended`, `notify-test`, `digest`.
    #[serde(rename = "type")]
    #[schemars(extend("enum" = ["warning.alert", "warning.update", "warning.all-clear", "warning.cancel",
        "trouble.raised", "trouble.ended", "notify-test", "digest"]))]
    pub kind: &'static str,
    /// When the newest revision in it was decided: RFC 3339, UTC.
    #[schemars(extend("format" = "date-time"))]
    pub timestamp: String,
    /// The delivery key, as in the header `webhook-id`: the same at every retry.
    #[schemars(extend("pattern" = "^[0-9a-f]{32}$"))]
    pub id: String,
    /// Act on `Actual` only. `Exercise` is a drill, `Test` checks the service.
    #[schemars(extend("enum" = ["Actual", "Exercise", "Test"]))]
    pub status: &'static str,
    /// Version of this schema.
    pub version: u32,
    /// Language of every text in it: `zh`, `en`.
    pub language: String,
    /// Who sends it.
    pub site: Site,
    /// The page where a person can read it and acknowledge it, without a login; null where the
    /// site has no public address. Show it to whoever is to answer, and to nobody else.
    pub page: Option<String>,
    /// One revision, or in a digest the worst of them, fifty at most; each complete in itself.
    #[schemars(length(min = 1))]
    pub revisions: Vec<RevisionBody>,
    /// All that is in a digest; null where one warning came by itself.
    pub digest: Option<DigestBody>,
}

/// Who sends it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// Its public address.
    pub url: Option<String>,
    /// IANA name of the zone of local times.
    pub zone: String,
}

/// One revision of a warning; it replaces the one before whole.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[schemars(rename = "Revision")]
pub struct RevisionBody {
    /// This revision, the same for all targets.
    pub id: String,
    /// The warning, the same for all its revisions.
    pub warning: String,
    /// From 1; the higher replaces the lower.
    pub number: u32,
    /// What it is.
    #[schemars(extend("enum" = ["alert", "update", "all-clear", "cancel"]))]
    pub kind: &'static str,
    /// Why it was made, as a word for machines.
    pub reason: &'static str,
    /// What it is about.
    #[schemars(extend("enum" = ["incident", "manual", "trouble", "notify-test"]))]
    pub about: &'static str,
    /// The hazard; null unless about a danger.
    pub hazard: Option<Named>,
    /// The area, the first of several; null unless about a danger.
    pub area: Option<Named>,
    /// Every area: a warning by hand may be about several; empty unless about a danger.
    pub areas: Vec<Named>,
    /// The trouble; null unless about one.
    pub trouble: Option<Trouble>,
    /// The level now.
    pub level: LevelBody,
    /// The highest level so far.
    pub peak: LevelBody,
    /// CAP urgency.
    #[schemars(extend("enum" = ["Immediate", "Expected", "Future", "Past", "Unknown"]))]
    pub urgency: &'static str,
    /// CAP severity.
    #[schemars(extend("enum" = ["Extreme", "Severe", "Moderate", "Minor", "Unknown"]))]
    pub severity: &'static str,
    /// CAP certainty.
    #[schemars(extend("enum" = ["Observed", "Likely", "Possible", "Unlikely", "Unknown"]))]
    pub certainty: &'static str,
    /// The first reading of the breach.
    pub onset: Time,
    /// When this revision was decided.
    pub sent: Time,
    /// Until when it holds, unless renewed or replaced. Its end is no all-clear.
    pub expires: Time,
    /// By when the next revision comes; null for the last one.
    pub next_update: Option<Time>,
    /// Whether what it rests on can no longer be measured: treat as dangerous.
    pub stale: bool,
    /// How many sensors there went blind since the danger began; those that share a
    /// gateway or a power supply count once. From two on it is told as graver than its level.
    pub lost_apart: u32,
    /// How many sensors breach a limit or did since it began, those listed included.
    pub sensors: u32,
    /// How many of those listed are measured at `level` or above it now: none
    /// while a warning is held although they have fallen back. Null for the last revision, and for
    /// what is about no incident.
    pub sensors_at_level: Option<u32>,
    /// The worst sensors first, ten at most.
    pub evidence: Vec<EvidenceBody>,
    /// How many of those who were told had acknowledged it before; null where it is news to all.
    pub seen: Option<SeenBody>,
    /// More to say: of a trouble what is known of it, else the words of whoever said it.
    pub detail: String,
    /// The whole in words.
    pub text: TextBody,
}

/// Who has acknowledged: contacts, not addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Seen")]
pub struct SeenBody {
    /// Have.
    pub by: u32,
    /// Were told.
    pub of: u32,
}

/// A thing with its id and its name in the delivery's language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Named {
    /// As configuration calls it; stable.
    pub id: String,
    /// As people call it; may change.
    pub name: String,
}

/// Something the operator must know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Trouble {
    /// What is the matter, as a word for machines.
    pub code: &'static str,
    /// With what; empty where the code says all.
    pub subject: String,
    /// What is the matter, in words; once it is over, what was.
    pub text: String,
}

/// A level.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Level")]
pub struct LevelBody {
    /// The word for machines.
    #[schemars(extend("enum" = ["normal", "blue", "yellow", "orange", "red"]))]
    pub id: &'static str,
    /// 0 is normal, 4 is red.
    pub rank: u32,
    /// Colour word and grade.
    pub name: String,
}

/// An instant, twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Time {
    /// RFC 3339, UTC.
    #[schemars(extend("format" = "date-time"))]
    pub utc: String,
    /// RFC 3339 with the site's offset.
    #[schemars(extend("format" = "date-time"))]
    pub local: String,
}

/// A revision in words, in the delivery's language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "Text")]
pub struct TextBody {
    /// The mark of a drill or a test; empty for what is real. Show it.
    pub mark: String,
    /// One line: where, how much, against what, which way.
    pub headline: String,
    /// What to do.
    pub action: String,
    /// Why it was made.
    pub reason: String,
    /// What is not known.
    pub unknown: String,
    /// Every field as mails show it, in order.
    pub fields: Vec<Field>,
}

/// One field in words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Field {
    /// Its name; stable.
    pub key: &'static str,
    /// Its label.
    pub label: String,
    /// What it says.
    pub text: String,
}

/// Revisions that stand whole in a digest: with their evidence they are long,
/// and receivers commonly take no more than a megabyte.
pub const WHOLE_MAX: usize = 50;

/// The version that [`Body::version`] bears.
pub const VERSION: u32 = 1;

impl Body {
    /// The body of one delivery, or of a digest of these members; `revisions` is never empty.
    pub fn of(
        key: Key,
        revisions: &[&Revision],
        members: &[Member],
        setup: &Setup,
        words: &Words,
        page: Option<&str>,
    ) -> Body {
        let settings = &setup.plan.settings;
        let newest = revisions.iter().map(|revision| revision.sent).max().unwrap_or_default();
        let mut gravest = revisions.to_vec();
        gravest.sort_by_key(|revision| gravest_first(revision));
        Body {
            kind: match revisions {
                [one] if members.is_empty() => kind(one),
                _ => "digest",
            },
            timestamp: show::rfc3339_utc(newest),
            id: key.to_string(),
            status: revisions.first().map_or("Test", |revision| revision.status.word()),
            version: VERSION,
            language: words.language().to_owned(),
            site: Site {
                name: show::clean(&settings.site),
                url: setup.url.clone(),
                zone: settings.zone.clone(),
            },
            page: page.map(str::to_owned),
            revisions: gravest
                .iter()
                .take(WHOLE_MAX)
                .map(|revision| of_revision(revision, setup, words))
                .collect(),
            digest: (!members.is_empty()).then(|| digest::of(revisions, members, setup, words)),
        }
    }
}

fn kind(revision: &Revision) -> &'static str {
    use forewarn_core::warning::Kind;
    match (&revision.about, revision.kind) {
        (About::NotifyTest, _) => "notify-test",
        (About::Canary(_), _) => "canary",
        (About::Trouble(_), kind) if kind.is_last() => "trouble.ended",
        (About::Trouble(_), _) => "trouble.raised",
        (About::Incident(_) | About::Manual(_), Kind::Alert) => "warning.alert",
        (About::Incident(_) | About::Manual(_), Kind::Update) => "warning.update",
        (About::Incident(_) | About::Manual(_), Kind::AllClear) => "warning.all-clear",
        (About::Incident(_) | About::Manual(_), Kind::Cancel) => "warning.cancel",
    }
}

fn of_revision(revision: &Revision, setup: &Setup, words: &Words) -> RevisionBody {
    let plan = &setup.plan;
    let facts = Facts::of(revision, setup, words);
    let cell = revision.about.cells().first().copied();
    let trouble = match &revision.about {
        About::Trouble(key) => Some(Trouble {
            code: key.code.word(),
            subject: show::clean(&key.subject),
            text: naming::trouble_text(key.code, revision.kind, words),
        }),
        About::Incident(_) | About::NotifyTest | About::Manual(_) | About::Canary(_) => None,
    };
    let area = |cell: Cell| Named {
        id: plan.area(cell.area).map(|area| area.id.clone()).unwrap_or_default(),
        name: naming::area_name(plan, cell, words),
    };
    let time = |civil| time(civil, plan);
    RevisionBody {
        id: revision.id.digest().to_string(),
        warning: revision.warning.digest().to_string(),
        number: revision.number,
        kind: revision.kind.word(),
        reason: revision.reason.word(),
        about: match &revision.about {
            About::Incident(_) => "incident",
            About::Trouble(_) => "trouble",
            About::NotifyTest => "notify-test",
            About::Canary(_) => "canary",
            About::Manual(_) => "manual",
        },
        hazard: cell.map(|cell| Named {
            id: plan.hazard(cell.hazard).to_owned(),
            name: naming::hazard_name(plan, cell, words),
        }),
        area: cell.map(area),
        areas: revision.about.cells().into_iter().map(area).collect(),
        trouble,
        level: level(revision.level, words),
        peak: level(revision.peak, words),
        urgency: revision.urgency.word(),
        severity: revision.severity.word(),
        certainty: revision.certainty.word(),
        onset: time(revision.onset),
        sent: time(revision.sent),
        expires: time(revision.expires),
        next_update: (!revision.kind.is_last()).then(|| time(naming::next_update(revision, setup))),
        stale: revision.stale,
        lost_apart: revision.lost,
        sensors: revision.sensors,
        sensors_at_level: (!revision.kind.is_last() && cell.is_some())
            .then(|| AtLevel::of(revision, plan).seen as u32),
        evidence: revision.evidence.iter().filter_map(|e| evidence::of(e, revision, plan, words)).collect(),
        seen: revision.seen.map(|Seen { by, of }| SeenBody { by, of }),
        detail: detail(revision, words),
        text: text(facts),
    }
}

fn detail(revision: &Revision, words: &Words) -> String {
    let said = show::clean(&revision.detail);
    match &revision.about {
        About::Trouble(key) => detail::told(key.code, &said, words),
        About::Incident(_) | About::NotifyTest | About::Manual(_) | About::Canary(_) => said,
    }
}

fn text(facts: Facts) -> TextBody {
    TextBody {
        reason: facts.text("reason").to_owned(),
        unknown: facts.text("unknown").to_owned(),
        mark: facts.mark,
        headline: facts.headline,
        action: facts.action,
        fields: facts
            .rows
            .into_iter()
            .map(|row| Field { key: row.key, label: row.label, text: row.text })
            .collect(),
    }
}

fn level(level: Level, words: &Words) -> LevelBody {
    LevelBody { id: level.word(), rank: level.index() as u32, name: naming::level_name(level, words) }
}

fn time(civil: Timestamp, plan: &Plan) -> Time {
    Time { utc: show::rfc3339_utc(civil), local: show::rfc3339_local(civil, &plan.settings) }
}

#[cfg(test)]
mod tests;
