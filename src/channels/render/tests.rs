use std::collections::BTreeMap;
use std::path::Path;

use forewarn_core::level::{Level, Status};
use forewarn_core::units::Datum;
use forewarn_core::warning::{Evidence, Kind, Reason, TroubleCode};

use super::*;
use crate::channels::sample;
use crate::channels::words::{Given, LANGUAGES, Messages};

/// The mail, with the slashes of its HTML as a reader sees them.
fn rendered(revision: &Revision, setup: &Setup, language: &str) -> Rendered {
    let messages = Messages::read(&setup.messages);
    let mail = render(revision, setup, messages.language(language), sample::beside("0123abcd", Chart::None));
    Rendered { html: mail.html.replace("&#x2f;", "/"), ..mail }
}

/// Every part stands in text and in HTML, and none of the others in either.
fn check(revision: &Revision, language: &str, parts: &[&str], never: &[&str]) {
    let setup = sample::setup();
    let mail = rendered(revision, &setup, language);
    for part in parts {
        assert!(mail.text.contains(part), "{part} not in\n{}", mail.text);
        assert!(mail.html.contains(part), "{part} not in HTML");
    }
    for part in never {
        assert!(!format!("{mail:?}").contains(part), "{part} in {mail:?}");
    }
}

#[test]
fn every_fixed_field_stands_in_text_and_html() {
    let zh = [
        "状态: 实际",
        "信息类型: 预警发布",
        "灾种: 洪水",
        "地点: 北江中游，曲江",
        "等级: 橙色（II级）",
        "59.10 m，观测于 2026-07-14 03:15",
        "58.50 m（达到或高于即预警）",
        "基准面: 1985-national",
        "开始时间: 2026-07-14 02:40（Asia/Shanghai，UTC+08:00）",
        "趋势: 上升，+0.62 m/h",
        "应对措施: 清空河岸",
        "下次更新: 最迟 2026-07-14 08:50（Asia/Shanghai，UTC+08:00）",
        "发布时间: 2026-07-14 03:20",
        "确定性: 已观测",
        "传感器: 2 个中目前 2 个达到橙色（II级）或更高；最严重者在前：曲江，武江",
        "未知情况: 无",
        "详情: https://warn.example/",
    ];
    let en = [
        "Status: Actual",
        "Message: Alert",
        "Hazard: Flood",
        "Place: Middle Beijiang, Qujiang",
        "Level: ORANGE (grade II)",
        "59.10 m at 2026-07-14 03:15",
        "58.50 m (warns at or above)",
        "Datum: 1985-national",
        "Since: 2026-07-14 02:40 (Asia/Shanghai, UTC+08:00)",
        "Trend: rising, +0.62 m/h",
        "What to do: Clear river banks",
        "Next update: by 2026-07-14 08:50 (Asia/Shanghai, UTC+08:00)",
        "Issued: 2026-07-14 03:20",
        "Certainty: observed",
        "Sensors: 2 of 2 now at ORANGE (grade II) or above; worst first: Qujiang, Wujiang",
        "Not known: nothing",
        "Details: https://warn.example/",
    ];
    for (language, lines) in [("zh", &zh), ("en", &en)] {
        let mail = rendered(&sample::flood(Status::Actual), &sample::setup(), language);
        for line in lines {
            assert!(mail.text.contains(line), "{line} not in\n{}", mail.text);
            let (label, text) = line.split_once(": ").unwrap_or(("", line));
            for part in [label, text] {
                assert!(mail.html.contains(part), "{part} not in HTML");
            }
        }
        let facts = Facts::of(
            &sample::flood(Status::Actual),
            &sample::setup(),
            Messages::read(&Given::new()).language(language),
        );
        assert_eq!(facts.rows.iter().map(|row| row.key).collect::<Vec<_>>(), FIELDS);
        assert!(
            facts.rows.iter().all(|row| !row.text.is_empty() && !row.text.contains(['{', '}'])),
            "{facts:?}"
        );
    }
}

