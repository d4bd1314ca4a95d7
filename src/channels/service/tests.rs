use forewarn_core::warning::{Kind, Reason, Revision};

use super::*;
use crate::channels::body::Body;
use crate::channels::render::{Chart, Rendered, render};
use crate::channels::sample;
use crate::channels::words::{Given, LANGUAGES, Messages};
use crate::config::plan::Setup;

/// A revision as mail and as what a webhook says, in one language; the slashes of HTML as a reader sees them.
fn told(revision: &Revision, setup: &Setup, language: &str) -> (Rendered, serde_json::Value) {
    let messages = Messages::read(&Given::new());
    let words = messages.language(language);
    let mail = render(revision, setup, words, sample::beside("k", Chart::None));
    let html = mail.html.replace("&#x2f;", "/").replace("&#x27;", "'");
    let body = Body::of(forewarn_core::ids::Key::default(), &[revision], &[], setup, words, None);
    (Rendered { html, ..mail }, serde_json::to_value(body).expect("a body is JSON"))
}

/// Every part stands in subject or text, and in HTML; none of the others anywhere.
fn check(revision: &Revision, setup: &Setup, language: &str, parts: &[&str], never: &[&str]) {
    let (mail, body) = told(revision, setup, language);
    for part in parts {
        assert!(mail.text.contains(part), "{part} not in\n{}", mail.text);
        assert!(mail.html.contains(part), "{part} not in HTML");
    }
    for part in never {
        let said = format!("{mail:?} {} {}", body["revisions"][0]["text"], body["revisions"][0]["trouble"]);
        assert!(!said.contains(part), "{part} in {said}");
    }
}

#[test]
fn no_trouble_ends_in_nothing() {
    let setup = sample::setup();
    let states = [
        (Kind::Alert, Reason::TroubleRaised),
        (Kind::Update, Reason::TroubleRaised),
        (Kind::Update, Reason::Renewed),
        (Kind::AllClear, Reason::TroubleEnded),
    ];
    for (code, language) in
        TroubleCode::ALL.iter().flat_map(|code| LANGUAGES.map(|language| (*code, language)))
    {
        for (subject, detail) in [("", ""), ("", "91 % full"), ("log", ""), (" ", " ")] {
            for (kind, reason) in states {
                let revision = Revision { kind, reason, ..sample::trouble(code, subject, detail) };
                let (mail, body) = told(&revision, &setup, language);
                let headline =
                    body["revisions"][0]["text"]["headline"].as_str().unwrap_or_default().to_owned();
                let fields = body["revisions"][0]["text"]["fields"].as_array().cloned().unwrap_or_default();
                let fields: Vec<&str> = fields.iter().filter_map(|field| field["text"].as_str()).collect();
                let rows = mail.text.lines().filter(|line| !line.starts_with("-- "));
                for line in rows.chain([&*mail.subject, &*headline]).chain(fields.iter().copied()) {
                    let whole = line.trim_end_matches([' ', '。', '.']);
                    let stray = ["none", "无", "-", "–", ":", "：", ";", "；", ",", "，", "()", "("];
                    assert!(!stray.iter().any(|end| whole.ends_with(end)), "{code:?} {language}: {line:?}");
                    assert!(!line.contains("  ") && !line.contains(" ;") && line.trim() == line, "{line:?}");
                    assert!(!line.contains(['{', '}']), "{line:?}");
                }
                assert!(fields.iter().all(|text| !text.trim().is_empty()), "{code:?} {language}: {fields:?}");
                assert!(mail.subject.contains(headline.as_str()), "{} without {headline}", mail.subject);
            }
        }
    }
}

#[test]
fn what_is_over_is_told_as_past() {
    let setup = sample::setup();
    let silent = sample::trouble_over(TroubleCode::SensorSilent, "qj-017/level");
    let parts = [
        "Over: a sensor had fallen silent and could not warn; Qujiang (qj-017/level); raised 2026-07-14 02:40, over 2026-07-14 03:20",
        "as last told: no reading from qj-017/level for 15 min",
        "Nothing more to do.",
        "End of a trouble",
        "Over since",
    ];
    check(&silent, &setup, "en", &parts, &["cannot warn", "Check the sensor", "over; no reading", "Alert"]);
    let parts = [
        "已排除：一个传感器曾没有数据",
        "2026-07-14 02:40 报告，2026-07-14 03:20 排除",
        "故障结束",
        "最后通报：qj-017/level 已有 15 分钟没有读数",
    ];
    check(&silent, &setup, "zh", &parts, &["检查传感器", "预警解除", "no reading"]);
    for (code, language) in
        TroubleCode::ALL.iter().flat_map(|code| LANGUAGES.map(|language| (*code, language)))
    {
        let messages = Messages::read(&Given::new());
        let stands = messages.language(language).get(&format!("troubles.{}", code.word())).to_owned();
        let (over, body) = told(&sample::trouble_over(code, ""), &setup, language);
        let mark = if language == "zh" { "已排除：" } else { "Over: " };
        let trouble = body["revisions"][0]["trouble"]["text"].as_str().unwrap_or_default();
        assert!(trouble.starts_with(mark) && over.subject.contains(trouble), "{trouble} in {}", over.subject);
        assert!(!over.text.contains(&stands), "{}", over.text);
        let (mail, _) = told(&sample::trouble(code, "", ""), &setup, language);
        assert!(mail.text.contains(&stands) && mail.subject.contains(&stands), "{stands} not in {mail:?}");
    }
}

#[test]
fn what_is_held_names_machine_directory_and_command() {
    let setup = |data: &str, host: &str| Setup { data: data.into(), host: host.into(), ..sample::setup() };
    let held = sample::trouble(TroubleCode::Held, "", "until `forewarn resume`");
    for (data, host, language, parts) in [
        (
            "/srv/forewarn-sample/data",
            "fw-2",
            "en",
            &[
                "until it is resumed. /srv/forewarn-sample/data on fw-2",
                "on fw-2, look at what",
                "`forewarn resume --dry-run --data /srv/forewarn-sample/data`",
                "`forewarn resume --data /srv/forewarn-sample/data`",
                "Concerns",
            ][..],
        ),
        (
            "/srv/forewarn-sample/data",
            "fw-2",
            "zh",
            &["fw-2 上的 /srv/forewarn-sample/data", "`forewarn resume --data /srv/forewarn-sample/data`"],
        ),
        ("/srv/no such/it's", "", "en", &["Then, on this machine, look", "--data '/srv/no such/it'\\''s'`"]),
        ("/srv/no such/it's", "", "zh", &["在 本机 上用", "--data '/srv/no such/it'\\''s'`"]),
    ] {
        check(&held, &setup(data, host), language, parts, &["`forewarn resume`", "none"]);
    }
    let over = Revision { kind: Kind::AllClear, reason: Reason::TroubleEnded, ..held };
    let parts = ["it sends again; /srv/forewarn-sample/data on fw-2; raised"];
    check(&over, &setup("/srv/forewarn-sample/data", "fw-2"), "en", &parts, &["Make sure"]);
}
