//! What each service's answers come to.

use reqwest::StatusCode;

use super::super::recipe::Recipe;
use super::*;
use crate::channels::post::Answer;

fn rejected(reason: &str) -> Sent {
    Sent::Rejected { reason: reason.into() }
}

#[tokio::test]
async fn a_200_that_says_no_is_no_success() {
    // service, status, answer; what is to come of it: success, never, later, or not before so long
    let (ok, never, later) = (None, Some(None), Some(Some(None)));
    let after = |secs| Some(Some(Some(Duration::from_secs(secs))));
    for (name, status, answer, expected) in [
        ("wecom", 200, r#"{"errcode":0,"errmsg":"ok"}"#, ok),
        ("wecom", 200, r#"{"errcode":93000,"errmsg":"invalid webhook url, hint: [x]"}"#, never),
        ("wecom", 200, r#"{"errcode":93004,"errmsg":"bot is disabled"}"#, never),
        ("wecom", 200, r#"{"errcode":45009,"errmsg":"api freq out of limit"}"#, after(30)),
        ("wecom", 200, r#"{"errcode":-1,"errmsg":"system busy"}"#, after(30)),
        ("wecom", 200, r#"{"errcode":99999,"errmsg":"nobody knows"}"#, later),
        // A captive portal, a proxy, a bridge whose own forwarding failed.
        ("wecom", 200, "<html>please log in</html>", later),
        ("wecom", 200, "", later),
        ("wecom", 202, r#"{"accepted":true}"#, later),
        ("wecom", 502, "", later),
        ("wecom", 500, r#"{"errcode":0,"errmsg":"ok"}"#, later),
        ("wecom", 404, "", never),
        ("dingtalk", 200, r#"{"errcode":0,"errmsg":"ok"}"#, ok),
        ("dingtalk", 200, r#"{"errcode":"0","errmsg":"ok"}"#, ok),
        ("dingtalk", 200, r#"{"errcode":310000,"errmsg":"sign not match"}"#, never),
        (
            "dingtalk",
            200,
            r#"{"errcode":130101,"errmsg":"send too fast, exceed 20 times per minute"}"#,
            after(120),
        ),
        ("dingtalk", 200, r#"{"errcode":660026,"errmsg":"send too fast"}"#, after(120)),
        ("dingtalk", 200, r#"{"errcode":410100,"errmsg":"too fast"}"#, after(120)),
        ("dingtalk", 200, r#"{"errcode":400102,"errmsg":"robot stopped"}"#, never),
        (
            "feishu",
            200,
            r#"{"StatusCode":0,"StatusMessage":"success","code":0,"data":{},"msg":"success"}"#,
            ok,
        ),
        ("feishu", 200, r#"{"StatusCode":0,"StatusMessage":"success"}"#, ok),
        ("feishu", 200, r#"{"code":19021,"msg":"sign match fail"}"#, never),
        ("feishu", 200, r#"{"code":19001,"msg":"access token invalid"}"#, never),
        ("feishu", 200, r#"{"code":11232,"msg":"create message trigger frequency limit"}"#, after(10)),
        ("feishu", 400, r#"{"code":9499,"msg":"too many request"}"#, after(10)),
        ("slack", 200, "ok", ok),
        ("slack", 200, "no_text", later),
        ("slack", 400, "invalid_payload", never),
        ("slack", 403, "action_prohibited", never),
        ("slack", 404, "no_service", never),
        ("slack", 410, "channel_is_archived", never),
        ("slack", 429, "rate_limited", after(2)),
        ("slack", 500, "rollup_error", later),
        ("teams", 202, "", ok),
        ("teams", 200, "1", ok),
        ("teams", 204, "", later),
        (
            "teams",
            200,
            "Webhook message delivery failed with error: Microsoft Teams endpoint returned HTTP error 429 with ContextId x",
            later,
        ),
        ("teams", 429, "", after(10)),
        ("teams", 413, "", never),
        ("sms", 200, "{}", ok),
        ("sms", 202, "", ok),
        ("sms", 401, "", never),
        ("sms", 429, "", after(30)),
        ("sms", 503, "", later),
        ("sms", 302, "", never),
    ] {
        let service = Service::start(name).await;
        service.answer_with(status, answer);
        let sent = send(&service, "en", sample::flood(Status::Actual)).await;
        let came = match &sent {
            Sent::Accepted => None,
            Sent::Rejected { .. } => Some(None),
            Sent::Retry { after, .. } => Some(Some(*after)),
            Sent::Forbidden { .. } => panic!("{name}: {sent:?}"),
        };
        assert_eq!(came, expected, "{name} {status} {answer}: {sent:?}");
        assert!(!format!("{sent:?}").contains("hint"), "an answer's own words may quote anything: {sent:?}");
    }
}

#[tokio::test]
async fn what_the_services_refuse_is_refused_by_their_own_codes() {
    let service = Service::start("wecom").await;
    let mut setup = setup(&service);
    let robots = setup.chat.robots.get_mut("wecom").expect("its robots");
    robots.get_mut("duty").expect("a robot").url = Secret::new(service.url().replace(TOKEN, "gone"));
    let gone = envelope::<Live>("wecom", "en", sample::flood(Status::Actual), setup);
    let sent = chat::<Live>("wecom", true).send(&gone).await;
    assert_eq!(sent, rejected("the receiver answered 200 with code 93000"));
    assert!(service.heard().is_empty());
}

#[tokio::test]
async fn a_refused_signature_is_tried_again_while_the_clock_is_untrusted() {
    for (name, code) in [("dingtalk", "310000"), ("feishu", "19021")] {
        let service = Service::start(name).await;
        let mut setup = setup(&service);
        let robots = setup.chat.robots.get_mut(name).expect("its robots");
        robots.get_mut("duty").expect("a robot").sign = Some(Secret::new("another"));
        let envelope = envelope::<Live>(name, "en", sample::flood(Status::Actual), setup);
        let sent = chat::<Live>(name, true).send(&envelope).await;
        assert_eq!(sent, rejected(&format!("the receiver answered 200 with code {code}")));
        let sent = chat::<Live>(name, false).send(&envelope).await;
        assert!(matches!(&sent, Sent::Retry { reason, .. } if reason.contains("untrusted")), "{sent:?}");
    }
}

#[tokio::test]
async fn an_answer_without_end_is_no_success_where_it_is_looked_into() {
    let service = Service::start("wecom").await;
    service.answer_with(200, &format!("{{\"errcode\":0,\"x\":\"{}\"}}", "x".repeat(70_000)));
    let sent = send(&service, "en", sample::flood(Status::Actual)).await;
    assert!(matches!(sent, Sent::Retry { .. }), "{sent:?}");
}

/// What an answer comes to by rules of a recipe's own; `None` is success.
fn by_rules(rules: &str, status: u16, said: Option<&str>) -> Option<Sent> {
    let text =
        format!("markup = \"none\"\nlimit = []\n[answer]\n{rules}\n[body]\ntext = \"{{{{ short }}}}\"\n");
    let recipe = Recipe::read("sms.toml", &text).unwrap_or_else(|faults| panic!("{faults}"));
    let status = StatusCode::from_u16(status).expect("a status");
    let answer = Answer { status, after: None, said: said.map(|said| said.as_bytes().to_vec()) };
    let moment = Moment { at: NOW, offset: Span::ZERO, trusted: true };
    Some(recipe.answer.judge(&answer, false, moment)).filter(|sent| *sent != Sent::Accepted)
}

#[test]
fn a_success_is_all_that_a_recipe_calls_one() {
    let code = "code = \"/code\"\nok = [0]\n";
    for (rules, status, said, is_taken) in [
        (format!("{code}status = [200]"), 200, Some("{\"code\":0}"), true),
        (format!("{code}status = [200]"), 202, Some("{\"code\":0}"), false),
        (format!("{code}text = '{{\"code\":0}}'"), 200, Some("{\"code\":0,\"queued\":false}"), false),
        (format!("{code}failed = [\"partly\"]"), 200, Some("{\"code\":0,\"note\":\"partly\"}"), false),
        ("failed = [\"delivery failed\"]".to_owned(), 200, Some(""), true),
        // It broke off before it said whether it failed.
        ("failed = [\"delivery failed\"]".to_owned(), 200, None, false),
        ("text = \"ok\"".to_owned(), 200, None, false),
        (String::new(), 200, None, true),
    ] {
        let came = by_rules(&rules, status, said);
        assert_eq!(came.is_none(), is_taken, "{rules} {status} {said:?}: {came:?}");
        assert!(matches!(came, None | Some(Sent::Retry { .. })), "perhaps it was taken: {came:?}");
    }
}

#[test]
fn a_code_that_is_a_sentence_is_told_nowhere() {
    let rules = "code = \"/result\"\nok = [\"OK\"]\ndead = [\"no such number\"]\n";
    for (said, expected) in [
        ("{\"result\":\"isv.LIMIT_7-x\"}", "with code isv.LIMIT_7-x"),
        ("{\"result\":\"no such number\"}", "with code no such number"),
        ("{\"result\":\"+8613800001111 is barred\"}", "with a code that is none"),
        ("{\"result\":\"a\\nb\"}", "with a code that is none"),
    ] {
        match by_rules(rules, 200, Some(said)) {
            Some(Sent::Retry { reason, .. } | Sent::Rejected { reason }) => {
                assert_eq!(reason, format!("the receiver answered 200 {expected}"));
            }
            came => panic!("{said}: {came:?}"),
        }
    }
}
