//! `forewarn warnings`: what people were told, of what, and whether it arrived.

mod json;
mod ordered;

use std::io;

use forewarn_core::ids::Key;
use forewarn_core::level::Status;
use forewarn_core::time::Span;
use forewarn_core::warning::{About, Evidence, Revision};
use serde_json::Value;

pub(super) use self::json::revision_json;
use self::json::{delivery_json, detail_json, warning_json};
use self::ordered::{approve, ordered};
use super::args::{Listing, WarningsAction, WarningsArgs};
use super::beside::{Beside, Names, command, json as print_json, lacks_names, mark, nothing, told};
use super::change::change;
use super::orders;
use super::show::count;
use super::table::{Cell, table};
use super::{Exit, Surroundings};
use crate::app::control::Request;
use crate::app::orders::Order;
use crate::channels::show;
use crate::state::{DeliveryRow, DeliveryState, StateReader, WarningDetail, WarningRow};

/// Digits of an id in a list: enough to tell apart what a list can hold.
const SHORT: usize = 8;

/// Warnings that the beginning of an id is looked for among, newest first.
const LOOKED_AMONG_MAX: usize = 10_000;

/// Attempts of one delivery that are shown, the newest; the others are only counted.
const ATTEMPTS_SHOWN: usize = 10;

/// Lists, shows, ends or corrects warnings.
pub(super) fn warnings(args: &WarningsArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    let request = match args.action.as_ref().unwrap_or(&WarningsAction::List) {
        WarningsAction::List => return told(list(args, around), around),
        WarningsAction::Show { id } => return told(detail(args, id, around), around),
        WarningsAction::Dead => return told(dead(args, around), around),
        WarningsAction::AllClear { cell, reason, speaks } if !cell.contains('@') => {
            let make = |warning| Order::AllClear { warning, reason: reason.clone() };
            return told(ordered(args, cell, speaks, make, around), around);
        }
        WarningsAction::Cancel { cell, reason, speaks } if !cell.contains('@') => {
            let make = |warning| Order::Cancel { warning, reason: reason.clone() };
            return told(ordered(args, cell, speaks, make, around), around);
        }
        WarningsAction::AllClear { cell, reason, speaks } => {
            let account = speaks.account.clone();
            Request::AllClear { cell: cell.clone(), reason: reason.clone(), account }
        }
        WarningsAction::Cancel { cell, reason, speaks } => {
            let account = speaks.account.clone();
            Request::Cancel { cell: cell.clone(), reason: reason.clone(), account }
        }
        WarningsAction::Correct { id, written, speaks } => {
            let make = |warning| Order::Correct { warning, texts: orders::written(written) };
            return told(ordered(args, id, speaks, make, around), around);
        }
        WarningsAction::Note { text, on: Some(id), speaks } => {
            let make = |warning| Order::Note { warning: Some(warning), text: text.clone() };
            return told(ordered(args, id, speaks, make, around), around);
        }
        WarningsAction::Note { text, on: None, speaks } => {
            let note = Order::Note { warning: None, text: text.clone() };
            return orders::order(&args.places, &args.listing, speaks, note, around);
        }
        WarningsAction::Draft { hazard, area, level, lasting, updates, written, speaks } => {
            let make = |updates| Order::Draft {
                hazard: hazard.clone(),
                areas: area.clone(),
                level: level.word().to_owned(),
                texts: orders::written(written),
                lasting_s: orders::seconds(*lasting),
                updates,
            };
            return match updates {
                Some(id) => told(ordered(args, id, speaks, |id| make(Some(id)), around), around),
                None => orders::order(&args.places, &args.listing, speaks, make(None), around),
            };
        }
        WarningsAction::Drafts { number } => {
            return told(orders::drafts(&args.places, &args.listing, *number, around), around);
        }
        WarningsAction::Approve { number, digest, speaks } => {
            return told(approve(args, *number, digest, speaks, around), around);
        }
        WarningsAction::Withdraw { number, reason, speaks } => {
            let withdraw = Order::Withdraw { draft: *number, reason: reason.clone() };
            return orders::order(&args.places, &args.listing, speaks, withdraw, around);
        }
        WarningsAction::Ack { id, contact } => return told(acknowledge(args, id, contact, around), around),
        WarningsAction::Resend { key } => Request::Resend { key: key.clone() },
    };
    change(&args.places, &request, around)
}

