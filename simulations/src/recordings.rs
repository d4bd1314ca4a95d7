//! Real disasters as instruments recorded them; their figures ship with their citation.

use std::fmt;

use forewarn_core::time::{Span, Timestamp};

use crate::{Sent, in_order};

/// A recorded disaster.
#[derive(Debug, Clone, Copy)]
pub struct Recording {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it was.
    pub title: &'static str,
    /// Who measured it, and on what terms it may be passed on.
    pub citation: &'static str,
    /// Each gauge's station, name, and its file.
    pub gauges: &'static [RecordedGauge],
}

/// One gauge of a recording.
#[derive(Debug, Clone, Copy)]
pub struct RecordedGauge {
    /// Its station.
    pub station: &'static str,
    /// Its name.
    pub name: &'static str,
    /// Degrees north and east.
    pub place: (f64, f64),
    csv: &'static str,
}

/// Every recording that ships.
pub const RECORDINGS: &[Recording] = &[Recording {
    name: "hugo-1989",
    title: "Hurricane Hugo, storm surge of 21-22 September 1989 in the Carolinas",
    citation: "NOAA CO-OPS, verified hourly heights of stations 8665530, 8658120 and 8656483 (public domain)",
    gauges: &[
        RecordedGauge {
            station: "coops-8665530",
            name: "Charleston, SC",
            place: (32.7807, -79.9235),
            csv: include_str!("../recordings/hugo-1989/coops-8665530.csv"),
        },
        RecordedGauge {
            station: "coops-8658120",
            name: "Wilmington, NC",
            place: (34.2274, -77.9535),
            csv: include_str!("../recordings/hugo-1989/coops-8658120.csv"),
        },
        RecordedGauge {
            station: "coops-8656483",
            name: "Beaufort, NC",
            place: (34.72, -76.67),
            csv: include_str!("../recordings/hugo-1989/coops-8656483.csv"),
        },
    ],
}];

/// The file is not as a recording should be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRecording {
    /// Whose file: the gauge's station.
    pub station: &'static str,
    /// Line in the file, from 1.
    pub line: usize,
    /// The line.
    pub text: String,
}

impl fmt::Display for BadRecording {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let BadRecording { station, line, text } = self;
        write!(f, "{station}.csv:{line}: {text:?}, expected time,value as in 1989-09-21T23:00:00Z,2.4")
    }
}

impl std::error::Error for BadRecording {}

impl Recording {
    /// The recording of a name.
    pub fn find(name: &str) -> Option<&'static Recording> {
        RECORDINGS.iter().find(|recording| recording.name == name)
    }

    /// Its readings in order, each sent when it was measured.
    pub fn play(&self) -> Result<Vec<Sent>, BadRecording> {
        let mut sent = Vec::new();
        for gauge in self.gauges {
            for (number, line) in gauge.csv.lines().enumerate().skip(1).filter(|(_, line)| !line.is_empty()) {
                let bad = || BadRecording { station: gauge.station, line: number + 1, text: line.to_owned() };
                let (observed, value) = row(line).ok_or_else(bad)?;
                sent.push(Sent {
                    at: observed,
                    observed,
                    station: gauge.station.into(),
                    quantity: "level".into(),
                    value,
                });
            }
        }
        Ok(in_order(sent))
    }
}

fn row(line: &str) -> Option<(Timestamp, f64)> {
    let mut cells = line.split(',');
    Some((instant(cells.next()?)?, cells.next()?.trim().parse().ok()?))
}

/// `1989-09-21T23:00:00Z`, and nothing else.
fn instant(text: &str) -> Option<Timestamp> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let numbers = |text: &str, between: char| -> Option<[i64; 3]> {
        let mut parts = text.split(between).map(|part| part.parse().ok());
        Some([parts.next()??, parts.next()??, parts.next()??])
    };
    let [year, month, day] = numbers(date, '-')?;
    let [hour, minute, second] = numbers(time, ':')?;
    // Days from civil date (Hinnant 2014, public domain): years begin in March, so the leap day is last.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    Some(Timestamp::from_secs(days * 86_400) + Span::from_secs(hour * 3600 + minute * 60 + second))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_read_as_the_calendar_has_them() {
        for (text, secs) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1989-09-22T04:00:00Z", 622_440_000),
            ("2000-02-29T12:00:00Z", 951_825_600),
        ] {
            assert_eq!(instant(text), Some(Timestamp::from_secs(secs)), "{text}");
        }
        assert_eq!(instant("yesterday"), None);
    }

    #[test]
    fn hugo_rose_highest_at_charleston_at_landfall() {
        let hugo = Recording::find("hugo-1989").expect("it ships");
        let sent = hugo.play().expect("its files are whole");
        assert_eq!(sent.len(), 3 * 73);
        let highest = sent.iter().max_by(|a, b| a.value.total_cmp(&b.value)).expect("not empty");
        assert_eq!(highest.station, "coops-8665530");
        assert_eq!(highest.observed, Timestamp::from_secs(622_440_000));
    }
}
