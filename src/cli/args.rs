//! The words of the command line.

mod accounts;
mod orders;
mod warnings;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use forewarn_core::level::Level;
use forewarn_core::time::Span;

pub use self::accounts::{AccountsAction, AccountsArgs, TokensAction, TokensArgs};
pub use self::orders::{
    Maintained, MaintenanceAction, MaintenanceArgs, MuteAction, MuteArgs, Muted, Speaks, Written,
};
pub use self::warnings::{WarningsAction, WarningsArgs};

const EXIT_CODES: &str = "Exit codes:
  0  done
  1  warnings (check --strict), nothing found, or not ready (health)
  2  the configuration is at fault, or the command was not understood
  3  the running service cannot be reached
  4  anything else that failed

Environment:
  NO_COLOR         no colours
  FOREWARN_CONFIG  as --config
  FOREWARN_DATA    as --data
  FOREWARN_LOG     what `run` logs, such as info or forewarn=debug; default info (RUST_LOG does as well)";

/// Early warning: sensor readings in, warnings out.
#[derive(Debug, Parser)]
#[command(name = "forewarn", version, about, after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the service
    Run(RunArgs),
    /// Play a flood through the whole service, with nothing configured and nobody told
    Demo(DemoArgs),
    /// Tell every fault of the configuration, and what can never fire
    Check(CheckArgs),
    /// Tell who would hear of a warning, and why
    Who(WhoArgs),
    /// Print the shape of the configuration's files, as JSON Schema
    Schema(SchemaArgs),
    /// Add or list devices that may connect to the listener
    Devices(DevicesArgs),
    /// Add, list or change accounts of people who may log in
    Accounts(AccountsArgs),
    /// Add, list or revoke tokens of programs that may ask the API
    Tokens(TokensArgs),
    /// Send a test of notification, marked as an exercise, through the running service
    NotifyTest(NotifyTestArgs),
    /// List, show, end or correct warnings
    Warnings(WarningsArgs),
    /// Silence what is known, accountably: it is judged and recorded all the while
    Mute(MuteArgs),
    /// Plan work on a sensor or a station, whose readings say nothing meanwhile
    Maintenance(MaintenanceArgs),
    /// List sensors: newest reading, state and level, and why a reading does not count
    Sensors(SensorsArgs),
    /// Look at what came in and was not understood
    Quarantine(QuarantineArgs),
    /// Look at the log, and verify it
    Log(LogArgs),
    /// Copy the data directory, beside the running service
    Backup(BackupArgs),
    /// Put a backup in place as a new data directory, which is held until `resume`
    Restore(RestoreArgs),
    /// Ask a running service whether it is well, for health checks
    Health(HealthArgs),
    /// Let the running service read its configuration again
    Reload(ReloadArgs),
    /// Let a restored data directory act again
    Resume(ResumeArgs),
    /// Say that an upgrade does well: what is kept for the way back is let go
    ConfirmUpgrade(PlacesArgs),
    /// Stop the running service in good order
    Stop(PlacesArgs),
    /// Print a shell's completions
    Completions(CompletionsArgs),
}

/// The folder of the configuration, unless another is given.
pub(super) const CONFIG_DEFAULT: &str = "config";

/// Where configuration and data stand.
#[derive(Debug, Clone, Args)]
pub struct Places {
    /// Folder of the configuration
    #[arg(long, value_name = "DIR", env = "FOREWARN_CONFIG", default_value = CONFIG_DEFAULT, global = true)]
    pub config: PathBuf,
    /// Folder of log, state and stores, where it is not the configuration's to say
    #[arg(long, value_name = "DIR", env = "FOREWARN_DATA", global = true)]
    pub data: Option<PathBuf>,
}

/// `forewarn run`.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// How the log on standard error is written
    #[arg(long, value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
}

/// How the log on standard error is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people
    Text,
    /// A line of JSON an event
    Json,
}

fn at_least_one(text: &str) -> Result<usize, String> {
    text.parse().ok().filter(|&number| number > 0).ok_or_else(|| "expected a whole number from 1".to_owned())
}

/// How what was found is written.
#[derive(Debug, Clone, Args)]
pub struct Listing {
    /// Print JSON in place of text
    #[arg(long, global = true)]
    pub json: bool,
    /// How many to list at most
    #[arg(long, value_name = "NUMBER", default_value_t = 50, global = true, value_parser = at_least_one)]
    pub limit: usize,
}

/// `forewarn demo`.
#[derive(Debug, Clone, Args)]
pub struct DemoArgs {
    /// Play a recorded disaster, such as hugo-1989, in place of the simulated flood
    #[arg(long, value_name = "NAME")]
    pub recording: Option<String>,
    /// Seed of the simulated flood, where it is not to be its own: the same seed, the same flood
    #[arg(long)]
    pub seed: Option<u64>,
    /// Folder for what the demo leaves: log, mails, webhooks
    #[arg(long, value_name = "DIR", default_value = "demo-data")]
    pub data: PathBuf,
}

/// `forewarn check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// Take warnings for faults: exit with 1
    #[arg(long)]
    pub strict: bool,
}

/// `forewarn who`.
#[derive(Debug, Clone, Args)]
pub struct WhoArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// Id of the area that the warning is about
    #[arg(long, value_name = "ID")]
    pub area: String,
    /// Its level: blue, yellow, orange or red
    #[arg(long, value_name = "LEVEL", value_parser = level)]
    pub level: Level,
    /// Its hazard, such as flood
    #[arg(long, value_name = "NAME")]
    pub hazard: String,
    /// Local date and time, such as 2026-07-01T03:00, or a time today, such as 03:00; default now
    #[arg(long, value_name = "TIME")]
    pub at: Option<String>,
}

