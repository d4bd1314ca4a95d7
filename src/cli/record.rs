//! One record of the log in words: what happened, and what was decided on it.

mod orders;

use forewarn_core::event::{Command, Decision, Input, TroubleReport};
use forewarn_core::ids::{IndexKind, OutputId};
use forewarn_core::reading::{Checked, Marks, Reading};
use forewarn_core::sensing::Aside;
use forewarn_core::time::Moment;
use forewarn_core::warning::{Ask, Due, Outcome};
use serde_json::{Value, json};

use super::Surroundings;
use super::beside::{Beside, Names, trouble_word};
use super::sensors::words::why_aside;
use crate::channels::show;
use crate::config::predict::bytes;
use crate::config::targets::hex;
use crate::log::{Record, load_plan};
use crate::state::phase_word;

pub(super) use self::orders::proposed;

/// What things were called when the record was written; today's names where
/// that plan is no longer kept.
pub(super) fn names_of(beside: &Beside, record: &Record) -> Names {
    let then = load_plan(&beside.data, record.plan).ok();
    // The first records of a log come before its first plan.
    let then = then.filter(|plan| !plan.sensors.is_empty());
    Names(then.unwrap_or_else(|| beside.names.0.clone()))
}

/// Prints it.
pub(super) fn print(names: &Names, record: &Record, around: &mut Surroundings<'_>) -> anyhow::Result<()> {
    let out = &mut *around.out;
    let positions = match (record.first, record.last()) {
        (first, last) if first == last => format!("position {}", first.0),
        (first, last) => format!("positions {} to {}", first.0, last.0),
    };
    writeln!(out, "{positions}, {}", names.instant(record.at + record.offset))?;
    writeln!(out, "  run        {:016x}, engine version {}", record.run.0, record.engine)?;
    writeln!(out, "  plan       {}", &hex(&record.plan.0)[..16])?;
    writeln!(out, "\nwhat happened")?;
    for (position, input) in inputs(names, record) {
        writeln!(out, "  {position}  {input}")?;
    }
    if !record.refused.is_empty() {
        writeln!(out, "\nnot understood")?;
        for refused in &record.refused {
            let size = bytes(refused.bytes.len() as u64);
            writeln!(out, "  {}  {size}: {}", show::clean(&refused.topic), show::clean(&refused.reason))?;
        }
    }
    writeln!(out, "\nwhat was decided")?;
    if record.decisions.is_empty() {
        writeln!(out, "  nothing")?;
    }
    for (index, decision) in &record.decisions {
        writeln!(out, "  {}  {}", record.first.0 + u64::from(*index), decided(names, decision))?;
    }
    Ok(())
}

/// The same for machines.
pub(super) fn json(names: &Names, record: &Record) -> Value {
    let inputs = inputs(names, record).map(|(position, what)| json!({ "position": position, "what": what }));
    let decisions = record.decisions.iter().map(|(index, decision)| {
        json!({
            "position": record.first.0 + u64::from(*index),
            "what": decided(names, decision),
            "revision": match decision {
                Decision::Revision(revision) => Some(super::warnings::revision_json(names, revision)),
                Decision::Incident(_)
                | Decision::WouldHave(_)
                | Decision::Trouble(_)
                | Decision::PlanRefused(_)
                | Decision::Resumed
                | Decision::Resent { .. }
                | Decision::Asked { .. }
                | Decision::Acknowledged { .. }
                | Decision::Refused(_)
                | Decision::Drafted(_)
                | Decision::Muted(_)
                | Decision::Noted(_)
                | Decision::Lapsed(_)
                | Decision::Canary(_) => None,
            },
        })
    });
    json!({
        "first": record.first.0,
        "last": record.last().0,
        "at": names.time_json(record.at + record.offset),
        "run": format!("{:016x}", record.run.0),
        "engine": record.engine,
        "plan": hex(&record.plan.0),
        "inputs": inputs.collect::<Vec<_>>(),
        "refused": record.refused.iter().map(|it| json!({
            "topic": it.topic, "reason": it.reason, "bytes": it.bytes.len(),
        })).collect::<Vec<_>>(),
        "decisions": decisions.collect::<Vec<_>>(),
    })
}

/// Each input with its position; a reading with how it was judged.
fn inputs<'a>(names: &'a Names, record: &'a Record) -> impl Iterator<Item = (u64, String)> + 'a {
    let mut flagged = record.flagged.iter();
    // What the record does not say: whether the clock was trusted. It mostly is.
    let moment = Moment { at: record.at, offset: record.offset, trusted: true };
    (record.first.0..).zip(&record.inputs).map(move |(position, input)| {
        let judged = if matches!(input, Input::Reading(_)) { flagged.next() } else { None };
        (position, happened(names, input, judged, moment))
    })
}

