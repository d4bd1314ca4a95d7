//! `forewarn log`: the segments of the log, whether they read back, and what
//! one record holds.

use std::io;
use std::path::Path;

use forewarn_core::ids::Position;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::args::{LogAction, LogArgs};
use super::beside::{Beside, command, data_dir, json as print_json, newest_record, nothing, told};
use super::show::count;
use super::table::{Cell, table};
use super::{Exit, Surroundings, record};
use crate::config::predict::bytes;
use crate::log::{FrameIs, FrameSeen, Frames, Record, Records, SegmentSeen, segments};
use crate::state::StateReader;

/// Lists, verifies or shows.
pub(super) fn log(args: &LogArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    let found = match args.action {
        LogAction::List => list(args, around),
        LogAction::Verify => verify(args, around),
        LogAction::Show { position } => one(args, Position(position), around),
    };
    told(found, around)
}

fn list(args: &LogArgs, around: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
    let beside = Beside::open(&args.places)?;
    let seen = segments(&beside.data)?;
    let newest = newest_record(&beside.data)?;
    let begins: Vec<Option<Record>> =
        seen.iter().map(|segment| first_of(&beside.data, segment)).collect::<anyhow::Result<_>>()?;
    let lasts: Vec<Option<Position>> = (0..seen.len())
        .map(|index| match seen.get(index + 1) {
            Some(after) => Some(Position(after.first.0.saturating_sub(1))),
            None => newest.as_ref().map(Record::last),
        })
        .collect();
    let rows = seen.iter().zip(&begins).zip(&lasts).rev().take(args.listing.limit);
    if args.listing.json {
        let names = &beside.names;
        let rows = rows.map(|((segment, begin), last)| {
            json!({
                "file": segment.file,
                "first": segment.first.0,
                "last": last.map(|last| last.0),
                "begins": begin.as_ref().map(|record| names.time_json(record.at + record.offset)),
                "bytes": segment.bytes,
            })
        });
        print_json(&Value::Array(rows.collect()), around)?;
        return Ok(Exit::Done);
    }
    let rows: Vec<[Cell; 4]> = rows
        .map(|((segment, begin), last)| {
            let positions = match last {
                Some(last) if *last >= segment.first => format!("{} to {}", segment.first.0, last.0),
                Some(_) | None => "none yet".to_owned(),
            };
            let begins =
                begin.as_ref().map_or(String::new(), |record| beside.names.time(record.at + record.offset));
            [segment.file.as_str().into(), positions.into(), begins.into(), bytes(segment.bytes).into()]
        })
        .collect();
    if rows.is_empty() {
        return nothing("the log has no segment yet", around);
    }
    table(around.out, around.paint, ["SEGMENT", "POSITIONS", "BEGINS", "SIZE"], &rows)?;
    Ok(Exit::Done)
}

fn first_of(data: &Path, segment: &SegmentSeen) -> anyhow::Result<Option<Record>> {
    let mut records = Records::open_read_only(data, segment.first)?;
    Ok(records.next().transpose()?.filter(|record| record.first >= segment.first))
}

/// What a walk of all frames met.
#[derive(Debug, Default)]
struct Walked {
    records: usize,
    first: Option<Position>,
    last: Option<Position>,
    rot: Vec<FrameSeen>,
    unfinished: Option<FrameSeen>,
    /// What was durable once and is not there any more.
    missing: Option<(Position, Position)>,
}

impl Walked {
    /// Holds what was met against how far the projection was before the walk:
    /// it only ever has what was durable. So a bad record up to there is rot,
    /// and was not torn while it was written.
    fn hold_against(&mut self, projected: Position) {
        let last = self.last.unwrap_or_default();
        if last < projected {
            self.missing = Some((last.next(), projected));
            self.rot.extend(self.unfinished.take());
        }
    }

    fn is_sound(&self) -> bool {
        self.rot.is_empty() && self.missing.is_none()
    }
}

/// How far the projection is; nowhere where it cannot be read or is not there.
fn projected(data: &Path) -> Position {
    let state = StateReader::open_read_only(&data.join("state.db"));
    state.and_then(|state| state.cursor()).unwrap_or_default()
}

