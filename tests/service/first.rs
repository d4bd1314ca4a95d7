//! The thinnest whole way.

use crate::common::house::{Device, Folder, Receiver, level};

#[tokio::test(flavor = "multi_thread")]
async fn a_reading_becomes_a_warning() {
    let receiver = Receiver::start().await;
    let folder = Folder::new(&receiver.url, "");
    let secret = folder.add_device("gauge-1", "qj-1");
    let service = folder.start().await;
    let mut device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauge-1", &secret);

    device.publish("river/qj-1", level("qj-1", 55.2)).await;
    device.publish("river/qj-1", level("qj-1", 59.1)).await;
    device.acknowledged().await;

    let got = receiver.wait_for("the alert", |got| !got.is_empty()).await;
    assert_eq!(got.len(), 1, "{got:#?}");
    let stopped = service.stop().await;
    assert_eq!(stopped.undelivered, 0);
}