fn happened(names: &Names, input: &Input, judged: Option<&Checked>, moment: Moment) -> String {
    match input {
        Input::Reading(reading) => read(names, reading, judged, moment),
        Input::Tick => "time passed, and something fell due".to_owned(),
        Input::Started(started) => {
            let downtime =
                started.downtime.map_or("down for an unknown time, or never up before".to_owned(), |down| {
                    format!("down for {down}")
                });
            let clock = if started.trusted { "clock trusted" } else { "clock not trusted" };
            format!("the service started: {downtime}, {clock}")
        }
        Input::Plan(plan) => {
            let orphan = if plan.orphan { ", incidents may be orphaned" } else { "" };
            format!("plan {} came{orphan}", &hex(&plan.id.0)[..16])
        }
        Input::Clock(step) => {
            let clock = if step.trusted { "trusted" } else { "not trusted" };
            format!("the wall clock was stepped: {} from engine time, {clock}", step.offset)
        }
        Input::Source(source, up) => {
            let name = names.0.sources.get(source.index()).map_or("?", String::as_str);
            format!("source {name} {}", if *up { "came up" } else { "went down" })
        }
        Input::Outcome(it) => {
            let what = match it.outcome {
                Outcome::Accepted => "was accepted".to_owned(),
                Outcome::Superseded => "was overtaken by a later one".to_owned(),
                Outcome::Dead(death) => format!("was given up: {}", death.word()),
            };
            let warning = &it.warning.digest().to_string()[..8];
            format!("delivery of {warning} revision {} to {} {what}", it.number, names.target(it.target))
        }
        Input::Command(command, by) => format!("{by}: {}", asked(names, command)),
        Input::Trouble(report) => format!("the service reports {}", trouble(report)),
        Input::Assign(it) => {
            format!("the {} {} got index {}", kind_word(it.kind), show::clean(&it.name), it.index)
        }
        Input::Bundled(it) if it.is_digest() => format!(
            "digest {} of {} deliveries goes to {}",
            &it.key.to_string()[..8],
            it.members.len(),
            names.target(it.target)
        ),
        Input::Bundled(it) => {
            format!("delivery {} goes to {} by itself", &it.key.to_string()[..8], names.target(it.target))
        }
        Input::Intake(true) => "there is room on the disk again: readings are taken".to_owned(),
        Input::Intake(false) => "no room on the disk: readings are not taken".to_owned(),
        Input::Canary(every) => format!("the canary set out, the next in {every}"),
    }
}

fn kind_word(kind: IndexKind) -> &'static str {
    match kind {
        IndexKind::Station => "station",
        IndexKind::Sensor => "sensor",
        IndexKind::Rule => "rule",
        IndexKind::Area => "area",
        IndexKind::Hazard => "hazard",
        IndexKind::Target => "target",
        IndexKind::Domain => "domain",
        IndexKind::Source => "source",
    }
}

fn read(names: &Names, reading: &Reading, judged: Option<&Checked>, moment: Moment) -> String {
    let value = match names.0.sensor(reading.sensor) {
        Some(sensor) => show::amount(reading.value, sensor.unit),
        None => reading.value.to_string(),
    };
    let flag = judged.map_or(String::new(), |it| format!(", flag {}", it.flag.number()));
    let marks = marks(judged.map_or(reading.marks, |it| it.reading.marks));
    let aside = judged.and_then(|it| Aside::of(it, &names.0, moment));
    let aside = aside.zip(names.0.sensor(reading.sensor)).map_or(String::new(), |(aside, sensor)| {
        format!(", does not count: {}", why_aside(aside, sensor, &names.0))
    });
    format!(
        "{} {value}, observed {}{flag}{marks}{aside}",
        names.sensor(reading.sensor),
        names.instant(reading.observed)
    )
}

/// What is known of a reading besides; whether it counts is told by itself.
fn marks(marks: Marks) -> String {
    let parts = [
        (Marks::RETAINED, "retained"),
        (Marks::HISTORICAL, "historical"),
        (Marks::SIMULATED, "simulated"),
        (Marks::NO_DEVICE_TIME, "no device time"),
        (Marks::SATURATED, "saturated"),
        (Marks::REPEATED, "sent again"),
    ];
    parts.into_iter().filter(|(mark, _)| marks.has(*mark)).flat_map(|(_, word)| [", ", word]).collect()
}

