//! Slips in what is said of chats and text messages.

use forewarn::config::names::FreshIndices;

use crate::world::{CANARY, CONTACTS, MAIN, Row, check, loads, sound, write};

#[test]
fn each_slip_in_robots_and_gateway_is_told_with_its_line() {
    let rows: &[Row] = &[
        ("[webhook]", "[chat.wecom]\nduty = { url = { env = \"ROBOT\" } }\n[webhook]", ""),
        (
            "[webhook]",
            "[chat.wecom]\nduty = { url = \"https://qyapi.example/canary-7f3a91\" }\n[webhook]",
            "forewarn.toml:13: chat.wecom.duty.url is written out, expected a reference { env = \"NAME\" } or { file = \"path\" }, a secret that stood in a file like this one should be replaced",
        ),
        (
            "[webhook]",
            "[chat.wecom]\nduty = { url = { env = \"NOBODY\" } }\n[webhook]",
            "forewarn.toml:13: environment variable NOBODY is not set, expected the secret in it",
        ),
        (
            "[webhook]",
            "[chat.wecom]\nduty = { url = { env = \"SHORT\" } }\n[webhook]",
            "forewarn.toml:13: chat.wecom.duty.url leads to no plain web address, expected an address such as https://hooks.example.org/forewarn, without user, password or # in it",
        ),
        (
            "[webhook]",
            "[chat.wecom]\nduty = { url = { env = \"PLAIN\" } }\n[webhook]",
            "forewarn.toml:13: chat.wecom.duty.url leads where nothing is sent (refused: http is not switched on by webhook.plaintext, expected https), expected https:// and a public address, write plaintext = true and allow = [\"10.0.0.7/32\"] below [webhook] in forewarn.toml",
        ),
        (
            "[webhook]",
            "[chat.wecom]\nduty = { url = { env = \"ROBOT\" }, secret = { env = \"TOKEN\" } }\n[webhook]",
            "forewarn.toml:13: chat.wecom.duty.secret is of no use: wecom checks no signature, expected none",
        ),
        (
            "[webhook]",
            "[chat.dingtalk]\nduty = { url = { env = \"ROBOT\" }, secret = { env = \"TOKEN\" } }\n[webhook]",
            "",
        ),
        (
            "[webhook]",
            "[chat.wechat]\nduty = { url = { env = \"ROBOT\" } }\n[webhook]",
            "forewarn.toml:12: unknown key \"wechat\" in chat, expected one of wecom, dingtalk, feishu, slack, teams",
        ),
        ("[webhook]", "[sms]\nurl = { env = \"ROBOT\" }\ntoken = { env = \"TOKEN\" }\n[webhook]", ""),
        (
            "[webhook]",
            "[sms]\nurl = { env = \"ROBOT\" }\ntoken = { env = \"TOKEN\" }\nuser = \"x\"\n[webhook]",
            "forewarn.toml:12: sms has keys that do not go together, expected token, or user and password, or none of them",
        ),
        (
            "[webhook]",
            "[sms]\nurl = { env = \"ROBOT\" }\ntoken = { env = \"SPACED\" }\n[webhook]",
            "forewarn.toml:14: sms.token has signs that no token has, expected ASCII letters, digits and signs, without spaces",
        ),
        (
            "[webhook]",
            "[sms]\nurl = { env = \"ROBOT\" }\nuser = \"a:b\"\npassword = { env = \"TOKEN\" }\n[webhook]",
            "forewarn.toml:14: sms.user has a colon in it, expected a name without",
        ),
        (
            "[webhook]",
            "[sms]\nurl = { env = \"ROBOT\" }\nsegments_max = 1\n[webhook]",
            "forewarn.toml:14: sms.segments_max is 1, expected 3 to 10",
        ),
        (
            "[operator]",
            "url = \"https://warn.a-county-with-a-long-name.example.org\"\n[sms]\nurl = { env = \"ROBOT\" }\nsegments_max = 3\n[operator]",
            "forewarn.toml:5: warning: text messages have no room for the longest thing to do in en, which is cut then, raise sms.segments_max, or shorten site.url",
        ),
    ];
    check("forewarn.toml", rows);
}

