//! What every channel says of a revision: a fixed set of fields, made in one
//! place, in the language of whoever is told.

use forewarn_core::level::{Level, Status};
use forewarn_core::plan::{Plan, Sensor};
use forewarn_core::time::Timestamp;
use forewarn_core::warning::{About, Cell, Evidence, Kind, Revision, Seen};

use super::words::Words;
use super::{naming, show};
use crate::config::plan::Setup;

/// One field: its name for templates and tests, its label, its text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// As templates call it: `value`, `limit` ...
    pub key: &'static str,
    /// As people call it.
    pub label: String,
    /// What it says; never empty.
    pub text: String,
}

/// A revision as people read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Whether people must act on it.
    pub status: Status,
    /// The mark of a drill or a test; empty for what is real.
    pub mark: String,
    /// The banner of a drill or a test; empty for what is real.
    pub banner: String,
    /// The colour of its band: that of the level, or of the all-clear.
    pub level: Level,
    /// What stands in brackets: colour word and grade, or all-clear.
    pub tag: String,
    /// A sign that tells levels apart without colour.
    pub symbol: &'static str,
    /// What kind of message it is.
    pub kind: String,
    /// The hazard; for a trouble, the service.
    pub hazard: String,
    /// One line: where, how much, against what, which way.
    pub headline: String,
    /// What to do.
    pub action: String,
    /// Every field, in order; the same set for every revision about an incident.
    pub rows: Vec<Row>,
    /// Where it can be read and acknowledged, or the site's address.
    pub href: Option<String>,
}

/// The fields of every revision about an incident.
pub const FIELDS: [&str; 19] = [
    "status",
    "kind",
    "reason",
    "hazard",
    "place",
    "level",
    "value",
    "limit",
    "datum",
    "since",
    "trend",
    "unknown",
    "action",
    "next",
    "time",
    "certainty",
    "sensors",
    "seen",
    "link",
];

/// One revision, its setup and the words to say it in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Teller<'a> {
    pub(super) revision: &'a Revision,
    pub(super) setup: &'a Setup,
    pub(super) words: &'a Words,
}

impl Facts {
    /// What to say of a revision.
    pub fn of(revision: &Revision, setup: &Setup, words: &Words) -> Facts {
        let teller = Teller { revision, setup, words };
        match &revision.about {
            About::Incident(cell) => teller.incident(*cell),
            About::Trouble(key) => teller.trouble(key),
            // The canary's has a channel of its own and no words: nobody reads it.
            About::NotifyTest | About::Canary(_) => teller.notify_test(),
            About::Manual(by_hand) => teller.by_hand(by_hand),
        }
    }

    /// With a page of its own to link to.
    #[must_use]
    pub fn linked(mut self, link: Option<&str>) -> Facts {
        if let Some(link) = link {
            self.href = Some(link.to_owned());
            for row in self.rows.iter_mut().filter(|row| row.key == "link") {
                link.clone_into(&mut row.text);
            }
        }
        self
    }

    /// The text of a field; empty where the revision has none such.
    pub fn text(&self, key: &str) -> &str {
        self.rows.iter().find(|row| row.key == key).map_or("", |row| row.text.as_str())
    }
}

