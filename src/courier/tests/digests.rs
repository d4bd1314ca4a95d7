//! Digests by tables: one line a step, what it must bring beside it.

use forewarn_core::time::Span;

use super::lanes::Play;
use crate::config::plan::Digests;

/// Two go singly in a minute.
const TERMS: Digests = Digests { after: 2, every: Span::from_mins(1), members_max: 10_000 };

fn check(history: &str, steps: &[(&str, &str)]) {
    let mut play = Play::new(4, Some(TERMS));
    for (step, said) in steps {
        assert_eq!(play.step(step), *said, "{history}: {step}");
    }
}

/// Two told singly, three held.
const STORM: [(&str, &str); 8] = [
    ("alert a1", "fix a1"),
    ("alert b1", "fix b1"),
    ("fix", "send a1"),
    ("alert c1", ""),
    ("alert d1 orange", ""),
    ("ok a1", "accepted a1, send b1"),
    ("ok b1", "accepted b1"),
    ("log", ""),
];

fn after_storm(history: &str, steps: &[(&str, &str)]) {
    check(history, &[&STORM[..], steps].concat());
}

#[test]
fn two_go_singly_and_what_is_more_is_one_digest_a_minute_later() {
    after_storm(
        "a storm",
        &[
            ("wait 59 s", ""),
            ("alert e1", ""),
            ("wait 1 s", "fix d1+c1+e1"),
            ("fix", "send d1+c1+e1"),
            ("alert f1", "fix f1"),
            ("alert g1", ""),
            ("ok d1+c1+e1", "accepted d1+c1+e1"),
            ("log", ""),
            ("wait 59 s", ""),
            ("alert h1", ""),
            ("wait 1 s", "fix g1+h1"),
        ],
    );
    after_storm(
        "one is no digest",
        &[
            ("update c2", "superseded c1"),
            ("log", ""),
            ("update d2 blue", "superseded d1"),
            ("all-clear c3", "superseded c2, superseded c3"),
            ("log", ""),
            ("wait 1 min", "fix d2"),
        ],
    );
}

#[test]
fn the_first_red_waits_for_nothing_and_a_storm_of_red_is_a_digest() {
    after_storm(
        "red after others",
        &[
            ("alert r1 red", "fix r1"),
            ("alert s1 red", ""),
            ("fix", "send r1"),
            ("alert t1 red", ""),
            ("wait 1 min", "fix s1+t1+d1+c1"),
        ],
    );
}

#[test]
fn what_is_overtaken_drops_out_before_the_digest_is_fixed_and_not_after() {
    after_storm(
        "before",
        &[("update c2", "superseded c1"), ("log", ""), ("wait 1 min", "fix d1+c2"), ("fix", "send d1+c2")],
    );
    after_storm(
        "after",
        &[
            ("wait 1 min", "fix d1+c1"),
            ("update c2", ""),
            ("fix", "send d1+c1"),
            ("ok d1+c1", "accepted d1+c1"),
            ("log", "fix c2"),
        ],
    );
    after_storm(
        "all of it, while it rests",
        &[
            ("wait 1 min", "fix d1+c1"),
            ("fix", "send d1+c1"),
            ("fail d1+c1", ""),
            ("update c2", ""),
            ("all-clear d2", "superseded d1+c1"),
            ("log", "fix d2"),
            ("wait 1 min", "fix c2"),
        ],
    );
}

#[test]
fn the_end_of_what_is_in_a_digest_follows_it() {
    after_storm(
        "its all-clear comes while it is being fixed",
        &[
            ("wait 1 min", "fix d1+c1"),
            ("all-clear c2", ""),
            ("fix", "send d1+c1"),
            ("ok d1+c1", "accepted d1+c1"),
            ("log", "fix c2"),
            ("fix", "send c2"),
        ],
    );
    after_storm("held and over: nobody is told", &[("all-clear c2", "superseded c1, superseded c2")]);
}

#[test]
fn a_digest_is_tried_again_as_it_is_and_no_other_is_made_meanwhile() {
    after_storm(
        "a server that is away",
        &[
            ("wait 1 min", "fix d1+c1"),
            ("fix", "send d1+c1"),
            ("fail d1+c1", ""),
            ("alert e1", "fix e1"),
            ("alert f1", ""),
            ("alert g1", ""),
            ("fix", ""),
            ("wait 1 s", "send e1"),
            ("ok e1", "accepted e1, send d1+c1"),
            ("ok d1+c1", "accepted d1+c1"),
            ("log", ""),
            ("wait 59 s", "fix f1+g1"),
        ],
    );
}

#[test]
fn what_becomes_of_a_digest_becomes_of_all_in_it() {
    after_storm(
        "refused",
        &[("wait 1 min", "fix d1+c1"), ("fix", "send d1+c1"), ("reject d1+c1", "rejected d1+c1")],
    );
    after_storm(
        "erased",
        &[
            ("wait 1 min", "fix d1+c1"),
            ("fix", "send d1+c1"),
            ("fail d1+c1", ""),
            ("erase 1", "erased d1+c1"),
        ],
    );
    after_storm("erased while held", &[("erase 1", "erased c1, erased d1")]);
    after_storm(
        "expired",
        &[
            ("wait 1 min", "fix d1+c1"),
            ("fix", "send d1+c1"),
            ("fail d1+c1", ""),
            ("wait 1 h", "expired d1+c1"),
        ],
    );
}

#[test]
fn a_held_directory_sends_no_digest_until_it_is_resumed() {
    after_storm(
        "held before it is made",
        &[
            ("hold", ""),
            ("wait 2 min", ""),
            ("resume", "fix c1, fix d1"),
            ("fix", "send c1"),
            ("ok c1", "accepted c1, send d1"),
        ],
    );
    after_storm(
        "held once it is fixed",
        &[("wait 1 min", "fix d1+c1"), ("hold", ""), ("fix", ""), ("resume", "send d1+c1")],
    );
}

#[test]
fn a_receiver_that_asks_for_no_digests_any_more_gets_what_was_held_singly() {
    after_storm("switched off", &[("switch-off", "send d1, send c1")]);
}
