//! `forewarn who`: who would hear of a warning, and why.

use std::io;

use forewarn_core::ids::{AreaIx, HazardIx, TargetIx};
use forewarn_core::judging::routing::{members, reached, targets};
use forewarn_core::plan::{Plan, Target};
use forewarn_core::time::Timestamp;

use super::args::WhoArgs;
use super::beside::MARK;
use super::check::loaded;
use super::show::count;
use super::table::width;
use super::{Exit, Surroundings};
use crate::config::Loaded;
use crate::config::fault::{list, nearest, quote};
use crate::config::zone;

/// Tells who would hear of a warning.
pub(super) fn who(args: &WhoArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    let Some(loaded) = loaded(&args.places, around)? else { return Ok(Exit::Fault) };
    let plan = &loaded.setup.plan;
    let found =
        named(plan, args).and_then(|(area, hazard)| Ok((area, hazard, civil(plan, args, around.now)?)));
    let (area, hazard, at) = match found {
        Ok(found) => found,
        Err(fault) => {
            writeln!(around.err, "{fault}")?;
            return Ok(Exit::Fault);
        }
    };
    let due = targets(plan, hazard, area, args.level, at);
    let level = around.paint.level(args.level);
    let names: Vec<&str> =
        plan.area(area).iter().flat_map(|area| area.names.iter()).map(|(_, name)| name).collect();
    writeln!(
        around.out,
        "{}{} {level} in {} ({}) at {} would go to {}",
        if args.places.drill { format!("{MARK} ") } else { String::new() },
        args.hazard,
        args.area,
        names.join(", "),
        zone::shown(&plan.settings, at),
        count(due.len(), "target"),
    )?;
    let reasons = Reasons::of(&loaded, hazard, area, args, at);
    for ix in &due {
        if let Some(target) = plan.target(*ix) {
            let name = loaded.setup.addresses.get(&target.id).map_or("", |address| address.name.as_str());
            let Target { contact, channel, language, .. } = target;
            let contact = column(contact, CONTACT_WIDTH);
            writeln!(around.out, "  {contact} {channel:<8} {language}  {}  {name}", reasons.why(*ix))?;
        }
    }
    stand_ins(&loaded, hazard, area, args, at, around)?;
    if due.is_empty() {
        writeln!(around.out, "  {}", around.paint.warning("nobody"))?;
        return Ok(Exit::Remarks);
    }
    Ok(Exit::Done)
}

/// Says of each route that asks for an acknowledgement who is told next if nobody gives it.
fn stand_ins(
    loaded: &Loaded,
    hazard: HazardIx,
    area: AreaIx,
    args: &WhoArgs,
    at: Timestamp,
    around: &mut Surroundings<'_>,
) -> io::Result<()> {
    let plan = &loaded.setup.plan;
    for (route, place) in plan.routes.iter().zip(&loaded.routes) {
        let mut told = reached(plan, route, hazard, area, args.level, at);
        let Some(terms) = route.ack.as_ref().filter(|_| !told.is_empty()) else { continue };
        let groups = terms.then.iter().map(|group| members(plan, group, &route.via, area));
        let mut steps = Vec::new();
        for group in groups.chain([plan.operator.clone()]) {
            let next: Vec<TargetIx> = group.into_iter().filter(|ix| !told.contains(ix)).collect();
            let named = next.iter().filter_map(|ix| plan.target(*ix));
            let named: Vec<String> =
                named.map(|target| format!("{} by {}", target.contact, target.channel)).collect();
            if !named.is_empty() {
                steps.push(named.join(" and "));
            }
            told.extend(next);
        }
        let within = terms.within;
        let next = if steps.is_empty() {
            around.paint.warning("nobody else")
        } else {
            steps.join(&format!(", {within} later "))
        };
        writeln!(around.out, "  unless acknowledged within {within} ({place}): {next}")?;
    }
    Ok(())
}

/// Columns that ids of contacts stand in, unless one is longer.
const CONTACT_WIDTH: usize = 20;

