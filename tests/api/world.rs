//! Two areas that know nothing of each other, each with a gauge and a duty
//! desk, and a flood in both.

use forewarn::accounts::Reach;
use forewarn::app::service::Service;
use forewarn_core::authority::Role;
use forewarn_core::time::Span;
use reqwest::{Client, Method, redirect};
use serde_json::Value;

use crate::common::house::{Device, Folder, Receiver, level};

/// A password of a test: visibly no secret.
pub(crate) const PASSWORD: &str = "canary-password-of-a-test";

/// Both floods.
pub(crate) struct World {
    pub(crate) service: Service,
    pub(crate) folder: Folder,
    pub(crate) receiver: Receiver,
    device: Device,
}

/// Whose token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum In {
    Everywhere,
    Town,
    Far,
}

impl In {
    fn reach(self) -> Reach {
        match self {
            In::Everywhere => Reach::Everywhere,
            In::Town => Reach::Areas(vec!["town".into()]),
            In::Far => Reach::Areas(vec!["far".into()]),
        }
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) text: String,
    pub(crate) json: Value,
}

impl World {
    pub(crate) async fn new() -> World {
        World::with("").await
    }

    /// The same with more in forewarn.toml.
    pub(crate) async fn with(extra: &str) -> World {
        let receiver = Receiver::start().await;
        let folder = Folder::new(&receiver.url, extra);
        folder.write(
            "sensors.csv",
            "station,quantity,name_zh,name_en,lat,lon,area,unit,datum,interval,lateness,min,max\n\
             qj-1,level,曲江站,Qujiang gauge,28.9,118.8,town,m,1985-national,1 min,30 min,40,80\n\
             ly-1,level,龙游站,Longyou gauge,29.0,119.2,far,m,1985-national,1 min,30 min,40,80\n",
        );
        folder.write(
            "limits.csv",
            "sensor,season,valid_from,blue,yellow,orange,red,unit,datum\n\
             qj-1/level,,,56,57,58,59,m,1985-national\n\
             ly-1/level,,,56,57,58,59,m,1985-national\n",
        );
        let area = |id: &str, name: &str, east: f64| {
            let (west, east) = (east, east + 0.5);
            format!(
                r#"{{"type":"Feature","properties":{{"id":"{id}","name_zh":"{name}","name_en":"{name}"}},
                   "geometry":{{"type":"Polygon","coordinates":
                   [[[{west},28],[{east},28],[{east},29.5],[{west},29.5],[{west},28]]]}}}}"#
            )
        };
        let (town, far) = (area("town", "Qujiang", 118.5), area("far", "Longyou", 119.0));
        folder
            .write("areas.geojson", &format!(r#"{{"type":"FeatureCollection","features":[{town},{far}]}}"#));
        let url = &receiver.url;
        folder.write(
            "contacts.csv",
            &format!(
                "id,name,roles,area,language,email,webhook,min_level,hours\n\
                 it,Operator,it,,en,,{url},,\n\
                 duty,Duty of Qujiang,duty,town,en,,{url},,\n\
                 other,Duty of Longyou,duty,far,en,,{url},,\n"
            ),
        );
        let secret = folder.add_device("gauges", "qj-1;ly-1");
        let service = folder.start().await;
        let device = Device::connect(service.mqtt_addr().expect("the listener is on"), "gauges", &secret);
        World { service, folder, receiver, device }
    }

    /// The water rises in both areas, and both duty desks are told.
    pub(crate) async fn flood(&mut self) {
        self.publish("qj-1", 58.2).await;
        self.publish("ly-1", 59.4).await;
        self.receiver.wait_for("both alerts", |got| got.len() >= 2).await;
        self.settled().await;
    }

    /// One gauge says something, and it is durable.
    pub(crate) async fn publish(&mut self, station: &str, metres: f64) {
        self.device.publish(&format!("river/{station}"), level(station, metres)).await;
    }

    /// Waits until rows show both warnings, and that both were accepted.
    pub(crate) async fn settled(&self) {
        let token = self.token(Role::Viewer, In::Everywhere);
        let all = async {
            loop {
                let found = self.get("/api/v1/deliveries?state=accepted", &token).await;
                if found.json["items"].as_array().is_some_and(|items| items.len() >= 2) {
                    break;
                }
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(crate::common::house::PATIENCE, all).await.expect("both are accepted in time");
    }

    /// Waits until a warning is published as an alert.
    pub(crate) async fn published(&self, warning: &str) {
        let token = self.token(Role::Viewer, In::Everywhere);
        let path = format!("/cap/{warning}.xml");
        let there = async { while self.get(&path, &token).await.status != 200 {} };
        tokio::time::timeout(crate::common::house::PATIENCE, there).await.expect("it is published in time");
    }

    /// A new token.
    pub(crate) fn token(&self, role: Role, within: In) -> String {
        let now = forewarn::clock::wall();
        let made = self.service.accounts().add_token("test", role, &within.reach(), Span::from_hours(1), now);
        made.expect("it can be made").0.expose().to_owned()
    }

    /// A new account.
    pub(crate) fn account(&self, name: &str, role: Role, within: In) {
        let now = forewarn::clock::wall();
        self.service.accounts().add(name, role, &within.reach(), PASSWORD, now).expect("it can be made");
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.service.http_addr())
    }

    pub(crate) async fn get(&self, path: &str, token: &str) -> Answer {
        self.ask(Method::GET, path, token, None).await
    }

    pub(crate) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.ask(Method::POST, path, token, Some(body)).await
    }

    pub(crate) async fn ask(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Answer {
        let mut request = client().request(method, self.url(path));
        if !token.is_empty() {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body.to_string());
        }
        let response = request.send().await.expect("the server answers");
        let status = response.status().as_u16();
        let text = response.text().await.expect("a body");
        Answer { status, json: serde_json::from_str(&text).unwrap_or_default(), text }
    }

    /// Ids of the warnings in the town and far away.
    pub(crate) async fn warnings(&self) -> (String, String) {
        let token = self.token(Role::Viewer, In::Everywhere);
        let found = self.get("/api/v1/warnings?hazard=flood", &token).await;
        let id = |area: &str| {
            let of_it = |it: &&Value| it["areas"][0] == area;
            let items = found.json["items"].as_array().expect("a page").iter();
            items.clone().find(of_it).expect(area)["id"].as_str().expect("an id").to_owned()
        };
        (id("town"), id("far"))
    }
}

/// A client that follows no redirect and keeps no cookie.
pub(crate) fn client() -> Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    Client::builder().redirect(redirect::Policy::none()).build().expect("a client")
}
