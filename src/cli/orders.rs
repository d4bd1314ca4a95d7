//! Drafts, mutes, maintenance windows and notes: what people ordered, and
//! what they order.

use std::io;

use forewarn_core::orders::{Draft, Mute, Note, Proposal};
use forewarn_core::time::Span;
use serde_json::{Value, json};

use super::args::{
    Listing, MaintenanceAction, MaintenanceArgs, MuteAction, MuteArgs, Places, Speaks, Written,
};
use super::beside::{Beside, Names, json as print_json, nothing, told};
use super::change::change;
use super::record::proposed;
use super::table::{Cell, table};
use super::{Exit, Surroundings};
use crate::app::control::Request;
use crate::app::orders::{Named, Order, TextBody, TextsBody};
use crate::channels::show;

/// Digits of a digest that are enough to say that one has read it.
const DIGEST_MIN: usize = 8;

/// Asks the running service for something.
pub(super) fn order(
    places: &Places,
    listing: &Listing,
    speaks: &Speaks,
    order: Order,
    around: &mut Surroundings<'_>,
) -> io::Result<Exit> {
    let request = Request::Order { order, account: speaks.account.clone(), json: listing.json };
    change(places, &request, around)
}

pub(super) fn written(written: &Written) -> TextsBody {
    let text = |headline: &str, instruction: &str| TextBody {
        headline: headline.to_owned(),
        instruction: instruction.to_owned(),
    };
    TextsBody { zh: text(&written.zh, &written.zh_do), en: text(&written.en, &written.en_do) }
}

pub(super) fn seconds(span: Span) -> u32 {
    u32::try_from(span.0 / Span::from_secs(1).0).unwrap_or(u32::MAX)
}

/// `forewarn mute`.
pub(super) fn mute(args: &MuteArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    match args.action.as_ref().unwrap_or(&MuteAction::List) {
        MuteAction::List => told(mutes(&args.places, &args.listing, around), around),
        MuteAction::Add { what, up_to, reason, lasting, speaks } => {
            let named = [
                (&what.area, Named::Area as fn(String) -> Named),
                (&what.hazard, Named::Hazard),
                (&what.cell, Named::Cell),
                (&what.rule, Named::Rule),
                (&what.sensor, Named::Sensor),
                (&what.station, Named::Station),
            ];
            let Some(what) = one_of(named) else { return nothing_named(around) };
            let (up_to, reason) = (up_to.word().to_owned(), reason.clone());
            let asked = Order::Mute { what, up_to, reason, lasting_s: seconds(*lasting) };
            order(&args.places, &args.listing, speaks, asked, around)
        }
        MuteAction::End { number, speaks } => {
            order(&args.places, &args.listing, speaks, Order::Unmute { mute: *number }, around)
        }
    }
}

/// `forewarn maintenance`.
pub(super) fn maintenance(args: &MaintenanceArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    match args.action.as_ref().unwrap_or(&MaintenanceAction::List) {
        MaintenanceAction::List => told(mutes(&args.places, &args.listing, around), around),
        MaintenanceAction::Add { what, reason, after, lasting, speaks } => {
            let named =
                [(&what.sensor, Named::Sensor as fn(String) -> Named), (&what.station, Named::Station)];
            let Some(what) = one_of(named) else { return nothing_named(around) };
            let (after_s, lasting_s) = (seconds(after.unwrap_or_default()), seconds(*lasting));
            let asked = Order::Maintenance { what, reason: reason.clone(), after_s, lasting_s };
            order(&args.places, &args.listing, speaks, asked, around)
        }
        MaintenanceAction::End { number, speaks } => {
            order(&args.places, &args.listing, speaks, Order::Unmute { mute: *number }, around)
        }
    }
}

/// A name as it was given, if it was, and what it is a name of.
type Given<'a> = (&'a Option<String>, fn(String) -> Named);