impl Teller<'_> {
    pub(super) fn plan(&self) -> &Plan {
        &self.setup.plan
    }

    pub(super) fn word(&self, path: &str) -> String {
        self.words.get(path).to_owned()
    }

    pub(super) fn row(&self, key: &'static str, text: String) -> Row {
        Row { key, label: self.word(&format!("labels.{key}")), text }
    }

    fn incident(&self, cell: Cell) -> Facts {
        let worst = self.revision.evidence.first();
        let hazard = naming::hazard_name(self.plan(), cell, self.words);
        let action = self.action(cell);
        let texts = [
            self.status(),
            self.kind(),
            self.reason(),
            hazard.clone(),
            self.place(cell, worst),
            self.level(),
            worst.map_or_else(|| self.word("text.not_measured"), |worst| self.value(worst)),
            worst.and_then(|worst| self.limit(worst)).unwrap_or_else(|| self.word("text.not_applicable")),
            worst.and_then(|worst| self.datum(worst)).unwrap_or_else(|| self.word("text.not_applicable")),
            self.time(self.revision.onset),
            worst.map_or_else(|| self.word("text.trend_unknown"), |worst| self.trend(worst)),
            self.unknown(),
            action.clone(),
            self.next(),
            self.time(self.revision.sent),
            self.word(&format!("certainty.{}", self.revision.certainty)),
            self.sensors(),
            self.seen(),
            self.link(),
        ];
        let rows = FIELDS.into_iter().zip(texts).map(|(key, text)| self.row(key, text)).collect();
        self.facts(self.tag(), hazard, self.headline(cell, worst), action, rows)
    }

    pub(super) fn tag(&self) -> String {
        match self.revision.kind {
            Kind::Alert | Kind::Update => naming::level_tag(self.revision.level, self.words),
            Kind::AllClear => self.word("tags.all-clear"),
            Kind::Cancel => self.word("tags.cancel"),
        }
    }

    pub(super) fn facts(
        &self,
        tag: String,
        hazard: String,
        headline: String,
        action: String,
        rows: Vec<Row>,
    ) -> Facts {
        let status = self.revision.status;
        let level = if self.revision.kind.is_last() { Level::Normal } else { self.revision.level };
        Facts {
            status,
            mark: self.word(&format!("marks.{status}")),
            banner: self.words.find(&format!("banners.{status}")).unwrap_or_default().to_owned(),
            level,
            tag,
            symbol: naming::symbol(level),
            kind: self.kind(),
            hazard,
            headline,
            action,
            rows,
            href: self.setup.url.as_deref().map(show::clean).filter(|url| url.starts_with("http")),
        }
    }

    pub(super) fn status(&self) -> String {
        self.word(&format!("status.{}", self.revision.status))
    }

    pub(super) fn kind(&self) -> String {
        self.word(&format!("kinds.{}", self.revision.kind.word()))
    }

    pub(super) fn reason_word(&self) -> String {
        self.word(&format!("reasons.{}", self.revision.reason.word()))
    }

    pub(super) fn reason(&self) -> String {
        let corrected = matches!(self.revision.about, About::Incident(_)).then(|| self.written_headline());
        // What a person wrote when correcting, ending or cancelling, or noted since, belongs to the reason.
        let parts = [Some(self.reason_word()), corrected.flatten(), Some(show::clean(&self.revision.detail))];
        let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
        parts.join(self.words.get("join.list"))
    }

    fn place(&self, cell: Cell, worst: Option<&Evidence>) -> String {
        let area = naming::area_name(self.plan(), cell, self.words);
        match worst.and_then(|worst| self.station(worst)) {
            Some(station) => self.words.fill("join.place", &[("area", &area), ("station", &station)]),
            None => area,
        }
    }

    pub(super) fn level(&self) -> String {
        let level = naming::level_name(self.revision.level, self.words);
        if self.revision.peak <= self.revision.level {
            return level;
        }
        let peak = naming::level_name(self.revision.peak, self.words);
        let peak = self.words.fill("text.peak", &[("level", &peak)]);
        format!("{level}{}{peak}", self.words.get("join.list"))
    }

    fn value(&self, evidence: &Evidence) -> String {
        let observed = self.local(evidence.observed);
        match self.measured(evidence) {
            None => self.word("text.not_measured"),
            Some(value) => {
                let path = if evidence.unknown { "text.last_value" } else { "text.value_at" };
                self.words.fill(path, &[("value", &value), ("observed", &observed)])
            }
        }
    }

    /// The newest value in the sensor's unit, or that it may be beyond.
    fn measured(&self, evidence: &Evidence) -> Option<String> {
        let value = show::amount(evidence.value?, self.sensor(evidence)?.unit);
        Some(if evidence.saturated { self.words.fill("text.saturated", &[("value", &value)]) } else { value })
    }

    fn datum(&self, evidence: &Evidence) -> Option<String> {
        Some(show::clean(&self.sensor(evidence)?.datum.as_ref()?.0))
    }

    fn trend(&self, evidence: &Evidence) -> String {
        let (Some(trend), Some(sensor)) = (evidence.trend, self.sensor(evidence)) else {
            return self.word("text.trend_unknown");
        };
        let path = match trend {
            _ if show::is_steady(trend, sensor.unit) => "text.steady",
            _ if trend > 0.0 => "text.rising",
            _ => "text.falling",
        };
        let per_hour = if path == "text.steady" { 0.0 } else { trend };
        self.words.fill(path, &[("trend", &show::trend(per_hour, sensor.unit))])
    }

    /// What can no longer be seen, each with its last word; before it, how many
    /// of that place are lost, where that is of concern.
    fn unknown(&self) -> String {
        let resting = self.unknown_evidence();
        if !self.revision.is_of_concern() {
            return resting;
        }
        let several = self.words.fill("text.lost_several", &[("count", &self.revision.lost.to_string())]);
        let rests_on_some = self.revision.stale || self.revision.evidence.iter().any(|e| e.unknown);
        if rests_on_some { [several, resting].join(self.words.get("join.list")) } else { several }
    }

    fn unknown_evidence(&self) -> String {
        let lost: Vec<_> =
            self.revision.evidence.iter().filter(|e| e.unknown).map(|e| self.lost(e)).collect();
        let nobody = self.revision.evidence.is_empty() && !self.revision.kind.is_last();
        match (lost.is_empty(), self.revision.stale) {
            (false, _) => lost.join(self.words.get("join.list")),
            (true, true) => self.word("text.stale"),
            (true, false) if nobody => self.word("text.nobody_measures"),
            (true, false) => self.word("text.all_seen"),
        }
    }

    fn lost(&self, evidence: &Evidence) -> String {
        let station = self.station(evidence).unwrap_or_default();
        let value = self.measured(evidence).unwrap_or_else(|| self.word("text.not_measured"));
        let (trend, observed) = (self.trend(evidence), self.local(evidence.observed));
        let values =
            [("station", &*station), ("value", &*value), ("trend", &*trend), ("observed", &*observed)];
        self.words.fill("text.lost", &values)
    }

    pub(super) fn next(&self) -> String {
        if self.revision.kind.is_last() {
            return self.word("text.last_message");
        }
        self.words
            .fill("text.next_update", &[("time", &self.time(naming::next_update(self.revision, self.setup)))])
    }

    /// How many of those who were told have acknowledged it.
    pub(super) fn seen(&self) -> String {
        match self.revision.seen {
            None => self.word("text.seen_by_nobody"),
            Some(Seen { by, of }) => {
                self.words.fill("text.seen_by", &[("by", &by.to_string()), ("of", &of.to_string())])
            }
        }
    }

    pub(super) fn link(&self) -> String {
        self.setup.url.as_deref().map_or_else(|| self.word("text.no_link"), show::clean)
    }

    /// The subject line's words: where, how much, against what, which way.
    fn headline(&self, cell: Cell, worst: Option<&Evidence>) -> String {
        // The worst that is lost; the row of the unknown has the others.
        let lost = self.revision.evidence.iter().find(|evidence| evidence.unknown);
        match (self.revision.kind.is_last(), lost) {
            (false, Some(lost)) => return self.lost(lost),
            (false, None) if self.revision.stale => {
                let area = naming::area_name(self.plan(), cell, self.words);
                return format!("{area}: {}", self.words.get("text.stale"));
            }
            (false, None) | (true, _) => {}
        }
        let comma = self.words.get("join.comma");
        let Some(worst) = worst else {
            let area = naming::area_name(self.plan(), cell, self.words);
            let nobody = self.words.get("text.nobody_measures");
            return if self.revision.kind.is_last() { area } else { format!("{area}: {nobody}") };
        };
        let place = self.station(worst).unwrap_or_else(|| naming::area_name(self.plan(), cell, self.words));
        let mut line = match self.measured(worst) {
            Some(value) => format!("{place} {value}"),
            None => place,
        };
        if let Some(limit) = self.short_limit(worst) {
            line = format!("{line}{comma}{limit}");
        }
        if worst.trend.is_some() { format!("{line}{comma}{}", self.trend(worst)) } else { line }
    }

    pub(super) fn action(&self, cell: Cell) -> String {
        if let Some(written) = self.written_action() {
            return written;
        }
        let level = match self.revision.kind {
            Kind::Cancel => return self.word("actions.default.cancel"),
            Kind::AllClear => Level::Normal,
            Kind::Alert | Kind::Update => self.revision.level,
        };
        let own = format!("actions.{}.{level}", self.plan().hazard(cell.hazard));
        match self.words.find(&own) {
            Some(action) => action.to_owned(),
            None => self.word(&format!("actions.default.{level}")),
        }
    }

    pub(super) fn time(&self, civil: Timestamp) -> String {
        let settings = &self.plan().settings;
        let offset = show::utc_offset(civil, settings);
        self.words
            .fill("join.zone", &[("time", &self.local(civil)), ("zone", &settings.zone), ("offset", &offset)])
    }

    pub(super) fn local(&self, civil: Timestamp) -> String {
        show::local(civil, &self.plan().settings).unwrap_or_else(|| self.word("text.time_unknown"))
    }

    fn sensor(&self, evidence: &Evidence) -> Option<&Sensor> {
        self.plan().sensor(evidence.sensor)
    }

    pub(super) fn station(&self, evidence: &Evidence) -> Option<String> {
        let station = self.plan().station(self.sensor(evidence)?.station)?;
        Some(show::clean(show::name(&station.names, self.words.language())))
    }
}
