//! One rule on one subject: what it says, and when that is news.

mod rest;

use minicbor::{Decode, Encode};

use super::ladder::{Gathering, Rising};
use super::limits::reaches;
use super::trace::{Bench, Trace, in_rule_unit, is_saturated, limits, trend};
use super::window::{Ring, Sample};
use crate::finding::{Finding, Found, Pending, Verdict, Why, WouldHave};
use crate::ids::{RuleIx, SensorIx};
use crate::level::Level;
use crate::plan::{Plan, Rule, Subject};
use crate::reading::{Flag, Marks};
use crate::time::{Moment, Timestamp};

pub(crate) use self::rest::Rest;

/// Readings that evidence of trend rests on, at most.
pub(crate) const EVIDENCE_READINGS: usize = 16;

/// Why a sensor says nothing at all, and since when (civil time).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct Blind {
    #[n(0)]
    pub(crate) why: Why,
    #[n(1)]
    pub(crate) since: Timestamp,
}

/// A level that one reading made the rule reach.
#[derive(Debug, Clone, Copy, PartialEq, Encode, Decode)]
struct Rise {
    #[n(0)]
    level: Level,
    #[n(1)]
    observed: Timestamp,
    #[n(2)]
    measured: f64,
}

/// One rule on one subject.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(crate) struct Judge {
    #[n(0)]
    pub(crate) rule: RuleIx,
    /// Which of the rule's subjects it is.
    #[n(1)]
    pub(crate) subject: u32,
    #[n(2)]
    settled: Trace,
    #[n(3)]
    tip: Trace,
    /// The highest level reached that could still be told in time.
    #[n(4)]
    told: Level,
    /// Level and reading of the last entry in the ledger.
    #[n(5)]
    would: Option<(Level, Timestamp)>,
    /// What was said last.
    #[n(6)]
    pub(crate) said: Option<Finding>,
    /// Whether the tip was ever made: a rule that comes to a window in use begins with what is not settled.
    #[n(7)]
    begun: bool,
    /// Civil time of the newest reading at which it stood in breach; `MIN` for none.
    #[n(8)]
    breached: Timestamp,
    /// A level that a reading reached which came late, though not too late to
    /// warn, behind newer ones that do not; stands until the next reading.
    #[n(9)]
    late: Option<Rise>,
}

/// What a conclusion rests on besides the judge's own memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing<'a> {
    pub(crate) ring: &'a Ring,
    pub(crate) blind: Option<Blind>,
    /// Engine time of the newest arrival that was judged.
    pub(crate) heard: Timestamp,
}

impl Judge {
    pub(crate) fn new(rule: RuleIx, subject: u32, moment: Moment) -> Judge {
        let trace = Trace::new(moment);
        Judge {
            rule,
            subject,
            settled: trace.clone(),
            tip: trace,
            told: Level::Normal,
            would: None,
            said: None,
            begun: false,
            breached: Timestamp::MIN,
            late: None,
        }
    }

    /// The same judge where a new plan counts the rule's subjects otherwise.
    pub(crate) fn as_subject(&self, subject: u32) -> Judge {
        Judge { subject, ..self.clone() }
    }

    /// Reads of what it remembers one word in each line of memory.
    pub(crate) fn touch(&self) -> impl Sized + use<> {
        let ladders = (self.settled.ladder.onset, self.tip.ladder.onset);
        (ladders, self.settled.turned, self.tip.turned, self.breached, self.said.map(|said| said.observed))
    }

