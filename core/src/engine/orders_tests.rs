//! What people order, as the engine decides it.

use super::run::{self, Run, issue, maintenance, mute_of, pass, plan_ref, texts, troubles};
use crate::authority::{Authority, By, Role, Scope};
use crate::event::{Command, Decision, Input};
use crate::finding::Why;
use crate::ids::{AreaIx, OutputId, SensorIx, TargetIx};
use crate::level::Level;
use crate::orders::{
    Ending, Issue, MutePhase, Proposal, Quiet, Refusal, Silence, Stage, Subject, Text, Texts,
};
use crate::plan::{OrderTerms, Plan};
use crate::time::Span;
use crate::warning::{Kind, Reason, Revision, TroubleCode};

/// Without the second officer by day.
fn plan() -> Plan {
    let mut plan = run::plan();
    plan.routes.truncate(2);
    plan
}

fn started(plan: Plan) -> Run {
    let mut run = Run::new(plan);
    pass(&mut run, 1);
    run
}

fn ask(run: &mut Run, command: Command, by: &str) -> Vec<Decision> {
    run.at = run.at + Span::from_secs(1);
    run.put(Input::Command(Box::new(command), By::shell(by)))
}

fn refused(decisions: &[Decision]) -> Option<Refusal> {
    decisions.iter().find_map(|decision| match decision {
        Decision::Refused(refusal) => Some(*refusal),
        _ => None,
    })
}

fn draft(run: &mut Run, proposal: Proposal) {
    assert_eq!(refused(&ask(run, Command::Propose(proposal), "li")), None);
}

fn approve(run: &mut Run, by: &str) -> Vec<Decision> {
    let draft = run.draft(0).expect("a draft waits");
    let command = Command::Approve(draft.id, draft.digest);
    ask(run, command, by)
}

/// A warning by hand that stands; its id.
fn issued(run: &mut Run) -> OutputId {
    draft(run, Proposal::Warning(issue(None)));
    assert_eq!(refused(&approve(run, "wang")), None);
    said(run).warning
}

fn due(revision: &Revision) -> Vec<u32> {
    revision.due.iter().map(|due| due.target.0).collect()
}

fn stage(run: &Run) -> Stage {
    run.engine.drafts().last().expect("a draft").stage.clone()
}

/// The newest revision about what is said, and not about a trouble.
fn said(run: &Run) -> Revision {
    let revisions = run.revisions.iter().rev();
    revisions.into_iter().find(|it| !it.about.cells().is_empty()).expect("something was said").clone()
}

#[test]
fn nobody_approves_their_own_draft() {
    let mut run = started(plan());
    draft(&mut run, Proposal::Warning(issue(None)));
    assert_eq!(refused(&approve(&mut run, "li")), Some(Refusal::Own));
    // Nor in another tab, nor by another way in.
    let waiting = run.draft(0).expect("a draft waits").clone();
    let command = Command::Approve(waiting.id, waiting.digest);
    let authority = Authority { role: Role::Approver, scope: Scope::Everywhere };
    let again = run.put(Input::Command(Box::new(command), By::token("li", authority)));
    assert_eq!(refused(&again), Some(Refusal::Own));
    assert!(run.revisions.iter().all(|it| it.reason != Reason::Manual), "nothing goes out");
    assert_eq!(refused(&approve(&mut run, "wang")), None);
    let revision = said(&run);
    assert_eq!((revision.kind, revision.reason, revision.level), (Kind::Alert, Reason::Manual, Level::Red));
    assert_eq!(revision.texts, Some(texts()));
    assert_eq!(due(&revision), [0, 2], "the duty officer and, at red, the mayor");
}

/// Both clicks, or the same one twice, on a lagging page.
#[test]
fn two_approvers_race() {
    let mut run = started(plan());
    draft(&mut run, Proposal::Warning(issue(None)));
    let waiting = run.draft(0).expect("a draft waits").clone();
    let click = || Command::Approve(waiting.id, waiting.digest);
    assert_eq!(refused(&ask(&mut run, click(), "wang")), None);
    assert_eq!(refused(&ask(&mut run, click(), "zhao")), Some(Refusal::Decided));
    assert_eq!(refused(&ask(&mut run, click(), "wang")), Some(Refusal::Decided));
    assert_eq!(run.revisions.iter().filter(|it| it.reason == Reason::Manual).count(), 1);
}

