//! `forewarn quarantine`: what came in and was not understood, with its bytes.

use std::fmt::Write as _;
use std::io;

use serde_json::{Value, json};

use super::args::{QuarantineAction, QuarantineArgs};
use super::beside::{Beside, Names, command, json as print_json, nothing, told};
use super::table::{Cell, table};
use super::{Exit, Surroundings};
use crate::channels::show;
use crate::config::predict::bytes;
use crate::config::targets::hex;
use crate::state::QuarantineRow;

/// Bytes a line of a dump.
const DUMP_BYTES_A_LINE: usize = 16;

/// Lists or shows.
pub(super) fn quarantine(args: &QuarantineArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    let found = match args.action.as_ref().unwrap_or(&QuarantineAction::List) {
        QuarantineAction::List => list(args, around),
        QuarantineAction::Show { id } => one(args, *id, around),
    };
    told(found, around)
}

fn list(args: &QuarantineArgs, around: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
    let beside = Beside::open(&args.places)?;
    let names = &beside.names;
    let rows = beside.state()?.quarantine(args.listing.limit)?;
    if args.listing.json {
        print_json(&Value::Array(rows.iter().map(|row| row_json(names, row)).collect()), around)?;
    }
    if rows.is_empty() {
        return nothing("nothing in quarantine: all that came in was understood", around);
    }
    if !args.listing.json {
        let shown: Vec<[Cell; 6]> = rows
            .iter()
            .map(|row| {
                [
                    row.id.to_string().into(),
                    names.time(row.received).into(),
                    source(names, row).into(),
                    show::clean(&row.topic).into(),
                    bytes(row.bytes.len() as u64).into(),
                    show::clean(&row.reason).into(),
                ]
            })
            .collect();
        table(around.out, around.paint, ["ID", "RECEIVED", "SOURCE", "TOPIC", "SIZE", "WHY"], &shown)?;
    }
    Ok(Exit::Done)
}

fn one(args: &QuarantineArgs, id: u64, around: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
    let beside = Beside::open(&args.places)?;
    let names = &beside.names;
    let found = match i64::try_from(id) {
        Ok(id) => beside.state()?.quarantined(id)?,
        Err(_) => None,
    };
    let Some(row) = found else {
        let listed = command(&args.places, "quarantine list");
        let what = format!("no {id} in quarantine, expected a number of `{listed}`");
        return nothing(&what, around);
    };
    if args.listing.json {
        print_json(&row_json(names, &row), around)?;
        return Ok(Exit::Done);
    }
    let out = &mut *around.out;
    writeln!(out, "{}: {}", row.id, show::clean(&row.reason))?;
    writeln!(out, "  received   {}", names.time(row.received))?;
    writeln!(out, "  source     {}", source(names, &row))?;
    writeln!(out, "  topic      {}", show::clean(&row.topic))?;
    let record = command(&args.places, &format!("log show {}", row.position.0));
    writeln!(out, "  record     {}, see `{record}`", row.position.0)?;
    if let Ok(text) = std::str::from_utf8(&row.bytes) {
        writeln!(out, "\nas text")?;
        // Each line on its own: what a stranger sent must not steer the terminal.
        text.lines().try_for_each(|line| writeln!(out, "  {}", show::clean(line)))?;
    }
    writeln!(out, "\nas bytes, {}", bytes(row.bytes.len() as u64))?;
    write!(out, "{}", dump(&row.bytes))?;
    Ok(Exit::Done)
}

fn source(names: &Names, row: &QuarantineRow) -> String {
    match names.0.sources.get(row.source.index()).filter(|name| !name.is_empty()) {
        Some(name) => name.clone(),
        None => format!("source #{}", row.source.0),
    }
}

fn row_json(names: &Names, row: &QuarantineRow) -> Value {
    json!({
        "id": row.id,
        "position": row.position.0,
        "received": names.time_json(row.received),
        "source": source(names, row),
        "topic": row.topic,
        "reason": row.reason,
        "text": std::str::from_utf8(&row.bytes).ok(),
        "hex": hex(&row.bytes),
    })
}

/// Offset, bytes, and what of them can be read.
fn dump(bytes: &[u8]) -> String {
    let mut text = String::new();
    for (line, piece) in bytes.chunks(DUMP_BYTES_A_LINE).enumerate() {
        let digits: Vec<String> = piece.iter().map(|byte| format!("{byte:02x}")).collect();
        let readable: String = piece
            .iter()
            .map(|byte| if byte.is_ascii_graphic() || *byte == b' ' { char::from(*byte) } else { '.' })
            .collect();
        let width = DUMP_BYTES_A_LINE * 3 - 1;
        // Writing into a String cannot fail.
        let _ =
            writeln!(text, "  {:08x}  {:<width$}  {readable}", line * DUMP_BYTES_A_LINE, digits.join(" "));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dump_shows_every_byte_and_steers_no_terminal() {
        let text = dump(b"{\"level\":\x1b[31m 5}\n");
        assert_eq!(
            text,
            "  00000000  7b 22 6c 65 76 65 6c 22 3a 1b 5b 33 31 6d 20 35  {\"level\":.[31m 5\n  \
             00000010  7d 0a                                            }.\n"
        );
        assert_eq!(dump(b""), "");
    }
}
