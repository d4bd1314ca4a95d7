//! The incident machine: what one cell becomes, and what is said of it.

use super::concern::Losses;
use super::outages::delay;
use super::vote::{Vote, Word};
use super::votes::{Count, Held, Terms, Votes};
use super::warnings::Sent;
use super::{Intake, concern};
use crate::ids::RuleIx;
use crate::level::Level;
use crate::plan::{OutageTell, Plan};
use crate::time::{Moment, Timestamp};
use crate::warning::{Incident, Kind, Phase, Reason};

/// All that one judgement rests on.
#[derive(Debug)]
pub(super) struct Sight<'a> {
    pub(super) votes: &'a Votes,
    /// Who went blind since it opened.
    pub(super) losses: &'a Losses,
    /// The open incident, if any.
    pub(super) incident: Option<&'a Incident>,
    /// Its warning as sent so far.
    pub(super) sent: Option<&'a Sent>,
    /// Whether any rule can find anything here.
    pub(super) ruled: Ruled,
    /// What people have still to be told, whatever changes.
    pub(super) owed: Owed,
    /// Whom the plan routes the incident's level to, where nobody has heard yet.
    pub(super) routed: Routed,
    /// Whether readings are taken.
    pub(super) intake: Intake,
    pub(super) terms: Terms<'a>,
    pub(super) moment: Moment,
}

/// Whether a rule of the plan can find anything in a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Ruled {
    Yes,
    No,
}

/// What people have still to be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Owed {
    /// Only what changes.
    Changes,
    /// How things stand: a restored directory was released.
    Standing,
    /// Nothing at all: a restored directory is held.
    Nothing,
}

/// Whether anyone would hear of an incident at its level.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Routed {
    /// Somebody would, now.
    Yes,
    /// Nobody now; but somebody's hours begin at this instant of engine time.
    NotBefore(Timestamp),
    /// Nobody, or that is not the question: somebody has heard.
    No,
}

/// What a cell becomes, and what is said of it.
#[derive(Debug, PartialEq)]
pub(super) struct Judged {
    /// The incident from now on; its own id and warning are the caller's to fill in.
    pub(super) incident: Incident,
    /// What goes out.
    pub(super) say: Option<(Kind, Reason)>,
}

/// The table: what becomes of a cell now. `None`: there is no incident, and none opens.
pub(super) fn judge(sight: &Sight<'_>) -> Option<Judged> {
    let at = sight.moment.at;
    let raise = sight.votes.supported(Word::Tip, Count::Apart, at, sight.terms);
    let awaited = sight.votes.awaited(at).is_some();
    let judged = match sight.incident {
        None if raise > Level::Normal => open(&Incident { opened: at, ..Incident::default() }, raise, sight),
        None if awaited => Judged {
            incident: Incident {
                phase: Phase::Pending,
                level: sight.votes.awaited_level(at),
                opened: at,
                onset: onset(sight),
                ..Incident::default()
            },
            say: None,
        },
        None => return None,
        Some(incident) => match incident.phase {
            Phase::Pending if raise > Level::Normal => open(incident, raise, sight),
            Phase::Pending if awaited => {
                let level = sight.votes.awaited_level(at);
                Judged { incident: Incident { level, ..incident.clone() }, say: None }
            }
            Phase::Pending => {
                let (phase, level) = (Phase::Watching, Level::Normal);
                Judged { incident: Incident { phase, level, ..incident.clone() }, say: None }
            }
            Phase::Active | Phase::Easing => ongoing(incident, raise, sight),
            Phase::Watching | Phase::Closed => return None,
        },
    };
    match sight.owed {
        Owed::Changes | Owed::Standing => Some(judged),
        Owed::Nothing => Some(Judged { say: None, ..judged }),
    }
}

/// When the cell has to be judged again though nothing new comes.
pub(super) fn due(sight: &Sight<'_>) -> Option<Timestamp> {
    let &Sight { votes, terms, .. } = sight;
    let at = sight.moment.at;
    let mut dues = vec![votes.awaited(at)];
    if let Some(incident) = sight.incident.filter(|it| matches!(it.phase, Phase::Active | Phase::Easing)) {
        let hold = votes.hold(incident, at, terms.plan);
        let missed = votes.missed(incident, at, terms);
        if !incident.orphaned {
            dues.push(match held(incident.level, incident, sight) {
                Held::On => None,
                Held::Until(end) => Some(end),
            });
        }
        if incident.stale {
            dues.push(lost_since(&missed).map(|since| since + hold).filter(|_| incident.intermittent));
        } else {
            dues.push(tell_at(&missed, terms.plan));
            dues.push(
                votes.good_since(incident, at).map(|back| back + hold).filter(|_| incident.intermittent),
            );
        }
        dues.push(sight.losses.next(at, terms.plan));
        if sight.owed != Owed::Nothing {
            dues.push(match sight.routed {
                Routed::NotBefore(hours) => Some(hours),
                Routed::Yes | Routed::No => None,
            });
            dues.push(sight.sent.map(|sent| sent.renewal(&sight.terms.plan.settings, sight.moment)));
        }
    }
    dues.into_iter().flatten().filter(|&due| due > at).min()
}

