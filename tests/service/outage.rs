//! A gateway lost, a gauge lost mid-flood.

use std::fmt::Write as _;

use crate::common::house::{Device, Folder, Receiver, level};

/// Four gauges behind one gateway that report every second.
fn folder(receiver: &Receiver) -> (Folder, String) {
    let folder = Folder::new(&receiver.url, "warnings = { outage_tell_max = \"1 s\" }");
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
    let secret = folder.add_device("gw-1", "qj-1;qj-2;qj-3;qj-4");
    (folder, secret)
}

#[tokio::test(flavor = "multi_thread")]
async fn one_gateway_lost_is_one_notice_and_the_warned_are_told_that_it_is_blind() {
    let receiver = Receiver::start().await;
    let (folder, secret) = folder(&receiver);
    let service = folder.start().await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gw-1", &secret);
    for number in 1..=4 {
        let metres = if number == 1 { 59.5 } else { 55.0 };
        device.publish("river", level(&format!("qj-{number}"), metres)).await;
    }
    device.acknowledged().await;
    let got = receiver
        .wait_for("alert, outage and blindness", |got| {
            let first = |post: &crate::common::house::Posted| post.body["revisions"][0].clone();
            got.iter().any(|post| first(post)["trouble"]["code"] == "domain-silent")
                && got.iter().any(|post| first(post)["reason"] == "blind")
        })
        .await;
    let troubles: Vec<&str> =
        got.iter().filter_map(|post| post.body["revisions"][0]["trouble"]["code"].as_str()).collect();
    assert_eq!(troubles, ["domain-silent"], "one notice for four gauges");
    let blind = got.iter().find(|post| post.body["revisions"][0]["reason"] == "blind").expect("there");
    let revision = &blind.body["revisions"][0];
    assert_eq!(revision["level"]["id"], "red", "unknown never clears");
    assert_eq!(revision["stale"], true);
    service.stop().await;
}