fn list(args: &WarningsArgs, around: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
    let mut beside = Beside::open(&args.places)?;
    let rows = beside.state()?.recent_warnings(args.listing.limit)?;
    beside.recall(|plan| rows.iter().any(|row| lacks_names(plan, &row.newest)));
    let names = &beside.names;
    if args.listing.json {
        let rows = rows.iter().map(|row| warning_json(names, row.digest, row.ended, &row.newest));
        print_json(&Value::Array(rows.collect()), around)?;
    }
    if rows.is_empty() {
        return nothing("no warnings", around);
    }
    if !args.listing.json {
        let shown: Vec<[Cell; 7]> = rows.iter().map(|row| listed(names, row)).collect();
        mark(&beside, around)?;
        let head = ["ID", "LEVEL", "STATE", "ABOUT", "SINCE", "NEWEST", "PLACE"];
        table(around.out, around.paint, head, &shown)?;
    }
    Ok(Exit::Done)
}

fn listed(names: &Names, row: &WarningRow) -> [Cell; 7] {
    let newest = &row.newest;
    let peak = if row.ended && newest.peak > newest.level {
        format!(", was {}", newest.peak)
    } else {
        String::new()
    };
    [
        row.digest.to_string()[..SHORT].into(),
        Cell::Level(newest.level),
        state(row.ended, newest).into(),
        about(names, newest).into(),
        names.time(newest.onset).into(),
        format!("{} {}, {}{peak}", newest.kind.word(), newest.number, newest.reason.word()).into(),
        names.place(&newest.about).into(),
    ]
}

/// What it is about; what is no real one says so first.
fn about(names: &Names, revision: &Revision) -> String {
    let about = names.about(&revision.about);
    match revision.status {
        Status::Actual => about,
        Status::Exercise => format!("[exercise] {about}"),
        Status::Test => format!("[test] {about}"),
    }
}

fn state(ended: bool, newest: &Revision) -> &'static str {
    match (ended, newest.stale) {
        (true, _) => "ended",
        (false, true) => "blind",
        (false, false) => "standing",
    }
}

fn detail(args: &WarningsArgs, id: &str, around: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
    let mut beside = Beside::open(&args.places)?;
    let state = beside.state()?;
    let found = match meant(args, &state, id, around)? {
        Ok(found) => found,
        Err(exit) => return Ok(exit),
    };
    beside.recall(|plan| found.revisions.iter().any(|revision| lacks_names(plan, revision)));
    if args.listing.json {
        print_json(&detail_json(&beside.names, &found), around)?;
    } else {
        mark(&beside, around)?;
        print(&beside.names, &state, &found, around)?;
    }
    Ok(Exit::Done)
}

fn acknowledge(
    args: &WarningsArgs,
    id: &str,
    contact: &str,
    around: &mut Surroundings<'_>,
) -> anyhow::Result<Exit> {
    let state = Beside::open(&args.places)?.state()?;
    match meant(args, &state, id, around)? {
        Ok(found) => {
            let (warning, contact) = (found.digest.to_string(), contact.to_owned());
            Ok(change(&args.places, &Request::Acknowledge { warning, contact }, around)?)
        }
        Err(exit) => Ok(exit),
    }
}

/// The warning that an id means; where that is none or several, it has said so.
fn meant(
    args: &WarningsArgs,
    state: &StateReader,
    id: &str,
    around: &mut Surroundings<'_>,
) -> anyhow::Result<Result<WarningDetail, Exit>> {
    let found = match find(state, id)?.as_slice() {
        [] => None,
        [one] => state.warning(*one)?,
        several => {
            writeln!(around.err, "{} ids begin with {id:?}, expected more of it:", several.len())?;
            several.iter().try_for_each(|key| writeln!(around.err, "  {key}"))?;
            return Ok(Err(Exit::Remarks));
        }
    };
    let Some(found) = found else {
        let listed = command(&args.places, "warnings list");
        return Ok(Err(nothing(&format!("no warning {id:?}, expected an id of `{listed}`"), around)?));
    };
    Ok(Ok(found))
}

/// The warnings that an id, or the beginning of one, can mean.
fn find(state: &StateReader, id: &str) -> anyhow::Result<Vec<Key>> {
    let id = id.to_ascii_lowercase();
    if let Some(key) = Key::parse(&id) {
        return Ok(vec![key]);
    }
    let rows = state.recent_warnings(LOOKED_AMONG_MAX)?;
    let keys = rows.iter().map(|row| row.digest).filter(|key| key.to_string().starts_with(&id));
    Ok(if id.is_empty() { vec![] } else { keys.collect() })
}

