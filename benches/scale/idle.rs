//! What a connection costs that is let in and says nothing.

use crate::child::Service;
use crate::client::Client;
use crate::common::figures::Goal;
use crate::crowd::{AREA, Crowd, Size};
use crate::receiver::Receiver;
use crate::site::device;
use crate::{SETTLE, say};

/// Devices that connect, a gauge each.
const DEVICES: u32 = 1_000;

/// Bytes a connection.
pub(crate) async fn measure() {
    let receiver = Receiver::start(AREA).await;
    let site = Crowd::new(Size { sensors: DEVICES, areas: 1, devices: DEVICES }, &receiver.url);
    let place = site.place();
    let (service, _) = Service::start(&place).await;
    // It has taken no readings: what those leave free would hide what connections take.
    // What the first one costs once is no cost of each.
    let first = Client::connect(site.mqtt(), &device(0)).await;
    tokio::time::sleep(SETTLE).await;
    let before = service.resident_mb();
    let mut rest = vec![];
    for n in 1..DEVICES {
        rest.push(Client::connect(site.mqtt(), &device(n)).await);
    }
    tokio::time::sleep(SETTLE).await;
    let each = (service.resident_mb() - before) * 1e6 / 1024.0 / f64::from(DEVICES - 1);
    assert_eq!(service.connections().await, u64::from(DEVICES), "all of them are still let in");
    let what = format!("{DEVICES} devices connected and idle: memory a connection");
    say(&what, "KiB", Goal::AtMost(10.0), each, None);
    drop((first, rest));
    service.kill();
}
