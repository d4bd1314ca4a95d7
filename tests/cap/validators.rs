//! Who judges an alert: the schema, the extended schema, a reader of CAP; and
//! whether they see what they are there to see.

use std::path::PathBuf;

use uppsala::XsdValidator;

/// The namespace that `oasiscap` tells versions by.
const CAP: &str = "urn:oasis:names:tc:emergency:cap:1.2";

/// What an alert and a feed are held against.
pub(crate) struct Judges {
    plain: XsdValidator,
    extended: XsdValidator,
    atom: XsdValidator,
}

fn schema(name: &str) -> Option<XsdValidator> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/cap/schema").join(name);
    let text = std::fs::read_to_string(&path).ok()?;
    let document = uppsala::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let made = XsdValidator::from_schema_with_base_path(&document, Some(&path));
    Some(made.unwrap_or_else(|error| panic!("{name}: {error}")))
}

impl Judges {
    /// Without the schemas the test is skipped, saying how to get them; where
    /// `CI=true`, that is a failure.
    pub(crate) fn called() -> Option<Judges> {
        let judges = || {
            Some(Judges {
                plain: schema("CAP-v1.2.xsd")?,
                extended: schema("cap12_extended.xsd")?,
                atom: schema("atom.xsd")?,
            })
        };
        let judges = judges();
        if judges.is_none() {
            crate::skip::skip("the schemas of CAP are missing", "tests/prepare.sh");
        }
        judges
    }

    /// What any of them says against an alert.
    pub(crate) fn against(&self, alert: &str) -> Vec<String> {
        let mut said = by_schema(&self.plain, "schema", alert);
        said.extend(by_schema(&self.extended, "extended schema", alert));
        match alert.parse::<oasiscap::Alert>() {
            Ok(oasiscap::Alert::V1dot2(_)) => {}
            Ok(_) => said.push(format!("oasiscap: not of {CAP}")),
            Err(error) => said.push(format!("oasiscap: {error}")),
        }
        said
    }

    /// What is wrong with a feed.
    pub(crate) fn against_feed(&self, feed: &str) -> Vec<String> {
        by_schema(&self.atom, "atom schema", feed)
    }
}

fn by_schema(validator: &XsdValidator, name: &str, text: &str) -> Vec<String> {
    match uppsala::parse(text) {
        Ok(document) => {
            validator.validate(&document).iter().map(|fault| format!("{name}: {fault}")).collect()
        }
        Err(error) => vec![format!("{name}: not well-formed: {error}")],
    }
}

/// A sound alert, small.
const SOUND: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<alert xmlns="urn:oasis:names:tc:emergency:cap:1.2">
  <identifier>8a6b</identifier>
  <sender>warn.example</sender>
  <sent>2026-07-14T03:20:00+08:00</sent>
  <status>Actual</status>
  <msgType>Update</msgType>
  <scope>Public</scope>
  <references>warn.example,8a6a,2026-07-14T03:10:00+08:00</references>
  <info>
    <language>en</language>
    <category>Met</category>
    <event>Flood</event>
    <urgency>Immediate</urgency>
    <severity>Severe</severity>
    <certainty>Observed</certainty>
    <expires>2026-07-14T09:20:00+08:00</expires>
    <headline>Flood</headline>
    <area>
      <areaDesc>Qujiang</areaDesc>
      <polygon>28,118 28,119 29,119 29,118 28,118</polygon>
    </area>
  </info>
</alert>
"#;

/// The judges are judged: each fault that is known to happen is seen by one of them.
#[test]
fn what_is_wrong_with_an_alert_is_seen() {
    let Some(judges) = Judges::called() else { return };
    assert_eq!(judges.against(SOUND), Vec::<String>::new());
    for (what, right, wrong) in [
        ("Z", "03:20:00+08:00</sent>", "03:20:00Z</sent>"),
        ("a fraction", "03:20:00+08:00</sent>", "03:20:00.5+08:00</sent>"),
        (
            "wrong order",
            "<status>Actual</status>\n  <msgType>Update</msgType>",
            "<msgType>Update</msgType>\n  <status>Actual</status>",
        ),
        ("an empty element", "<headline>Flood</headline>", "<onset></onset>"),
        ("a space in the identifier", "<identifier>8a6b", "<identifier>8a 6b"),
        ("a comma in the sender", "<sender>warn.example", "<sender>warn,example"),
        ("half a reference", "<references>warn.example,8a6a,2026-07-14T03:10:00+08:00", "<references>8a6a"),
        ("an open polygon", "29,118 28,118</polygon>", "29,118</polygon>"),
        ("three corners", "28,118 28,119 29,119 29,118 28,118", "28,118 28,119 28,118"),
        ("longitude first", "28,118 28,119 29,119 29,118 28,118", "118,28 119,28 119,29 118,29 118,28"),
        ("no such status", "<status>Actual", "<status>Drill"),
        ("no event", "    <event>Flood</event>\n", ""),
    ] {
        assert!(SOUND.contains(right), "{what}");
        assert_ne!(judges.against(&SOUND.replace(right, wrong)), Vec::<String>::new(), "{what}");
    }
}
