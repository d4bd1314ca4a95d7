//! What an operator would have seen: a line for each thing that mattered.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use forewarn_core::engine::Engine;
use forewarn_core::event::{Decision, Input, Output};
use forewarn_core::ids::OutputId;
use forewarn_core::plan::{Plan, Side};
use forewarn_core::reading::{Checked, Flag, Marks};
use forewarn_core::time::Span;
use forewarn_core::warning::{About, Due, Evidence, Incident, Phase, Revision};

use crate::bench::START;

/// Lines of one kind at one instant beyond this many are counted, not listed.
const ALIKE_MAX: usize = 3;

/// The text, and the names of warnings in it.
#[derive(Default)]
pub struct Transcript {
    text: String,
    warnings: Vec<OutputId>,
    troubles: Vec<OutputId>,
    phases: BTreeMap<String, String>,
    /// The reading that what is decided now follows from.
    cause: Option<String>,
    /// How many lines of each sort there are at this time.
    alike: (Span, Vec<(String, usize)>),
}

impl Transcript {
    /// What one event brought.
    pub fn event(&mut self, after: Span, input: &Input, outputs: &[Output], engine: &Engine) {
        let plan = engine.plan();
        self.cause = None;
        for output in outputs {
            match output {
                Output::Flagged(checked) => self.reading(after, checked, plan),
                Output::Decision(decision) => self.decision(after, decision, plan),
            }
        }
        match input {
            Input::Plan(plan) if !outputs.iter().any(is_refusal) => {
                let sensors = plan.body.as_ref().map_or(0, |plan| plan.sensors.iter().flatten().count());
                self.line(after, "plan", &format!("plan in force, {sensors} sensors"));
            }
            Input::Source(source, up) => {
                let word = if *up { "up" } else { "down" };
                self.line(after, "source", &format!("source {} {word}", plan.sources[source.index()]));
            }
            Input::Clock(step) => {
                let word = if step.trusted { "trusted" } else { "not trusted" };
                self.line(after, "clock", &format!("clock stepped, {word}"));
            }
            _ => {}
        }
    }

    /// A remark of the scenario itself.
    pub fn note(&mut self, after: Span, text: &str) {
        self.line(after, "note", &format!("-- {text}"));
    }

    fn reading(&mut self, after: Span, checked: &Checked, plan: &Plan) {
        let reading = &checked.reading;
        let is_plain =
            matches!(checked.flag, Flag::Good | Flag::Unevaluated) && reading.marks == Marks::default();
        let (id, unit) =
            plan.sensor(reading.sensor).map_or(("?", String::new()), |it| (&it.id, it.unit.to_string()));
        let mut text = format!("{id} {:.2} {unit} {}", reading.value, flag(checked.flag));
        for (mark, word) in [
            (Marks::CONFLICT, "conflict"),
            (Marks::DUPLICATE, "duplicate"),
            (Marks::UNJUDGED, "not judged"),
            (Marks::SATURATED, "at the end of its span"),
        ] {
            if reading.marks.has(mark) && !(text.contains("conflict") && mark != Marks::SATURATED) {
                let _ = write!(text, ", {word}");
            }
        }
        // A plain reading is only told with what follows from it.
        self.cause = is_plain.then_some(text.clone());
        if !is_plain {
            self.line(after, "reading", &text);
        }
    }

