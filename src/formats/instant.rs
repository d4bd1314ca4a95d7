//! Times as devices write them: RFC 3339, or a number since 1970 in a unit
//! told by its magnitude.

use forewarn_core::time::Timestamp;

/// What a number since 1970 counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum EpochUnit {
    /// Told by magnitude: below 1e11 seconds, 1e14 milliseconds, 1e17 microseconds, else nanoseconds.
    #[default]
    ByMagnitude,
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

impl EpochUnit {
    /// Reads `s`, `ms`, `us` or `ns`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        match text {
            "s" => Ok(EpochUnit::Seconds),
            "ms" => Ok(EpochUnit::Millis),
            "us" => Ok(EpochUnit::Micros),
            "ns" => Ok(EpochUnit::Nanos),
            other => Err(format!("time unit {other:?} is none, expected s, ms, us or ns")),
        }
    }

    fn of(self, magnitude: f64) -> Self {
        match self {
            EpochUnit::ByMagnitude if magnitude < 1e11 => EpochUnit::Seconds,
            EpochUnit::ByMagnitude if magnitude < 1e14 => EpochUnit::Millis,
            EpochUnit::ByMagnitude if magnitude < 1e17 => EpochUnit::Micros,
            EpochUnit::ByMagnitude => EpochUnit::Nanos,
            named => named,
        }
    }

    fn word(self) -> &'static str {
        match self {
            EpochUnit::ByMagnitude => "a unit told by its magnitude",
            EpochUnit::Seconds => "seconds",
            EpochUnit::Millis => "milliseconds",
            EpochUnit::Micros => "microseconds",
            EpochUnit::Nanos => "nanoseconds",
        }
    }

    fn outside(self, number: impl std::fmt::Display) -> String {
        format!(
            "time {number} in {} is outside the years 1 to 9999, expected a smaller number or another unit",
            self.word()
        )
    }

    /// A whole number in this unit as an instant.
    pub(super) fn whole(self, number: i128) -> Result<Timestamp, String> {
        let micros = match self.of(number.unsigned_abs() as f64) {
            EpochUnit::ByMagnitude | EpochUnit::Seconds => number.saturating_mul(1_000_000),
            EpochUnit::Millis => number.saturating_mul(1_000),
            EpochUnit::Micros => number,
            EpochUnit::Nanos => number.div_euclid(1_000),
        };
        bounded(micros).ok_or_else(|| self.outside(number))
    }

    /// A number with a fraction in this unit as an instant.
    pub(super) fn fraction(self, number: f64) -> Result<Timestamp, String> {
        let micros = match self.of(number.abs()) {
            EpochUnit::ByMagnitude | EpochUnit::Seconds => number * 1e6,
            EpochUnit::Millis => number * 1e3,
            EpochUnit::Micros => number,
            EpochUnit::Nanos => number / 1e3,
        };
        // `as` saturates, so an absurd number is outside the bounds as well; NaN is refused by name.
        let inside = if micros.is_nan() { None } else { bounded(micros.round() as i128) };
        inside.ok_or_else(|| self.outside(number))
    }
}

/// 0001-01-01 and 10000-01-01 in microseconds since 1970.
const YEARS: std::ops::Range<i128> = -62_135_596_800_000_000..253_402_300_800_000_000;

fn bounded(micros: i128) -> Option<Timestamp> {
    YEARS.contains(&micros).then_some(Timestamp(micros as i64))
}

/// How far a local time is ahead of UTC, in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct ZoneOffset(i64);

impl ZoneOffset {
    /// Reads `+08:00`, `-0330` or `Z`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut rest = Digits(text.as_bytes());
        rest.offset()
            .filter(|_| rest.0.is_empty())
            .ok_or_else(|| format!("zone offset {text:?} is not understood, expected one such as \"+08:00\""))
    }
}

/// What a time without a zone means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zoneless {
    /// It is local, so far ahead of UTC.
    At(ZoneOffset),
    /// Nothing: it is a fault.
    Refused {
        /// What helps, in brackets behind the fault; empty where nothing is known.
        hint: &'static str,
    },
}

impl Default for Zoneless {
    fn default() -> Self {
        Zoneless::Refused { hint: "" }
    }
}

/// Reads RFC 3339; a time without zone only where `zoneless` says what it means.
pub(super) fn rfc3339(text: &str, zoneless: Zoneless) -> Result<Timestamp, String> {
    let expected =
        || format!("time {text:?} is not understood, expected RFC 3339 such as \"2026-07-01T08:00:00Z\"");
    let mut rest = Digits(text.as_bytes());
    let (days, micros) = rest.date_and_time().ok_or_else(expected)?;
    let offset = if rest.0.is_empty() {
        match zoneless {
            Zoneless::At(offset) => offset,
            Zoneless::Refused { hint } => {
                return Err(format!("time {text:?} has no zone, expected one such as Z or +08:00{hint}"));
            }
        }
    } else {
        rest.offset().filter(|_| rest.0.is_empty()).ok_or_else(expected)?
    };
    bounded(i128::from(days * 86_400_000_000 + micros - offset.0 * 1_000_000)).ok_or_else(expected)
}

struct Digits<'a>(&'a [u8]);

