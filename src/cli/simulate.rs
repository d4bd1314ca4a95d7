//! `forewarn simulate`: readings that nobody measured, for a drill.

use std::io;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use forewarn_core::time::Span;

use super::{Exit, Surroundings};
use crate::app::simulate::{self, READINGS_MAX, Simulation};
use crate::config::raw::addresses::{Broker, Tls};
use crate::config::raw::words::Word;
use crate::config::secret::Secret;

/// Where the secret is looked for, unless a file is named.
const SECRET: &str = "FOREWARN_DRILL_SECRET";

/// `forewarn simulate`.
#[derive(Debug, Clone, Args)]
pub struct SimulateArgs {
    /// The sensor, as station/quantity
    #[arg(long, value_name = "ID", value_parser = sensor)]
    pub sensor: (String, String),
    /// How its value goes
    #[arg(long, value_enum)]
    pub shape: Shape,
    /// Value that it begins with, in the unit that the device sends
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    pub low: f64,
    /// Value that it comes to; with constant it may be left out
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    pub peak: Option<f64>,
    /// How long it lasts
    #[arg(long, value_name = "TIME", default_value = "10 min", value_parser = length)]
    pub lasts: Span,
    /// How far apart readings are
    #[arg(long, value_name = "TIME", default_value = "10 s", value_parser = length)]
    pub every: Span,
    /// The drill's listener, as `mqtt://` with host and port; where it says that it is live, nothing is sent
    #[arg(long, value_name = "ADDRESS", value_parser = address)]
    pub to: (String, u16),
    /// Name of a device of drill/devices.csv; its secret stands in the file of --secret, or in the environment
    #[arg(long = "as", value_name = "IDENTITY")]
    pub identity: Option<String>,
    /// File that holds its secret
    #[arg(long, value_name = "FILE", requires = "identity")]
    pub secret: Option<PathBuf>,
}

/// How a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// Stays where it is
    Constant,
    /// Rises evenly to its peak
    Ramp,
    /// Rises in a third of the time, and falls back more slowly
    Flood,
}

/// Publishes it.
pub(super) fn simulate(args: &SimulateArgs, around: &mut Surroundings<'_>) -> io::Result<Exit> {
    let simulation = match meant(args, around.env) {
        Ok(simulation) => simulation,
        Err(fault) => {
            writeln!(around.err, "simulate: {fault}")?;
            return Ok(Exit::Fault);
        }
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match runtime.block_on(simulate::play(&simulation, around.out)) {
        Ok(_) => Ok(Exit::Done),
        Err(error) => {
            writeln!(around.err, "simulate: {error:#}")?;
            Ok(Exit::Failed)
        }
    }
}

fn meant(args: &SimulateArgs, env: &dyn Fn(&str) -> Option<String>) -> Result<Simulation, String> {
    let SimulateArgs { sensor, low, peak, lasts, every, to, .. } = args;
    let peak = match (args.shape, peak) {
        (Shape::Constant, None) => *low,
        (_, Some(peak)) => *peak,
        (Shape::Ramp | Shape::Flood, None) => return Err("no --peak, expected the value it comes to".into()),
    };
    if !low.is_finite() || !peak.is_finite() {
        return Err(format!("from {low} to {peak}, expected finite numbers"));
    }
    if lasts.0 / every.0 > READINGS_MAX {
        return Err(format!("{lasts} every {every}, expected {READINGS_MAX} readings at most"));
    }
    let login = match &args.identity {
        None => None,
        Some(identity) => Some((identity.clone(), secret(args, env)?)),
    };
    Ok(Simulation {
        sensor: sensor.clone(),
        shape: match args.shape {
            Shape::Constant => simulate::Shape::Constant,
            Shape::Ramp => simulate::Shape::Ramp,
            Shape::Flood => simulate::Shape::Flood,
        },
        low: *low,
        peak,
        lasts: *lasts,
        every: *every,
        to: to.clone(),
        login,
    })
}

/// Never on the command line, where everybody at this machine reads it.
fn secret(args: &SimulateArgs, env: &dyn Fn(&str) -> Option<String>) -> Result<Secret, String> {
    let text = match &args.secret {
        Some(file) => std::fs::read_to_string(file)
            .map_err(|error| format!("{}: {error}, expected a file that holds the secret", file.display()))?,
        None => {
            env(SECRET).ok_or_else(|| format!("{SECRET} is not set, expected the device's secret in it"))?
        }
    };
    Ok(Secret::new(text.trim_end().to_owned()))
}

fn sensor(word: &str) -> Result<(String, String), String> {
    let parts =
        word.split_once('/').filter(|(station, quantity)| !station.is_empty() && !quantity.is_empty());
    let (station, quantity) = parts.ok_or("expected station/quantity, such as qj-01/level")?;
    if station.contains(['+', '#', '/']) || quantity.contains('/') {
        return Err("expected station/quantity, such as qj-01/level".to_owned());
    }
    Ok((station.to_owned(), quantity.to_owned()))
}

fn length(word: &str) -> Result<Span, String> {
    let span = Span::parse(word).ok().filter(|span| *span > Span::ZERO);
    span.ok_or_else(|| "expected a length of time such as \"10 min\"".to_owned())
}

fn address(word: &str) -> Result<(String, u16), String> {
    match Broker::parse(word) {
        Some(Broker { host, port, tls: Tls::Off }) => Ok((host, port)),
        Some(_) | None => Err("expected an address such as mqtt://127.0.0.1:1884, without TLS".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::{Cli, Command};

    fn check(line: &str, expected: Result<(f64, f64), &str>) {
        use clap::Parser;
        let line = format!("forewarn simulate --to mqtt://127.0.0.1:1884 {line}");
        let parsed = Cli::try_parse_from(line.split(' ')).map_err(|error| error.to_string());
        let found = parsed.and_then(|cli| {
            let Command::Simulate(args) = cli.command else { panic!("{line}") };
            meant(&args, &|_| None).map(|it| (it.low, it.peak))
        });
        match (found, expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{line}"),
            (Err(found), Err(part)) => assert!(found.contains(part), "{line}: {found}"),
            (found, expected) => panic!("{line}: {found:?}, expected {expected:?}"),
        }
    }

    #[test]
    fn what_cannot_be_meant_is_refused_before_anything_is_connected() {
        check("--sensor qj-1/level --shape constant --low 55", Ok((55.0, 55.0)));
        check("--sensor qj-1/level --shape ramp --low -1 --peak 59", Ok((-1.0, 59.0)));
        check("--sensor qj-1/level --shape ramp --low 55", Err("no --peak"));
        check("--sensor qj-1/level --shape ramp --low NaN --peak 59", Err("finite"));
        check("--sensor qj-1 --shape constant --low 55", Err("station/quantity"));
        check("--sensor a+/level --shape constant --low 55", Err("station/quantity"));
        check("--sensor qj-1/level --shape constant --low 55 --every 0s", Err("length of time"));
        check(
            "--sensor qj-1/level --shape constant --low 55 --lasts 1d --every 1ms",
            Err("readings at most"),
        );
        check("--sensor qj-1/level --shape constant --low 55 --as gw-1", Err(SECRET));
    }
}
