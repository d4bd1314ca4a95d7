//! How a sensor's state, its rules and its readings are put in words.

use forewarn_core::finding::{Verdict, Why};
use forewarn_core::level::Level;
use forewarn_core::plan::{Plan, Sensor, Terms};
use forewarn_core::reading::{Flag, Marks};
use forewarn_core::sensing::{Aside, Gathering, RuleState};
use forewarn_core::time::{Moment, Span};
use forewarn_core::units::Unit;
use serde_json::{Value, json};

use super::{Arrival, Seen, Shown};
use crate::channels::show;
use crate::cli::table::Cell;

/// Overdue by this part of an interval, in hundredths, it counts as late: jitter is none.
const LATE_PERCENT: i64 = 150;

/// Whether it is heard from as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Reporting,
    /// Heard from, and nothing that it said counts.
    Unheeded,
    Late,
    Silent,
    /// Every source it was heard through is down.
    CutOff,
    /// Somebody works on it.
    Maintenance,
    /// Not heard from since the service started.
    Awaited,
    /// No reading of it ever counted.
    Never,
}

fn state_of(shown: &Shown<'_>, seen: &Seen<'_>) -> State {
    let Some(last) = seen.state.last_seen() else { return State::Never };
    match seen.state.blind() {
        Some(Why::Silent(_)) => State::Silent,
        Some(Why::SourceDown) => State::CutOff,
        Some(Why::Warming) => State::Awaited,
        Some(Why::Maintenance) => State::Maintenance,
        Some(Why::BadData | Why::TooFew | Why::Suspect | Why::Removed | Why::Old) | None => {
            if seen.arrivals.newest().is_none() {
                return State::Unheeded;
            }
            let patience = Span(seen.sensor.interval.0.saturating_mul(LATE_PERCENT) / 100);
            if shown.now - last > patience { State::Late } else { State::Reporting }
        }
    }
}

/// The state in a word.
pub(super) fn state(shown: &Shown<'_>, seen: &Seen<'_>) -> &'static str {
    match state_of(shown, seen) {
        State::Reporting => "reporting",
        State::Unheeded => "nothing counts",
        State::Late => "late",
        State::Silent => "silent",
        State::CutOff => "cut off",
        State::Maintenance => "in maintenance",
        State::Awaited => "awaited",
        State::Never => "never",
    }
}

/// The state in a line.
pub(super) fn state_in_full(shown: &Shown<'_>, seen: &Seen<'_>) -> String {
    let moment = shown.engine.moment();
    let heard = seen
        .state
        .last_seen()
        .map(|last| format!(", last heard {}", shown.names.instant(last + moment.offset)))
        .unwrap_or_default();
    let silent = || format!("silent{heard}: unknown, never safe");
    match state_of(shown, seen) {
        State::Reporting => format!("reporting{heard}"),
        State::Unheeded => format!("nothing counts that it says{heard}: unknown, never safe"),
        State::Late => format!("late{heard}"),
        State::Silent => silent(),
        State::Maintenance => format!("in maintenance{heard}: unknown, never safe"),
        State::CutOff => format!("cut off{heard}: every source it was heard through is down"),
        State::Awaited => format!("awaited{heard}: not heard from since the service started"),
        State::Never if seen.state.silent_since().is_some() => {
            "never heard from, and counted as silent".to_owned()
        }
        State::Never => "never heard from with a reading that counts".to_owned(),
    }
}

/// The highest level that a rule says it is at now; normal only where every rule says so.
pub(super) fn level(seen: &Seen<'_>, moment: Moment) -> Cell {
    let verdicts: Vec<Verdict> =
        seen.state.rules(moment).filter_map(|rule| rule.said.map(|said| said.tip)).collect();
    match (verdicts.iter().map(|verdict| verdict.level()).max(), on_its_way(seen, moment)) {
        (None, _) => "no rule".into(),
        // What a reading reached that others must still bear out is not normal.
        (Some(Level::Normal), Some(level)) => format!("{level}?").into(),
        (Some(Level::Normal), None) if verdicts.iter().any(|verdict| verdict.is_unknown()) => {
            "unknown".into()
        }
        (Some(level), _) => Cell::Level(level),
    }
}

