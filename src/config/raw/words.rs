//! The words that both TOML and CSV use: lengths of time, levels, seasons,
//! hours, votes, units. Each says what it expects.

use std::borrow::Cow;

use forewarn_core::level::Level;
use forewarn_core::plan::Raise;
use forewarn_core::time::Span;
use forewarn_core::units::{Amount, Unit};
use jiff::civil::{Date, DateTime};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use toml::Spanned;
use toml::de::DeValue;

use super::super::fault::{Fault, quote};
use super::table::{Read, Reader};

/// Longest name of a thing, characters.
const ID_MAX: usize = 64;

/// Something written as one word or phrase.
pub(crate) trait Word: Sized {
    /// What is expected, for messages and the schema.
    const EXPECTED: &'static str;

    /// Reads it.
    fn parse(text: &str) -> Option<Self>;

    /// The text as a message may show it.
    fn shown(text: &str) -> String {
        quote(text)
    }
}

impl<T: Word> Read for T {
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let DeValue::String(text) = value.get_ref() else {
            return reader.no_text(&value, path, T::EXPECTED);
        };
        T::parse(text).or_else(|| {
            let place = reader.place(reader.line(value.span().start));
            reader.fault(Fault::new(place, format!("{path} is {}", T::shown(text)), T::EXPECTED));
            None
        })
    }

    fn expected() -> String {
        T::EXPECTED.to_owned()
    }
}

/// A word's JSON Schema: a string, and what is expected of it.
macro_rules! word_schema {
    ($($name:ident),+ $(,)?) => {$(
        impl schemars::JsonSchema for $name {
            fn inline_schema() -> bool {
                true
            }

            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let expected = <$name as $crate::config::raw::words::Word>::EXPECTED;
                schemars::json_schema!({ "type": "string", "description": expected })
            }
        }
    )+};
}

pub(crate) use word_schema;

macro_rules! words {
    ($($(#[$meta:meta])* $name:ident($inner:ty) $expected:literal $parse:expr;)+) => {$(
        $(#[$meta])*
        #[derive(Debug, Clone, PartialEq)]
        pub(crate) struct $name(pub(crate) $inner);

        impl Word for $name {
            const EXPECTED: &'static str = $expected;

            fn parse(text: &str) -> Option<Self> {
                let parse: fn(&str) -> Option<$inner> = $parse;
                parse(text.trim()).map($name)
            }
        }

        word_schema!($name);
    )+};
}

words! {
    /// Free text of one line.
    Text(String) "text of one line" |text| one_line(text).then(|| text.to_owned());
    /// The name of a thing.
    Id(String) "a name of letters, digits, - _ . : (64 characters at most)" |text| is_id(text).then(|| text.to_owned());
    /// The name of an environment variable.
    Variable(String) "the name of an environment variable" |text| {
        (!text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')).then(|| text.to_owned())
    };
    /// A path of a file or folder.
    Path(std::path::PathBuf) "a path" |text| one_line(text).then(|| text.into());
    /// A length of time, never negative.
    Length(Span) "a length of time such as \"15 min\" (ms, s, min, h, d)" |text| {
        Span::parse(text).ok().filter(|span| *span >= Span::ZERO)
    };
    /// Bytes.
    Bytes(u64) "a size such as \"64 MiB\" (KiB, MiB, GiB)" bytes;
    /// A number.
    Number(f64) "a number with a decimal point, such as 4.2" number;
    /// A whole number.
    Whole(u32) "a whole number from 0" |text| text.parse().ok();
    /// A number with its unit.
    Measure(Amount) "a number with its unit, such as \"4.2 m\"" |text| {
        Amount::parse(text).filter(|amount| amount.value.is_finite())
    };
    /// A unit.
    UnitWord(Unit) "a unit such as m, cm, mm/h, m3/s, °C" |text| (!text.is_empty()).then(|| Unit::parse(text))?;
    /// A level that warns.
    LevelWord(Level) "one of blue, yellow, orange, red" level;
    /// A range of levels, both included.
    Levels((Level, Level)) "a level or a range of levels such as \"yellow..red\"" levels;
    /// Local hours as minutes of the day.
    Hours((u16, u16)) "local hours such as \"08:00..18:00\"" hours;
    /// Local days of the year as month * 100 + day.
    Season((u16, u16)) "a season such as 05-01..09-30" season;
    /// A local date, with or without a time of day.
    Day(DateTime) "a date such as 2026-05-01" day;
    /// When a level counts as reached.
    Votes(Raise) "\"2 of 3\", \"for 10 min\" or \"2 of 3 for 30 min\"" votes;
    /// A count of missed intervals.
    Intervals(u32) "a count such as \"3 intervals\"" |text| {
        let count = text.strip_suffix("intervals").or_else(|| text.strip_suffix("interval"))?.trim();
        count.parse().ok().filter(|count| (1..=INTERVALS_MAX).contains(count))
    };
    /// A language that messages are written in.
    Language(String) "zh or en" |text| matches!(text, "zh" | "en").then(|| text.to_owned());
}

/// Most intervals a sensor may miss before it counts as silent.
pub(crate) const INTERVALS_MAX: u32 = 1000;

/// How many findings of different failure domains a level needs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Corroboration(pub(crate) u32);

impl Corroboration {
    const EXPECTED: &'static str = "\"2 of different domains\" or a number from 1 to 100";

    fn parse(text: &str) -> Option<Self> {
        let count = text.trim().strip_suffix("of different domains").unwrap_or(text).trim();
        count.parse().ok().filter(|count| (1..=100).contains(count)).map(Corroboration)
    }
}

impl Read for Corroboration {
    fn read(value: Spanned<DeValue<'_>>, path: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let (read, found) = match value.get_ref() {
            DeValue::String(text) => (Self::parse(text), quote(text)),
            DeValue::Integer(number) => (Self::parse(number.as_str()), number.to_string()),
            _ => return reader.wrong(&value, path, Self::EXPECTED),
        };
        read.or_else(|| {
            let place = reader.place(reader.line(value.span().start));
            reader.fault(Fault::new(place, format!("{path} is {found}"), Self::EXPECTED));
            None
        })
    }

    fn expected() -> String {
        Self::EXPECTED.to_owned()
    }
}

impl JsonSchema for Corroboration {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Corroboration".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": ["string", "integer"], "description": Self::EXPECTED })
    }
}