#[test]
fn an_approval_is_bound_to_what_was_looked_at() {
    let mut run = started(plan());
    draft(&mut run, Proposal::Warning(issue(None)));
    let first = run.draft(0).expect("a draft waits").clone();
    // The plan routes red to one more: the approval was for others.
    let mut wider = run::plan();
    wider.routes[2].hours = None;
    run.put(Input::Plan(plan_ref(wider, false)));
    let click = Command::Approve(first.id, first.digest);
    let decisions = ask(&mut run, click.clone(), "wang");
    assert_eq!(refused(&decisions), Some(Refusal::TargetsChanged));
    let now = run.draft(0).expect("it waits on").clone();
    assert_eq!(now.targets, [TargetIx(0), TargetIx(2), TargetIx(3)]);
    // What was looked at before is no longer what it is.
    assert_eq!(refused(&ask(&mut run, click, "wang")), Some(Refusal::Changed));
    assert_eq!(refused(&approve(&mut run, "wang")), None);
    assert_eq!(due(&said(&run)), [0, 2, 3]);
}

#[test]
fn approvers_are_reminded_and_then_the_stated_policy_holds() {
    let terms = |send_unapproved: &[Level]| {
        let mut plan = plan();
        plan.settings.orders =
            OrderTerms { send_unapproved: send_unapproved.to_vec(), ..OrderTerms::default() };
        plan
    };
    let check = |plan: Plan, expected: Stage, warnings: usize| {
        let mut run = started(plan);
        draft(&mut run, Proposal::Warning(issue(None)));
        pass(&mut run, 3);
        let told: Vec<&str> = run
            .revisions
            .iter()
            .filter(|it| it.detail.contains("for approval"))
            .map(|it| it.detail.as_str())
            .collect();
        let seconds: Vec<bool> =
            told.iter().zip([" 0 s", " 60 s", " 120 s"]).map(|(told, at)| told.contains(at)).collect();
        assert_eq!(seconds, [true; 3], "{told:?}");
        pass(&mut run, 10);
        assert_eq!(stage(&run), expected);
        assert_eq!(run.revisions.iter().filter(|it| it.reason == Reason::Manual).count(), warnings);
        assert!(troubles(&run, TroubleCode::ApprovalWaiting).is_empty(), "it waits no more");
    };
    check(terms(&[]), Stage::Expired, 0);
    check(terms(&[Level::Red]), Stage::SentUnapproved, 1);
    check(terms(&[Level::Orange]), Stage::Expired, 0);
}

#[test]
fn who_may_not_is_refused_in_step() {
    let mut run = started(plan());
    let by = |role, scope| By::token("chen", Authority { role, scope });
    let propose = Command::Propose(Proposal::Warning(issue(None)));
    let ask =
        |run: &mut Run, command: Command, by: By| refused(&run.put(Input::Command(Box::new(command), by)));
    let denied = |refusal: Option<Refusal>| matches!(refusal, Some(Refusal::Denied(_)));
    assert!(denied(ask(&mut run, propose.clone(), by(Role::Viewer, Scope::Everywhere))));
    // The town's own operator warns the town, and not the county.
    assert!(denied(ask(&mut run, propose.clone(), by(Role::Operator, Scope::Areas(vec![AreaIx(1)])))));
    assert_eq!(ask(&mut run, propose, by(Role::Operator, Scope::Areas(vec![AreaIx(0)]))), None);
    let waiting = run.draft(0).expect("a draft waits").clone();
    let approve = Command::Approve(waiting.id, waiting.digest);
    let other = |role| By::token("sun", Authority { role, scope: Scope::Everywhere });
    assert!(denied(ask(&mut run, approve.clone(), other(Role::Operator))));
    assert_eq!(ask(&mut run, approve, other(Role::Approver)), None);
}

#[test]
fn a_warning_by_hand_is_brought_up_to_date_corrected_and_ended_by_hand() {
    let mut run = started(plan());
    let warning = issued(&mut run);
    let lower = Issue { level: Level::Orange, ..issue(Some(warning)) };
    draft(&mut run, Proposal::Warning(lower));
    assert_eq!(refused(&approve(&mut run, "wang")), None);
    let update = said(&run);
    assert_eq!((update.kind, update.level, update.peak), (Kind::Update, Level::Orange, Level::Red));
    assert_eq!((update.warning, due(&update)), (warning, vec![0, 2]), "whoever heard red hears it");

    let half = Texts { en: Text::default(), ..texts() };
    assert_eq!(refused(&ask(&mut run, Command::Correct(warning, half), "li")), Some(Refusal::Texts));
    let mut right = texts();
    right.en.headline = "the embankment holds".into();
    right.zh.headline = "堤防稳固".into();
    ask(&mut run, Command::Note(Some(warning), "seen on site".into()), "li");
    assert_eq!(refused(&ask(&mut run, Command::Correct(warning, right.clone()), "li")), None);
    let corrected = said(&run);
    assert_eq!((corrected.reason, corrected.texts), (Reason::Corrected, Some(right)));
    assert_eq!(corrected.detail, "seen on site");

    let end = Command::End(warning, Ending::Cancel, "not this valley".into());
    assert_eq!(refused(&ask(&mut run, end.clone(), "li")), None);
    let cancel = said(&run);
    assert_eq!((cancel.kind, cancel.detail.as_str()), (Kind::Cancel, "not this valley"));
    assert_eq!(due(&cancel), [0, 2]);
    assert_eq!(refused(&ask(&mut run, end, "li")), Some(Refusal::Decided));
}

