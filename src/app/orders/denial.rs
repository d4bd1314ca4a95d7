//! No order may say that it is no drill: in a drill its words could reach people
//! who take it at its word.

use forewarn_core::event::Command;
use forewarn_core::orders::{Proposal, Text, Texts};

use crate::channels::words::denial;

/// What in an order's words says that it is no drill, if anything does.
pub(in crate::app) fn denied(command: &Command) -> Option<&'static str> {
    match command {
        Command::NotifyTest(_, words)
        | Command::AllClear(_, words)
        | Command::Cancel(_, words)
        | Command::Withdraw(_, words)
        | Command::Note(_, words)
        | Command::End(_, _, words) => denial(words),
        Command::Correct(_, texts) => in_texts(texts),
        Command::Propose(Proposal::Warning(issue)) => in_texts(&issue.texts),
        Command::Propose(Proposal::Silence(silence)) => denial(&silence.reason),
        Command::Resend(..)
        | Command::Resume
        | Command::Acknowledge(..)
        | Command::Approve(..)
        | Command::Unmute(_) => None,
    }
}

/// What is answered to it.
pub(in crate::app) fn sentence(phrase: &str) -> String {
    format!("{phrase:?} may not stand in a message: it could reach people in a drill")
}

fn in_texts(texts: &Texts) -> Option<&'static str> {
    let in_text = |text: &Text| denial(&text.headline).or_else(|| denial(&text.instruction));
    in_text(&texts.zh).or_else(|| in_text(&texts.en))
}