/// The highest level that is on its way, by time or by further readings.
fn on_its_way(seen: &Seen<'_>, moment: Moment) -> Option<Level> {
    let pending = |rule: &RuleState| rule.said.and_then(|said| said.pending).map(|it| it.level);
    let levels =
        seen.state.rules(moment).flat_map(|rule| [pending(&rule), rule.gathering.map(|it| it.level)]);
    levels.flatten().max()
}

/// What people call its station.
pub(super) fn name<'a>(shown: &'a Shown<'_>, seen: &Seen<'_>) -> &'a str {
    let station = shown.names.0.station(seen.sensor.station);
    station.map_or("", |station| show::name(&station.names, "en"))
}

/// A reading's value with its unit.
pub(super) fn value(it: &Arrival, sensor: &Sensor) -> String {
    show::amount(it.checked.reading.value, sensor.unit)
}

/// How often it should be heard, and how old a reading may be.
pub(super) fn expected(sensor: &Sensor) -> String {
    let Terms { interval, outage_intervals, lateness, max_age, span, flat, .. } = &*sensor.terms;
    let span = span.map_or(String::new(), |(low, high)| {
        format!(", {} to {}", show::amount(low, sensor.unit), show::amount(high, sensor.unit))
    });
    let flat = flat.map_or(String::new(), |flat| format!(", the same for less than {}", flat.suspect));
    format!(
        "every {interval}, silent after {outage_intervals}, up to {lateness} late, no more than {max_age} old{span}{flat}"
    )
}

/// What a rule said last.
pub(super) fn says(rule: &RuleState) -> String {
    match rule.said.map(|said| said.tip) {
        None => "nothing yet".to_owned(),
        Some(Verdict::Clear) if rule.gathering.is_some() => "no level yet".to_owned(),
        Some(Verdict::Clear) => "clear of every limit".to_owned(),
        Some(Verdict::Breach(level)) => level.to_string(),
        Some(Verdict::Unknown(why)) => format!("unknown: {}", why_word(why)),
    }
}

fn why_word(why: Why) -> &'static str {
    match why {
        Why::Warming => "no reading since the start",
        Why::Silent(_) => "silent",
        Why::SourceDown => "its source is down",
        Why::BadData => "the newest readings failed their checks",
        Why::TooFew => "too few readings yet",
        Why::Suspect => "a suspect value that nothing corroborates",
        Why::Removed => "no longer configured",
        Why::Old => "the newest reading is too old",
        Why::Maintenance => "in maintenance",
    }
}

/// A level that a rule will reach unless something contradicts it, or once further readings agree.
pub(super) fn pending(rule: &RuleState) -> String {
    match (rule.said.and_then(|said| said.pending), rule.gathering) {
        (Some(pending), _) => pending.level.to_string(),
        (None, Some(Gathering { level, reached, m, n })) => {
            format!("{level}: {reached} of the last {n} reach it, it takes {m}")
        }
        (None, None) => String::new(),
    }
}

/// Limits in force, from blue to red.
pub(super) fn limits(limits: &[Option<f64>; 4], unit: Option<Unit>) -> String {
    let of = |(level, limit): (Level, &Option<f64>)| {
        let limit = (*limit)?;
        Some(match unit {
            Some(unit) => format!("{level} {}", show::limit(limit, unit)),
            None => format!("{level} {limit}"),
        })
    };
    let words: Vec<String> = Level::WARNING.into_iter().zip(limits).filter_map(of).collect();
    if words.is_empty() { "none in force".to_owned() } else { words.join(", ") }
}

/// The last reading that does not count, for a list.
pub(super) fn set_aside(shown: &Shown<'_>, seen: &Seen<'_>) -> String {
    let Some((it, aside)) = seen.arrivals.set_aside().and_then(|it| Some((it, it.aside?))) else {
        return String::new();
    };
    format!(
        "{} observed {}: {}",
        value(it, seen.sensor),
        shown.names.time(it.checked.reading.observed),
        why_aside(aside, seen.sensor, &shown.names.0)
    )
}

