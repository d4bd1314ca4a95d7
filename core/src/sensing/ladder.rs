//! How a measure raises and leaves levels: the same for every rule kind.

use minicbor::{Decode, Encode};

use super::limits::{Levels, leaves, reaches};
use crate::finding::{Verdict, Why};
use crate::level::Level;
use crate::plan::{Raise, Rule};
use crate::time::{Span, Timestamp};

/// What a measure rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ground {
    /// A good reading: raises and leaves.
    Good,
    /// A suspect one: raises, marked as suspect; leaves nothing.
    Suspect,
    /// The end of the sensor's span after a credible rise: the truth is there or
    /// beyond, so it raises like a good one and leaves nothing.
    Censored,
}

/// One measure on its way up the ladder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measure {
    /// In the rule's unit.
    pub(crate) value: f64,
    pub(crate) ground: Ground,
    pub(crate) observed: Timestamp,
    /// Whether its reading is news; history raises nothing.
    pub(crate) news: bool,
}

/// What some of the readings support.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Track {
    /// By level: whether each of the last 32 readings reached it, the newest in bit 0.
    #[n(0)]
    history: [u32; 4],
    /// By level: since when its m of n have been met without a break; `MAX` while they are not.
    #[n(1)]
    met: [Timestamp; 4],
    /// By level: whether it is held.
    #[n(2)]
    held: [bool; 4],
}

impl Track {
    const IDLE: Track = Track { history: [0; 4], met: [Timestamp::MAX; 4], held: [false; 4] };

    /// The highest level held.
    pub(crate) fn level(&self) -> Level {
        (0..4).rev().find(|&at| self.held[at]).map_or(Level::Normal, level_at)
    }

    /// The highest level above `told` that some of its last readings reached, and not enough of them yet.
    pub(crate) fn gathering(&self, told: Level, raise: &[Raise; 4]) -> Option<Gathering> {
        (0..4).rev().filter(|&at| level_at(at) > told && !self.held[at]).find_map(|at| {
            let Raise { m, n, .. } = raise[at];
            let reached = (self.history[at] & last(n)).count_ones();
            let short = 0 < reached && reached < u32::from(m);
            short.then(|| Gathering { level: level_at(at), reached, m, n })
        })
    }

    /// Whether the newest reading that said anything reached a level.
    pub(crate) fn reached_something(&self) -> bool {
        self.history.iter().any(|history| history & 1 == 1)
    }

    fn holds(&self, level: Level) -> bool {
        level.index().checked_sub(1).is_some_and(|at| self.held[at])
    }

    fn reached(&mut self, at: usize, observed: Timestamp, raise: Raise) {
        self.push(at, 1, observed, raise);
        if self.met[at] <= observed && observed - self.met[at] >= raise.lasting {
            self.held[at] = true;
        }
    }

    fn push(&mut self, at: usize, bit: u32, observed: Timestamp, raise: Raise) {
        self.history[at] = self.history[at] << 1 | bit;
        if (self.history[at] & last(raise.n)).count_ones() < u32::from(raise.m.max(1)) {
            self.met[at] = Timestamp::MAX;
        } else if self.met[at] == Timestamp::MAX {
            self.met[at] = observed;
        }
    }

    fn forget(&mut self, at: usize) {
        self.history[at] <<= 1;
        self.met[at] = Timestamp::MAX;
        self.held[at] = false;
    }
}

/// The bits of the last n readings.
fn last(n: u8) -> u32 {
    u32::MAX >> (32 - u32::from(n.clamp(1, 32)))
}

/// A level that some readings reached, and not enough of them yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gathering {
    /// The level.
    pub level: Level,
    /// How many of the last `n` readings reached it.
    pub reached: u32,
    /// How many it takes.
    pub m: u8,
    /// Of how many.
    pub n: u8,
}

/// A level on its way.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rising {
    pub(crate) level: Level,
    /// Event time since when its m of n are met.
    pub(crate) met: Timestamp,
    /// How long they must be.
    pub(crate) lasting: Span,
    /// Whether good readings alone meet them.
    pub(crate) sound: bool,
}

/// Where one rule stands with one subject.
#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
pub(crate) struct Ladder {
    /// On every usable reading.
    #[n(0)]
    pub(crate) all: Track,
    /// On the good ones alone.
    #[n(1)]
    pub(crate) sound: Track,
    /// By level: the newest reading that reached it and was news; `MIN` for none.
    #[n(2)]
    news: [Timestamp; 4],
    /// The first reading of the breach under way.
    #[n(3)]
    pub(crate) onset: Option<Timestamp>,
    /// Whether the newest usable reading stood at the end of the span after a credible rise.
    #[n(4)]
    pub(crate) censored: bool,
}

impl Default for Ladder {
    fn default() -> Self {
        Ladder::IDLE
    }
}

