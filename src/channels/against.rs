//! What a measurement is held against: the limit of the level that people are
//! told, which need not be the highest that the measurement reaches.

use forewarn_core::level::Level;
use forewarn_core::plan::{LimitRow, Plan, Rule, Side};
use forewarn_core::warning::{Evidence, Kind, Reason, Revision};

use super::facts::Teller;
use super::show;

/// A value this close to a limit, relative to it, has reached it, as the rules have it.
const AT_LIMIT: f64 = 1e-9;

/// Two limits nearer to each other than this are one.
const SAME_LIMIT: f64 = 1e-9;

/// Which level's limit it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    /// That of the level people are told.
    Told(Level),
    /// The first of all: what an all-clear must be clear of.
    First,
    /// That of another level: there is none for the one people are told, or it is not known.
    Other(Level),
}

/// How the measurement stands to the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stand {
    /// At it, or on its dangerous side.
    Reached,
    /// On its safe side.
    Short,
    /// Nobody can say.
    Unknown,
}

/// A limit, and how the measurement stands to it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Against {
    /// In the rule's unit.
    pub(super) limit: f64,
    /// Which level's it is.
    pub(super) whose: Whose,
    /// How the measurement stands to it.
    pub(super) stand: Stand,
}

impl Against {
    /// What a revision's evidence is held against; `None` where there is no limit,
    /// or none of which could be said whose it is.
    pub(super) fn of(revision: &Revision, evidence: &Evidence, plan: &Plan) -> Option<Against> {
        let rule = plan.rule(evidence.rule)?;
        let (limit, whose) = match revision.kind {
            Kind::AllClear => (limit_of(evidence, rule, plan, first)?, Whose::First),
            Kind::Alert | Kind::Update | Kind::Cancel => told(revision.level, evidence, rule, plan)?,
        };
        Some(Against { limit, whose, stand: stand(limit, evidence, rule, plan) })
    }

    /// Whether the measurement is on the safe side of the limit of the level people are told.
    pub(super) fn fell_short(self) -> bool {
        matches!(self, Against { whose: Whose::Told(_), stand: Stand::Short, .. })
    }
}

fn told(level: Level, evidence: &Evidence, rule: &Rule, plan: &Plan) -> Option<(f64, Whose)> {
    let of_level = |row: &LimitRow| row.levels[level.index().checked_sub(1)?];
    match limit_of(evidence, rule, plan, of_level) {
        Some(limit) => Some((limit, Whose::Told(level))),
        // Which of its limits stands there when it supports no level cannot be told from it.
        None if evidence.level == Level::Normal => None,
        None if evidence.level == level => Some((evidence.limit?, Whose::Told(level))),
        None => Some((evidence.limit?, Whose::Other(evidence.level))),
    }
}

fn first(row: &LimitRow) -> Option<f64> {
    row.levels.into_iter().flatten().next()
}

/// A limit out of the row that the evidence was judged by. The plan may be
/// another by now: only a row in which the evidence's own limit stands can be it,
/// and where there are several, they must agree.
fn limit_of(
    evidence: &Evidence,
    rule: &Rule,
    plan: &Plan,
    pick: impl Fn(&LimitRow) -> Option<f64>,
) -> Option<f64> {
    let own = evidence.limit?;
    let subject = rule.subject(evidence.sensor)?;
    let has_own = |row: &&LimitRow| row.levels.into_iter().flatten().any(|limit| same(limit, own));
    let in_force = show::in_force(&subject.limits, evidence.observed, &plan.settings);
    if let Some(row) = in_force.filter(has_own) {
        return pick(row);
    }
    let mut picked = subject.limits.iter().filter(has_own).map(pick);
    let limit = picked.next()??;
    picked.all(|other| other.is_some_and(|other| same(other, limit))).then_some(limit)
}

fn same(a: f64, b: f64) -> bool {
    (a - b).abs() <= SAME_LIMIT * a.abs().max(1.0)
}

fn stand(limit: f64, evidence: &Evidence, rule: &Rule, plan: &Plan) -> Stand {
    // What people see is the sensor's value; only what has another unit is told by what the rule measured.
    let seen = match plan.sensor(evidence.sensor) {
        Some(sensor) if sensor.unit == rule.unit => evidence.value,
        Some(_) | None => evidence.measured,
    };
    let slack = AT_LIMIT * limit.abs().max(1.0);
    match (seen, rule.side) {
        (Some(seen), Side::Above) if seen >= limit - slack => Stand::Reached,
        (Some(seen), Side::Below) if seen <= limit + slack => Stand::Reached,
        // At the end of its range the truth may be beyond the limit.
        (Some(_), Side::Above | Side::Below) if evidence.saturated => Stand::Unknown,
        (Some(_), Side::Above | Side::Below) => Stand::Short,
        (None, Side::Above | Side::Below) => Stand::Unknown,
    }
}