/// Whether a reading counts, and if not, why.
pub(super) fn counts(shown: &Shown<'_>, it: &Arrival, sensor: &Sensor) -> String {
    let saturated = it.checked.reading.marks.has(Marks::SATURATED);
    match (it.aside, it.checked.flag) {
        (Some(aside), _) => format!("no: {}", why_aside(aside, sensor, &shown.names.0)),
        (None, Flag::Suspect) if saturated => {
            "suspect: at the end of its span, the truth is there or beyond".to_owned()
        }
        (None, Flag::Suspect) => "suspect: only with another that says so too".to_owned(),
        (None, Flag::Good | Flag::Unevaluated | Flag::Fail | Flag::Missing) => "yes".to_owned(),
    }
}

/// Why a reading does not count, with what it was held against.
pub(crate) fn why_aside(aside: Aside, sensor: &Sensor, plan: &Plan) -> String {
    match aside {
        Aside::NotInPlan => "its sensor is not in the plan".to_owned(),
        Aside::Simulated => "simulated, and the service is live".to_owned(),
        Aside::Duplicate => "known already".to_owned(),
        Aside::Conflict => "another value for an instant that is known: the first stays".to_owned(),
        Aside::Retained => "kept by the broker: history, which raises nothing".to_owned(),
        Aside::Future => {
            format!("from the future, by more than {}", plan.settings.future_tolerance)
        }
        Aside::Old => format!("too old to warn: more than {} (max_age)", sensor.max_age),
        Aside::OutOfOrder => format!("out of order by more than {} (lateness)", sensor.lateness),
        Aside::Historical => "from the device's memory: history, which raises nothing".to_owned(),
        Aside::FlagFail => {
            let span = sensor.span.map(|(low, high)| {
                format!(
                    "{} to {} is its span",
                    show::amount(low, sensor.unit),
                    show::amount(high, sensor.unit)
                )
            });
            let fail = sensor.flat.and_then(|flat| flat.fail);
            let flat = fail.map(|fail| format!("{fail} is as long as it may say the same"));
            let terms: Vec<String> = [span, flat].into_iter().flatten().collect();
            let colon = if terms.is_empty() { "" } else { ": " };
            format!("not credible (flag 4){colon}{}", terms.join(", "))
        }
    }
}

/// All of a sensor for machines.
pub(super) fn json(shown: &Shown<'_>, seen: &Seen<'_>) -> Value {
    let moment = shown.engine.moment();
    let level = match level(seen, moment) {
        Cell::Level(level) => Some(level.word()),
        Cell::Text(_) => None,
    };
    let reading = |it: &Arrival| reading_json(shown, seen.sensor, it);
    let rules = seen.state.rules(moment).map(|rule| {
        let unit = shown.names.0.rule(rule.rule).map(|rule| show::symbol(rule.unit));
        json!({
            "rule": shown.names.rule(rule.rule),
            "says": says(&rule),
            "level": rule.said.map(|said| said.tip.level().word()),
            "gathering": rule.gathering.map(|it| json!({
                "level": it.level.word(), "reached": it.reached, "m": it.m, "n": it.n,
            })),
            "pending": rule.said.and_then(|said| said.pending).map(|pending| pending.level.word()),
            "limits": rule.limits,
            "unit": unit,
        })
    });
    json!({
        "sensor": seen.sensor.id,
        "index": seen.ix.0,
        "name": name(shown, seen),
        "state": state(shown, seen),
        "level": level,
        "unit": show::symbol(seen.sensor.unit),
        "flat_since": seen.state.flat_since().map(|since| shown.names.time_json(since)),
        "last_heard": seen.state.last_seen().map(|last| shown.names.time_json(last + moment.offset)),
        "newest": seen.arrivals.newest().map(reading),
        "not_judged": seen.arrivals.set_aside().map(reading),
        "rules": rules.collect::<Vec<_>>(),
        "readings": seen.arrivals.last().map(reading).collect::<Vec<_>>(),
    })
}

fn reading_json(shown: &Shown<'_>, sensor: &Sensor, it: &Arrival) -> Value {
    let reading = &it.checked.reading;
    json!({
        "position": it.position.0,
        "received": shown.names.time_json(it.received),
        "observed": shown.names.time_json(reading.observed),
        "value": reading.value,
        "flag": it.checked.flag.number(),
        "saturated": reading.marks.has(Marks::SATURATED),
        "counts": it.aside.is_none(),
        "reason": it.aside.map(Aside::word),
        "why": it.aside.map(|aside| why_aside(aside, sensor, &shown.names.0)),
    })
}
