use std::path::Path;
use std::sync::Arc;

use forewarn_core::ids::{AreaIx, HazardIx, Position};
use forewarn_core::plan::Area;
use forewarn_core::warning::{About, ByHand, Kind, Reason, TroubleCode};

use super::*;
use crate::channels::page::{Acknowledged, Pages, ShownDigest};
use crate::channels::sample;
use crate::channels::words::{Given, LANGUAGES, Messages};

/// So many areas along the river.
const AREAS: u32 = 45;

fn setup() -> Setup {
    let mut plan = sample::plan();
    plan.areas = (0..AREAS)
        .map(|nth| {
            let names = [("zh", format!("第{nth}区")), ("en", format!("District {nth}"))].into();
            Some(Area { id: format!("d-{nth}"), names, parent: None })
        })
        .collect();
    Setup { plan: Arc::new(plan), ..sample::setup() }
}

/// A storm: every area has its warning, some are over, one by hand is about
/// three areas, and the disk is full besides.
fn storm(status: Status) -> Vec<Revision> {
    let warning = |nth: u32, level: Level, about: About| {
        let id = OutputId { position: Position(100 + u64::from(nth)), ..OutputId::default() };
        Revision { id, warning: id, level, peak: level, about, ..sample::flood(status) }
    };
    let mut all: Vec<Revision> = (0..AREAS)
        .map(|nth| {
            let level = [Level::Orange, Level::Yellow, Level::Blue, Level::Yellow][nth as usize % 4];
            let level = if nth == 7 || nth == 20 { Level::Red } else { level };
            let about = About::Incident(Cell { hazard: HazardIx(0), area: AreaIx(nth) });
            let revision = warning(nth, level, about);
            if nth % 11 == 10 {
                Revision { kind: Kind::AllClear, reason: Reason::Eased, level: Level::Normal, ..revision }
            } else {
                revision
            }
        })
        .collect();
    let areas = vec![AreaIx(7), AreaIx(8), AreaIx(9)];
    let by_hand = ByHand { draft: OutputId::default(), hazard: HazardIx(0), areas };
    all.push(Revision {
        evidence: vec![],
        sensors: 0,
        reason: Reason::Manual,
        ..warning(AREAS, Level::Orange, About::Manual(by_hand))
    });
    let trouble = sample::trouble(TroubleCode::DiskLow, "disk", "93 % full, 900 MB free");
    let id = OutputId { position: Position(400), ..OutputId::default() };
    all.push(Revision { id, warning: id, status, ..trouble });
    all
}

fn rendered(revisions: &[Revision], cause: Cause, language: &str) -> Rendered {
    let messages = Messages::read(&Given::new());
    let members: Vec<Member> = revisions
        .iter()
        .map(|revision| {
            let key = Key::of_delivery(&revision.id, "t-1", 0);
            Member { key, link: Some(format!("https://warn.example/a/{}", &key.to_string()[..8])) }
        })
        .collect();
    let revisions: Vec<&Revision> = revisions.iter().collect();
    let told = Told {
        key: Key([0xab; 16]),
        revisions: &revisions,
        members: &members,
        link: Some("https://warn.example/a/all-of-them"),
        cause,
    };
    let mail = render(&told, &setup(), messages.language(language));
    Rendered { html: mail.html.replace("&#x2f;", "/"), ..mail }
}

#[test]
fn the_subject_says_how_many_of_each_level_and_the_highest() {
    for (status, language, subject) in [
        (Status::Actual, "en", "[RED I] 47 warnings: 2 RED, 11 ORANGE, 20 YELLOW, 10 BLUE, 4 ended"),
        (
            Status::Exercise,
            "zh",
            "[红色I级][演练] 47 条预警：红色 2 条，橙色 11 条，黄色 20 条，蓝色 10 条，已结束 4 条",
        ),
    ] {
        assert_eq!(rendered(&storm(status), Cause::Routed, language).subject, subject);
    }
}

