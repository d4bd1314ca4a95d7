//! What schemas cannot see: whether an alert is one that a receiver can act on.
//! Every alert is held against it before it is published.

use forewarn_core::level::Status;

use super::alert::{Alert, Area, Info, MsgType, Scope, Time};
use super::say::HEADLINE_MAX;
use crate::config::plan::crosses_itself;

/// The languages that every alert speaks: together, or not at all.
const LANGUAGES: [&str; 2] = ["zh", "en"];

/// Corners of a polygon at least, the last as the first.
const CORNERS_MIN: usize = 4;

/// Why an alert is not published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Unsound {
    /// Identifier or sender is empty or has a character that neither may have.
    Name,
    /// A time is not as CAP writes it.
    Time,
    /// It updates or cancels nothing.
    NoReferences,
    /// It is the first word and refers to earlier ones.
    FirstWithReferences,
    /// It refers to one that was sent later.
    LaterReference,
    /// It refers to itself.
    SelfReference,
    /// It is restricted and says to nobody.
    NoRestriction,
    /// It has expired before it was sent.
    ExpiresBeforeSent,
    /// One of the languages is not there, or lacks words that another has.
    Language,
    /// Languages differ in more than words.
    Differing,
    /// A headline is too long.
    LongHeadline,
    /// A drill or a test is not marked as one.
    Unmarked,
    /// It says nowhere where.
    Nowhere,
    /// A polygon has too few corners, or is not closed.
    OpenPolygon,
    /// A polygon crosses itself.
    CrossedPolygon,
    /// A position is not on the globe: latitude and longitude may be swapped.
    OffGlobe,
}

impl Unsound {
    /// In words, as logs and Trouble say it.
    pub const fn words(self) -> &'static str {
        match self {
            Unsound::Name => "its identifier or sender is not one that CAP allows",
            Unsound::Time => "a time in it is not one that CAP can say",
            Unsound::NoReferences => "it replaces earlier alerts and refers to none",
            Unsound::FirstWithReferences => "it is the first alert and refers to earlier ones",
            Unsound::LaterReference => "it refers to an alert that was sent later",
            Unsound::SelfReference => "it refers to itself",
            Unsound::NoRestriction => "it is restricted and does not say to whom",
            Unsound::ExpiresBeforeSent => "it expires before it is sent",
            Unsound::Language => "it lacks Chinese or English, or words in one of them",
            Unsound::Differing => "its languages differ in more than words",
            Unsound::LongHeadline => "its headline is too long",
            Unsound::Unmarked => "it is a drill or a test and is not marked as one",
            Unsound::Nowhere => "it names no area",
            Unsound::OpenPolygon => "an outline in it is not closed",
            Unsound::CrossedPolygon => "an outline in it crosses itself",
            Unsound::OffGlobe => "an outline in it leaves the globe",
        }
    }
}

/// What is wrong with an alert; the first thing found.
pub fn check(alert: &Alert) -> Result<(), Unsound> {
    names(alert)?;
    times(alert)?;
    references(alert)?;
    match &alert.scope {
        Scope::Restricted(to) if to.trim().is_empty() => return Err(Unsound::NoRestriction),
        Scope::Restricted(_) | Scope::Public => {}
    }
    if alert.infos.iter().any(|info| info.expires.at < alert.sent.at) {
        return Err(Unsound::ExpiresBeforeSent);
    }
    languages(alert)?;
    // A drill says so before anything else, to whoever passes it on.
    if alert.status != Status::Actual && alert.note.as_ref().is_none_or(|note| note.trim().is_empty()) {
        return Err(Unsound::Unmarked);
    }
    if alert.infos.iter().any(|info| info.areas.is_empty()) {
        return Err(Unsound::Nowhere);
    }
    alert.infos.iter().flat_map(|info| &info.areas).try_for_each(area)
}