#[test]
fn subjects_say_level_hazard_place_value_and_trend() {
    let subject = |revision: &Revision, language| rendered(revision, &sample::setup(), language).subject;
    for (revision, zh, en) in [
        (
            sample::flood(Status::Actual),
            "[橙色II级] 洪水: 曲江 59.10 m，限值 58.50 m，上升，+0.62 m/h",
            "[ORANGE II] Flood: Qujiang 59.10 m, limit 58.50 m, rising, +0.62 m/h",
        ),
        (
            sample::flood(Status::Exercise),
            "[橙色II级][演练] 洪水: 曲江 59.10 m，限值 58.50 m，上升，+0.62 m/h",
            "[ORANGE II][EXERCISE] Flood: Qujiang 59.10 m, limit 58.50 m, rising, +0.62 m/h",
        ),
        (
            sample::held(),
            "[红色I级] 洪水: 曲江 59.10 m，低于红色限值 60.00 m，维持红色，下降，-0.30 m/h",
            "[RED I] Flood: Qujiang 59.10 m, below the RED limit of 60.00 m, RED held, falling, -0.30 m/h",
        ),
        (
            sample::all_clear(),
            "[解除] 洪水: 曲江 56.20 m，未达到最低一级限值 57.00 m，下降，-0.30 m/h",
            "[ALL CLEAR] Flood: Qujiang 56.20 m, clear of the first limit, 57.00 m, falling, -0.30 m/h",
        ),
        (
            sample::blind(),
            "[橙色II级] 洪水: 曲江 测量中断，中断前为 59.10 m，上升，+0.62 m/h，最后收到于 2026-07-14 03:15；请按危险处置",
            "[ORANGE II] Flood: Qujiang lost at 59.10 m, rising, +0.62 m/h, last heard 2026-07-14 03:15; treat as dangerous",
        ),
    ] {
        assert_eq!(subject(&revision, "zh"), zh);
        assert_eq!(subject(&revision, "en"), en);
    }
}

#[test]
fn a_drill_is_marked_in_subject_first_line_and_banner() {
    let own: Given = LANGUAGES
        .into_iter()
        .map(|language| {
            let files = [
                ("subject.txt", "plain"),
                ("mail.txt", "plain"),
                ("mail.html", "<html><body class=\"a\">plain</body></html>"),
            ];
            (language.to_owned(), files.map(|(file, text)| (file.to_owned(), text.to_owned())).into())
        })
        .collect();
    // Refused by the check; should it come here all the same, the built-in words stand.
    let blank = "[marks]\nExercise = \"\"\nTest = \" \"\n[banners]\nExercise = \"\"\nTest = \"<>\"\n";
    let blank: Given =
        LANGUAGES.map(|it| (it.to_owned(), [("words.toml".to_owned(), blank.to_owned())].into())).into();
    for messages in [Given::new(), own, blank] {
        let setup = Setup { messages: messages.into(), ..sample::setup() };
        for (status, language, mark, banner) in [
            (Status::Exercise, "zh", "[演练]", "演练 - 演练 - 演练"),
            (Status::Exercise, "en", "[EXERCISE]", "EXERCISE - EXERCISE - EXERCISE"),
            (Status::Test, "zh", "[测试]", "测试 - 测试 - 测试"),
            (Status::Test, "en", "[TEST]", "TEST - TEST - TEST"),
        ] {
            let mail = rendered(&sample::flood(status), &setup, language);
            assert!(mail.subject.contains(mark), "{}", mail.subject);
            assert!(mail.text.lines().next().unwrap_or_default().contains(banner), "{}", mail.text);
            assert!(mail.html.contains(banner), "{}", mail.html);
        }
        let real = rendered(&sample::flood(Status::Actual), &setup, "en");
        assert!(
            !format!("{real:?}").contains("EXERCISE") && !format!("{real:?}").contains("TEST"),
            "{real:?}"
        );
    }
}

