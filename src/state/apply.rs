//! From records to rows. Every row has a natural key, so that a record that
//! comes again changes nothing.

use std::sync::Arc;

use forewarn_core::event::{Decision, DeliveryOutcome, Input, TroubleReport};
use forewarn_core::ids::{IndexKind, Key, OutputId, Position, TargetIx};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{About, Due, Incident, Outcome, Revision, TroubleCode};
use rusqlite::types::{ToSql, Value};
use rusqlite::{Connection, OptionalExtension, Result, Transaction, TransactionBehavior, params};

use super::digests;
use super::orders;
use super::rows::{id_blob, phase_word};
use super::trim;
use crate::crash::{self, Before};
use crate::log::Record;
use crate::ports::{Note, Refused, unnamed_target};

/// All of it in one transaction; gives the cursor it reached.
pub(super) fn commit(
    connection: &mut Connection,
    cursor: Position,
    records: &[Arc<Record>],
    notes: &[Note],
) -> Result<Position> {
    crash::may_come(Before::Projection);
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut reached = cursor;
    let mut added = Added::default();
    for record in records {
        if record.last() <= reached {
            continue;
        }
        if record.first != reached.next() && reached != Position(0) {
            tracing::warn!(
                from = reached.0,
                to = record.first.0,
                "the log has a gap here, rows may be missing"
            );
        }
        apply(&transaction, record, &mut added)?;
        reached = record.last();
    }
    put(&transaction, "cursor", reached.0 as i64)?;
    for note in notes {
        attempt(&transaction, note)?;
    }
    if added.news {
        trim::news(&transaction)?;
    }
    if added.orders {
        trim::orders(&transaction)?;
    }
    if let Some(bytes) = added.refused_bytes {
        trim::quarantine(&transaction, bytes)?;
    }
    if let Some(now) = added.revised {
        trim::warnings(&transaction, &trim::Ended::KEPT, now)?;
    }
    if !notes.is_empty() {
        trim::attempts(&transaction)?;
    }
    transaction.commit()?;
    Ok(reached)
}

/// What was added that makes older rows go.
#[derive(Debug, Default)]
struct Added {
    /// Rows of `ledger` or `notices`.
    news: bool,
    /// Bytes of messages in quarantine.
    refused_bytes: Option<i64>,
    /// Drafts, mutes or notes.
    orders: bool,
    /// Revisions of warnings; civil time of the newest.
    revised: Option<Timestamp>,
}

/// Whether it adds a row to `ledger` or `notices`.
fn is_news(decision: &Decision) -> bool {
    match decision {
        Decision::WouldHave(_) | Decision::PlanRefused(_) | Decision::Trouble(_) => true,
        Decision::Incident(_)
        | Decision::Revision(_)
        | Decision::Resumed
        | Decision::Resent { .. }
        | Decision::Asked { .. }
        | Decision::Acknowledged { .. }
        | Decision::Refused(_)
        | Decision::Drafted(_)
        | Decision::Muted(_)
        | Decision::Noted(_)
        | Decision::Lapsed(_)
        | Decision::Canary(_) => false,
    }
}

/// Sets one value of `meta`.
pub(super) fn put(connection: &Connection, name: &str, value: impl ToSql) -> Result<()> {
    let upsert = "INSERT INTO meta (name, value) VALUES (?1, ?2)
                  ON CONFLICT (name) DO UPDATE SET value = excluded.value";
    connection.prepare_cached(upsert)?.execute(params![name, value])?;
    Ok(())
}

