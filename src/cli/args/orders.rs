//! The words of what people order: who speaks, what they write, mutes and
//! maintenance.

use clap::{Args, Subcommand};
use forewarn_core::level::Level;
use forewarn_core::time::Span;

use super::{Listing, Places};

/// Who speaks.
#[derive(Debug, Clone, Args)]
pub struct Speaks {
    /// Account to speak as, one that [orders] lists; the machine's own if left out
    #[arg(long = "as", value_name = "ACCOUNT")]
    pub account: Option<String>,
}

/// What a person writes, in both languages or not at all.
#[derive(Debug, Clone, Args)]
pub struct Written {
    /// What is the matter, in Chinese
    #[arg(long, value_name = "TEXT")]
    pub zh: String,
    /// What is the matter, in English
    #[arg(long, value_name = "TEXT")]
    pub en: String,
    /// What to do, in Chinese; the words of the level if left out
    #[arg(long, value_name = "TEXT", requires = "en_do", default_value = "")]
    pub zh_do: String,
    /// What to do, in English; the words of the level if left out
    #[arg(long, value_name = "TEXT", requires = "zh_do", default_value = "")]
    pub en_do: String,
}

/// `forewarn mute`.
#[derive(Debug, Clone, Args)]
pub struct MuteArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// How what was found is written.
    #[command(flatten)]
    pub listing: Listing,
    /// What to do with them; to list them if left out.
    #[command(subcommand)]
    pub action: Option<MuteAction>,
}

/// What to do with mutes.
#[derive(Debug, Clone, Subcommand)]
pub enum MuteAction {
    /// List mutes and maintenance windows, newest first
    List,
    /// Mute an area, a hazard, a cell, a rule, a sensor or a station
    Add {
        /// What to mute.
        #[command(flatten)]
        what: Muted,
        /// The highest level that is hidden: what goes beyond goes out. Red takes two persons
        #[arg(long, value_name = "LEVEL", value_parser = super::level, default_value = "orange")]
        up_to: Level,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// How long, such as 2h
        #[arg(long = "for", value_name = "TIME", value_parser = lasting)]
        lasting: Span,
        /// Who answers for it.
        #[command(flatten)]
        speaks: Speaks,
    },
    /// End a mute before its time
    End {
        /// Number of it
        #[arg(value_name = "NUMBER")]
        number: u32,
        /// Who says so.
        #[command(flatten)]
        speaks: Speaks,
    },
}

/// What is muted: one of these.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct Muted {
    /// Id of an area, with all that lie in it
    #[arg(long, value_name = "ID")]
    pub area: Option<String>,
    /// A hazard, such as flood
    #[arg(long, value_name = "NAME")]
    pub hazard: Option<String>,
    /// A hazard in an area, as hazard@area
    #[arg(long, value_name = "CELL")]
    pub cell: Option<String>,
    /// Id of a rule
    #[arg(long, value_name = "ID")]
    pub rule: Option<String>,
    /// Id of a sensor, as station/quantity
    #[arg(long, value_name = "ID")]
    pub sensor: Option<String>,
    /// Id of a station
    #[arg(long, value_name = "ID")]
    pub station: Option<String>,
}

/// `forewarn maintenance`.
#[derive(Debug, Clone, Args)]
pub struct MaintenanceArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// How what was found is written.
    #[command(flatten)]
    pub listing: Listing,
    /// What to do with them; to list them if left out.
    #[command(subcommand)]
    pub action: Option<MaintenanceAction>,
}

/// What to do with maintenance windows.
#[derive(Debug, Clone, Subcommand)]
pub enum MaintenanceAction {
    /// List mutes and maintenance windows, newest first
    List,
    /// Plan work on a sensor or a station. Where it may warn of red that takes two persons
    Add {
        /// What is worked on.
        #[command(flatten)]
        what: Maintained,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// How long until it begins, such as 90min; at once if left out
        #[arg(long, value_name = "TIME", value_parser = lasting)]
        after: Option<Span>,
        /// How long it lasts, such as 4h
        #[arg(long = "for", value_name = "TIME", value_parser = lasting)]
        lasting: Span,
        /// Who answers for it.
        #[command(flatten)]
        speaks: Speaks,
    },
    /// End a window before its time, or call it off
    End {
        /// Number of it
        #[arg(value_name = "NUMBER")]
        number: u32,
        /// Who says so.
        #[command(flatten)]
        speaks: Speaks,
    },
}

/// What is worked on: one of these.
#[derive(Debug, Clone, Args)]
#[group(required = true, multiple = false)]
pub struct Maintained {
    /// Id of a sensor, as station/quantity
    #[arg(long, value_name = "ID")]
    pub sensor: Option<String>,
    /// Id of a station
    #[arg(long, value_name = "ID")]
    pub station: Option<String>,
}

pub(super) fn lasting(word: &str) -> Result<Span, String> {
    let span = Span::parse(word).ok().filter(|span| *span > Span::ZERO);
    span.ok_or_else(|| "expected a length of time such as 30min or 2h".to_owned())
}
