//! Slips in `devices.csv`.

use crate::world::{CANARY, Row, check};

const FAULTS: &[Row] = &[
    (
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        CANARY,
        "devices.csv:2: secret_sha256 is no such digest, expected SHA-256 of a secret, 64 hexadecimal digits, as \"forewarn devices add\" writes it",
    ),
    (
        "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "devices.csv:2: secret_sha256 is no such digest, expected SHA-256 of a secret, 64 hexadecimal digits, as \"forewarn devices add\" writes it",
    ),
    (
        "a;b",
        "a;c",
        "devices.csv:2: station \"c\" is not in sensors.csv, expected a station, did you mean \"a\"?",
    ),
    ("a;b", "", "devices.csv:2: stations is empty, expected one station at least"),
    ("gw-1,a;b", "#", ""),
    (
        "gw-1,a;b",
        "a/#,a;b",
        "devices.csv:2: identity is \"a/#\", expected a name of letters, digits, - _ . : (64 characters at most)",
    ),
    (
        "gw-1,",
        "gw-1,a,9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\ngw-1,",
        "devices.csv:3: identity \"gw-1\" stands on line 2 already, expected each identity once",
    ),
];

#[test]
fn each_slip_in_the_devices_is_told_with_its_line() {
    check("devices.csv", FAULTS);
}
