//! `InfluxDB` 2, for the long history: line protocol out, Flux back in.
//!
//! The log is its outbox. A server that is away for hours gets all of it
//! later, from the cursor on; writing a point twice is the same as once.

mod files;
mod line;
mod wire;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, anyhow};
use forewarn_core::ids::{LogId, Position, SensorIx, SourceIx};
use forewarn_core::plan::Plan;
use forewarn_core::reading::{Checked, Flag, Marks, Reading};
use forewarn_core::time::Timestamp;
use influxdb2::api::query::FluxRecord;
use tokio_util::sync::CancellationToken;

use super::{Batching, Member, Refusals};
use crate::config::plan::Influx as Settings;
use crate::ports::{Kept, Store};
use files::{DeadLetters, Progress};
use line::{NANOS, Names};
use wire::{Wire, quoted};

pub use files::DEAD_LETTER_BYTES_MAX;

/// Lines in one request.
const LINES_MAX: usize = 5_000;
/// How long a reading waits for others.
const WAIT: Duration = Duration::from_secs(1);
/// The cursor is put on the disk at most so often: what comes after it is
/// only sent again.
const CURSOR_EVERY: Duration = Duration::from_secs(1);
/// How far the server has got.
const CURSOR_FILE: &str = "influx.cursor";
/// The points it would not take.
const DEAD_FILE: &str = "influx-refused.lp";

/// One bucket of an `InfluxDB` 2 server, and how far it has got.
#[derive(Debug)]
pub struct Influx {
    wire: Wire,
    names: Names,
    progress: Progress,
    progress_file: PathBuf,
    persisted: Position,
    persisted_at: Option<Instant>,
    dead: DeadLetters,
    /// Of a batch that could not be sent whole: where it ends, and how many of
    /// its readings are settled.
    partly: (Position, usize),
    body: Vec<u8>,
    lines: Vec<Range<usize>>,
}

impl Influx {
    /// For the log `log`, which ends at `end`. Connects to nothing yet.
    pub fn open(
        settings: &Settings,
        data: &Path,
        (log, end): (LogId, Position),
        stop: CancellationToken,
    ) -> anyhow::Result<Influx> {
        let server = format!("{} {} {}", settings.url, settings.org, settings.bucket);
        let progress_file = data.join(CURSOR_FILE);
        let progress = Progress::read(&progress_file, &log.to_string(), &server, end);
        Ok(Influx {
            wire: Wire::new(settings, stop)?,
            names: Names::default(),
            persisted: Position(progress.cursor),
            persisted_at: None,
            progress,
            progress_file,
            dead: DeadLetters::at(data.join(DEAD_FILE)),
            partly: (Position(0), 0),
            body: vec![],
            lines: vec![],
        })
    }

    /// Sends one request's worth of readings, and buries what cannot be stored.
    fn send(&mut self, rows: &[Kept]) -> anyhow::Result<()> {
        self.body.clear();
        self.lines.clear();
        let mut unwritable = vec![];
        for row in rows {
            let start = self.body.len();
            match self.names.line(row, &mut self.body) {
                Ok(()) => self.lines.push(start..self.body.len()),
                Err(why) => unwritable.push((row.position, why)),
            }
        }
        let mut dead = vec![];
        self.wire.store(&self.body, &self.lines, &mut dead)?;
        for (position, why) in unwritable {
            let row = format!("# at log position {}\n", position.0);
            self.dead.bury(&row, 1, &why.to_string());
        }
        for it in dead {
            let line = it.line.and_then(|line| self.body.get(self.lines[line].clone())).unwrap_or_default();
            self.dead.bury(&String::from_utf8_lossy(line), it.points, &it.reason);
        }
        Ok(())
    }

    fn persist(&mut self) -> anyhow::Result<()> {
        let written = self.progress.write(&self.progress_file);
        written.with_context(|| format!("cannot write {}", self.progress_file.display()))?;
        self.persisted = Position(self.progress.cursor);
        self.persisted_at = Some(Instant::now());
        Ok(())
    }