fn verify(args: &LogArgs, around: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
    let data = data_dir(&args.places)?;
    let seen = segments(&data)?;
    let total: u64 = seen.iter().map(|segment| segment.bytes).sum();
    let projected = projected(&data);
    let mut walked = walk(&data, total)?;
    walked.hold_against(projected);
    let exit = if walked.is_sound() { Exit::Done } else { Exit::Failed };
    if args.listing.json {
        print_json(&walked_json(&seen, total, &walked), around)?;
        return Ok(exit);
    }
    for rot in &walked.rot {
        let FrameSeen { file, offset, bytes: length, .. } = rot;
        writeln!(
            around.out,
            "{file}: {length} bytes from {offset} on do not read back as they were written"
        )?;
    }
    if let Some((first, last)) = walked.missing {
        writeln!(
            around.out,
            "positions {} to {} are missing at the end: warnings and deliveries of theirs are in state.db",
            first.0, last.0
        )?;
    }
    let positions = match (walked.first, walked.last) {
        (Some(first), Some(last)) => format!(", positions {} to {}", first.0, last.0),
        (None, _) | (_, None) => String::new(),
    };
    if let Some(rest) = &walked.unfinished {
        writeln!(
            around.out,
            "{}: a record at {} is not finished: being written just now, or torn; the next start cuts it off",
            rest.file, rest.offset
        )?;
    }
    let verdict = match walked.rot.len() {
        0 if walked.is_sound() => around.paint.good("every checksum holds"),
        0 => around.paint.fault("the end is missing"),
        rotten => around.paint.fault(format!("rot in {}", count(rotten, "place"))),
    };
    writeln!(
        around.out,
        "{}, {}{positions}, {}: {verdict}",
        count(seen.len(), "segment"),
        count(walked.records, "record"),
        bytes(total),
    )?;
    Ok(exit)
}

fn walk(data: &Path, total: u64) -> anyhow::Result<Walked> {
    // Drawn on standard error, and only where that is a terminal.
    let bar = ProgressBar::new(total);
    let style = ProgressStyle::with_template("{bar:40} {bytes} of {total_bytes}, {eta} to go")
        .expect("the template is sound");
    bar.set_style(style);
    let mut walked = Walked::default();
    for frame in Frames::open(data)? {
        let frame = frame?;
        bar.inc(frame.bytes);
        match frame.is {
            FrameIs::Record(first, last) => {
                walked.records += 1;
                walked.first.get_or_insert(first);
                walked.last = Some(last);
            }
            FrameIs::Other => {}
            FrameIs::Rot => walked.rot.push(frame),
            FrameIs::Unfinished => walked.unfinished = Some(frame),
        }
    }
    bar.finish_and_clear();
    Ok(walked)
}

fn walked_json(seen: &[SegmentSeen], total: u64, walked: &Walked) -> Value {
    let stretch = |it: &FrameSeen| json!({ "file": it.file, "offset": it.offset, "bytes": it.bytes });
    json!({
        "segments": seen.len(),
        "records": walked.records,
        "first": walked.first.map(|it| it.0),
        "last": walked.last.map(|it| it.0),
        "bytes": total,
        "rot": walked.rot.iter().map(stretch).collect::<Vec<_>>(),
        "missing": walked.missing.map(|(first, last)| json!({ "first": first.0, "last": last.0 })),
        "unfinished": walked.unfinished.as_ref().map(stretch),
    })
}

fn one(args: &LogArgs, position: Position, around: &mut Surroundings<'_>) -> anyhow::Result<Exit> {
    let beside = Beside::open(&args.places)?;
    let found = Records::open_read_only(&beside.data, position)?.next().transpose()?;
    // One that begins later is the next after a gap, not the one that was asked for.
    let Some(found) = found.filter(|record| record.first <= position) else {
        let what = format!(
            "no record holds position {}, expected one of those that `{}` shows",
            position.0,
            command(&args.places, "log list")
        );
        return nothing(&what, around);
    };
    let names = record::names_of(&beside, &found);
    if args.listing.json {
        print_json(&record::json(&names, &found), around)?;
    } else {
        record::print(&names, &found, around)?;
    }
    Ok(Exit::Done)
}
