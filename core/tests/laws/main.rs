//! The laws over random histories of a whole engine. Each was shown once to
//! fail on a planted defect; its comment says which.

#![allow(unreachable_pub, reason = "modules of one test")]

mod partitioned;
mod planned;
mod province;
mod routed;
mod world;

use forewarn_core::engine::Engine;
use forewarn_core::event::{Decision, Input};
use forewarn_core::level::Level;
use forewarn_core::time::Span;
use forewarn_core::warning::{About, Cell, Incident, Phase, Reason, Revision};
use proptest::prelude::*;

use world::{
    Deed, FAILED, Run, SENSORS, VARIANTS, calm, decisions, histories, plan, revisions, started, wild,
};

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    /// The same log gives the same outputs, flags included, and the same state, byte for byte.
    ///
    /// Failed when a counter outside the engine stood in for the run in `Engine::stamp`.
    #[test]
    fn the_same_log_gives_the_same_outputs(deeds in histories(wild())) {
        let run = Run::play(&deeds);
        let mut again = Engine::default();
        let mut third = Engine::default();
        for (event, decided) in &run.log {
            let (mut outputs, mut others) = (Vec::new(), Vec::new());
            again.step(event, &mut outputs);
            third.step(event, &mut others);
            prop_assert_eq!(&decisions(&outputs), decided);
            prop_assert_eq!(outputs, others);
        }
        prop_assert_eq!(again.to_bytes(), run.engine.to_bytes());
    }

    /// Ticks between, due or not, change no decision.
    ///
    /// Failed when `Engine::fire` rang timers at the event's time instead of their own.
    #[test]
    fn extra_ticks_change_nothing(deeds in histories(wild()), step_secs in 30..900i64) {
        let plain = Run::play(&deeds);
        let mut ticked = Run::new(plan());
        for deed in &deeds {
            if let Deed::Pass(minutes) = deed {
                let (from, step) = (ticked.at, Span::from_secs(step_secs));
                let end = from + Span::from_secs(1) + Span::from_mins(*minutes);
                for at in (1..).map(|n| from + step.times(n)).take_while(|&at| at < end) {
                    ticked.at = at;
                    ticked.put(Input::Tick);
                }
                ticked.at = from;
            }
            ticked.act(deed);
        }
        prop_assert_eq!(plain.decided(), ticked.decided());
    }

    /// Stepping, then recovering from the log, comes to the same state, and finds nothing that differs.
    ///
    /// Failed when `Engine::commit` left out decisions that agree with the record.
    #[test]
    fn recovery_comes_to_where_the_engine_was(deeds in histories(wild())) {
        let run = Run::play(&deeds);
        let mut recovered = Engine::default();
        for (event, recorded) in &run.log {
            let mut outputs = Vec::new();
            prop_assert!(!recovered.recover(event, recorded, &mut outputs), "{:?}", event);
            prop_assert_eq!(&decisions(&outputs), recorded);
        }
        prop_assert_eq!(recovered.to_bytes(), run.engine.to_bytes());
    }

    /// Another version decided otherwise at one event: recovery says so there
    /// and nowhere else, applies what was recorded, and comes to where that
    /// version was; the next start goes on from there.
    ///
    /// Failed when `Engine::recover` did not report what differs, or did not apply what is left of the record.
    #[test]
    fn a_planted_decision_is_reported_and_applied(
        deeds in histories(wild()),
        more in histories(calm()),
        at in any::<prop::sample::Index>(),
        how in 0..3u8,
    ) {
        let run = Run::play(&deeds);
        let told: Vec<usize> = (0..run.log.len()).filter(|&ix| revisions(&run.log[ix].1).next().is_some()).collect();
        prop_assume!(!told.is_empty());
        let planted_at = *at.get(&told);
        let mut former = Engine::default();
        let mut log = Vec::new();
        for (ix, (event, decided)) in run.log.iter().enumerate() {
            let mut outputs = Vec::new();
            let recorded = if ix == planted_at {
                let recorded = planted(decided, how);
                former.recover(event, &recorded, &mut outputs);
                recorded
            } else {
                former.step(event, &mut outputs);
                decisions(&outputs)
            };
            log.push((event.clone(), recorded));
        }
        let mut recovered = Engine::default();
        for (ix, (event, recorded)) in log.iter().enumerate() {
            let mut outputs = Vec::new();
            prop_assert_eq!(recovered.recover(event, recorded, &mut outputs), ix == planted_at, "{:?}", event);
            prop_assert_eq!(&decisions(&outputs), recorded);
        }
        prop_assert_eq!(recovered.to_bytes(), former.to_bytes());
        let mut on = Run { engine: recovered, log, ..run };
        on.put(Input::Started(started(Some(Span::ZERO))));
        for deed in &more {
            on.act(deed);
        }
    }

    /// From some instant on nothing good comes in any more: no level falls and
    /// no all-clear goes out, however long that lasts; nor is anything said to be seen again.
    ///
    /// Failed when `Vote::is_unsure` knew lost sources only; and as things stood, on a gauge whose
    /// queued reading came in after its source went down, on a hold that ran out while readings
    /// were not taken, on a clock set back behind the newest reading, and on a plan without the gauge that supported a warning.
    #[test]
    fn unknown_never_clears(
        before in histories(calm()),
        after in prop::collection::vec(blind(), 0..40),
    ) {
        let mut run = Run::play(&before);
        // What was heard until now may still count until the gauges are silent.
        for _ in 0..4 {
            run.act(&Deed::Pass(10));
        }
        let seen = run.revisions.len();
        for deed in &after {
            run.act(deed);
        }
        run.act(&Deed::Pass(3 * 24 * 60));
        for revision in &run.revisions[seen..] {
            let about_incident = matches!(revision.about, About::Incident(_));
            let falls = matches!(revision.reason, Reason::Eased | Reason::Unconfirmed | Reason::Downgraded)
                // A rule that comes back to a gauge may look at what that said before.
                || revision.reason == Reason::Seen && !after.iter().any(|it| matches!(it, Deed::Plan(..)));
            prop_assert!(!(about_incident && falls), "{:?}", revision);
        }
    }

    /// A reading that failed its checks, or is no number, raises nothing when it
    /// comes in; and where no others come from any gauge, nothing falls.
    ///
    /// Failed when a value below the span was flagged good (`GrossRange`).
    #[test]
    fn a_failed_reading_moves_only_towards_unknown(
        deeds in histories(calm()),
        value in prop::sample::select(vec![FAILED, f64::NAN, f64::NEG_INFINITY]),
        late in 1..20i64,
    ) {
        let mut run = Run::play(&deeds);
        for round in 0..12 {
            for sensor in 0..SENSORS {
                run.at = run.at + Span::from_secs(1);
                run.drain();
                let before = levels(&run);
                run.read(sensor, value, if round == 1 { late } else { 0 }, 0);
                if round > 0 {
                    prop_assert_eq!(before, levels(&run));
                }
            }
            let (before, seen) = (levels(&run), run.revisions.len());
            run.act(&Deed::Pass(10));
            // What was on its way may still be reached, and nothing is lost.
            for (cell, level) in before {
                let now = levels(&run).iter().find(|(other, _)| *other == cell).map(|(_, level)| *level);
                prop_assert!(now >= Some(level) || level == Level::Normal, "{:?} {} {:?}", cell, level, &run.revisions[seen..]);
            }
        }
    }
}