fn print(
    names: &Names,
    state: &StateReader,
    found: &WarningDetail,
    around: &mut Surroundings<'_>,
) -> anyhow::Result<()> {
    let Some(newest) = found.revisions.last() else { anyhow::bail!("the warning has no revision") };
    print_head(names, newest, found, around)?;
    print_revisions(names, found, around)?;
    // An all-clear rests on nothing any more: what was measured stands in the last that did.
    if let Some(measured) = found.revisions.iter().rev().find(|it| !it.evidence.is_empty()) {
        print_measured(names, measured, around)?;
    }
    print_deliveries(names, state, found, around)?;
    print_acknowledgements(names, found, around)?;
    Ok(orders::print_notes(names, &found.notes, around)?)
}

fn print_acknowledgements(
    names: &Names,
    found: &WarningDetail,
    around: &mut Surroundings<'_>,
) -> anyhow::Result<()> {
    writeln!(around.out, "\nacknowledged")?;
    for it in &found.acknowledgements {
        let (at, who) = (names.time(it.at), names.target(it.target));
        let reach = it.reach.map_or(String::new(), |reach| {
            let after = Span::from_secs(reach.after.0 / Span::from_secs(1).0);
            format!(", {after} after it was told, {} of {}", reach.seen.by, reach.seen.of)
        });
        writeln!(around.out, "  {at}  revision {} by {who}{reach}", it.number)?;
    }
    if found.acknowledgements.is_empty() {
        writeln!(around.out, "  by nobody")?;
    }
    let reached = found.reach(&names.0);
    let reached = reached.map(|(within, seen)| format!("{} of {} within {within}", seen.by, seen.of));
    writeln!(around.out, "  reach: {}", reached.join(", "))?;
    Ok(())
}

fn print_head(
    names: &Names,
    newest: &Revision,
    found: &WarningDetail,
    around: &mut Surroundings<'_>,
) -> io::Result<()> {
    let out = &mut *around.out;
    let place = names.place(&newest.about);
    let place = if place.is_empty() { place } else { format!(", {place}") };
    let level = around.paint.level(newest.level);
    writeln!(out, "{}{place}: {level}, {}", about(names, newest), self::state(found.ended, newest))?;
    writeln!(out, "  id         {}", found.digest)?;
    writeln!(out, "  since      {}", names.time(newest.onset))?;
    if !found.ended {
        let renewed = match newest.about {
            About::Manual(_) => "as stated",
            About::Incident(_) | About::Trouble(_) | About::NotifyTest | About::Canary(_) => {
                "renewed while it stands"
            }
        };
        writeln!(out, "  holds to   {}, {renewed}", names.time(newest.expires))?;
    }
    writeln!(out, "  highest    {}", around.paint.level(newest.peak))?;
    writeln!(
        out,
        "  status     {}, {} {} {}",
        newest.status, newest.urgency, newest.severity, newest.certainty
    )?;
    if let Some(texts) = &newest.texts {
        writeln!(out, "  says       {}", show::clean(&texts.en.headline))?;
        writeln!(out, "             {}", show::clean(&texts.zh.headline))?;
    }
    if !newest.detail.is_empty() {
        writeln!(out, "  detail     {}", show::clean(&newest.detail))?;
    }
    Ok(())
}

fn print_revisions(names: &Names, found: &WarningDetail, around: &mut Surroundings<'_>) -> io::Result<()> {
    writeln!(around.out, "\nrevisions")?;
    let revisions: Vec<[Cell; 6]> = found
        .revisions
        .iter()
        .map(|it| {
            [
                format!("  {}", it.number).into(),
                names.time(it.sent).into(),
                it.kind.word().into(),
                Cell::Level(it.level),
                it.reason.word().into(),
                if it.muted.is_some() {
                    "nobody: muted".into()
                } else {
                    count(it.due.len(), "target").into()
                },
            ]
        })
        .collect();
    table(around.out, around.paint, ["  NO", "SENT", "KIND", "LEVEL", "WHY", "TO"], &revisions)
}

fn print_measured(names: &Names, measured: &Revision, around: &mut Surroundings<'_>) -> io::Result<()> {
    let out = &mut *around.out;
    writeln!(out, "\nmeasured, as of revision {}", measured.number)?;
    for evidence in &measured.evidence {
        writeln!(out, "  {}", evidence_line(names, evidence))?;
    }
    let more = (measured.sensors as usize).saturating_sub(measured.evidence.len());
    if more > 0 {
        writeln!(out, "  and {}", count(more, "further sensor"))?;
    }
    Ok(())
}

