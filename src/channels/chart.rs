//! The chart in a mail: the last hours of one sensor with its limits drawn.
//! English letters and figures only, so that one small font does for all.

use std::sync::OnceLock;

use forewarn_core::level::{Level, Status};
use forewarn_core::plan::{Plan, Settings};
use forewarn_core::reading::Flag;
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::units::Unit;
use forewarn_core::warning::Evidence;
use plotters::coord::types::RangedCoordf64;
use plotters::prelude::{
    BitMapBackend, Cartesian2d, ChartBuilder, ChartContext, Circle, DashedLineSeries, IntoDrawingArea,
    LineSeries, PathElement, RGBColor, Rectangle, Text, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, FontStyle, IntoFont, IntoTextStyle, TextStyle, register_font};

use super::{naming, png, show};
use crate::ports::Kept;

/// Pixels across.
pub const WIDTH: u32 = 600;
/// Pixels down.
pub const HEIGHT: u32 = 240;
/// Hours of the past it shows.
pub const HOURS: i64 = 12;

/// A silence longer than this many intervals breaks the line: what was not
/// measured is not drawn.
const GAP_INTERVALS: i64 = 3;
/// Up to this many readings each gets its dot.
const DOTS_MAX: usize = 60;
/// A value farther from nothing than this is no measurement, and is not drawn.
const VALUE_MAX: f64 = 1e12;
/// Values nearer to each other than this are drawn as alike.
const RANGE_MIN: f64 = 1e-6;
/// Characters of a name that fit across the picture.
const TITLE_CHARS_MAX: usize = 70;
/// Pixels between the middles of two labels at the right edge.
const LABEL_STEP: i32 = 14;

const INK: RGBColor = RGBColor(33, 33, 33);
const GREY: RGBColor = RGBColor(117, 117, 117);
const GRID: RGBColor = RGBColor(232, 232, 232);
/// Of what is no real warning: the banner's colour in mails and pages.
const MARK: RGBColor = RGBColor(74, 20, 140);
const MARK_FAINT: RGBColor = RGBColor(226, 214, 240);
const FONT: &str = "forewarn-chart";

/// What is drawn.
#[derive(Debug, Clone, PartialEq)]
pub struct Chart {
    /// The sensor's id, `station/quantity`; what is not ASCII is drawn as `?`.
    pub title: String,
    /// The sensor's name in the receiver's language, with the id; the id stands alone in the
    /// picture where this has letters that the font lacks. The mail's text has it in any case.
    pub name: String,
    /// The unit of values and limits.
    pub unit: Unit,
    /// The datum's name, or nothing.
    pub datum: String,
    /// Left edge, civil.
    pub from: Timestamp,
    /// Right edge, civil.
    pub to: Timestamp,
    /// Readings in order of time.
    pub points: Vec<(Timestamp, f64)>,
    /// A longer silence breaks the line.
    pub gap: Span,
    /// Limits in the same unit.
    pub limits: Vec<(Level, f64)>,
    /// For local time.
    pub settings: Settings,
}

/// The chart could not be drawn.
#[derive(Debug, thiserror::Error)]
#[error("chart: {0}")]
pub struct ChartError(String);

impl Chart {
    /// The chart of a revision's worst sensor; `None` when the plan no longer has it.
    pub fn of(
        evidence: &Evidence,
        plan: &Plan,
        language: &str,
        to: Timestamp,
        readings: &[Kept],
    ) -> Option<Chart> {
        let sensor = plan.sensor(evidence.sensor)?;
        let mut points: Vec<(Timestamp, f64)> = readings
            .iter()
            .filter(|kept| !matches!(kept.checked.flag, Flag::Fail | Flag::Missing))
            .map(|kept| (kept.checked.reading.observed, kept.checked.reading.value))
            .collect();
        // The store follows the log by a blink; what is warned of stands in the picture in any case.
        if let Some(value) = evidence.value
            && points.last().is_none_or(|(observed, _)| *observed < evidence.observed)
        {
            points.push((evidence.observed, value));
        }
        // A rate's limits have another unit and would mean nothing here.
        let rule = plan.rule(evidence.rule).filter(|rule| rule.unit == sensor.unit);
        let subject = rule.and_then(|rule| rule.subject(evidence.sensor));
        let row = subject.and_then(|subject| show::in_force(&subject.limits, to, &plan.settings));
        let limits = Level::WARNING.into_iter().zip(row.map(|row| row.levels).unwrap_or_default());
        Some(Chart {
            title: sensor.id.to_string(),
            name: naming::sensor_name(sensor, plan, language),
            unit: sensor.unit,
            datum: sensor.datum.as_ref().map(|datum| datum.0.clone()).unwrap_or_default(),
            from: to - Span::from_hours(HOURS),
            to,
            points,
            gap: sensor.interval.times(GAP_INTERVALS),
            limits: limits.filter_map(|(level, value)| Some((level, value?))).collect(),
            settings: plan.settings.clone(),
        })
    }