/// Inputs before decisions: an index assigned in a record names targets in it.
fn apply(transaction: &Transaction<'_>, record: &Record, added: &mut Added) -> Result<()> {
    for input in &record.inputs {
        match input {
            Input::Started(started) => civil(transaction, started.offset, started.trusted)?,
            Input::Clock(step) => civil(transaction, step.offset, step.trusted)?,
            Input::Outcome(outcome) => decided(transaction, outcome, record.last())?,
            Input::Bundled(bundle) => digests::fixed(transaction, bundle, record.at, record.last())?,
            Input::Assign(assigned) if assigned.kind == IndexKind::Target => {
                let upsert = "INSERT INTO targets (ix, id) VALUES (?1, ?2)
                              ON CONFLICT (ix) DO UPDATE SET id = excluded.id";
                transaction.prepare_cached(upsert)?.execute(params![assigned.index, assigned.name])?;
            }
            Input::Reading(_)
            | Input::Tick
            | Input::Plan(_)
            | Input::Source(..)
            | Input::Command(..)
            | Input::Trouble(_)
            | Input::Intake(_)
            | Input::Canary(_)
            | Input::Assign(_) => {}
        }
    }
    for (ordinal, (_, decision)) in record.decisions.iter().enumerate() {
        let place = Place { record, ordinal: ordinal as i64 };
        added.news |= is_news(decision);
        match decision {
            Decision::Incident(incident) => self::incident(transaction, incident, place)?,
            Decision::Revision(revision) => {
                self::revision(transaction, revision, place)?;
                added.revised = Some(place.civil());
            }
            Decision::WouldHave(would_have) => {
                let insert =
                    "INSERT OR IGNORE INTO ledger (position, ordinal, at, body) VALUES (?1, ?2, ?3, ?4)";
                let row = params![place.position(), place.ordinal, place.civil().0, body(would_have)];
                transaction.prepare_cached(insert)?.execute(row)?;
            }
            Decision::Trouble(report) => trouble(transaction, report, place)?,
            Decision::PlanRefused(words) => notice(transaction, "plan-refused", words, place)?,
            Decision::Resumed => {
                let delete = "DELETE FROM troubles WHERE code = ?1";
                transaction.prepare_cached(delete)?.execute([TroubleCode::Held.word()])?;
            }
            Decision::Resent { warning, number, due } => resent(transaction, warning, *number, *due, place)?,
            Decision::Asked { warning, number, asks: _, due } => {
                for due in due {
                    resent(transaction, warning, *number, *due, place)?;
                }
            }
            Decision::Drafted(_) | Decision::Muted(_) | Decision::Noted(_) => {
                added.orders |= orders::apply(transaction, decision, place.position())?;
            }
            Decision::Lapsed(warning) => {
                let update = "UPDATE warnings SET ended = 1 WHERE id = ?1";
                transaction.prepare_cached(update)?.execute([id_blob(warning)])?;
            }
            // Asked in vain: the log says so. The canary is news to nobody.
            Decision::Refused(_) | Decision::Canary(_) => {}
            Decision::Acknowledged { warning, number, target, reach } => {
                let insert = "INSERT OR IGNORE INTO acknowledgements
                              (warning, number, target, at, position, after, seen_by, seen_of)
                              VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
                let (id, at, position) = (id_blob(warning), place.civil().0, place.position());
                let (after, by, of) =
                    (reach.map(|it| it.after.0), reach.map(|it| it.seen.by), reach.map(|it| it.seen.of));
                let row = params![id, number, target.0, at, position, after, by, of];
                transaction.prepare_cached(insert)?.execute(row)?;
            }
        }
    }
    for (ordinal, refused) in record.refused.iter().enumerate() {
        let bytes = quarantine(transaction, refused, Place { record, ordinal: ordinal as i64 })?;
        added.refused_bytes = Some(added.refused_bytes.unwrap_or_default() + bytes);
    }
    Ok(())
}

/// Where in the log a row comes from.
#[derive(Clone, Copy)]
struct Place<'a> {
    record: &'a Record,
    ordinal: i64,
}

impl Place<'_> {
    fn position(self) -> i64 {
        self.record.last().0 as i64
    }

    fn civil(self) -> Timestamp {
        self.record.at + self.record.offset
    }
}

fn body<T: minicbor::Encode<()>>(of: &T) -> Vec<u8> {
    minicbor::to_vec(of).expect("encoding into a Vec cannot fail")
}

fn civil(transaction: &Transaction<'_>, offset: Span, trusted: bool) -> Result<()> {
    put(transaction, "offset", offset.0)?;
    put(transaction, "trusted", i64::from(trusted))
}

