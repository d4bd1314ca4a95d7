use std::sync::Arc;

use forewarn_core::ids::{AreaIx, OutputId, Position, TargetIx};
use forewarn_core::level::Level;
use forewarn_core::orders::{Text, Texts};
use forewarn_core::plan::{Area, Names};
use forewarn_core::time::Span;
use forewarn_core::warning::{ByHand, Due, Reason, TroubleCode};

use super::super::check::{Unsound, check};
use super::super::xml::xml;
use super::*;
use crate::channels::sample::{self, NOW};
use crate::config::plan::{Cap, Category, Outline};

/// A town of one polygon, with a code.
pub(in crate::cap) fn setup() -> Setup {
    let ring = vec![[113.5, 24.5], [113.7, 24.5], [113.7, 24.8], [113.5, 24.8], [113.5, 24.5]];
    let geocode = Some(("adcode".to_owned(), "440200".to_owned()));
    let outlines = [(AreaIx(0), Outline { polygons: vec![ring], geocode })];
    let cap = Cap { public: true, sender: "warn.example".into(), ..Cap::default() };
    Setup { cap, outlines: Arc::new(outlines.into_iter().collect()), ..sample::setup() }
}

/// As one that somebody was told.
pub(in crate::cap) fn told(revision: Revision) -> Revision {
    Revision { due: vec![Due { target: TargetIx(0), round: 0 }], ..revision }
}

pub(in crate::cap) fn flood() -> Revision {
    told(sample::flood(Status::Actual))
}

/// A further revision of the flood.
pub(in crate::cap) fn further(number: u32, revision: Revision) -> Revision {
    let first = sample::flood(Status::Actual);
    let id = OutputId { position: Position(41 + u64::from(number)), ..first.id };
    let sent = NOW + Span::from_mins(10 * i64::from(number));
    told(Revision { id, warning: first.id, number, sent, expires: sent + Span::from_hours(6), ..revision })
}

fn words() -> Messages {
    Messages::read(&setup().messages)
}

fn said_by(revision: &Revision, setup: &Setup, earlier: &[Earlier]) -> Alert {
    let alert = said(revision, setup, &words(), earlier).expect("there is something to publish");
    assert_eq!(check(&alert), Ok(()), "{alert:#?}");
    alert
}

fn earlier(alert: &Alert) -> Earlier {
    let (sender, identifier) = (alert.sender.clone(), alert.identifier.clone());
    let expires = alert.infos[0].expires.at;
    Earlier { reference: Reference { sender, identifier, sent: alert.sent.clone() }, expires }
}

#[test]
fn an_alert_says_what_mails_say_in_every_language() {
    let setup = setup();
    let alert = said_by(&flood(), &setup, &[]);
    assert_eq!((alert.kind, &alert.scope, alert.note.as_deref()), (MsgType::Alert, &Scope::Public, None));
    assert_eq!(alert.identifier, flood().id.digest().to_string());
    assert_eq!(alert.sent.text, "2026-07-14T03:20:00+08:00");
    let languages: Vec<_> = alert.infos.iter().map(|info| info.language.as_str()).collect();
    assert_eq!(languages, ["zh-CN", "en"]);
    for (info, tag) in alert.infos.iter().zip(["zh", "en"]) {
        let facts = Facts::of(&flood(), &setup, words().language(tag));
        assert!(info.headline.ends_with(&facts.headline), "{}", info.headline);
        assert_eq!((&info.instruction, &info.event), (&facts.action, &facts.hazard));
        assert!(info.description.contains(facts.text("limit")), "{}", info.description);
        assert!(!info.description.contains(facts.text("seen")), "who has acknowledged is nobody else's");
        assert_eq!((info.category, info.response), (Category::Met, Response::Execute));
        let area = &info.areas[0];
        assert_eq!(area.polygons[0][0], (24.5, 113.5), "latitude first");
        assert_eq!(area.geocodes[1], ("adcode".into(), "440200".into()));
    }
    let colours: Vec<_> = alert.infos.iter().map(|info| info.parameters[1].clone()).collect();
    assert_eq!(colours, [("forewarn:colour", "橙色".into()), ("forewarn:colour", "ORANGE".into())]);
}