fn onset(sight: &Sight<'_>) -> Timestamp {
    sight.votes.onset(sight.moment.at).unwrap_or(sight.moment.civil())
}

/// The first word.
fn open(incident: &Incident, level: Level, sight: &Sight<'_>) -> Judged {
    let settled = sight.votes.supported(Word::Settled, Count::Apart, sight.moment.at, sight.terms);
    let incident = Incident {
        phase: Phase::Active,
        level,
        peak: level,
        onset: onset(sight),
        confirmed: settled > Level::Normal,
        ..incident.clone()
    };
    Judged { incident, say: Some((Kind::Alert, Reason::Raised)) }
}

/// An incident that people have been told of.
fn ongoing(incident: &Incident, raise: Level, sight: &Sight<'_>) -> Judged {
    let &Sight { votes, terms, .. } = sight;
    let at = sight.moment.at;
    let settled = votes.supported(Word::Settled, Count::Apart, at, terms);
    let mut next = incident.clone();
    next.confirmed |= settled > Level::Normal;
    // With nothing left that could clear it, it stands until a person ends it.
    next.orphaned = sight.ruled == Ruled::No || votes.is_forsaken(incident, at);
    let floor = if next.orphaned { incident.level } else { floor(incident, sight) };
    next.level = raise.max(floor);
    next.peak = incident.peak.max(next.level);
    // What is still to settle holds the level; the phase says how it looks now.
    let stands = votes.supported(Word::Tip, Count::Each, at, terms) > Level::Normal;
    next.phase = if next.level == Level::Normal {
        Phase::Closed
    } else if stands || next.orphaned {
        Phase::Active
    } else if votes.is_unsure(incident, at) || !votes.is_vouched(incident, at) {
        incident.phase
    } else {
        Phase::Easing
    };
    let (seen, lost) = (blindness(&mut next, sight), losses(&mut next, sight));
    let say = if next.phase == Phase::Closed {
        let reason = if next.confirmed { Reason::Eased } else { Reason::Unconfirmed };
        (next.stale, next.intermittent) = (false, false);
        Some((Kind::AllClear, reason))
    } else {
        words(incident, &next, seen.or(lost), sight).map(|reason| (Kind::Update, reason))
    };
    Judged { incident: next, say }
}

/// What a standing incident has to say; each revision is complete in itself,
/// so that the weightiest reason speaks for all.
fn words(before: &Incident, next: &Incident, seen: Option<Reason>, sight: &Sight<'_>) -> Option<Reason> {
    let told = sight.sent.map_or(Level::Normal, |sent| sent.newest.level);
    if next.level > before.level {
        Some(Reason::Upgraded)
    } else if next.orphaned && !before.orphaned {
        Some(Reason::Orphaned)
    } else if next.level < before.level {
        Some(Reason::Downgraded)
    } else if seen.is_some() {
        seen
    } else if before.orphaned && !next.orphaned && !next.stale && is_seen(next, sight) {
        Some(Reason::Seen)
    } else if sight.owed == Owed::Standing {
        Some(match next.level.cmp(&told) {
            std::cmp::Ordering::Greater => Reason::Upgraded,
            std::cmp::Ordering::Equal => Reason::Renewed,
            std::cmp::Ordering::Less => Reason::Downgraded,
        })
    } else {
        let sent = sight.sent?;
        let unheard = sent.is_unheard() && sight.routed == Routed::Yes;
        (unheard || sent.renewal(&sight.terms.plan.settings, sight.moment) <= sight.moment.at)
            .then_some(Reason::Renewed)
    }
}

/// Whether somebody can say how things stand there.
fn is_seen(incident: &Incident, sight: &Sight<'_>) -> bool {
    let at = sight.moment.at;
    sight.votes.is_vouched(incident, at)
        || sight.votes.supported(Word::Tip, Count::Each, at, sight.terms) > Level::Normal
}

