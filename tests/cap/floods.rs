//! Every alert of whole floods: measured, updated, corrected, cancelled, ended,
//! by hand, as a drill, with names that attack; and of a demo on the led clock.

use std::collections::BTreeSet;

use forewarn::app::control::{Request, Response, ask};
use forewarn::app::demo::{DemoOptions, run};
use forewarn::app::orders::{Order, TextBody, TextsBody};
use forewarn::app::service::{Options, Service, Timekeeping};
use forewarn::cli::Paint;
use forewarn::clock::Led;
use forewarn::config::Purpose;
use serde_json::Value;

use crate::common::house::{Device, Folder, Receiver, level};
use crate::readers::{Desk, element};
use crate::validators::Judges;

/// What stands in names of this world.
const EVIL: &str = "<script>x</script>]]>&x;";

/// A town and a gauge with evil names; two persons may order.
fn folder(receiver: &Receiver) -> Folder {
    let folder = Folder::new(
        &receiver.url,
        "orders = { shell_accounts = [\"li\", \"wang\"] }\ncap = { public = true, sender = \"warn.example\" }",
    );
    folder.write(
        "areas.geojson",
        &format!(
            r#"{{"type":"FeatureCollection","features":[
               {{"type":"Feature","properties":{{"id":"town","name_zh":"曲江镇{EVIL}","name_en":"Qujiang {EVIL}",
                 "geocode":"adcode=440205"}},
                "geometry":{{"type":"MultiPolygon","coordinates":[
                  [[[118.3,28],[119,28],[119,29],[118.3,29],[118.3,28]],[[118.5,28.5],[118.6,28.5],[118.6,28.6],[118.5,28.5]]],
                  [[[118,28],[118.1,28],[118.1,28.1],[118,28]]]]}}}}]}}"#
        ),
    );
    folder.write(
        "sensors.csv",
        &format!(
            "station,quantity,name_zh,name_en,lat,lon,area,unit,datum,interval,lateness,min,max\n\
             qj-1,level,曲江站{EVIL},Qujiang {EVIL},28.9,118.8,town,m,1985-national,1 min,30 min,40,80\n"
        ),
    );
    folder
}

async fn start(folder: &Folder, purpose: Purpose) -> Service {
    let options =
        Options { config: folder.config(), data: Some(folder.data()), purpose, time: Timekeeping::System };
    Service::start(options).await.unwrap_or_else(|error| panic!("{error:#}"))
}

async fn order(folder: &Folder, account: &str, order: Order) -> Response {
    let request = Request::Order { order, account: Some(account.to_owned()), json: true };
    ask(&folder.data(), &request).await.expect("the service answers")
}

/// Asks until it is done: the projection that an order is held against follows the log.
async fn insist(folder: &Folder, account: &str, wanted: &dyn Fn() -> Order) -> Value {
    let deadline = tokio::time::Instant::now() + crate::common::house::PATIENCE;
    loop {
        let response = order(folder, account, wanted()).await;
        if response.done {
            return serde_json::from_str(&response.lines[0]).expect("a line of JSON");
        }
        assert!(tokio::time::Instant::now() < deadline, "{response:?}");
        tokio::task::yield_now().await;
    }
}

fn texts() -> TextsBody {
    let text = |headline: &str| TextBody { headline: headline.into(), instruction: String::new() };
    TextsBody { zh: text("堤防渗漏"), en: text("the embankment <b>leaks</b>") }
}

