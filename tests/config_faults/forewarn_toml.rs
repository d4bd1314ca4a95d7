//! Slips in `forewarn.toml`.

use std::fs;

use forewarn::config::names::FreshIndices;

use crate::world::{CANARY, CONTACTS, MAIN, Row, check, loads, sound, write};

const FAULTS: &[Row] = &[
    (
        ", password = { env = \"MQTT\" }",
        "",
        "forewarn.toml:7: warning: source \"lora\" has the user \"f\" and no password, password = { file = \"...\" } beside user, unless the broker asks for none",
    ),
    (
        "[webhook]",
        "[webhook]\ndigest = { after = 0, every = \"9 s\" }",
        "forewarn.toml:13: webhook.digest.after is 0, expected 1 to 60\nforewarn.toml:13: webhook.digest.every is 9 s, expected 10 s to 1 h",
    ),
    (
        "[webhook]",
        "[webhook]\ntimeout = \"0 s\"",
        "forewarn.toml:13: webhook.timeout is 0 s, expected 1 s at least",
    ),
    (
        "[webhook]",
        "[listener]\nconnections_max = 0\nhandshake_max = \"10 ms\"\n[webhook]",
        "forewarn.toml:13: listener.connections_max is 0, expected 1 to 1048576\nforewarn.toml:14: listener.handshake_max is 10 ms, expected 1 s at least",
    ),
    (
        "[webhook]",
        "[webhook]\nallow = \"127.0.0.0/8\"",
        "forewarn.toml:13: webhook.allow is text, expected a list in brackets, each a network such as \"10.1.0.0/16\"",
    ),
    (
        "[webhook]",
        "[webhook]\nplaintext = \"true\"",
        "forewarn.toml:13: webhook.plaintext is text, expected true or false, write it without quotation marks",
    ),
    (
        "[webhook]",
        "[webhook]\nca = \"a\"\nca = \"b\"",
        "forewarn.toml:14: key \"ca\" stands twice, expected each key once",
    ),
    (
        "[webhook]",
        "[http]\nbody_max = 8\n[webhook]",
        "forewarn.toml:13: http.body_max is a whole number, expected a size such as \"64 MiB\" (KiB, MiB, GiB), write it in quotation marks",
    ),
    (
        "{ format = \"json\" }",
        "\"json\"",
        "forewarn.toml:8: sources.lora.decode is text, expected { format = \"...\" } with the format's own keys",
    ),
    (
        "{ format = \"json\" }",
        "{ format = \"json\", readings = 3 }",
        "forewarn.toml:8: sources.lora.decode (format \"json\"): a value is the whole number \"3\", expected a table",
    ),
    (
        "{ env = \"HOOK\" }",
        "{}",
        "forewarn.toml:13: webhook.secret is empty, expected a reference { env = \"NAME\" } or { file = \"path\" }",
    ),
    ("name = \"Ford\"\n", "", "forewarn.toml:1: site has no name, expected text of one line"),
    (
        "name = \"Ford\"",
        "nmae = \"Ford\"",
        "forewarn.toml:1: site has no name, expected text of one line\nforewarn.toml:2: unknown key \"nmae\" in site, expected one of name, zone, url, did you mean \"name\"?",
    ),
    (
        "name = \"Ford\"",
        "name = 3",
        "forewarn.toml:2: site.name is a whole number, expected text of one line, write it in quotation marks",
    ),
    ("name = \"Ford\"", "name = \"Ford", "forewarn.toml:2: invalid basic string, expected `\"`"),
    (
        "Asia/Shanghai",
        "Asia/Shangai",
        "forewarn.toml:3: site.zone is \"Asia/Shangai\", expected a zone such as \"Asia/Shanghai\" or \"Europe/Berlin\", did you mean \"Asia/Shanghai\"?",
    ),
    (
        "Asia/Shanghai",
        "Asia/Beijing",
        "forewarn.toml:3: site.zone is \"Asia/Beijing\", expected a zone such as \"Asia/Shanghai\" or \"Europe/Berlin\", did you mean \"Asia/Shanghai\"?",
    ),
    (
        "contact = \"it\"",
        "contact = \"itt\"",
        "forewarn.toml:5: operator.contact is \"itt\", who is not in contacts.csv, expected the id of a contact, did you mean \"it\"?",
    ),
    (
        "[operator]\ncontact = \"it\"\n",
        "",
        "forewarn.toml:1: operator is missing, expected a table with contact",
    ),
    (
        "[webhook]",
        "[webhok]",
        "contacts.csv:3: has a webhook, but there is no secret to sign with, expected [webhook] secret in forewarn.toml\nforewarn.toml:12: unknown key \"webhok\", expected one of site, operator, data, sources, listener, http, email, webhook, cap, chat, sms, heartbeat, influx, store, log, warnings, orders, limits, did you mean \"webhook\"?",
    ),
    (
        "{ env = \"MQTT\" }",
        "\"canary-7f3a91\"",
        "forewarn.toml:7: sources.lora.mqtt.password is written out, expected a reference { env = \"NAME\" } or { file = \"path\" }, a secret that stood in a file like this one should be replaced",
    ),
    (
        "{ env = \"MQTT\" }",
        "[\"canary-7f3a91\"]",
        "forewarn.toml:7: sources.lora.mqtt.password is written out, expected a reference { env = \"NAME\" } or { file = \"path\" }, a secret that stood in a file like this one should be replaced",
    ),
    (
        "{ env = \"MQTT\" }",
        "{ value = \"canary-7f3a91\" }",
        "forewarn.toml:7: sources.lora.mqtt.password has neither env nor file, expected a reference { env = \"NAME\" } or { file = \"path\" }, a secret that stood in a file like this one should be replaced",
    ),
    (
        "{ env = \"MQTT\" }",
        "{ env = \"GONE\" }",
        "forewarn.toml:7: environment variable GONE is not set, expected the secret in it",
    ),
    (
        "{ env = \"MQTT\" }",
        "{ file = \"gone\" }",
        "forewarn.toml:7: secret file DIR/gone cannot be read (No such file or directory (os error 2)), expected a file that holds the secret",
    ),
    (
        "mqtts://10.1.0.5",
        "mqtts://f:canary-7f3a91@10.1.0.5",
        "forewarn.toml:7: sources.lora.mqtt.url is not the address of a broker, expected \"mqtt://host:1883\" or \"mqtts://host:8883\", without user or password in it",
    ),
    (
        "user = \"f\", ",
        "",
        "forewarn.toml:7: sources.lora.mqtt.password is without a user, expected user beside password",
    ),
    (
        "up/#",
        "up/#/x",
        "forewarn.toml:7: sources.lora.mqtt.topic is \"up/#/x\", expected an MQTT topic filter such as \"river/+/up\" (+ a whole level, # the last one)",
    ),
    ("user = \"f\"", "qos = 2, user = \"f\"", "forewarn.toml:7: sources.lora.mqtt.qos is 2, expected 0 to 1"),
    (
        "user = \"f\"",
        "ca = \"ca.pem\", user = \"f\"",
        "forewarn.toml:7: file \"DIR/ca.pem\" is not there, expected a file",
    ),
    (
        "user = \"f\"",
        "cert = \"c.pem\", user = \"f\"",
        "forewarn.toml:7: file \"DIR/c.pem\" is not there, expected a file\nforewarn.toml:7: sources.lora.mqtt has one of cert and key, expected both, or neither",
    ),
    (
        "user = \"f\"",
        "keep_alive = \"1 s\", packet_max = \"1 GiB\", user = \"f\"",
        "forewarn.toml:7: sources.lora.mqtt.keep_alive is 1 s, expected 5 s to 1 h\nforewarn.toml:7: sources.lora.mqtt.packet_max is 1073741824 B, expected 1 KiB to 255 MiB",
    ),
    (
        "format = \"json\"",
        "format = \"jsn\"",
        "forewarn.toml:8: sources.lora.decode.format is \"jsn\", expected one of json, senml, line-protocol, chirpstack, did you mean \"json\"?",
    ),
    (
        "format = \"json\"",
        "format = \"json\", statoin = \"/id\"",
        "forewarn.toml:8: sources.lora.decode (format \"json\"): unknown field \"statoin\", expected one of \"each\", \"station\", \"time\", \"time_unit\", \"zone_offset\", \"seq\", \"quantity\", \"value\", \"unit\", \"simulated\", \"topic\", \"readings\", \"quantities\", \"strings\", did you mean \"station\"?",
    ),
    (
        "sources.lora",
        "sources.http",
        "forewarn.toml:6: a source is named \"http\", expected a name of letters, digits, - _ . : (64 characters at most), other than listener and http",
    ),
    (
        "Ford <f@example.org>",
        "Ford",
        "forewarn.toml:11: email.from is no sender, expected \"Name <address>\"",
    ),
    (
        "host = ",
        "user = \"u\"\nhost = ",
        "forewarn.toml:9: email has one of user and password, expected both, or neither",
    ),
    (
        "{ env = \"HOOK\" }",
        "{ env = \"SHORT\" }",
        "forewarn.toml:13: webhook.secret is short enough to be guessed, expected 24 characters at least",
    ),
    (
        "[webhook]",
        "[http]\ntokens = { x = { env = \"SHORT\" } }\n[webhook]",
        "forewarn.toml:13: token \"x\" is short enough to be guessed, expected 32 characters at least",
    ),
    (
        "[webhook]",
        "[webhook]\nallow = [\"10.0.0.0/40\"]",
        "forewarn.toml:13: webhook.allow is \"10.0.0.0/40\", expected a network such as \"10.1.0.0/16\"",
    ),
    (
        "[webhook]",
        "[listener]\nbind_tls = \"0.0.0.0:8883\"\n[webhook]",
        "forewarn.toml:12: listener has one of bind_tls and tls, expected both, or neither",
    ),
    (
        "[webhook]",
        "[log]\nsegment = \"1 KiB\"\ngap = \"2 s\"\n[webhook]",
        "forewarn.toml:13: log.segment is 1024 B, expected 1 MiB to 4 GiB\nforewarn.toml:14: log.gap is 2 s, expected 1 s at most: readings wait for it",
    ),
    (
        "[webhook]",
        "[store]\nkeep = \"1 h\"\n[webhook]",
        "forewarn.toml:13: store.keep is 1 h, expected 1 d at least: charts show the last day",
    ),
    (
        "[webhook]",
        "[warnings]\nexpires_after = \"20 min\"\n[webhook]",
        "forewarn.toml:13: warnings.renew_before is 30 min, not less than expires_after, 20 min, expected less, so that a warning is renewed before it ends",
    ),
    (
        "[webhook]",
        "[orders]\napprove_within = \"0 s\"\nmute_max = \"30 d\"\n[webhook]",
        "forewarn.toml:13: orders.approve_within is 0 s, expected more than 0 s, 1 d at most\nforewarn.toml:14: orders.mute_max is 30 d, expected more than 0 s, 7 d at most",
    ),
    (
        "[webhook]",
        "[orders]\nsend_unapproved = [\"purple\"]\n[webhook]",
        "forewarn.toml:13: orders.send_unapproved is \"purple\", expected one of blue, yellow, orange, red",
    ),
    (
        "[webhook]",
        "[influx]\nurl = \"http://u:canary-7f3a91@h\"\norg = \"o\"\nbucket = \"b\"\ntoken = { env = \"TOKEN\" }\n[webhook]",
        "forewarn.toml:13: influx.url is not a plain web address, expected an address such as \"https://warn.example.org\", without user or password in it",
    ),
    (
        "[webhook]",
        "[http]\nbind = \"8080\"\n[webhook]",
        "forewarn.toml:13: http.bind is \"8080\", expected an address and port such as \"127.0.0.1:8080\"",
    ),
    (
        "[webhook]",
        "[http]\nbind = \"0.0.0.0:1883\"\n[listener]\nbind = \"127.0.0.1:1883\"\n[webhook]",
        "forewarn.toml:13: http.bind is 0.0.0.0:1883, a port of listener.bind, expected another port",
    ),
    (
        "[webhook]",
        "[cap]\nsender = \"fw, river\"\noid = \"2.49.01\"\ncategories = { snow = \"Snow\" }\n[webhook]",
        "forewarn.toml:13: cap.sender is \"fw, river\", expected a domain name or a mail address, without space, comma, < and &\nforewarn.toml:14: cap.oid is \"2.49.01\", expected an object identifier such as \"2.49.0.1.156.3\" (2.49.0.0 is of those who warn, 2.49.0.1 of their alerts)\nforewarn.toml:15: cap.categories.snow is \"Snow\", expected Geo, Met, Safety, Security, Rescue, Fire, Health, Env, Transport, Infra, CBRNE or Other",
    ),
    (
        "[webhook]",
        "[cap]\noid = \"2.49.0.0.156.3\"\n[webhook]",
        "forewarn.toml:13: cap.oid is \"2.49.0.0.156.3\", expected an object identifier such as \"2.49.0.1.156.3\" (2.49.0.0 is of those who warn, 2.49.0.1 of their alerts)",
    ),
];