    fn decision(&mut self, after: Span, decision: &Decision, plan: &Plan) {
        match decision {
            Decision::Incident(incident) => self.incident(after, incident, plan),
            Decision::Revision(revision) => self.revision(after, revision, plan),
            Decision::WouldHave(it) => {
                let id = plan.sensor(it.sensor).map_or("?", |sensor| &sensor.id);
                let text = format!(
                    "  too late: {id} would have warned {} at {} ({:.2} m)",
                    it.level,
                    time(it.observed - START),
                    it.measured
                );
                let _ = self.line(after, "would have", &text);
            }
            Decision::PlanRefused(words) => {
                let _ = self.line(after, "refused", &format!("plan refused: {words}"));
            }
            Decision::Resumed => {
                let _ = self.line(after, "resumed", "resumed");
            }
            Decision::Asked { number, due, .. } => {
                if !due.is_empty() {
                    let text = format!("revision {number} not acknowledged, goes to {}", names(due, plan));
                    let _ = self.line(after, "asked", &text);
                }
            }
            Decision::Acknowledged { number, target, .. } => {
                let who = names(&[Due { target: *target, round: 0 }], plan);
                let _ = self.line(after, "seen", &format!("revision {number} acknowledged by {who}"));
            }
            Decision::Resent { number, due, .. } => {
                let text = format!("revision {number} again to {}", names(&[*due], plan));
                let _ = self.line(after, "resent", &text);
            }
            // Its revision says it; and no transcript has any person in it who orders something.
            Decision::Trouble(_)
            | Decision::Refused(_)
            | Decision::Drafted(_)
            | Decision::Muted(_)
            | Decision::Noted(_)
            | Decision::Lapsed(_)
            | Decision::Canary(_) => {}
        }
    }

    /// Only where it stands otherwise than before.
    fn incident(&mut self, after: Span, incident: &Incident, plan: &Plan) {
        let area = plan.area(incident.cell.area).map_or("?", |area| &area.id);
        let place = format!("{}/{area}", plan.hazard(incident.cell.hazard));
        let mut state = format!("{} {}", phase(incident.phase), incident.level);
        for (is, word) in [
            (incident.stale, ", stale"),
            (incident.intermittent, ", intermittent"),
            (incident.orphaned, ", orphaned"),
        ] {
            state += if is { word } else { "" };
        }
        if self.phases.get(&place) == Some(&state) {
            return;
        }
        self.phases.insert(place.clone(), state.clone());
        self.line(after, &format!("incident {state}"), &format!("  {place} {state}"));
    }

    fn revision(&mut self, after: Span, revision: &Revision, plan: &Plan) {
        let (letter, book) = match revision.about {
            About::Incident(_) | About::NotifyTest | About::Manual(_) | About::Canary(_) => {
                ("W", &mut self.warnings)
            }
            About::Trouble(_) => ("T", &mut self.troubles),
        };
        let at = book.iter().position(|known| *known == revision.warning).unwrap_or_else(|| {
            book.push(revision.warning);
            book.len() - 1
        });
        let (kind, reason) = (revision.kind.word(), format!("{:?}", revision.reason).to_lowercase());
        let about = match &revision.about {
            About::Incident(cell) => {
                let area = plan.area(cell.area).map_or("?", |area| &area.id);
                let (level, certainty) = (revision.level, revision.certainty.to_string().to_lowercase());
                let stale = if revision.stale { ", treat as dangerous" } else { "" };
                format!("{level} {}/{area} ({reason}, {certainty}{stale})", plan.hazard(cell.hazard))
            }
            About::Trouble(key) => format!("{}: {}", key.code.word(), revision.detail),
            About::NotifyTest => "test of notification".into(),
            About::Canary(_) => "canary".into(),
            About::Manual(_) => format!("{} by hand ({reason})", revision.level),
        };
        let due = names(&revision.due, plan);
        let text = format!("  {letter}{}.{} {kind} {about} -> {due}", at + 1, revision.number);
        let sort = format!("{letter} {kind} {} {reason}", revision.level);
        let listed = self.line(after, &sort, &text);
        for evidence in revision.evidence.iter().take(if listed { 3 } else { 0 }) {
            let _ = writeln!(self.text, "{:8}      {}", "", shown(evidence, plan));
        }
        if listed && revision.evidence.len() > 3 {
            let _ = writeln!(self.text, "{:8}      ... {} sensors in all", "", revision.sensors);
        }
    }

