//! What a row is when read, and the words in it.

use forewarn_core::finding::WouldHave;
use forewarn_core::ids::{Key, LogId, OutputId, Position, RunId, SourceIx, TargetIx};
use forewarn_core::level::Status;
use forewarn_core::orders::Note;
use forewarn_core::plan::Plan;
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{Death, Phase, Reach, Revision, Seen};

/// Reach is told for these times after the newest news: how many had acknowledged it by then.
pub const REACH_WITHIN: [Span; 3] = [Span::from_mins(5), Span::from_mins(15), Span::from_mins(60)];

/// A warning with its newest revision.
#[derive(Debug, Clone, PartialEq)]
pub struct WarningRow {
    /// The newest revision, whole.
    pub newest: Revision,
    /// The name of the warning outside: digest of its id.
    pub digest: Key,
    /// Whether no further revision can come.
    pub ended: bool,
}

/// A warning with all that is known of it.
#[derive(Debug, Clone, PartialEq)]
pub struct WarningDetail {
    /// The name of the warning outside: digest of its id.
    pub digest: Key,
    /// Whether no further revision can come.
    pub ended: bool,
    /// Oldest first.
    pub revisions: Vec<Revision>,
    /// In order of revision and target.
    pub deliveries: Vec<DeliveryRow>,
    /// Oldest first.
    pub acknowledgements: Vec<Acknowledgement>,
    /// What people noted of it, oldest first.
    pub notes: Vec<Note>,
}

impl WarningDetail {
    /// The newest revision that was news; 0 where none was.
    pub fn news(&self) -> u32 {
        let newest = self.revisions.iter().rev().find(|it| it.reason.is_news());
        newest.map_or(0, |it| it.number)
    }

    /// How many of how many people had acknowledged the newest news within each of [`REACH_WITHIN`].
    pub fn reach(&self, plan: &Plan) -> [(Span, Seen); REACH_WITHIN.len()] {
        let news = self.news();
        let of = plan.contacts(self.deliveries.iter().map(|it| it.target));
        REACH_WITHIN.map(|within| {
            let by = self.acknowledgements.iter().filter(|it| it.number >= news);
            let by = by.filter_map(|it| it.reach).filter(|it| it.after <= within).count();
            (within, Seen { by: by as u32, of })
        })
    }
}

/// That somebody has a warning before them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Which revision they had.
    pub number: u32,
    /// At which address it had reached them.
    pub target: TargetIx,
    /// Civil time of it.
    pub at: Timestamp,
    /// What it added to the warning's reach, where it added anything.
    pub reach: Option<Reach>,
}

/// Where a delivery stands, as the log has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// Released, without an outcome.
    Queued,
    /// The receiver took it.
    Accepted,
    /// A later revision overtook it.
    Superseded,
    /// It was given up.
    Dead(Death),
}

/// One delivery, with the courier's newest note of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeliveryRow {
    /// The same at every attempt.
    pub key: Key,
    /// The warning.
    pub warning: OutputId,
    /// Which revision.
    pub number: u32,
    /// To whom.
    pub target: TargetIx,
    /// The target's opaque id; empty where the log gave none.
    pub target_id: String,
    /// Which repeat.
    pub round: u32,
    /// Where it stands.
    pub state: DeliveryState,
    /// Attempts noted.
    pub attempts: u32,
    /// Civil time and words of the newest note.
    pub note: Option<(Timestamp, String)>,
    /// The digest it leaves in, or left in.
    pub digest: Option<Key>,
}

/// What a delivery's page shows: the newest revision of its warning, and who has seen it.
#[derive(Debug, Clone, PartialEq)]
pub struct DeliveryPage {
    /// The newest revision, whole.
    pub newest: Revision,
    /// Whose page it is.
    pub target: TargetIx,
    /// Everyone who was told of the warning.
    pub told: Vec<TargetIx>,
    /// Those who acknowledged it as it holds now, with civil time.
    pub acknowledged: Vec<(TargetIx, Timestamp)>,
}

/// One trouble that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TroubleRow {
    /// As `TroubleCode::word`.
    pub code: String,
    /// With what.
    pub subject: String,
    /// In words.
    pub detail: String,
    /// Civil time of its beginning.
    pub since: Timestamp,
}

/// A breach that came too late to warn.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LedgerRow {
    /// Civil time of its commit.
    pub at: Timestamp,
    /// What would have been warned of.
    pub would_have: WouldHave,
}

/// A refused plan, or a conflict of two readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Civil time of its commit.
    pub at: Timestamp,
    /// `plan-refused` or `conflict`.
    pub kind: String,
    /// In words.
    pub words: String,
}

/// Something that came in and was not understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantineRow {
    /// For asking for it again.
    pub id: i64,
    /// The record it was committed with.
    pub position: Position,
    /// Which way it came in.
    pub source: SourceIx,
    /// The MQTT topic, or the HTTP path.
    pub topic: String,
    /// What came.
    pub bytes: Vec<u8>,
    /// Why, in words.
    pub reason: String,
    /// Civil time of its commit.
    pub received: Timestamp,
}

/// An output's id as a key: in the order of the log within a run.
pub(super) fn id_blob(id: &OutputId) -> [u8; 36] {
    let mut blob = [0; 36];
    blob[..16].copy_from_slice(&id.log.0);
    blob[16..24].copy_from_slice(&id.run.0.to_be_bytes());
    blob[24..32].copy_from_slice(&id.position.0.to_be_bytes());
    blob[32..].copy_from_slice(&id.ordinal.to_be_bytes());
    blob
}

/// Reads what [`id_blob`] wrote.
pub(super) fn id_from(blob: [u8; 36]) -> OutputId {
    let eight = |from: usize| {
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&blob[from..from + 8]);
        u64::from_be_bytes(bytes)
    };
    let (mut log, mut ordinal) = ([0; 16], [0; 4]);
    log.copy_from_slice(&blob[..16]);
    ordinal.copy_from_slice(&blob[32..]);
    OutputId {
        log: LogId(log),
        run: RunId(eight(16)),
        position: Position(eight(24)),
        ordinal: u32::from_be_bytes(ordinal),
    }
}

/// A state from its two columns; `None` for words this version does not know.
pub(super) fn state_from(state: &str, death: Option<&str>) -> Option<DeliveryState> {
    match state {
        "queued" => Some(DeliveryState::Queued),
        "accepted" => Some(DeliveryState::Accepted),
        "superseded" => Some(DeliveryState::Superseded),
        "dead" => {
            let death = Death::ALL.into_iter().find(|known| Some(known.word()) == death)?;
            Some(DeliveryState::Dead(death))
        }
        _ => None,
    }
}

/// A status from its column; `None` for a word that is none.
pub(super) fn status_from(word: &str) -> Option<Status> {
    [Status::Actual, Status::Exercise, Status::Test].into_iter().find(|status| status.word() == word)
}

/// The word in rows and answers.
pub(crate) fn phase_word(phase: Phase) -> &'static str {
    match phase {
        Phase::Watching => "watching",
        Phase::Pending => "pending",
        Phase::Active => "active",
        Phase::Easing => "easing",
        Phase::Closed => "closed",
    }
}