fn incident(transaction: &Transaction<'_>, incident: &Incident, place: Place<'_>) -> Result<()> {
    let upsert = "INSERT INTO incidents (hazard, area, phase, level, position, body)
                  VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                  ON CONFLICT (hazard, area) DO UPDATE SET phase = excluded.phase, level = excluded.level,
                      position = excluded.position, body = excluded.body";
    transaction.prepare_cached(upsert)?.execute(params![
        incident.cell.hazard.0,
        incident.cell.area.0,
        phase_word(incident.phase),
        incident.level.index() as i64,
        place.position(),
        body(incident),
    ])?;
    Ok(())
}

fn revision(transaction: &Transaction<'_>, revision: &Revision, place: Place<'_>) -> Result<()> {
    let about = match &revision.about {
        About::Incident(_) => "incident",
        About::Manual(_) => "manual",
        About::Trouble(_) => "trouble",
        About::NotifyTest => "notify-test",
        About::Canary(_) => "canary",
    };
    let cell = revision.about.cells().first().copied();
    let ended = revision.kind.is_last() || matches!(revision.about, About::NotifyTest);
    let warning = "INSERT INTO warnings
            (id, digest, about, hazard, area, number, level, status, ended, sent, position)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
        ON CONFLICT (id) DO UPDATE SET number = excluded.number, level = excluded.level,
            status = excluded.status, ended = excluded.ended, sent = excluded.sent,
            position = excluded.position
        WHERE excluded.number > number";
    transaction.prepare_cached(warning)?.execute(params![
        id_blob(&revision.warning),
        revision.warning.digest().0,
        about,
        cell.map(|cell| cell.hazard.0),
        cell.map(|cell| cell.area.0),
        revision.number,
        revision.level.index() as i64,
        revision.status.word(),
        i64::from(ended),
        revision.sent.0,
        place.position(),
    ])?;
    let row = "INSERT OR IGNORE INTO revisions
            (warning, number, kind, reason, level, status, sent, expires, position, ordinal, body)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    transaction.prepare_cached(row)?.execute(params![
        id_blob(&revision.warning),
        revision.number,
        revision.kind.word(),
        revision.reason.word(),
        revision.level.index() as i64,
        revision.status.word(),
        revision.sent.0,
        revision.expires.0,
        revision.id.position.0 as i64,
        revision.id.ordinal,
        body(revision),
    ])?;
    for due in &revision.due {
        delivery(transaction, revision, *due, place)?;
    }
    Ok(())
}

fn delivery(transaction: &Transaction<'_>, revision: &Revision, due: Due, place: Place<'_>) -> Result<()> {
    let name = target_name(transaction, due.target)?;
    let name = name.unwrap_or_else(|| unnamed_target(due.target));
    let key = Key::of_delivery(&revision.id, &name, due.round);
    let insert = "INSERT OR IGNORE INTO deliveries
            (key, warning, number, target, round, state, level, position, ordinal, released, status)
        VALUES (?1, ?2, ?3, ?4, ?5, 'queued', ?6, ?7, ?8, ?9, ?10)";
    transaction.prepare_cached(insert)?.execute(params![
        key.0,
        id_blob(&revision.warning),
        revision.number,
        due.target.0,
        due.round,
        revision.level.index() as i64,
        revision.id.position.0 as i64,
        revision.id.ordinal,
        place.position(),
        revision.status.word(),
    ])?;
    Ok(())
}

fn target_name(transaction: &Transaction<'_>, target: TargetIx) -> Result<Option<String>> {
    let select = "SELECT id FROM targets WHERE ix = ?1";
    transaction.prepare_cached(select)?.query_row([target.0], |row| row.get(0)).optional()
}