/// What an alert must be whatever it says.
fn sound(judges: &Judges, alerts: &[String], status: &str) {
    let mut identifiers = BTreeSet::new();
    for alert in alerts {
        assert_eq!(judges.against(alert), Vec::<String>::new(), "{alert}");
        assert_eq!(element(alert, "status"), [status]);
        assert_eq!(element(alert, "language"), ["zh-CN", "en"]);
        assert!(
            identifiers.insert(element(alert, "identifier").concat()),
            "an identifier is used once: {alert}"
        );
        assert!(element(alert, "headline").iter().all(|line| line.chars().count() <= 160), "{alert}");
        assert_eq!(element(alert, "script"), Vec::<String>::new(), "{alert}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_is_published_from_its_first_alert_to_its_cancellation() {
    let Some(judges) = Judges::called() else { return };
    let receiver = Receiver::start().await;
    let folder = folder(&receiver);
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = start(&folder, Purpose::Live).await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    let desk = Desk::of(&service);

    device.publish("river/qj-1", level("qj-1", 57.2)).await;
    let first = desk.listed(1).await;
    device.publish("river/qj-1", level("qj-1", 59.4)).await;
    desk.listed(2).await;
    let id = element(&first[0].alert, "incidents").concat();
    let warning = || id.clone();
    insist(&folder, "li", &|| Order::Correct { warning: warning(), texts: texts() }).await;
    desk.listed(3).await;
    insist(&folder, "li", &|| Order::Cancel { warning: warning(), reason: "a boat hit <it>".into() }).await;
    let listed = desk.listed(4).await;

    let alerts: Vec<String> = listed.iter().rev().map(|it| it.alert.clone()).collect();
    sound(&judges, &alerts, "Actual");
    let kinds: Vec<String> = alerts.iter().map(|alert| element(alert, "msgType").concat()).collect();
    assert_eq!(kinds, ["Alert", "Update", "Update", "Cancel"]);
    for (nth, alert) in alerts.iter().enumerate() {
        let before: Vec<String> = alerts[..nth]
            .iter()
            .map(|it| ["sender", "identifier", "sent"].map(|name| element(it, name).concat()).join(","))
            .collect();
        assert_eq!(element(alert, "references").concat(), before.join(" "), "{alert}");
        assert_eq!(element(alert, "scope"), ["Public"]);
        assert_eq!(element(alert, "sender"), ["warn.example"]);
        assert_eq!(element(alert, "areaDesc"), [format!("曲江镇{EVIL}"), format!("Qujiang {EVIL}")]);
        assert_eq!(element(alert, "polygon").len(), 4, "two in each language, and no hole");
        assert!(element(alert, "polygon")[1].starts_with("28,118 28,118.1 "), "latitude first");
        assert_eq!(element(alert, "value").iter().filter(|value| *value == "440205").count(), 2);
    }
    let colours = |alert: &String| element(alert, "value").into_iter().any(|value| value == "红色");
    assert!(!colours(&alerts[0]) && colours(&alerts[1]));
    assert!(element(&alerts[3], "note").concat().contains("a boat hit <it>"));
    // The newest stands at the warning's own path, and a copy is known again.
    assert_eq!(desk.get(&format!("/cap/{id}.xml"), "").await.text, alerts[3]);
    let feed = desk.get("/feed.atom", "").await;
    assert_eq!(judges.against_feed(&feed.text), Vec::<String>::new(), "{}", feed.text);
    assert_eq!(feed.kind, "application/atom+xml; charset=utf-8");
    assert!(feed.changed.ends_with(" GMT"), "{}", feed.changed);
    assert_eq!(desk.get("/feed.atom", &feed.etag).await.status, 304);
    assert_eq!(desk.get("/feed.atom", "\"another\"").await.status, 200);
    service.stop().await;

    // A shelf that was lost is made again from the log, the same.
    std::fs::remove_file(folder.data().join(forewarn::cap::FILE)).expect("it was there");
    // There is none of these where the last connection ended in order.
    for beside in ["cap.db-wal", "cap.db-shm"] {
        let _ = std::fs::remove_file(folder.data().join(beside));
    }
    assert_eq!(kept(&folder).await, alerts);

    // What was published is what it was, whatever configuration says by now.
    let areas = std::fs::read_to_string(folder.config().join("areas.geojson")).expect("there");
    folder.write("areas.geojson", &areas.replace("曲江镇", "别处"));
    assert_eq!(kept(&folder).await, alerts);
}

/// The four alerts that a service which is started again lists, oldest first.
async fn kept(folder: &Folder) -> Vec<String> {
    let again = start(folder, Purpose::Live).await;
    let listed = Desk::of(&again).listed(4).await;
    again.stop().await;
    listed.into_iter().rev().map(|it| it.alert).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_and_its_warning_by_hand_are_marked_to_the_all_clear() {
    let Some(judges) = Judges::called() else { return };
    let receiver = Receiver::start().await;
    let folder = folder(&receiver);
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = start(&folder, Purpose::Play).await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    let desk = Desk::of(&service);

    device.publish("river/qj-1", level("qj-1", 58.2)).await;
    let id = element(&desk.listed(1).await[0].alert, "incidents").concat();
    let end = || Order::AllClear { warning: id.clone(), reason: "end of drill".into() };
    insist(&folder, "li", &end).await;
    desk.listed(2).await;
    let draft = || Order::Draft {
        hazard: "flood".into(),
        areas: vec!["town".into()],
        level: "red".into(),
        texts: texts(),
        lasting_s: 7200,
        updates: None,
    };
    let drafted = insist(&folder, "li", &draft).await;
    let digest = drafted["draft"]["digest"].as_str().expect("a digest").to_owned();
    let number = drafted["draft"]["number"].as_u64().expect("a number") as u32;
    insist(&folder, "wang", &|| Order::Approve { draft: number, digest: digest.clone() }).await;
    let listed = desk.listed(3).await;

    let alerts: Vec<String> = listed.iter().rev().map(|it| it.alert.clone()).collect();
    sound(&judges, &alerts, "Exercise");
    let kinds: Vec<String> = alerts.iter().map(|alert| element(alert, "msgType").concat()).collect();
    assert_eq!(kinds, ["Alert", "Update", "Alert"]);
    assert_eq!(element(&alerts[1], "responseType"), ["AllClear", "AllClear"]);
    assert!(element(&alerts[2], "headline")[1].contains("the embankment <b>leaks</b>"));
    for it in &listed {
        for name in ["headline", "event", "instruction"] {
            let [zh, en] = &element(&it.alert, name)[..] else { panic!("{}", it.alert) };
            assert!(zh.starts_with("演练：") && en.starts_with("EXERCISE: "), "{zh} {en}");
        }
        assert!(element(&it.alert, "note").concat().contains("EXERCISE"));
        assert!(it.title.starts_with("演练："), "{}", it.title);
    }
    let feed = desk.get("/feed.atom", "").await.text;
    assert_eq!(judges.against_feed(&feed), Vec::<String>::new(), "{feed}");
    assert_eq!(element(&feed, "title")[0], "[演练 EXERCISE] Test river");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demo_on_the_led_clock_is_published_whole() {
    let Some(judges) = Judges::called() else { return };
    let folder = tempfile::tempdir().expect("a temporary directory");
    let options = DemoOptions { recording: None, seed: None, folder: folder.path().to_owned() };
    let outcome =
        run(&options, Paint::Off, &mut Vec::new()).await.unwrap_or_else(|error| panic!("{error:#}"));
    let end = outcome.revisions.iter().map(|it| it.sent).max().expect("something was said");
    let service = Service::start(Options {
        config: folder.path().join("config"),
        data: Some(folder.path().join("data")),
        purpose: Purpose::Play,
        time: Timekeeping::Led(Led::new(end + forewarn_core::time::Span::from_hours(1))),
    })
    .await
    .unwrap_or_else(|error| panic!("{error:#}"));
    let desk = Desk::of(&service);
    let told: Vec<_> =
        outcome.revisions.iter().filter(|it| !it.about.cells().is_empty() && !it.due.is_empty()).collect();
    assert!(told.len() >= 3 && told.iter().any(|it| it.kind.is_last()), "{}", told.len());
    let mut alerts = vec![];
    for revision in &told {
        let path = format!("/cap/{}/{}.xml", revision.warning.digest(), revision.number);
        let alert = desk.found(&path).await;
        assert_eq!(element(&alert, "identifier"), [revision.id.digest().to_string()]);
        assert_eq!(element(&alert, "scope"), ["Restricted"], "nobody opened it");
        alerts.push(alert);
    }
    sound(&judges, &alerts, "Exercise");
    let feed = desk.get("/feed.atom", "").await.text;
    assert_eq!(judges.against_feed(&feed), Vec::<String>::new(), "{feed}");
    let entries = desk.listed(told.len().min(100)).await;
    assert!(entries.iter().all(|it| it.title.starts_with("演练：")));
    service.stop().await;
}
