//! A log whose decisions another version made.

use super::run::{Run, pass, plan, said, started, troubles};
use super::snapshot::SNAPSHOT_VERSION;
use super::tests::clear_for_a_hold;
use super::*;
use crate::ids::Position;
use crate::level::Level;
use crate::time::Span;
use crate::warning::{About, Cell, Phase, Reason, TroubleCode};

/// The fixture of the first release, what this history's `to_bytes` gave then:
/// whatever comes later, it must read so.
#[test]
fn a_snapshot_of_the_first_release_reads_for_ever() {
    let mut run = Run::new(plan());
    run.at = run.at + Span::from_mins(1);
    for (gauge, level) in [(0, 4.0), (1, 2.0), (3, 1.0)] {
        run.read(gauge, level);
    }
    let bytes = include_bytes!("../../../tests/compat/engine-v1.bin");
    // The plan's own encoding is the plan files': here it need only be the one asked for.
    let id = minicbor::decode::<Engine>(bytes).expect("it decodes").plan;
    let read = Engine::from_bytes(bytes, id, &Arc::new(plan())).expect("it reads");
    let standing = |engine: &Engine| {
        engine.incidents().map(|it| (it.cell, it.phase, it.level, it.peak)).collect::<Vec<_>>()
    };
    assert_eq!(standing(&read), standing(&run.engine));
    assert_eq!(standing(&read).iter().map(|it| it.2).collect::<Vec<_>>(), [Level::Red, Level::Blue]);
    assert_eq!((read.moment(), read.wake_at()), (run.engine.moment(), run.engine.wake_at()));
}

/// Raise both, or the engine's alone; and leave a fixture of the release before.
#[test]
fn the_versions_are_raised_together() {
    assert_eq!((ENGINE_VERSION, SNAPSHOT_VERSION), (1, 2));
}

/// What a version recorded that decided otherwise, then a live start: nothing
/// is known until the gauge is heard again, and its first word decides.
fn check_upgrade(recorded: fn(Vec<Decision>) -> Vec<Decision>, expected: &[(Reason, u32)]) {
    let mut run = Run::new(plan());
    run.at = run.at + Span::from_mins(1);
    run.read(0, 4.0);
    let mut engine = Engine::default();
    let last = run.log.len() - 1;
    for (ix, (event, decided)) in run.log.iter().enumerate() {
        let recorded = if ix == last { recorded(decided.clone()) } else { decided.clone() };
        assert_eq!(engine.recover(event, &recorded, &mut Vec::new()), ix == last);
    }
    run.engine = engine;
    run.revisions.clear();
    run.put(Input::Started(started(Some(Span::ZERO))));
    assert_eq!(run.revisions, [], "a start knows nothing, and tells nobody");
    run.at = run.at + Span::from_mins(10);
    run.read(0, 4.0);
    let said: Vec<(Reason, u32)> = run.revisions.iter().map(|it| (it.reason, it.number)).collect();
    assert_eq!(said, expected);
}

#[test]
fn upgrade_differs() {
    check_upgrade(|_| vec![], &[(Reason::Raised, 1)]);
    let lower = |decided: Vec<Decision>| {
        let lower = |decision| match decision {
            Decision::Incident(it) => {
                Decision::Incident(Incident { level: Level::Blue, peak: Level::Blue, ..it })
            }
            Decision::Revision(it) => Decision::Revision(Revision { level: Level::Blue, ..it }),
            other => other,
        };
        decided.into_iter().map(lower).collect()
    };
    check_upgrade(lower, &[(Reason::Upgraded, 2)]);
}

#[test]
fn a_trouble_that_the_former_version_kept_to_itself_is_told_at_the_next_start() {
    let mut run = Run::new(plan());
    let event = Event { at: run.at, position: Position(3), input: Input::Source(SourceIx(0), false) };
    assert!(run.engine.recover(&event, &[], &mut Vec::new()));
    assert_eq!(run.engine.troubles().count(), 0);
    run.put(Input::Started(started(Some(Span::ZERO))));
    let told: Vec<_> = run.engine.troubles().map(|(key, _)| key.code).collect();
    assert_eq!(told, [TroubleCode::SourceDown]);
}

#[test]
fn a_recorded_red_that_this_version_would_not_send_stands_and_ends() {
    let mut sent = Run::new(plan());
    sent.at = sent.at + Span::from_mins(1);
    sent.read(0, 4.0);
    let (_, red) = sent.log.pop().expect("the red was recorded");
    let mut run = Run::new(plan());
    run.at = sent.at;
    let event = Event { at: run.at, position: Position(3), input: Input::Tick };
    assert!(run.engine.recover(&event, &red, &mut Vec::new()));
    assert_eq!(run.engine.incidents().map(|it| it.phase).collect::<Vec<_>>(), [Phase::Active]);
    run.put(Input::Started(started(Some(Span::ZERO))));
    assert_eq!(run.engine.incidents().next().map(|it| it.level), Some(Level::Red));
    // No gauge says anything: time alone ends nothing, and the operator knows.
    pass(&mut run, 300);
    assert_eq!(said(&run, Cell::default()), [Reason::Orphaned]);
    assert_eq!(troubles(&run, TroubleCode::Orphaned), ["flood/ford"]);
    clear_for_a_hold(&mut run, 1);
    assert_eq!(troubles(&run, TroubleCode::Orphaned), [""; 0]);
    let end = run.revisions.iter().rfind(|it| it.about == About::Incident(Cell::default()));
    let end = end.expect("its end was told");
    assert_eq!(
        (end.reason, end.number, end.due.len()),
        (Reason::Eased, 4, 4),
        "the operator, to whom it went on, hears it too"
    );
}