    /// The rule and the subject; `None` only for a plan that this judge was not made for.
    fn terms<'p>(&self, plan: &'p Plan) -> Option<(&'p Rule, &'p Subject)> {
        let rule = plan.rule(self.rule)?;
        Some((rule, rule.subjects.get(self.subject as usize)?))
    }

    /// Takes a reading that no late one can precede any more into the settled memory.
    pub(crate) fn settle(&mut self, ring: &Ring, number: u64, bench: &Bench<'_>) {
        if let Some((rule, subject)) = self.terms(bench.plan) {
            self.settled.advance(ring, number, rule, subject, bench);
        }
    }

    /// Judges the newest reading, numbered `arrived`, which came in order.
    pub(crate) fn extend(
        &mut self,
        ring: &Ring,
        unsettled: u64,
        arrived: u64,
        bench: &Bench<'_>,
        found: &mut Vec<Found>,
    ) {
        if self.begun {
            self.run(ring, arrived, arrived, bench, found);
        } else {
            self.rebuild(ring, unsettled, arrived, bench, found);
        }
    }

    /// Judges every reading that is not settled anew, because order broke; the
    /// one numbered `arrived` is new.
    pub(crate) fn rebuild(
        &mut self,
        ring: &Ring,
        unsettled: u64,
        arrived: u64,
        bench: &Bench<'_>,
        found: &mut Vec<Found>,
    ) {
        self.tip = self.settled.clone();
        self.begun = true;
        self.run(ring, unsettled, arrived, bench, found);
    }

    /// Runs the tip over the readings from `from` on. What the new one made the
    /// rule reach too late to warn goes to the ledger.
    fn run(&mut self, ring: &Ring, from: u64, arrived: u64, bench: &Bench<'_>, found: &mut Vec<Found>) {
        let Some((rule, subject)) = self.terms(bench.plan) else { return };
        self.late = None;
        let mut highest: Option<Rise> = None;
        let mut soundest: Option<Rise> = None;
        // A late reading that breaches nothing only takes back; what rises after it had risen before.
        let mut breaches = false;
        for number in from..ring.end() {
            let before = (self.tip.ladder.all.level(), self.tip.ladder.sound.level());
            self.tip.advance(ring, number, rule, subject, bench);
            let after = (self.tip.ladder.all.level(), self.tip.ladder.sound.level());
            breaches |= number == arrived && self.tip.ladder.all.reached_something();
            let Some(sample) = ring.get(number).filter(|_| breaches) else { continue };
            let rises = |level: Level, before: Level, highest: Option<Rise>| {
                let is_higher = level > before && highest.is_none_or(|rise| level > rise.level);
                let measured = self.tip.measured.unwrap_or(sample.value);
                if is_higher { Some(Rise { level, observed: sample.observed, measured }) } else { highest }
            };
            highest = rises(after.0, before.0, highest);
            // Only what would have been told as it is: a breach that rests on sound values alone.
            if self.tip.verdict == Verdict::Breach(after.1) {
                soundest = rises(after.1, before.1, soundest);
            }
        }
        self.told = self.tip.ladder.told(self.told, bench.oldest());
        let Some(marks) = ring.get(arrived).map(|sample| sample.marks) else { return };
        if marks.has(Marks::RETAINED) {
            return;
        }
        // Lateness revises, it never silences: in its order it would have warned.
        let is_news = !marks.has(Marks::HISTORICAL);
        self.late =
            soundest.filter(|rise| is_news && rise.level > self.told && rise.observed >= bench.oldest());
        let warns = self.late.map_or(self.told, |late| late.level);
        if let Some(rise) = highest.filter(|rise| rise.level > warns) {
            self.note(rise, bench, found);
        }
    }

    fn note(&mut self, rise: Rise, bench: &Bench<'_>, found: &mut Vec<Found>) {
        let entry = (rise.level, rise.observed);
        if self.would != Some(entry) {
            self.would = Some(entry);
            found.push(Found::WouldHave(WouldHave {
                rule: self.rule,
                sensor: bench.ix,
                level: rise.level,
                observed: rise.observed,
                measured: rise.measured,
            }));
        }
    }

    /// Notes what a good reading behind the watermark would have reached by
    /// itself; only where the newest value is all that the rule measures.
    pub(crate) fn missed(&mut self, sample: &Sample, bench: &Bench<'_>, found: &mut Vec<Found>) {
        let Some((rule, subject)) = self.terms(bench.plan) else { return };
        let kind = rule.kind.as_dyn();
        if !sample.is_good() || kind.measures_rate() || kind.needs().readings > 1 {
            return;
        }
        let measured = in_rule_unit(sample.value, rule, bench.sensor);
        let limits = limits(rule, subject, sample.observed, bench);
        let reached = Level::WARNING
            .into_iter()
            .zip(limits)
            .rfind(|(_, limit)| limit.is_some_and(|limit| reaches(rule.side, measured, limit)));
        if let Some((level, _)) = reached {
            self.note(Rise { level, observed: sample.observed, measured }, bench, found);
        }
    }

    /// Says where the rule stands, if that is news.
    pub(crate) fn conclude(&mut self, standing: Standing<'_>, bench: &Bench<'_>, found: &mut Vec<Found>) {
        let Some((rule, subject)) = self.terms(bench.plan) else { return };
        let finding = self.finding(standing, rule, subject, bench);
        if finding.tip.level() > Level::Normal {
            self.breached = self.breached.max(finding.observed);
        }
        let is_awaited = self.is_awaited(finding.observed, rule, bench);
        let values = if is_awaited { Values::Count } else { Values::OnlyInBreach };
        if self.said.is_none_or(|said| is_news(&said, &finding, values)) {
            // It looks back over the whole window, and is no news by itself: worked out only to be told.
            let finding = Finding { trend: trend(standing.ring, bench.sensor.interval), ..finding };
            self.said = Some(finding);
            found.push(Found::Finding(finding));
        }
    }

    /// Whether an all-clear is awaited: people are told how it stands now.
    fn is_awaited(&self, now: Timestamp, rule: &Rule, bench: &Bench<'_>) -> bool {
        let awaited = rule.hold + bench.sensor.lateness + bench.sensor.lateness + bench.sensor.interval;
        self.breached > Timestamp::MIN && now <= self.breached + awaited
    }

    /// What it said last.
    pub(crate) fn said(&self) -> Option<Found> {
        self.said.map(Found::Finding)
    }

    /// The limits that a reading of this moment would be held against.
    pub(crate) fn limits_now(&self, bench: &Bench<'_>) -> [Option<f64>; 4] {
        let terms = self.terms(bench.plan);
        terms.map_or([None; 4], |(rule, subject)| limits(rule, subject, bench.moment.civil(), bench))
    }

    /// What a rule or a sensor that has left the plan says last.
    pub(crate) fn removed(&self, sensor: SensorIx, moment: Moment) -> Finding {
        let verdict = Verdict::Unknown(Why::Removed);
        Finding {
            tip: verdict,
            settled: verdict,
            since: moment.civil(),
            ..nothing(self.rule, sensor, moment)
        }
    }

    /// All but the trend.
    fn finding(&self, standing: Standing<'_>, rule: &Rule, subject: &Subject, bench: &Bench<'_>) -> Finding {
        let ladder = &self.tip.ladder;
        let newest = standing.ring.newest();
        let tip = self.tip_verdict(standing, bench);
        let level = tip.level();
        let rising = ladder.pending(self.told, bench.oldest(), rule);
        let pending = rising.map(|rising| pending(rising, standing, bench));
        let sound = ladder.sound.level().min(self.told);
        // A late breach is told as what it was when it was: newer readings do not stand so high.
        let late = self.late.filter(|late| tip == Verdict::Breach(late.level));
        let behind = late.map_or(newest, |late| standing.ring.at(late.observed));
        let limits = limits(rule, subject, behind.map_or(Timestamp::MIN, |behind| behind.observed), bench);
        let limit_of = |level: Level| level.index().checked_sub(1).and_then(|at| limits[at]);
        // Lost in a breach, it is still held against the limit it was over.
        let shown =
            if level == Level::Normal { pending.map_or(self.told, |pending| pending.level) } else { level };
        let saturated = behind.is_some_and(|behind| {
            is_saturated(&behind, rule.side, bench.sensor)
                && (late.is_some() || ladder.censored || behind.flag == Flag::Suspect)
        });
        // A reading that failed measured nothing, and the end of the span that it
        // lies beyond is no level that anybody saw.
        let said = newest.filter(|newest| saturated || newest.is_usable());
        let said = said.or_else(|| standing.ring.iter().rev().find(Sample::is_usable));
        let now = Finding {
            tip,
            settled: self.settled.verdict,
            firm: level > Level::Normal && self.is_firm(level, newest, rule, limit_of(level)),
            suspect: level > sound,
            since: match (tip, rising, standing.blind) {
                // What is on its way counts from its own first reading, however it looks until then.
                (_, Some(rising), _) => ladder.onset.unwrap_or(rising.met),
                (Verdict::Breach(_), None, _) => ladder.onset.unwrap_or(self.tip.turned),
                (Verdict::Clear | Verdict::Unknown(_), None, Some(blind)) => blind.since,
                (Verdict::Clear | Verdict::Unknown(_), None, None) => self.tip.turned,
            },
            pending,
            measured: self.tip.measured,
            limit: limit_of(shown).or_else(|| limits.into_iter().flatten().next()),
            observed: said.or(newest).map_or(Timestamp::default(), |sample| sample.observed),
            saturated,
            value: said.map(|sample| sample.value),
            sound,
            ..nothing(self.rule, bench.ix, bench.moment)
        };
        match late {
            Some(late) => Finding {
                firm: false,
                suspect: false,
                sound: late.level,
                since: late.observed,
                observed: late.observed,
                measured: Some(late.measured),
                value: behind.map(|behind| behind.value),
                ..now
            },
            None => now,
        }
    }

    /// The highest level that its readings reached, and not enough of them yet.
    pub(crate) fn gathering(&self, plan: &Plan) -> Option<Gathering> {
        self.tip.ladder.all.gathering(self.told, &plan.rule(self.rule)?.raise)
    }

    fn tip_verdict(&self, standing: Standing<'_>, bench: &Bench<'_>) -> Verdict {
        if let Some(blind) = standing.blind {
            return Verdict::Unknown(blind.why);
        }
        if let Some(late) = self.late {
            return Verdict::Breach(late.level);
        }
        let old = || standing.ring.newest().is_some_and(|newest| newest.observed < bench.oldest());
        match self.tip.verdict {
            Verdict::Unknown(why) => Verdict::Unknown(why),
            Verdict::Breach(_) | Verdict::Clear if self.told > Level::Normal => Verdict::Breach(self.told),
            Verdict::Breach(_) => Verdict::Unknown(Why::Old),
            Verdict::Clear if old() => Verdict::Unknown(Why::Old),
            Verdict::Clear => Verdict::Clear,
        }
    }

    /// Whether no reading that comes late can take the level back: the settled
    /// ones support it, or the newest good one reaches it by itself.
    fn is_firm(&self, level: Level, newest: Option<Sample>, rule: &Rule, limit: Option<f64>) -> bool {
        if self.settled.ladder.sound.level() >= level {
            return true;
        }
        let raise = rule.raise[level.index() - 1];
        let at_once = raise.m <= 1 && raise.lasting.0 <= 0 && rule.kind.as_dyn().needs().readings == 1;
        let reached = match (self.tip.measured, limit) {
            (Some(measured), Some(limit)) => reaches(rule.side, measured, limit),
            (None, _) | (_, None) => false,
        };
        at_once && reached && newest.is_some_and(|newest| newest.is_good())
    }
}

