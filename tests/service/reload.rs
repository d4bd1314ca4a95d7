//! Reloading under way: new gauges, faulty files, vanished areas, revoked devices.

use forewarn::app::desk::Orphan;
use forewarn_core::event::Decision;
use forewarn_core::ids::Position;
use forewarn_core::warning::TroubleCode;

use crate::common::house::{Device, Folder, Receiver, level, wait_for};

#[tokio::test(flavor = "multi_thread")]
async fn a_new_gauge_warns_and_a_faulty_file_changes_nothing() {
    let receiver = Receiver::start().await;
    let folder = Folder::new(&receiver.url, "");
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = folder.start().await;
    let mqtt = service.mqtt_addr().expect("the listener is on");
    let mut device = Device::connect(mqtt, "gauge-1", &secret);
    let sensors = std::fs::read_to_string(folder.config().join("sensors.csv")).expect("written just now");
    let limits = std::fs::read_to_string(folder.config().join("limits.csv")).expect("written just now");

    folder.write("limits.csv", &limits.replace("58,59", "59,58"));
    let faults = service.desk().reload(Orphan::Refuse).await.expect_err("orange above red");
    assert!(faults.iter().any(|fault| fault.contains("limits.csv:2")), "{faults:?}");
    receiver
        .wait_for("the operator hears of it", |got| {
            got.iter().any(|post| post.body["revisions"][0]["trouble"]["code"] == "reload-refused")
        })
        .await;

    // The old limits hold: under the faulty ones it would be red.
    device.publish("river/qj-1", level("qj-1", 58.5)).await;
    device.acknowledged().await;
    let got = receiver
        .wait_for("the orange", |got| got.iter().any(|post| post.body["type"] == "warning.alert"))
        .await;
    let alert = got.iter().find(|post| post.body["type"] == "warning.alert").expect("there");
    assert_eq!(alert.body["revisions"][0]["level"]["id"], "orange");
    assert_eq!(alert.body["revisions"][0]["evidence"][0]["limit"], 58.0);

    folder.write("limits.csv", &format!("{limits}qj-2/level,,,56,57,58,59,m,1985-national\n"));
    folder.write(
        "sensors.csv",
        &format!(
            "{sensors}qj-2,level,二站,Second gauge,28.9,118.8,town,m,1985-national,1 min,30 min,40,80\n"
        ),
    );
    let secret = folder.add_device("gateway", "qj-1;qj-2");
    service.desk().reload(Orphan::Refuse).await.unwrap_or_else(|faults| panic!("{faults:#?}"));
    let mut device = Device::connect(mqtt, "gateway", &secret);
    receiver
        .wait_for("the operator hears that it is over", |got| {
            got.iter().any(|post| post.body["type"] == "trouble.ended")
        })
        .await;
    device.publish("river/qj-2", level("qj-2", 59.3)).await;
    device.acknowledged().await;
    let got = receiver
        .wait_for("the alert", |got| got.iter().any(|post| post.body["revisions"][0]["level"]["id"] == "red"))
        .await;
    let alert = got.iter().find(|post| post.body["revisions"][0]["level"]["id"] == "red").expect("there");
    assert_eq!(alert.body["revisions"][0]["evidence"][0]["sensor"], "qj-2/level");
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn vanished_area() {
    let receiver = Receiver::start().await;
    let folder = Folder::new(&receiver.url, "");
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = folder.start().await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    device.publish("river/qj-1", level("qj-1", 59.3)).await;
    device.acknowledged().await;
    receiver.wait_for("the alert", |got| !got.is_empty()).await;

    for (name, from, to) in [
        ("areas.geojson", "\"town\"", "\"village\""),
        ("sensors.csv", ",town,", ",village,"),
        ("contacts.csv", ",duty,town,", ",duty,village,"),
    ] {
        let text = std::fs::read_to_string(folder.config().join(name)).expect("written just now");
        folder.write(name, &text.replace(from, to));
    }
    let refused = service.desk().reload(Orphan::Refuse).await.expect_err("an incident is active there");
    assert!(refused.iter().any(|why| why.contains("flood/town")), "{refused:?}");
    let said = service.desk().reload(Orphan::Allow).await.unwrap_or_else(|faults| panic!("{faults:#?}"));
    assert!(said.contains("no rule supports flood@town any more"), "{said}");
    receiver
        .wait_for("its targets are told once", |got| {
            got.iter().any(|post| post.body["revisions"][0]["reason"] == "orphaned")
        })
        .await;
    service.stop().await;
    let orphaned = forewarn::log::Records::open_read_only(&folder.data(), Position(0))
        .expect("a log")
        .flat_map(|record| record.expect("sound").decisions)
        .filter(|(_, decision)| {
            matches!(decision, Decision::Trouble(report) if report.present && report.key.code == TroubleCode::Orphaned)
        })
        .count();
    assert_eq!(orphaned, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_device_is_heard_no_more() {
    let receiver = Receiver::start().await;
    let folder = Folder::new(&receiver.url, "");
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = folder.start().await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    device.publish("river/qj-1", level("qj-1", 55.0)).await;
    device.acknowledged().await;
    folder.write("devices.csv", "identity,stations,secret_sha256\n");
    service.desk().reload(Orphan::Refuse).await.unwrap_or_else(|faults| panic!("{faults:#?}"));
    let before = service.pulse().borrow().position;
    device.publish("river/qj-1", level("qj-1", 59.9)).await;
    // An honest gauge of another identity is heard meanwhile: the service lives.
    let other = folder.add_device("gauge-2", "qj-1");
    service.desk().reload(Orphan::Refuse).await.unwrap_or_else(|faults| panic!("{faults:#?}"));
    let mut honest = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-2", &other);
    honest.publish("river/qj-1", level("qj-1", 55.1)).await;
    honest.acknowledged().await;
    wait_for("the honest reading", || (service.pulse().borrow().position > before).then_some(())).await;
    assert_eq!(device.acked(), 1, "nothing more was taken of it");
    assert!(receiver.got().iter().all(|post| post.body["revisions"][0]["level"]["id"] != "red"));
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_who_comes_with_a_reload_hears_of_what_stands() {
    let (receiver, newcomer) = (Receiver::start().await, Receiver::start().await);
    let folder = Folder::new(&receiver.url, "");
    let contacts = std::fs::read_to_string(folder.config().join("contacts.csv")).expect("written just now");
    let service = folder.start().await;
    let sensors = std::fs::read_to_string(folder.config().join("sensors.csv")).expect("written just now");
    folder.write("sensors.csv", "station\n");
    service.desk().reload(Orphan::Refuse).await.expect_err("half a table");
    receiver
        .wait_for("the operator hears of it", |got| {
            got.iter().any(|post| post.body["revisions"][0]["trouble"]["code"] == "reload-refused")
        })
        .await;

    folder.write("sensors.csv", &sensors);
    folder.write("contacts.csv", &format!("{contacts}night,夜班,it,,en,,{},,\n", newcomer.url));
    let toml = std::fs::read_to_string(folder.config().join("forewarn.toml")).expect("written just now");
    folder.write("forewarn.toml", &toml.replace("contact = \"it\"", "contact = \"night\""));
    service.desk().reload(Orphan::Refuse).await.unwrap_or_else(|faults| panic!("{faults:#?}"));
    let got = newcomer.wait_for("the newcomer hears of it", |got| !got.is_empty()).await;
    assert_eq!(got[0].body["type"], "trouble.raised");
    assert_eq!(got[0].body["revisions"][0]["trouble"]["code"], "reload-refused");
    service.stop().await;
}
