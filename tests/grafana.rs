//! The dashboards of `docs/grafana/` ask only for what there is, and every
//! panel says what it shows.

use std::collections::BTreeSet;
use std::fs;

use serde_json::Value;

/// File, uid, and the variable that names its data source.
const BOARDS: &[(&str, &str, &str)] = &[
    ("service.json", "forewarn-service", "${DS_PROMETHEUS}"),
    ("readings.json", "forewarn-readings", "${DS_INFLUXDB}"),
];

fn text(file: &str) -> String {
    let path = format!("{}/docs/{file}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn board(file: &str) -> Value {
    serde_json::from_str(&text(&format!("grafana/{file}"))).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn word<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// What `docs/metrics.md` describes, and the series that a histogram is scraped as.
fn described() -> BTreeSet<String> {
    let text = text("metrics.md");
    let mut names = BTreeSet::new();
    for line in text.lines().filter(|line| line.starts_with("| `forewarn_")) {
        let mut cells = line.trim_matches('|').split('|').map(|cell| cell.trim().trim_matches('`'));
        let (name, kind) = (cells.next().unwrap_or_default(), cells.next().unwrap_or_default());
        if kind == "histogram" {
            names.extend(["bucket", "sum", "count"].map(|part| format!("{name}_{part}")));
        } else {
            names.insert(name.to_owned());
        }
    }
    assert!(names.len() > 20, "the search finds the metrics: {names:?}");
    names
}

/// What the panels ask, in order.
fn exprs(board: &Value) -> Vec<&str> {
    let targets = list(board, "panels").iter().flat_map(|panel| list(panel, "targets"));
    targets.map(|target| word(target, "expr")).collect()
}

/// Each name of ours in a query.
fn named(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'))
        .filter(|name| name.starts_with("forewarn_"))
        .map(str::to_owned)
}

#[test]
fn dashboards_ask_only_for_metrics_that_are_described() {
    let board = board("service.json");
    let exprs = exprs(&board);
    assert!(exprs.iter().all(|expr| !expr.is_empty()), "a panel asks for nothing");
    let variables = list(&board["templating"], "list").iter();
    let asked_first = variables.map(|variable| word(&variable["query"], "query"));
    let asked: BTreeSet<_> = asked_first.chain(exprs).flat_map(named).collect();
    assert!(asked.len() > 20, "the search finds the names: {asked:?}");
    let gone: Vec<_> = asked.difference(&described()).cloned().collect();
    assert!(gone.is_empty(), "docs/metrics.md does not describe: {gone:?}");
}

#[test]
fn bounds_in_a_dashboard_are_those_of_the_service() {
    let board = board("service.json");
    for (metric, bound) in [
        ("forewarn_inbox_readings", forewarn::driver::inbox::READINGS_MAX),
        ("forewarn_inbox_control", forewarn::driver::inbox::CONTROL_MAX),
    ] {
        let share = format!(" / {bound}");
        let shown = exprs(&board).iter().any(|expr| expr.contains(metric) && expr.ends_with(&share));
        assert!(shown, "service.json shows {metric} as no share of {bound}");
    }
}

#[test]
fn every_panel_has_its_place_and_says_what_it_shows_and_whence() {
    for &(file, uid, source) in BOARDS {
        let board = board(file);
        assert_eq!(board["uid"], uid, "{file}: links to it would break");
        let mut variables = list(&board["templating"], "list").iter();
        let chosen = variables.any(|variable| source == format!("${{{}}}", word(variable, "name")));
        assert!(chosen, "{file}: no variable for {source}");
        let (mut ids, mut taken) = (BTreeSet::new(), BTreeSet::new());
        for panel in list(&board, "panels") {
            let title = word(panel, "title");
            assert!(!title.is_empty(), "{file}: a panel without title");
            assert!(ids.insert(panel["id"].as_u64()), "{file}: {title} has the id of another");
            let place = &panel["gridPos"];
            let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| place[side].as_u64().expect("a place"));
            assert!(w > 0 && h > 0 && x + w <= 24, "{file}: {title} lies outside");
            for cell in (x..x + w).flat_map(|column| (y..y + h).map(move |line| (column, line))) {
                assert!(taken.insert(cell), "{file}: {title} lies upon another at {cell:?}");
            }
            if panel["type"] == "row" {
                continue;
            }
            assert!(word(panel, "description").len() > 40, "{file}: {title} does not say what is bad");
            let unit = word(&panel["fieldConfig"]["defaults"], "unit");
            assert!(!unit.is_empty(), "{file}: {title} has no unit");
            assert_eq!(panel["datasource"]["uid"], source, "{file}: {title}");
            assert!(!list(panel, "targets").is_empty(), "{file}: {title} shows nothing");
            for target in list(panel, "targets") {
                assert_eq!(target["datasource"]["uid"], source, "{file}: a query of {title}");
            }
        }
    }
}