impl Teller<'_> {
    /// The row of the limit; `None` where there is no rule or no limit.
    pub(super) fn limit(&self, evidence: &Evidence) -> Option<String> {
        let rule = self.plan().rule(evidence.rule)?;
        evidence.limit?;
        let Some(against) = Against::of(self.revision, evidence, self.plan()) else {
            return Some(self.word("text.limit_unknown"));
        };
        let warns_at = match rule.side {
            Side::Above => "text.at_or_above",
            Side::Below => "text.at_or_below",
        };
        let limit = self.words.fill(warns_at, &[("limit", &show::limit(against.limit, rule.unit))]);
        let limit = self.in_words(against, rule, limit);
        let limit = match self.other_unit(evidence, rule) {
            None => limit,
            Some(measured) if against.fell_short() => {
                let measured = self.words.fill("text.measured", &[("measured", &measured)]);
                format!("{measured}{}{limit}", self.words.get("join.comma"))
            }
            Some(measured) => self.words.fill("text.over", &[("measured", &measured), ("limit", &limit)]),
        };
        let more = match (against.whose, against.stand) {
            (Whose::First, Stand::Reached) => self.word("text.still_reached"),
            (Whose::Told(_), Stand::Short) | (Whose::Other(_), _) => {
                self.held_until(against).unwrap_or_default()
            }
            (Whose::First, Stand::Short | Stand::Unknown)
            | (Whose::Told(_), Stand::Reached | Stand::Unknown) => String::new(),
        };
        Some(if more.is_empty() { limit } else { format!("{limit}{}{more}", self.words.get("join.list")) })
    }

    /// The limit as the headline has it, in few words.
    pub(super) fn short_limit(&self, evidence: &Evidence) -> Option<String> {
        let rule = self.plan().rule(evidence.rule)?;
        let against = Against::of(self.revision, evidence, self.plan())?;
        let measured = self.other_unit(evidence, rule);
        // A rate is held against its limit, not the value that people see: only that it fell short is told.
        if measured.is_some() && !against.fell_short() {
            return None;
        }
        let limit = self.in_words(against, rule, show::limit(against.limit, rule.unit));
        let short = match (rule.side, against.stand, against.whose) {
            (_, Stand::Short, Whose::Told(_) | Whose::First) => limit,
            (Side::Above, ..) => self.words.fill("text.short_above", &[("limit", &limit)]),
            (Side::Below, ..) => self.words.fill("text.short_below", &[("limit", &limit)]),
        };
        let measured = measured.map(|measured| self.words.fill("text.measured", &[("measured", &measured)]));
        let held = self.held_level(against).map(|level| self.words.fill("text.held", &[("level", level)]));
        let parts: Vec<String> = measured.into_iter().chain([short]).chain(held).collect();
        Some(parts.join(self.words.get("join.comma")))
    }

    /// A limit with whose it is, where that does not go without saying.
    fn in_words(&self, against: Against, rule: &Rule, limit: String) -> String {
        match (against.whose, against.stand) {
            (Whose::Told(level), Stand::Short) => {
                let path = match rule.side {
                    Side::Above => "text.below_limit",
                    Side::Below => "text.above_limit",
                };
                self.words.fill(path, &[("level", self.colour(level)), ("limit", &limit)])
            }
            (Whose::First, Stand::Short) => self.words.fill("text.clear_of", &[("limit", &limit)]),
            (Whose::Other(level), Stand::Reached | Stand::Short | Stand::Unknown) => {
                self.words.fill("text.limit_of", &[("level", self.colour(level)), ("limit", &limit)])
            }
            (Whose::Told(_) | Whose::First, Stand::Reached | Stand::Unknown) => limit,
        }
    }

    /// What the rule measured, where that has another unit than the sensor.
    fn other_unit(&self, evidence: &Evidence, rule: &Rule) -> Option<String> {
        let sensor = self.plan().sensor(evidence.sensor)?;
        (sensor.unit != rule.unit).then_some(())?;
        Some(show::amount(evidence.measured?, rule.unit))
    }

    /// The level that stands although the measurement does not support it.
    fn held_level(&self, against: Against) -> Option<&str> {
        let level = self.revision.level;
        let fell_short = match against.whose {
            Whose::Told(_) => against.fell_short(),
            Whose::Other(other) => other < level,
            Whose::First => false,
        };
        // What no rule supports any more waits for no data.
        let is_held = !self.revision.kind.is_last() && self.revision.reason != Reason::Orphaned;
        (fell_short && is_held).then(|| self.colour(level))
    }

    fn held_until(&self, against: Against) -> Option<String> {
        Some(self.words.fill("text.held_until", &[("level", self.held_level(against)?)]))
    }

    fn colour(&self, level: Level) -> &str {
        match level {
            Level::Normal => self.words.get("levels.normal"),
            Level::Blue => self.words.get("levels.blue"),
            Level::Yellow => self.words.get("levels.yellow"),
            Level::Orange => self.words.get("levels.orange"),
            Level::Red => self.words.get("levels.red"),
        }
    }
}

#[cfg(test)]
mod tests;
