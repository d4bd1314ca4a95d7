//! `forewarn sensors`: what each sensor said last, how it stands, and why a
//! reading of it does not count.
//!
//! Nobody but the engine judges: it is rebuilt from snapshot and log, as a
//! start would, beside the running service or without one. Readings and when
//! they came are read from the log, and before that from the embedded store.

mod arrivals;
pub(super) mod words;

use std::io;

use forewarn_core::engine::Engine;
use forewarn_core::ids::SensorIx;
use forewarn_core::plan::{Plan, Sensor};
use forewarn_core::sensing::{RuleState, SensorState};
use forewarn_core::time::Timestamp;

use self::arrivals::{Arrival, Arrivals};
use super::args::SensorsArgs;
use super::beside::{Beside, Names, command, is_running, json as print_json, mark, nothing, told};
use super::show::count;
use super::table::{Cell, table};
use super::{Exit, Surroundings};
use crate::app::recovery;
use crate::channels::show;
use crate::state::QuarantineRow;

/// Readings of a sensor that are shown, the newest to come.
const READINGS_SHOWN: usize = 10;

/// What was not understood is looked through for a station's name so far back.
const QUARANTINE_LOOKED_AT: usize = 1_000;

/// Lists sensors, or shows the one that fits.
pub(super) fn sensors(args: &SensorsArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    told(look(args, around), around)
}

/// What is shown of one sensor.
struct Seen<'a> {
    ix: SensorIx,
    sensor: &'a Sensor,
    state: SensorState<'a>,
    arrivals: &'a Arrivals,
}

/// How the rest is to be read.
struct Shown<'a> {
    names: &'a Names,
    engine: &'a Engine,
    /// Engine time to hold the last sight of a sensor against: now, or when the service stopped.
    now: Timestamp,
}

fn look(args: &SensorsArgs, around: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
    let beside = Beside::open(&args.places)?;
    let runs = is_running(&beside.data);
    let engine = recovery(&beside.data).rebuild()?;
    let plan = engine.plan().clone();
    let fitting = fitting(&plan, args.which.as_deref());
    let picked: Vec<SensorIx> = fitting.iter().copied().take(args.listing.limit).collect();
    if picked.is_empty() {
        if args.listing.json {
            print_json(&serde_json::Value::Array(vec![]), around)?;
        }
        let what = match &args.which {
            Some(which) => format!(
                "no sensor fits {which:?}, expected an id such as `{}` lists",
                command(&args.places, "sensors")
            ),
            None => "the plan has no sensor".to_owned(),
        };
        return nothing(&what, around);
    }
    let arrivals = arrivals::gather(&beside.data, &plan, &picked, READINGS_SHOWN)?;
    let moment = engine.moment();
    let now = if runs { moment.engine(around.now).max(moment.at) } else { moment.at };
    let shown = Shown { names: &Names((*plan).clone()), engine: &engine, now };
    let seen: Vec<Seen<'_>> = picked
        .iter()
        .filter_map(|&ix| {
            let (sensor, state) = (plan.sensor(ix)?, engine.sensor(ix)?);
            Some(Seen { ix, sensor, state, arrivals: arrivals.get(&ix)? })
        })
        .collect();
    if args.listing.json {
        let rows = seen.iter().map(|seen| words::json(&shown, seen)).collect();
        print_json(&serde_json::Value::Array(rows), around)?;
    } else {
        mark(&beside, around)?;
        match seen.as_slice() {
            [one] if args.which.is_some() => detail(args, &shown, one, &beside, around)?,
            several => list(args, &shown, several, &beside, around)?,
        }
    }
    let more = fitting.len() - picked.len();
    if more > 0 {
        writeln!(around.err, "and {}: see --limit, or give a part of its id", count(more, "further sensor"))?;
    }
    if !runs {
        let at = shown.names.instant(moment.civil());
        writeln!(around.err, "the service does not run on {}: as of {at}", beside.data.display())?;
    }
    Ok(Exit::Done)
}

/// The sensors that are meant, in order of index; one whose id it is stands for itself alone.
fn fitting(plan: &Plan, which: Option<&str>) -> Vec<SensorIx> {
    let all = || (0..).map(SensorIx).zip(&plan.sensors).filter_map(|(ix, it)| Some((ix, it.as_ref()?)));
    let Some(which) = which else { return all().map(|(ix, _)| ix).collect() };
    if let Some((exact, _)) = all().find(|(_, sensor)| *sensor.id == *which) {
        return vec![exact];
    }
    let of_station: Vec<SensorIx> =
        all().filter(|(_, sensor)| station_of(sensor) == which).map(|(ix, _)| ix).collect();
    if !of_station.is_empty() {
        return of_station;
    }
    all().filter(|(_, sensor)| fits(&sensor.id, which)).map(|(ix, _)| ix).collect()
}

fn station_of(sensor: &Sensor) -> &str {
    sensor.id.split_once('/').map_or(&*sensor.id, |(station, _)| station)
}

/// Whether an id has all parts of a pattern in their order; without `*` it may
/// stand anywhere in it.
fn fits(id: &str, pattern: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else { return id.contains(pattern) };
    let Some(mut left) = id.strip_prefix(first) else { return false };
    let mut parts: Vec<&str> = rest.split('*').collect();
    let last = parts.pop().unwrap_or_default();
    for part in parts {
        let Some(at) = left.find(part) else { return false };
        left = &left[at + part.len()..];
    }
    left.ends_with(last)
}

