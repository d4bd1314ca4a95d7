//! What stands in a message: all that fits, nothing that acts.

use std::path::Path;

use forewarn_core::level::Level;
use forewarn_core::orders::{Text, Texts};
use forewarn_core::plan::Names;
use forewarn_core::warning::{Kind, Reason, TroubleCode};

use super::super::recipe::Recipe;
use super::super::telling::Telling;
use super::*;
use crate::channels::Cause;
use crate::channels::words::Messages;

/// A body as the recipe makes it, without sending.
fn body(service: &str, language: &str, revision: Revision, setup: Setup) -> Value {
    let envelope = envelope::<Drill>(service, language, revision, setup);
    let messages = Messages::read(&envelope.setup.messages);
    let telling = Telling::of(&envelope, messages.language(language));
    let recipe = Recipe::built_in(service);
    let body = recipe.body(&telling).expect("it renders").expect("it fits");
    assert!(recipe.bounds().iter().all(|bound| bound.holds(&body)));
    body
}

/// Everything is named like this.
fn named(name: &str) -> Setup {
    let mut plan = sample::plan();
    let both = || Names::from([("zh", name), ("en", name)]);
    plan.stations.iter_mut().flatten().for_each(|station| station.names = both());
    plan.areas.iter_mut().flatten().for_each(|area| area.names = both());
    plan.settings.site = name.to_owned();
    Setup { plan: plan.into(), ..sample::setup() }
}

#[test]
fn abuse_32_markup_and_mentions_in_names_do_nothing() {
    let evil = "<@all> @all <at user_id=\"all\">x</at> <!channel> [pay](https://evil.example/x) **b** {{ 7*7 }} \"},{\"msgtype\":\"text";
    for (name, language) in SERVICES.into_iter().flat_map(|name| LANGUAGES.map(|language| (name, language))) {
        let flood = Revision { detail: evil.into(), ..sample::flood(Status::Actual) };
        let body = body(name, language, flood, named(evil));
        let text = texts(&body);
        assert!(text.contains("{{ 7*7 }}") || text.contains("{{ 7＊7 }}"), "it is shown, not run: {text}");
        assert!(!text.contains("://evil"), "{name}: {text}");
        if name == SMS {
            continue;
        }
        // In Slack a link is written otherwise, and brackets mean nothing.
        let link = if name == "slack" { "<http" } else { "](https: //" };
        for live in ["<@", "@all", "<at", "<!", link, "**b**", "*b*"] {
            assert!(!text.contains(live), "{name} {language}: {live} in {text}");
        }
        let kind = ["msgtype", "msg_type", "type"].map(|key| body[key].as_str().unwrap_or_default());
        assert!(!kind.contains(&"text"), "{name}: a name made another message: {body}");
    }
}

#[test]
fn the_longest_message_fits_and_keeps_level_place_time_what_to_do_and_link() {
    let long = "长".repeat(598);
    let name = format!("曲江{long}");
    let written = |zh: &str, en: &str| Texts {
        zh: Text { headline: format!("{zh}{long}"), instruction: format!("{zh}做这些") },
        en: Text { headline: format!("{en} {}", "leaks ".repeat(90)), instruction: format!("{en}: do this") },
    };
    let flood = || sample::flood(Status::Exercise);
    let corrected = Revision {
        kind: Kind::Update,
        reason: Reason::Corrected,
        detail: long.clone(),
        texts: Some(written("堤防", "embankment")),
        ..flood()
    };
    let trouble = |detail: &str| Revision {
        status: Status::Exercise,
        ..sample::trouble(TroubleCode::DeadLetter, &format!("曲江{long}"), detail)
    };
    let blind = Revision { status: Status::Exercise, ..sample::blind() };
    for revision in [flood(), corrected, trouble(&long), blind] {
        for (service, language) in
            SERVICES.into_iter().flat_map(|it| LANGUAGES.map(|language| (it, language)))
        {
            let setup = named(&name);
            let envelope = envelope::<Drill>(service, language, revision.clone(), setup.clone());
            let messages = Messages::read(&envelope.setup.messages);
            let facts = crate::channels::facts::Facts::of(&revision, &setup, messages.language(language));
            let text = texts(&body(service, language, revision.clone(), setup));
            let time = "2026-07-14 03:20";
            for kept in [facts.tag.as_str(), &facts.action, "曲江", &facts.mark, time, "/a/sample-link"] {
                // In Slack and markdown an action of the built-in words has nothing that is rewritten.
                assert!(text.contains(kept), "{service} {language}: no {kept} in {text}");
            }
        }
    }
}

