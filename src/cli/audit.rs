//! `forewarn audit`: the trail of what was commanded, decided and delivered,
//! and who logged in.

use std::io;

use forewarn_core::ids::Position;
use serde_json::json;

use super::args::{AuditAction, AuditArgs};
use super::beside::{data_dir, json as print_json, nothing, told};
use super::show::count;
use super::table::{Cell, table};
use super::{Exit, Surroundings};
use crate::audit::{self, Deed, FOLDER, Head, deeds};
use crate::log::{Indices, Records};

/// Lists, verifies, or prints the head.
pub(super) fn audit(args: &AuditArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    let found = match &args.action {
        AuditAction::List => list(args, around),
        AuditAction::Verify { noted } => verify(args, noted.as_deref(), around),
        AuditAction::Head => head(args, around),
    };
    told(found, around)
}

fn list(args: &AuditArgs, around: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
    let lines = audit::lines(&data_dir(&args.places)?, args.listing.limit)?;
    if args.listing.json {
        print_json(&serde_json::to_value(&lines)?, around)?;
        return Ok(if lines.is_empty() { Exit::Remarks } else { Exit::Done });
    }
    if lines.is_empty() {
        return nothing("the audit trail has no line yet", around);
    }
    let rows: Vec<[Cell; 6]> = lines
        .into_iter()
        .map(|it| {
            [
                it.n.to_string().into(),
                it.at.into(),
                it.what.into(),
                it.by.into(),
                it.about.into(),
                it.says.into(),
            ]
        })
        .collect();
    table(around.out, around.paint, ["LINE", "TIME", "WHAT", "BY", "ABOUT", ""], &rows)?;
    Ok(Exit::Done)
}

fn verify(args: &AuditArgs, noted: Option<&str>, around: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
    let data = data_dir(&args.places)?;
    let noted = noted.map(noted_head).transpose()?;
    if audit::head(&data)?.is_none() && audit::lines(&data, 1)?.is_empty() {
        return nothing(&format!("there is no audit trail in {}", data.join(FOLDER).display()), around);
    }
    let mut fault = None;
    let found = {
        let records = Records::open_read_only(&data, Position(1))?;
        let records = records.map_while(|record| record.map_err(|error| fault = Some(error)).ok());
        // Names are not compared: the trail has them.
        let names = Indices::default();
        let told = records.flat_map(|record| -> Vec<Deed> { deeds(&record, &names) });
        audit::verify(&data, noted.as_ref(), told)?
    };
    if let Some(fault) = fault {
        return Err(fault.into());
    }
    let exit = if found.is_sound() { Exit::Done } else { Exit::Failed };
    if args.listing.json {
        let flaws = found.flaws.iter().map(|it| json!({ "file": it.file, "line": it.line, "what": it.what }));
        let value = json!({
            "sound": found.is_sound(),
            "first": found.lines.map(|(first, _)| first),
            "last": found.lines.map(|(_, last)| last),
            "hash": found.hash,
            "compared": found.compared,
            "flaws": flaws.collect::<Vec<_>>(),
        });
        print_json(&value, around)?;
        return Ok(exit);
    }
    for flaw in &found.flaws {
        writeln!(around.out, "{} line {}: {}", flaw.file.display(), flaw.line, flaw.what)?;
    }
    let lines = found.lines.map_or("no line".into(), |(first, last)| format!("lines {first} to {last}"));
    let compared = count(found.compared as usize, "line");
    let verdict = if found.is_sound() {
        around.paint.good("nothing was edited, dropped, moved or cut off")
    } else {
        around.paint.fault("it is not as it was written")
    };
    writeln!(around.out, "{lines}, {compared} held against the log: {verdict}")?;
    Ok(exit)
}

fn head(args: &AuditArgs, around: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
    let Some(head) = audit::head(&data_dir(&args.places)?)? else {
        return nothing("the audit trail has no line yet", around);
    };
    if args.listing.json {
        print_json(&serde_json::to_value(&head)?, around)?;
    } else {
        writeln!(around.out, "{}:{}", head.lines, head.hash)?;
    }
    Ok(Exit::Done)
}

fn noted_head(text: &str) -> anyhow::Result<Head> {
    let parsed = text
        .split_once(':')
        .and_then(|(lines, hash)| Some(Head { lines: lines.parse().ok()?, hash: hash.to_owned(), log: 0 }));
    parsed.ok_or_else(|| {
        anyhow::anyhow!("--noted {text}: expected LINES:HASH, as `forewarn audit head` prints it")
    })
}
