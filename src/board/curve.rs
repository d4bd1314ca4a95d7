//! A sensor's last hours as a drawing in the page, with its limits, and the same
//! in words. Where nothing was measured nothing is drawn, and that is marked.

use forewarn_core::level::Level;
use forewarn_core::time::{Span, Timestamp};
use minijinja::{Value, context};

use crate::channels::chart::Chart;
use crate::channels::words::Words;
use crate::channels::{naming, show};

/// Units across and down; a phone shows them smaller, so letters are large in them.
const WIDTH: f64 = 480.0;
const HEIGHT: f64 = 260.0;

/// Where the plot stands in it: left, top, right, bottom.
const PLOT: (f64, f64, f64, f64) = (52.0, 14.0, 370.0, 226.0);

/// Units between the middles of two labels.
const LABEL_STEP: f64 = 15.0;

/// Lines across, about.
const TICKS: f64 = 4.0;

/// Points that are drawn; of more, every second, third ... and always the newest.
const POINTS_MAX: usize = 1200;

/// Draws a chart for `curve.html`.
pub(super) fn draw(chart: &Chart, words: &Words) -> Value {
    let (low, high) = chart.bounds();
    let scale = Scale { chart, low, high };
    let points: Vec<(Timestamp, f64)> = chart.drawable().collect();
    let newest = points.last().copied();
    context! {
        width => WIDTH,
        height => HEIGHT,
        left => PLOT.0,
        top => PLOT.1,
        right => PLOT.2,
        bottom => PLOT.3,
        name => show::clean(&chart.name),
        alt => alt(chart, &points, words),
        lines => thinned(&points).chunk_by(|a, b| b.0 - a.0 <= chart.gap.max(Span(1))).map(|stretch| {
            scale.path(stretch)
        }).collect::<Vec<_>>(),
        gaps => scale.gaps(&points),
        dot => newest.map(|(at, value)| context! { x => scale.x(at), y => scale.y(value) }),
        ticks => scale.ticks(),
        hours => scale.hours(),
        limits => scale.limits(),
        labels => scale.labels(newest, words),
        unit => unit(chart),
        empty => points.is_empty(),
    }
}

fn unit(chart: &Chart) -> String {
    let parts = [show::symbol(chart.unit), show::clean(&chart.datum)];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(", ")
}

/// Every so manieth, the newest for certain. A longer step than a gap may not come of it.
fn thinned(points: &[(Timestamp, f64)]) -> Vec<(Timestamp, f64)> {
    let step = points.len().div_ceil(POINTS_MAX).max(1);
    if step == 1 {
        return points.to_vec();
    }
    // Of each handful its lowest and highest stay: a peak is what the reader looks for.
    points
        .chunks(step * 2)
        .flat_map(|handful| {
            let by = |a: &&(Timestamp, f64), b: &&(Timestamp, f64)| a.1.total_cmp(&b.1);
            let (low, high) = (handful.iter().min_by(by), handful.iter().max_by(by));
            let mut both: Vec<(Timestamp, f64)> = low.into_iter().chain(high).copied().collect();
            both.sort_by_key(|(at, _)| *at);
            both.dedup();
            both
        })
        .chain(points.last().copied())
        .collect()
}

struct Scale<'a> {
    chart: &'a Chart,
    low: f64,
    high: f64,
}