/// Complaint: a Cancel was broadcast as a new alert, and updates bore the identifier of the first.
#[test]
fn each_revision_is_an_alert_of_its_own_that_replaces_those_before() {
    let setup = setup();
    let mut before = vec![];
    let mut identifiers = std::collections::BTreeSet::new();
    for (number, revision, kind, response) in [
        (1, sample::flood(Status::Actual), MsgType::Alert, Response::Execute),
        (2, sample::later(Kind::Update, Reason::Upgraded, Level::Red), MsgType::Update, Response::Evacuate),
        (3, sample::blind(), MsgType::Update, Response::Execute),
        (4, sample::all_clear(), MsgType::Update, Response::AllClear),
    ] {
        let alert = said_by(&further(number, revision), &setup, &before);
        assert_eq!((alert.kind, alert.infos[0].response), (kind, response));
        let references: Vec<_> = before.iter().map(|it: &Earlier| it.reference.clone()).collect();
        assert_eq!(alert.references, references);
        assert!(identifiers.insert(alert.identifier.clone()), "used once");
        before.push(earlier(&alert));
    }
    let cancel = further(5, sample::later(Kind::Cancel, Reason::InError, Level::Red));
    let cancel = said_by(&Revision { detail: "a boat hit the gauge".into(), ..cancel }, &setup, &before);
    assert_eq!((cancel.kind, cancel.infos[0].response), (MsgType::Cancel, Response::None));
    assert!(cancel.note.is_some_and(|note| note.contains("a boat hit the gauge")));
    // What has expired is referred to no more, but for the newest: no chain breaks.
    let late = further(90, sample::later(Kind::Update, Reason::Renewed, Level::Red));
    let newest = before.last().expect("four").reference.clone();
    assert_eq!(said_by(&late, &setup, &before).references, [newest]);
    // Of a great many, the newest.
    let many: Vec<Earlier> = (0..REFERENCES_MAX + 7)
        .map(|nth| {
            let mut one = before[0].clone();
            one.reference.identifier = format!("the-{nth}th");
            one
        })
        .collect();
    let references = said_by(&further(5, sample::blind()), &setup, &many).references;
    assert_eq!(references.len(), REFERENCES_MAX);
    assert_eq!(references[0], many[7].reference);
}

#[test]
fn what_nobody_heard_of_is_not_published() {
    let (setup, words) = (setup(), words());
    let nothing = |revision: &Revision| assert_eq!(said(revision, &setup, &words, &[]), None);
    nothing(&sample::flood(Status::Actual));
    nothing(&Revision { muted: Some(OutputId::default()), ..flood() });
    nothing(&further(2, sample::all_clear()));
    nothing(&further(2, sample::later(Kind::Cancel, Reason::InError, Level::Red)));
    nothing(&told(sample::trouble(TroubleCode::Held, "", "")));
    nothing(&told(sample::notify_test()));
    // What was published is ended, changed and called back though no person is left to be told.
    let before = [earlier(&said_by(&flood(), &setup, &[]))];
    for (revision, kind) in [
        (sample::later(Kind::Update, Reason::Upgraded, Level::Red), MsgType::Update),
        (sample::all_clear(), MsgType::Update),
        (sample::later(Kind::Cancel, Reason::InError, Level::Red), MsgType::Cancel),
    ] {
        let to_nobody = Revision { due: vec![], ..further(2, revision) };
        assert_eq!(said_by(&to_nobody, &setup, &before).kind, kind);
        let hidden = Revision { muted: Some(OutputId::default()), ..to_nobody };
        assert_eq!(said(&hidden, &setup, &words, &before), None);
    }
    // The first that somebody hears is an alert, whatever went before.
    let second = further(2, sample::later(Kind::Update, Reason::Upgraded, Level::Red));
    assert_eq!(said_by(&second, &setup, &[]).kind, MsgType::Alert);
}

