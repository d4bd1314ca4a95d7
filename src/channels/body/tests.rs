use std::path::Path;

use forewarn_core::level::Status;
use forewarn_core::warning::{Kind, Reason, TroubleCode};
use serde_json::Value;

use super::*;
use crate::channels::sample;
use crate::channels::words::{Given, Messages};

fn body(revisions: &[Revision], language: &str) -> Value {
    let messages = Messages::read(&Given::new());
    let member = |revision: &Revision| Member { key: Key::of_delivery(&revision.id, "t-1", 0), link: None };
    let members: Vec<Member> = revisions.iter().filter(|_| revisions.len() > 1).map(member).collect();
    let revisions: Vec<&Revision> = revisions.iter().collect();
    let body =
        Body::of(Key([7; 16]), &revisions, &members, &sample::setup(), messages.language(language), None);
    serde_json::to_value(body).expect("a body is JSON")
}

fn schema() -> Value {
    let settings = schemars::generate::SchemaSettings::draft2020_12().for_serialize();
    serde_json::to_value(settings.into_generator().into_root_schema_for::<Body>()).expect("a schema is JSON")
}

/// The part of JSON Schema that ours uses; beyond it, a field that the schema does not name is a fault.
fn validate(root: &Value, schema: &Value, value: &Value, path: &str) {
    if let Some(reference) = schema["$ref"].as_str() {
        return validate(root, root.pointer(&reference[1..]).expect(reference), value, path);
    }
    if let Some(options) = schema["anyOf"].as_array() {
        let option = options.iter().find(|option| (option["type"] == "null") == value.is_null());
        return validate(root, option.expect(path), value, path);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    let types = schema["type"].as_array().cloned().unwrap_or_else(|| vec![schema["type"].clone()]);
    assert!(types.contains(&kind.into()), "{path} is {kind}, expected {types:?}");
    if let Some(allowed) = schema["enum"].as_array() {
        assert!(allowed.contains(value), "{path} is {value}, expected one of {allowed:?}");
    }
    if let Some(object) = value.as_object() {
        for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            assert!(object.contains_key(name), "{path} lacks {name}");
        }
        for (name, value) in object {
            let member = &schema["properties"][name];
            assert!(!member.is_null(), "{path}/{name} is not in the schema");
            validate(root, member, value, &format!("{path}/{name}"));
        }
    }
    for (n, item) in value.as_array().into_iter().flatten().enumerate() {
        validate(root, &schema["items"], item, &format!("{path}/{n}"));
    }
}

#[test]
fn the_schema_in_docs_is_the_one_that_bodies_follow() {
    let schema = schema();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/webhook.schema.json");
    let text = serde_json::to_string_pretty(&schema).expect("a schema is JSON") + "\n";
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &text).expect("the schema can be written");
    }
    assert_eq!(
        std::fs::read_to_string(&path).expect("docs/webhook.schema.json"),
        text,
        "UPDATE_GOLDEN=1 rewrites it"
    );
    for revisions in [
        vec![sample::flood(Status::Actual)],
        vec![sample::blind()],
        vec![sample::held()],
        vec![sample::all_clear()],
        vec![sample::later(Kind::Cancel, Reason::InError, Level::Normal)],
        vec![sample::trouble(TroubleCode::DeadLetter, "t-9", "the receiver answered 410")],
        vec![sample::notify_test()],
        vec![sample::flood(Status::Exercise), sample::flood(Status::Exercise)],
    ] {
        for language in ["zh", "en"] {
            validate(&schema, &schema, &body(&revisions, language), "");
        }
    }
}