    /// One line; beyond a few of its sort at one time they are counted. Whether it was listed.
    fn line(&mut self, after: Span, sort: &str, text: &str) -> bool {
        if self.alike.0 != after {
            self.flush();
            self.alike.0 = after;
        }
        if let Some(cause) = self.cause.take() {
            self.line(after, "reading", &cause);
        }
        let known = self.alike.1.iter().position(|(known, _)| known == sort);
        let at = known.unwrap_or_else(|| {
            self.alike.1.push((sort.to_owned(), 0));
            self.alike.1.len() - 1
        });
        self.alike.1[at].1 += 1;
        let listed = self.alike.1[at].1 <= ALIKE_MAX;
        if listed {
            let _ = writeln!(self.text, "{}  {text}", time(after));
        }
        listed
    }

    fn flush(&mut self) {
        for (sort, count) in std::mem::take(&mut self.alike.1) {
            if count > ALIKE_MAX {
                let _ = writeln!(self.text, "{:8}  ... {} more of: {sort}", "", count - ALIKE_MAX);
            }
        }
    }

    /// Compares with `tests/golden/NAME.txt`; `UPDATE_GOLDEN=1` rewrites it.
    pub fn check(&mut self, name: &str, title: &str) {
        self.flush();
        let text = format!("{title}\n\n{}", self.text);
        let path: PathBuf =
            [env!("CARGO_MANIFEST_DIR"), "tests", "golden", &format!("{name}.txt")].iter().collect();
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(&path, &text).expect("the golden transcript can be written");
        }
        let golden = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(text == golden, "{name}: another transcript (UPDATE_GOLDEN=1 rewrites it):\n{text}");
    }
}

fn is_refusal(output: &Output) -> bool {
    matches!(output, Output::Decision(decision) if matches!(**decision, Decision::PlanRefused(_)))
}

fn shown(evidence: &Evidence, plan: &Plan) -> String {
    let id = plan.sensor(evidence.sensor).map_or("?", |sensor| &sensor.id);
    let sign = plan.rule(evidence.rule).map_or("?", |rule| match rule.side {
        Side::Above => ">=",
        Side::Below => "<=",
    });
    let mut text = id.to_string();
    if let Some(measured) = evidence.measured {
        let _ = write!(text, " {measured:.2}");
    }
    if let Some(limit) = evidence.limit {
        let holds = evidence.level != forewarn_core::level::Level::Normal;
        let _ = write!(text, " {} {limit:.2} m", if holds { sign } else { "against" });
    }
    let _ = write!(text, ", {}", evidence.level);
    if let Some(trend) = evidence.trend {
        let _ = write!(text, ", {trend:+.2} m/h");
    }
    if evidence.unknown {
        text += ", lost";
    }
    if evidence.saturated {
        text += ", or beyond";
    }
    text
}

fn names(due: &[Due], plan: &Plan) -> String {
    let name = |due: &Due| plan.target(due.target).map_or_else(|| "?".to_owned(), |it| it.contact.clone());
    let names: Vec<String> = due.iter().map(name).collect();
    if names.is_empty() { "nobody".into() } else { names.join(", ") }
}

const fn flag(flag: Flag) -> &'static str {
    match flag {
        Flag::Good => "good",
        Flag::Unevaluated => "unchecked",
        Flag::Suspect => "suspect",
        Flag::Fail => "failed",
        Flag::Missing => "missing",
    }
}

const fn phase(phase: Phase) -> &'static str {
    match phase {
        Phase::Watching => "watching",
        Phase::Pending => "pending",
        Phase::Active => "active",
        Phase::Easing => "easing",
        Phase::Closed => "closed",
    }
}

/// Since the start: hours, minutes, seconds.
fn time(after: Span) -> String {
    let secs = after.0 / 1_000_000;
    format!("{:02}:{:02}:{:02}", secs / 3600, secs / 60 % 60, secs % 60)
}
