//! Small formatting that all channels share: clean names, numbers with their
//! unit, local times with zone and offset.

use forewarn_core::plan::{LimitRow, Names, Settings};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::units::{Base, Unit};

/// Characters of a name or a detail that are shown; the rest is cut, with an ellipsis.
pub const SHOWN_MAX: usize = 600;

/// A name as it may be shown: on one line, without control characters and
/// without the marks that turn the direction of writing or hide in the text.
pub fn clean(text: &str) -> String {
    cleaned(text, SHOWN_MAX)
}

/// As [`clean`], and all of it: for texts that are judged, not shown.
pub fn clean_whole(text: &str) -> String {
    cleaned(text, usize::MAX)
}

fn cleaned(text: &str, most: usize) -> String {
    let mut shown = String::with_capacity(text.len());
    for (count, c) in text.chars().enumerate() {
        if count == most {
            shown.push('…');
            break;
        }
        match c {
            '\n' | '\r' | '\t' | '\u{2028}' | '\u{2029}' | '\u{85}' => shown.push(' '),
            // Bidi overrides, isolates and marks; zero-width and byte-order marks.
            '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{200b}'..='\u{200f}'
            | '\u{61c}'
            | '\u{feff}' => {}
            _ if c.is_control() => {}
            _ => shown.push(c),
        }
    }
    shown
}

/// The name in a language; in the first one given where it has none.
pub fn name<'a>(names: &'a Names, language: &str) -> &'a str {
    let own = names.iter().find(|(tag, _)| *tag == language);
    own.or_else(|| names.iter().next()).map_or("", |(_, name)| name)
}

/// A value in its unit, to the unit's own precision.
pub fn amount(value: f64, unit: Unit) -> String {
    amount_to(value, unit, decimals(unit))
}

/// A limit in its unit, never rounded away from what was configured.
pub fn limit(value: f64, unit: Unit) -> String {
    let own =
        (0..=6).find(|&n| number(value, n).parse::<f64>().is_ok_and(|shown| (shown - value).abs() < 1e-9));
    amount_to(value, unit, decimals(unit).max(own.unwrap_or(6)))
}

/// A trend of a quantity kept in `unit`, with its sign: what it changes by in an hour.
pub fn trend(value: f64, unit: Unit) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    let shown = number(value, decimals(unit));
    match unit.base {
        Base::Number => format!("{sign}{shown}/h"),
        _ => format!("{sign}{shown} {}/h", symbol(unit)),
    }
}

/// Whether a trend shows as nothing at the unit's precision.
pub fn is_steady(value: f64, unit: Unit) -> bool {
    number(value.abs(), decimals(unit)).bytes().all(|c| c == b'0' || c == b'.')
}

/// The unit as people read it.
pub fn symbol(unit: Unit) -> String {
    let base = match unit.base {
        Base::CubicMetrePerSecond => "m³/s",
        Base::MicrogramPerCubicMetre => "µg/m³",
        Base::MilligramPerCubicMetre => "mg/m³",
        Base::MetrePerSecondSquared => "m/s²",
        Base::Degree => "°",
        Base::Microradian => "µrad",
        Base::Number => "",
        other => other.symbol(),
    };
    if unit.per_hour { format!("{base}/h") } else { base.to_owned() }
}

fn amount_to(value: f64, unit: Unit, decimals: usize) -> String {
    let shown = number(value, decimals);
    match symbol(unit).as_str() {
        "" => shown,
        symbol => format!("{shown} {symbol}"),
    }
}

/// Rounded, and never `-0`.
fn number(value: f64, decimals: usize) -> String {
    let shown = format!("{value:.decimals$}");
    match shown.strip_prefix('-') {
        Some(rest) if rest.bytes().all(|c| c == b'0' || c == b'.') => rest.to_owned(),
        _ => shown,
    }
}

/// What a sensor of that unit can commonly tell apart.
fn decimals(unit: Unit) -> usize {
    match unit.base {
        Base::Metre | Base::Kilometre | Base::Foot | Base::Inch | Base::Bar | Base::Volt | Base::Number => 2,
        Base::Celsius
        | Base::Fahrenheit
        | Base::Kelvin
        | Base::MetrePerSecond
        | Base::KilometrePerHour
        | Base::Knot
        | Base::Hectopascal
        | Base::Kilopascal
        | Base::Percent
        | Base::Centimetre
        | Base::Millimetre
        | Base::CubicMetrePerSecond
        | Base::LitrePerSecond
        | Base::PartPerMillion
        | Base::MicrogramPerCubicMetre
        | Base::MilligramPerCubicMetre
        | Base::Gal
        | Base::Degree
        | Base::Microradian
        | Base::Millivolt => 1,
        Base::Pascal => 0,
        Base::Part | Base::MetrePerSecondSquared | Base::Gravity => 3,
    }
}

/// Seconds east of UTC at an instant of civil time.
fn east(civil: Timestamp, settings: &Settings) -> i64 {
    (settings.local(civil) - civil).0 / 1_000_000
}

fn offset(east: i64) -> String {
    let sign = if east < 0 { '-' } else { '+' };
    format!("{sign}{:02}:{:02}", east.abs() / 3600, east.abs() % 3600 / 60)
}

fn format(instant: Timestamp, pattern: &str) -> Option<String> {
    let instant = jiff::Timestamp::from_microsecond(instant.0).ok()?;
    Some(jiff::tz::TimeZone::UTC.to_datetime(instant).strftime(pattern).to_string())
}