fn asked(names: &Names, command: &Command) -> String {
    match command {
        Command::NotifyTest(targets, note) => {
            let targets: Vec<String> = targets.iter().map(|target| names.target(*target)).collect();
            format!(
                "a person asked for a test of notification to {}: {}",
                targets.join(", "),
                show::clean(note)
            )
        }
        Command::AllClear(cell, why) => {
            format!("a person ended {}: {}", names.cell(*cell), show::clean(why))
        }
        Command::Cancel(cell, why) => {
            format!("a person says {} was issued in error: {}", names.cell(*cell), show::clean(why))
        }
        Command::Resend(warning, target) => {
            let warning = &warning.digest().to_string()[..8];
            format!("a person asked to send {warning} to {} again", names.target(*target))
        }
        Command::Acknowledge(warning, number, target) => {
            let warning = &warning.digest().to_string()[..8];
            format!("{} acknowledges {warning}, having seen revision {number}", names.target(*target))
        }
        Command::Correct(..)
        | Command::Propose(_)
        | Command::Approve(..)
        | Command::Withdraw(..)
        | Command::Unmute(_)
        | Command::Note(..)
        | Command::End(..) => orders::asked(names, command),
        Command::Resume => "a person let the restored directory act again".to_owned(),
    }
}

fn trouble(report: &TroubleReport) -> String {
    let over = if report.present { "" } else { " is over" };
    let detail = match show::clean(&report.detail) {
        none if none.is_empty() => none,
        some => format!(" ({some})"),
    };
    format!("trouble {}{over}{detail}", trouble_word(&report.key))
}

fn decided(names: &Names, decision: &Decision) -> String {
    match decision {
        Decision::Incident(it) => {
            let stale = if it.stale { ", blind" } else { "" };
            format!("incident {} is {} at {}{stale}", names.cell(it.cell), phase_word(it.phase), it.level)
        }
        Decision::Revision(it) => {
            let targets: Vec<String> = it.due.iter().map(|due| names.target(due.target)).collect();
            let to = if targets.is_empty() { "nobody".to_owned() } else { targets.join(", ") };
            format!(
                "warning {} about {}: {} {}, {}, {}, to {to}",
                &it.warning.digest().to_string()[..8],
                names.about(&it.about),
                it.kind.word(),
                it.number,
                it.level,
                it.reason.word(),
            )
        }
        Decision::WouldHave(it) => {
            let measured = match names.0.rule(it.rule) {
                Some(rule) => show::amount(it.measured, rule.unit),
                None => it.measured.to_string(),
            };
            let (rule, sensor, at) = (names.rule(it.rule), names.sensor(it.sensor), names.time(it.observed));
            format!("too late to warn: {rule} would have said {} at {at}, {sensor} {measured}", it.level)
        }
        Decision::Trouble(report) => trouble(report),
        Decision::PlanRefused(why) => format!("the plan was refused: {}", show::clean(why)),
        Decision::Resumed => "the restored directory acts again".to_owned(),
        Decision::Resent { warning, number, due } => format!(
            "warning {} revision {number} goes to {} again, round {}",
            &warning.digest().to_string()[..8],
            names.target(due.target),
            due.round + 1,
        ),
        Decision::Asked { warning, asks, due, .. } => asks_now(names, *warning, asks, due),
        Decision::Refused(why) => format!("that is refused: {}", why.word()),
        Decision::Drafted(it) => orders::draft(names, it),
        Decision::Muted(it) => orders::mute(names, it),
        Decision::Noted(it) => format!("{} notes: {}", show::clean(&it.by), show::clean(&it.text)),
        Decision::Lapsed(warning) => {
            format!("warning {} comes to its stated end", &warning.digest().to_string()[..8])
        }
        Decision::Canary(it) => format!("the canary came by, round {}: a heartbeat goes out", it.number),
        Decision::Acknowledged { warning, number, target, reach: _ } => format!(
            "warning {} revision {number} is acknowledged by {}",
            &warning.digest().to_string()[..8],
            names.target(*target),
        ),
    }
}

fn asks_now(names: &Names, warning: OutputId, asks: &[Ask], due: &[Due]) -> String {
    let warning = &warning.digest().to_string()[..8];
    let open = asks.iter().filter(|ask| !ask.acknowledged).count();
    let told: Vec<String> = due.iter().map(|due| names.target(due.target)).collect();
    match (told.is_empty(), open) {
        (false, _) => format!("warning {warning} is not acknowledged: it goes to {}", told.join(", ")),
        (true, 0) if asks.is_empty() => format!("warning {warning} asks nobody to acknowledge any more"),
        (true, 0) => format!("warning {warning} is acknowledged by all who were asked"),
        (true, open) => format!("warning {warning} is to be acknowledged, by one of each of {open} groups"),
    }
}
