//! How a sensor is, where nothing stirs.

use super::super::calm::Calm;
use super::super::judge::Blind;
use super::Watch;
use crate::finding::Why;
use crate::time::Timestamp;

/// One of three that exclude each other: of what is blind nothing is known, and
/// what is calm is so by what is known of it.
#[derive(Debug, Clone, Default)]
pub(super) enum Mood {
    #[default]
    Stirred,
    /// What a quiet reading is, while every judge rests.
    Calm(Calm),
    /// Why nothing is known, where that has nothing to do with readings.
    Blind(Blind),
}

impl From<Option<Calm>> for Mood {
    fn from(calm: Option<Calm>) -> Mood {
        calm.map_or(Mood::Stirred, Mood::Calm)
    }
}

impl From<Option<Blind>> for Mood {
    fn from(blind: Option<Blind>) -> Mood {
        blind.map_or(Mood::Stirred, Mood::Blind)
    }
}

impl Watch {
    /// What a quiet reading is; `None` where there is none.
    pub(super) fn calm(&self) -> Option<&Calm> {
        match &self.mood {
            Mood::Calm(calm) => Some(calm),
            Mood::Stirred | Mood::Blind(_) => None,
        }
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm().is_some()
    }

    /// The next reading is looked at by every judge.
    pub(super) fn stir(&mut self) {
        if self.is_calm() {
            self.mood = Mood::Stirred;
        }
    }

    /// Why nothing is known, where that has nothing to do with readings.
    pub(crate) fn blind(&self) -> Option<Blind> {
        match &self.mood {
            Mood::Blind(blind) => Some(*blind),
            Mood::Stirred | Mood::Calm(_) => None,
        }
    }

    /// From now on, in civil time, nothing is known.
    pub(crate) fn turn_blind(&mut self, why: Why, since: Timestamp) {
        self.mood = Mood::Blind(Blind { why, since });
    }

    /// It says something again; gives why nothing was known until now.
    pub(super) fn see(&mut self) -> Option<Blind> {
        let blind = self.blind();
        if blind.is_some() {
            self.mood = Mood::Stirred;
        }
        blind
    }
}