/// A text with blanks behind it, as wide on a terminal as its neighbours whatever the script.
fn column(text: &str, wide: usize) -> String {
    format!("{text}{}", " ".repeat(wide.saturating_sub(width(text))))
}

/// By route: where it was written, and whom it alone would reach.
struct Reasons(Vec<(String, Vec<TargetIx>)>);

impl Reasons {
    /// Asks the engine's own routing, with one route at a time.
    fn of(loaded: &Loaded, hazard: HazardIx, area: AreaIx, args: &WhoArgs, at: Timestamp) -> Reasons {
        let mut alone = (*loaded.setup.plan).clone();
        let routes = std::mem::take(&mut alone.routes);
        let reached = routes.into_iter().zip(&loaded.routes).map(|(route, place)| {
            alone.routes = vec![route];
            (place.to_string(), targets(&alone, hazard, area, args.level, at))
        });
        Reasons(reached.collect())
    }

    fn why(&self, target: TargetIx) -> String {
        let routes = self.0.iter().filter(|(_, reached)| reached.contains(&target));
        routes.map(|(place, _)| place.as_str()).collect::<Vec<_>>().join(", ")
    }
}

/// The area and the hazard of the question.
fn named(plan: &Plan, args: &WhoArgs) -> Result<(AreaIx, HazardIx), String> {
    let areas = || plan.areas.iter().zip(0..).filter_map(|(area, ix)| Some((area.as_ref()?.id.as_str(), ix)));
    let area = areas()
        .find(|(id, _)| *id == args.area)
        .ok_or_else(|| unknown("area", &args.area, &areas().map(|(id, _)| id).collect::<Vec<_>>()))?;
    let hazards = || plan.hazards.iter().zip(0..).filter(|(name, _)| !name.is_empty());
    let hazard = hazards().find(|(name, _)| **name == args.hazard).ok_or_else(|| {
        unknown("hazard", &args.hazard, &hazards().map(|(name, _)| name.as_str()).collect::<Vec<_>>())
    })?;
    Ok((AreaIx(area.1), HazardIx(hazard.1)))
}

fn unknown(what: &str, word: &str, known: &[&str]) -> String {
    let hint = nearest(word, known.iter().copied())
        .map_or(String::new(), |near| format!(", did you mean {}?", quote(near)));
    format!("{what} is {}, expected {}{hint}", quote(word), few(known))
}

/// Names listed at most: a province has more areas than a terminal has lines.
const NAMES_MAX: usize = 20;

/// What there is to choose from.
fn few(known: &[&str]) -> String {
    let mut known = known.to_vec();
    known.sort_unstable();
    let more = known.len().saturating_sub(NAMES_MAX);
    known.truncate(NAMES_MAX);
    let more = if more == 0 { String::new() } else { format!(" and {more} more") };
    format!("one of {}{more}", list(known))
}

