//! Chats and text messages: robots of chat groups, and a gateway for text
//! messages. How each service is spoken to stands in a recipe
//! (`config/channels/NAME.toml`); what it takes for success, in the recipe too,
//! for most of them answer 200 whatever comes of it.

mod answer;
mod check;
mod fit;
mod markup;
mod recipe;
mod segments;
mod sign;
mod telling;

use std::collections::BTreeMap;
use std::marker::PhantomData;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use forewarn_core::time::Span;
use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue, USER_AGENT};
use reqwest::{Request, Url};

use super::door::{Target, World};
use super::kept::PerSetup;
use super::post::{AGENT, Clients, NoClient, ask};
use super::words::Messages;
use super::{Channel, Envelope, Now, Sent, admitted, show};
use crate::config::plan::chat::{Login, Way};
use crate::config::plan::{Digests, Setup};
pub use check::{check, cut_short};
use recipe::Recipe;
use telling::Telling;

/// The services with a recipe. A further one is a file of `config/channels/`,
/// its line in [`recipe`]'s table and this name.
pub const SERVICES: [&str; 6] = ["wecom", "dingtalk", "feishu", "slack", "teams", "sms"];

/// The one whose addresses are telephone numbers.
const SMS: &str = "sms";

/// People read a chat at the pace of their mail. A message holds as many of the
/// warnings in words as the service has room for, and says how many there are.
const DIGESTS: Digests = Digests { after: 2, every: Span::from_mins(1), members_max: 1_000 };

/// Whether a service's requests are signed, as the site's own recipe says or the built-in one.
pub fn signs(service: &str, given: &BTreeMap<String, String>) -> bool {
    Recipe::of(service, given, None).sign.is_some()
}

/// Messages to people by one service.
#[derive(Debug)]
pub struct Chat<W: World> {
    service: &'static str,
    now: Now,
    kept: PerSetup<Ready>,
    world: PhantomData<W>,
}

/// What holds as long as a setup does.
#[derive(Debug)]
struct Ready {
    messages: Messages,
    clients: Clients,
    recipe: Recipe,
    /// What stands in for a site's recipe that fails.
    built_in: Recipe,
}

impl Ready {
    fn of(service: &str, setup: &Setup) -> Ready {
        let segments = setup.chat.sms.as_ref().and_then(|sms| sms.segments_max);
        Ready {
            messages: Messages::read(&setup.messages),
            clients: Clients::of(setup),
            recipe: Recipe::of(service, &setup.chat.recipes, segments),
            built_in: Recipe::of(service, &BTreeMap::new(), segments),
        }
    }

    /// The body of one message; `None` where nothing fits, which no message of ours comes to.
    fn body(&self, telling: &Telling<'_>) -> Option<serde_json::Value> {
        let body = |recipe: &Recipe| recipe.body(telling).ok().flatten();
        // A site's own recipe that fails, or drops the mark of a drill, gives way to the built-in one.
        body(&self.recipe).filter(|body| telling.is_marked(body)).or_else(|| body(&self.built_in))
    }
}

impl<W: World> Chat<W> {
    /// One of [`SERVICES`]; `now` gives civil time and whether it can be trusted.
    pub fn new(service: &'static str, now: Now) -> Chat<W> {
        Chat { service, now, kept: PerSetup::new(move |setup| Ready::of(service, setup)), world: PhantomData }
    }

    fn way<'a>(&self, setup: &'a Setup, target: &Target<W>) -> Option<&'a Way> {
        match self.service {
            SMS => setup.chat.sms.as_ref().map(|sms| &sms.way),
            robots => setup.chat.robot(robots, &target.address),
        }
    }

    async fn attempt(&self, envelope: &Envelope<W>) -> Sent {
        if let Err(refusal) = admitted(envelope) {
            return refusal;
        }
        let setup = &envelope.setup;
        let ready = self.kept.of(setup);
        let Some(way) = self.way(setup, &envelope.target) else {
            return Sent::Rejected {
                reason: "no way to it is configured, expected a robot or a gateway".into(),
            };
        };
        let Ok(url) = Url::parse(way.url.expose()) else {
            return Sent::Rejected { reason: "its address is not a URL, expected https://...".into() };
        };
        let client = match ready.clients.to(&url) {
            Ok(client) => client,
            Err(NoClient::Refused(sent)) => return sent,
            Err(NoClient::Unready(sent)) => {
                // A file that cannot be read now may be read the next time.
                self.kept.forget(&ready);
                return sent;
            }
        };
        let words = ready.messages.language(&envelope.target.language);
        let telling = Telling::of(envelope, words);
        let Some(body) = ready.body(&telling) else {
            return Sent::Rejected { reason: "the message could not be made to fit".into() };
        };
        let moment = self.now.moment();
        let recipe = &ready.recipe;
        let request = request(recipe, way, url, body, moment.civil().as_secs());
        match ask(client, request, show::duration(setup.webhook.timeout), moment.civil()).await {
            Ok(answer) => recipe.answer.judge(&answer, way.sign.is_some(), moment),
            Err(sent) => sent,
        }
    }
}

/// One request: signed, let in, and made of nothing but the recipe and the body.
fn request(recipe: &Recipe, way: &Way, mut url: Url, mut body: serde_json::Value, secs: i64) -> Request {
    if let Some((kind, secret)) = recipe.sign.zip(way.sign.as_ref()) {
        kind.sign(secret, secs, &mut url, &mut body);
    }
    let mut request = Request::new(recipe.method.clone(), url);
    let headers = request.headers_mut();
    headers.extend(recipe.headers.clone());
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json; charset=utf-8"));
    headers.insert(USER_AGENT, HeaderValue::from_static(AGENT));
    let login = way.login.as_ref().map(|login| match login {
        Login::Token(token) => format!("Bearer {}", token.expose()),
        Login::User(user, password) => {
            format!("Basic {}", STANDARD.encode(format!("{user}:{}", password.expose())))
        }
    });
    if let Some(mut value) = login.and_then(|login| HeaderValue::from_str(&login).ok()) {
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    *request.body_mut() = Some(serde_json::to_vec(&body).expect("JSON is written as JSON").into());
    request
}

impl<W: World> Channel<W> for Chat<W> {
    fn name(&self) -> &'static str {
        self.service
    }

    fn server(&self, _: &Target<W>) -> String {
        // Its address is a secret, and one service is one server.
        match self.service {
            SMS => "gateway".to_owned(),
            _ => "robots".to_owned(),
        }
    }

    fn connections_max(&self, setup: &Setup) -> usize {
        setup.webhook.connections_max
    }

    fn digests(&self, _: &Setup) -> Option<Digests> {
        Some(DIGESTS)
    }

    fn send<'a>(&'a self, envelope: &'a Envelope<W>) -> Pin<Box<dyn Future<Output = Sent> + Send + 'a>> {
        Box::pin(self.attempt(envelope))
    }
}

#[cfg(test)]
mod tests;