#[test]
fn the_unknown_is_told_as_dangerous() {
    check(
        &sample::blind(),
        "en",
        &[
            "Qujiang lost at 59.10 m, rising, +0.62 m/h, last heard 2026-07-14 03:15; treat as dangerous",
            "last 59.10 m at 2026-07-14 03:15",
            "likely: not yet confirmed",
        ],
        &["every sensor listed is measured"],
    );
    let nothing = Revision { evidence: vec![], sensors: 0, ..sample::blind() };
    check(
        &nothing,
        "zh",
        &["本预警所依据的测量中断；请按危险处置", "无测量值", "目前没有"],
        &["无：所列传感器"],
    );
    let high = Evidence { saturated: true, ..sample::evidence() };
    let saturated = Revision { evidence: vec![high], ..sample::flood(Status::Actual) };
    check(&saturated, "en", &["59.10 m or beyond: the sensor is at the end of its range"], &[]);
}

#[test]
fn several_that_were_lost_are_told_as_graver_than_the_level() {
    let lost = Revision { lost: 3, ..sample::flood(Status::Actual) };
    check(
        &lost,
        "zh",
        &["自险情开始以来，当地已有 3 个互不共用网关的传感器测量中断"],
        &["所列传感器均有测量"],
    );
    check(
        &lost,
        "en",
        &["3 sensors there that share no gateway have gone blind since the danger began"],
        &["every sensor listed"],
    );
}

#[test]
fn trends_say_which_way_and_how_fast() {
    for (trend, zh, en) in [
        (Some(0.62), "上升，+0.62 m/h", "rising, +0.62 m/h"),
        (Some(-0.3), "下降，-0.30 m/h", "falling, -0.30 m/h"),
        (Some(-0.004), "平稳，0.00 m/h", "steady, 0.00 m/h"),
        (None, "趋势: 未知", "Trend: not known"),
    ] {
        let revision = Revision {
            evidence: vec![Evidence { trend, ..sample::evidence() }],
            ..sample::flood(Status::Actual)
        };
        for (language, expected) in [("zh", zh), ("en", en)] {
            let text = rendered(&revision, &sample::setup(), language).text;
            assert!(text.contains(expected), "{expected} not in\n{text}");
        }
    }
}

#[test]
fn a_rate_is_shown_against_its_own_limit() {
    let rate = Evidence {
        rule: forewarn_core::ids::RuleIx(1),
        measured: Some(0.62),
        limit: Some(0.5),
        ..sample::evidence()
    };
    let revision = Revision { evidence: vec![rate], ..sample::flood(Status::Actual) };
    check(
        &revision,
        "en",
        &["measured 0.62 m/h against 0.50 m/h (warns at or above)", "59.10 m at"],
        &["limit 0.50"],
    );
}

#[test]
fn the_end_says_so_and_a_cancel_says_why() {
    let clear = Revision { peak: Level::Red, ..sample::all_clear() };
    check(
        &clear,
        "en",
        &[
            "All clear",
            "highest so far: RED (grade I)",
            "none: this is the last message",
            "until they have been inspected",
        ],
        &["Evacuate low"],
    );
    let cancel = Revision {
        detail: "wrong gauge".into(),
        ..sample::later(Kind::Cancel, Reason::InError, Level::Normal)
    };
    check(&cancel, "en", &["issued in error", "wrong gauge", "Take no action on the earlier messages"], &[]);
    check(&cancel, "zh", &["系误发", "wrong gauge", "请勿按本预警先前的信息行动"], &[]);
}

#[test]
fn troubles_and_tests_speak_of_the_service() {
    let silent = sample::trouble(TroubleCode::SensorSilent, "qj-017/level", "since 02:10");
    check(
        &silent,
        "en",
        &["[TROUBLE]", "Qujiang (qj-017/level)", "since 02:10", "Check the sensor", "sensor-silent"],
        &[],
    );
    check(&silent, "zh", &["[故障]", "曲江 (qj-017/level)", "since 02:10", "检查传感器"], &[]);
    let test = Revision { status: Status::Exercise, ..sample::notify_test() };
    check(&test, "en", &["EXERCISE", "you can be reached", "monthly"], &["Limit:"]);
}