    /// Draws it: a PNG of [`WIDTH`] x [`HEIGHT`], the same bytes for the same chart.
    pub fn draw(&self) -> Result<Vec<u8>, ChartError> {
        font()?;
        let mut pixels = vec![255; (WIDTH * HEIGHT * 3) as usize];
        self.paint(&mut pixels).map_err(|error| ChartError(error.to_string()))?;
        Ok(png::encode(&pixels, WIDTH, HEIGHT))
    }

    fn paint(&self, pixels: &mut [u8]) -> Result<(), Box<dyn std::error::Error + '_>> {
        let root = BitMapBackend::with_buffer(pixels, (WIDTH, HEIGHT)).into_drawing_area();
        root.fill(&WHITE).map_err(text)?;
        root.draw(&Text::new(self.heading(), (10, 7), style(14, INK))).map_err(text)?;
        root.draw(&Text::new(self.subheading(), (10, 24), style(12, GREY))).map_err(text)?;
        let (low, high) = self.bounds();
        let (from, to) = (self.hours(self.from), self.hours(self.to).max(self.hours(self.from) + 0.01));
        let mut chart = ChartBuilder::on(&root)
            .margin_top(44)
            .margin_left(4)
            .margin_bottom(4)
            .margin_right(112)
            .x_label_area_size(24)
            .y_label_area_size(52)
            .build_cartesian_2d(from..to, low..high)
            .map_err(text)?;
        let decimals = decimals(high - low);
        chart
            .configure_mesh()
            .light_line_style(WHITE)
            .bold_line_style(GRID)
            .axis_style(GREY)
            .x_labels(7)
            .y_labels(6)
            .x_label_formatter(&|hours| clock(*hours))
            .y_label_formatter(&|value| format!("{value:.decimals$}"))
            .label_style(style(12, INK))
            .draw()
            .map_err(text)?;
        if let Some(mark) = self.mark() {
            // Under the readings, which stay as legible as ever, and in a frame that a glance at a phone tells.
            let faint = style(64, MARK_FAINT).pos(Pos::new(HPos::Center, VPos::Center));
            root.draw(&Text::new(mark, (WIDTH as i32 * 9 / 20, HEIGHT as i32 * 11 / 20), faint))
                .map_err(text)?;
            let corners = [(0, 0), (WIDTH as i32 - 1, HEIGHT as i32 - 1)];
            root.draw(&Rectangle::new(corners, MARK.stroke_width(4))).map_err(text)?;
            let label = style(16, MARK).pos(Pos::new(HPos::Right, VPos::Top));
            root.draw(&Text::new(mark, (WIDTH as i32 - 10, 7), label)).map_err(text)?;
        }
        self.paint_limits(&mut chart, (from, to))?;
        self.paint_points(&mut chart)?;
        let labels = self.labels(&chart, to);
        for (words, y, colour) in labels {
            let anchored = style(12, colour).pos(Pos::new(HPos::Left, VPos::Center));
            root.draw(&Text::new(words, (WIDTH as i32 - 108, y), anchored)).map_err(text)?;
        }
        if self.points.is_empty() {
            let anchored = style(14, GREY).pos(Pos::new(HPos::Center, VPos::Center));
            root.draw(&Text::new("no readings", (WIDTH as i32 / 2 - 30, HEIGHT as i32 / 2), anchored))
                .map_err(text)?;
        }
        root.present().map_err(text)?;
        Ok(())
    }

    fn paint_limits(&self, chart: &mut Context<'_, '_>, (from, to): (f64, f64)) -> Result<(), String> {
        for &(level, value) in self.limits.iter().filter(|(_, value)| value.abs() <= VALUE_MAX) {
            let ends = [(from, value), (to, value)];
            // Told apart by their dashes as well as by colour: the higher the more solid.
            let drawn = match level {
                Level::Red => {
                    chart.draw_series([PathElement::new(ends, colour(level).stroke_width(2))]).map(|_| ())
                }
                Level::Normal | Level::Blue | Level::Yellow | Level::Orange => {
                    let (dash, space) = dashes(level);
                    let line = dashed(ends, dash, space, level);
                    chart.draw_series(line).map(|_| ())
                }
            };
            drawn.map_err(text)?;
        }
        Ok(())
    }

    fn paint_points(&self, chart: &mut Context<'_, '_>) -> Result<(), String> {
        let points: Vec<(Timestamp, f64)> = self.drawable().collect();
        for stretch in points.chunk_by(|a, b| b.0 - a.0 <= self.gap) {
            let line = stretch.iter().map(|(at, value)| (self.hours(*at), *value));
            chart.draw_series(LineSeries::new(line, INK.stroke_width(2))).map_err(text)?;
        }
        let every = if points.len() <= DOTS_MAX { 0 } else { points.len() - 1 };
        let dots = points.iter().enumerate().skip(every).map(|(n, (at, value))| {
            let size = if n + 1 == points.len() { 4 } else { 2 };
            Circle::new((self.hours(*at), *value), size, INK.filled())
        });
        chart.draw_series(dots).map_err(text)?;
        Ok(())
    }

    /// Labels of limits and of the newest value at the right edge, moved apart.
    fn labels(&self, chart: &Context<'_, '_>, to: f64) -> Vec<(String, i32, RGBColor)> {
        let mut labels: Vec<(String, i32, RGBColor)> = self
            .limits
            .iter()
            .filter(|(_, value)| value.abs() <= VALUE_MAX)
            .map(|(level, value)| {
                let words = format!("{} {}", level.word().to_uppercase(), show::limit(*value, self.unit));
                (ascii(&words), chart.backend_coord(&(to, *value)).1, colour(*level))
            })
            .collect();
        if let Some((_, value)) = self.drawable().last() {
            let words = format!("last {}", show::amount(value, self.unit));
            labels.push((ascii(&words), chart.backend_coord(&(to, value)).1, INK));
        }
        labels.sort_by_key(|(_, y, _)| *y);
        let mut floor = i32::MIN;
        for (_, y, _) in &mut labels {
            *y = (*y).max(floor);
            floor = *y + LABEL_STEP;
        }
        // What was pushed past the lower edge comes back up.
        let mut ceiling = HEIGHT as i32 - LABEL_STEP;
        for (_, y, _) in labels.iter_mut().rev() {
            *y = (*y).min(ceiling);
            ceiling = *y - LABEL_STEP;
        }
        labels
    }

    /// What tells it from a real one; nothing for what is real.
    fn mark(&self) -> Option<&'static str> {
        match self.settings.status {
            Status::Actual => None,
            Status::Exercise => Some("EXERCISE"),
            Status::Test => Some("TEST"),
        }
    }

    /// The name, where the font has it and it is not cut off; else the id.
    fn heading(&self) -> String {
        let (id, name) = (show::clean(&self.title), show::clean(&self.name));
        let fits = !name.is_empty() && name.chars().all(is_drawn) && name.chars().count() <= TITLE_CHARS_MAX;
        ascii(if fits { &name } else { &id })
    }

    fn subheading(&self) -> String {
        let settings = &self.settings;
        let unit = [show::symbol(self.unit), self.datum.clone()];
        let unit: Vec<String> = unit.into_iter().filter(|part| !part.is_empty()).collect();
        let unit = if unit.is_empty() { String::new() } else { format!("{} · ", unit.join(", ")) };
        let (day, offset) = (show::local(self.to, settings), show::utc_offset(self.to, settings));
        ascii(&format!("{unit}{HOURS} h to {} {} ({offset})", day.unwrap_or_default(), settings.zone))
    }

    pub(crate) fn drawable(&self) -> impl Iterator<Item = (Timestamp, f64)> {
        let within = self.from..=self.to;
        self.points.iter().copied().filter(move |(at, value)| within.contains(at) && value.abs() <= VALUE_MAX)
    }

    /// Lowest and highest value to show, with some air; never equal.
    pub(crate) fn bounds(&self) -> (f64, f64) {
        let values = self.drawable().map(|(_, value)| value);
        let values = values
            .chain(self.limits.iter().map(|(_, value)| *value).filter(|value| value.abs() <= VALUE_MAX));
        let (low, high) = values
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)));
        match high - low {
            _ if low > high => (0.0, 1.0),
            range if range < RANGE_MIN.max(high.abs() * RANGE_MIN) => {
                let air = high.abs().mul_add(RANGE_MIN, 1.0);
                (low - air, high + air)
            }
            range => (low - range * 0.08, high + range * 0.08),
        }
    }

    /// Local time in hours since the epoch: round hours become round labels.
    fn hours(&self, civil: Timestamp) -> f64 {
        self.settings.local(civil).0 as f64 / 3.6e9
    }
}

