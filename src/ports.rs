//! What the rooms share: the words that pass between them and the doors they
//! pass through. A room knows `forewarn_core`, `config::plan` and this file.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use forewarn_core::event::Input;
use forewarn_core::ids::{Key, OutputId, Position, SensorIx, SourceIx, TargetIx};
use forewarn_core::level::Status;
use forewarn_core::reading::{Checked, Marks};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{Due, Revision};

use crate::log::Record;

/// A reading as taken in: found in the catalog and in its sensor's unit, but
/// not yet converted by the sensor's own rows. The driver does that under the
/// plan in force when it appends, so a reload in between repeats nothing else.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Taken {
    /// Whose value.
    pub sensor: SensorIx,
    /// In the sensor's unit, before scale, offset and datum.
    pub raw: f64,
    /// The device's own time, civil; absent where it gives none.
    pub observed: Option<Timestamp>,
    /// The device's counter, or 0.
    pub seq: u64,
    /// Hash of source, packet id and payload, for readings without device time; else 0.
    pub identity: u64,
    /// What the transport and the payload say of it.
    pub marks: Marks,
}

/// Something that came in and was not understood. It is committed like a
/// reading, with its bytes, and can be listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Which way it came in.
    pub source: SourceIx,
    /// The MQTT topic, or the HTTP path.
    pub topic: String,
    /// What came, cut at [`REFUSED_BYTES_MAX`].
    pub bytes: Bytes,
    /// Why, in words: where, what, expected.
    pub reason: String,
    /// Why, as one of a few: for counting.
    pub ground: Ground,
}

/// On what ground something was refused: the label of `forewarn_quarantined_total`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ground {
    /// The record does not say: an earlier release wrote it, or a later one knows more.
    Unsaid,
    /// Payload, or a part of it, is not as its format has it.
    Format,
    /// No such sensor is configured.
    UnknownSensor,
    /// Whoever sent it may not speak for that station.
    ForeignStation,
    /// The value is no finite number.
    Value,
    /// The unit does not convert to the sensor's.
    Unit,
    /// It is larger than its source may send.
    TooLarge,
    /// It came under a topic that no device has reason to use.
    Topic,
    /// Its sensor left the plan while it was under way.
    LeftPlan,
    /// A bug of ours stumbled over it.
    Stumbled,
    /// It belongs to the other world: a drill's in a live service, or the other way round.
    OtherWorld,
}

impl Ground {
    /// Every ground; its place here is its number in the log.
    pub const ALL: [Ground; 11] = [
        Ground::Unsaid,
        Ground::Format,
        Ground::UnknownSensor,
        Ground::ForeignStation,
        Ground::Value,
        Ground::Unit,
        Ground::TooLarge,
        Ground::Topic,
        Ground::LeftPlan,
        Ground::Stumbled,
        Ground::OtherWorld,
    ];

    /// As metrics call it.
    pub const fn word(self) -> &'static str {
        match self {
            Ground::Unsaid => "unsaid",
            Ground::Format => "format",
            Ground::UnknownSensor => "unknown_sensor",
            Ground::ForeignStation => "foreign_station",
            Ground::Value => "value",
            Ground::Unit => "unit",
            Ground::TooLarge => "too_large",
            Ground::Topic => "topic",
            Ground::LeftPlan => "left_plan",
            Ground::Stumbled => "stumbled",
            Ground::OtherWorld => "other_world",
        }
    }
}

/// Bytes kept of a refused message; the rest is cut, the reason says so.
pub const REFUSED_BYTES_MAX: usize = 64 * 1024;

/// What an ingest hands over at once: all of one network read.
#[derive(Debug, Default)]
pub struct Batch {
    /// Which way it came in.
    pub source: SourceIx,
    /// The readings, in order of arrival.
    pub taken: Vec<Taken>,
    /// What was not understood.
    pub refused: Vec<Refused>,
    /// Who is told once it is durable, and of which of its messages.
    pub acks: Option<Acks>,
    /// The canary among the readings, with how long after it the next one is due.
    pub canary: Option<Span>,
}