fn print_deliveries(
    names: &Names,
    state: &StateReader,
    found: &WarningDetail,
    around: &mut Surroundings<'_>,
) -> anyhow::Result<()> {
    let out = &mut *around.out;
    writeln!(out, "\ndeliveries")?;
    if found.deliveries.is_empty() {
        writeln!(out, "  none")?;
        return Ok(());
    }
    let deliveries: Vec<[Cell; 6]> = found.deliveries.iter().map(|it| delivery_cells(names, it)).collect();
    table(out, around.paint, ["  NO", "TO", "STATE", "TRIED", "NEWEST ATTEMPT", "KEY"], &deliveries)?;
    for row in found.deliveries.iter().filter(|row| row.attempts > 1) {
        let attempts = state.attempts(row.digest.unwrap_or(row.key))?;
        let earlier = attempts.len().saturating_sub(ATTEMPTS_SHOWN);
        writeln!(out, "\nattempts of {}", row.key)?;
        if earlier > 0 {
            writeln!(out, "  {} before these", count(earlier, "attempt"))?;
        }
        for (at, outcome) in &attempts[earlier..] {
            writeln!(out, "  {}  {}", names.instant(*at), show::clean(outcome))?;
        }
    }
    Ok(())
}

fn delivery_cells(names: &Names, row: &DeliveryRow) -> [Cell; 6] {
    let round = if row.round == 0 { String::new() } else { format!(" (round {})", row.round + 1) };
    let digest = row.digest.map_or(String::new(), |key| format!(", in digest {}", &key.to_string()[..SHORT]));
    let note = row
        .note
        .as_ref()
        .map_or(String::new(), |(at, outcome)| format!("{} {}", names.time(*at), show::clean(outcome)));
    [
        format!("  {}", row.number).into(),
        format!("{}{round}", names.target(row.target)).into(),
        delivery_state(row.state).into(),
        format!("{}{digest}", count(row.attempts as usize, "time")).into(),
        note.into(),
        row.key.to_string().into(),
    ]
}

fn delivery_state(state: DeliveryState) -> String {
    match state {
        DeliveryState::Queued => "queued".to_owned(),
        DeliveryState::Accepted => "accepted".to_owned(),
        DeliveryState::Superseded => "superseded".to_owned(),
        DeliveryState::Dead(death) => format!("dead: {}", death.word()),
    }
}

/// One sensor: what it gave, against which limit, and where it is going.
fn evidence_line(names: &Names, it: &Evidence) -> String {
    let (sensor, rule) = (names.0.sensor(it.sensor), names.0.rule(it.rule));
    let mut parts = vec![format!("{}  {}", names.sensor(it.sensor), it.level)];
    if let (Some(value), Some(sensor)) = (it.value, sensor) {
        let datum = sensor.datum.as_ref().map_or(String::new(), |datum| format!(" above {}", datum.0));
        parts.push(format!("reads {}{datum}", show::amount(value, sensor.unit)));
    }
    if let (Some(measured), Some(rule)) = (it.measured, rule) {
        let limit = it
            .limit
            .map_or(String::new(), |limit| format!(" against a limit of {}", show::limit(limit, rule.unit)));
        parts.push(format!("{} measures {}{limit}", rule.id, show::amount(measured, rule.unit)));
    }
    if let (Some(trend), Some(sensor)) = (it.trend, sensor) {
        parts.push(show::trend(trend, sensor.unit));
    }
    parts.push(format!("since {}", names.time(it.since)));
    parts.push(format!("newest {}", names.time(it.observed)));
    if it.saturated {
        parts.push("at the end of its span: the truth is there or beyond".to_owned());
    }
    if it.unknown {
        parts.push("no longer seen: treat as dangerous".to_owned());
    }
    parts.join(", ")
}

fn dead(args: &WarningsArgs, around: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
    let mut beside = Beside::open(&args.places)?;
    let Listing { json, limit } = &args.listing;
    let rows = beside.state()?.dead_letters(*limit)?;
    beside.recall(|plan| rows.iter().any(|row| plan.target(row.target).is_none()));
    let names = &beside.names;
    if *json {
        let rows = rows.iter().map(|row| delivery_json(names, row));
        print_json(&Value::Array(rows.collect()), around)?;
    }
    if rows.is_empty() {
        return nothing("no delivery was given up", around);
    }
    if !json {
        let shown: Vec<[Cell; 6]> = rows
            .iter()
            .map(|row| {
                let [_, to, state, tried, note, key] = delivery_cells(names, row);
                [key, row.warning.digest().to_string()[..SHORT].into(), to, state, tried, note]
            })
            .collect();
        mark(&beside, around)?;
        let head = ["KEY", "WARNING", "TO", "STATE", "TRIED", "NEWEST ATTEMPT"];
        table(around.out, around.paint, head, &shown)?;
        writeln!(around.err, "send one again with: {}", command(&args.places, "warnings resend KEY"))?;
    }
    Ok(Exit::Done)
}