impl Scale<'_> {
    fn x(&self, at: Timestamp) -> String {
        let whole = (self.chart.to - self.chart.from).0.max(1) as f64;
        let part = (at - self.chart.from).0 as f64 / whole;
        format!("{:.1}", part.mul_add(PLOT.2 - PLOT.0, PLOT.0))
    }

    fn height(&self, value: f64) -> f64 {
        let part = (value - self.low) / (self.high - self.low);
        part.mul_add(PLOT.1 - PLOT.3, PLOT.3)
    }

    fn y(&self, value: f64) -> String {
        format!("{:.1}", self.height(value))
    }

    fn path(&self, stretch: &[(Timestamp, f64)]) -> String {
        let mut path = String::new();
        for (n, (at, value)) in stretch.iter().enumerate() {
            let letter = if n == 0 { "M" } else { "L" };
            path.extend([letter.to_owned(), self.x(*at), " ".to_owned(), self.y(*value)]);
        }
        // One point alone is still to be seen: a line as short as its ends are round.
        if stretch.len() == 1 {
            path.push_str("h0.1");
        }
        path
    }

    /// Where nothing was measured, between the edges.
    fn gaps(&self, points: &[(Timestamp, f64)]) -> Vec<Value> {
        let edges = [self.chart.from].into_iter().chain(points.iter().map(|(at, _)| *at));
        let edges: Vec<Timestamp> = edges.chain([self.chart.to]).collect();
        let gap = |pair: &[Timestamp]| {
            let &[from, to] = pair else { return None };
            (to - from > self.chart.gap).then(|| {
                let (left, right) = (self.x(from), self.x(to));
                let width =
                    right.parse::<f64>().unwrap_or_default() - left.parse::<f64>().unwrap_or_default();
                context! { x => left, width => format!("{width:.1}") }
            })
        };
        edges.windows(2).filter_map(gap).collect()
    }

    fn ticks(&self) -> Vec<Value> {
        let rough = (self.high - self.low) / TICKS;
        let power = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|it| it * power).find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        let decimals = (-power.log10().floor()).max(0.0) as usize;
        let first = (self.low / step).ceil() as i64;
        let last = (self.high / step).floor() as i64;
        (first..=last.min(first + 12))
            .map(|n| {
                let value = n as f64 * step;
                context! { y => self.y(value), label => format!("{value:.decimals$}") }
            })
            .collect()
    }

    /// Every second full hour of local time.
    fn hours(&self) -> Vec<Value> {
        let hour = Span::from_hours(1).0;
        let settings = &self.chart.settings;
        let local = |at: Timestamp| settings.local(at).0;
        let offset = local(self.chart.from) - self.chart.from.0;
        let first = local(self.chart.from).div_euclid(2 * hour) + 1;
        let last = local(self.chart.to).div_euclid(2 * hour);
        (first..=last)
            .map(|n| {
                let at = Timestamp(n * 2 * hour - offset);
                context! { x => self.x(at), label => show::clock(at, settings) }
            })
            .collect()
    }

    fn limits(&self) -> Vec<Value> {
        let line = |(level, value): &(Level, f64)| context! { level => level.word(), y => self.y(*value) };
        self.chart.limits.iter().map(line).collect()
    }

    /// Limits and the newest value at the right edge, moved apart.
    fn labels(&self, newest: Option<(Timestamp, f64)>, words: &Words) -> Vec<Value> {
        let limit = |(level, value): &(Level, f64)| {
            let text = format!("{} {}", naming::symbol(*level), show::limit(*value, self.chart.unit));
            (self.height(*value), level.word(), text)
        };
        let mut labels: Vec<(f64, &str, String)> = self.chart.limits.iter().map(limit).collect();
        if let Some((_, value)) = newest {
            let text = words.fill("board.chart.last", &[("value", &show::amount(value, self.chart.unit))]);
            labels.push((self.height(value), "newest", text));
        }
        labels.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut floor = PLOT.1;
        for (y, _, _) in &mut labels {
            *y = y.max(floor);
            floor = *y + LABEL_STEP;
        }
        // What was pushed past the lower edge comes back up.
        let mut ceiling = PLOT.3 + 4.0;
        for (y, _, _) in labels.iter_mut().rev() {
            *y = y.min(ceiling);
            ceiling = *y - LABEL_STEP;
        }
        let label = |(y, kind, text): (f64, &str, String)| context! { y => format!("{:.1}", y + 4.5), kind => kind, text => text };
        labels.into_iter().map(label).collect()
    }
}

/// The drawing in words.
fn alt(chart: &Chart, points: &[(Timestamp, f64)], words: &Words) -> String {
    let local = |at: Timestamp| show::local(at, &chart.settings).unwrap_or_default();
    let amount = |value: f64| show::amount(value, chart.unit);
    let ends = [("from", local(chart.from)), ("to", local(chart.to))];
    let ends: Vec<(&str, &str)> = ends.iter().map(|(name, value)| (*name, value.as_str())).collect();
    let by = |a: &&(Timestamp, f64), b: &&(Timestamp, f64)| a.1.total_cmp(&b.1);
    let mut said = match (points.iter().min_by(by), points.iter().max_by(by), points.last()) {
        (Some(low), Some(high), Some(last)) => {
            let values = [
                ("low", amount(low.1)),
                ("high", amount(high.1)),
                ("high_at", local(high.0)),
                ("last", amount(last.1)),
                ("last_at", local(last.0)),
            ];
            let values = values.iter().map(|(name, value)| (*name, value.as_str()));
            words.fill("board.chart.alt", &ends.iter().copied().chain(values).collect::<Vec<_>>())
        }
        (None, _, _) | (_, None, _) | (_, _, None) => words.fill("board.chart.alt_empty", &ends),
    };
    for (level, value) in &chart.limits {
        let (level, limit) = (naming::level_name(*level, words), show::limit(*value, chart.unit));
        said.push_str(&words.fill("board.chart.alt_limit", &[("level", &level), ("limit", &limit)]));
    }
    said
}