    /// Points of a sensor in a span of nanoseconds, the newest `limit`.
    fn points(&self, sensor: SensorIx, nanos: Range<i64>, limit: usize) -> anyhow::Result<Vec<Kept>> {
        let (measurement, station) =
            self.names.sensor(sensor).ok_or_else(|| anyhow!("sensor #{} is in no plan", sensor.0))?;
        let mut flux = String::new();
        // Each field apart, not pivoted: a cell that is empty cannot be read back.
        write!(
            flux,
            "from(bucket: {}) |> range(start: time(v: {}), stop: time(v: {})) \
             |> filter(fn: (r) => r._measurement == {} and r.station == {}) \
             |> filter(fn: (r) => contains(value: r._field, set: {FIELDS})) \
             |> group(columns: [\"_field\"]) |> sort(columns: [\"_time\"], desc: true) |> limit(n: {limit}) \
             |> map(fn: (r) => ({{_field: r._field, _value: r._value, ns: int(v: r._time), \
             series: (if exists r.area then r.area else \"\") + \" \" + (if exists r.unit then r.unit else \"\")}}))",
            self.wire.bucket(),
            nanos.start,
            nanos.end,
            quoted(measurement),
            quoted(station),
        )?;
        Ok(assemble(sensor, &self.wire.query(flux)?))
    }

    /// The newest instant a sensor has a point at, nanoseconds.
    fn newest(&self, sensor: SensorIx) -> anyhow::Result<Option<i64>> {
        let (measurement, station) =
            self.names.sensor(sensor).ok_or_else(|| anyhow!("sensor #{} is in no plan", sensor.0))?;
        let flux = format!(
            "from(bucket: {}) |> range(start: time(v: {}), stop: time(v: {})) \
             |> filter(fn: (r) => r._measurement == {} and r.station == {} and r._field == \"value\") \
             |> last() |> map(fn: (r) => ({{ns: int(v: r._time)}}))",
            self.wire.bucket(),
            NANOS.start(),
            NANOS.end(),
            quoted(measurement),
            quoted(station),
        );
        let found = self.wire.query(flux)?;
        Ok(found.iter().filter_map(|record| record.values.get("ns")?.i64()).max())
    }
}

const FIELDS: &str = r#"["value", "flag", "marks", "received", "position"]"#;

/// Puts fields together that belong to one point. Of two series of a sensor
/// (its area or unit changed) the later in the log counts.
#[expect(
    clippy::redundant_closure_for_method_calls,
    reason = "`influxdb2` does not name the type of its values"
)]
fn assemble(sensor: SensorIx, records: &[FluxRecord]) -> Vec<Kept> {
    let mut points: BTreeMap<(i64, String), BTreeMap<String, f64>> = BTreeMap::new();
    for record in records {
        let text = |name: &str| record.values.get(name).and_then(|value| value.string());
        let number = record.values.get("_value").and_then(|value| value.f64());
        let nanos = record.values.get("ns").and_then(|value| value.i64());
        if let (Some(nanos), Some(field), Some(number)) = (nanos, text("_field"), number) {
            points.entry((nanos, text("series").unwrap_or_default())).or_default().insert(field, number);
        }
    }
    let mut rows: Vec<Kept> = vec![];
    for ((nanos, _), fields) in &points {
        let Some(kept) = point(sensor, nanos.div_euclid(1_000), fields) else { continue };
        match rows.last_mut().filter(|last| last.checked.reading.observed == kept.checked.reading.observed) {
            Some(last) if last.position > kept.position => {}
            Some(last) => *last = kept,
            None => rows.push(kept),
        }
    }
    rows
}