#[test]
fn a_warning_by_hand_says_that_it_ends_before_it_does() {
    let mut run = started(plan());
    let warning = issued(&mut run);
    pass(&mut run, 29);
    assert_eq!(said(&run).reason, Reason::Manual);
    pass(&mut run, 2);
    let ending = said(&run);
    assert_eq!((ending.reason, ending.kind), (Reason::EndsSoon, Kind::Update));
    assert_eq!(due(&ending), [0, 1, 2, 3], "and those who were told since, because nobody acknowledged");
    pass(&mut run, 40);
    let lapsed = |(_, decisions): &(_, Vec<Decision>)| decisions.contains(&Decision::Lapsed(warning));
    assert_eq!(run.log.iter().filter(|it| lapsed(it)).count(), 1);
    assert_eq!(said(&run).number, ending.number, "an end by time is no all-clear");
}

#[test]
fn a_correction_of_a_measured_warning_goes_to_all_who_heard_and_holds_until_news() {
    let mut run = started(plan());
    run.read(0, 2.0);
    let warning = said(&run).warning;
    assert_eq!(refused(&ask(&mut run, Command::Correct(warning, texts()), "li")), None);
    assert_eq!((said(&run).reason, said(&run).level), (Reason::Corrected, Level::Yellow));
    run.at = run.at + Span::from_mins(1);
    run.read(0, 4.0);
    assert_eq!((said(&run).reason, said(&run).texts), (Reason::Upgraded, None));
}

#[test]
fn a_mute_hides_what_is_judged_all_the_while_and_what_goes_beyond_it_goes_out() {
    let mut run = started(plan());
    draft(&mut run, mute_of(Subject::Area(AreaIx(0)), Level::Orange));
    run.read(0, 2.0);
    let hidden = said(&run);
    assert_eq!((hidden.level, due(&hidden)), (Level::Yellow, vec![]));
    assert!(hidden.muted.is_some());
    assert!(troubles(&run, TroubleCode::Unrouted).is_empty(), "muted is not unrouted");
    run.at = run.at + Span::from_mins(1);
    run.read(0, 4.0);
    assert_eq!((said(&run).level, due(&said(&run))), (Level::Red, vec![0, 2]));
}

#[test]
fn what_a_mute_hid_is_told_and_listed_when_it_ends() {
    let mut run = started(plan());
    draft(&mut run, mute_of(Subject::Area(AreaIx(0)), Level::Orange));
    for (minutes, value) in [(1, 2.0), (1, 3.0), (20, 3.0)] {
        run.at = run.at + Span::from_mins(minutes);
        run.read(0, value);
    }
    assert!(run.revisions.iter().filter(|it| !it.about.cells().is_empty()).all(|it| it.due.is_empty()));
    pass(&mut run, 9);
    assert_eq!(run.engine.mutes().next().map(|it| it.phase.clone()), Some(MutePhase::Over(None)));
    let told = said(&run);
    assert_eq!((told.level, due(&told)), (Level::Orange, vec![0]), "as to those who never heard");
    let over = run.revisions.iter().rev().find(|it| it.detail.contains("is over")).expect("it is listed");
    assert!(over.detail.ends_with("messages that it hid: 2, of flood/ford"), "{}", over.detail);
}

#[test]
fn whoever_heard_before_a_mute_hears_of_the_higher_level_it_hid() {
    let mut run = started(plan());
    run.read(0, 1.0);
    assert_eq!(due(&said(&run)), [0]);
    let mute = mute_of(Subject::Area(AreaIx(0)), Level::Red);
    draft(&mut run, mute);
    assert!(run.engine.mutes().next().is_none(), "what may be red takes two persons");
    assert_eq!(refused(&approve(&mut run, "wang")), None);
    run.at = run.at + Span::from_mins(1);
    run.read(0, 4.0);
    assert!(said(&run).muted.is_some());
    let mute = run.engine.mutes().next().expect("it holds").id;
    assert_eq!(refused(&ask(&mut run, Command::Unmute(mute), "li")), None);
    let told = said(&run);
    assert_eq!((told.reason, due(&told)), (Reason::Upgraded, vec![0, 2]), "the mayor is told of red at last");
}