/// Acknowledgements owed for a batch.
#[derive(Debug)]
pub struct Acks {
    /// Whom to tell.
    pub gate: Arc<dyn Gate>,
    /// Its own tokens for the messages of the batch.
    pub tokens: Vec<u64>,
}

/// Where acknowledgements go once the log has synced. One call a commit
/// carries all tokens of that gate.
pub trait Gate: Send + Sync + std::fmt::Debug {
    /// What these tokens stand for is durable: acknowledge it. Must not block.
    fn durable(&self, tokens: &[u64]);
}

/// Tells civil time to rooms that may not ask the machine for it.
pub trait CivilClock: Send + Sync + std::fmt::Debug {
    /// Civil time now.
    fn civil(&self) -> Timestamp;
}

/// The way in to the driver. Two lanes: control goes first and may use the
/// disk reserve; readings may not.
pub trait Inbox: Send + Sync + std::fmt::Debug {
    /// Hands over a batch of readings. Full: the batch comes back untouched,
    /// to be retried or dropped unacknowledged. Never blocks.
    fn offer(&self, batch: Batch) -> Result<(), Batch>;

    /// Hands over a control input: outcomes, commands, troubles, sources, plans.
    fn control(&self, input: Input);

    /// Hands over several that belong together.
    fn controls(&self, inputs: Vec<Input>) {
        inputs.into_iter().for_each(|input| self.control(input));
    }

    /// Resolves once a further batch may fit.
    fn room(&self) -> std::pin::Pin<Box<dyn Future<Output = ()> + Send + '_>>;
}

/// Reads the log from a position on, waiting at its end for more.
pub trait Follow: Send {
    /// The next record; `None` when the log was closed and all of it was read.
    /// Blocks the calling thread while there is none.
    fn next(&mut self) -> Option<Arc<Record>>;

    /// The next record if it is there already.
    fn try_next(&mut self) -> Option<Arc<Record>>;

    /// Why it ended before the log did, in words: what it wanted next was
    /// trimmed, or cannot be read. A reader that gets no record must ask.
    fn fault(&self) -> Option<String> {
        None
    }
}

/// Keeps readings and gives them back: the shape that both stores share.
pub trait Store: Send {
    /// Keeps what stands in `rows` and all before it: an upsert, by sensor and
    /// instant. `upto` is the log position it reaches, kept in the same transaction.
    fn keep(&mut self, rows: &[Kept], upto: Position) -> anyhow::Result<()>;

    /// The position it has kept up to; it wants all after it again.
    fn cursor(&self) -> anyhow::Result<Position>;

    /// The readings of a sensor in `[from, to)`, oldest first, at most `limit` of the newest.
    fn range(
        &self,
        sensor: SensorIx,
        from: Timestamp,
        to: Timestamp,
        limit: usize,
    ) -> anyhow::Result<Vec<Kept>>;

    /// The newest reading of a sensor.
    fn latest(&self, sensor: SensorIx) -> anyhow::Result<Option<Kept>>;
}

/// A reading as kept.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Kept {
    /// The reading with its flag.
    pub checked: Checked,
    /// Civil time of its commit.
    pub received: Timestamp,
    /// Where it stands in the log.
    pub position: Position,
}

/// The last hours of a sensor, for charts: from the embedded store, so that
/// what people see in an emergency depends on no second server.
pub trait History: Send + Sync + std::fmt::Debug {
    /// Readings in `[from, to)`, oldest first; `None` when they cannot be had
    /// within two seconds (the chart is then left out, and the mail says so).
    fn recent(
        &self,
        sensor: SensorIx,
        from: Timestamp,
        to: Timestamp,
    ) -> std::pin::Pin<Box<dyn Future<Output = Option<Vec<Kept>>> + Send + '_>>;
}

/// The setup in force; a reload puts in another.
pub type Current = tokio::sync::watch::Receiver<Arc<crate::config::plan::Setup>>;

/// Opens the log for reading: the follower gives every record that ends after `after`.
pub type Reopen = Arc<dyn Fn(Position) -> Box<dyn Follow> + Send + Sync>;

