//! The lanes by tables: one line a step, what it must bring beside it.

use forewarn_core::event::{Bundle, DeliveryOutcome};
use forewarn_core::ids::{Key, TargetIx};
use forewarn_core::level::Level;
use forewarn_core::time::{Moment, Span, Timestamp};
use forewarn_core::warning::{Death, Kind, Outcome};

use super::revision;
use crate::config::plan::Digests;
use crate::courier::delivery::{Action, Admission, Attempt, Delivery};
use crate::courier::lane::Place;
use crate::courier::lanes::Lanes;
use crate::ports::{Hold, Leaves};

/// Plays steps against the lanes. A delivery is named `<letter of the warning>
/// <number>@<target>`; `@1` may be left out.
pub(super) struct Play {
    lanes: Lanes,
    now: Timestamp,
    position: u64,
    connections_max: usize,
    digests: Option<Digests>,
    reported: Vec<DeliveryOutcome>,
    fixing: Vec<Bundle>,
    names: Vec<(Key, String)>,
}

impl Play {
    pub(super) fn new(connections_max: usize, digests: Option<Digests>) -> Self {
        let mut lanes = Lanes::new(1);
        lanes.civil_is(Moment { at: Timestamp(0), offset: Span::ZERO, trusted: true });
        let (now, position) = (Timestamp(0), 100);
        let (reported, fixing, names) = (vec![], vec![], vec![]);
        Play { lanes, now, position, connections_max, digests, reported, fixing, names }
    }

    fn place(&self) -> Place {
        Place { server: "one".into(), connections_max: self.connections_max, digests: self.digests }
    }

    fn key(&self, name: &str) -> Key {
        let found = self.names.iter().rev().find(|(_, known)| known == name);
        found.unwrap_or_else(|| panic!("no delivery {name}")).0
    }

    pub(super) fn step(&mut self, step: &str) -> String {
        let (verb, rest) = step.split_once(' ').unwrap_or((step, ""));
        match verb {
            "alert" => self.release(rest, Kind::Alert, Admission::Admitted),
            "update" => self.release(rest, Kind::Update, Admission::Admitted),
            "all-clear" => self.release(rest, Kind::AllClear, Admission::Admitted),
            "forbidden" => self.release(rest, Kind::Alert, Admission::Refused),
            "ok" => self.finish(rest, Attempt::Accepted),
            "fail" => self.finish(rest, Attempt::Failed(None)),
            "fail-for-60s" => self.finish(rest, Attempt::Failed(Some(Span::from_secs(60)))),
            "reject" => self.finish(rest, Attempt::Dead(Death::Rejected)),
            "wait" => {
                self.now = self.now + Span::parse(rest).expect("a span");
                self.lanes.advance(self.now);
            }
            "log" => {
                for outcome in std::mem::take(&mut self.reported) {
                    self.lanes.logged(&outcome, self.now);
                }
            }
            "fix" => {
                for bundle in std::mem::take(&mut self.fixing) {
                    self.lanes.fixed(&bundle, self.now);
                }
            }
            "hold" => self.lanes.hold(Hold::UntilResumed, self.now),
            "resume" => self.lanes.hold(Hold::No, self.now),
            "switch-off" => {
                self.digests = None;
                self.lanes.place(TargetIx(1), Some(self.place()), self.now);
            }
            "erase" => self.lanes.place(TargetIx(rest.parse().expect("a target")), None, self.now),
            "distrust" => self.lanes.civil_is(Moment { at: self.now, offset: Span::ZERO, trusted: false }),
            "trust" => self.lanes.civil_is(Moment { at: self.now, offset: Span::ZERO, trusted: true }),
            other => panic!("no step {other}"),
        }
        self.said()
    }

    fn release(&mut self, rest: &str, kind: Kind, admission: Admission) {
        let mut words = rest.split(' ');
        let name = words.next().expect("a name");
        let level = words.next().map_or(Level::Yellow, |word| Level::parse(word).expect("a level"));
        let (what, target) = name.split_once('@').unwrap_or((name, "1"));
        let target: u32 = target.parse().expect("a target");
        let warning = u64::from(what.as_bytes()[0]);
        let number: u32 = what[1..].trim_end_matches('\'').parse().expect("a number");
        let round = what.matches('\'').count() as u32;
        self.position += 1;
        let revision = revision(warning, number, self.position, kind, level, &[target]);
        let key = Key::of_delivery(&revision.id, &target.to_string(), round);
        self.names.push((key, name.to_owned()));
        let delivery = Delivery { key, target: TargetIx(target), round, revision, admission };
        self.lanes.release(delivery, Leaves::Open, Some(self.place()), self.now);
    }