fn one_line(text: &str) -> bool {
    !text.is_empty() && !text.chars().any(char::is_control)
}

/// Names stand in MQTT topics and in `station/quantity`, so neither `/` nor a
/// wildcard may be in one.
fn is_id(text: &str) -> bool {
    let sound = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ':');
    !text.is_empty()
        && text.chars().count() <= ID_MAX
        && text.chars().all(sound)
        && text != "."
        && text != ".."
}

fn bytes(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let unit: u64 = match text[split..].trim() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    text[..split].parse::<u64>().ok()?.checked_mul(unit).filter(|&bytes| bytes > 0)
}

fn number(text: &str) -> Option<f64> {
    // The standard parser takes "inf", "nan" and "1e308" too; no gauge means them.
    let plain = text.chars().all(|c| c.is_ascii_digit() || matches!(c, '.' | '-' | '+'));
    let value: f64 = plain.then(|| text.parse().ok())??;
    (value.abs() < 1e15).then_some(value)
}

fn level(text: &str) -> Option<Level> {
    Level::parse(text).filter(|level| *level != Level::Normal)
}

fn levels(text: &str) -> Option<(Level, Level)> {
    let (from, to) = text.split_once("..").unwrap_or((text, text));
    let (from, to) = (level(from.trim())?, level(to.trim())?);
    (from <= to).then_some((from, to))
}

/// Whether a day of the year exists in some year: 29 February does.
fn month_day(text: &str) -> Option<u16> {
    let (month, day) = text.trim().split_once('-')?;
    let (month, day): (i8, i8) = (two_digits(month)?, two_digits(day)?);
    Date::new(2024, month, day).ok()?;
    Some(month as u16 * 100 + day as u16)
}

fn two_digits(text: &str) -> Option<i8> {
    (matches!(text.len(), 1 | 2) && text.bytes().all(|byte| byte.is_ascii_digit()))
        .then(|| text.parse().ok())?
}

fn season(text: &str) -> Option<(u16, u16)> {
    let (first, last) = text.split_once("..")?;
    Some((month_day(first)?, month_day(last)?))
}

fn minute_of_day(text: &str) -> Option<u16> {
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute) = (two_digits(hour)? as u16, two_digits(minute)? as u16);
    // 24:00 is how people write the end of the day.
    let minutes = hour * 60 + minute;
    (minute < 60 && minutes <= 1440).then_some(minutes)
}

fn hours(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once("..")?;
    let (from, to) = (minute_of_day(from)?, minute_of_day(to)?);
    // From and to the same would be read as always by one and as never by another.
    (from != to && from < 1440).then_some((from, to))
}

fn day(text: &str) -> Option<DateTime> {
    // Excel in many places rewrites 2026-05-01 as 2026/5/1 when it saves.
    let (date, time) = text.split_once(['T', ' ']).unwrap_or((text, "00:00"));
    let mut parts = date.split(if date.contains('/') { '/' } else { '-' });
    let year = parts.next().filter(|year| year.len() == 4)?.parse().ok()?;
    let date = Date::new(year, two_digits(parts.next()?)?, two_digits(parts.next()?)?).ok()?;
    let minutes = minute_of_day(time).filter(|minutes| *minutes < 1440)?;
    parts.next().is_none().then(|| date.at((minutes / 60) as i8, (minutes % 60) as i8, 0, 0))
}

