//! What people ordered, as the log has it.

use forewarn_core::event::Command;
use forewarn_core::ids::OutputId;
use forewarn_core::orders::{Draft, Ending, Mute, Proposal, Quiet, Silence};

use super::super::beside::Names;
use crate::channels::show;

fn short(id: OutputId) -> String {
    id.digest().to_string()[..8].to_owned()
}

pub(super) fn asked(names: &Names, command: &Command) -> String {
    match command {
        Command::Correct(warning, texts) => {
            format!("corrects {}: {}", short(*warning), show::clean(&texts.en.headline))
        }
        Command::Propose(proposal) => format!("proposes {}", proposed(names, proposal)),
        Command::Approve(draft, digest) => {
            format!("approves the draft {} as {}", short(*draft), &digest.to_string()[..8])
        }
        Command::Withdraw(draft, why) => {
            format!("withdraws the draft {}: {}", short(*draft), show::clean(why))
        }
        Command::Unmute(mute) => format!("ends the mute {}", short(*mute)),
        Command::Note(Some(warning), text) => format!("notes on {}: {}", short(*warning), show::clean(text)),
        Command::Note(None, text) => format!("notes for the shift: {}", show::clean(text)),
        Command::End(warning, Ending::AllClear, why) => {
            format!("ends {}: {}", short(*warning), show::clean(why))
        }
        Command::End(warning, Ending::Cancel, why) => {
            format!("says {} was issued in error: {}", short(*warning), show::clean(why))
        }
        // Told where all other commands are.
        _ => String::new(),
    }
}

/// What somebody proposed.
pub(in crate::cli) fn proposed(names: &Names, proposal: &Proposal) -> String {
    match proposal {
        Proposal::Warning(issue) => {
            let areas: Vec<&str> = issue
                .areas
                .iter()
                .map(|&area| names.0.area(area).map_or("?", |area| area.id.as_str()))
                .collect();
            let what = if issue.updates.is_some() { "update" } else { "warning" };
            format!("{} {what} of {}@{}", issue.level, names.0.hazard(issue.hazard), areas.join(","))
        }
        Proposal::Silence(Silence { what, quiet, up_to, .. }) => {
            let subject = names.subject(*what);
            match quiet {
                Quiet::Muted => format!("mute of {subject} up to {up_to}"),
                Quiet::Maintenance => format!("maintenance of {subject}"),
            }
        }
    }
}

pub(super) fn draft(names: &Names, it: &Draft) -> String {
    let what = proposed(names, &it.proposal);
    format!("draft {} ({what}) by {} is {}", it.number, show::clean(&it.by), it.stage.word())
}

pub(super) fn mute(names: &Names, it: &Mute) -> String {
    let what = names.subject(it.silence.what);
    format!("mute {} of {what} by {} is {}", it.number, show::clean(&it.owner), it.phase.word())
}
