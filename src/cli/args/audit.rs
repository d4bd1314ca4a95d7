//! The words of `forewarn audit`.

use clap::{Args, Subcommand};

use super::{Listing, Places};

/// `forewarn audit`.
#[derive(Debug, Clone, Args)]
pub struct AuditArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// How much is listed, and how.
    #[command(flatten)]
    pub listing: Listing,
    /// What to do with it.
    #[command(subcommand)]
    pub action: AuditAction,
}

/// What to do with the audit trail.
#[derive(Debug, Clone, Subcommand)]
pub enum AuditAction {
    /// List its newest lines
    List,
    /// Check that nothing in it was edited, dropped, moved or cut off, and that it tells what the log holds
    Verify {
        /// A head that was noted down elsewhere: LINES:HASH, as `audit head` prints it
        #[arg(long, value_name = "LINES:HASH")]
        noted: Option<String>,
    },
    /// Print how far it goes, to be noted down elsewhere
    Head,
}