#[test]
fn each_slip_in_the_settings_is_told_with_its_line() {
    check("forewarn.toml", FAULTS);
}

#[test]
fn a_webhook_is_judged_by_what_the_administrator_allows() {
    let check = |settings: &str, url: &str, expected: &str| {
        let dir = sound();
        write(dir.path(), "forewarn.toml", format!("{MAIN}{settings}").as_bytes());
        let contacts = CONTACTS.replace("https://hooks.example.org/x", url);
        write(dir.path(), "contacts.csv", contacts.as_bytes());
        let said = match loads(dir.path(), &mut FreshIndices::default()) {
            Ok(_) => String::new(),
            Err(faults) => faults.to_string(),
        };
        assert_eq!(said, expected, "{settings} {url}");
    };
    let allowed = "plaintext = true\nallow = [\"10.1.0.0/16\", \"127.0.0.0/8\"]\n";
    check(allowed, "http://127.0.0.1:9000/x", "");
    check(allowed, "http://10.1.2.3/x", "");
    check(allowed, "https://10.1.2.3/x", "");
    check(allowed, "http://receiver.lan/x", "");
    check(
        allowed,
        "http://10.2.0.1/x",
        "contacts.csv:3: has a webhook at a private address, to which nothing is sent, expected a public address, or one in a network of webhook.allow, write allow = [\"10.1.0.0/16\", \"127.0.0.0/8\", \"10.2.0.1/32\"] below [webhook] in forewarn.toml",
    );
    check(
        allowed,
        "http://8.8.8.8/x",
        "contacts.csv:3: has a webhook without TLS outside webhook.allow, to which nothing is sent, expected https://, or an address in a network of webhook.allow, write allow = [\"10.1.0.0/16\", \"127.0.0.0/8\", \"8.8.8.8/32\"] below [webhook] in forewarn.toml",
    );
    check(
        "plaintext = true\n",
        "http://receiver.lan/x",
        "contacts.csv:3: has a webhook without TLS outside webhook.allow, to which nothing is sent, expected https://, or an address in a network of webhook.allow, write allow = [\"10.1.0.0/16\"] below [webhook] in forewarn.toml, with the receiver's network in place of 10.1.0.0/16",
    );
}