/// A delivery that was released and has no outcome in the log yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Outstanding {
    /// What is to be delivered.
    pub revision: Arc<Revision>,
    /// To whom, in which round.
    pub due: Due,
    /// What the row itself says of its status, beside its revision; `None` for a word that is none.
    pub status: Option<Status>,
    /// Whether it is settled how it leaves.
    pub leaves: Leaves,
}

/// Whether it is settled how a delivery leaves: what may have been attempted
/// alone joins no digest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Leaves {
    /// Alone, or in a digest.
    #[default]
    Open,
    /// Alone.
    Alone,
}

/// A digest that was fixed, of which some deliveries have no outcome yet.
#[derive(Debug, Clone, PartialEq)]
pub struct Bundled {
    /// Its key.
    pub key: Key,
    /// Everything in it, in the order of release.
    pub members: Vec<Outstanding>,
    /// Those of them that have their outcome.
    pub decided: std::collections::BTreeSet<Key>,
}

/// That something was about to be said to a target: it takes so many messages in a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Said {
    /// To whom.
    pub target: TargetIx,
    /// Engine time.
    pub at: Timestamp,
    /// Whether it was a digest.
    pub is_digest: bool,
}

/// How long what was said is remembered: longer than any `digest.every`.
pub const SAID_KEPT: Span = Span::from_mins(60);

/// Told of every stretch of bytes that was copied, for a progress bar.
pub type Copied<'a> = &'a dyn Fn(u64);

/// Stands in the delivery key for a target that neither log nor plan names, so
/// that two of them are two. The log names targets before their first use;
/// this is for a log that lost a record.
pub fn unnamed_target(target: TargetIx) -> String {
    format!("#{}", target.0)
}

/// Whether a restored directory waits for a person's `resume`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Hold {
    /// It acts.
    #[default]
    No,
    /// It judges, and tells Trouble alone.
    UntilResumed,
}

/// What the projection knows at one position of the log, so that a courier can go on from there.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Resume {
    /// The position all of this holds at; the courier follows the log after it.
    pub cursor: Position,
    /// Civil minus engine time there.
    pub offset: Span,
    /// Whether civil time could be trusted there.
    pub trusted: bool,
    /// Whether a restored directory is held there.
    pub hold: Hold,
    /// Opaque target ids by index, as the log assigned them.
    pub targets: BTreeMap<TargetIx, String>,
    /// The first page of what is outstanding and in no digest, in the order of its release.
    pub outstanding: Vec<Outstanding>,
    /// Digests that are outstanding, whole.
    pub bundled: Vec<Bundled>,
    /// What was said within [`SAID_KEPT`], oldest first.
    pub said: Vec<Said>,
    /// Warnings that have not ended, with the highest revision number of each
    /// target that was not superseded: these targets count as attempted.
    pub told: Vec<(OutputId, TargetIx, u32)>,
}

/// What a courier reads from the projection beyond [`Resume`]. Calls block on the disk.
pub trait Archive: Send + Sync + std::fmt::Debug {
    /// The position up to which the projection has followed the log.
    fn reached(&self) -> anyhow::Result<Position>;

    /// One revision of a warning, if the projection has it.
    fn revision(&self, warning: &OutputId, number: u32) -> anyhow::Result<Option<Arc<Revision>>>;

    /// The next page of what was outstanding at `upto`, released after `after`, at most `limit`.
    fn outstanding(
        &self,
        after: &Outstanding,
        upto: Position,
        limit: usize,
    ) -> anyhow::Result<Vec<Outstanding>>;
}

/// How far the canary has come: the number of the newest round at each place.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Walk {
    /// It came to its channel, by source, log, engine and courier.
    pub arrived: u32,
    /// The projection had it as well: it came through every stage.
    pub through: u32,
    /// Somebody outside took its heartbeat; where nobody listens, as `through`.
    pub accepted: u32,
    /// Why the last attempt came to nothing, without addresses.
    pub failed: Option<String>,
}

/// A courier's note of one attempt: for people to read, never to decide by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// The delivery.
    pub key: Key,
    /// Civil time.
    pub at: Timestamp,
    /// What came of it, in words; no addresses.
    pub outcome: String,
}
