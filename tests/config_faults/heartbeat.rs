//! Slips in `[heartbeat]`.

use crate::world::{Row, check};

const FAULTS: &[Row] = &[
    (
        "[webhook]",
        "[heartbeat]\nevery = \"2 min\"\n[webhook]",
        "forewarn.toml:13: heartbeat.every is 2 min, expected 1 s to 1 min: whoever waits outside fires after three rounds",
    ),
    (
        "[webhook]",
        "[heartbeat]\nevery = \"0 s\"\n[webhook]",
        "forewarn.toml:13: heartbeat.every is 0 s, expected 1 s to 1 min: whoever waits outside fires after three rounds",
    ),
    (
        "[webhook]",
        "[heartbeat]\nurl = \"https://127.0.0.1/beat\"\n[webhook]",
        "forewarn.toml:13: has a heartbeat at a loopback address, to which nothing is sent, expected a public address, or one in a network of webhook.allow, write allow = [\"127.0.0.1/32\"] below [webhook] in forewarn.toml",
    ),
    (
        "[webhook]",
        "[heartbeat]\nurl = \"watch.example.org\"\n[webhook]",
        "forewarn.toml:13: heartbeat.url is not a plain web address, expected an address such as \"https://warn.example.org\", without user or password in it",
    ),
    (
        "[webhook]",
        "[heartbeat]\nsecret = { env = \"HOOK\" }\n[webhook]",
        "forewarn.toml:13: warning: heartbeat has a secret and no url, url beside secret, or neither",
    ),
    (
        "[webhook]",
        "[heartbeat]\nurl = \"https://watch.example.org/beat\"\nsecret = { env = \"NONE\" }\n[webhook]",
        "forewarn.toml:14: environment variable NONE is not set, expected the secret in it",
    ),
    (
        "[webhook]\nsecret = { env = \"HOOK\" }",
        "[heartbeat]\nurl = \"https://watch.example.org/beat\"\n[webhook]",
        "contacts.csv:3: has a webhook, but there is no secret to sign with, expected [webhook] secret in forewarn.toml\nforewarn.toml:13: heartbeat has no secret to sign with, expected heartbeat.secret, or webhook.secret, by reference",
    ),
    ("[webhook]", "[heartbeat]\nurl = \"https://watch.example.org/beat\"\nevery = \"10 s\"\n[webhook]", ""),
];

#[test]
fn what_keeps_a_heartbeat_from_arriving_is_said() {
    check("forewarn.toml", FAULTS);
}