#[test]
fn a_drill_says_so_wherever_somebody_may_look_first() {
    for (status, zh, en) in [(Status::Exercise, "演练", "EXERCISE"), (Status::Test, "测试", "TEST")] {
        let alert = said_by(&told(sample::flood(status)), &setup(), &[]);
        assert_eq!(alert.status, status);
        let note = alert.note.as_deref().expect("a note");
        assert!(note.contains(zh) && note.contains(en), "{note}");
        for (info, mark) in alert.infos.iter().zip([zh, en]) {
            for text in [&info.headline, &info.event, &info.instruction, &info.description] {
                let first: String = text.chars().take(20).collect();
                assert!(first.contains(mark), "{mark} stands first in {text}");
            }
        }
        let unmarked = Alert { note: None, ..alert };
        assert_eq!(check(&unmarked), Err(Unsound::Unmarked));
    }
}

#[test]
fn a_warning_by_hand_names_every_area_and_leaves_what_to_do_to_its_words() {
    let mut plan = sample::plan();
    let names = [("zh", "下游"), ("en", "Downstream")].into();
    plan.areas.push(Some(Area { id: "lower".into(), names, parent: None }));
    let setup = Setup { plan: Arc::new(plan), ..setup() };
    let text = |headline: &str| Text { headline: headline.into(), instruction: "stay where you are".into() };
    let about = ByHand {
        draft: flood().id,
        hazard: flood().about.cells()[0].hazard,
        areas: vec![AreaIx(0), AreaIx(1)],
    };
    let texts = Some(Texts { zh: text("堤防渗漏"), en: text(&"a long word ".repeat(30)) });
    let by_hand =
        Revision { about: About::Manual(about), reason: Reason::Manual, evidence: vec![], texts, ..flood() };
    let alert = said_by(&Revision { level: Level::Red, ..by_hand }, &setup, &[]);
    let info = &alert.infos[1];
    assert_eq!(
        (info.response, info.areas.len(), info.instruction.as_str()),
        (Response::Execute, 2, "stay where you are")
    );
    assert_eq!(info.areas[1].description, "Downstream");
    assert_eq!(info.headline.chars().count(), HEADLINE_MAX);
}

/// Abuse case 32.
#[test]
fn markup_in_a_name_is_text() {
    let mut plan = sample::plan();
    let evil = "<script>alert(1)</script>]]>&x;\u{202e}\u{ffff}<!-- ";
    let names: Names = [("zh", evil), ("en", evil)].into();
    plan.areas[0] = Some(Area { id: "beijiang".into(), names: names.clone(), parent: None });
    plan.settings.site = evil.into();
    plan.stations.iter_mut().flatten().for_each(|station| station.names.clone_from(&names));
    let setup = Setup { plan: Arc::new(plan), ..setup() };
    let text = xml(&said_by(&flood(), &setup, &[]));
    let document = uppsala::parse(&text).expect("well-formed");
    let area = document.get_elements_by_tag_name("areaDesc")[0];
    assert_eq!(document.text_content_deep(area), "<script>alert(1)</script>]]>&x;<!-- ");
    assert!(document.get_elements_by_tag_name("script").is_empty());
    assert!(!text.contains('\u{202e}') && !text.contains("]]>") && !text.contains("<!--"), "{text}");
}

#[test]
fn scope_and_identifier_are_as_configuration_has_them() {
    let mut setup = setup();
    setup.cap = Cap { public: false, oid: Some("2.49.0.1.156.3".into()), ..setup.cap };
    setup.cap.categories.insert("flood".into(), Category::Safety);
    let alert = said_by(&flood(), &setup, &[]);
    let number = u128::from_be_bytes(flood().id.digest().0);
    assert_eq!(alert.identifier, format!("urn:oid:2.49.0.1.156.3.{number}"));
    assert!(matches!(&alert.scope, Scope::Restricted(to) if to.contains("Shaoguan Flood Control")));
    assert_eq!(alert.infos[0].category, Category::Safety);
    let utc = forewarn_core::plan::Settings::default();
    assert_eq!(Time::of(NOW, &utc).text, "2026-07-13T19:20:00-00:00");
}

