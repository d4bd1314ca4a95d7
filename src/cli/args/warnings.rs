//! The words of `forewarn warnings`.

use clap::{Args, Subcommand};
use forewarn_core::level::Level;
use forewarn_core::time::Span;

use super::{Listing, Places, Speaks, Written};

/// `forewarn warnings`.
#[derive(Debug, Clone, Args)]
pub struct WarningsArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// How what was found is written.
    #[command(flatten)]
    pub listing: Listing,
    /// What to do with them; to list them if left out.
    #[command(subcommand)]
    pub action: Option<WarningsAction>,
}

/// What to do with warnings.
#[derive(Debug, Clone, Subcommand)]
pub enum WarningsAction {
    /// List warnings, newest first
    List,
    /// Show a warning: its revisions, its evidence, its deliveries
    Show {
        /// Its id, or the beginning of it
        #[arg(value_name = "ID")]
        id: String,
    },
    /// End an incident by hand; those who heard of it are told
    AllClear {
        /// Hazard and area, as hazard@area, or the warning's id
        #[arg(value_name = "CELL|ID")]
        cell: String,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who says so.
        #[command(flatten)]
        speaks: Speaks,
    },
    /// Say that a warning was issued in error; all who got it, or may have got it, are told
    Cancel {
        /// Hazard and area, as hazard@area, or the warning's id
        #[arg(value_name = "CELL|ID")]
        cell: String,
        /// Why; without it the message says that it was issued in error
        #[arg(long, value_name = "TEXT", default_value = "")]
        reason: String,
        /// Who says so.
        #[command(flatten)]
        speaks: Speaks,
    },
    /// Correct what a warning says, in both languages; all who got it are told
    Correct {
        /// Its id, or the beginning of it
        #[arg(value_name = "ID")]
        id: String,
        /// What it says from now on.
        #[command(flatten)]
        written: Written,
        /// Who says so.
        #[command(flatten)]
        speaks: Speaks,
    },
    /// Leave a note for the shift, or on a warning: its next message says it too
    Note {
        /// What it says
        #[arg(value_name = "TEXT")]
        text: String,
        /// The warning's id, or the beginning of it
        #[arg(long, value_name = "ID")]
        on: Option<String>,
        /// Who says so.
        #[command(flatten)]
        speaks: Speaks,
    },
    /// Draft a warning by hand, which another person must approve
    Draft {
        /// Its hazard, such as flood
        #[arg(long, value_name = "NAME")]
        hazard: String,
        /// Id of an area; several by giving it again
        #[arg(long, value_name = "ID", required = true)]
        area: Vec<String>,
        /// Its level: blue, yellow, orange or red
        #[arg(long, value_name = "LEVEL", value_parser = super::level)]
        level: Level,
        /// How long it holds, such as 2h
        #[arg(long = "for", value_name = "TIME", value_parser = super::orders::lasting)]
        lasting: Span,
        /// The standing warning by hand that it brings up to date
        #[arg(long, value_name = "ID")]
        updates: Option<String>,
        /// What it says.
        #[command(flatten)]
        written: Written,
        /// Who says so.
        #[command(flatten)]
        speaks: Speaks,
    },
    /// List drafts, or show one whole, as whoever approves it must read it
    Drafts {
        /// Number of it
        #[arg(value_name = "NUMBER")]
        number: Option<u32>,
    },
    /// Approve what another person drafted, as it stands: it takes effect at once
    Approve {
        /// Number of the draft
        #[arg(value_name = "NUMBER")]
        number: u32,
        /// The digest that `warnings drafts NUMBER` showed, or its first 8 digits or more
        #[arg(long, value_name = "HEX")]
        digest: String,
        /// Who says so.
        #[command(flatten)]
        speaks: Speaks,
    },
    /// Take a draft back
    Withdraw {
        /// Number of the draft
        #[arg(value_name = "NUMBER")]
        number: u32,
        /// Why, for the record
        #[arg(long, value_name = "TEXT")]
        reason: String,
        /// Who says so.
        #[command(flatten)]
        speaks: Speaks,
    },
    /// Acknowledge a warning for somebody who cannot follow the link in the message
    Ack {
        /// Its id, or the beginning of it
        #[arg(value_name = "ID")]
        id: String,
        /// Id of the contact who has seen it
        #[arg(long = "as", value_name = "ID")]
        contact: String,
    },
    /// List deliveries that were given up, newest first
    Dead,
    /// Send what a dead delivery carried once more
    Resend {
        /// Key of the delivery
        #[arg(value_name = "KEY")]
        key: String,
    },
}
