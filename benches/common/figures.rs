//! What goes into the one table of `make bench`: a line of JSON a figure, in
//! the file that `FOREWARN_BENCH_ROWS` names, so that every bench adds its own.

use std::fmt::Write as _;
use std::fs::OpenOptions;
use std::io::Write as _;

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

/// Adds a figure, with that of the bare baseline of the same run where there is one.
pub(crate) fn add(what: &str, unit: &str, goal: Goal, ours: f64, bare: Option<f64>) {
    let Some(path) = std::env::var_os(ROWS) else { return };
    let (least, most) = match goal {
        Goal::AtLeast(least) => (Some(least), None),
        Goal::AtMost(most) => (None, Some(most)),
        Goal::None => (None, None),
    };
    let row = json!({ "what": what, "unit": unit, "least": least, "most": most, "ours": ours, "bare": bare });
    let file = OpenOptions::new().create(true).append(true).open(path);
    file.and_then(|mut file| writeln!(file, "{row}")).expect("the file of the rows can be written");
}

/// The table of all that was added; empty where nothing was.
pub(crate) fn table() -> String {
    let rows = std::env::var_os(ROWS).and_then(|path| std::fs::read_to_string(path).ok()).unwrap_or_default();
    let mut table =
        format!("{:<66} {:>14} {:>12} {:>12} {:>6}  reached\n", "what", "to reach", "ours", "bare", "ratio");
    for row in rows.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let number = |key: &str| row[key].as_f64();
        let Some(ours) = number("ours") else { continue };
        let (least, most) = (number("least"), number("most"));
        let goal = least.map(|it| format!(">= {}", short(it))).or(most.map(|it| format!("<= {}", short(it))));
        let reached = match (least, most) {
            (Some(least), _) => yes(ours >= least),
            (_, Some(most)) => yes(ours <= most),
            (None, None) => "",
        };
        let what = format!(
            "{}, {}",
            row["what"].as_str().unwrap_or_default(),
            row["unit"].as_str().unwrap_or_default()
        );
        let bare = number("bare");
        let ratio = bare.map_or_else(String::new, |bare| format!("{:.2}", ours / bare));
        let _ = writeln!(
            table,
            "{what:<66} {:>14} {:>12} {:>12} {ratio:>6}  {reached}",
            goal.unwrap_or_default(),
            short(ours),
            bare.map_or_else(String::new, short),
        );
    }
    table
}

fn yes(reached: bool) -> &'static str {
    if reached { "yes" } else { "no" }
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