/// A name, wherever one may stand, is this text and this HTML, in every language.
fn check_name(name: &str, text: &str, html: &str) {
    let mut plan = sample::plan();
    plan.stations[0].as_mut().expect("a station").names = [("en", name)].into();
    plan.areas[0].as_mut().expect("an area").names = [("en", name)].into();
    plan.sensors[0].as_mut().expect("a sensor").datum = Some(Datum(name.into()));
    plan.hazards = vec![name.into()];
    plan.settings.site = name.into();
    let setup = Setup { plan: plan.into(), ..sample::setup() };
    for revision in [sample::flood(Status::Actual), sample::blind()] {
        let revision = Revision { detail: name.into(), ..revision };
        for language in LANGUAGES {
            let mail = rendered(&revision, &setup, language);
            assert!(mail.text.contains(text), "{name:?} in {}", mail.text);
            assert!(mail.html.contains(html), "{name:?} in {}", mail.html);
            assert!(!mail.subject.contains(['\r', '\n', '\u{202e}']), "{}", mail.subject);
            assert!(!mail.html.contains("<script") && !mail.html.contains('\u{202e}'));
        }
    }
}

#[test]
fn abuse_31_name_that_is_a_template() {
    for name in ["{{secrets.smtp}}", "${env}", "{value}{% for x in y %}", "{# gone #}", "{{ 7 * 7 }}"] {
        check_name(name, name, name);
    }
}

#[test]
fn abuse_32_name_that_is_markup() {
    for (name, text, html) in [
        ("<script>alert(1)</script>", "<script>alert(1)<", "&lt;script&gt;alert(1)"),
        ("]]>&x;", "]]>&x;", "]]&gt;&amp;x;"),
        ("a\u{202e}b\u{2066}c", "abc", "abc"),
        ("X\r\nBcc: v@x", "X  Bcc: v@x", "X  Bcc: v@x"),
    ] {
        check_name(name, text, html);
    }
}

#[test]
fn a_site_word_changes_a_message_and_a_broken_template_does_not() {
    let file = |name: &str, text: &str| BTreeMap::from([(name.to_owned(), text.to_owned())]);
    let given: Given = [
        ("en".to_owned(), file("words.toml", "[hazards]\nflood = \"High water\"\n")),
        ("zh".to_owned(), file("mail.txt", "{{ nobody.knows }}")),
    ]
    .into();
    let setup = Setup { messages: given.into(), ..sample::setup() };
    assert!(rendered(&sample::flood(Status::Actual), &setup, "en").subject.contains("] High water: "));
    assert!(rendered(&sample::flood(Status::Actual), &setup, "zh").text.contains("应对措施: 清空河岸"));
}

/// What people see, kept as files: `UPDATE_GOLDEN=1` rewrites them, review reads the diff.
#[test]
fn mails_read_as_they_did() {
    let setup = sample::setup();
    let messages = Messages::read(&setup.messages);
    for (name, revision, language) in [
        ("flood", sample::flood(Status::Actual), "en"),
        ("drill", sample::flood(Status::Exercise), "zh"),
        ("blind", sample::blind(), "zh"),
        ("held", sample::held(), "en"),
        ("held", sample::held(), "zh"),
        ("all-clear", sample::all_clear(), "en"),
        ("restored", sample::trouble(TroubleCode::Held, "", "held"), "en"),
        ("trouble-over", sample::trouble_over(TroubleCode::SensorSilent, "qj-017/level"), "zh"),
        ("trouble", sample::trouble(TroubleCode::SensorSilent, "qj-017/level", "silent since 02:10"), "en"),
    ] {
        let chart = if revision.evidence.is_empty() { Chart::None } else { Chart::LeftOut };
        let mail = render(&revision, &setup, messages.language(language), sample::beside("0123abcd", chart));
        golden(&format!("{name}.{language}.txt"), &format!("Subject: {}\n\n{}", mail.subject, mail.text));
        golden(&format!("{name}.{language}.html"), &mail.html);
    }
}

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/channels/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).expect("the golden file can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, text, "{} differs; UPDATE_GOLDEN=1 rewrites it", path.display());
}
