//! Tells in the terminal what happens as it happens.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::Arc;

use forewarn_core::event::{Decision, Input};
use forewarn_core::level::Level;
use forewarn_core::plan::{Plan, Subject};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::{About, Kind, Reason, Revision};

use super::mailbox::Mail;
use crate::app::desk::cell_word;
use crate::cli::Paint;
use crate::log::Record;

/// Levels are told this often, in the world's time.
const LEVELS_EVERY: Span = Span::from_hours(1);

/// Width of the bar that shows how near a level is to red.
const BAR: usize = 8;

/// Tells a story to a writer.
pub(super) struct Narrator<'a> {
    out: &'a mut dyn Write,
    paint: Paint,
    plan: Arc<Plan>,
    stations: Vec<String>,
    latest: BTreeMap<String, (Timestamp, f64)>,
    next_levels: Timestamp,
    /// Every revision so far, for the summary.
    pub(super) revisions: Vec<Arc<Revision>>,
    /// Every mail so far.
    pub(super) mails: Vec<Mail>,
    /// How many readings the log holds.
    pub(super) readings: usize,
}

impl<'a> Narrator<'a> {
    /// Tells of these stations, in this order.
    pub(super) fn new(out: &'a mut dyn Write, paint: Paint, plan: Arc<Plan>, stations: Vec<String>) -> Self {
        Narrator {
            out,
            paint,
            plan,
            stations,
            latest: BTreeMap::new(),
            next_levels: Timestamp::MIN,
            revisions: Vec::new(),
            mails: Vec::new(),
            readings: 0,
        }
    }

    /// Tells what a record of the log brought.
    pub(super) fn record(&mut self, record: &Record) -> io::Result<()> {
        for input in &record.inputs {
            if let Input::Reading(reading) = input
                && let Some(sensor) = self.plan.sensor(reading.sensor)
            {
                self.readings += 1;
                self.latest.insert(sensor.id.to_string(), (reading.observed, reading.value));
            }
        }
        let now = record.at + record.offset;
        for (_, decision) in &record.decisions {
            match decision {
                Decision::Revision(revision) => {
                    self.revision(now, revision)?;
                    self.revisions.push(Arc::new(revision.clone()));
                }
                Decision::Trouble(report) => {
                    let sign = if report.present { "!" } else { "·" };
                    let word = if report.present { "trouble" } else { "trouble over" };
                    let text = format!(
                        "{word}: {} {} {}",
                        report.key.code.word(),
                        report.key.subject,
                        report.detail
                    );
                    self.line(now, sign, &text)?;
                }
                Decision::Incident(_)
                | Decision::WouldHave(_)
                | Decision::PlanRefused(_)
                | Decision::Resumed
                | Decision::Resent { .. }
                | Decision::Asked { .. }
                | Decision::Acknowledged { .. }
                | Decision::Refused(_)
                | Decision::Drafted(_)
                | Decision::Muted(_)
                | Decision::Noted(_)
                | Decision::Lapsed(_)
                | Decision::Canary(_) => {}
            }
        }
        Ok(())
    }

    /// Tells of mails as they are written.
    pub(super) fn mails(&mut self, mails: Vec<Mail>) -> io::Result<()> {
        for mail in mails {
            let file = mail.file.file_name().unwrap_or_default().to_string_lossy().into_owned();
            writeln!(self.out, "                 ✉ {file}  {}  {}", mail.to, mail.subject)?;
            self.mails.push(mail);
        }
        Ok(())
    }

    /// Tells the levels, once an hour.
    pub(super) fn levels(&mut self, now: Timestamp) -> io::Result<()> {
        if now < self.next_levels {
            return Ok(());
        }
        self.next_levels = now + LEVELS_EVERY;
        let mut cells = Vec::new();
        for station in &self.stations {
            let id = format!("{station}/level");
            cells.push(match self.latest.get(&id) {
                Some((observed, value)) if now - *observed <= LEVELS_EVERY => {
                    let (bar, level) = self.bar(&id, *value);
                    let level = match level {
                        Level::Normal => format!("{:<6}", ""),
                        level => self.paint.level(level) + &" ".repeat(6 - level.word().len()),
                    };
                    format!("{station} {value:6.2} m {bar} {level}")
                }
                Some(_) => format!("{station}   no data {:BAR$} {:<6}", "", ""),
                None => format!("{station}        — {:BAR$} {:<6}", "", ""),
            });
        }
        let text = cells.join("  ");
        self.line(now, " ", &text)
    }