type Context<'a, 'b> = ChartContext<'a, BitMapBackend<'b>, Cartesian2d<RangedCoordf64, RangedCoordf64>>;

fn dashed(
    ends: [(f64, f64); 2],
    dash: i32,
    space: i32,
    level: Level,
) -> DashedLineSeries<std::array::IntoIter<(f64, f64), 2>, i32> {
    DashedLineSeries::new(ends, dash, space, colour(level).stroke_width(2))
}

const fn dashes(level: Level) -> (i32, i32) {
    match level {
        Level::Normal | Level::Blue => (2, 6),
        Level::Yellow => (7, 6),
        Level::Orange | Level::Red => (16, 5),
    }
}

/// Hues of the levels, dark enough to read on white.
const fn colour(level: Level) -> RGBColor {
    match level {
        Level::Normal => GREY,
        Level::Blue => RGBColor(13, 71, 161),
        Level::Yellow => RGBColor(138, 104, 0),
        Level::Orange => RGBColor(201, 79, 0),
        Level::Red => RGBColor(183, 28, 28),
    }
}

fn style(size: i32, colour: RGBColor) -> TextStyle<'static> {
    (FONT, size).into_font().with_color(colour).into_text_style(&(WIDTH, HEIGHT))
}

fn clock(hours: f64) -> String {
    let minutes = (hours * 60.0).round() as i64;
    format!("{:02}:{:02}", minutes.rem_euclid(1440) / 60, minutes.rem_euclid(60))
}

/// Decimals that tell the labels of an axis apart.
fn decimals(range: f64) -> usize {
    match range {
        _ if range > 20.0 => 0,
        _ if range > 2.0 => 1,
        _ if range > 0.2 => 2,
        _ => 3,
    }
}

/// What the embedded font has; anything else is a question mark.
fn ascii(words: &str) -> String {
    words.chars().map(|c| if is_drawn(c) { c } else { '?' }).collect()
}

/// Whether the embedded font has a letter.
fn is_drawn(c: char) -> bool {
    matches!(c, ' '..='~' | '°' | 'µ' | '²' | '³' | '·' | '–')
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}

fn font() -> Result<(), ChartError> {
    static REGISTERED: OnceLock<bool> = OnceLock::new();
    let bytes = include_bytes!("assets/chart.ttf");
    match REGISTERED.get_or_init(|| register_font(FONT, FontStyle::Normal, bytes).is_ok()) {
        true => Ok(()),
        false => Err(ChartError("the embedded font cannot be read".into())),
    }
}

#[cfg(test)]
mod tests;
