//! `rules/*.toml` as written. A file holds one rule at its top, named by the
//! file, or several as `[rules.NAME]`, named `file/NAME`.

use std::path::Path;
use std::sync::Arc;

use forewarn_core::plan::Side;
use forewarn_core::rules::AnyRule;
use schemars::JsonSchema;
use toml::Spanned;
use toml::de::{DeValue, ValueDeserializer};

use super::Names;
use super::member::member;
use super::table::{At, Read, Reader, Table, raw};
use super::words::{Corroboration, Id, Intervals, Length, Measure, Text, Votes, Word, word_schema};
use crate::config::fault::{Fault, Faults, Place, quote};

/// The folder's name.
pub(crate) const FOLDER: &str = "rules";

/// Every rule.
#[derive(Debug, Default)]
pub(crate) struct Rules {
    /// Those that could be read.
    pub(crate) written: Vec<Written>,
    /// Ids of all, those at fault too.
    pub(crate) named: Names,
    /// Whether a file was at fault as a whole, so that names may be missing.
    pub(crate) torn: bool,
}

/// One rule with its name.
#[derive(Debug, Clone)]
pub(crate) struct Written {
    pub(crate) id: String,
    pub(crate) place: Place,
    pub(crate) body: Body,
}

/// Reads the folder.
pub(crate) fn read(dir: &Path, faults: &mut Faults) -> Rules {
    let mut all = Rules::default();
    for file in super::folder(dir, FOLDER, ".toml", faults) {
        let stem = file.trim_start_matches(FOLDER).trim_start_matches('/').trim_end_matches(".toml");
        if Id::parse(stem).is_none() {
            let what = format!("is named {}", quote(stem));
            faults.push(Fault::new(Place { file: file.clone(), line: 0 }, what, Id::EXPECTED));
            continue;
        }
        let Ok(Some(text)) = super::optional(dir, &file, faults) else {
            all.torn = true;
            continue;
        };
        match Reader::document::<File>(&file, &text, faults) {
            None => all.torn = true,
            Some(File::One(body)) => all.add(stem.to_owned(), &file, *body),
            Some(File::Many(bodies)) => {
                for (name, body) in bodies {
                    all.add(format!("{stem}/{name}"), &file, body);
                }
            }
        }
        // A file at fault still names its one rule, which limits.csv may point at.
        all.named.insert(stem.to_owned());
    }
    all
}

impl Rules {
    fn add(&mut self, id: String, file: &Arc<str>, body: At<Body>) {
        self.named.insert(id.clone());
        let place = Place { file: file.clone(), line: body.value.rule.line };
        self.written.push(Written { id, place, body: body.value });
    }
}

/// A file of rules.
#[derive(Debug)]
enum File {
    One(Box<At<Body>>),
    Many(Vec<(String, At<Body>)>),
}

impl Read for File {
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let many = matches!(value.get_ref(), DeValue::Table(table) if table.contains_key("rules"));
        if !many {
            return At::<Body>::read(value, path, reader).map(|body| File::One(Box::new(body)));
        }
        if let Some(line) = single(&value, reader) {
            let fault = Fault::new(
                reader.place(line),
                "unknown key \"rules\"",
                "[rule] for the one rule of a file, or [rules.NAME.rule] for each of several",
            );
            reader.fault(fault.hint("did you mean \"rule\"?"));
            return None;
        }
        let mut table = reader.table(value, path)?;
        let bodies = table.take::<Bodies>("rules", reader);
        table.finish(reader);
        bodies.map(|Bodies(bodies)| File::Many(bodies))
    }
}

/// Where `[rules]` holds the keys of one rule, its line.
fn single(value: &Spanned<DeValue<'_>>, reader: &Reader<'_>) -> Option<u32> {
    let DeValue::Table(file) = value.get_ref() else { return None };
    let rules = file.get("rules")?;
    let DeValue::Table(keys) = rules.get_ref() else { return None };
    let is_one = ["kind", "hazard"]
        .iter()
        .any(|key| keys.get(*key).is_some_and(|value| matches!(value.get_ref(), DeValue::String(_))));
    is_one.then(|| reader.line(rules.span().start))
}

/// The rules of `[rules.NAME]`.
struct Bodies(Vec<(String, At<Body>)>);

impl Read for Bodies {
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let table = reader.table(value, path)?;
        let mut bodies = vec![];
        let mut sound = true;
        for (name, value) in table.named() {
            let line = reader.line(value.span().start);
            if Id::parse(&name).is_none() {
                let what = format!("a rule is named {}", quote(&name));
                reader.fault(Fault::new(reader.place(line), what, Id::EXPECTED));
                sound = false;
            } else if let Some(body) = At::<Body>::read(value, &format!("{path}.{name}"), reader) {
                bodies.push((name, body));
            } else {
                sound = false;
            }
        }
        sound.then_some(Bodies(bodies))
    }
}

