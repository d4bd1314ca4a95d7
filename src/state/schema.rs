//! The tables of `state.db`.

use forewarn_core::time::Span;

/// Rises whenever a table changes: an older file is rebuilt from the log.
pub(super) const SCHEMA_VERSION: i64 = 4;

/// Rows kept of each kind of news (`ledger`, `notices`); the oldest go.
pub const NEWS_ROWS_MAX: i64 = 10_000;
/// Drafts, mutes and notes kept in all; of those that are over the oldest go.
pub const ORDERS_ROWS_MAX: i64 = 10_000;
/// Notes of attempts kept; the oldest go.
pub const ATTEMPTS_ROWS_MAX: i64 = 200_000;
/// Messages kept in quarantine; the oldest go.
pub const QUARANTINE_ROWS_MAX: i64 = 10_000;
/// Bytes of messages kept in quarantine; the oldest go.
pub const QUARANTINE_BYTES_MAX: i64 = 64 * 1024 * 1024;

/// Of warnings that have ended the newest by number, and all whose last
/// revision is younger by the civil time of the log: whichever is more.
pub const ENDED_KEPT: (i64, Span) = (10_000, Span::from_hours(90 * 24));
/// Ended warnings that go in one transaction at most, with all their rows.
pub(super) const ENDED_STEP: i64 = 16;

/// Incidents, troubles and targets are bounded by the plans: one row a cell,
/// subject, name. Identifiers are blobs in the order of the log; times are microseconds,
/// civil unless the name says `engine`; words are those of the domain. A delivery's
/// `digest` is the key of the message that it leaves in, once that is fixed: its
/// own where it leaves alone. `digests` has a row a message; of
/// messages of one delivery, those of the last hour.
pub(super) const SCHEMA: &str = "
CREATE TABLE meta (
    name TEXT PRIMARY KEY, value ANY NOT NULL
) STRICT, WITHOUT ROWID;
CREATE TABLE targets (
    ix INTEGER PRIMARY KEY, id TEXT NOT NULL
) STRICT;
CREATE TABLE incidents (
    hazard INTEGER NOT NULL, area INTEGER NOT NULL, phase TEXT NOT NULL, level INTEGER NOT NULL,
    position INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (hazard, area)
) STRICT, WITHOUT ROWID;
CREATE TABLE warnings (
    id BLOB PRIMARY KEY, digest BLOB NOT NULL UNIQUE, about TEXT NOT NULL, hazard INTEGER, area INTEGER,
    number INTEGER NOT NULL, level INTEGER NOT NULL, status TEXT NOT NULL, ended INTEGER NOT NULL,
    sent INTEGER NOT NULL, position INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX warnings_recent ON warnings (ended, position);
CREATE TABLE revisions (
    warning BLOB NOT NULL, number INTEGER NOT NULL, kind TEXT NOT NULL, reason TEXT NOT NULL,
    level INTEGER NOT NULL, status TEXT NOT NULL, sent INTEGER NOT NULL, expires INTEGER NOT NULL,
    position INTEGER NOT NULL, ordinal INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (warning, number)
) STRICT;
CREATE TABLE deliveries (
    key BLOB PRIMARY KEY, warning BLOB NOT NULL, number INTEGER NOT NULL, target INTEGER NOT NULL,
    round INTEGER NOT NULL, status TEXT NOT NULL, state TEXT NOT NULL, death TEXT, level INTEGER NOT NULL,
    position INTEGER NOT NULL, ordinal INTEGER NOT NULL, released INTEGER NOT NULL, decided INTEGER,
    digest BLOB
) STRICT, WITHOUT ROWID;
CREATE INDEX deliveries_by_warning ON deliveries (warning, number, target);
CREATE INDEX deliveries_queued ON deliveries (position, ordinal, target, round) WHERE state = 'queued';
CREATE INDEX deliveries_by_digest ON deliveries (digest, position, ordinal) WHERE digest IS NOT NULL;
CREATE INDEX deliveries_dead ON deliveries (decided) WHERE state = 'dead';
CREATE TABLE digests (
    key BLOB PRIMARY KEY, target INTEGER NOT NULL, members INTEGER NOT NULL, level INTEGER NOT NULL,
    position INTEGER NOT NULL, at_engine INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX digests_by_time ON digests (at_engine);
CREATE TABLE acknowledgements (
    warning BLOB NOT NULL, number INTEGER NOT NULL, target INTEGER NOT NULL, at INTEGER NOT NULL,
    after INTEGER, seen_by INTEGER, seen_of INTEGER,
    position INTEGER NOT NULL, PRIMARY KEY (warning, target, position)
) STRICT, WITHOUT ROWID;
CREATE TABLE attempts (
    id INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL, at INTEGER NOT NULL, outcome TEXT NOT NULL
) STRICT;
CREATE INDEX attempts_by_key ON attempts (key);
CREATE TABLE troubles (
    code TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL, since INTEGER NOT NULL,
    position INTEGER NOT NULL, PRIMARY KEY (code, subject)
) STRICT, WITHOUT ROWID;
CREATE TABLE orders (
    kind TEXT NOT NULL, id BLOB NOT NULL, number INTEGER, state TEXT NOT NULL, warning BLOB,
    position INTEGER NOT NULL, body BLOB NOT NULL, PRIMARY KEY (kind, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX orders_of_warning ON orders (warning) WHERE warning IS NOT NULL;
CREATE TABLE ledger (
    position INTEGER NOT NULL, ordinal INTEGER NOT NULL, at INTEGER NOT NULL, body BLOB NOT NULL,
    PRIMARY KEY (position, ordinal)
) STRICT, WITHOUT ROWID;
CREATE TABLE notices (
    position INTEGER NOT NULL, ordinal INTEGER NOT NULL, at INTEGER NOT NULL, kind TEXT NOT NULL,
    words TEXT NOT NULL, PRIMARY KEY (position, ordinal)
) STRICT, WITHOUT ROWID;
CREATE TABLE quarantine (
    id INTEGER PRIMARY KEY AUTOINCREMENT, position INTEGER NOT NULL, ordinal INTEGER NOT NULL,
    source INTEGER NOT NULL, topic TEXT NOT NULL, bytes BLOB NOT NULL, reason TEXT NOT NULL,
    received INTEGER NOT NULL, UNIQUE (position, ordinal)
) STRICT;
";
