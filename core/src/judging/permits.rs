//! Who may ask for what.

use super::AreaStage;
use crate::authority::{By, Denied, Ground, Role, Way};
use crate::event::Command;
use crate::ids::{AreaIx, OutputId};

impl AreaStage {
    /// Whether somebody may ask for this. The shell asks as well, to say why not;
    /// what counts is what the step finds.
    pub fn permits(&self, command: &Command, by: &By) -> Result<(), Denied> {
        let check = |least, areas: Option<Vec<AreaIx>>| {
            let ground = areas.as_deref().map_or(Ground::Service, Ground::Areas);
            by.authority.check(least, ground, &self.plan)
        };
        let draft = |id: &OutputId| self.drafts().find(|draft| draft.id == *id);
        let drafted = |id| draft(id).and_then(|draft| self.proposal_areas(&draft.proposal));
        match command {
            Command::AllClear(cell, _) | Command::Cancel(cell, _) => {
                check(Role::Operator, Some(vec![cell.area]))
            }
            // A link speaks for the one it was sent to; all others need to be trusted there.
            Command::Acknowledge(_, _, target) if by.kind == Way::Link => {
                let own = self.plan.target(*target).is_none_or(|target| target.id == by.account);
                if own { Ok(()) } else { Err(Denied::Scope) }
            }
            Command::Acknowledge(warning, ..)
            | Command::Resend(warning, _)
            | Command::Correct(warning, _)
            | Command::End(warning, ..)
            | Command::Note(Some(warning), _) => check(Role::Operator, self.places(*warning)),
            Command::Note(None, _) => check(Role::Operator, Some(vec![])),
            Command::Propose(proposal) => check(Role::Operator, self.proposal_areas(proposal)),
            Command::Withdraw(id, _) => check(Role::Operator, drafted(id)),
            Command::Approve(id, _) => check(Role::Approver, drafted(id)),
            Command::Unmute(mute) => check(Role::Operator, self.mute_areas(*mute)),
            Command::NotifyTest(..) => check(Role::Operator, None),
            Command::Resume => check(Role::Administrator, None),
        }
    }

    /// Where a warning is; `None` for one about the service.
    fn places(&self, warning: OutputId) -> Option<Vec<AreaIx>> {
        let cells = self.newest(warning)?.about.cells();
        (!cells.is_empty()).then(|| cells.into_iter().map(|cell| cell.area).collect())
    }
}