raw! {
    /// One rule.
    pub(crate) struct Body {
        /// What it measures, of which sensors, and against which limits.
        rule: At<Head>,
        /// When a level counts as reached.
        raise: Option<At<RaiseBy>>,
        /// When it clears.
        clear: Option<At<Clear>>,
        /// What a silence means.
        outage: Option<At<Outage>>,
        /// How many findings of different failure domains a level needs. Default 1.
        corroboration: Option<At<Corroboration>>,
    }
}

raw! {
    /// When a level counts as reached: "2 of 3", "for 10 min", "2 of 3 for 30 min".
    pub(crate) struct RaiseBy {
        /// For levels not named. Default "1 of 1".
        default: Option<At<Votes>>,
        /// For blue.
        blue: Option<At<Votes>>,
        /// For yellow.
        yellow: Option<At<Votes>>,
        /// For orange.
        orange: Option<At<Votes>>,
        /// For red.
        red: Option<At<Votes>>,
    }
}

raw! {
    /// When a rule clears.
    pub(crate) struct Clear {
        /// How far below a limit a value must come to leave it; for side "above".
        below: Option<At<Measure>>,
        /// How far above a limit a value must come to leave it; for side "below".
        above: Option<At<Measure>>,
        /// How long good data must support less before the level falls. Default "60 min".
        hold: Option<At<Length>>,
    }
}

raw! {
    /// What a silence means.
    pub(crate) struct Outage {
        /// When a sensor counts as silent. Default "3 intervals"; a sensor's own `outage_intervals` goes first.
        after: Option<At<Intervals>>,
        /// Whom a silence during an incident is told: "same targets" (the default) or "operator".
        tell: Option<At<Tell>>,
    }
}

/// Whom a silence is told.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Tell(pub(crate) forewarn_core::plan::OutageTell);

impl Word for Tell {
    const EXPECTED: &'static str = "\"same targets\" or \"operator\"";

    fn parse(text: &str) -> Option<Self> {
        use forewarn_core::plan::OutageTell;
        match text {
            "same targets" => Some(Tell(OutageTell::SameTargets)),
            "operator" => Some(Tell(OutageTell::Operator)),
            _ => None,
        }
    }
}

/// On which side of its limits a value breaches.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct SideWord(pub(crate) Side);

impl Word for SideWord {
    const EXPECTED: &'static str = "\"above\" or \"below\"";

    fn parse(text: &str) -> Option<Self> {
        match text {
            "above" => Some(SideWord(Side::Above)),
            "below" => Some(SideWord(Side::Below)),
            _ => None,
        }
    }
}

/// A sensor as `station/quantity`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SensorName(pub(crate) String);

impl Word for SensorName {
    const EXPECTED: &'static str = "a sensor as station/quantity, such as \"qj-01/level\"";

    fn parse(text: &str) -> Option<Self> {
        let (station, quantity) = text.trim().split_once('/')?;
        (Id::parse(station).is_some() && Id::parse(quantity).is_some())
            .then(|| SensorName(text.trim().to_owned()))
    }
}

word_schema!(Tell, SideWord, SensorName);

/// What a rule is held against.
#[derive(Debug, Clone)]
pub(crate) enum LimitsBy {
    /// The rows of limits.csv.
    Table,
    /// The same for every sensor, whatever the season.
    Inline(Inline),
}

raw! {
    /// Limits that are the same for every sensor, whatever the season.
    pub(crate) struct Inline {
        /// For blue.
        blue: Option<At<Measure>>,
        /// For yellow.
        yellow: Option<At<Measure>>,
        /// For orange.
        orange: Option<At<Measure>>,
        /// For red.
        red: Option<At<Measure>>,
        /// What they are measured from; mandatory for levels.
        datum: Option<At<Text>>,
    }
}

const LIMITS_EXPECTED: &str = "\"limits.csv\" or a table such as { yellow = \"4.2 m\", red = \"5.0 m\" }";

impl Read for LimitsBy {
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        match value.get_ref() {
            DeValue::Table(_) => Inline::read(value, path, reader).map(LimitsBy::Inline),
            DeValue::String(text) if text.as_ref() == super::limits::FILE => Some(LimitsBy::Table),
            DeValue::String(text) => {
                let place = reader.place(reader.line(value.span().start));
                reader.fault(Fault::new(place, format!("{path} is {}", quote(text)), LIMITS_EXPECTED));
                None
            }
            _ => reader.wrong(&value, path, LIMITS_EXPECTED),
        }
    }

    fn expected() -> String {
        LIMITS_EXPECTED.to_owned()
    }
}