fn resent(
    transaction: &Transaction<'_>,
    warning: &OutputId,
    number: u32,
    due: Due,
    place: Place<'_>,
) -> Result<()> {
    let select = "SELECT body FROM revisions WHERE warning = ?1 AND number = ?2";
    let found: Option<Vec<u8>> = transaction
        .prepare_cached(select)?
        .query_row(params![id_blob(warning), number], |row| row.get(0))
        .optional()?;
    if let Some(Ok(revision)) = found.map(|body| minicbor::decode::<Revision>(&body)) {
        delivery(transaction, &revision, due, place)?;
    } else {
        tracing::error!(number, "a resend names a revision that is not in the projection");
    }
    Ok(())
}

/// The first outcome counts: what is decided stays decided.
fn decided(transaction: &Transaction<'_>, outcome: &DeliveryOutcome, at: Position) -> Result<()> {
    let (state, death) = match outcome.outcome {
        Outcome::Accepted => ("accepted", None),
        Outcome::Superseded => ("superseded", None),
        Outcome::Dead(death) => ("dead", Some(death.word())),
    };
    let update = "UPDATE deliveries SET state = ?2, death = ?3, decided = ?4
                  WHERE key = ?1 AND state = 'queued'";
    let row = params![outcome.key.0, state, death, at.0 as i64];
    if transaction.prepare_cached(update)?.execute(row)? == 0 {
        // The courier knew a name from the plan that the log did not give: its key is the true one.
        let update = "UPDATE OR IGNORE deliveries SET key = ?1, state = ?2, death = ?3, decided = ?4
                      WHERE warning = ?5 AND number = ?6 AND target = ?7 AND state = 'queued'
                          AND target NOT IN (SELECT ix FROM targets)";
        let target = outcome.target.0;
        let warning = id_blob(&outcome.warning);
        let row = params![outcome.key.0, state, death, at.0 as i64, warning, outcome.number, target];
        transaction.prepare_cached(update)?.execute(row)?;
    }
    Ok(())
}

fn trouble(transaction: &Transaction<'_>, report: &TroubleReport, place: Place<'_>) -> Result<()> {
    let TroubleReport { key, present, detail } = report;
    if *present {
        let upsert = "INSERT INTO troubles (code, subject, detail, since, position)
                      VALUES (?1, ?2, ?3, ?4, ?5)
                      ON CONFLICT (code, subject) DO UPDATE SET detail = excluded.detail,
                          position = excluded.position";
        let row = params![key.code.word(), key.subject, detail, place.civil().0, place.position()];
        transaction.prepare_cached(upsert)?.execute(row)?;
        if key.code == TroubleCode::Conflict {
            notice(transaction, "conflict", &format!("{}: {detail}", key.subject), place)?;
        }
    } else {
        let delete = "DELETE FROM troubles WHERE code = ?1 AND subject = ?2";
        transaction.prepare_cached(delete)?.execute(params![key.code.word(), key.subject])?;
    }
    Ok(())
}

fn notice(transaction: &Transaction<'_>, kind: &str, words: &str, place: Place<'_>) -> Result<()> {
    let insert = "INSERT OR IGNORE INTO notices (position, ordinal, at, kind, words)
                  VALUES (?1, ?2, ?3, ?4, ?5)";
    let row = params![place.position(), place.ordinal, place.civil().0, kind, words];
    transaction.prepare_cached(insert)?.execute(row)?;
    Ok(())
}

/// Gives the bytes it added; none for one that was there already.
fn quarantine(transaction: &Transaction<'_>, refused: &Refused, place: Place<'_>) -> Result<i64> {
    let insert = "INSERT OR IGNORE INTO quarantine
            (position, ordinal, source, topic, bytes, reason, received)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    let rows = transaction.prepare_cached(insert)?.execute(params![
        place.position(),
        place.ordinal,
        refused.source.0,
        refused.topic,
        Value::Blob(refused.bytes.to_vec()),
        refused.reason,
        place.civil().0,
    ])?;
    Ok(if rows == 0 { 0 } else { refused.bytes.len() as i64 })
}

fn attempt(transaction: &Transaction<'_>, note: &Note) -> Result<()> {
    let insert = "INSERT INTO attempts (key, at, outcome) VALUES (?1, ?2, ?3)";
    transaction.prepare_cached(insert)?.execute(params![note.key.0, note.at.0, note.outcome])?;
    Ok(())
}