#[test]
fn machines_get_ids_and_people_get_names() {
    let check = |body: &Value, pointer: &str, expected: Value| {
        assert_eq!(body.pointer(pointer), Some(&expected), "{pointer}");
    };
    let zh = body(&[sample::flood(Status::Exercise)], "zh");
    for (pointer, expected) in [
        ("/type", "warning.alert".into()),
        ("/id", "07070707070707070707070707070707".into()),
        ("/status", "Exercise".into()),
        ("/timestamp", "2026-07-13T19:20:00Z".into()),
        ("/revisions/0/hazard/id", "flood".into()),
        ("/revisions/0/hazard/name", "洪水".into()),
        ("/revisions/0/area/id", "beijiang".into()),
        ("/revisions/0/area/name", "北江中游".into()),
        ("/revisions/0/level/id", "orange".into()),
        ("/revisions/0/level/name", "橙色（II级）".into()),
        ("/revisions/0/sent/utc", "2026-07-13T19:20:00Z".into()),
        ("/revisions/0/sent/local", "2026-07-14T03:20:00+08:00".into()),
        ("/revisions/0/next_update/local", "2026-07-14T08:50:00+08:00".into()),
        ("/revisions/0/evidence/0/sensor", "qj-017/level".into()),
        ("/revisions/0/evidence/0/station/name", "曲江".into()),
        ("/revisions/0/evidence/0/value", 59.1.into()),
        ("/revisions/0/evidence/0/datum", "1985-national".into()),
        ("/revisions/0/text/mark", "演练".into()),
        ("/revisions/0/number", 1.into()),
    ] {
        check(&zh, pointer, expected);
    }
    let digest = body(&[sample::flood(Status::Actual), sample::blind()], "en");
    check(&digest, "/digest/warnings", 1.into());
    check(&digest, "/digest/places/0/area/id", "beijiang".into());
    check(&digest, "/digest/levels/0/level/id", "orange".into());
    check(&digest, "/digest/members/1/number", 2.into());
    check(&digest, "/type", "digest".into());
    check(&digest, "/revisions/1/stale", true.into());
    check(&digest, "/revisions/1/evidence/0/unknown", true.into());
    let same = digest["revisions"][0]["warning"] == digest["revisions"][1]["warning"];
    assert!(same && digest["revisions"][0]["id"] != digest["revisions"][1]["id"]);
}

#[test]
fn what_was_cancelled_comes_after_all_that_stands() {
    let cancelled = sample::later(Kind::Cancel, Reason::InError, Level::Red);
    let digest = body(&[cancelled, sample::flood(Status::Actual)], "en");
    for (pointer, expected) in [
        ("/revisions/0/level/id", "orange"),
        ("/digest/members/0/level", "orange"),
        ("/digest/members/1/kind", "cancel"),
    ] {
        assert_eq!(digest.pointer(pointer), Some(&Value::from(expected)), "{pointer}");
    }
    let key = |nth: usize| digest["digest"]["members"][nth]["revision"].clone();
    assert_eq!(
        (key(0), key(1)),
        (digest["revisions"][0]["id"].clone(), digest["revisions"][1]["id"].clone())
    );
}

#[test]
fn machines_learn_which_limit_the_level_has_and_whether_it_is_reached() {
    let by_hand = sample::later(Kind::AllClear, Reason::EndedByHand, Level::Normal);
    for (revision, limit, level_limit, reached, at_level) in [
        (sample::flood(Status::Actual), 58.5, Some(58.5), Some(true), Some(2)),
        (sample::held(), 58.5, Some(60.0), Some(false), Some(0)),
        (sample::all_clear(), 57.0, Some(57.0), Some(false), None),
        (by_hand, 58.5, Some(57.0), Some(true), None),
    ] {
        let body = body(&[revision], "en");
        let evidence = &body["revisions"][0]["evidence"][0];
        assert_eq!(evidence["limit"], limit);
        assert_eq!(evidence["level_limit"].as_f64(), level_limit);
        assert_eq!(evidence["level_limit_reached"].as_bool(), reached);
        assert_eq!(body["revisions"][0]["sensors_at_level"].as_u64(), at_level);
    }
    let trouble = body(&[sample::trouble_over(TroubleCode::ClockUntrusted, "")], "en");
    assert_eq!(trouble["revisions"][0]["sensors_at_level"], Value::Null);
    let text = "Over: the clock could not be trusted; times shown meanwhile may be wrong";
    assert_eq!(trouble["revisions"][0]["trouble"]["text"], text);
}

#[test]
fn names_stay_text_in_json() {
    let mut plan = sample::plan();
    plan.stations[0].as_mut().expect("a station").names = [("en", "\"},{{secrets}}\u{202e}\r\n")].into();
    let setup = Setup { plan: plan.into(), ..sample::setup() };
    let messages = Messages::read(&Given::new());
    let body = Body::of(
        Key::default(),
        &[&sample::flood(Status::Actual)],
        &[],
        &setup,
        messages.language("en"),
        None,
    );
    let read: Value = serde_json::from_slice(&serde_json::to_vec(&body).expect("JSON")).expect("JSON");
    assert_eq!(read["revisions"][0]["evidence"][0]["station"]["name"], "\"},{{secrets}}  ");
}
