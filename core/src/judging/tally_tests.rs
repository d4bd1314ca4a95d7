//! The running counts against asking every vote, over random histories.

use proptest::prelude::*;

use super::domains::are_apart;
use super::index::Index;
use super::vote::{Vote, Word};
use super::votes::{Count, Held, Terms, Votes};
use super::world;
use crate::finding::{Finding, Pending, Verdict, Why};
use crate::ids::{RuleIx, SensorIx};
use crate::level::Level;
use crate::plan::Plan;
use crate::time::{Span, Timestamp};
use crate::warning::Incident;

/// Gauges under two rules: of one voice, and of three.
const DOMAINS: &[&[u32]] = &[&[0], &[0], &[1], &[1, 2], &[2], &[], &[], &[3], &[3], &[]];

fn plan() -> Plan {
    let mut plan = world::gauges(DOMAINS);
    let all = 0..DOMAINS.len() as u32;
    plan.rules = vec![Some(world::rule(all.clone(), 1)), Some(world::rule(all, 3))];
    plan.rules[1].as_mut().expect("the second of two").hold = Span::from_mins(90);
    for (at, sensor) in plan.sensors.iter_mut().flatten().enumerate() {
        sensor.lateness = Span::from_mins(at as i64 * 20);
    }
    plan
}

#[derive(Debug, Clone)]
enum Deed {
    Cast(Finding),
    Pass(i64),
    Open,
    Close,
    Spend,
    Reload,
}

fn verdict() -> impl Strategy<Value = Verdict> {
    prop_oneof![
        4 => level().prop_map(Verdict::Breach),
        2 => Just(Verdict::Clear),
        1 => Just(Verdict::Unknown(Why::BadData)),
        1 => Just(Verdict::Unknown(Why::Warming)),
        1 => Just(Verdict::Unknown(Why::Removed)),
    ]
}

fn level() -> impl Strategy<Value = Level> {
    prop::sample::select(Level::WARNING.to_vec())
}

fn finding() -> impl Strategy<Value = Finding> {
    let who = (0..2u32, 0..DOMAINS.len() as u32);
    let marks = (any::<bool>(), prop::bool::weighted(0.2), level());
    let pending = prop::option::weighted(0.3, (level(), 0..90i64, any::<bool>()));
    (who, verdict(), verdict(), marks, pending).prop_map(|(who, tip, settled, marks, pending)| Finding {
        rule: RuleIx(who.0),
        settled,
        firm: marks.0,
        suspect: marks.1,
        sound: marks.2,
        // Until an instant that only its cast knows: minutes here, moved there.
        pending: pending.map(|(level, due, sound)| Pending {
            level,
            due: Timestamp(0) + Span::from_mins(due),
            sound,
        }),
        ..world::finding(who.1, tip)
    })
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        12 => finding().prop_map(Deed::Cast),
        4 => (0..60i64).prop_map(Deed::Pass),
        1 => Just(Deed::Open),
        1 => Just(Deed::Close),
        1 => Just(Deed::Spend),
        1 => Just(Deed::Reload),
    ]
}

/// The highest level by asking every vote.
fn supported(votes: &Votes, word: Word, count: Count, at: Timestamp, terms: Terms<'_>) -> Level {
    let enough = |rule: u32, level: Level| {
        let needed = terms.plan.rule(RuleIx(rule)).expect("both are in the plan").corroboration as usize;
        let agree = |by: fn(&Vote, Word, Timestamp) -> Level, needed: usize| {
            let of =
                votes.iter().filter(|vote| vote.finding.rule == RuleIx(rule) && by(vote, word, at) >= level);
            let sensors: Vec<SensorIx> = of.map(|vote| vote.finding.sensor).collect();
            match count {
                Count::Each => sensors.len() >= needed,
                Count::Apart => are_apart(sensors.into_iter(), needed, terms.plan, terms.index),
            }
        };
        agree(Vote::sound, needed) || agree(Vote::level, needed.max(2))
    };
    let levels = Level::WARNING.into_iter().rev();
    let found = levels.filter(|&level| (0..2).any(|rule| enough(rule, level))).max();
    found.unwrap_or(Level::Normal)
}

