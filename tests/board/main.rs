//! The board in a real browser: in both languages, on a phone and a desk, by
//! day and by night, by keys alone, without a script, live and cut off.

mod browser;
#[path = "../common/mod.rs"]
mod common;
mod reach;
#[path = "../common/skip.rs"]
mod skip;

use std::time::{Duration, Instant};

use browser::{Browser, LOGIN};
use common::house::{Device, Folder, Receiver, level};
use forewarn::accounts::{Accounts, Reach};
use forewarn::app::service::{Options, Service, Timekeeping};
use forewarn::config::Purpose;
use forewarn_core::authority::Role;
use forewarn_core::level::Status;

/// A decision is seen on an open page within so long.
const SEEN_WITHIN: Duration = Duration::from_secs(2);

/// A service with two gauges, of which one is never heard, and somebody who may act.
async fn house(receiver: &Receiver, status: Status) -> (Folder, Service, Device) {
    let folder = Folder::new(&receiver.url, "");
    folder.write(
        "sensors.csv",
        "station,quantity,name_zh,name_en,lat,lon,area,unit,datum,interval,lateness,min,max\n\
         qj-1,level,曲江站,Qujiang gauge,28.9,118.8,town,m,1985-national,1 min,30 min,40,80\n\
         qj-2,level,渡口站,Ferry gauge,28.8,118.7,town,m,1985-national,1 min,30 min,40,80\n",
    );
    folder.write(
        "limits.csv",
        "sensor,season,valid_from,blue,yellow,orange,red,unit,datum\n\
         qj-1/level,,,56,57,58,59,m,1985-national\nqj-2/level,,,56,57,58,59,m,1985-national\n",
    );
    let secret = folder.add_device("gauge-1", "qj-1");
    let purpose = match status {
        Status::Actual => Purpose::Live,
        Status::Exercise | Status::Test => Purpose::Play,
    };
    let options =
        Options { config: folder.config(), data: Some(folder.data()), purpose, time: Timekeeping::System };
    let service = Service::start(options).await.unwrap_or_else(|error| panic!("{error:#}"));
    let accounts = Accounts::open(&folder.data()).expect("the service has made it");
    accounts
        .add(LOGIN.0, Role::Operator, &Reach::Everywhere, LOGIN.1, forewarn::clock::wall())
        .expect("a new account");
    let device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);
    (folder, service, device)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_board_is_legible_to_everyone_works_by_keys_and_says_when_it_is_cut_off() {
    let receiver = Receiver::start().await;
    let (_folder, service, mut device) = house(&receiver, Status::Actual).await;
    for metres in [56.4, 57.3, 58.2] {
        device.publish("river/qj-1", level("qj-1", metres)).await;
    }
    device.publish("river/qj-1", "<script>alert(1)</script>").await;
    device.acknowledged().await;
    receiver.wait_for("the alert", |got| !got.is_empty()).await;
    let Some(mut browser) = Browser::open(service.http_addr(), &["still", "pages", "keys", "live"]) else {
        return;
    };

    let still = browser.hear("still").await;
    assert_eq!(still["frozen"], true, "without a script it says that it stands still");
    assert_eq!(still["moving"], false, "{still}");
    assert_eq!(still["lang"], "en", "the language was switched");
    assert_eq!(still["form"], true);
    assert_eq!(still["reason"], "said by the test");

    let keys = browser.hear("keys").await;
    assert_eq!(keys["skips"], "skip", "the first key leads past the menu");
    assert_eq!(keys["outline"], "solid", "where one is can be seen");
    assert!(keys["done"].as_str().is_some_and(|done| done.contains("Acknowledged")), "{keys}");
    assert!(keys["before"].as_str().is_some_and(|before| before.contains("Nobody yet")), "{keys}");
    assert!(keys["after"].as_str().is_some_and(|after| after.contains("duty")), "{keys}");

    assert_eq!(browser.hear("live").await, "open");
    device.publish("river/qj-1", level("qj-1", 59.2)).await;
    device.acknowledged().await;
    let (happened, red) = (Instant::now(), browser.go_on_and_hear("live").await);
    assert_eq!(red, "red");
    assert!(happened.elapsed() < SEEN_WITHIN, "seen after {:?}", happened.elapsed());
    let focus = browser.said().iter().find_map(|said| said["focus"].as_str().map(str::to_owned));
    assert!(focus.is_some_and(|focus| focus.starts_with("/warnings/")), "the focus stayed where it was");

    service.stop().await;
    let lost = browser.go_on_and_hear("lost").await;
    assert_eq!(lost["shown"], true, "{lost}");
    assert_eq!(lost["moving"], false, "a page that is cut off does not look live: {lost}");
    assert!(lost["text"].as_str().is_some_and(|text| text.contains("CONNECTION LOST")), "{lost}");
    assert!(lost["after"].as_u64().is_some_and(|millis| millis < 15_000), "{lost}");
    browser.hear("over").await;
    browser.is_without_violations(40);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drill_is_seen_to_be_one_on_every_page() {
    let receiver = Receiver::start().await;
    let (_folder, service, mut device) = house(&receiver, Status::Exercise).await;
    device.publish("river/qj-1", level("qj-1", 58.2)).await;
    device.acknowledged().await;
    let Some(mut browser) = Browser::open(service.http_addr(), &["drill"]) else { return };
    browser.hear("over").await;
    let drills = browser.said().into_iter().filter_map(|said| said.get("drill").cloned());
    let drills: Vec<serde_json::Value> = drills.collect();
    assert_eq!(drills.len(), 6);
    for (n, drill) in drills.iter().enumerate() {
        let word = if n < 3 { "演练" } else { "EXERCISE" };
        let marks = drill["marks"].as_array().expect("a list");
        assert!(marks.len() == 2 && marks.iter().all(|mark| mark.to_string().contains(word)), "{drill}");
        assert_eq!(drill["watermark"], true);
        assert_eq!(drill["top"], "rgb(74, 20, 140)", "another colour than the live board's");
        assert!(drill["title"].to_string().contains(word), "{drill}");
    }
    browser.is_without_violations(6);
    service.stop().await;
}
