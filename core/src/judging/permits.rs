//! Who may ask for what.

use super::AreaStage;
use crate::authority::{By, Denied, Ground, Role, Way};
use crate::event::Command;
use crate::ids::{AreaIx, OutputId};
use crate::warning::About;

impl AreaStage {
    /// Whether somebody may ask for this. The shell asks as well, to say why not;
    /// what counts is what the step finds.
    pub fn permits(&self, command: &Command, by: &By) -> Result<(), Denied> {
        let check = |least, ground| by.authority.check(least, ground, &self.plan);
        match command {
            Command::AllClear(cell, _) | Command::Cancel(cell, _) => {
                check(Role::Operator, Ground::Areas(&[cell.area]))
            }
            // A link speaks for the one it was sent to; all others need to be trusted there.
            Command::Acknowledge(_, _, target) if by.kind == Way::Link => {
                let own = self.plan.target(*target).is_none_or(|target| target.id == by.account);
                if own { Ok(()) } else { Err(Denied::Scope) }
            }
            Command::Acknowledge(warning, ..) | Command::Resend(warning, _) => match self.place(*warning) {
                Some(area) => check(Role::Operator, Ground::Areas(&[area])),
                None => check(Role::Operator, Ground::Service),
            },
            Command::NotifyTest(..) => check(Role::Operator, Ground::Service),
            Command::Resume => check(Role::Administrator, Ground::Service),
        }
    }

    /// Where a warning is; `None` for one about the service.
    fn place(&self, warning: OutputId) -> Option<AreaIx> {
        match self.newest(warning)?.about {
            About::Incident(cell) => Some(cell.area),
            About::Trouble(_) | About::NotifyTest => None,
        }
    }
}