fn civil(plan: &Plan, args: &WhoArgs, now: Timestamp) -> Result<Timestamp, String> {
    let Some(text) = &args.at else { return Ok(now) };
    zone::parse(&plan.settings, text, now).ok_or_else(|| {
        format!("--at is {}, expected a local time such as 2026-07-01T03:00, or 03:00 for today", quote(text))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command, Paint};

    const CONFIG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/config");

    fn check(line: &str) -> (Exit, String) {
        check_in(CONFIG, line)
    }

    fn check_in(config: &str, line: &str) -> (Exit, String) {
        use clap::Parser;
        let line = format!("forewarn who --config {config} {line}");
        let Command::Who(args) = Cli::try_parse_from(line.split(' ')).expect("understood").command else {
            panic!("who: {line}")
        };
        let (mut out, mut err) = (vec![], vec![]);
        let mut around = Surroundings {
            out: &mut out,
            err: &mut err,
            paint: Paint::Off,
            now: Timestamp::from_secs(1_782_864_000),
            env: &|_| None,
        };
        let exit = who(&args, &mut around).expect("written");
        out.extend(err);
        (exit, String::from_utf8(out).expect("UTF-8"))
    }

    #[test]
    fn the_town_hears_first_and_the_basin_from_orange_on() {
        let (exit, text) = check("--area middle --level yellow --hazard flood --at 2026-07-01T03:00");
        assert_eq!(exit, Exit::Done);
        assert!(text.starts_with("flood yellow in middle (渡口镇, Dukou town) at 2026-07-01 03:00 +08:00 would go to 1 target\n"), "{text}");
        assert!(text.contains("town-duty") && text.contains("routes.toml:6"), "{text}");
        let (_, text) = check("--area middle --level red --hazard flood --at 03:00");
        assert_eq!(text.lines().count(), 4, "{text}");
        assert!(text.contains("basin-advisor        email    en"), "{text}");
        // Nobody answers for the upper town alone, so the basin does.
        let (_, text) = check("--area upper --level blue --hazard flood");
        assert!(text.contains("basin-duty"), "{text}");
    }

    #[test]
    fn who_is_told_where_nobody_acknowledges() {
        let dir = tempfile::tempdir().expect("a temporary directory");
        for file in ["forewarn.toml", "contacts.csv", "sensors.csv", "limits.csv", "areas.geojson"] {
            std::fs::copy(format!("{CONFIG}/{file}"), dir.path().join(file)).expect("copied");
        }
        let rules = dir.path().join("rules");
        std::fs::create_dir(&rules).expect("made");
        std::fs::copy(format!("{CONFIG}/rules/river-level.toml"), rules.join("river-level.toml"))
            .expect("copied");
        let routes = std::fs::read_to_string(format!("{CONFIG}/routes.toml")).expect("readable");
        let asking = routes.replace("# ack = {", "ack = {");
        assert_ne!(routes, asking, "the example shows how to ask");
        let line = |routes: &str| {
            std::fs::write(dir.path().join("routes.toml"), routes).expect("written");
            let config = dir.path().to_string_lossy();
            let (_, text) = check_in(&config, "--area middle --level blue --hazard flood");
            text.lines().find(|line| line.contains("unless")).map(str::to_owned)
        };
        assert_eq!(line(&routes), None);
        let next = "  unless acknowledged within 5 min (routes.toml:6): basin-duty by email, 5 min later it-duty by email";
        assert_eq!(line(&asking).as_deref(), Some(next));
        let alone = asking.replace("[\"basin/duty\"]", "[]").replace("{area}/duty", "it-duty");
        assert_eq!(
            line(&alone).as_deref(),
            Some("  unless acknowledged within 5 min (routes.toml:6): nobody else")
        );
    }

    #[test]
    fn ids_of_every_script_take_the_same_columns() {
        assert_eq!(column("值班室", 8), "值班室  ");
        assert_eq!(column("duty", 8), "duty    ");
        assert_eq!(column("longer-than-that", 8), "longer-than-that");
    }

    #[test]
    fn what_there_is_to_choose_from_is_listed_within_bounds() {
        let names: Vec<String> = (0..22).map(|nth| format!("a{nth:02}")).collect();
        let known: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(few(&known[..2]), "one of a00, a01");
        assert!(few(&known).ends_with("a19 and 2 more"), "{}", few(&known));
    }

    #[test]
    fn a_slip_of_the_pen_has_a_hint() {
        for (line, hint) in [
            ("--area midle --level red --hazard flood", "did you mean \"middle\"?"),
            (
                "--area nowhere --level red --hazard flood",
                "area is \"nowhere\", expected one of basin, lower, middle, upper",
            ),
            ("--area middle --level red --hazard flod", "did you mean \"flood\"?"),
            ("--area middle --level red --hazard flood --at noon", "expected a local time"),
        ] {
            let (exit, text) = check(line);
            assert_eq!(exit, Exit::Fault, "{line}");
            assert!(text.contains(hint), "{text}");
        }
    }
}
