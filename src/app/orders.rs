//! What people order, as every way in asks for it: the control socket, and
//! whatever else speaks to the desk. Names become indices here; what is decided,
//! the step decides.

use forewarn_core::authority::{By, Denied};
use forewarn_core::event::{Command, Decision, Input};
use forewarn_core::ids::{AreaIx, HazardIx, Key, OutputId, RuleIx, SensorIx, StationIx};
use forewarn_core::level::Level;
use forewarn_core::orders::{
    Digest, Draft, Ending, Issue, Mute, MutePhase, Proposal, Quiet, Refusal, Silence, Stage, Subject, Text,
    Texts,
};
use forewarn_core::plan::Plan;
use forewarn_core::time::Span;
use forewarn_core::warning::{Kind, Revision};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::control::Response;
use super::desk::{Desk, find_cell};
use crate::state::{OrderRow, StateError};

/// Longest text of an order, characters.
pub const TEXT_MAX: usize = 2000;

/// What somebody wrote in one language.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextBody {
    /// What is the matter.
    pub headline: String,
    /// What to do; empty is what is always said at the level.
    #[serde(default)]
    pub instruction: String,
}

/// What somebody wrote, in both languages.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextsBody {
    /// Chinese.
    pub zh: TextBody,
    /// English.
    pub en: TextBody,
}

/// What is muted, by name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Named {
    /// An area's id.
    Area(String),
    /// A hazard.
    Hazard(String),
    /// `hazard@area`.
    Cell(String),
    /// A rule's id.
    Rule(String),
    /// `station/quantity`.
    Sensor(String),
    /// A station's id.
    Station(String),
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "order", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Order {
    /// Draft a warning by hand.
    Draft {
        /// Its hazard.
        hazard: String,
        /// Ids of its areas.
        areas: Vec<String>,
        /// The word of its level.
        level: String,
        /// What it says.
        texts: TextsBody,
        /// How long it holds, seconds.
        lasting_s: u32,
        /// Id of the standing warning by hand that it brings up to date.
        #[serde(default)]
        updates: Option<String>,
    },
    /// Approve a draft as it was when it had this digest.
    Approve {
        /// Its number.
        draft: u32,
        /// 64 hexadecimal digits.
        digest: String,
    },
    /// Take a draft back.
    Withdraw {
        /// Its number.
        draft: u32,
        /// Why.
        reason: String,
    },
    /// Silence something, accountably.
    Mute {
        /// What.
        what: Named,
        /// The highest level that is hidden.
        up_to: String,
        /// Why.
        reason: String,
        /// How long, seconds.
        lasting_s: u32,
    },
    /// Plan work on a sensor or a station.
    Maintenance {
        /// Which.
        what: Named,
        /// Why.
        reason: String,
        /// How long until it begins, seconds.
        after_s: u32,
        /// How long it lasts, seconds.
        lasting_s: u32,
    },
    /// End a mute or a window before its time.
    Unmute {
        /// Its number.
        mute: u32,
    },
    /// Correct what a standing warning says.
    Correct {
        /// Its id, whole.
        warning: String,
        /// What it says from now on.
        texts: TextsBody,
    },
    /// Leave a note.
    Note {
        /// Id of the warning it is about; none for the shift.
        #[serde(default)]
        warning: Option<String>,
        /// What it says.
        text: String,
    },
    /// Say that the danger is over.
    AllClear {
        /// Id of the warning, whole.
        warning: String,
        /// Why.
        reason: String,
    },
    /// Say that a warning was issued in error.
    Cancel {
        /// Id of the warning, whole.
        warning: String,
        /// Why; empty says just that.
        #[serde(default)]
        reason: String,
    },
}

/// Why an order was not carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Undone {
    /// The step refused it.
    Refused(Refusal),
    /// It names something that is not there, in words.
    Unknown(String),
    /// The projection cannot be read.
    Unreadable(String),
    /// The service is stopping.
    Stopping,
    /// The engine stumbled over it: it is in quarantine.
    Quarantined,
}

impl From<StateError> for Undone {
    fn from(error: StateError) -> Self {
        Undone::Unreadable(error.to_string())
    }
}

/// What came of an order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Done {
    /// The draft that it made or moved on.
    pub draft: Option<Draft>,
    /// The mute or window that it made or moved on.
    pub mute: Option<Mute>,
    /// What was said.
    pub revision: Option<Revision>,
}