    fn finish(&mut self, name: &str, attempt: Attempt) {
        self.lanes.finished(self.key(name), attempt, self.now);
    }

    fn name(&self, key: Key) -> &str {
        &self.names.iter().find(|(known, _)| *known == key).expect("named").1
    }

    fn said(&mut self) -> String {
        let mut said = Vec::new();
        for action in self.lanes.take_actions() {
            match action {
                Action::Send(key) => said.push(format!("send {}", self.name(key))),
                Action::Fix(bundle) => {
                    let members: Vec<&str> = bundle.members.iter().map(|key| self.name(*key)).collect();
                    let members = members.join("+");
                    said.push(format!("fix {members}"));
                    if bundle.is_digest() {
                        self.names.push((bundle.key, members));
                    }
                    self.fixing.push(bundle);
                }
                Action::Report(outcome) => {
                    self.reported.push(outcome);
                    said.push(format!("{} {}", became(outcome.outcome), self.name(outcome.key)));
                }
                Action::Settle(key, outcomes) => {
                    said.push(format!("{} {}", became(outcomes[0].outcome), self.name(key)));
                    self.reported.extend(outcomes);
                }
            }
        }
        said.join(", ")
    }
}

fn became(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Accepted => "accepted",
        Outcome::Superseded => "superseded",
        Outcome::Dead(Death::Rejected) => "rejected",
        Outcome::Dead(Death::Expired) => "expired",
        Outcome::Dead(Death::Erased) => "erased",
        Outcome::Dead(Death::Forbidden) => "forbidden",
    }
}

fn check(history: &str, connections_max: usize, steps: &[(&str, &str)]) {
    let mut play = Play::new(connections_max, None);
    for (step, said) in steps {
        assert_eq!(play.step(step), *said, "{history}: {step}");
    }
}

#[test]
fn a_revision_waits_until_the_one_before_has_its_outcome_in_the_log() {
    check(
        "accepted",
        4,
        &[
            ("alert a1", "send a1"),
            ("update a2", ""),
            ("ok a1", "accepted a1"),
            ("wait 1 h", "expired a2"),
            ("log", ""),
        ],
    );
    check(
        "accepted, then logged",
        4,
        &[
            ("alert a1", "send a1"),
            ("update a2", ""),
            ("ok a1", "accepted a1"),
            ("log", "send a2"),
            ("ok a2", "accepted a2"),
        ],
    );
    check(
        "rejected",
        4,
        &[("alert a1", "send a1"), ("update a2", ""), ("reject a1", "rejected a1"), ("log", "send a2")],
    );
    check("other warnings go on", 4, &[("alert a1", "send a1"), ("alert b1", "send b1")]);
    check("other targets go on", 4, &[("alert a1@1", "send a1@1"), ("update a2@2", "send a2@2")]);
}

#[test]
fn a_revision_overtaken_before_it_was_attempted_is_superseded_first() {
    check(
        "a2 goes only after the log has a1 superseded",
        4,
        &[
            ("alert b1", "send b1"),
            ("fail b1", ""),
            ("alert a1", ""),
            ("update a2", "superseded a1"),
            ("log", ""),
            ("wait 1 s", "send a2"),
        ],
    );
    check(
        "an attempted one gives way too",
        4,
        &[
            ("alert a1", "send a1"),
            ("fail a1", ""),
            ("update a2", "superseded a1"),
            ("wait 1 s", ""),
            ("log", "send a2"),
        ],
    );
    check(
        "one in the air is heard out first",
        4,
        &[
            ("alert a1", "send a1"),
            ("update a2", ""),
            ("update a3", "superseded a2"),
            ("fail a1", "superseded a1"),
            ("log", ""),
            ("wait 1 s", "send a3"),
        ],
    );
    check(
        "a resend of the newest replaces the round before",
        4,
        &[("alert a1", "send a1"), ("fail a1", ""), ("update a1'", "superseded a1")],
    );
}