/// The level below which it may not fall now.
fn floor(incident: &Incident, sight: &Sight<'_>) -> Level {
    let at = sight.moment.at;
    let holds = |level: &Level| match held(*level, incident, sight) {
        Held::On => true,
        Held::Until(end) => at < end,
    };
    let lower = Level::WARNING.into_iter().rev().filter(|&level| level <= incident.level);
    lower.into_iter().find(holds).unwrap_or(Level::Normal)
}

/// Until when a level is held.
fn held(level: Level, incident: &Incident, sight: &Sight<'_>) -> Held {
    match sight.intake {
        Intake::Taken => sight.votes.held(level, incident, sight.moment.at, sight.terms),
        // What was read last says nothing of how things stand now.
        Intake::Stopped => Held::On,
    }
}

/// Marks it stale or seen again, and says what is to be told of that: lost and
/// back once a hold, then that it is intermittent.
fn blindness(next: &mut Incident, sight: &Sight<'_>) -> Option<Reason> {
    let &Sight { votes, terms, .. } = sight;
    let at = sight.moment.at;
    let hold = votes.hold(next, at, terms.plan);
    let missed = votes.missed(next, at, terms);
    let was_stale = next.stale;
    // That what was lost has left the plan is no sight of it.
    let out_of_sight = !missed.is_empty() || !votes.is_vouched(next, at);
    let is_due = || tell_at(&missed, terms.plan).is_some_and(|due| due <= at);
    next.stale = out_of_sight && (was_stale || is_due());
    let told_stale = sight.sent.is_some_and(|sent| sent.newest.stale);
    match (was_stale, next.stale) {
        (false, true) if next.intermittent || !tells_targets(&missed, terms.plan) => None,
        (false, true) if next.blind_told.is_some_and(|told| at < told + hold) => {
            next.intermittent = true;
            Some(Reason::Intermittent)
        }
        (false, true) => {
            next.blind_told = Some(at);
            Some(Reason::Blind)
        }
        (true, false) => (told_stale && !next.intermittent).then_some(Reason::Seen),
        // No longer now and then, but gone.
        (true, true) if next.intermittent && lost_since(&missed).is_some_and(|since| since + hold <= at) => {
            (next.intermittent, next.blind_told) = (false, Some(at));
            Some(Reason::Blind)
        }
        (true, true) => None,
        (false, false) => {
            let good = votes.good_since(next, at).is_some_and(|back| back + hold <= at);
            let over = next.intermittent && good;
            next.intermittent &= !over;
            over.then_some(Reason::Seen)
        }
    }
}

/// Whether so many more sensors are lost that people have to hear of it, though
/// the level does not rest on them. Once they are seen again for a whole hold,
/// the next loss is news.
fn losses(next: &mut Incident, sight: &Sight<'_>) -> Option<Reason> {
    let &Sight { votes, losses, terms, .. } = sight;
    let at = sight.moment.at;
    let lost = losses.apart(at, terms.plan);
    if concern::is_news(next.lost, lost) {
        (next.lost, next.loss_told) = (lost, Some(at));
        // What no rule supports any more was told as such.
        let is_told = !next.orphaned && losses.rules().any(|rule| tells(rule, terms.plan));
        return is_told.then_some(Reason::Blind);
    }
    let hold = votes.hold(next, at, terms.plan);
    if !concern::is_of_concern(lost) && next.loss_told.is_some_and(|told| told + hold <= at) {
        (next.lost, next.loss_told) = (0, None);
    }
    None
}

fn tells_targets(missed: &[&Vote], plan: &Plan) -> bool {
    missed.iter().any(|vote| tells(vote.finding.rule, plan))
}

/// Whether those who were warned are told where a rule cannot see.
fn tells(rule: RuleIx, plan: &Plan) -> bool {
    plan.rule(rule).is_none_or(|rule| match rule.outage {
        OutageTell::SameTargets => true,
        OutageTell::Operator => false,
    })
}

fn lost_since(missed: &[&Vote]) -> Option<Timestamp> {
    missed.iter().filter_map(|vote| vote.lost()).min()
}

/// When a loss is told: one interval after it, so that a short gap is none.
fn tell_at(missed: &[&Vote], plan: &Plan) -> Option<Timestamp> {
    missed.iter().filter_map(|vote| Some(vote.lost()? + delay(vote.finding.sensor, plan))).min()
}
