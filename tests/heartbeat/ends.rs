//! What ends is told before it does.

use std::time::{Duration, SystemTime};

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use serde_json::Value;

use crate::common::house::{Folder, Posted, Receiver};

const DAY: Duration = Duration::from_hours(24);

/// Writes an authority that ends in so many days, or ended so many ago, of a year's life.
fn authority(folder: &Folder, days: i32) {
    let mut params = CertificateParams::new(vec![]).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let away = DAY * days.unsigned_abs();
    let ends = if days < 0 { SystemTime::now() - away } else { SystemTime::now() + away };
    (params.not_after, params.not_before) = (ends.into(), (ends - DAY * 365).into());
    let key = KeyPair::generate().expect("a key");
    folder.write("ca.pem", &params.self_signed(&key).expect("a certificate").pem());
}

fn of(got: &[Posted], code: &str) -> Vec<Value> {
    let revisions =
        got.iter().flat_map(|posted| posted.body["revisions"].as_array().cloned().unwrap_or_default());
    revisions.filter(|revision| revision["trouble"]["code"] == code).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_told_of_before_it_ends_when_it_has_and_no_more_once_renewed() {
    let operator = Receiver::start().await;
    let folder = Folder::new(&operator.url, "");
    authority(&folder, 5);
    let toml = std::fs::read_to_string(folder.config().join("forewarn.toml")).expect("written");
    let with_ca = toml.replace("webhook = {", "webhook = { ca = \"ca.pem\",");
    assert_ne!(with_ca, toml);
    folder.write("forewarn.toml", &with_ca);
    let service = folder.start().await;
    let reload =
        || async { service.desk().reload(forewarn::app::desk::Orphan::Refuse).await.expect("sound") };

    let soon = operator.wait_for("it ends soon", |got| !of(got, "ends-soon").is_empty()).await;
    let told = &of(&soon, "ends-soon")[0];
    let detail = told["detail"].as_str().unwrap_or_default();
    assert!(detail.starts_with("证书 webhook.ca（") && detail.contains("将在一周内到期"), "{detail}");
    assert_eq!(told["level"]["id"], "yellow", "{told}");
    reload().await;

    authority(&folder, 1);
    reload().await;
    let day = |got: &[Posted]| {
        of(got, "ends-soon").iter().any(|it| it["detail"].as_str().unwrap_or_default().contains("一天内"))
    };
    operator.wait_for("the next stage", day).await;

    authority(&folder, -2);
    reload().await;
    let over = operator.wait_for("it has ended", |got| !of(got, "has-ended").is_empty()).await;
    assert_eq!(of(&over, "has-ended")[0]["level"]["id"], "orange");

    authority(&folder, 300);
    reload().await;
    let ended = |got: &[Posted]| of(got, "has-ended").iter().any(|it| it["kind"] == "all-clear");
    let got = operator.wait_for("it was renewed", ended).await;
    let stages: Vec<_> = of(&got, "ends-soon").iter().map(|it| it["kind"].clone()).collect();
    assert_eq!(stages, ["alert", "update", "all-clear"], "once a stage");
    service.stop().await;
}
