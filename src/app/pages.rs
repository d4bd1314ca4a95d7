//! The pages of deliveries: what a link opens, and the acknowledgement behind
//! its button.

use std::sync::Arc;
use std::time::Duration;

use forewarn_core::authority::By;
use forewarn_core::event::{Command, Input};
use forewarn_core::ids::{Key, Position};
use forewarn_core::warning::Seen;
use tokio::sync::watch;

use crate::channels::page::{self, Shown};
use crate::driver::inbox::DriverInbox;
use crate::http::pages::{Acknowledging, Opened, Opening, Pages};
use crate::link::Links;
use crate::ports::Current;
use crate::state::{DeliveryPage, StateReader};

/// Longest wait until the projection shows what was decided.
const SHOWN_WITHIN: Duration = Duration::from_secs(5);

/// Opens the pages of one service.
#[derive(Debug)]
pub(super) struct DeliveryPages {
    pub(super) links: Links,
    pub(super) current: Current,
    pub(super) state: Arc<StateReader>,
    pub(super) inbox: Arc<DriverInbox>,
    /// How far the projection is.
    pub(super) projected: watch::Receiver<Position>,
    pub(super) maker: page::Pages,
}

impl DeliveryPages {
    async fn row(&self, delivery: Key) -> Result<DeliveryPage, Opened> {
        let state = self.state.clone();
        match tokio::task::spawn_blocking(move || state.delivery_page(delivery)).await {
            Ok(Ok(Some(row))) => Ok(row),
            Ok(Ok(None)) => Err(Opened::Nothing),
            Ok(Err(error)) => {
                tracing::warn!(%error, "a delivery's page cannot be read");
                Err(Opened::Later)
            }
            Err(_) => Err(Opened::Later),
        }
    }

    async fn opened(&self, delivery: Key) -> Opened {
        let row = match self.row(delivery).await {
            Ok(row) => row,
            Err(opened) => return opened,
        };
        let setup = self.current.borrow().clone();
        let plan = &setup.plan;
        // Whoever has left the configuration opens nothing.
        let Some(target) = plan.target(row.target) else { return Opened::Nothing };
        let own = row
            .acknowledged
            .iter()
            .filter(|(other, _)| plan.target(*other).is_some_and(|other| other.contact == target.contact));
        let shown = Shown {
            revision: &row.newest,
            language: &target.language,
            seen: Seen {
                by: plan.contacts(row.acknowledged.iter().map(|(target, _)| *target)),
                of: plan.contacts(row.told.iter().copied()),
            },
            acknowledged: own.map(|(_, at)| *at).min(),
        };
        Opened::Page(self.maker.page(&setup, shown))
    }

    async fn acknowledged(&self, delivery: Key, number: u32) -> Result<(), Opened> {
        let row = self.row(delivery).await?;
        let command = Command::Acknowledge(row.newest.warning, number, row.target);
        // Whoever has left the configuration opens no page.
        let target = self.current.borrow().plan.target(row.target).map(|target| target.id.clone());
        let by = By::link(target.ok_or(Opened::Nothing)?);
        let answer = self.inbox.answer(vec![Input::Command(command, by)]).await;
        let answer = answer.filter(|answer| !answer.quarantined).ok_or(Opened::Later)?;
        let mut projected = self.projected.clone();
        let shown = projected.wait_for(|at| *at >= answer.position);
        // That it takes longer is no fault: it is durable, and a later look shows it.
        let _ = tokio::time::timeout(SHOWN_WITHIN, shown).await;
        Ok(())
    }
}

impl Pages for DeliveryPages {
    fn page<'a>(&'a self, token: &'a str) -> Opening<'a> {
        Box::pin(async {
            match self.links.delivery(token) {
                Some(delivery) => self.opened(delivery).await,
                None => Opened::Nothing,
            }
        })
    }

    fn acknowledge<'a>(&'a self, token: &'a str, number: u32) -> Acknowledging<'a> {
        Box::pin(async move {
            let delivery = self.links.delivery(token).ok_or(Opened::Nothing)?;
            self.acknowledged(delivery, number).await
        })
    }
}
