//! A gateway lost, a gauge lost mid-flood.

use std::fmt::Write as _;

use crate::common::house::{Device, Folder, Posted, Receiver, level};

/// Four gauges behind one gateway that report every second.
fn folder(duty: &Receiver, operator: &Receiver) -> (Folder, String) {
    let folder = Folder::new(&duty.url, "warnings = { outage_tell_max = \"1 s\" }");
    let mut sensors = String::from(
        "station,quantity,name_zh,name_en,lat,lon,area,unit,datum,interval,lateness,min,max,gateway\n",
    );
    let mut limits = String::from("sensor,season,valid_from,blue,yellow,orange,red,unit,datum\n");
    for number in 1..=4 {
        writeln!(sensors, "qj-{number},level,站,Gauge,28.9,118.8,town,m,1985-national,1 s,1 s,40,80,gw-1")
            .expect("a String takes all");
        writeln!(limits, "qj-{number}/level,,,56,57,58,59,m,1985-national").expect("a String takes all");
    }
    folder.write("sensors.csv", &sensors);
    folder.write("limits.csv", &limits);
    folder.write(
        "contacts.csv",
        &format!(
            "id,name,roles,area,language,email,webhook,min_level,hours\n\
             it,值班,it,,zh,,{},,\n\
             duty,防汛办,duty,town,zh,,{},,\n",
            operator.url, duty.url
        ),
    );
    let secret = folder.add_device("gw-1", "qj-1;qj-2;qj-3;qj-4");
    (folder, secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_gateway_lost_is_one_notice_and_the_warned_are_told_that_it_is_blind() {
    let (duty, operator) = (Receiver::start().await, Receiver::start().await);
    let (folder, secret) = folder(&duty, &operator);
    let service = folder.start().await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gw-1", &secret);
    for number in 1..=4 {
        let metres = if number == 1 { 59.5 } else { 55.0 };
        device.publish("river", level(&format!("qj-{number}"), metres)).await;
    }
    device.acknowledged().await;
    let first = |post: &Posted| post.body["revisions"][0].clone();
    let told =
        operator.wait_for("the outage", |got| got.iter().any(|post| !first(post)["trouble"].is_null())).await;
    let warned =
        duty.wait_for("the blindness", |got| got.iter().any(|post| first(post)["reason"] == "blind")).await;
    assert_eq!(first(&told[0])["trouble"]["code"], "domain-silent");
    assert_eq!(told.len(), 1, "one notice for four gauges, and no warning to the operator: {told:#?}");
    let blind = warned.iter().find(|post| first(post)["reason"] == "blind").expect("there");
    assert_eq!(first(blind)["level"]["id"], "red", "unknown never clears");
    assert_eq!(first(blind)["stale"], true);
    assert_eq!(first(blind)["warning"], first(&warned[0])["warning"], "of the warning they had");
    assert!(warned.iter().all(|post| post.body["type"] != "warning.all-clear"));
    service.stop().await;
}