impl Ladder {
    /// One on which nothing was ever reached.
    pub(crate) const IDLE: Ladder = Ladder {
        all: Track::IDLE,
        sound: Track::IDLE,
        news: [Timestamp::MIN; 4],
        onset: None,
        censored: false,
    };

    /// Takes one measure in, and says what the rule now says.
    pub(crate) fn step(&mut self, measure: Measure, limits: &Levels, rule: &Rule) -> Verdict {
        let mut reached_any = false;
        for (at, limit) in limits.iter().enumerate() {
            match *limit {
                None => {
                    self.all.forget(at);
                    self.sound.forget(at);
                }
                Some(limit) if reaches(rule.side, measure.value, limit) => {
                    reached_any = true;
                    self.reached(at, measure, rule.raise[at]);
                }
                Some(limit) => self.fell_short(at, measure, limit, rule),
            }
        }
        if reached_any {
            self.onset.get_or_insert(measure.observed);
        }
        self.censored = measure.ground == Ground::Censored;
        let level = self.all.level();
        let supported = match measure.ground {
            Ground::Good => {
                if level == Level::Normal && !reached_any {
                    self.onset = None;
                }
                return if level == Level::Normal { Verdict::Clear } else { Verdict::Breach(level) };
            }
            Ground::Suspect => reached_any && level != Level::Normal,
            Ground::Censored => level != Level::Normal,
        };
        if supported { Verdict::Breach(level) } else { Verdict::Unknown(Why::Suspect) }
    }

    fn reached(&mut self, at: usize, measure: Measure, raise: Raise) {
        if measure.news {
            self.news[at] = self.news[at].max(measure.observed);
        }
        self.all.reached(at, measure.observed, raise);
        match measure.ground {
            Ground::Good | Ground::Censored => self.sound.reached(at, measure.observed, raise),
            Ground::Suspect => {}
        }
    }

    fn fell_short(&mut self, at: usize, measure: Measure, limit: f64, rule: &Rule) {
        match measure.ground {
            Ground::Good => {}
            // It says nothing of what it does not reach: neither that it is over, nor that it was not.
            Ground::Suspect | Ground::Censored => return,
        }
        for track in [&mut self.all, &mut self.sound] {
            track.push(at, 0, measure.observed, rule.raise[at]);
            track.held[at] &= !leaves(rule.side, measure.value, limit, rule.deadband);
        }
    }

    /// One on which nothing is reached, with the news that there were.
    pub(crate) fn idle(news: [Timestamp; 4]) -> Ladder {
        Ladder { news, ..Ladder::IDLE }
    }

    /// Its news, where there is nothing else to remember: nothing held or on
    /// its way, and nothing reached in as many readings as any rule counts.
    pub(crate) fn at_rest(&self) -> Option<[Timestamp; 4]> {
        (*self == Ladder::idle(self.news)).then_some(self.news)
    }

    /// Whether the last good readings breached: a rise to the end of the span is then credible.
    pub(crate) fn is_breaching(&self) -> bool {
        self.censored || self.sound.level() > Level::Normal || self.sound.reached_something()
    }

    /// The highest level held that may be told: told already, or reached by news
    /// observed at `oldest` or later.
    pub(crate) fn told(&self, told: Level, oldest: Timestamp) -> Level {
        Level::WARNING
            .into_iter()
            .rev()
            .find(|&level| self.all.holds(level) && (level <= told || self.has_news(level, oldest)))
            .unwrap_or(Level::Normal)
    }

    fn has_news(&self, level: Level, oldest: Timestamp) -> bool {
        let news = level.index().checked_sub(1).map_or(Timestamp::MIN, |at| self.news[at]);
        news > Timestamp::MIN && news >= oldest
    }

    /// The level above `above` that will be reached first, if nothing breaks it.
    pub(crate) fn pending(&self, above: Level, oldest: Timestamp, rule: &Rule) -> Option<Rising> {
        Level::WARNING
            .into_iter()
            .zip(0..)
            .filter(|&(level, at)| level > above && !self.all.held[at] && self.has_news(level, oldest))
            .filter(|&(_, at): &(Level, usize)| self.all.met[at] < Timestamp::MAX)
            .map(|(level, at)| {
                // What good values bring by themselves has to last by them alone.
                let sound = self.sound.met[at] < Timestamp::MAX;
                let met = if sound { self.sound.met[at] } else { self.all.met[at] };
                Rising { level, met, lasting: rule.raise[at].lasting, sound }
            })
            .filter(|rising| rising.lasting > Span::ZERO)
            .min_by_key(|rising| (rising.met + rising.lasting, std::cmp::Reverse(rising.level)))
    }
}

fn level_at(at: usize) -> Level {
    Level::WARNING[at]
}