impl Done {
    fn of(decisions: &[Decision]) -> Done {
        let mut done = Done::default();
        for decision in decisions {
            match decision {
                Decision::Drafted(draft) => done.draft = Some(draft.clone()),
                Decision::Muted(mute) => done.mute = Some(mute.clone()),
                Decision::Revision(revision) if !revision.about.cells().is_empty() => {
                    done.revision = Some(revision.clone());
                }
                _ => {}
            }
        }
        done
    }

    /// What to tell a person.
    pub fn sentence(&self) -> String {
        match self {
            Done { revision: Some(it), .. } => {
                let word = match it.kind {
                    Kind::Alert => "a warning",
                    Kind::Update => "an update",
                    Kind::AllClear => "the all-clear",
                    Kind::Cancel => "that it was issued in error",
                };
                let to = match it.due.len() {
                    1 => "1 target is".to_owned(),
                    count => format!("{count} targets are"),
                };
                format!("{to} told: {word}, {}, revision {}", it.level, it.number)
            }
            Done { mute: Some(it), .. } => match (&it.phase, it.silence.quiet) {
                (MutePhase::Planned, _) => format!("window {} is planned", it.number),
                (MutePhase::Holding, Quiet::Muted) => format!("mute {} holds", it.number),
                (MutePhase::Holding, Quiet::Maintenance) => format!("window {} holds", it.number),
                (MutePhase::Over(_), _) => format!("{} is over", it.number),
            },
            Done { draft: Some(it), .. } => match it.stage {
                Stage::Waiting => format!(
                    "draft {} waits for another person: nobody is told yet; its digest is {}",
                    it.number, it.digest
                ),
                Stage::Withdrawn(..) => format!("draft {} is withdrawn", it.number),
                Stage::Approved(_) | Stage::Expired | Stage::SentUnapproved => {
                    format!("draft {} is {}", it.number, it.stage.word())
                }
            },
            Done { draft: None, mute: None, revision: None } => "noted".to_owned(),
        }
    }

    /// The same for machines.
    pub fn json(&self) -> Value {
        json!({
            "done": true,
            "draft": self.draft.as_ref().map(|it| json!({
                "number": it.number, "digest": it.digest.to_string(), "stage": it.stage.word(),
                "targets": it.targets.len(),
            })),
            "mute": self.mute.as_ref().map(|it| json!({ "number": it.number, "phase": it.phase.word() })),
            "warning": self.revision.as_ref().map(|it| json!({
                "id": it.warning.digest().to_string(), "number": it.number, "kind": it.kind.word(),
                "targets": it.due.len(),
            })),
        })
    }
}

impl Undone {
    /// What to tell a person.
    pub fn sentence(&self) -> String {
        match self {
            Undone::Refused(refusal) => refusal_sentence(*refusal),
            Undone::Unknown(what) => what.clone(),
            Undone::Unreadable(what) => format!("what stands cannot be read: {what}"),
            Undone::Stopping => "the service is stopping".to_owned(),
            Undone::Quarantined => "the engine stumbled over it; see `forewarn quarantine`".to_owned(),
        }
    }

    /// The word for machines.
    pub fn word(&self) -> &'static str {
        match self {
            Undone::Refused(refusal) => refusal.word(),
            Undone::Unknown(_) => "unknown",
            Undone::Unreadable(_) => "unreadable",
            Undone::Stopping => "stopping",
            Undone::Quarantined => "quarantined",
        }
    }
}

/// Why the step refused, for a person.
fn refusal_sentence(refusal: Refusal) -> String {
    match refusal {
        Refusal::Denied(Denied::Role(role)) => {
            return format!("this account may not, expected one with the role {role} or above");
        }
        Refusal::Denied(Denied::Scope) => "this account may not do that there: its areas are others",
        Refusal::Held => "the service is held since it was restored or copied: nothing goes out until `resume`",
        Refusal::Unknown => "there is no such draft, mute or standing warning",
        Refusal::Texts => "expected a headline in zh and en, and what to do in both or in neither",
        Refusal::Own => "whoever drafted it cannot approve it, expected another account",
        Refusal::Decided => "it was decided on before: nothing follows from it now",
        Refusal::Changed => "it is not what you had before you any more; look at it again, then approve its new digest",
        Refusal::TargetsChanged => {
            "the plan now routes it to others than those it was drafted for: the approval is void; \
             look at it again, then approve its new digest"
        }
        Refusal::Nobody => "nobody is routed to hear of it, expected a route for this hazard, level and area",
        Refusal::Lasting => "it would last for no time, or longer than it may (orders.mute_max; 7 days for a warning)",
        Refusal::TooMany => "as many stand as may, expected some of them to be ended first",
        Refusal::Kind => "that cannot be done with it, expected a warning of a danger, or for maintenance a sensor or station",
        Refusal::NotInPlan => "expected an area, hazard, rule, sensor or station of the plan, and a warning level",
        Refusal::Empty => "expected words that say why",
    }
    .to_owned()
}

