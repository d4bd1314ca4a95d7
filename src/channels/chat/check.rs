//! What is wrong with a site's own recipes: one that cannot be read, a template
//! that fails, a message without its level, its place, its time, what to do or
//! the mark of a drill. Refused before anything is sent.

use std::collections::BTreeMap;

use forewarn_core::level::{Level, Status};

use super::fit::Detail;
use super::recipe::{Recipe, why};
use super::telling::{Telling, any_text};
use super::{SERVICES, SMS};
use crate::channels::facts::Facts;
use crate::channels::naming;
use crate::channels::words::{Given, Messages, Words, denial};
use crate::config::fault::{Fault, Place, list, quote};

/// Every fault in the recipes of a site, told in the site's own words.
pub fn check(given: &BTreeMap<String, String>, messages: &Given) -> Vec<Fault> {
    let messages = Messages::read(messages);
    let mut faults = Vec::new();
    for (name, text) in given {
        let file = format!("channels/{name}");
        if let Some(phrase) = denial(text) {
            let what = format!("\"{phrase}\" may not stand in a message");
            faults.push(Fault::new(Place::new(&*file, 0), what, "words that fit a drill too"));
        }
        match Recipe::read(&file, text) {
            Err(found) => faults.extend(found.iter().cloned()),
            Ok(recipe) => {
                let service = name.strip_suffix(".toml").unwrap_or_default();
                let of_each = messages.tags().map(|tag| messages.language(tag));
                faults.extend(of_each.filter_map(|words| wanting(service, &file, &recipe, words)));
            }
        }
    }
    faults.sort();
    faults.dedup();
    faults
}

/// The languages in which a text message has no room for the longest thing to
/// do, with a link below this address.
pub fn cut_short(
    given: &BTreeMap<String, String>,
    messages: &Given,
    segments: Option<u32>,
    url: Option<&str>,
) -> Vec<String> {
    let messages = Messages::read(messages);
    let recipe = Recipe::of(SMS, given, segments);
    let link = url.map(|url| format!("{url}/a/{}", "x".repeat(LINK_CHARS)));
    let is_cut = |words: &Words| {
        let mut telling = Telling { link: link.as_deref(), sent: "2026-07-14 03:20".into(), ..sample(words) };
        let head = &mut telling.facts[0];
        longest(words, "actions").clone_into(&mut head.action);
        longest(words, "hazards").clone_into(&mut head.hazard);
        longest(words, "marks").clone_into(&mut head.mark);
        head.tag = naming::level_tag(Level::Orange, words);
        // A name in another script, as where a station has none in this one: all counts double.
        head.headline = "水".repeat(HEADLINE_CHARS);
        let fitting = recipe.fitting(&telling).ok().flatten();
        fitting.is_none_or(|(detail, _)| detail.action < Detail::WHOLE.action)
    };
    messages.tags().filter(|tag| is_cut(messages.language(tag))).map(str::to_owned).collect()
}

/// The longest of the words below a path.
fn longest<'a>(words: &'a Words, path: &'a str) -> &'a str {
    words.below(path).map(|(_, word)| word).max_by_key(|word| word.chars().count()).unwrap_or_default()
}

/// Characters of a headline that say where and how much.
const HEADLINE_CHARS: usize = 30;

/// Characters of what stands behind the path of a link.
const LINK_CHARS: usize = 43;