/// `forewarn schema`.
#[derive(Debug, Clone, Args)]
pub struct SchemaArgs {
    /// The file, such as forewarn.toml, rules or sensors.csv; all if left out
    #[arg(value_name = "FILE")]
    pub file: Option<String>,
    /// The description of the API instead.
    #[arg(long, conflicts_with = "file", help = "Print the description of the API instead, as OpenAPI 3.1")]
    pub openapi: bool,
}

/// `forewarn devices`.
#[derive(Debug, Clone, Args)]
pub struct DevicesArgs {
    /// What to do with them.
    #[command(subcommand)]
    pub action: DevicesAction,
}

/// What to do with devices.
#[derive(Debug, Clone, Subcommand)]
pub enum DevicesAction {
    /// Add a device or gateway, and print its secret once
    Add {
        /// Its user name
        #[arg(value_name = "IDENTITY")]
        identity: String,
        /// The stations it may speak for
        #[arg(long, value_name = "ID,ID", value_delimiter = ',', required = true)]
        stations: Vec<String>,
        /// Where configuration and data stand.
        #[command(flatten)]
        places: Places,
    },
    /// List devices and the stations they may speak for
    List {
        /// Where configuration and data stand.
        #[command(flatten)]
        places: Places,
    },
}

/// `forewarn notify-test`.
#[derive(Debug, Clone, Args)]
pub struct NotifyTestArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// Id of a contact; the operator if neither contact nor target is given
    #[arg(long, value_name = "ID")]
    pub contact: Vec<String>,
    /// Id of a target
    #[arg(long, value_name = "ID")]
    pub target: Vec<String>,
    /// Words to go with it
    #[arg(long, value_name = "TEXT", default_value = "")]
    pub note: String,
    /// How long to wait for what becomes of it, such as 10s; 0s only asks for it
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = waiting)]
    pub wait: Span,
}

/// `forewarn sensors`.
#[derive(Debug, Clone, Args)]
pub struct SensorsArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// How what was found is written.
    #[command(flatten)]
    pub listing: Listing,
    /// A sensor, a station, or a part of either, `*` standing for anything; where only one fits, its
    /// last readings and its rules are shown
    #[arg(value_name = "ID|PATTERN")]
    pub which: Option<String>,
}

/// `forewarn quarantine`.
#[derive(Debug, Clone, Args)]
pub struct QuarantineArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// How what was found is written.
    #[command(flatten)]
    pub listing: Listing,
    /// What to do with it; to list it if left out.
    #[command(subcommand)]
    pub action: Option<QuarantineAction>,
}

/// What to do with the quarantine.
#[derive(Debug, Clone, Subcommand)]
pub enum QuarantineAction {
    /// List what was not understood, newest first
    List,
    /// Show one: its bytes, its topic, and why
    Show {
        /// Number of it
        #[arg(value_name = "ID")]
        id: u64,
    },
}

/// `forewarn backup`.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// The folder to make; new, or empty
    #[arg(long, value_name = "DIR")]
    pub to: PathBuf,
}

/// `forewarn restore`.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// The folder that `forewarn backup` made
    #[arg(long, value_name = "DIR")]
    pub from: PathBuf,
}

/// `forewarn log`.
#[derive(Debug, Clone, Args)]
pub struct LogArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// How what was found is written.
    #[command(flatten)]
    pub listing: Listing,
    /// What to do with it.
    #[command(subcommand)]
    pub action: LogAction,
}

/// What to do with the log.
#[derive(Debug, Clone, Subcommand)]
pub enum LogAction {
    /// List its segments
    List,
    /// Read all of it and check every checksum
    Verify,
    /// Show the record at a position
    Show {
        /// The position
        #[arg(value_name = "POSITION")]
        position: u64,
    },
}

/// `forewarn health`.
#[derive(Debug, Clone, Args)]
pub struct HealthArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// Ask only whether it lives, not whether readings are taken and judged
    #[arg(long)]
    pub live: bool,
    /// Print the answer as the service gives it, in place of a line: JSON, with what stands of troubles
    #[arg(long, conflicts_with = "live")]
    pub json: bool,
}

/// `forewarn reload`.
#[derive(Debug, Clone, Args)]
pub struct ReloadArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// Let the area or the hazard of a standing warning go, and the warning stand alone, rather than refuse
    #[arg(long)]
    pub orphan: bool,
}

/// `forewarn resume`.
#[derive(Debug, Clone, Args)]
pub struct ResumeArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// Only tell what would go out
    #[arg(long)]
    pub dry_run: bool,
}

/// `forewarn stop` and `forewarn confirm-upgrade`.
#[derive(Debug, Clone, Args)]
pub struct PlacesArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
}

/// `forewarn completions`.
#[derive(Debug, Clone, Args)]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

fn waiting(word: &str) -> Result<Span, String> {
    Span::parse(word)
        .ok()
        .filter(|span| (Span::ZERO..=Span::from_mins(5)).contains(span))
        .ok_or_else(|| "expected a length of time such as 10s, 5min at most".to_owned())
}

fn level(word: &str) -> Result<Level, String> {
    Level::parse(word)
        .filter(|level| *level != Level::Normal)
        .ok_or_else(|| "expected blue, yellow, orange or red".to_owned())
}
