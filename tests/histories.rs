//! The hard histories, where the design is easiest to get wrong: the test of
//! each, which bears its name.

#[path = "common/named.rs"]
mod named;

use std::collections::BTreeSet;

use named::every_test;

const COURIER: &str = "src/courier/tests/histories.rs";
const TRANSCRIPTS: &str = "tests/transcripts/histories.rs";
const LOG: &str = "src/log/tests/recovery.rs";
const DRIVER: &str = "src/driver/tests.rs";
const RESTART: &str = "tests/service/restart.rs";
const PEOPLE: &str = "core/src/judging/people_tests.rs";
const JUDGING: &str = "core/src/judging/histories.rs";
const DISK: &str = "tests/service/disk.rs";
const ORDERS: &str = "core/src/engine/orders_tests.rs";

/// Every history, in the order in which they are told: crash and disk, time, judgement.
const HISTORIES: &[(&str, &[(&str, &str)])] = &[
    (
        "torn-tail",
        &[
            (LOG, "torn_tail_is_cut_off_at_every_byte_and_the_rest_stays"),
            (RESTART, "torn_tail_is_cut_off_and_what_was_in_it_comes_again"),
        ],
    ),
    ("synced-unacked", &[(RESTART, "synced_unacked_a_measurement_sent_again_is_one_reading")]),
    ("written-unsynced", &[(LOG, "written_unsynced_is_durable_once_recovery_has_read_it")]),
    ("recycled-segment", &[(LOG, "recycled_segment_brings_nothing_of_its_former_life_back")]),
    (
        "rotten-last",
        &[
            (LOG, "rotten_last_is_rot_and_no_tear"),
            (RESTART, "rotten_last_is_told_as_rot_and_not_cut_as_a_tear"),
        ],
    ),
    ("lost-notes", &[(COURIER, "lost_notes")]),
    ("lost-digest", &[("src/courier/tests/storm.rs", "lost_digest")]),
    ("accepted-then-behind", &[(COURIER, "accepted_then_behind")]),
    (
        "full-disk",
        &[
            (DISK, "full_disk_stops_readings_and_not_warnings"),
            (DISK, "full_disk_to_the_last_reserve_stands_still_and_goes_on"),
        ],
    ),
    (
        "poison-input",
        &[
            (DRIVER, "poison_input_is_quarantined_and_its_neighbours_are_served"),
            (DRIVER, "poison_input_in_recovery_is_passed_over"),
            ("src/ingest/intake.rs", "poison_input_in_decode_is_refused_and_the_next_is_read"),
        ],
    ),
    (
        "bad-snapshot",
        &[
            (DRIVER, "bad_snapshot_and_the_second_newest_serves"),
            (DRIVER, "bad_snapshot_beside_no_good_one_and_the_projection_serves"),
        ],
    ),
    ("upgrade-differs", &[("core/src/engine/upgrade_tests.rs", "upgrade_differs")]),
    ("restore-beside", &[(COURIER, "restore_beside"), ("tests/service/restore.rs", "restore_beside")]),
    ("boot-1970", &[(TRANSCRIPTS, "boot_1970")]),
    (
        "hour-back",
        &[
            (PEOPLE, "hour_back_and_boot_1970_keep_sent_in_order_and_renew_in_time"),
            (TRANSCRIPTS, "hour_back"),
        ],
    ),
    ("reading-2089", &[("core/tests/station_admission.rs", "reading_2089")]),
    ("mute-untrusted", &[(ORDERS, "mute_untrusted")]),
    ("refused-timestamp", &[(COURIER, "refused_timestamp")]),
    ("ack-at-deadline", &[("core/src/judging/asking_tests.rs", "ack_at_deadline")]),
    ("led-escalation", &[("tests/service/led.rs", "led_escalation")]),
    ("raise-taken-back", &[(JUDGING, "raise_taken_back"), (TRANSCRIPTS, "raise_taken_back")]),
    ("unknown-flapping", &[(JUDGING, "unknown_flapping")]),
    (
        "same-sensor-twice",
        &[
            ("core/tests/station_outage.rs", "same_sensor_twice_is_cut_off_only_with_its_last_source"),
            (TRANSCRIPTS, "same_sensor_twice"),
        ],
    ),
    ("broker-down", &[("core/src/judging/outage_tests.rs", "broker_down")]),
    ("vanished-area", &[(PEOPLE, "vanished_area"), ("tests/service/reload.rs", "vanished_area")]),
    ("late-over-reload", &[(TRANSCRIPTS, "late_over_reload")]),
    ("reload-in-batch", &[(TRANSCRIPTS, "reload_in_batch")]),
    ("red-routes", &[(PEOPLE, "red_routes")]),
    ("superseded-revision", &[(COURIER, "superseded_revision")]),
    ("erased-contact", &[(COURIER, "erased_contact")]),
    ("two-approvers-race", &[(ORDERS, "two_approvers_race")]),
];

/// How many there are.
const COUNT: usize = 31;

/// Whether a test bears a history's name: it is that, or begins with it.
fn bears(test: &str, history: &str) -> bool {
    let name = history.replace('-', "_");
    test.strip_prefix(&name).is_some_and(|rest| rest.is_empty() || rest.starts_with('_'))
}

#[test]
fn every_hard_history_has_its_test() {
    let names: BTreeSet<&str> = HISTORIES.iter().map(|(name, _)| *name).collect();
    assert_eq!((names.len(), HISTORIES.len()), (COUNT, COUNT), "each history stands here once");
    let found = every_test();
    for (history, held) in HISTORIES {
        let there: BTreeSet<(&str, &str)> = found
            .iter()
            .filter(|(_, test)| bears(test, history))
            .map(|(file, test)| (file.as_str(), test.as_str()))
            .collect();
        let named: BTreeSet<(&str, &str)> = held.iter().copied().collect();
        assert_eq!(there, named, "{history}: tests that bear its name, and those that stand here");
        assert!(!named.is_empty(), "{history}: no test");
    }
}