fn names(alert: &Alert) -> Result<(), Unsound> {
    let is_sound = |name: &str| {
        !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c.is_control() || ",<&".contains(c))
    };
    let references = alert.references.iter().flat_map(|it| [&it.sender, &it.identifier]);
    let all = [&alert.identifier, &alert.sender, &alert.incident].into_iter().chain(references);
    if all.into_iter().all(|name| is_sound(name)) { Ok(()) } else { Err(Unsound::Name) }
}

/// `2026-07-01T03:00:00+08:00`, and neither `Z`, nor `+00:00`, nor a fraction.
fn is_time(time: &Time) -> bool {
    let shape = "dddd-dd-ddTdd:dd:ddsdd:dd";
    time.text.len() == shape.len()
        && !time.text.ends_with("+00:00")
        && time.text.bytes().zip(shape.bytes()).all(|(byte, meant)| match meant {
            b'd' => byte.is_ascii_digit(),
            b's' => matches!(byte, b'+' | b'-'),
            other => byte == other,
        })
}

fn times(alert: &Alert) -> Result<(), Unsound> {
    let said = alert.infos.iter().flat_map(|info| [&info.onset, &info.expires]);
    let referred = alert.references.iter().map(|it| &it.sent);
    let mut all = [&alert.sent].into_iter().chain(said).chain(referred);
    if all.all(is_time) { Ok(()) } else { Err(Unsound::Time) }
}

fn references(alert: &Alert) -> Result<(), Unsound> {
    match (alert.kind, alert.references.is_empty()) {
        (MsgType::Alert, true) | (MsgType::Update | MsgType::Cancel, false) => {}
        (MsgType::Alert, false) => return Err(Unsound::FirstWithReferences),
        (MsgType::Update | MsgType::Cancel, true) => return Err(Unsound::NoReferences),
    }
    for reference in &alert.references {
        if reference.identifier == alert.identifier {
            return Err(Unsound::SelfReference);
        }
        if reference.sent.at > alert.sent.at {
            return Err(Unsound::LaterReference);
        }
    }
    Ok(())
}

/// All languages are there, each says as much, and all say the same of the danger.
fn languages(alert: &Alert) -> Result<(), Unsound> {
    let speaks = |tag: &str| alert.infos.iter().any(|info| info.language.split('-').next() == Some(tag));
    let blank = |text: &str| text.trim().is_empty();
    let lacks = |info: &Info| {
        [&info.event, &info.headline, &info.description, &info.instruction, &info.sender_name]
            .into_iter()
            .any(|text| blank(text))
            || info.areas.iter().any(|area| blank(&area.description))
    };
    if !LANGUAGES.into_iter().all(speaks) || alert.infos.iter().any(lacks) {
        return Err(Unsound::Language);
    }
    if alert.infos.iter().any(|info| info.headline.chars().count() > HEADLINE_MAX) {
        return Err(Unsound::LongHeadline);
    }
    let danger = |info: &Info| {
        let graded = (info.category, info.response, info.urgency, info.severity, info.certainty);
        let rings: Vec<_> = info.areas.iter().map(|area| area.polygons.clone()).collect();
        (graded, info.hazard.clone(), info.onset.clone(), info.expires.clone(), rings)
    };
    let mut all = alert.infos.iter().map(danger);
    let first = all.next();
    if all.any(|other| Some(&other) != first.as_ref()) { Err(Unsound::Differing) } else { Ok(()) }
}

fn area(area: &Area) -> Result<(), Unsound> {
    for ring in &area.polygons {
        if ring.len() < CORNERS_MIN || ring.first() != ring.last() {
            return Err(Unsound::OpenPolygon);
        }
        let on_globe = |(lat, lon): &(f64, f64)| lat.abs() <= 90.0 && lon.abs() <= 180.0;
        if !ring.iter().all(on_globe) {
            return Err(Unsound::OffGlobe);
        }
        let ring: Vec<[f64; 2]> = ring.iter().map(|(lat, lon)| [*lon, *lat]).collect();
        if crosses_itself(&ring) {
            return Err(Unsound::CrossedPolygon);
        }
    }
    Ok(())
}