/// Local date and time to the minute; `None` outside all calendars.
pub fn local(civil: Timestamp, settings: &Settings) -> Option<String> {
    format(settings.local(civil), "%Y-%m-%d %H:%M")
}

/// Local time of the day: `07:05`.
pub fn clock(civil: Timestamp, settings: &Settings) -> String {
    format(settings.local(civil), "%H:%M").unwrap_or_default()
}

/// `UTC+08:00`.
pub fn utc_offset(civil: Timestamp, settings: &Settings) -> String {
    format!("UTC{}", offset(east(civil, settings)))
}

/// RFC 3339 in UTC, to the second.
pub fn rfc3339_utc(civil: Timestamp) -> String {
    format(civil, "%Y-%m-%dT%H:%M:%SZ").unwrap_or_default()
}

/// RFC 3339 with the site's offset, to the second.
pub fn rfc3339_local(civil: Timestamp, settings: &Settings) -> String {
    let shown = format(settings.local(civil), "%Y-%m-%dT%H:%M:%S").unwrap_or_default();
    format!("{shown}{}", offset(east(civil, settings)))
}

/// The row of limits in force: of those that have begun and whose season
/// holds, the newest.
pub fn in_force<'a>(rows: &'a [LimitRow], civil: Timestamp, settings: &Settings) -> Option<&'a LimitRow> {
    let day: u16 = format(settings.local(civil), "%m%d").and_then(|day| day.parse().ok()).unwrap_or(0);
    let holds = |season: Option<(u16, u16)>| match season {
        None => true,
        Some((first, last)) if first <= last => (first..=last).contains(&day),
        Some((first, last)) => day >= first || day <= last,
    };
    rows.iter().filter(|row| row.from <= civil && holds(row.season)).max_by_key(|row| row.from)
}

/// A span as the standard library has it; never negative.
pub fn duration(span: Span) -> std::time::Duration {
    std::time::Duration::from_micros(span.0.max(0) as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use forewarn_core::plan::ZoneOffset;

    #[test]
    fn names_lose_what_could_deceive() {
        for (text, shown) in [
            ("曲江", "曲江"),
            ("X\r\nBcc: v@x", "X  Bcc: v@x"),
            ("a\u{202e}gnp.exe\u{202c}", "agnp.exe"),
            ("\u{2066}a\u{2069}\u{0}\u{1b}[31m", "a[31m"),
            ("{{secrets}}", "{{secrets}}"),
        ] {
            assert_eq!(clean(text), shown);
        }
        assert_eq!(clean(&"x".repeat(10_000)).chars().count(), SHOWN_MAX + 1);
    }

    #[test]
    fn numbers_keep_their_unit_and_precision() {
        let unit = |text| Unit::parse(text).expect(text);
        for (shown, expected) in [
            (amount(59.1, unit("m")), "59.10 m"),
            (amount(-0.001, unit("m")), "0.00 m"),
            (amount(1234.56, unit("m3/s")), "1234.6 m³/s"),
            (amount(0.62, unit("m/h")), "0.62 m/h"),
            (limit(59.0, unit("m")), "59.00 m"),
            (limit(59.125, unit("m")), "59.125 m"),
            (limit(0.1 + 0.2, unit("m")), "0.30 m"),
            (trend(0.62, unit("m")), "+0.62 m/h"),
            (trend(-1.04, unit("°C")), "-1.0 °C/h"),
            (amount(3.0, unit("1")), "3.00"),
        ] {
            assert_eq!(shown, expected);
        }
        assert!(is_steady(0.004, unit("m")) && !is_steady(0.006, unit("m")));
    }

    #[test]
    fn times_show_the_offset_of_their_own_day() {
        let summer = Timestamp::from_secs(1_774_746_000); // 2026-03-29T01:00:00Z
        let settings = Settings {
            zone: "Europe/Zurich".into(),
            offsets: vec![
                ZoneOffset { from: Timestamp::MIN, east_secs: 3600 },
                ZoneOffset { from: summer, east_secs: 7200 },
            ],
            ..Settings::default()
        };
        let before = summer - Span::from_secs(1);
        assert_eq!(rfc3339_local(before, &settings), "2026-03-29T01:59:59+01:00");
        assert_eq!(rfc3339_local(summer, &settings), "2026-03-29T03:00:00+02:00");
        assert_eq!(rfc3339_utc(summer), "2026-03-29T01:00:00Z");
        assert_eq!(utc_offset(summer, &settings), "UTC+02:00");
        assert_eq!(utc_offset(summer, &Settings::default()), "UTC+00:00");
        assert_eq!(local(Timestamp::MAX, &settings), None);
    }

    #[test]
    fn the_newest_row_of_the_season_is_in_force() {
        let row = |from, season, yellow| LimitRow {
            from: Timestamp::from_secs(from),
            season,
            levels: [None, Some(yellow), None, None],
        };
        let rows = [
            row(0, None, 1.0),
            row(100, Some((1101, 228)), 2.0),
            row(200, Some((601, 930)), 3.0),
            row(1 << 40, None, 9.0),
        ];
        let check = |secs: i64, yellow: f64| {
            let found = in_force(&rows, Timestamp::from_secs(secs), &Settings::default()).expect("a row");
            assert_eq!(found.levels[1], Some(yellow));
        };
        check(50, 1.0);
        check(1_767_225_600, 2.0); // 2026-01-01, in a season over New Year
        check(1_783_987_200, 3.0); // 2026-07-14
        check(1_777_593_600, 1.0); // 2026-05-01: no season
    }
}
