//! What is not published: an alert that would not be a sound one, and whatever
//! a copy of a data directory would say in the original's name.

use forewarn::app::desk::Orphan;
use forewarn::app::service::{Options, Service, Timekeeping};
use forewarn::config::Purpose;
use serde_json::Value;

use crate::common::house::{Device, Folder, Receiver, level};
use crate::readers::{Desk, element};

/// A name that is there and that nobody can see.
const UNSEEN: &str = "\u{200b}";

fn is_trouble(body: &Value, kind: &str) -> bool {
    body["type"] == kind && body["revisions"][0]["trouble"]["code"] == "alert-withheld"
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_that_lacks_a_language_is_withheld_and_told_until_a_sound_one_follows() {
    let receiver = Receiver::start().await;
    let folder = Folder::new(&receiver.url, "");
    let areas = std::fs::read_to_string(folder.config().join("areas.geojson")).expect("just written");
    folder.write("areas.geojson", &areas.replace("Qujiang town", UNSEEN));
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = folder.start().await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    device.publish("river/qj-1", level("qj-1", 57.2)).await;

    let told = |kind: &'static str| {
        move |got: &[crate::common::house::Posted]| got.iter().any(|post| is_trouble(&post.body, kind))
    };
    // Which of the two comes first is the network's to say.
    let warned =
        |got: &[crate::common::house::Posted]| got.iter().any(|post| post.body["type"] == "warning.alert");
    receiver.wait_for("the webhook goes out all the same", warned).await;
    let got = receiver.wait_for("the operator hears of it", told("trouble.raised")).await;
    let trouble =
        got.iter().find(|post| is_trouble(&post.body, "trouble.raised")).expect("it was waited for");
    let detail = trouble.body["revisions"][0]["detail"].as_str().expect("a detail");
    assert!(detail.contains("它缺少中文或英文"), "in the operator's language: {detail}");
    Desk::of(&service).listed(0).await;

    folder.write("areas.geojson", &areas);
    service.desk().reload(Orphan::Refuse).await.expect("the name is mended");
    device.publish("river/qj-1", level("qj-1", 59.4)).await;
    let listed = Desk::of(&service).listed(1).await;
    assert_eq!(element(&listed[0].alert, "msgType"), ["Alert"], "the first that a reader of alerts hears");
    assert_eq!(element(&listed[0].alert, "areaDesc"), ["曲江镇", "Qujiang town"]);
    receiver.wait_for("and of its end", told("trouble.ended")).await;
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_directory_publishes_nothing() {
    let receiver = Receiver::start().await;
    let folder = Folder::new(&receiver.url, "cap = { public = true }");
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = folder.start().await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    device.publish("river/qj-1", level("qj-1", 57.2)).await;
    Desk::stranger(&service).listed(1).await;
    drop(device);
    service.stop().await;

    let copy = folder.path().join("copy");
    let copied = std::process::Command::new("cp").arg("-r").arg(folder.data()).arg(&copy).status();
    assert!(copied.expect("cp is there").success());
    let service = Service::start(Options {
        config: folder.config(),
        data: Some(copy),
        purpose: Purpose::Live,
        time: Timekeeping::System,
    })
    .await
    .unwrap_or_else(|error| panic!("{error:#}"));
    assert!(service.picture().borrow().held, "a copy is held");
    let answer = Desk::stranger(&service).get("/feed.atom", "").await;
    assert_eq!(answer.status, 503, "{}", answer.text);
    service.stop().await;
}