fn compare(votes: &Votes, incident: &Incident, at: Timestamp, terms: Terms<'_>) {
    for word in Word::ALL {
        for count in [Count::Apart, Count::Each] {
            let by_counts = votes.supported(word, count, at, terms);
            assert_eq!(by_counts, supported(votes, word, count, at, terms), "{word:?} {count:?}");
        }
    }
    let part = || votes.contributing(incident, at);
    assert_eq!(votes.is_unsure(incident, at), part().any(Vote::is_unsure));
    let good = (!part().any(Vote::is_unsure)).then(|| part().map(Vote::back).max().unwrap_or(Timestamp::MIN));
    assert_eq!(votes.good_since(incident, at), good);
    let holds = part().filter_map(|vote| terms.plan.rule(vote.finding.rule)).map(|rule| rule.hold);
    assert_eq!(votes.hold(incident, at, terms.plan), holds.max().unwrap_or(Span::from_mins(90)));
    assert_eq!(votes.awaited(at), votes.iter().filter_map(|vote| vote.awaits(at)).min());
    let awaited = votes.iter().filter(|vote| vote.awaits(at).is_some());
    let awaited = awaited.filter_map(|vote| vote.finding.pending).map(|pending| pending.level).max();
    assert_eq!(votes.awaited_level(at), awaited.unwrap_or(Level::Normal));
    let rest = supported(votes, Word::Seen, Count::Each, at, terms);
    let missed: Vec<&Vote> = part().filter(|vote| vote.is_blind() && vote.peak(at) > rest).collect();
    assert_eq!(votes.missed(incident, at, terms), missed);
    for level in Level::WARNING {
        let counted = || part().filter(|vote| vote.peak(at) >= level);
        let stands = [Word::Settled, Word::Tip].map(|word| supported(votes, word, Count::Each, at, terms));
        let vouched = counted().next().is_some() || votes.iter().any(|vote| !vote.is_unsure());
        let on = stands.iter().any(|stands| *stands >= level) || counted().any(Vote::is_unsure) || !vouched;
        assert_eq!(votes.held(level, incident, at, terms) == Held::On, on, "{level}");
    }
}

proptest! {
    #[test]
    fn the_counts_say_what_every_vote_would(deeds in proptest::collection::vec(deed(), 1..60)) {
        let plan = plan();
        let index = Index::of(&plan);
        let terms = Terms { plan: &plan, index: &index };
        let mut votes = Votes::default();
        let mut incident: Option<Incident> = None;
        let mut at = Timestamp(0);
        for deed in deeds {
            match deed {
                Deed::Cast(finding) => {
                    let pending = finding.pending.map(|it| Pending { due: at + (it.due - Timestamp(0)), ..it });
                    votes.cast(Finding { pending, ..finding }, at, incident.as_ref(), terms);
                }
                Deed::Pass(minutes) => at = at + Span::from_mins(minutes),
                Deed::Open => {
                    let opened = Incident { opened: at, ..Incident::default() };
                    votes.incident_is(&opened, at, &plan);
                    incident = Some(opened);
                }
                Deed::Close => {
                    incident = None;
                    votes.close(at, &plan);
                }
                Deed::Spend => votes.spend(incident.as_ref(), at, &plan),
                Deed::Reload => votes.recount(incident.as_ref(), at, &plan),
            }
            // Also for one that the counts were not made for.
            let other = Incident { opened: at - Span::from_mins(30), ..Incident::default() };
            for incident in incident.iter().chain([&other]) {
                compare(&votes, incident, at, terms);
            }
            let mut anew = votes.clone();
            anew.recount(incident.as_ref(), at, &plan);
            for level in Level::WARNING {
                let held = |votes: &Votes| votes.held(level, &other, at, terms);
                assert_eq!(held(&votes), held(&anew), "{level}");
            }
        }
    }
}