#[test]
fn what_matters_least_goes_first() {
    let limit = |bytes: usize| {
        let text = recipe::built_in_text("wecom").replace("bytes = 4096", &format!("bytes = {bytes}"));
        Recipe::read("wecom.toml", &text).expect("a recipe")
    };
    let revision = sample::flood(Status::Actual);
    let envelope = envelope::<Live>("wecom", "en", revision, sample::setup());
    let messages = Messages::read(&envelope.setup.messages);
    let telling = Telling::of(&envelope, messages.language("en"));
    let text = |bytes| texts(&limit(bytes).body(&telling).expect("it renders").expect("it fits"));
    let whole = text(4096);
    for label in ["Datum:", "Certainty:", "Acknowledged by:", "Next update:", "Trend:", "Place:", "Issued:"] {
        assert!(whole.contains(label), "{label} in {whole}");
    }
    let less = text(whole.len() - 20);
    assert!(!less.contains("Datum:") && less.contains("Measured:") && less.contains("Trend:"), "{less}");
    let least = text(560);
    assert!(!least.contains("Trend:") && !least.contains("Next update:"), "{least}");
    assert!(
        least.contains("Place: Middle Beijiang, Qujiang") && least.contains("Issued: 2026-07-14"),
        "{least}"
    );
    assert!(least.contains("make ready to evacuate low-lying homes."), "what to do is whole: {least}");
}

#[test]
fn a_message_of_several_revisions_has_the_gravest_first_and_says_how_many() {
    let later =
        |n| Revision { id: OutputId { ordinal: n, ..OutputId::default() }, ..sample::flood(Status::Actual) };
    for service in SERVICES {
        let mut envelope = envelope::<Live>(service, "en", sample::all_clear(), sample::setup());
        envelope.revisions.extend((0..40).map(|n| Arc::new(later(n))));
        let messages = Messages::read(&envelope.setup.messages);
        let telling = Telling::of(&envelope, messages.language("en"));
        let recipe = Recipe::built_in(service);
        let text = texts(&recipe.body(&telling).expect("it renders").expect("it fits"));
        assert!(text.contains("41 warnings"), "{service}: {text}");
        let (orange, clear) = (text.find("ORANGE II"), text.find("ALL-CLEAR"));
        assert!(orange.is_some() && clear.is_none_or(|clear| orange < Some(clear)), "{service}: {text}");
    }
}

#[test]
fn what_was_cancelled_hides_nothing_that_stands() {
    for service in SERVICES {
        let cancelled = Revision { kind: Kind::Cancel, level: Level::Red, ..sample::flood(Status::Actual) };
        let mut envelope = envelope::<Live>(service, "en", cancelled, sample::setup());
        envelope.revisions.push(Arc::new(sample::flood(Status::Actual)));
        envelope.cause = Cause::InStead;
        let messages = Messages::read(&envelope.setup.messages);
        let telling = Telling::of(&envelope, messages.language("en"));
        assert!(telling.facts[0].tag.contains("ORANGE"), "{service}: {}", telling.facts[0].tag);
        assert!(telling.notice.starts_with("Some of these"), "not all went to others: {}", telling.notice);
        let body = Recipe::built_in(service).body(&telling).expect("it renders").expect("it fits");
        assert!(texts(&body).contains("ORANGE II"), "{service}: {body}");
    }
}

#[test]
fn asked_again_and_in_stead_say_why() {
    for (cause, words) in [(Cause::Again, "sent to you before"), (Cause::InStead, "acknowledged")] {
        for service in SERVICES.into_iter().filter(|it| *it != SMS) {
            let mut envelope =
                envelope::<Live>(service, "en", sample::flood(Status::Actual), sample::setup());
            envelope.cause = cause;
            envelope.link = None;
            let messages = Messages::read(&envelope.setup.messages);
            let telling = Telling::of(&envelope, messages.language("en"));
            let body = Recipe::built_in(service).body(&telling).expect("it renders").expect("it fits");
            let text = texts(&body);
            let notice = telling.notice;
            assert!(notice.contains(words) && text.contains(notice), "{service}: no {notice} in {text}");
            assert!(!body.to_string().contains("\"url\""), "no link, no button: {body}");
        }
    }
}

#[test]
fn messages_read_as_they_did() {
    for service in SERVICES {
        for (name, language, revision) in
            [("flood", "en", sample::flood(Status::Actual)), ("drill", "zh", sample::flood(Status::Exercise))]
        {
            let body = body(service, language, revision, sample::setup());
            let text = serde_json::to_string_pretty(&body).expect("JSON") + "\n";
            golden(&format!("{service}.{name}.{language}.json"), &text);
        }
    }
}

fn golden(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/channels/golden").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, text).expect("the golden file can be written");
    }
    let kept = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(kept, text, "{} differs; UPDATE_GOLDEN=1 rewrites it", path.display());
}