/// When a level on its way is due, by engine time.
fn pending(rising: Rising, standing: Standing<'_>, bench: &Bench<'_>) -> Pending {
    let Rising { level, met, lasting, sound } = rising;
    // By a clock that can be trusted, event time; else as much longer as is still missing.
    let due = if bench.moment.trusted {
        bench.moment.engine(met + lasting).clamp(standing.heard, standing.heard + lasting)
    } else {
        let gone = standing.ring.newest().map_or(lasting, |newest| newest.observed - met);
        (standing.heard + (lasting - gone)).max(standing.heard)
    };
    Pending { level, due, sound }
}

fn nothing(rule: RuleIx, sensor: SensorIx, moment: Moment) -> Finding {
    Finding {
        rule,
        sensor,
        tip: Verdict::Unknown(Why::Warming),
        settled: Verdict::Unknown(Why::Warming),
        firm: false,
        suspect: false,
        since: moment.civil(),
        pending: None,
        measured: None,
        limit: None,
        observed: Timestamp::default(),
        trend: None,
        saturated: false,
        value: None,
        sound: Level::Normal,
    }
}

/// When a mere value is news.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    Count,
    OnlyInBreach,
}

/// Whether a finding says anything that the last one did not: while all is
/// clear or unknown, a mere value is no news; in a breach, and in the hold
/// after it, it is the evidence.
fn is_news(said: &Finding, now: &Finding, values: Values) -> bool {
    let stands = |finding: &Finding| {
        let Finding { tip, settled, firm, suspect, since, pending, saturated, sound, .. } = *finding;
        (tip, settled, firm, suspect, since, pending, saturated, sound)
    };
    let evidence = |finding: &Finding| (finding.observed, finding.measured.map(f64::to_bits));
    let matters = match values {
        Values::Count => true,
        Values::OnlyInBreach => now.tip.level() > Level::Normal || now.pending.is_some(),
    };
    stands(said) != stands(now) || matters && evidence(said) != evidence(now)
}
