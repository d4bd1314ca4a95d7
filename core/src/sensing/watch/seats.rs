//! Where the judges of a sensor sit, or rest.

use super::super::judge::{Judge, Rest};
use crate::ids::RuleIx;
use crate::level::Level;
use crate::time::Timestamp;

/// The judges of a sensor, by rule, in order of index: all of them sit, or all rest.
#[derive(Debug, Clone)]
pub(super) enum Seats {
    Sitting(Box<[Judge]>),
    /// The one there is rests, with nothing else to remember, as of most sensors.
    Alone {
        rule: RuleIx,
        subject: u32,
        clear: Timestamp,
    },
    Resting(Box<[Packed]>),
}

/// A judge at rest, in as few bytes as most of them need.
#[derive(Debug, Clone)]
pub(crate) struct Packed {
    rule: RuleIx,
    subject: u32,
    clear: Timestamp,
    memo: Option<Box<Memo>>,
}

/// What few of them remember besides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Memo {
    news: [Timestamp; 4],
    would: Option<(Level, Timestamp)>,
}

impl Memo {
    const NOTHING: Memo = Memo { news: [Timestamp::MIN; 4], would: None };
}

impl Default for Seats {
    fn default() -> Seats {
        Seats::Sitting(Box::default())
    }
}

impl From<Vec<Rest>> for Seats {
    fn from(rests: Vec<Rest>) -> Seats {
        let packed: Box<[Packed]> = rests.into_iter().map(Packed::from).collect();
        match packed[..] {
            [Packed { rule, subject, clear, memo: None }] => Seats::Alone { rule, subject, clear },
            _ => Seats::Resting(packed),
        }
    }
}

impl From<Rest> for Packed {
    fn from(rest: Rest) -> Packed {
        let Rest { rule, subject, clear, news, would } = rest;
        let memo = Memo { news, would };
        Packed { rule, subject, clear, memo: (memo != Memo::NOTHING).then(|| Box::new(memo)) }
    }
}

impl Packed {
    fn rest(&self) -> Rest {
        let Packed { rule, subject, clear, .. } = *self;
        let Memo { news, would } = self.memo.as_deref().copied().unwrap_or(Memo::NOTHING);
        Rest { rule, subject, clear, news, would }
    }
}

impl Seats {
    /// Those that sit.
    pub(super) fn judges(&self) -> &[Judge] {
        match self {
            Seats::Sitting(judges) => judges,
            Seats::Alone { .. } | Seats::Resting(_) => &[],
        }
    }

    pub(super) fn judges_mut(&mut self) -> &mut [Judge] {
        match self {
            Seats::Sitting(judges) => judges,
            Seats::Alone { .. } | Seats::Resting(_) => &mut [],
        }
    }

    /// Those that rest.
    pub(super) fn rests(&self) -> impl Iterator<Item = Rest> {
        let (alone, resting) = match self {
            Seats::Sitting(_) => (None, &[][..]),
            Seats::Alone { rule, subject, clear } => {
                let alone = Packed { rule: *rule, subject: *subject, clear: *clear, memo: None };
                (Some(alone.rest()), &[][..])
            }
            Seats::Resting(rests) => (None, &rests[..]),
        };
        alone.into_iter().chain(resting.iter().map(Packed::rest))
    }
}