/// A reading from its fields; `None` for a point that is none of ours.
fn point(sensor: SensorIx, observed: i64, fields: &BTreeMap<String, f64>) -> Option<Kept> {
    let reading = Reading {
        sensor,
        source: SourceIx::default(),
        observed: Timestamp(observed),
        value: *fields.get("value")?,
        seq: 0,
        identity: 0,
        marks: Marks(*fields.get("marks")? as u8),
    };
    Some(Kept {
        checked: Checked { reading, flag: Flag::from_number(*fields.get("flag")? as u8)? },
        received: Timestamp(*fields.get("received")? as i64),
        position: Position(*fields.get("position")? as u64),
    })
}

fn nanos(at: Timestamp) -> i64 {
    at.0.saturating_mul(1_000).clamp(*NANOS.start(), *NANOS.end())
}

impl Store for Influx {
    fn keep(&mut self, rows: &[Kept], upto: Position) -> anyhow::Result<()> {
        let done = if self.partly.0 == upto { self.partly.1 } else { 0 };
        self.partly = (upto, done);
        for portion in rows.get(done..).unwrap_or_default().chunks(LINES_MAX) {
            self.send(portion)?;
            self.partly.1 += portion.len();
        }
        self.progress.cursor = self.progress.cursor.max(upto.0);
        if self.persisted_at.is_none_or(|at| at.elapsed() >= CURSOR_EVERY) {
            self.persist()?;
        }
        self.partly = (Position(0), 0);
        Ok(())
    }

    fn cursor(&self) -> anyhow::Result<Position> {
        Ok(Position(self.progress.cursor))
    }

    fn range(
        &self,
        sensor: SensorIx,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> anyhow::Result<Vec<Kept>> {
        let span = nanos(from)..nanos(to);
        // The server takes an empty span for a mistake.
        if span.is_empty() || limit == 0 {
            return Ok(vec![]);
        }
        self.points(sensor, span, limit)
    }

    fn latest(&self, sensor: SensorIx) -> anyhow::Result<Option<Kept>> {
        let Some(newest) = self.newest(sensor)? else { return Ok(None) };
        Ok(self.points(sensor, newest..newest.saturating_add(1), 1)?.pop())
    }
}

impl Member for Influx {
    fn name(&self) -> &'static str {
        "influxdb"
    }

    fn batching(&self) -> Batching {
        Batching { readings: LINES_MAX, wait: WAIT }
    }

    fn plan_is(&mut self, plan: &dyn Fn() -> Arc<Plan>) {
        self.names = Names::of(&plan());
    }

    fn gap(&mut self, first: Position, last: Position) -> anyhow::Result<()> {
        self.progress.gap(first, last);
        self.progress.cursor = self.progress.cursor.max(last.0);
        self.persist()
    }

    /// The bucket has a retention of its own.
    fn expire(&mut self, _: Timestamp) -> anyhow::Result<()> {
        Ok(())
    }

    fn rest(&mut self) -> anyhow::Result<()> {
        let due = self.persisted_at.is_none_or(|at| at.elapsed() >= CURSOR_EVERY);
        if self.persisted.0 != self.progress.cursor && due { self.persist() } else { Ok(()) }
    }

    fn finish(&mut self) -> anyhow::Result<()> {
        self.persist()
    }

    fn synced(&self) -> Position {
        self.persisted
    }

    fn refusals(&self) -> Option<Refusals> {
        self.dead.refusals()
    }
}

/// Forgets a cursor that is ahead of the log: all that is kept is sent again.
pub(super) fn forget_after(data: &Path, end: Position) -> std::io::Result<()> {
    match cursor_of(data) {
        Some(cursor) if cursor > end => std::fs::remove_file(data.join(CURSOR_FILE)),
        Some(_) | None => Ok(()),
    }
}

/// How far the server has got by what stands on the disk; `None` when nothing does.
pub(super) fn cursor_of(data: &Path) -> Option<Position> {
    let text = std::fs::read_to_string(data.join(CURSOR_FILE)).ok()?;
    Some(Position(serde_json::from_str::<Progress>(&text).ok()?.cursor))
}
