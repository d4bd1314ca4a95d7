//! The canary, as the engine answers it.

use super::run::{Run, pass, plan, plan_ref, started, variant};
use crate::event::{Decision, Input, Started};
use crate::ids::{OutputId, TargetIx};
use crate::level::Status;
use crate::time::Span;
use crate::warning::{About, Canary, Reason};

const EVERY: Span = Span::from_mins(1);

fn answers(decisions: &[Decision]) -> Vec<Canary> {
    let canary = |decision: &Decision| match decision {
        Decision::Canary(canary) => Some(*canary),
        _ => None,
    };
    decisions.iter().filter_map(canary).collect()
}

fn walk(run: &mut Run) -> Vec<Canary> {
    run.at = run.at + EVERY;
    answers(&run.put(Input::Canary(EVERY)))
}

#[test]
fn each_canary_is_answered_with_the_next_number_and_warns_nobody() {
    let mut run = Run::new(plan());
    let numbers: Vec<u32> = (0..3).flat_map(|_| walk(&mut run)).map(|it| it.number).collect();
    assert_eq!(numbers, [1, 2, 3]);
    assert!(run.revisions.is_empty(), "{:?}", run.revisions);
    assert_eq!(run.engine.troubles().count(), 0);
    assert_eq!(run.engine.incidents().count(), 0);
}

#[test]
fn a_heartbeat_is_a_test_to_one_fixed_target_and_overtakes_the_one_before() {
    let mut run = Run::new(plan());
    let revisions: Vec<_> = (0..2).flat_map(|_| walk(&mut run)).map(|it| it.revision()).collect();
    let [first, second] = revisions.as_slice() else { panic!("{revisions:?}") };
    for revision in [first, second] {
        assert_eq!((revision.status, revision.reason), (Status::Test, Reason::Canary));
        assert!(matches!(revision.about, About::Canary(_)));
        let due: Vec<TargetIx> = revision.due.iter().map(|due| due.target).collect();
        assert_eq!(due, [TargetIx::HEARTBEAT]);
        assert_eq!(plan().target(TargetIx::HEARTBEAT), None, "no plan names it");
        assert_eq!(revision.expires, revision.sent + EVERY.times(2));
    }
    assert_eq!(first.warning, second.warning);
    assert_ne!(first.id, second.id);
    assert!(second.number > first.number);
}

#[test]
fn a_canary_says_when_anything_else_was_last_decided() {
    let mut run = Run::new(plan());
    assert_eq!(walk(&mut run)[0].decided, None);
    run.read(0, 4.0);
    let decided = run.engine.moment().civil();
    pass(&mut run, 10);
    let (first, second) = (walk(&mut run)[0], walk(&mut run)[0]);
    assert!(first.decided >= Some(decided), "{first:?}");
    assert_eq!(second.decided, first.decided, "the canary before it does not count");
    assert!(second.sent > first.sent && first.sent > decided);
}

#[test]
fn a_directory_that_is_held_gives_no_answer_until_it_resumes() {
    let mut run = Run::new(plan());
    assert_eq!(walk(&mut run).len(), 1);
    run.put(Input::Started(Started { restored: true, ..started(Some(Span::ZERO)) }));
    assert_eq!(walk(&mut run), []);
    let resume = crate::event::Command::Resume;
    run.put(Input::Command(Box::new(resume), crate::authority::By::default()));
    assert_eq!(walk(&mut run).iter().map(|it| it.number).collect::<Vec<_>>(), [2]);
}

#[test]
fn the_number_goes_on_through_a_restart_and_another_plan() {
    let mut run = Run::new(plan());
    walk(&mut run);
    run.put(Input::Started(started(Some(EVERY))));
    run.put(Input::Plan(plan_ref(variant(1), false)));
    let canary = walk(&mut run)[0];
    assert_eq!(canary.number, 2);
    assert_ne!(canary.id, OutputId::default());
}
