//! An alert as CAP 1.2 has it: what may stand in one, and in no other way.

use forewarn_core::level::{Certainty, Level, Severity, Status, Urgency};
use forewarn_core::plan::Settings;
use forewarn_core::time::Timestamp;

use crate::channels::show;
use crate::config::plan::Category;

/// One alert, complete in itself: an update replaces all that was said before.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    /// Of this alert and of no other, for good.
    pub identifier: String,
    /// Who sends it.
    pub sender: String,
    /// When it was said.
    pub sent: Time,
    /// Whether people must act on it.
    pub status: Status,
    /// What it is.
    pub kind: MsgType,
    /// Whom it is for.
    pub scope: Scope,
    /// What whoever passes it on must know: that it is a drill, why it was cancelled.
    pub note: Option<String>,
    /// The alerts that it replaces, oldest first.
    pub references: Vec<Reference>,
    /// What it is about, the same for all alerts of a warning.
    pub incident: String,
    /// The same in every language.
    pub infos: Vec<Info>,
}

/// CAP `msgType`, as far as a warning is any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MsgType {
    /// The first word that anybody heard.
    Alert,
    /// Replaces what was said before; the all-clear too.
    Update,
    /// What was said before was said in error.
    Cancel,
}

impl MsgType {
    /// The word CAP uses.
    pub const fn word(self) -> &'static str {
        match self {
            MsgType::Alert => "Alert",
            MsgType::Update => "Update",
            MsgType::Cancel => "Cancel",
        }
    }
}

/// CAP `scope`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// For everybody.
    Public,
    /// For whom the restriction says.
    Restricted(String),
}

impl Scope {
    /// The word CAP uses.
    pub const fn word(&self) -> &'static str {
        match self {
            Scope::Public => "Public",
            Scope::Restricted(_) => "Restricted",
        }
    }
}

/// An instant as CAP writes it: to the second, with the site's offset, and
/// `-00:00` where that is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Time {
    /// Civil time.
    pub at: Timestamp,
    /// As written.
    pub text: String,
}

impl Time {
    /// Civil time at the site.
    pub fn of(at: Timestamp, settings: &Settings) -> Time {
        let text = show::rfc3339_local(at, settings);
        let text = text.strip_suffix("+00:00").map(|text| format!("{text}-00:00")).unwrap_or(text);
        Time { at, text }
    }
}

/// An alert that another one replaces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reference {
    /// Its sender.
    pub sender: String,
    /// Its identifier.
    pub identifier: String,
    /// When it was sent.
    pub sent: Time,
}

/// What is said in one language.
#[derive(Debug, Clone, PartialEq)]
pub struct Info {
    /// The language, as RFC 3066 has it.
    pub language: String,
    /// What kind of danger.
    pub category: Category,
    /// What kind of danger, in words.
    pub event: String,
    /// What kind of answer it calls for.
    pub response: Response,
    /// When people must act.
    pub urgency: Urgency,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub certainty: Certainty,
    /// The hazard, as configuration calls it.
    pub hazard: String,
    /// When the breach began.
    pub onset: Time,
    /// Until when it holds.
    pub expires: Time,
    /// The site's name.
    pub sender_name: String,
    /// One line.
    pub headline: String,
    /// What is known.
    pub description: String,
    /// What to do.
    pub instruction: String,
    /// Where there is more.
    pub web: Option<String>,
    /// The level, its colour word, and what else CAP has no element for.
    pub parameters: Vec<(&'static str, String)>,
    /// Where.
    pub areas: Vec<Area>,
}

/// CAP `responseType`, as far as we say any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Response {
    /// Take shelter, or stay in it.
    Shelter,
    /// Leave, as instructed.
    Evacuate,
    /// Make ready.
    Prepare,
    /// Carry out what is planned, as instructed.
    Execute,
    /// Watch.
    Monitor,
    /// The danger is over.
    AllClear,
    /// Nothing.
    None,
}

impl Response {
    /// The word CAP uses.
    pub const fn word(self) -> &'static str {
        match self {
            Response::Shelter => "Shelter",
            Response::Evacuate => "Evacuate",
            Response::Prepare => "Prepare",
            Response::Execute => "Execute",
            Response::Monitor => "Monitor",
            Response::AllClear => "AllClear",
            Response::None => "None",
        }
    }

    /// What the built-in instructions for a hazard at a level call for.
    pub fn to(hazard: &str, level: Level) -> Response {
        match (level, hazard) {
            (Level::Normal, _) => Response::AllClear,
            (Level::Blue, _) => Response::Monitor,
            (Level::Yellow, _) => Response::Prepare,
            (Level::Red, "flood" | "flash-flood" | "surge" | "landslide") => Response::Evacuate,
            (Level::Red, "rain") => Response::Shelter,
            // What exactly stands in the instruction.
            (Level::Orange | Level::Red, _) => Response::Execute,
        }
    }
}

/// CAP's category of a hazard, where configuration names none.
pub fn category(hazard: &str) -> Category {
    match hazard {
        "flood" | "flash-flood" | "surge" | "rain" | "wind" | "heat" | "cold" | "drought" => Category::Met,
        "landslide" | "debris-flow" | "earthquake" | "tsunami" | "avalanche" | "volcano" => Category::Geo,
        "fire" => Category::Fire,
        "gas" => Category::Cbrne,
        "smoke" => Category::Env,
        "dam" => Category::Infra,
        _ => Category::Other,
    }
}

/// Where.
#[derive(Debug, Clone, PartialEq)]
pub struct Area {
    /// In words.
    pub description: String,
    /// Closed rings of latitude and longitude, degrees on WGS-84.
    pub polygons: Vec<Vec<(f64, f64)>>,
    /// Names of systems of codes, and the area's code in each.
    pub geocodes: Vec<(String, String)>,
}
