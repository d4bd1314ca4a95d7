//! How answers look: in colour for people, plain for files and for `NO_COLOR`.

use std::fmt;
use std::io::IsTerminal;

use clap::builder::styling::{AnsiColor, Color, Style};
use forewarn_core::level::Level;

/// Whether to colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// For a terminal.
    On,
    /// For a file, a pipe, or where `NO_COLOR` is set.
    Off,
}

impl Paint {
    /// For standard output as it is.
    pub fn of_stdout() -> Paint {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|value| value == "dumb");
        if std::io::stdout().is_terminal() && !refused && !dumb { Paint::On } else { Paint::Off }
    }

    /// The word for a fault.
    pub(super) fn fault(self, text: impl fmt::Display) -> String {
        self.with(AnsiColor::Red, text)
    }

    /// The word for a warning.
    pub(super) fn warning(self, text: impl fmt::Display) -> String {
        self.with(AnsiColor::Yellow, text)
    }

    /// The word for what is well.
    pub(super) fn good(self, text: impl fmt::Display) -> String {
        self.with(AnsiColor::Green, text)
    }

    /// A level, in a colour near its own; its word stands in any case.
    pub(crate) fn level(self, level: Level) -> String {
        let color = match level {
            Level::Normal => AnsiColor::Green,
            Level::Blue => AnsiColor::Blue,
            Level::Yellow => AnsiColor::Yellow,
            Level::Orange => AnsiColor::BrightRed,
            Level::Red => AnsiColor::Red,
        };
        self.with(color, level)
    }

    fn with(self, color: AnsiColor, text: impl fmt::Display) -> String {
        match self {
            Paint::Off => text.to_string(),
            Paint::On => {
                let style = Style::new().fg_color(Some(Color::Ansi(color))).bold();
                format!("{style}{text}{style:#}")
            }
        }
    }
}

/// A count with its noun, in the plural where it is not one.
pub(super) fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        _ if noun.ends_with('s') => format!("{number} {noun}es"),
        _ => format!("{number} {noun}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_is_plain_and_colour_keeps_the_word() {
        assert_eq!(Paint::Off.level(Level::Red), "red");
        assert!(Paint::On.level(Level::Red).contains("red"));
        assert_eq!((count(1, "rule"), count(0, "rule")), ("1 rule".to_owned(), "0 rules".to_owned()));
    }
}
