//! What people ordered: drafts, mutes, notes.

use forewarn_core::ids::AreaIx;
use forewarn_core::orders::{
    Draft, Issue, Mute, MutePhase, Note, Proposal, Quiet, Silence, Stage, Subject, Text,
};
use forewarn_core::plan::Plan;
use forewarn_core::time::Span;
use schemars::JsonSchema;
use serde::Serialize;

use super::names::Names;

/// What one person proposed and another must approve.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct DraftView {
    /// As people call it: drafts and mutes are counted together.
    pub number: u32,
    /// What an approval must name.
    pub digest: String,
    /// `waiting`, `approved`, `withdrawn`, `expired` or `sent-unapproved`.
    pub stage: &'static str,
    /// The account that drafted it.
    pub by: String,
    /// The account that approved it or took it back.
    pub decided_by: Option<String>,
    /// When it was drafted.
    pub made: String,
    /// How many targets it goes to.
    pub targets: usize,
    /// The warning that is proposed.
    pub warning: Option<IssueView>,
    /// The silence that is proposed.
    pub silence: Option<SilenceView>,
}

/// A warning by hand, as it is planned.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct IssueView {
    /// Of what.
    pub hazard: String,
    /// Where, by id.
    pub areas: Vec<String>,
    /// How high.
    pub level: &'static str,
    /// What it says in Chinese.
    pub zh: TextView,
    /// What it says in English.
    pub en: TextView,
    /// How long it holds.
    pub lasting_secs: i64,
}

/// What is said in one language.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TextView {
    /// What is the matter.
    pub headline: String,
    /// What to do.
    pub instruction: String,
}

/// What is to be silent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SilenceView {
    /// `area`, `hazard`, `cell`, `rule`, `sensor` or `station`.
    pub what: &'static str,
    /// Which one.
    pub subject: String,
    /// `muted` or `maintenance`.
    pub kind: &'static str,
    /// The highest level that it hides.
    pub up_to: &'static str,
    /// Why.
    pub reason: String,
    /// How long it lasts.
    pub lasting_secs: i64,
}

/// A silence that stands, or stood.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MuteView {
    /// As people call it.
    pub number: u32,
    /// `planned`, `holding` or `over`.
    pub phase: &'static str,
    /// What is silent, and why.
    pub silence: SilenceView,
    /// The account that answers for it.
    pub owner: String,
    /// The account that approved it, where it took two.
    pub approved: Option<String>,
    /// When it begins.
    pub begins: String,
    /// When it ends, unless ended before.
    pub ends: String,
}

/// What one shift leaves for the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NoteView {
    /// Id of the warning it belongs to; `null` for the shift as a whole.
    pub warning: Option<String>,
    /// The account that wrote it.
    pub by: String,
    /// When.
    pub at: String,
    /// What it says.
    pub text: String,
}

impl DraftView {
    /// Of a draft.
    pub fn of(it: &Draft, names: Names<'_>) -> DraftView {
        let (warning, silence) = match &it.proposal {
            Proposal::Warning(issue) => (Some(IssueView::of(issue, names)), None),
            Proposal::Silence(silence) => (None, Some(SilenceView::of(silence, names))),
        };
        DraftView {
            number: it.number,
            digest: it.digest.to_string(),
            stage: it.stage.word(),
            by: it.by.clone(),
            decided_by: match &it.stage {
                Stage::Approved(by) | Stage::Withdrawn(by, _) => Some(by.clone()),
                Stage::Waiting | Stage::Expired | Stage::SentUnapproved => None,
            },
            made: names.time(it.made),
            targets: it.targets.len(),
            warning,
            silence,
        }
    }

    /// Where it is; `None` where it is nobody's area alone.
    pub fn areas(it: &Draft, plan: &Plan) -> Option<Vec<AreaIx>> {
        match &it.proposal {
            Proposal::Warning(issue) => Some(issue.areas.clone()),
            Proposal::Silence(silence) => area(silence.what, plan).map(|area| vec![area]),
        }
    }
}

impl IssueView {
    fn of(it: &Issue, names: Names<'_>) -> IssueView {
        let text =
            |it: &Text| TextView { headline: it.headline.clone(), instruction: it.instruction.clone() };
        IssueView {
            hazard: names.0.hazard(it.hazard).to_owned(),
            areas: it.areas.iter().map(|&area| names.area(area)).collect(),
            level: it.level.word(),
            zh: text(&it.texts.zh),
            en: text(&it.texts.en),
            lasting_secs: secs(it.lasting),
        }
    }
}

impl SilenceView {
    fn of(it: &Silence, names: Names<'_>) -> SilenceView {
        let (what, subject) = match it.what {
            Subject::Area(area) => ("area", names.area(area)),
            Subject::Hazard(hazard) => ("hazard", names.0.hazard(hazard).to_owned()),
            Subject::Cell(cell) => ("cell", names.cell(cell)),
            Subject::Rule(rule) => ("rule", names.rule(rule)),
            Subject::Sensor(sensor) => ("sensor", names.sensor(sensor)),
            Subject::Station(station) => (
                "station",
                names.0.station(station).map_or_else(|| format!("#{}", station.0), |it| it.id.to_string()),
            ),
        };
        let kind = match it.quiet {
            Quiet::Muted => "muted",
            Quiet::Maintenance => "maintenance",
        };
        let (up_to, reason, lasting_secs) = (it.up_to.word(), it.reason.clone(), secs(it.lasting));
        SilenceView { what, subject, kind, up_to, reason, lasting_secs }
    }
}

impl MuteView {
    /// Of a mute.
    pub fn of(it: &Mute, names: Names<'_>) -> MuteView {
        MuteView {
            number: it.number,
            phase: it.phase.word(),
            silence: SilenceView::of(&it.silence, names),
            owner: it.owner.clone(),
            approved: it.approved.clone(),
            begins: names.time(it.begins),
            ends: names.time(it.begins + (it.until - it.from)),
        }
    }

    /// Whether it holds, or will.
    pub fn stands(it: &Mute) -> bool {
        !matches!(it.phase, MutePhase::Over(_))
    }

    /// Where it is; `None` where it is nobody's area alone.
    pub fn area(it: &Mute, plan: &Plan) -> Option<AreaIx> {
        area(it.silence.what, plan)
    }
}

impl NoteView {
    /// Of a note.
    pub fn of(it: &Note, names: Names<'_>) -> NoteView {
        NoteView {
            warning: it.warning.map(|warning| warning.digest().to_string()),
            by: it.by.clone(),
            at: names.time(it.at),
            text: it.text.clone(),
        }
    }
}

fn secs(span: Span) -> i64 {
    span.0 / 1_000_000
}

fn area(subject: Subject, plan: &Plan) -> Option<AreaIx> {
    let of_station = |ix| plan.station(ix).map(|station| station.area);
    match subject {
        Subject::Area(area) => Some(area),
        Subject::Cell(cell) => Some(cell.area),
        Subject::Sensor(sensor) => of_station(plan.sensor(sensor)?.station),
        Subject::Station(station) => of_station(station),
        Subject::Hazard(_) | Subject::Rule(_) => None,
    }
}