#[test]
fn a_second_gauge_is_heard_though_the_first_is_muted() {
    let mut run = started(plan());
    draft(&mut run, mute_of(Subject::Sensor(SensorIx(0)), Level::Orange));
    run.read(0, 3.0);
    assert!(said(&run).muted.is_some());
    run.at = run.at + Span::from_mins(1);
    run.read(1, 3.0);
    assert_eq!((said(&run).muted, due(&said(&run))), (None, vec![0]));
}

#[test]
fn an_end_is_told_through_a_mute_to_those_who_heard() {
    let mut run = started(plan());
    run.read(0, 1.0);
    let warning = said(&run).warning;
    draft(&mut run, mute_of(Subject::Area(AreaIx(0)), Level::Orange));
    let end = Command::End(warning, Ending::AllClear, "over".into());
    assert_eq!(refused(&ask(&mut run, end, "li")), None);
    assert_eq!((said(&run).kind, due(&said(&run))), (Kind::AllClear, vec![0]));
}

/// A mute set before the clock was lost ends by engine time.
#[test]
fn mute_untrusted() {
    let mut run = started(plan());
    draft(&mut run, mute_of(Subject::Area(AreaIx(0)), Level::Orange));
    run.act(&run::Deed::Clock(-90, false));
    pass(&mut run, 28);
    assert_eq!(run.engine.mutes().next().map(|it| it.phase.clone()), Some(MutePhase::Holding));
    pass(&mut run, 2);
    assert_eq!(run.engine.mutes().next().map(|it| it.phase.clone()), Some(MutePhase::Over(None)));
}

#[test]
fn a_mute_is_bounded_and_says_why() {
    let mut run = started(plan());
    let Proposal::Silence(silence) = mute_of(Subject::Area(AreaIx(0)), Level::Orange) else {
        unreachable!("it is one");
    };
    let mut check = |silence: Silence, expected| {
        let decisions = ask(&mut run, Command::Propose(Proposal::Silence(silence)), "li");
        assert_eq!(refused(&decisions), Some(expected));
    };
    check(Silence { lasting: Span::from_hours(25), ..silence.clone() }, Refusal::Lasting);
    check(Silence { lasting: Span::ZERO, ..silence.clone() }, Refusal::Lasting);
    check(Silence { reason: " ".into(), ..silence.clone() }, Refusal::Empty);
    check(Silence { what: Subject::Area(AreaIx(9)), ..silence.clone() }, Refusal::NotInPlan);
    check(Silence { quiet: Quiet::Maintenance, ..silence }, Refusal::Kind);
}

#[test]
fn maintenance_of_what_may_be_red_takes_two_persons_and_its_readings_say_nothing() {
    let mut run = started(plan());
    run.read(0, 2.0);
    let warning = said(&run);
    draft(&mut run, maintenance(SensorIx(0)));
    assert_eq!(refused(&approve(&mut run, "wang")), None);
    assert_eq!(run.engine.mutes().next().map(|it| it.phase.clone()), Some(MutePhase::Planned));
    pass(&mut run, 5);
    assert_eq!(run.engine.mutes().next().map(|it| it.phase.clone()), Some(MutePhase::Holding));
    let blind = |run: &Run| run.engine.sensor(SensorIx(0)).and_then(|sensor| sensor.blind());
    assert_eq!(blind(&run), Some(Why::Maintenance));
    // Neither danger nor safety: a flood of the test bucket raises nothing, a dry one clears nothing.
    for value in [4.0, 0.0, 0.0] {
        run.at = run.at + Span::from_mins(7);
        run.read(0, value);
    }
    let told = said(&run);
    assert_eq!((told.warning, told.reason, told.level), (warning.warning, Reason::Blind, Level::Yellow));
    assert!(told.stale, "treat as dangerous");
    let silent = troubles(&run, TroubleCode::SensorSilent);
    let gauge = &run.engine.plan().sensors[0].as_ref().expect("the gauge").id;
    assert!(silent.iter().all(|it| **it != **gauge), "{silent:?}");
    pass(&mut run, 15);
    assert_eq!(run.engine.mutes().next().map(|it| it.phase.clone()), Some(MutePhase::Over(None)));
    assert_eq!(blind(&run), Some(Why::Warming), "it has to be heard again first");
    run.read(0, 4.0);
    assert_eq!(said(&run).level, Level::Red);
}