fn list(
    args: &SensorsArgs,
    shown: &Shown<'_>,
    seen: &[Seen<'_>],
    beside: &Beside,
    around: &mut Surroundings<'_>,
) -> anyhow::Result<()> {
    let rows: Vec<[Cell; 8]> = seen
        .iter()
        .map(|it| {
            let newest = it.arrivals.newest();
            [
                (&*it.sensor.id).into(),
                words::state(shown, it).into(),
                words::level(it, shown.engine.moment()),
                newest.map_or(String::new(), |newest| words::value(newest, it.sensor)).into(),
                newest.map_or(String::new(), |it| shown.names.time(it.checked.reading.observed)).into(),
                newest.map_or(String::new(), |it| shown.names.time(it.received)).into(),
                show::clean(words::name(shown, it)).into(),
                words::set_aside(shown, it).into(),
            ]
        })
        .collect();
    let head = ["SENSOR", "STATE", "LEVEL", "NEWEST", "OBSERVED", "CAME", "NAME", "NOT JUDGED"];
    table(around.out, around.paint, head, &rows)?;
    if let Some(newest) = beside.state()?.quarantine(1)?.first() {
        writeln!(
            around.err,
            "not everything that came was understood, newest {}: `{}`",
            shown.names.time(newest.received),
            command(&args.places, "quarantine list")
        )?;
    }
    Ok(())
}

fn detail(
    args: &SensorsArgs,
    shown: &Shown<'_>,
    seen: &Seen<'_>,
    beside: &Beside,
    around: &mut Surroundings<'_>,
) -> anyhow::Result<()> {
    let (names, sensor) = (shown.names, seen.sensor);
    let level = words::level(seen, shown.engine.moment()).painted(around.paint);
    let out = &mut *around.out;
    writeln!(out, "{}  {}", sensor.id, show::clean(words::name(shown, seen)))?;
    writeln!(out, "  state      {}", words::state_in_full(shown, seen))?;
    writeln!(out, "  level      {level}")?;
    match seen.arrivals.newest() {
        Some(it) => writeln!(
            out,
            "  newest     {}, observed {}, came {}",
            words::value(it, sensor),
            names.instant(it.checked.reading.observed),
            names.instant(it.received)
        )?,
        None => writeln!(out, "  newest     none that counts")?,
    }
    writeln!(out, "  expected   {}", words::expected(sensor))?;
    if let Some(since) = seen.state.flat_since() {
        writeln!(
            out,
            "  flat       the same value since {}: suspect, no sign of safety",
            names.instant(since)
        )?;
    }
    print_rules(shown, seen, around)?;
    print_readings(shown, seen, around)?;
    let rows = beside.state()?.quarantine(QUARANTINE_LOOKED_AT)?;
    let of_it: Vec<&QuarantineRow> = rows.iter().filter(|row| names_it(row, station_of(sensor))).collect();
    if let Some(newest) = of_it.first() {
        let out = &mut *around.out;
        writeln!(out, "\nnot understood, and naming {}", station_of(sensor))?;
        writeln!(
            out,
            "  {}, the newest {}: {}; see `{}`",
            count(of_it.len(), "message"),
            names.instant(newest.received),
            show::clean(&newest.reason),
            command(&args.places, &format!("quarantine show {}", newest.id))
        )?;
    }
    Ok(())
}

fn print_rules(shown: &Shown<'_>, seen: &Seen<'_>, around: &mut Surroundings<'_>) -> io::Result<()> {
    writeln!(around.out, "\nrules")?;
    let row = |rule: RuleState| {
        let unit = shown.names.0.rule(rule.rule).map(|rule| rule.unit);
        [
            format!("  {}", shown.names.rule(rule.rule)).into(),
            words::says(&rule).into(),
            words::pending(&rule).into(),
            words::limits(&rule.limits, unit).into(),
        ]
    };
    let rules: Vec<[Cell; 4]> = seen.state.rules(shown.engine.moment()).map(row).collect();
    if rules.is_empty() {
        return writeln!(around.out, "  none: nothing that it says can warn");
    }
    table(around.out, around.paint, ["  RULE", "SAYS", "ON ITS WAY", "LIMITS NOW"], &rules)
}

fn print_readings(shown: &Shown<'_>, seen: &Seen<'_>, around: &mut Surroundings<'_>) -> io::Result<()> {
    writeln!(around.out, "\nlast readings, newest to come first")?;
    let row = |it: &Arrival| {
        [
            format!("  {}", it.position.0).into(),
            shown.names.instant(it.received).into(),
            shown.names.instant(it.checked.reading.observed).into(),
            words::value(it, seen.sensor).into(),
            it.checked.flag.number().to_string().into(),
            words::counts(shown, it, seen.sensor).into(),
        ]
    };
    let readings: Vec<[Cell; 6]> = seen.arrivals.last().map(row).collect();
    if readings.is_empty() {
        return writeln!(around.out, "  none that is kept");
    }
    let head = ["  POSITION", "CAME", "OBSERVED", "VALUE", "FLAG", "COUNTS"];
    table(around.out, around.paint, head, &readings)
}

/// Whether what was not understood names a station as a word of its own.
fn names_it(row: &QuarantineRow, station: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '-' || c == '_';
    let says = |text: &str| text.split(|c: char| !is_part(c)).any(|word| word == station);
    says(&row.topic) || says(&String::from_utf8_lossy(&row.bytes)) || says(&row.reason)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_fits_anywhere_or_where_its_stars_say() {
        for (pattern, fitting) in [
            ("level", true),
            ("qj-0*", true),
            ("*level", true),
            ("qj*01*vel", true),
            ("*", true),
            ("qj-1*", false),
            ("01*qj*", false),
            ("qj-01/level/level", false),
        ] {
            assert_eq!(fits("qj-01/level", pattern), fitting, "{pattern}");
        }
    }
}
