//! The canary's own way out: a signed, counting POST to somebody outside, who
//! raises the alarm when the next one does not come. It goes by what has come
//! through every stage, the projection included, and reaches no person.

use std::marker::PhantomData;
use std::pin::Pin;
use std::time::Duration;

use forewarn_core::ids::Position;
use forewarn_core::warning::{About, Canary};
use reqwest::{Method, Request, Url};
use serde::Serialize;
use tokio::sync::watch;

use super::door::{Target, World};
use super::kept::PerSetup;
use super::post::{Clients, NoClient, answered, ask, host_and_port};
use super::webhook::headers;
use super::{Channel, Envelope, Now, Sent, show};
use crate::config::plan::Setup;
use crate::crash::{self, Before};
use crate::ports::Walk;

/// The channel's name, and that of its one target. No contact has an address for it.
pub const NAME: &str = "heartbeat";

/// The version of the body.
const VERSION: &str = "1";

/// How long the projection may take to reach the canary.
const PROJECTED_WITHIN: Duration = Duration::from_secs(10);

/// What it needs of the rest of the house.
#[derive(Debug)]
pub struct Watched {
    /// How far the projection is.
    pub projected: watch::Receiver<Position>,
    /// Where it is told how far the canary came.
    pub walk: watch::Sender<Walk>,
}

/// Heartbeats.
#[derive(Debug)]
pub struct Heartbeat<W: World> {
    now: Now,
    watched: Watched,
    /// How long the projection may take to reach the canary.
    projected_within: Duration,
    kept: PerSetup<Clients>,
    world: PhantomData<W>,
}

/// What is posted.
#[derive(Debug, Serialize)]
struct Body<'a> {
    r#type: &'static str,
    version: &'static str,
    status: &'static str,
    site: &'a str,
    /// Which log counts: another one counts anew.
    log: String,
    counter: u32,
    every_secs: f64,
    sent: String,
    /// When it last decided anything else; absent where it never has.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<String>,
    release: &'static str,
}

impl<W: World> Heartbeat<W> {
    /// Heartbeats; `now` gives civil time and whether it can be trusted.
    pub fn new(now: Now, watched: Watched) -> Heartbeat<W> {
        Heartbeat {
            now,
            watched,
            projected_within: PROJECTED_WITHIN,
            kept: PerSetup::new(Clients::of),
            world: PhantomData,
        }
    }

    async fn attempt(&self, envelope: &Envelope<W>) -> Sent {
        let [revision] = envelope.revisions.as_slice() else {
            return Sent::Rejected { reason: "expected one canary in the envelope".into() };
        };
        let About::Canary(canary) = &revision.about else {
            return Sent::Forbidden { reason: "nothing but the canary goes by this channel".into() };
        };
        if !W::admits(revision) {
            return Sent::Forbidden { reason: format!("its status may not leave a {} service", W::STAMP) };
        }
        crash::may_come_in_task(Before::Heartbeat).await;
        self.tell(|walk| walk.arrived = walk.arrived.max(canary.number));
        if !self.is_projected(canary.id.position).await {
            return self.failed("the projection has not come to it: what people see stands still".to_owned());
        }
        self.tell(|walk| walk.through = walk.through.max(canary.number));
        match self.beat(envelope, canary).await {
            Sent::Accepted => {
                self.tell(|walk| {
                    walk.accepted = walk.accepted.max(canary.number);
                    walk.failed = None;
                });
                Sent::Accepted
            }
            // Whatever its answer, the receiver is tried on: it is to hear of the next one.
            Sent::Retry { reason, .. } | Sent::Rejected { reason } | Sent::Forbidden { reason } => {
                self.failed(reason)
            }
        }
    }

    async fn beat(&self, envelope: &Envelope<W>, canary: &Canary) -> Sent {
        let setup = &envelope.setup;
        // Nobody outside listens; that it came this far is what the inside goes by.
        let Some(outside) = &setup.heartbeat.outside else { return Sent::Accepted };
        let ready = self.kept.of(setup);
        let Ok(url) = Url::parse(&envelope.target.address) else {
            return Sent::Rejected { reason: "the address is not a URL, expected https://...".into() };
        };
        let client = match ready.to(&url) {
            Ok(client) => client,
            Err(NoClient::Refused(sent)) => return sent,
            Err(NoClient::Unready(sent)) => {
                // A file that cannot be read now may be read the next time.
                self.kept.forget(&ready);
                return sent;
            }
        };
        let site = show::clean(&setup.plan.settings.site);
        let body = serde_json::to_vec(&body(canary, &site)).expect("a body of strings and numbers is JSON");
        let moment = self.now.moment();
        let mut request = Request::new(Method::POST, url);
        *request.headers_mut() = headers(&envelope.key.to_string(), moment.civil(), &outside.secret, &body);
        *request.body_mut() = Some(body.into());
        match ask(client, request, show::duration(setup.webhook.timeout), moment.civil()).await {
            Ok(answer) => answered(answer.status, answer.after, moment),
            Err(sent) => sent,
        }
    }

    async fn is_projected(&self, position: Position) -> bool {
        let mut projected = self.watched.projected.clone();
        let reached = projected.wait_for(|at| *at >= position);
        matches!(tokio::time::timeout(self.projected_within, reached).await, Ok(Ok(_)))
    }

    fn failed(&self, reason: String) -> Sent {
        self.tell(|walk| walk.failed = Some(reason.clone()));
        // Its own wish to be left alone would be taken for our silence.
        Sent::Retry { after: None, reason }
    }

    fn tell(&self, change: impl FnOnce(&mut Walk)) {
        self.watched.walk.send_modify(change);
    }
}

fn body<'a>(canary: &Canary, site: &'a str) -> Body<'a> {
    Body {
        r#type: NAME,
        version: VERSION,
        status: forewarn_core::level::Status::Test.word(),
        site,
        log: canary.id.log.to_string(),
        counter: canary.number,
        every_secs: canary.every.as_secs_f64(),
        sent: show::rfc3339_utc(canary.sent),
        decided: canary.decided.map(show::rfc3339_utc),
        release: env!("CARGO_PKG_VERSION"),
    }
}

impl<W: World> Channel<W> for Heartbeat<W> {
    fn name(&self) -> &'static str {
        NAME
    }

    fn server(&self, target: &Target<W>) -> String {
        host_and_port(&target.address)
    }

    fn connections_max(&self, _setup: &Setup) -> usize {
        // A later one waits for the one before it.
        1
    }

    fn send<'a>(&'a self, envelope: &'a Envelope<W>) -> Pin<Box<dyn Future<Output = Sent> + Send + 'a>> {
        Box::pin(self.attempt(envelope))
    }
}

#[cfg(test)]
mod tests;