#[test]
fn a_digest_tells_every_place_the_worst_and_where_to_acknowledge_all() {
    let mail = rendered(&storm(Status::Actual), Cause::Routed, "en");
    let parts = ["Acknowledge all 47", "District 7", "26 more places", "https://warn.example/a/all-of-them"];
    for part in parts {
        assert!(mail.text.contains(part), "{part} not in\n{}", mail.text);
        assert!(mail.html.contains(part), "{part} not in HTML");
    }
    assert!(mail.text.contains("District 7: 1 RED, 1 ORANGE\n"), "by hand and measured: {}", mail.text);
    assert_eq!(mail.text.matches("Open this warning: https://warn.example/a/").count(), 10);
    assert_eq!(mail.html.matches(">Open this warning<").count(), 10);
    let first = mail.text.find("[RED I] Flood").expect("the worst are told");
    assert!(first < mail.text.find("[ORANGE II] Flood").expect("then the others"), "worst first");
    let notice = "nobody has acknowledged them";
    assert!(!mail.text.contains(notice));
    let instead = rendered(&storm(Status::Actual), Cause::InStead, "en");
    assert!(instead.text.contains(notice) && instead.html.contains(notice), "{}", instead.text);
}

#[test]
fn a_digest_of_a_drill_is_marked_in_subject_first_line_and_banner() {
    for (status, language, mark, banner) in [
        (Status::Exercise, "zh", "[演练]", "演练 - 演练 - 演练"),
        (Status::Exercise, "en", "[EXERCISE]", "EXERCISE - EXERCISE - EXERCISE"),
        (Status::Test, "zh", "[测试]", "测试 - 测试 - 测试"),
        (Status::Test, "en", "[TEST]", "TEST - TEST - TEST"),
    ] {
        let mail = rendered(&storm(status), Cause::Routed, language);
        assert!(mail.subject.contains(mark), "{}", mail.subject);
        assert!(mail.text.lines().next().unwrap_or_default().contains(banner), "{}", mail.text);
        assert!(mail.html.contains(banner), "{}", mail.html);
    }
    let real = format!("{:?}", rendered(&storm(Status::Actual), Cause::Routed, "en"));
    assert!(!real.contains("EXERCISE") && !real.contains("TEST"));
}

#[test]
fn the_page_of_a_digest_has_one_button_for_all_until_all_is_acknowledged() {
    let newest: Vec<(Revision, Option<String>)> = storm(Status::Exercise)
        .into_iter()
        .map(|it| (it, Some("https://warn.example/a/own".into())))
        .collect();
    let page = |acknowledged| {
        let shown = ShownDigest { newest: &newest, language: "en", acknowledged, upto: 4_711 };
        Pages::default().digest(&Arc::new(setup()), &shown).replace("&#x2f;", "/")
    };
    let open = page(Acknowledged::Part);
    for part in [
        "name=\"number\" value=\"4711\"",
        "Acknowledge all 47",
        "EXERCISE - EXERCISE",
        "https://warn.example/a/own",
    ] {
        assert!(open.contains(part), "{part} in {open}");
    }
    let done = page(Acknowledged::All);
    assert!(!done.contains("<form") && done.contains("You have acknowledged all of these."), "{done}");
    let over = page(Acknowledged::Over);
    assert!(!over.contains("<form") && over.contains("All of these have ended"), "{over}");
    assert!(!over.contains("You have acknowledged"), "nobody has: {over}");
}

#[test]
fn a_name_in_a_digest_is_a_name() {
    for (name, html) in [("<script>alert(1)</script>", "&lt;script&gt;"), ("{{ 7 * 7 }}", "{{ 7 * 7 }}")] {
        let mut setup = setup();
        let mut plan = (*setup.plan).clone();
        plan.areas[7].as_mut().expect("an area").names = [("en", name)].into();
        setup.plan = Arc::new(plan);
        let messages = Messages::read(&Given::new());
        let storm = storm(Status::Actual);
        let revisions: Vec<&Revision> = storm.iter().collect();
        let (key, cause) = (Key::default(), Cause::Routed);
        let told = Told { key, revisions: &revisions, members: &[], link: None, cause };
        let mail = render(&told, &setup, messages.language("en"));
        assert!(mail.html.contains(html) && !mail.html.contains("<script"), "{}", mail.html);
        assert!(!mail.text.contains("49"), "{}", mail.text);
    }
}

/// What people see, kept as files: `UPDATE_GOLDEN=1` rewrites them, review reads the diff.
#[test]
fn digests_read_as_they_did() {
    for language in LANGUAGES {
        for (name, status) in [("digest", Status::Actual), ("digest-drill", Status::Exercise)] {
            let mail = rendered(&storm(status), Cause::Routed, language);
            let text = format!("Subject: {}\n\n{}", mail.subject, mail.text);
            golden(&format!("{name}.{language}.txt"), &text);
            golden(&format!("{name}.{language}.html"), &mail.html);
        }
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