#[test]
fn a_contact_without_a_way_to_its_address_is_told() {
    check(
        "contacts.csv",
        &[
            (
                "hours,target_id\nit,IT,it,,en,it@example.org,,,,",
                "hours,wecom\nit,IT,it,,en,it@example.org,,,,dutty",
                "contacts.csv:2: wecom is \"dutty\", and no robot has that name, expected the name of a robot below [chat.wecom] in forewarn.toml",
            ),
            (
                "hours,target_id\nit,IT,it,,en,it@example.org,,,,",
                "hours,sms\nit,IT,it,,en,it@example.org,,,,+8613800001111",
                "contacts.csv:2: has a telephone number, but no gateway for text messages is configured, expected [sms] in forewarn.toml",
            ),
            (
                "hours,target_id\nit,IT,it,,en,it@example.org,,,,",
                "hours,sms\nit,IT,it,,en,it@example.org,,,,canary-7f3a91",
                "contacts.csv:2: sms is not a telephone number, expected a telephone number such as +8613800001111: digits, with or without + first",
            ),
        ],
    );
}

#[test]
fn a_robot_that_contacts_mean_has_an_address_and_a_near_name_is_a_hint() {
    let dir = sound();
    let main =
        MAIN.replace("[webhook]", "[chat.wecom]\nduty-room = { url = { env = \"ROBOT\" } }\n[webhook]");
    write(dir.path(), "forewarn.toml", main.as_bytes());
    let contacts = |robot: &str| {
        let rows = CONTACTS
            .replace("hours,target_id", "hours,wecom")
            .replace("it@example.org,,,,", &format!("it@example.org,,,,{robot}"));
        write(dir.path(), "contacts.csv", rows.as_bytes());
        loads(dir.path(), &mut FreshIndices::default())
    };
    let loaded = contacts("duty-room").unwrap_or_else(|faults| panic!("{faults}"));
    let setup = &loaded.setup;
    let target = setup.plan.targets.iter().flatten().find(|it| it.channel == "wecom").expect("a target");
    assert_eq!(setup.addresses[&target.id].address, "duty-room");
    assert!(setup.chat.robot("wecom", "duty-room").expect("a robot").url.expose().contains(CANARY));
    assert!(!format!("{setup:?}").contains(CANARY), "the address is a secret");
    let faults = contacts("duty-rom").expect_err("a fault").to_string();
    assert!(faults.ends_with("in forewarn.toml, did you mean \"duty-room\"?"), "{faults}");
}

#[test]
fn recipes_are_judged_with_file_and_line() {
    let built_in = |name: &str| {
        let path = format!("{}/config/channels/{name}", env!("CARGO_MANIFEST_DIR"));
        std::fs::read_to_string(path).expect("a built-in recipe")
    };
    let check = |name: &str, text: &str, expected: &str| {
        let dir = sound();
        write(dir.path(), &format!("channels/{name}"), text.as_bytes());
        let said = match loads(dir.path(), &mut FreshIndices::default()) {
            Ok(loaded) => loaded.warnings.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            Err(faults) => faults.to_string(),
        };
        assert_eq!(said, expected, "{name}");
    };
    for name in ["wecom.toml", "dingtalk.toml", "feishu.toml", "slack.toml", "teams.toml", "sms.toml"] {
        check(name, &built_in(name), "");
    }
    check(
        "telegram.toml",
        "",
        "channels/telegram.toml: unknown file, expected one of wecom.toml, dingtalk.toml, feishu.toml, slack.toml, teams.toml, sms.toml",
    );
    check(
        "sms.toml",
        &built_in("sms.toml").replace("[answer]\n\n[body]", "[answer]\nokay = [0]\n[body]"),
        "channels/sms.toml:17: unknown key \"okay\" in answer, expected one of status, text, failed, code, ok, busy, dead, wait",
    );
    check(
        "sms.toml",
        &built_in("sms.toml").replace("{{ short }}", "{{ head.tag }}"),
        "channels/sms.toml: leaves out the mark of a drill, the hazard, the headline, what to do, the time, expected level, place, time, what to do, its mark and a link in every message",
    );
}