impl Digits<'_> {
    fn take(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn one_of(&mut self, wanted: &[u8]) -> Option<u8> {
        self.take().filter(|byte| wanted.contains(byte))
    }

    fn number(&mut self, digits: usize) -> Option<i64> {
        let mut number = 0;
        for _ in 0..digits {
            let byte = self.take().filter(u8::is_ascii_digit)?;
            number = number * 10 + i64::from(byte - b'0');
        }
        Some(number)
    }

    /// Days since 1970 and microseconds of the day.
    fn date_and_time(&mut self) -> Option<(i64, i64)> {
        let year = self.number(4)?;
        self.one_of(b"-")?;
        let month = self.number(2)?;
        self.one_of(b"-")?;
        let day = self.number(2)?;
        self.one_of(b"Tt ")?;
        let hour = self.number(2)?;
        self.one_of(b":")?;
        let minute = self.number(2)?;
        let mut second = 0;
        let mut micros = 0;
        // The seconds may be left out, as ISO 8601 allows and small devices do.
        if self.0.first() == Some(&b':') {
            self.take();
            second = self.number(2)?;
            micros = self.fraction()?;
        }
        // 60 is a leap second: the first instant of the next minute.
        if hour > 23 || minute > 59 || second > 60 || !(1..=days_in(year, month)?).contains(&day) {
            return None;
        }
        Some((days_from_civil(year, month, day), ((hour * 60 + minute) * 60 + second) * 1_000_000 + micros))
    }

    /// What follows a point or a comma, in microseconds; finer digits are cut.
    fn fraction(&mut self) -> Option<i64> {
        if !matches!(self.0.first(), Some(b'.' | b',')) {
            return Some(0);
        }
        self.take();
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (mut micros, mut weight) = (0, 100_000);
        for _ in 0..digits {
            micros += self.number(1)? * weight;
            weight /= 10;
        }
        (digits > 0).then_some(micros)
    }

    fn offset(&mut self) -> Option<ZoneOffset> {
        let sign = match self.one_of(b"Zz+-")? {
            b'-' => -1,
            b'+' => 1,
            _ => return Some(ZoneOffset(0)),
        };
        let hours = self.number(2)?;
        if self.0.first() == Some(&b':') {
            self.take();
        }
        let minutes = self.number(2)?;
        (hours <= 23 && minutes <= 59).then_some(ZoneOffset(sign * (hours * 3600 + minutes * 60)))
    }
}

fn days_in(year: i64, month: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => Some(31),
        4 | 6 | 9 | 11 => Some(30),
        2 => Some(if leap { 29 } else { 28 }),
        _ => None,
    }
}

/// Days since 1970 of a date of the Gregorian calendar (Hinnant, "chrono-compatible
/// low-level date algorithms": years begin in March, so that the leap day is their last).
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc_3339_reads_as_the_calendar_has_it() {
        for text in [
            "2026-07-01T08:00:00Z",
            "2026-07-01T16:00:00.123456+08:00",
            "1989-09-22T04:06:00-04:00",
            "2024-02-29T23:59:59.9Z",
            "2000-03-01T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "1900-03-01T00:00:00Z",
        ] {
            let jiff: jiff::Timestamp = text.parse().expect(text);
            assert_eq!(rfc3339(text, Zoneless::default()), Ok(Timestamp(jiff.as_microsecond())), "{text}");
        }
    }

    #[test]
    fn a_local_time_needs_its_zone() {
        let east = ZoneOffset::parse("+08:00").expect("offset");
        assert_eq!(
            rfc3339("2026-07-01T16:00", Zoneless::At(east)),
            rfc3339("2026-07-01T08:00:00Z", Zoneless::default())
        );
        let fault =
            rfc3339("2026-07-01T16:00:00", Zoneless::Refused { hint: " (or so)" }).expect_err("no zone");
        assert!(fault.ends_with("has no zone, expected one such as Z or +08:00 (or so)"), "{fault}");
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "yesterday",
            "2026-13-01T00:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-07-01T24:00:00Z",
            "2026-07-01T08:00:00Zx",
            "2026-07-01T08:00:00.Z",
            "2026-07-01",
            "2026-07-01T08:00:00+8",
            "２026-07-01T08:00:00Z",
        ] {
            assert!(rfc3339(text, Zoneless::default()).is_err(), "{text}");
        }
    }

    #[test]
    fn the_unit_of_an_epoch_is_told_by_its_magnitude() {
        let expected = Timestamp(1_782_892_800_000_000);
        for number in
            [1_782_892_800, 1_782_892_800_000, 1_782_892_800_000_000, 1_782_892_800_000_000_000_i128]
        {
            assert_eq!(EpochUnit::ByMagnitude.whole(number), Ok(expected), "{number}");
        }
        assert_eq!(EpochUnit::ByMagnitude.fraction(1_782_892_800.5), Ok(Timestamp(expected.0 + 500_000)));
        assert_eq!(EpochUnit::Millis.whole(86_400_000), Ok(Timestamp::from_secs(86_400)));
        assert!(EpochUnit::Seconds.whole(i128::from(u64::MAX)).is_err());
        assert!(EpochUnit::Seconds.fraction(1e300).is_err());
    }
}