impl Desk {
    /// Carries out what somebody orders.
    pub async fn order(&self, order: &Order, by: By) -> Result<Done, Undone> {
        let command = self.understood(order)?;
        let answer =
            self.parts.inbox.answer(vec![Input::Command(command, by)]).await.ok_or(Undone::Stopping)?;
        if answer.quarantined {
            return Err(Undone::Quarantined);
        }
        let refused = answer.decisions.iter().find_map(|decision| match decision {
            Decision::Refused(refusal) => Some(*refusal),
            _ => None,
        });
        refused.map_or_else(|| Ok(Done::of(&answer.decisions)), |refusal| Err(Undone::Refused(refusal)))
    }

    /// The command that an order means under the plan in force.
    fn understood(&self, order: &Order) -> Result<Command, Undone> {
        let plan = self.parts.picture.borrow().plan.clone();
        let seconds = |seconds: u32| Span::from_secs(i64::from(seconds));
        Ok(match order {
            Order::Draft { hazard, areas, level, texts, lasting_s, updates } => {
                let areas = areas.iter().map(|id| area(&plan, id)).collect::<Result<_, _>>()?;
                let updates = updates.as_deref().map(|id| self.warning_id(id)).transpose()?;
                let (hazard, level) = (self::hazard(&plan, hazard)?, self::level(level)?);
                let (texts, lasting) = (self::texts(texts)?, seconds(*lasting_s));
                Command::Propose(Proposal::Warning(Issue { hazard, areas, level, texts, lasting, updates }))
            }
            Order::Approve { draft, digest } => {
                let digest = Digest::parse(digest)
                    .ok_or_else(|| Undone::Unknown("expected a digest of 64 hexadecimal digits".into()))?;
                Command::Approve(self.numbered::<Draft>(*draft)?.id, digest)
            }
            Order::Withdraw { draft, reason } => {
                Command::Withdraw(self.numbered::<Draft>(*draft)?.id, text(reason)?)
            }
            Order::Mute { what, up_to, reason, lasting_s } => {
                let (what, up_to) = (subject(&plan, what)?, level(up_to)?);
                let (quiet, after, reason) = (Quiet::Muted, Span::ZERO, text(reason)?);
                let lasting = seconds(*lasting_s);
                Command::Propose(Proposal::Silence(Silence { what, quiet, up_to, reason, after, lasting }))
            }
            Order::Maintenance { what, reason, after_s, lasting_s } => {
                let (what, up_to) = (subject(&plan, what)?, Level::Red);
                let (quiet, reason) = (Quiet::Maintenance, text(reason)?);
                let (after, lasting) = (seconds(*after_s), seconds(*lasting_s));
                Command::Propose(Proposal::Silence(Silence { what, quiet, up_to, reason, after, lasting }))
            }
            Order::Unmute { mute } => Command::Unmute(self.numbered::<Mute>(*mute)?.id),
            Order::Correct { warning, texts } => {
                Command::Correct(self.warning_id(warning)?, self::texts(texts)?)
            }
            Order::Note { warning, text } => {
                let warning = warning.as_deref().map(|id| self.warning_id(id)).transpose()?;
                Command::Note(warning, self::text(text)?)
            }
            Order::AllClear { warning, reason } => {
                Command::End(self.warning_id(warning)?, Ending::AllClear, text(reason)?)
            }
            Order::Cancel { warning, reason } => {
                Command::End(self.warning_id(warning)?, Ending::Cancel, text(reason)?)
            }
        })
    }

    fn numbered<T: OrderRow>(&self, number: u32) -> Result<T, Undone> {
        let found = self.parts.state.order::<T>(number)?;
        found.ok_or_else(|| Undone::Unknown(format!("there is no {} {number}", T::KIND)))
    }