#[test]
fn an_outline_too_long_is_left_out_and_the_area_still_named() {
    let mut setup = setup();
    let round = |at: usize| std::f64::consts::TAU * at as f64 / POSITIONS_MAX as f64;
    let mut ring: Vec<[f64; 2]> =
        (0..POSITIONS_MAX).map(|at| [113.6 + 0.1 * round(at).cos(), 24.6 + 0.1 * round(at).sin()]).collect();
    ring.push(ring[0]);
    let outline = Outline { polygons: vec![ring], geocode: None };
    setup.outlines = Arc::new([(AreaIx(0), outline)].into_iter().collect());
    let alert = said_by(&flood(), &setup, &[]);
    assert!(alert.infos[0].areas[0].polygons.is_empty());
    assert_eq!(alert.infos[0].areas[0].geocodes, [("forewarn:area".to_owned(), "beijiang".to_owned())]);
}

#[test]
fn what_no_schema_sees_is_seen() {
    let setup = setup();
    let first = said_by(&flood(), &setup, &[]);
    let update = further(2, sample::later(Kind::Update, Reason::Upgraded, Level::Red));
    let update = said_by(&update, &setup, &[earlier(&first)]);
    let check = |of: &Alert, expected: Unsound, spoil: &dyn Fn(&mut Alert)| {
        let mut spoilt = of.clone();
        spoil(&mut spoilt);
        assert_eq!(super::super::check::check(&spoilt), Err(expected));
    };
    let ring = |it: &mut Alert, ring: &[(f64, f64)]| {
        it.infos.iter_mut().for_each(|info| info.areas[0].polygons = vec![ring.to_vec()]);
    };
    check(&update, Unsound::NoReferences, &|it| it.references.clear());
    check(&first, Unsound::FirstWithReferences, &|it| it.references.clone_from(&update.references));
    check(&update, Unsound::LaterReference, &|it| {
        it.references[0].sent.at = it.sent.at + Span::from_hours(9);
    });
    check(&update, Unsound::SelfReference, &|it| it.identifier.clone_from(&it.references[0].identifier));
    check(&first, Unsound::NoRestriction, &|it| it.scope = Scope::Restricted(" ".into()));
    check(&first, Unsound::ExpiresBeforeSent, &|it| it.infos[1].expires.at = it.sent.at - Span::from_secs(1));
    for (time, name) in [("2026-07-14T03:20:00Z", "a b"), ("2026-07-14T03:20:00.5+08:00", "a,b"), ("", "a&b")]
    {
        check(&first, Unsound::Time, &|it| it.sent.text = time.into());
        check(&first, Unsound::Name, &|it| it.identifier = name.into());
        check(&first, Unsound::Name, &|it| it.sender = name.into());
    }
    check(&first, Unsound::Language, &|it| it.infos.truncate(1));
    check(&first, Unsound::Language, &|it| it.infos[1].headline = " ".into());
    check(&first, Unsound::Language, &|it| it.infos[0].instruction.clear());
    check(&first, Unsound::Differing, &|it| it.infos[1].response = Response::Monitor);
    check(&first, Unsound::LongHeadline, &|it| it.infos[0].headline = "x".repeat(161));
    check(&first, Unsound::Nowhere, &|it| it.infos.iter_mut().for_each(|info| info.areas.clear()));
    check(&first, Unsound::OpenPolygon, &|it| ring(it, &[(0., 0.), (1., 0.), (1., 1.), (0., 1.)]));
    check(&first, Unsound::OpenPolygon, &|it| ring(it, &[(0., 0.), (1., 0.), (0., 0.)]));
    check(&first, Unsound::CrossedPolygon, &|it| {
        ring(it, &[(0., 0.), (1., 1.), (1., 0.), (0., 1.), (0., 0.)]);
    });
    check(&first, Unsound::OffGlobe, &|it| ring(it, &[(113., 24.), (114., 24.), (114., 25.), (113., 24.)]));
}
