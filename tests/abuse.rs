//! The abuse cases of the threat model by their numbers: where the test of each
//! stands, or what it waits for. A test bears its case's number in its name.

#[path = "common/named.rs"]
mod named;

use std::collections::{BTreeMap, BTreeSet};

use named::every_test;

/// What is done about a case.
enum Case {
    /// Tests hold it, each as file and name.
    Held(&'static [(&'static str, &'static str)]),
    /// What it would abuse is not built yet.
    Waits(&'static str),
}
use Case::{Held, Waits};

const LISTENER: &str = "tests/listener/abuse.rs";
const FLAT: &str = "core/tests/station_flat.rs";
const ACCESS: &str = "tests/api/abuse.rs";
const SERVICE: &str = "tests/service/abuse.rs";
const POISON: &str = "tests/service/poison.rs";
const WEBHOOK: &str = "src/channels/webhook/tests.rs";
const EMAIL: &str = "src/channels/email/tests.rs";
const RENDER: &str = "src/channels/render/tests.rs";

/// Every case, in the order of its number. Numbers that are missing here were never given.
const CASES: &[(u8, &str, Case)] = &[
    (1, "CONNECT without credentials", Held(&[(LISTENER, "abuse_01_connect_without_credentials")])),
    (2, "a client id that is a pattern", Held(&[(LISTENER, "abuse_02_client_id_that_is_a_pattern")])),
    (
        3,
        "a device publishes for another's station",
        Held(&[
            (LISTENER, "abuse_03_another_devices_station"),
            (LISTENER, "abuse_03_gateway_speaks_for_its_stations_only"),
        ]),
    ),
    (4, "a sensor subscribes to all", Held(&[(LISTENER, "abuse_04_subscribe_as_a_sensor")])),
    (
        6,
        "a retained reading of last week",
        Held(&[
            (LISTENER, "abuse_06_retain_is_no_statement_of_age"),
            ("core/tests/station_admission.rs", "abuse_06_retained_reading_of_last_week"),
            (SERVICE, "abuse_06_retained_reading_of_a_week_ago"),
        ]),
    ),
    (7, "a reading is replayed", Held(&[(SERVICE, "abuse_07_replayed_reading_counts_once")])),
    (9, "values that are no numbers", Held(&[(POISON, "abuse_09_values_that_are_no_numbers")])),
    (10, "a declared length of 256 MiB", Held(&[(LISTENER, "abuse_10_declared_length_of_256_mib")])),
    (11, "JSON ten thousand deep", Held(&[(POISON, "abuse_11_json_ten_thousand_deep")])),
    (
        13,
        "slow and silent connections",
        Held(&[
            (LISTENER, "abuse_13_slow_connects_by_the_hundred"),
            (LISTENER, "abuse_13_silent_peers_on_every_place_give_way"),
            (LISTENER, "abuse_13_places_of_the_admitted_are_their_own"),
        ]),
    ),
    (14, "a million sensors made up", Held(&[(SERVICE, "abuse_14_sensors_that_nobody_configured")])),
    (15, "QoS 2 that is never released", Held(&[(LISTENER, "abuse_15_qos_2_holds_nothing")])),
    (16, "topics against the rules", Held(&[(LISTENER, "abuse_16_topics_against_the_rules")])),
    (17, "a will on an alarm's topic", Held(&[(LISTENER, "abuse_17_a_will_is_never_evidence")])),
    (18, "a unit that flips in mid-stream", Held(&[(POISON, "abuse_18_unit_flips_in_mid_stream")])),
    (
        20,
        "a sensor stuck at one value",
        Held(&[
            (FLAT, "abuse_20_stuck_sensor_is_no_sign_of_safety"),
            (FLAT, "abuse_20_stuck_sensor_lowers_no_danger"),
            (FLAT, "abuse_20_stuck_sensor_that_moves_warns_at_once"),
            ("tests/transcripts/losses.rs", "abuse_20_stuck_gauge_after_a_flood_gives_no_all_clear"),
            (SERVICE, "abuse_20_stuck_sensor_is_shown_as_suspect"),
        ]),
    ),
    (
        21,
        "a webhook to where nothing public is",
        Held(&[
            (WEBHOOK, "abuse_21_forbidden_addresses_are_never_connected_to"),
            ("src/channels/guard/tests.rs", "abuse_21_addresses_that_are_not_public_in_every_spelling"),
        ]),
    ),
    (23, "a redirect to an internal host", Held(&[(WEBHOOK, "abuse_23_redirect_is_not_followed")])),
    (24, "an endless or packed answer", Held(&[(WEBHOOK, "abuse_24_endless_answer_is_cut_off")])),
    (
        25,
        "a receiver says 410",
        Held(&[(SERVICE, "abuse_25_receiver_that_says_410_is_not_silently_dropped")]),
    ),
    (27, "a name with a header in it", Held(&[(EMAIL, "abuse_27_name_with_a_header_in_it")])),
    (
        28,
        "a body with the end of a mail in it",
        Held(&[(EMAIL, "abuse_28_body_with_the_end_of_a_mail_in_it")]),
    ),
    (
        29,
        "a recipient with a quoted local part",
        Held(&[
            (EMAIL, "abuse_29_what_is_no_address_is_refused_before_any_connection"),
            ("tests/config_faults/contacts.rs", "abuse_29_address_with_a_quoted_local_part"),
        ]),
    ),
    (30, "STARTTLS is stripped", Held(&[(EMAIL, "abuse_30_stripped_starttls_sends_nothing_in_the_clear")])),
    (31, "a name that is a template", Held(&[(RENDER, "abuse_31_name_that_is_a_template")])),
    (
        32,
        "a name that is markup",
        Held(&[
            (RENDER, "abuse_32_name_that_is_markup"),
            ("src/channels/chat/tests/messages.rs", "abuse_32_markup_and_mentions_in_names_do_nothing"),
        ]),
    ),
    (33, "CAP with an external entity", Waits("the import of CAP")),
    (35, "a signature wrapped around another element", Waits("the import of CAP")),
    (
        36,
        "an operator approves his own draft",
        Held(&[
            (ACCESS, "abuse_36_two_tabs_of_one_user"),
            ("tests/api/permits.rs", "abuse_36_nobody_approves_their_own_draft_nor_below_their_role"),
        ]),
    ),
    (
        38,
        "a viewer approves, or reads another tenant's targets",
        Held(&[(ACCESS, "abuse_38_viewer_approves_and_a_neighbour_reads_by_id")]),
    ),
    (
        39,
        "a page of another site sends",
        Held(&[("tests/api/login.rs", "abuse_39_another_site_makes_nobody_do_anything")]),
    ),
    (
        40,
        "a pattern that never ends",
        Held(&[("tests/config_faults/rules.rs", "abuse_40_pattern_that_never_ends")]),
    ),
    (
        41,
        "a rule over no sensor, a route to nobody",
        Held(&[
            ("tests/config_faults/rules.rs", "abuse_41_rule_over_no_sensor"),
            ("tests/config_faults/routes.rs", "abuse_41_route_to_nobody"),
        ]),
    ),
    (43, "a password is told", Held(&[(POISON, "abuse_43_secrets_are_told_nowhere")])),
    (44, "a field of the log with a line in it", Held(&[(SERVICE, "abuse_44_line_in_a_field_of_the_log")])),
    (
        46,
        "one bit of the log flips",
        Held(&[("tests/service/restart.rs", "abuse_46_one_bit_flipped_mid_log")]),
    ),
    (
        47,
        "two processes on one data directory",
        Held(&[(POISON, "abuse_47_second_process_on_one_data_directory")]),
    ),
    (
        48,
        "the clock at 1970, a date of nested comments",
        Held(&[
            ("tests/transcripts/floods.rs", "abuse_48_clock_at_1970_at_boot"),
            ("src/channels/post.rs", "abuse_48_date_of_ten_thousand_nested_comments"),
        ]),
    ),
];

/// How many cases the threat model has.
const COUNT: usize = 38;

#[test]
fn every_abuse_case_has_its_test() {
    let mut found = BTreeMap::new();
    for (file, name) in every_test().into_iter().filter(|(_, name)| name.starts_with("abuse_")) {
        let twice = found.insert(name.clone(), file);
        assert_eq!(twice, None, "{name} stands twice");
    }
    let numbers: BTreeSet<u8> = CASES.iter().map(|(number, _, _)| *number).collect();
    assert_eq!((numbers.len(), CASES.len()), (COUNT, COUNT), "each case stands here once");
    for (number, what, case) in CASES {
        match case {
            Held(tests) => assert!(!tests.is_empty(), "{number}, {what}: no test"),
            Waits(on) => assert!(!on.is_empty(), "{number}, {what}: no word on what it waits for"),
        }
        let Held(tests) = case else { continue };
        for (file, name) in *tests {
            assert!(name.starts_with(&format!("abuse_{number:02}_")), "{name} does not bear number {number}");
            assert_eq!(found.remove(*name).as_deref(), Some(*file), "{number}, {what}: where is {name}?");
        }
    }
    assert!(found.is_empty(), "tests of abuse cases that the table does not name: {found:?}");
}