fn levels(run: &Run) -> Vec<(Cell, Level)> {
    let warned = run.engine.incidents().filter(|it| it.phase != Phase::Pending);
    warned.map(|it| (it.cell, it.level)).collect()
}

/// What another version might have recorded instead: nothing; everything but
/// what was said; a lower level.
fn planted(decided: &[Decision], how: u8) -> Vec<Decision> {
    let lower = |decision: &Decision| match decision.clone() {
        Decision::Incident(it) => Decision::Incident(Incident { level: Level::Blue, ..it }),
        Decision::Revision(it) => {
            Decision::Revision(Revision { level: Level::Blue, detail: "former".into(), ..it })
        }
        other => other,
    };
    match how {
        0 => Vec::new(),
        1 => decided.iter().filter(|it| !matches!(it, Decision::Revision(_))).cloned().collect(),
        _ => decided.iter().map(lower).collect(),
    }
}

/// Whatever happens without one good reading.
fn blind() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => (0..SENSORS).prop_map(|sensor| Deed::Reading(sensor, FAILED, 0, 0)),
        4 => (1..120i64).prop_map(Deed::Pass),
        2 => (0..2u32, any::<bool>()).prop_map(|(source, up)| Deed::Source(source, up)),
        1 => (0..90i64).prop_map(|minutes| Deed::Started(minutes, false)),
        1 => (0..VARIANTS, any::<bool>()).prop_map(|(which, orphan)| Deed::Plan(which, orphan)),
        1 => (-90..90i64, any::<bool>()).prop_map(|(minutes, trusted)| Deed::Clock(minutes, trusted)),
        1 => any::<bool>().prop_map(Deed::Intake),
    ]
}