fn one_of<const N: usize>(named: [Given<'_>; N]) -> Option<Named> {
    named.into_iter().find_map(|(given, name)| given.clone().map(name))
}

fn nothing_named(around: &mut Surroundings<'_>) -> io::Result<Exit> {
    writeln!(around.err, "expected what to silence")?;
    Ok(Exit::Fault)
}

fn mutes(places: &Places, listing: &Listing, around: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
    let beside = Beside::open(places)?;
    let rows: Vec<Mute> = beside.state()?.orders(listing.limit)?;
    let names = &beside.names;
    if listing.json {
        print_json(&Value::Array(rows.iter().map(|it| mute_json(names, it)).collect()), around)?;
    }
    if rows.is_empty() {
        return nothing("nothing is muted or in maintenance", around);
    }
    if !listing.json {
        let shown: Vec<[Cell; 7]> = rows.iter().map(|it| mute_cells(names, it)).collect();
        let head = ["NO", "STATE", "WHAT", "FROM", "TO", "OWNER", "WHY"];
        table(around.out, around.paint, head, &shown)?;
    }
    Ok(Exit::Done)
}

fn mute_cells(names: &Names, it: &Mute) -> [Cell; 7] {
    let owner = match &it.approved {
        Some(other) => format!("{}, approved by {other}", it.owner),
        None => it.owner.clone(),
    };
    [
        it.number.to_string().into(),
        it.phase.word().into(),
        proposed(names, &Proposal::Silence(it.silence.clone())).into(),
        names.time(it.begins).into(),
        names.time(it.begins + (it.until - it.from)).into(),
        show::clean(&owner).into(),
        show::clean(&it.silence.reason).into(),
    ]
}

fn mute_json(names: &Names, it: &Mute) -> Value {
    json!({
        "number": it.number,
        "phase": it.phase.word(),
        "what": names.subject(it.silence.what),
        "up_to": it.silence.up_to.word(),
        "reason": it.silence.reason,
        "owner": it.owner,
        "approved": it.approved,
        "begins": names.time_json(it.begins),
        "ends": names.time_json(it.begins + (it.until - it.from)),
    })
}

/// `forewarn warnings drafts`.
pub(super) fn drafts(
    places: &Places,
    listing: &Listing,
    number: Option<u32>,
    around: &mut Surroundings<'_>,
) -> anyhow::Result<Exit> {
    let beside = Beside::open(places)?;
    let names = &beside.names;
    let rows: Vec<Draft> = match number {
        Some(number) => beside.state()?.order(number)?.into_iter().collect(),
        None => beside.state()?.orders(listing.limit)?,
    };
    if listing.json {
        print_json(&Value::Array(rows.iter().map(|it| draft_json(names, it)).collect()), around)?;
    }
    if rows.is_empty() {
        return nothing("no draft", around);
    }
    if listing.json {
        return Ok(Exit::Done);
    }
    if number.is_some() {
        rows.iter().try_for_each(|it| print_draft(names, it, around))?;
        return Ok(Exit::Done);
    }
    let shown: Vec<[Cell; 5]> = rows
        .iter()
        .map(|it| {
            [
                it.number.to_string().into(),
                it.stage.word().into(),
                proposed(names, &it.proposal).into(),
                names.time(it.made).into(),
                show::clean(&it.by).into(),
            ]
        })
        .collect();
    table(around.out, around.paint, ["NO", "STATE", "WHAT", "DRAFTED", "BY"], &shown)?;
    Ok(Exit::Done)
}

/// All that an approval is bound to.
fn print_draft(names: &Names, it: &Draft, around: &mut Surroundings<'_>) -> io::Result<()> {
    let out = &mut *around.out;
    writeln!(out, "draft {}: {}, {}", it.number, proposed(names, &it.proposal), it.stage.word())?;
    writeln!(out, "  drafted    {} by {}", names.instant(it.made), show::clean(&it.by))?;
    match &it.proposal {
        Proposal::Warning(issue) => {
            writeln!(out, "  holds for  {}", issue.lasting)?;
            for (language, text) in [("zh", &issue.texts.zh), ("en", &issue.texts.en)] {
                writeln!(out, "  {language}         {}", show::clean(&text.headline))?;
                if !text.instruction.trim().is_empty() {
                    writeln!(out, "             {}", show::clean(&text.instruction))?;
                }
            }
            let targets: Vec<String> = it.targets.iter().map(|target| names.target(*target)).collect();
            writeln!(out, "  goes to    {}: {}", targets.len(), targets.join(", "))?;
        }
        Proposal::Silence(silence) => {
            writeln!(out, "  after      {}, for {}", silence.after, silence.lasting)?;
            writeln!(out, "  why        {}", show::clean(&silence.reason))?;
        }
    }
    writeln!(out, "  status     {}", names.0.settings.status)?;
    writeln!(out, "  digest     {}", it.digest)
}

fn draft_json(names: &Names, it: &Draft) -> Value {
    let mut value = json!({
        "number": it.number,
        "stage": it.stage.word(),
        "what": proposed(names, &it.proposal),
        "by": it.by,
        "made": names.time_json(it.made),
        "digest": it.digest.to_string(),
        "targets": it.targets.iter().map(|target| names.target(*target)).collect::<Vec<_>>(),
    });
    if let Proposal::Warning(issue) = &it.proposal {
        let text =
            |headline: &str, instruction: &str| json!({ "headline": headline, "instruction": instruction });
        value["texts"] = json!({
            "zh": text(&issue.texts.zh.headline, &issue.texts.zh.instruction),
            "en": text(&issue.texts.en.headline, &issue.texts.en.instruction),
        });
        value["level"] = json!(issue.level.word());
    }
    value
}

/// The whole digest of a draft that the beginning of one means.
pub(super) fn whole_digest(
    places: &Places,
    number: u32,
    begins: &str,
    around: &mut Surroundings<'_>,
) -> anyhow::Result<Option<String>> {
    let begins = begins.to_ascii_lowercase();
    let found: Option<Draft> = Beside::open(places)?.state()?.order(number)?;
    let Some(draft) = found else {
        nothing(&format!("no draft {number}, expected one of `warnings drafts`"), around)?;
        return Ok(None);
    };
    let digest = draft.digest.to_string();
    if begins.len() >= DIGEST_MIN && digest.starts_with(&begins) {
        return Ok(Some(digest));
    }
    let what = format!(
        "the digest of draft {number} does not begin with {begins:?}: look at it again with `warnings drafts {number}`"
    );
    nothing(&what, around)?;
    Ok(None)
}

/// What people noted of a warning.
pub(super) fn print_notes(names: &Names, notes: &[Note], around: &mut Surroundings<'_>) -> io::Result<()> {
    if notes.is_empty() {
        return Ok(());
    }
    writeln!(around.out, "\nnotes")?;
    for it in notes {
        writeln!(around.out, "  {}  {}: {}", names.time(it.at), show::clean(&it.by), show::clean(&it.text))?;
    }
    Ok(())
}
