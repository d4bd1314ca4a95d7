//! What goes into the one table of `make bench`: a line of JSON a figure, in
//! the file that `FOREWARN_BENCH_ROWS` names, so that every bench adds its own.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;

use serde::Deserialize;
use serde_json::{Value, json};

/// The variable that names the file; without it nothing is written.
const ROWS: &str = "FOREWARN_BENCH_ROWS";

/// What a figure should reach.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Goal {
    AtLeast(f64),
    AtMost(f64),
    /// It is there to be compared with others.
    None,
}

impl Goal {
    /// The least, or the most.
    fn bounds(self) -> (Option<f64>, Option<f64>) {
        match self {
            Goal::AtLeast(least) => (Some(least), None),
            Goal::AtMost(most) => (None, Some(most)),
            Goal::None => (None, None),
        }
    }
}

/// Adds a figure, with that of the bare baseline of the same run where there is one.
pub(crate) fn add(what: &str, unit: &str, goal: Goal, ours: f64, bare: Option<f64>) {
    let (least, most) = goal.bounds();
    put(&json!({ "what": what, "unit": unit, "least": least, "most": most, "ours": ours, "bare": bare }));
}

/// Says of a figure why there is none: a goal is never left out in silence.
pub(crate) fn missing(what: &str, unit: &str, goal: Goal, why: &str) {
    let (least, most) = goal.bounds();
    put(&json!({ "what": what, "unit": unit, "least": least, "most": most, "missing": why }));
}

fn put(row: &Value) {
    let Some(path) = std::env::var_os(ROWS) else { return };
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| writeln!(file, "{row}")).expect("the file of the rows can be written");
}

/// The table of all that was added, and how many of the goals were reached.
pub(crate) fn table() -> String {
    let Some(path) = std::env::var_os(ROWS) else { return format!("{ROWS} names no file of figures") };
    let rows = match std::fs::read_to_string(&path) {
        Ok(rows) => rows,
        Err(error) => return format!("no figures: {}: {error}", path.display()),
    };
    let rows: Vec<Row> =
        rows.lines().map(|line| serde_json::from_str(line).expect("a bench wrote the row")).collect();
    let head = ["what", "to reach", "ours", "bare", "ratio", "reached"].map(str::to_owned);
    let lines: Vec<[String; 6]> = std::iter::once(head).chain(rows.iter().map(Row::cells)).collect();
    let widest = lines.iter().map(|line| line[0].chars().count()).max().unwrap_or_default();
    let mut table = String::new();
    for [what, goal, ours, bare, ratio, reached] in lines {
        let _ = writeln!(table, "{what:<widest$} {goal:>12} {ours:>10} {bare:>10} {ratio:>7}  {reached}");
    }
    let goals = rows.iter().filter(|row| row.least.or(row.most).is_some());
    let (reached, goals): (Vec<&Row>, Vec<&Row>) = goals.partition(|row| row.reached() == Some(true));
    let _ = write!(table, "{} of {} goals reached", reached.len(), reached.len() + goals.len());
    table
}

/// A line of the file.
#[derive(Debug, Deserialize)]
struct Row {
    what: String,
    unit: String,
    least: Option<f64>,
    most: Option<f64>,
    ours: Option<f64>,
    bare: Option<f64>,
    /// Why there is no figure.
    missing: Option<String>,
}

impl Row {
    /// Whether it is as it should be; `None` where nothing is asked or nothing was measured.
    fn reached(&self) -> Option<bool> {
        let ours = self.ours?;
        match (self.least, self.most) {
            (Some(least), _) => Some(ours >= least),
            (None, Some(most)) => Some(ours <= most),
            (None, None) => None,
        }
    }

    fn cells(&self) -> [String; 6] {
        let goal = match (self.least, self.most) {
            (Some(least), _) => format!(">= {}", short(least)),
            (None, Some(most)) => format!("<= {}", short(most)),
            (None, None) => String::new(),
        };
        let ratio = self.ours.zip(self.bare).map(|(ours, bare)| ours / bare);
        let verdict = match (&self.missing, self.reached()) {
            (Some(why), _) => format!("not measured: {why}"),
            (None, Some(reached)) => if reached { "yes" } else { "NO" }.into(),
            (None, None) => String::new(),
        };
        let cell = |number: Option<f64>| number.map_or_else(String::new, short);
        let ratio = ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}"));
        [format!("{}, {}", self.what, self.unit), goal, cell(self.ours), cell(self.bare), ratio, verdict]
    }
}

/// Three digits that count.
fn short(number: f64) -> String {
    match number.abs() {
        0.0..0.095 => format!("{number:.3}"),
        0.095..9.95 => format!("{number:.2}"),
        9.95..99.5 => format!("{number:.1}"),
        _ => format!("{number:.0}"),
    }
}