fn votes(text: &str) -> Option<Raise> {
    let (votes, lasting) = match text.split_once("for ") {
        Some((votes, lasting)) => {
            (votes.trim(), Span::parse(lasting).ok().filter(|lasting| *lasting > Span::ZERO)?)
        }
        None => (text, Span::ZERO),
    };
    if votes.is_empty() {
        return (lasting > Span::ZERO).then_some(Raise { lasting, ..Raise::default() });
    }
    let (m, n) = votes.split_once(" of ")?;
    let (m, n) = (m.trim().parse().ok()?, n.trim().parse().ok()?);
    (m >= 1 && m <= n).then_some(Raise { m, n, lasting })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check<T: Word + PartialEq + std::fmt::Debug>(cases: &[(&str, Option<T>)]) {
        for (text, expected) in cases {
            assert_eq!(&T::parse(text), expected, "{text}");
        }
    }

    #[test]
    fn seasons_hours_and_dates_read_as_people_write_them() {
        check(&[
            ("05-01..09-30", Some(Season((501, 930)))),
            ("11-01..2-29", Some(Season((1101, 229)))),
            ("02-30..03-01", None),
            ("05-01", None),
            ("", None),
        ]);
        check(&[
            ("08:00..18:00", Some(Hours((480, 1080)))),
            ("22:00 .. 6:30", Some(Hours((1320, 390)))),
            ("18:00..24:00", Some(Hours((1080, 1440)))),
            ("08:00..08:00", None),
            ("24:00..08:00", None),
            ("8..18", None),
            ("08:60..09:00", None),
        ]);
        let date = |y, m, d, h| DateTime::new(y, m, d, h, 0, 0, 0).ok().map(Day);
        check(&[
            ("2026-05-01", date(2026, 5, 1, 0)),
            ("2026/5/1", date(2026, 5, 1, 0)),
            ("2026-05-01 08:00", date(2026, 5, 1, 8)),
            ("01.05.2026", None),
            ("2026-13-01", None),
            ("26-05-01", None),
        ]);
    }

    #[test]
    fn votes_and_levels_read_as_people_write_them() {
        let raise = |m, n, mins| Some(Votes(Raise { m, n, lasting: Span::from_mins(mins) }));
        check(&[
            ("2 of 3", raise(2, 3, 0)),
            ("for 10 min", raise(1, 1, 10)),
            ("2 of 3 for 30 min", raise(2, 3, 30)),
            ("3 of 2", None),
            ("0 of 2", None),
            ("2 of 999", None),
            ("for 0 s", None),
            ("", None),
        ]);
        check(&[
            ("yellow..red", Some(Levels((Level::Yellow, Level::Red)))),
            ("red", Some(Levels((Level::Red, Level::Red)))),
            ("red..yellow", None),
            ("normal..red", None),
        ]);
        assert_eq!(Corroboration::parse("2 of different domains"), Some(Corroboration(2)));
        assert_eq!(Corroboration::parse("0"), None);
    }

    #[test]
    fn a_number_is_finite_and_plain() {
        check(&[("4.2", Some(Number(4.2))), ("-0.3", Some(Number(-0.3)))]);
        for text in ["NaN", "inf", "1e308", "4,2", "", "--1", "4.2 m"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_name_cannot_be_a_wildcard_or_a_path() {
        for text in ["+", "#", "a/b", "..", "", "a b", "a\u{0}", "a\u{202e}b"] {
            assert_eq!(Id::parse(text), None, "{text}");
        }
        assert!(Id::parse("衢江-01").is_some());
    }

    proptest! {
        #[test]
        fn whatever_is_written_no_word_panics(text in "\\PC{0,24}") {
            let _ = (Season::parse(&text), Hours::parse(&text), Day::parse(&text), Votes::parse(&text));
            let _ = (Bytes::parse(&text), Levels::parse(&text), Measure::parse(&text), Length::parse(&text));
        }

        #[test]
        fn every_real_season_and_every_pair_of_minutes_reads_back(
            m1 in 1u16..=12, d1 in 1u16..=28, m2 in 1u16..=12, d2 in 1u16..=28, from in 0u16..1440, to in 0u16..=1440,
        ) {
            let season = format!("{m1:02}-{d1:02}..{m2:02}-{d2:02}");
            prop_assert_eq!(Season::parse(&season), Some(Season((m1 * 100 + d1, m2 * 100 + d2))));
            let hours = format!("{:02}:{:02}..{:02}:{:02}", from / 60, from % 60, to / 60, to % 60);
            prop_assert_eq!(Hours::parse(&hours), (from != to).then_some(Hours((from, to))));
        }
    }
}