/// What a rule measures, of which sensors, and against which limits; the
/// kind's own keys stand among these.
#[derive(Debug, Clone)]
pub(crate) struct Head {
    pub(crate) kind: AnyRule,
    pub(crate) hazard: At<Id>,
    pub(crate) quantity: Option<At<Id>>,
    pub(crate) sensors: Option<Vec<At<SensorName>>>,
    pub(crate) stations: Option<Vec<At<Id>>>,
    pub(crate) areas: Option<Vec<At<Id>>>,
    pub(crate) limits: At<LimitsBy>,
    pub(crate) side: Option<SideWord>,
}

impl Read for Head {
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let mut table = reader.table(value, path)?;
        let line = table.line();
        let kind = table.take::<At<Text>>("kind", reader);
        let hazard = table.take("hazard", reader);
        let quantity = table.take("quantity", reader);
        let sensors = table.take("sensors", reader);
        let stations = table.take("stations", reader);
        let areas = table.take("areas", reader);
        let limits = table.take("limits", reader);
        let side = table.take("side", reader);
        let kind = own_keys(table, &kind?, path, line, reader);
        Some(Head {
            kind: kind?,
            hazard: hazard?,
            quantity: quantity?,
            sensors: sensors?,
            stations: stations?,
            areas: areas?,
            limits: limits?,
            side: side?,
        })
    }

    fn expected() -> String {
        "{ kind = \"threshold\", hazard = \"...\", quantity = \"...\", limits = ... }".to_owned()
    }
}

/// Reads the kind's own keys. A key of no rule at all is told here, so that
/// the hint can be any key of a rule; the rest is the kind's to judge.
fn own_keys(
    table: Table<'_>,
    kind: &At<Text>,
    path: &str,
    line: u32,
    reader: &mut Reader<'_>,
) -> Option<AnyRule> {
    let shared = table.known();
    let rest = table.rest();
    let mut near_miss = None;
    if let DeValue::Table(entries) = rest.get_ref() {
        for key in entries.keys() {
            let found = super::super::fault::nearest(key.get_ref(), shared.iter().copied());
            near_miss = near_miss
                .or(found.map(|near| (reader.line(key.span().start), key.get_ref().to_string(), near)));
        }
    }
    let deserializer = ValueDeserializer::from(rest);
    let read = AnyRule::read(&kind.value.0, deserializer);
    if let (Some(Err(_)), Some((line, key, near))) = (&read, near_miss) {
        let what = format!("unknown key {} in {path}", quote(&key));
        let fault = Fault::new(reader.place(line), what, "a key of a rule or of its kind");
        reader.fault(fault.hint(format!("did you mean {}?", quote(near))));
        return None;
    }
    member(read, kind, ("kind", AnyRule::KINDS), path, line, reader)
}

impl JsonSchema for Head {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Rule".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let names: Vec<&str> = AnyRule::KINDS.iter().map(|(name, _)| *name).collect();
        let examples: Vec<&str> = AnyRule::KINDS.iter().map(|(_, example)| *example).collect();
        let id = generator.subschema_for::<Id>();
        let sensor = generator.subschema_for::<SensorName>();
        let inline = generator.subschema_for::<Inline>();
        schemars::json_schema!({
            "type": "object",
            "description": "What a rule measures, of which sensors, and against which limits; the kind's own keys stand among these.",
            "properties": {
                "kind": { "type": "string", "enum": names, "description": "What is measured of the readings." },
                "hazard": { "type": "string", "description": "What it warns of, such as flood." },
                "quantity": { "type": "string", "description": "Selects every sensor of this quantity." },
                "sensors": { "type": "array", "items": sensor, "description": "Selects these sensors." },
                "stations": { "type": "array", "items": id, "description": "Keeps only sensors of these stations." },
                "areas": { "type": "array", "items": id, "description": "Keeps only sensors in these areas, with all that lie in them." },
                "limits": { "description": LIMITS_EXPECTED, "anyOf": [{ "const": "limits.csv" }, inline] },
                "side": { "enum": ["above", "below"], "description": "On which side of its limits a value breaches. Default above." },
            },
            "required": ["kind", "hazard", "limits"],
            "examples": examples,
        })
    }
}

impl Inline {
    /// By level: blue, yellow, orange, red.
    pub(crate) fn levels(&self) -> [Option<&At<Measure>>; 4] {
        [self.blue.as_ref(), self.yellow.as_ref(), self.orange.as_ref(), self.red.as_ref()]
    }
}
