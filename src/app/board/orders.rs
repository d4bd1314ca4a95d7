//! What is ordered on the board: the same inputs of the engine as by any other
//! way, by whoever is logged in, who is checked here and in the step.

use std::time::Duration;

use forewarn_core::authority::Role;
use forewarn_core::event::{Command, Input};
use forewarn_core::ids::TargetIx;
use forewarn_core::warning::{About, Cell};

use super::{Boards, check};
use crate::app::orders::denial::denied;
use crate::driver::inbox::Answer;
use crate::http::Problem;
use crate::http::board::{Done, Order};
use crate::http::caller::Caller;
use crate::state::WarningDetail;

/// Longest wait until the projection shows what was decided.
const SHOWN_WITHIN: Duration = Duration::from_secs(5);

/// Dead deliveries looked through for the one that is meant.
const DEAD_MAX: usize = 100_000;

impl Boards {
    pub(super) async fn ordered(&self, caller: &Caller, order: Order) -> Result<Done, Problem> {
        match order {
            Order::Acknowledge { warning, contact, number } => {
                self.acknowledge(caller, &warning, &contact, number).await
            }
            Order::AllClear { warning, reason } => {
                let end = |cell| Command::AllClear(cell, reason);
                self.end(caller, &warning, end, Done::Cleared).await
            }
            Order::Cancel { warning, reason } => {
                let end = |cell| Command::Cancel(cell, reason);
                self.end(caller, &warning, end, Done::Cancelled).await
            }
            Order::Resend { key } => self.resend(caller, &key).await,
        }
    }

    async fn acknowledge(
        &self,
        caller: &Caller,
        warning: &str,
        contact: &str,
        number: u32,
    ) -> Result<Done, Problem> {
        let found = self.permitted(caller, warning).await?;
        let Some(newest) = found.revisions.last() else { return Ok(Done::Refused) };
        let plan = self.parts.current.borrow().plan.clone();
        let is_theirs = |it: TargetIx| plan.target(it).is_some_and(|target| target.contact == contact);
        let mut told = found.deliveries.iter().map(|delivery| delivery.target);
        let Some(target) = told.find(|&it| is_theirs(it)) else { return Ok(Done::Refused) };
        let number = number.min(newest.number);
        let answer = self.command(caller, Command::Acknowledge(newest.warning, number, target)).await?;
        // Where nothing followed, they had acknowledged it before.
        Ok(if answer.quarantined { Done::Refused } else { Done::Acknowledged })
    }

    async fn end(
        &self,
        caller: &Caller,
        warning: &str,
        command: impl FnOnce(Cell) -> Command,
        done: Done,
    ) -> Result<Done, Problem> {
        let found = self.permitted(caller, warning).await?;
        match found.revisions.last().map(|newest| &newest.about) {
            Some(About::Incident(cell)) if !found.ended => {
                let command = command(*cell);
                if denied(&command).is_some() {
                    return Ok(Done::Refused);
                }
                let answer = self.command(caller, command).await?;
                Ok(if answer.decisions.is_empty() { Done::Refused } else { done })
            }
            _ => Ok(Done::Refused),
        }
    }

    async fn resend(&self, caller: &Caller, key: &str) -> Result<Done, Problem> {
        let state = self.parts.state.clone();
        let dead = tokio::task::spawn_blocking(move || state.dead_letters(DEAD_MAX)).await;
        let dead = dead.map_err(|_| Problem::later())?.map_err(|_| Problem::later())?;
        let Some(row) = dead.into_iter().find(|row| row.key.to_string() == key) else {
            return Ok(Done::Refused);
        };
        self.permitted(caller, &row.warning.digest().to_string()).await?;
        let answer = self.command(caller, Command::Resend(row.warning, row.target)).await?;
        Ok(if answer.decisions.is_empty() { Done::Refused } else { Done::Resent })
    }

    /// A warning that the caller may act on.
    async fn permitted(&self, caller: &Caller, id: &str) -> Result<WarningDetail, Problem> {
        caller.require(Role::Operator)?;
        let found = self.detail(id).await.ok_or_else(Problem::not_found)?;
        if let Some(newest) = found.revisions.last() {
            let plan = self.parts.current.borrow().plan.clone();
            check(caller, Role::Operator, &newest.about, &plan)?;
        }
        Ok(found)
    }

    async fn command(&self, caller: &Caller, command: Command) -> Result<Answer, Problem> {
        let answer = self.parts.inbox.answer(vec![Input::Command(Box::new(command), caller.by())]).await;
        let answer = answer.ok_or_else(Problem::later)?;
        let mut projected = self.parts.projected.clone();
        let shown = projected.wait_for(|at| *at >= answer.position);
        // That it takes longer is no fault: it is durable, and a later look shows it.
        let _ = tokio::time::timeout(SHOWN_WITHIN, shown).await;
        *self.sight.lock().await = None;
        Ok(answer)
    }
}