#[test]
fn no_all_clear_for_what_was_never_said() {
    check(
        "never attempted",
        4,
        &[
            ("alert b1", "send b1"),
            ("fail b1", ""),
            ("alert a1", ""),
            ("all-clear a2", "superseded a1, superseded a2"),
            ("log", ""),
            ("wait 1 s", "send b1"),
        ],
    );
    check(
        "attempted and failed counts as heard",
        4,
        &[
            ("alert a1", "send a1"),
            ("fail a1", ""),
            ("all-clear a2", "superseded a1"),
            ("log", ""),
            ("wait 1 s", "send a2"),
        ],
    );
    check("a warning from before this memory counts as heard", 4, &[("all-clear z7", "send z7")]);
}

#[test]
fn an_older_revision_that_comes_late_is_superseded() {
    check("after the newer was sent", 4, &[("update a2", "send a2"), ("alert a1", "superseded a1")]);
    check(
        "after the newer was logged",
        4,
        &[("update a2", "send a2"), ("ok a2", "accepted a2"), ("log", ""), ("alert a1", "superseded a1")],
    );
}

#[test]
fn red_goes_first_when_permits_are_scarce() {
    check(
        "one permit",
        1,
        &[
            ("alert a1@1 blue", "send a1@1"),
            ("alert b1@2 yellow", ""),
            ("alert c1@3 red", ""),
            ("alert d1@1 orange", ""),
            ("ok a1@1", "accepted a1@1, send c1@3"),
            ("ok c1@3", "accepted c1@3, send d1@1"),
            ("ok d1@1", "accepted d1@1, send b1@2"),
        ],
    );
}

#[test]
fn a_sick_target_holds_a_share_of_its_server_and_no_more() {
    check(
        "one of two permits stays free for the healthy",
        2,
        &[
            ("alert a1@1 red", "send a1@1"),
            ("alert b1@1 red", ""),
            ("alert c1@2", "send c1@2"),
            ("ok c1@2", "accepted c1@2"),
            ("fail a1@1", ""),
            ("wait 1 s", "send b1@1"),
            ("alert d1@2", "send d1@2"),
            ("alert e1@3", ""),
            ("fail b1@1", "send e1@3"),
        ],
    );
}

#[test]
fn what_one_receiver_cannot_digest_does_not_stand_before_the_rest() {
    check(
        "the probe is the least tried",
        4,
        &[
            ("alert a1 red", "send a1"),
            ("fail a1", ""),
            ("alert b1", ""),
            ("wait 1 s", "send b1"),
            ("ok b1", "accepted b1, send a1"),
        ],
    );
}

#[test]
fn a_delivery_dies_of_what_ends_it() {
    check(
        "expired while resting",
        4,
        &[("alert a1", "send a1"), ("fail a1", ""), ("wait 1 h", "expired a1")],
    );
    check("expired in the air", 4, &[("alert a1", "send a1"), ("wait 1 h", ""), ("fail a1", "expired a1")]);
    check(
        "accepted after its expiry",
        4,
        &[("alert a1", "send a1"), ("wait 1 h", ""), ("ok a1", "accepted a1")],
    );
    check(
        "nothing expires while the clock is untrusted",
        4,
        &[
            ("distrust", ""),
            ("alert a1", "send a1"),
            ("fail a1", ""),
            ("wait 2 h", "send a1"),
            ("fail a1", ""),
            ("trust", "expired a1"),
        ],
    );
    check("erased while resting", 4, &[("alert a1", "send a1"), ("fail a1", ""), ("erase 1", "erased a1")]);
    check(
        "erased in the air",
        4,
        &[("alert a1", "send a1"), ("erase 1", ""), ("fail a1", "erased a1"), ("log", "")],
    );
    check("the other world's", 4, &[("forbidden a1", "forbidden a1"), ("log", "")]);
}

#[test]
fn a_receiver_is_asked_again_when_it_said() {
    check(
        "Retry-After",
        4,
        &[
            ("alert a1", "send a1"),
            ("fail-for-60s a1", ""),
            ("alert b1", ""),
            ("wait 59 s", ""),
            ("wait 1 s", "send b1"),
            ("ok b1", "accepted b1, send a1"),
        ],
    );
}

#[test]
fn idle_is_when_everything_rests_or_is_in_the_log() {
    let mut play = Play::new(4, None);
    let mut states = Vec::new();
    for step in ["alert a1", "fail a1", "wait 1 s", "ok a1", "log"] {
        play.step(step);
        states.push((play.lanes.is_idle(), play.lanes.next_attempt().is_some()));
    }
    assert_eq!(states, [(false, false), (true, true), (false, false), (false, false), (true, false)]);
    assert_eq!(play.lanes.outstanding(), 0);
}
