//! `forewarn check`: every fault at once, or what the configuration amounts to.

use std::collections::BTreeSet;
use std::io::{self, Write};

use forewarn_core::time::Timestamp;

use super::args::{CheckArgs, Places};
use super::beside::{MARK, command_on_config};
use super::show::count;
use super::{Exit, Surroundings};
use crate::config::fault::{Place, Warning};
use crate::config::names::FreshIndices;
use crate::config::plan::{From, Setup};
use crate::config::raw::{drill, forewarn_toml};
use crate::config::targets::TargetIds;
use crate::config::{Loaded, Request, load};
use crate::expiry;

/// Checks a configuration and tells what it amounts to.
pub(super) fn check(args: &CheckArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    let Some(loaded) = loaded(&args.places, around)? else { return Ok(Exit::Fault) };
    summary(&loaded, &args.places, around.out)?;
    let warnings: Vec<Warning> =
        loaded.warnings.into_iter().chain(ending(&loaded.setup, &args.places, around.now)).collect();
    for warning in &warnings {
        let line = warning.to_string().replacen("warning:", &around.paint.warning("warning:"), 1);
        writeln!(around.out, "{line}")?;
    }
    let verdict = match warnings.len() {
        0 => around.paint.good("sound"),
        warnings => around.paint.warning(count(warnings, "warning")),
    };
    writeln!(around.out, "{verdict}")?;
    Ok(if args.strict && !warnings.is_empty() { Exit::Remarks } else { Exit::Done })
}

/// Loads a configuration without a log, or tells its faults.
pub(super) fn loaded(places: &Places, around: &mut Surroundings<'_>) -> io::Result<Option<Loaded>> {
    let request = Request {
        dir: &places.config,
        data: places.data.as_deref(),
        purpose: places.purpose(),
        at: around.now,
        env: around.env,
    };
    match load(&request, &mut FreshIndices::default(), &mut TargetIds::counted()) {
        Ok(loaded) => Ok(Some(loaded)),
        Err(faults) => {
            writeln!(around.err, "{faults}")?;
            writeln!(around.err, "{}", around.paint.fault(count(faults.count(), "fault")))?;
            Ok(None)
        }
    }
}

/// The certificates that end soon, or have ended.
fn ending(setup: &Setup, places: &Places, now: Timestamp) -> Vec<Warning> {
    let file = if places.drill { drill::FILE } else { forewarn_toml::FILE };
    let read = expiry::certificates(setup).into_iter().filter_map(Result::ok);
    let things = expiry::served(setup).into_iter().chain(read);
    let told = things.filter_map(|thing| thing.told(now, &setup.plan.settings));
    let warning = |(_, detail)| {
        let hint = "put another one in its place, then reload; the listener reads its own at a restart";
        Warning::new(Place::new(file, 0), detail, hint)
    };
    told.map(warning).collect()
}

fn summary(loaded: &Loaded, places: &Places, out: &mut dyn Write) -> io::Result<()> {
    let Setup { plan, listener, http, devices, sources, heartbeat, influx, data, .. } = &loaded.setup;
    let contacts: BTreeSet<&str> =
        plan.targets.iter().flatten().map(|target| target.contact.as_str()).collect();
    if places.drill {
        writeln!(out, "{MARK} a drill, with the contacts, routes and ways of its own")?;
    }
    writeln!(out, "{}, all times in {}", plan.settings.site, plan.settings.zone)?;
    writeln!(
        out,
        "  {} at {}, {}, {}",
        count(plan.sensors.iter().flatten().count(), "sensor"),
        count(plan.stations.iter().flatten().count(), "station"),
        count(plan.areas.iter().flatten().count(), "area"),
        count(plan.rules.iter().flatten().count(), "rule"),
    )?;
    writeln!(
        out,
        "  {} to {} of {}",
        count(plan.routes.len(), "route"),
        count(plan.targets.iter().flatten().count(), "address"),
        count(contacts.len(), "contact"),
    )?;
    for source in sources {
        match &source.from {
            From::Mqtt(mqtt) => {
                let tls = if mqtt.tls.is_some() { " with TLS" } else { "" };
                writeln!(
                    out,
                    "  readings from {}: {}:{}{tls}, {}",
                    source.name,
                    mqtt.host,
                    mqtt.port,
                    mqtt.topics.join(" ")
                )?;
            }
            From::Listener => {
                let binds = listener.iter().flat_map(|listener| [listener.bind, listener.bind_tls]).flatten();
                let binds: Vec<String> = binds.map(|bind| bind.to_string()).collect();
                let known = count(devices.by_identity.len(), "device");
                writeln!(
                    out,
                    "  readings from the listener: {}, {known} (add with: {})",
                    binds.join(" "),
                    command_on_config(places, "devices add IDENTITY --stations ID,ID")
                )?;
            }
            From::Http => {
                writeln!(out, "  readings over HTTP: {}, {}", http.bind, count(http.tokens.len(), "token"))?;
            }
        }
    }
    match &heartbeat.outside {
        Some(_) => writeln!(out, "  heartbeat every {} to somebody outside", heartbeat.every)?,
        None if places.drill => {}
        None => writeln!(
            out,
            "  heartbeat to nobody: if it stops, no one outside hears of it (url below [heartbeat])"
        )?,
    }
    if let Some(influx) = influx {
        writeln!(out, "  long history in InfluxDB: {}, bucket {}", influx.url, influx.bucket)?;
    }
    writeln!(out, "  data in {}", data.display())?;
    writeln!(out, "  memory: {}", loaded.memory)
}
