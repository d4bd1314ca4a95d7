//! Robots of chat groups and the gateway for text messages: where they stand,
//! what they are let in by, and whom contacts mean by them.

use std::collections::BTreeMap;
use std::sync::Arc;

use reqwest::Url;

use super::Build;
use super::service::opening;
use crate::channels::chat::{cut_short, signs};
use crate::channels::guard::Rules;
use crate::config::fault::{Fault, Place, list, quote};
use crate::config::plan::Webhook;
use crate::config::plan::chat::{Chat, Login, Sms, Way};
use crate::config::raw::chat::{self, Robot};
use crate::config::raw::contacts::{Contact, ROBOTS, WebhookAddress};
use crate::config::raw::forewarn_toml::Main;
use crate::config::raw::secret::SecretRef;
use crate::config::raw::table::At;
use crate::config::raw::words::Word;
use crate::config::secret::Secret;

/// Segments of one text: fewer have no room for what to do and the link, more
/// are seldom put together by a telephone.
const SEGMENTS: std::ops::RangeInclusive<u32> = 3..=10;

impl Build<'_> {
    /// Robots and gateway.
    pub(super) fn chat(&mut self, main: &Main, webhook: Option<&Webhook>) -> Chat {
        let mut robots: BTreeMap<String, BTreeMap<String, Way>> = BTreeMap::new();
        for (service, named) in main.chat.iter().flat_map(chat::Chat::services) {
            for (name, robot) in named.into_iter().flatten() {
                let path = format!("chat.{service}.{name}");
                if let Some(way) = self.robot(service, &path, &robot.value, webhook) {
                    robots.entry(service.to_owned()).or_default().insert(name.clone(), way);
                }
            }
        }
        let sms = main.sms.as_ref().and_then(|sms| self.sms(sms, webhook));
        self.segments_suffice(main, sms.as_ref());
        Chat { robots, sms, recipes: Arc::new(self.raw.recipes.clone()) }
    }

    fn robot(&mut self, service: &str, path: &str, robot: &Robot, webhook: Option<&Webhook>) -> Option<Way> {
        let url = self.place_of(&format!("{path}.url"), &robot.url, webhook);
        let sign = robot.secret.as_ref().and_then(|reference| {
            if !signs(service, &self.raw.recipes) {
                let what = format!("{path}.secret is of no use: {service} checks no signature");
                self.fault(&self.at(reference.line), what, "none");
            }
            self.secret(reference)
        });
        Some(Way { url: url?, sign, login: None })
    }

    fn sms(&mut self, sms: &At<chat::Sms>, webhook: Option<&Webhook>) -> Option<Sms> {
        let (line, sms) = (sms.line, &sms.value);
        let url = self.place_of("sms.url", &sms.url, webhook);
        let login = self.login(line, sms);
        let segments_max = sms
            .segments_max
            .as_ref()
            .map(|written| self.within(Some(written), "sms.segments_max", 5, SEGMENTS));
        Some(Sms { way: Way { url: url?, sign: None, login }, segments_max })
    }

    /// What the gateway lets in by: nothing that a request could not say, for that would be left out of it.
    fn login(&mut self, line: u32, sms: &chat::Sms) -> Option<Login> {
        let password = sms.password.as_ref().and_then(|reference| self.secret(reference));
        let token = sms.token.as_ref().and_then(|reference| self.secret(reference));
        match (&sms.token, &sms.user, &sms.password) {
            (None, None, None) => None,
            (Some(reference), None, None) => {
                let token = token?;
                if !token.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
                    let what = "sms.token has signs that no token has".to_owned();
                    self.fault(
                        &self.at(reference.line),
                        what,
                        "ASCII letters, digits and signs, without spaces",
                    );
                }
                Some(Login::Token(token))
            }
            (None, Some(user), Some(_)) => {
                // The colon parts the name from the password.
                if user.value.0.contains(':') {
                    let what = "sms.user has a colon in it".to_owned();
                    self.fault(&self.at(user.line), what, "a name without");
                }
                password.map(|password| Login::User(user.value.0.clone(), password))
            }
            (Some(_), _, _) | (None, Some(_), None) | (None, None, Some(_)) => {
                let expected = "token, or user and password, or none of them";
                self.fault(&self.at(line), "sms has keys that do not go together", expected);
                None
            }
        }
    }

    /// What to do is the last that a text message loses, and should never be lost.
    fn segments_suffice(&mut self, main: &Main, sms: Option<&Sms>) {
        let Some((written, sms)) = main.sms.as_ref().zip(sms) else { return };
        let url = main.site.url.as_ref().map(|url| url.0.as_str());
        let raw = self.raw;
        let languages = cut_short(&raw.recipes, &raw.messages, sms.segments_max, url);
        if !languages.is_empty() {
            let what = format!(
                "text messages have no room for the longest thing to do in {}, which is cut then",
                list(languages.iter().map(String::as_str))
            );
            self.warn(&self.at(written.line), what, "raise sms.segments_max, or shorten site.url");
        }
    }

    /// An address by reference, judged as the guard will: what it would refuse
    /// whatever the name resolves to can never be delivered to.
    fn place_of(
        &mut self,
        path: &str,
        reference: &At<SecretRef>,
        webhook: Option<&Webhook>,
    ) -> Option<Secret> {
        let secret = self.secret(reference)?;
        let place = self.at(reference.line);
        let sound = WebhookAddress::parse(secret.expose()).and_then(|it| Url::parse(&it.0).ok());
        let Some(url) = sound else {
            self.fault(&place, format!("{path} leads to no plain web address"), WebhookAddress::EXPECTED);
            return None;
        };
        if let Some((webhook, refused)) =
            webhook.and_then(|webhook| Some((webhook, Rules::of(webhook).check_url(&url).err()?)))
        {
            let what = format!("{path} leads where nothing is sent ({refused})");
            let file = self.raw.files.ways;
            let fault = Fault::new(place, what, "https:// and a public address");
            self.faults.push(fault.hint(opening(webhook, &url, file)));
        }
        Some(secret)
    }

    /// What is wrong with a contact's address on one of these channels, if anything is.
    pub(super) fn unknown_way(
        &self,
        main: &Main,
        contact: &Contact,
        channel: &str,
        address: &str,
    ) -> Option<Fault> {
        let file = self.raw.files.ways;
        let place: Place = contact.place.clone();
        if channel == "sms" {
            let what = "has a telephone number, but no gateway for text messages is configured";
            return main.sms.is_none().then(|| Fault::new(place, what, format!("[sms] in {file}")));
        }
        if !ROBOTS.contains(&channel) {
            return None;
        }
        let services = main.chat.as_ref().map(chat::Chat::services);
        let named = services.into_iter().flatten().find(|(service, _)| *service == channel);
        let known = || named.iter().flat_map(|(_, robots)| robots.iter().flat_map(|it| it.keys()));
        if known().any(|name| name == address) {
            return None;
        }
        let what = format!("{channel} is {}, and no robot has that name", quote(address));
        let expected = format!("the name of a robot below [chat.{channel}] in {file}");
        Some(Fault::new(place, what, expected).nearest(address, known().map(String::as_str)))
    }
}