    /// A bar from well below the lowest limit up to red, and the level that the value alone has.
    fn bar(&self, id: &str, value: f64) -> (String, Level) {
        let of_sensor =
            |subject: &&Subject| self.plan.sensor(subject.sensor).is_some_and(|sensor| *sensor.id == *id);
        let row = self
            .plan
            .rules
            .iter()
            .flatten()
            .flat_map(|rule| &rule.subjects)
            .find(of_sensor)
            .and_then(|subject| subject.limits.first());
        let Some(limits) = row.map(|row| row.levels) else { return (String::new(), Level::Normal) };
        let [Some(low), .., Some(high)] = limits else { return (String::new(), Level::Normal) };
        let foot = low - (high - low);
        let part = ((value - foot) / (high - foot)).clamp(0.0, 1.0);
        let full = (part * BAR as f64).round() as usize;
        let level = Level::WARNING
            .into_iter()
            .zip(limits)
            .filter(|(_, limit)| limit.is_some_and(|limit| value >= limit))
            .map(|(level, _)| level)
            .next_back()
            .unwrap_or_default();
        ("▇".repeat(full) + &"·".repeat(BAR - full), level)
    }

    fn revision(&mut self, now: Timestamp, revision: &Revision) -> io::Result<()> {
        let sign = match (revision.kind, revision.reason) {
            (Kind::AllClear | Kind::Cancel, _) => "✓",
            (Kind::Alert | Kind::Update, reason) => match reason {
                Reason::Blind | Reason::Intermittent => "?",
                Reason::Downgraded => "▼",
                Reason::Renewed | Reason::Seen | Reason::Corrected | Reason::EndsSoon => "·",
                Reason::Raised
                | Reason::Upgraded
                | Reason::Eased
                | Reason::Unconfirmed
                | Reason::Orphaned
                | Reason::EndedByHand
                | Reason::InError
                | Reason::TroubleRaised
                | Reason::TroubleEnded
                | Reason::NotifyTest
                | Reason::Canary
                | Reason::Manual => "▲",
            },
        };
        let about = match &revision.about {
            About::Incident(cell) => cell_word(&self.plan, *cell),
            About::Trouble(key) => format!("operator: {} {}", key.code.word(), key.subject),
            About::NotifyTest => "test of notification".into(),
            About::Canary(_) => "canary".into(),
            About::Manual(_) => "by hand".into(),
        };
        let measured = revision.evidence.first().and_then(|evidence| {
            let value = evidence.measured?;
            let trend = evidence.trend.map_or_else(String::new, |trend| format!(", {trend:+.2} m/h"));
            // A level that is only held is measured against another limit than its own.
            let limit = evidence.limit.filter(|_| evidence.level == revision.level);
            let limit = limit.map_or_else(String::new, |limit| format!(" (limit {limit:.2} m)"));
            Some(format!(": {value:.2} m{limit}{trend}"))
        });
        let text = format!(
            "{} {} #{} {} {}{} → {}",
            revision.kind.word().to_uppercase(),
            self.paint.level(revision.level),
            revision.number,
            reason_word(revision.reason),
            about,
            measured.unwrap_or_default(),
            self.ways(revision),
        );
        self.line(now, sign, &text)
    }

    /// How many it goes to, by each way.
    fn ways(&self, revision: &Revision) -> String {
        let mut ways = BTreeMap::<&str, usize>::new();
        for target in revision.due.iter().filter_map(|due| self.plan.target(due.target)) {
            *ways.entry(&target.channel).or_default() += 1;
        }
        let ways: Vec<String> = ways.iter().map(|(channel, count)| format!("{count} {channel}")).collect();
        if ways.is_empty() { "nobody".to_owned() } else { ways.join(", ") }
    }

    fn line(&mut self, now: Timestamp, sign: &str, text: &str) -> io::Result<()> {
        writeln!(self.out, "{}  {sign} {text}", clock_word(&self.plan, now))?;
        // A story that comes all at once is none.
        self.out.flush()
    }
}

/// Day and time as the clocks at the site show it.
pub(super) fn clock_word(plan: &Plan, civil: Timestamp) -> String {
    let local = plan.settings.local(civil);
    jiff::Timestamp::from_microsecond(local.0)
        .map_or_else(|_| String::new(), |at| at.strftime("%m-%d %H:%M").to_string())
}

/// A reason in a few words.
pub(super) fn reason_word(reason: Reason) -> &'static str {
    match reason {
        Reason::Raised => "raised",
        Reason::Upgraded => "upgraded",
        Reason::Downgraded => "downgraded",
        Reason::Blind => "can no longer be seen",
        Reason::Seen => "can be seen again",
        Reason::Intermittent => "seen and lost, again and again",
        Reason::Renewed => "still standing",
        Reason::Eased => "over",
        Reason::Unconfirmed => "not confirmed, over",
        Reason::Orphaned => "no rule left",
        Reason::EndedByHand => "ended by hand",
        Reason::InError => "issued in error",
        Reason::TroubleRaised => "trouble",
        Reason::TroubleEnded => "trouble over",
        Reason::NotifyTest => "test",
        Reason::Canary => "canary",
        Reason::Corrected => "corrected",
        Reason::Manual => "by hand",
        Reason::EndsSoon => "ends soon",
    }
}