#[test]
fn memory_beyond_its_limit_is_a_fault() {
    let dir = sound();
    write(dir.path(), "forewarn.toml", format!("{MAIN}[limits]\nmemory_max = \"1 KiB\"\n").as_bytes());
    let said = loads(dir.path(), &mut FreshIndices::default()).expect_err("too much").to_string();
    assert!(
        said.starts_with("forewarn.toml: sensors and rules need ")
            && said.contains("expected 1.0 KiB at most"),
        "{said}"
    );
}

#[cfg(unix)]
#[test]
fn a_secret_file_open_to_others_is_told_and_its_line_end_is_none_of_it() {
    use std::os::unix::fs::PermissionsExt;
    let dir = sound();
    let main = MAIN.replace("{ env = \"HOOK\" }", "{ file = \"hook\" }");
    write(dir.path(), "forewarn.toml", main.as_bytes());
    write(dir.path(), "hook", format!("{CANARY}-0123456789abcdef\r\n").as_bytes());
    let mode =
        |mode| fs::set_permissions(dir.path().join("hook"), fs::Permissions::from_mode(mode)).expect("set");
    mode(0o644);
    let loaded = loads(dir.path(), &mut FreshIndices::default()).expect("sound");
    let said: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].starts_with("forewarn.toml:13: warning: secret file ")
            && said[0].contains("can be read by others")
    );
    assert!(!said[0].contains(CANARY));
    let secret = loaded.setup.webhook.secret.expect("is there");
    assert_eq!(secret.expose(), format!("{CANARY}-0123456789abcdef"));
    mode(0o600);
    assert_eq!(loads(dir.path(), &mut FreshIndices::default()).expect("sound").warnings, []);
}

#[test]
fn without_a_broker_the_listener_is_on_and_on_loopback_only() {
    let dir = sound();
    let from = MAIN.find("[sources.lora]").expect("is there");
    let to = MAIN.find("[email]").expect("is there");
    write(dir.path(), "forewarn.toml", format!("{}{}", &MAIN[..from], &MAIN[to..]).as_bytes());
    let listener =
        loads(dir.path(), &mut FreshIndices::default()).expect("sound").setup.listener.expect("on");
    assert_eq!(
        (listener.bind.expect("plain").to_string().as_str(), listener.bind_tls),
        ("127.0.0.1:1883", None)
    );
}
