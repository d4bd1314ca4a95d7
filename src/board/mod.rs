//! The board: what a duty officer sees of the service, server-rendered, one file
//! a page. Pages are pure: from a look at the engine, rows of the projection and
//! the setup to HTML. They work without a script, on a phone and by keyboard.

mod curve;
pub mod deliveries;
mod frame;
pub mod help;
pub mod home;
pub mod language;
mod look;
mod maker;
pub mod missing;
pub mod quarantine;
pub mod sensor;
pub mod sensors;
mod silences;
mod standing;
mod voice;
pub mod warning;
pub mod warnings;

use std::sync::Arc;

use forewarn_core::authority::{Authority, Scope};
use forewarn_core::ids::AreaIx;

use crate::config::plan::Setup;
pub use look::Look;
pub use maker::{Draft, Maker};
pub use standing::Counts;

/// The sheet of styles, served beside the pages.
pub const STYLES: &str = include_str!("assets/board.css");

/// The script that keeps a page up to date and says when it cannot.
pub const SCRIPT: &str = include_str!("assets/board.js");

/// Rows of a list that stand on one page.
pub const PAGE_ROWS: usize = 50;

/// A look at the engine, with what every page says of it.
#[derive(Debug, Clone)]
pub struct Sight {
    /// The look.
    pub look: Look,
    /// How its sensors stand.
    pub counts: Counts,
}

impl Sight {
    /// Counts what is seen.
    pub fn of(look: Look) -> Sight {
        let counts = Counts::of(&look);
        Sight { look, counts }
    }

    /// Whether nothing comes from anywhere.
    pub fn is_silent(&self) -> bool {
        self.counts.silence(self.look.now) != standing::Silence::No
    }
}

/// Who looks, and what they may do.
#[derive(Debug, Clone)]
pub struct Visitor {
    /// Their account's name, shown to themselves alone; empty where there is none.
    pub name: String,
    /// Whether they may act on warnings.
    pub acts: Acts,
    /// What they may see: elsewhere there is nothing for them.
    pub authority: Authority,
    /// What their forms carry, so that no other site can send them.
    pub token: String,
}

/// Whether somebody may act on warnings, or only read.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Acts {
    /// Reads.
    #[default]
    No,
    /// Acknowledges, ends, cancels, sends again.
    Yes,
}

/// What a page is drawn from, whichever it is.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'a> {
    /// The setup in force.
    pub setup: &'a Arc<Setup>,
    /// The tag of the reader's language.
    pub language: &'a str,
    /// What is seen.
    pub sight: &'a Sight,
    /// Who looks.
    pub visitor: &'a Visitor,
    /// Path and query of the page, where a switch of language comes back to.
    pub place: &'a str,
    /// What came of what the reader just asked for: a word below `board.done`.
    pub done: Option<&'a str>,
}

impl Scene<'_> {
    /// Whether what is there is for the visitor to see.
    pub fn covers(&self, area: AreaIx) -> bool {
        self.visitor.authority.covers(area, &self.setup.plan)
    }

    /// Whether the service as a whole is.
    pub fn is_everywhere(&self) -> bool {
        self.visitor.authority.scope == Scope::Everywhere
    }
}
