//! What people order, as every way in asks for it: the control socket, and
//! whatever else speaks to the desk. Names become indices here; what is decided,
//! the step decides.

mod came;
pub(super) mod denial;

use forewarn_core::authority::By;
use forewarn_core::event::{Command, Decision, Input};
use forewarn_core::ids::{AreaIx, HazardIx, Key, OutputId, RuleIx, SensorIx, StationIx};
use forewarn_core::level::Level;
use forewarn_core::orders::{
    Digest, Draft, Ending, Issue, Mute, Proposal, Quiet, Silence, Subject, Text, Texts,
};
use forewarn_core::plan::Plan;
use forewarn_core::time::Span;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(super) use self::came::answered;
pub use self::came::{Done, Undone};
use super::desk::{Desk, find_cell};
use crate::state::OrderRow;

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

impl Desk {
    /// Carries out what somebody orders.
    pub async fn order(&self, order: &Order, by: By) -> Result<Done, Undone> {
        let command = self.understood(order)?;
        if let Some(phrase) = denial::denied(&command) {
            return Err(Undone::Unknown(denial::sentence(phrase)));
        }
        let answer = self
            .parts
            .inbox
            .answer(vec![Input::Command(Box::new(command), by)])
            .await
            .ok_or(Undone::Stopping)?;
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
            let found = index(&plan.sensors, |sensor| *sensor.id == **id);
            Subject::Sensor(found.map(SensorIx).ok_or_else(|| unknown("sensor", id))?)
        }
        Named::Station(id) => {
            let found = index(&plan.stations, |station| *station.id == **id);
            Subject::Station(found.map(StationIx).ok_or_else(|| unknown("station", id))?)
        }
    })
}

fn index<T>(table: &[Option<T>], is_it: impl Fn(&T) -> bool) -> Option<u32> {
    (0..).zip(table).find(|(_, it)| it.as_ref().is_some_and(&is_it)).map(|(ix, _)| ix)
}