/// What a recipe makes of a sample, where that is not what it must be.
fn wanting(service: &str, file: &str, recipe: &Recipe, words: &Words) -> Option<Fault> {
    debug_assert!(SERVICES.contains(&service), "no other file is read");
    let fault = |what: String, expected: &str| Some(Fault::new(Place::new(file, 0), what, expected));
    let telling = sample(words);
    let mut bodies = vec![];
    for telling in [&telling, &rarest(words)] {
        match recipe.filled(telling, Detail::WHOLE) {
            Ok(body) => bodies.push(body),
            Err(error) => {
                let what = format!("a template fails ({})", why(&error));
                let place = Place::new(file, recipe.line(&error));
                return Some(Fault::new(place, what, "fields as in the built-in recipes"));
            }
        }
    }
    if let Some(bound) = recipe.bounds().iter().find(|bound| !bodies.iter().any(|body| bound.is_in(body))) {
        let what = format!("limit.at {} leads nowhere in the body", quote(&bound.at));
        return fault(what, "where one of its texts stands, such as \"/markdown/content\"");
    }
    let (body, real, mark) = (&bodies[0], &bodies[1], words.get("marks.Exercise"));
    // Whoever reads it would not act.
    if any_text(real, &|text| text.contains(mark)) {
        let what = format!("says {} of what is real", quote(mark));
        return fault(what, "{{ mark }}, which is there in a drill alone");
    }
    let missing: Vec<&str> = needed(service)
        .iter()
        .filter(|(_, samples)| !samples.iter().any(|it| any_text(body, &|text| text.contains(*it))))
        .map(|(name, _)| *name)
        .collect();
    if !missing.is_empty() {
        let what = format!("leaves out {}", list(missing));
        return fault(what, "level, place, time, what to do, its mark and a link in every message");
    }
    match recipe.body(&telling) {
        Ok(Some(_)) => None,
        Ok(None) | Err(_) => fault("limit leaves no room for a message".into(), "what the service takes"),
    }
}

/// What must stand in every message, by any of these samples.
fn needed(service: &str) -> &'static [(&'static str, &'static [&'static str])] {
    const TEXT: &[(&str, &[&str])] = &[
        ("the level", &["sample-tag"]),
        ("the mark of a drill", &["sample-mark", "sample-banner"]),
        ("the hazard", &["sample-hazard"]),
        ("the headline", &["sample-headline"]),
        ("what to do", &["sample-action"]),
        ("the time", &["sample-time-text", "sample-sent"]),
    ];
    const CHAT: &[(&str, &[&str])] = &[
        ("the level", &["sample-tag"]),
        ("the mark of a drill", &["sample-mark", "sample-banner"]),
        ("the hazard", &["sample-hazard"]),
        ("the headline", &["sample-headline"]),
        ("what to do", &["sample-action"]),
        ("the place", &["sample-place-text"]),
        ("the time", &["sample-time-text"]),
        ("the value", &["sample-value-text"]),
        ("what is not known", &["sample-unknown-text"]),
        ("the link", &["https://sample.example/a/link"]),
    ];
    // A headline begins with the place; carriers may let no links pass.
    if service == SMS { TEXT } else { CHAT }
}

/// A message by the ways that few take: real, of several, sent again, without a link. A template that
/// fails on one of them would fail in the storm.
fn rarest(words: &Words) -> Telling<'_> {
    let telling = sample(words);
    let real = telling.facts.into_iter().map(|facts| Facts {
        status: Status::Actual,
        mark: String::new(),
        banner: String::new(),
        ..facts
    });
    let facts: Vec<Facts> = real.collect();
    Telling { facts: [facts.clone(), facts].concat(), notice: "sample-notice", link: None, ..telling }
}

/// A drill's message that was never sent.
fn sample(words: &Words) -> Telling<'_> {
    Telling {
        facts: vec![Facts::sample()],
        sent: "sample-sent".into(),
        words,
        link: Some("https://sample.example/a/link"),
        notice: "",
        signed: "sample-signed".into(),
        key: "0123456789abcdef".into(),
        to: "+10000",
    }
}

#[cfg(test)]
mod tests {
    use super::super::recipe::built_in_text;
    use super::*;

    fn check_with(service: &str, from: &str, to: &str, expected: &str) {
        let text = built_in_text(service);
        assert!(text.contains(from), "{service}.toml holds {from}");
        let given = BTreeMap::from([(format!("{service}.toml"), text.replacen(from, to, 1))]);
        let faults: Vec<String> = check(&given, &Given::new()).iter().map(ToString::to_string).collect();
        if expected.is_empty() {
            assert_eq!(faults, Vec::<String>::new());
        } else {
            assert!(faults.iter().any(|fault| fault.contains(expected)), "{expected} not in {faults:#?}");
        }
    }

    #[test]
    fn the_built_in_recipes_are_sound() {
        for service in SERVICES {
            check_with(service, "markup", "markup", "");
        }
    }