    fn warning_id(&self, id: &str) -> Result<OutputId, Undone> {
        let found = Key::parse(id).map(|key| self.parts.state.warning(key)).transpose()?.flatten();
        let newest = found.as_ref().and_then(|found| found.revisions.last());
        newest.map(|newest| newest.warning).ok_or_else(|| {
            let list = self.hint("warnings list");
            Undone::Unknown(format!("no warning has the id {id}, expected one of `{list}`"))
        })
    }

    /// Whom somebody at the control socket speaks as.
    pub(super) fn speaker(&self, account: Option<&str>) -> Result<By, String> {
        let Some(account) = account else { return Ok(By::default()) };
        let setup = self.parts.current.borrow();
        if setup.shell_accounts.iter().any(|known| known == account) {
            Ok(By::shell(account))
        } else {
            Err(format!(
                "account {account:?} may not be spoken as here, expected one of orders.shell_accounts"
            ))
        }
    }
}

/// What came of an order, as the control socket says it.
pub(super) fn answered(came: &Result<Done, Undone>, json: bool) -> Response {
    match (came, json) {
        (Ok(done), true) => Response::done(done.json().to_string()),
        (Ok(done), false) => Response::done(done.sentence()),
        (Err(undone), true) => {
            let why = json!({ "done": false, "why": undone.word(), "what": undone.sentence() });
            Response::refused(why.to_string())
        }
        (Err(undone), false) => Response::refused(undone.sentence()),
    }
}

fn text(written: &str) -> Result<String, Undone> {
    let length = written.chars().count();
    if length > TEXT_MAX {
        return Err(Undone::Unknown(format!("a text of {length} characters, expected {TEXT_MAX} at most")));
    }
    Ok(written.to_owned())
}

fn texts(written: &TextsBody) -> Result<Texts, Undone> {
    let one = |it: &TextBody| {
        Ok::<_, Undone>(Text { headline: text(&it.headline)?, instruction: text(&it.instruction)? })
    };
    Ok(Texts { zh: one(&written.zh)?, en: one(&written.en)? })
}

fn level(word: &str) -> Result<Level, Undone> {
    let level = Level::parse(word).filter(|level| *level > Level::Normal);
    level
        .ok_or_else(|| Undone::Unknown(format!("{word:?} is no level, expected blue, yellow, orange or red")))
}

fn unknown(kind: &str, name: &str) -> Undone {
    Undone::Unknown(format!("{name:?} is no {kind} of the plan in force"))
}

fn area(plan: &Plan, id: &str) -> Result<AreaIx, Undone> {
    index(&plan.areas, |area| area.id == id).map(AreaIx).ok_or_else(|| unknown("area", id))
}

fn hazard(plan: &Plan, name: &str) -> Result<HazardIx, Undone> {
    let found = plan.hazards.iter().position(|own| own == name);
    found.map(|ix| HazardIx(ix as u32)).ok_or_else(|| unknown("hazard", name))
}

fn subject(plan: &Plan, named: &Named) -> Result<Subject, Undone> {
    Ok(match named {
        Named::Area(id) => Subject::Area(area(plan, id)?),
        Named::Hazard(name) => Subject::Hazard(hazard(plan, name)?),
        Named::Cell(word) => {
            Subject::Cell(find_cell(plan, word).ok_or_else(|| unknown("hazard@area", word))?)
        }
        Named::Rule(id) => {
            let found = index(&plan.rules, |rule| rule.id == *id);
            Subject::Rule(found.map(RuleIx).ok_or_else(|| unknown("rule", id))?)
        }
        Named::Sensor(id) => {
            let found = index(&plan.sensors, |sensor| sensor.id == *id);
            Subject::Sensor(found.map(SensorIx).ok_or_else(|| unknown("sensor", id))?)
        }
        Named::Station(id) => {
            let found = index(&plan.stations, |station| station.id == *id);
            Subject::Station(found.map(StationIx).ok_or_else(|| unknown("station", id))?)
        }
    })
}

fn index<T>(table: &[Option<T>], is_it: impl Fn(&T) -> bool) -> Option<u32> {
    (0..).zip(table).find(|(_, it)| it.as_ref().is_some_and(&is_it)).map(|(ix, _)| ix)
}
