//! The words of accounts and tokens.

use clap::{Args, Subcommand};
use forewarn_core::authority::Role;
use forewarn_core::time::Span;

use super::Places;
use crate::cli::accounts::role;

/// `forewarn accounts`.
#[derive(Debug, Clone, Args)]
pub struct AccountsArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// What to do with them.
    #[command(subcommand)]
    pub action: AccountsAction,
}

/// What to do with accounts.
#[derive(Debug, Clone, Subcommand)]
pub enum AccountsAction {
    /// Add an account, and print its password once
    Add {
        /// The name to log in with
        #[arg(value_name = "NAME")]
        name: String,
        /// viewer, operator, approver or administrator
        #[arg(long, value_name = "ROLE", value_parser = role)]
        role: Role,
        /// Ids of the areas where the role holds, with all that lie in them; everywhere if left out
        #[arg(long = "areas", value_name = "ID,ID", value_delimiter = ',')]
        areas: Vec<String>,
        /// Read the password from standard input rather than draw one
        #[arg(long)]
        password_stdin: bool,
    },
    /// List accounts
    List {
        /// Print JSON in place of text
        #[arg(long)]
        json: bool,
    },
    /// Give an account another role and other areas, from now on
    Role {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        /// viewer, operator, approver or administrator
        #[arg(long, value_name = "ROLE", value_parser = role)]
        role: Role,
        /// Ids of the areas where the role holds; everywhere if left out
        #[arg(long = "areas", value_name = "ID,ID", value_delimiter = ',')]
        areas: Vec<String>,
    },
    /// Give an account another password, print it once, and end its sessions
    Reset {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
        /// Read the password from standard input rather than draw one
        #[arg(long)]
        password_stdin: bool,
    },
    /// Remove an account with its sessions
    Remove {
        /// Its name
        #[arg(value_name = "NAME")]
        name: String,
    },
}

/// `forewarn tokens`.
#[derive(Debug, Clone, Args)]
pub struct TokensArgs {
    /// Where configuration and data stand.
    #[command(flatten)]
    pub places: Places,
    /// What to do with them.
    #[command(subcommand)]
    pub action: TokensAction,
}

/// What to do with tokens.
#[derive(Debug, Clone, Subcommand)]
pub enum TokensAction {
    /// Add a token for a program, and print it once
    Add {
        /// What it is for
        #[arg(value_name = "NAME")]
        name: String,
        /// viewer, operator, approver or administrator
        #[arg(long, value_name = "ROLE", value_parser = role)]
        role: Role,
        /// Ids of the areas where the role holds, with all that lie in them; everywhere if left out
        #[arg(long = "areas", value_name = "ID,ID", value_delimiter = ',')]
        areas: Vec<String>,
        /// How long it holds, such as 90d
        #[arg(long, value_name = "TIME", default_value = "90d", value_parser = lasting)]
        lasts: Span,
    },
    /// List tokens, by how they begin
    List {
        /// Print JSON in place of text
        #[arg(long)]
        json: bool,
    },
    /// Revoke a token: from now on it opens nothing
    Revoke {
        /// Its id, as listed
        #[arg(value_name = "ID")]
        id: String,
    },
}

fn lasting(word: &str) -> Result<Span, String> {
    Span::parse(word).map_err(|_| "expected a length of time such as 90d".to_owned())
}