    #[test]
    fn faults_of_recipes_say_where_and_what() {
        for (service, from, to, expected) in [
            ("wecom", "markup = ", "markdown = ", "channels/wecom.toml:5: unknown key \"markdown\""),
            ("wecom", "{% endfor %}{% endfor %}", "{% endfor %}", "channels/wecom.toml:"),
            ("wecom", "{{ warning.action }}", "", "channels/wecom.toml: leaves out what to do, expected"),
            (
                "wecom",
                "{{ warning.headline }}",
                "{{ warning.headlin }}",
                "channels/wecom.toml:34: a template fails (`warning.headlin` is undefined)",
            ),
            ("wecom", "bytes = 4096", "bytes = 40", "limit leaves no room for a message"),
            (
                "wecom",
                "bytes = 4096",
                "bytes = 40, chars = 9",
                "channels/wecom.toml:6: limit counts nothing, or two",
            ),
            ("wecom", "\"/markdown", "\"markdown", "limit.at is no JSON pointer"),
            ("wecom", "red = ", "purple = ", "colours has purple, expected levels: normal, blue"),
            (
                "wecom",
                "**{{ warning.headline }}**",
                "not a drill {{ warning.headline }}",
                "\"not a drill\" may not",
            ),
            (
                "sms",
                "at = \"/text\"",
                "at = \"/txt\"",
                "channels/sms.toml: limit.at \"/txt\" leads nowhere in the body, expected where one of its texts stands",
            ),
            (
                "wecom",
                "{% if notice %}{{ notice }}",
                "{% if notice %}{{ notic }}",
                "channels/wecom.toml:31: a template fails (`notic` is undefined)",
            ),
            (
                "wecom",
                "{% if mark %} {{ mark }}{% endif %}",
                " EXERCISE",
                "channels/wecom.toml: says \"EXERCISE\" of what is real, expected {{ mark }}, which is there",
            ),
            (
                "feishu",
                "only_with = \"{{ link }}\"",
                "only_with = true",
                "channels/feishu.toml: only_with is no text, expected a template",
            ),
            (
                "slack",
                "markup = \"slack\"",
                "markup = \"html\"",
                "expected \"none\", \"markdown\" or \"slack\"",
            ),
            (
                "sms",
                "text = \"{{ short }}",
                "text = \"{{ head.headline }}",
                "leaves out the level, the mark of a drill, the hazard",
            ),
            (
                "sms",
                "[answer]\n\n[body]",
                "[answer]\n[headers]\nauthorization = \"x\"\n[body]",
                "by reference",
            ),
            (
                "dingtalk",
                "sign = \"dingtalk\"",
                "sign = \"rsa\"",
                "channels/dingtalk.toml:6: sign is \"rsa\"",
            ),
        ] {
            check_with(service, from, to, expected);
        }
    }

    #[test]
    fn an_answer_that_could_call_every_message_taken_or_none_is_a_fault() {
        for (service, from, to, expected) in [
            (
                "wecom",
                "code = \"/errcode\"\n",
                "",
                "channels/wecom.toml: answer has codes, and not where one stands, expected code = \"/errcode\"",
            ),
            (
                "wecom",
                "code = \"/errcode\"",
                "code = \"errcode\"",
                "channels/wecom.toml:11: answer.code is no JSON pointer, expected one such as \"/errcode\"",
            ),
            (
                "wecom",
                "ok = [0]\n",
                "",
                "channels/wecom.toml:11: answer has a code and none that means success, expected ok = [...]",
            ),
            ("wecom", "ok = [0]", "ok = [0, -1]", "answer has -1 both in ok and in busy or dead"),
            (
                "teams",
                "status = [200, 202]",
                "status = [200, 302]",
                "channels/teams.toml:13: answer.status has 302, expected 200 to 299: no other means success",
            ),
        ] {
            check_with(service, from, to, expected);
        }
    }

    #[test]
    fn a_syntax_error_has_the_line_of_the_template() {
        let text =
            "markup = \"none\"\nlimit = []\n[answer]\n[body]\ntext = \"\"\"\n{{ short }}\n{{ open\n\"\"\"\n";
        let given = BTreeMap::from([("sms.toml".to_owned(), text.to_owned())]);
        let faults: Vec<String> = check(&given, &Given::new()).iter().map(ToString::to_string).collect();
        assert!(faults[0].starts_with("channels/sms.toml:7: the template cannot be read ("), "{faults:#?}");
    }
}
