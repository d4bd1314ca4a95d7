//! The pages of deliveries: what a link opens, and the acknowledgement behind
//! its button.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use forewarn_core::authority::By;
use forewarn_core::event::{Command, Input};
use forewarn_core::ids::{Key, Position, TargetIx};
use forewarn_core::warning::{Revision, Seen};
use tokio::sync::watch;

use crate::channels::page::{self, Acknowledged, Shown, ShownDigest};
use crate::driver::inbox::DriverInbox;
use crate::http::pages::{Acknowledging, Opened, Opening, Pages};
use crate::link::Links;
use crate::ports::Current;
use crate::state::{DeliveryPage, StateError, StateReader};

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
        read("a delivery's page", move || state.delivery_page(delivery)).await
    }

    async fn opened(&self, delivery: Key) -> Opened {
        let row = match self.row(delivery).await {
            Ok(row) => row,
            // Its key may be that of a digest.
            Err(Opened::Nothing) => return self.opened_digest(delivery).await,
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

    /// The page of a digest; what it shows may be up to thousands of warnings.
    async fn opened_digest(&self, digest: Key) -> Opened {
        let state = self.state.clone();
        let row = match read("a digest's page", move || state.digest_page(digest)).await {
            Ok(row) => row,
            Err(opened) => return opened,
        };
        let setup = self.current.borrow().clone();
        let plan = &setup.plan;
        let Some(target) = plan.target(row.target) else { return Opened::Nothing };
        let is_own = |other: TargetIx| plan.target(other).is_some_and(|it| it.contact == target.contact);
        let seen: BTreeSet<Key> =
            row.acknowledged.iter().filter(|(_, other)| is_own(*other)).map(|(key, _)| *key).collect();
        let acknowledged = left(&row.newest, &seen);
        let link = |key| setup.url.as_ref().map(|url| self.links.link(url, key));
        let newest: Vec<_> = row.newest.into_iter().map(|(revision, key)| (revision, link(key))).collect();
        let (language, upto) = (&*target.language, row.upto.0);
        Opened::Page(
            self.maker.digest(&setup, &ShownDigest { newest: &newest, language, acknowledged, upto }),
        )
    }

    async fn acknowledged(&self, delivery: Key, number: u64) -> Result<(), Opened> {
        let (target, commands) = match self.row(delivery).await {
            Ok(row) => {
                let number = u32::try_from(number).map_err(|_| Opened::Nothing)?;
                (row.target, vec![Command::Acknowledge(row.newest.warning, number, row.target)])
            }
            Err(Opened::Nothing) => self.all_of_digest(delivery, Position(number)).await?,
            Err(opened) => return Err(opened),
        };
        // Whoever has left the configuration opens no page.
        let target = self.current.borrow().plan.target(target).map(|target| target.id.clone());
        let by = By::link(target.ok_or(Opened::Nothing)?);
        let inputs =
            commands.into_iter().map(|command| Input::Command(Box::new(command), by.clone())).collect();
        let answer = self.inbox.answer(inputs).await;
        let answer = answer.filter(|answer| !answer.quarantined).ok_or(Opened::Later)?;
        let mut projected = self.projected.clone();
        let shown = projected.wait_for(|at| *at >= answer.position);
        // That it takes longer is no fault: it is durable, and a later look shows it.
        let _ = tokio::time::timeout(SHOWN_WITHIN, shown).await;
        Ok(())
    }

    /// What acknowledges all that is in a digest, as it stood at a position, and whose it is.
    async fn all_of_digest(&self, digest: Key, upto: Position) -> Result<(TargetIx, Vec<Command>), Opened> {
        let state = self.state.clone();
        let (target, warnings) = read("a digest's warnings", move || state.digest_upto(digest, upto)).await?;
        let commands: Vec<Command> = warnings
            .into_iter()
            .map(|(warning, number)| Command::Acknowledge(warning, number, target))
            .collect();
        if commands.is_empty() { Err(Opened::Nothing) } else { Ok((target, commands)) }
    }
}

/// What is left of a digest to be acknowledged, where the warnings of these deliveries were.
fn left(newest: &[(Revision, Key)], seen: &BTreeSet<Key>) -> Acknowledged {
    let mut standing = newest.iter().filter(|(revision, _)| !revision.kind.is_last()).peekable();
    if standing.peek().is_none() {
        Acknowledged::Over
    } else if standing.all(|(_, key)| seen.contains(key)) {
        Acknowledged::All
    } else {
        Acknowledged::Part
    }
}

/// Reads a row of the projection, off the threads that serve everybody.
async fn read<T: Send + 'static>(
    what: &'static str,
    ask: impl FnOnce() -> Result<Option<T>, StateError> + Send + 'static,
) -> Result<T, Opened> {
    match tokio::task::spawn_blocking(ask).await {
        Ok(Ok(Some(row))) => Ok(row),
        Ok(Ok(None)) => Err(Opened::Nothing),
        Ok(Err(error)) => {
            tracing::warn!(%error, what, "a page cannot be read");
            Err(Opened::Later)
        }
        Err(_) => Err(Opened::Later),
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

    fn acknowledge<'a>(&'a self, token: &'a str, number: u64) -> Acknowledging<'a> {
        Box::pin(async move {
            let delivery = self.links.delivery(token).ok_or(Opened::Nothing)?;
            self.acknowledged(delivery, number).await
        })
    }
}

#[cfg(test)]
mod tests {
    use forewarn_core::level::Status;
    use forewarn_core::warning::Kind;

    use super::*;
    use crate::channels::sample;

    #[test]
    fn what_has_ended_is_not_said_to_be_acknowledged() {
        let flood = sample::flood(Status::Actual);
        let standing = (Revision { kind: Kind::Update, ..flood.clone() }, Key([1; 16]));
        let over = (Revision { kind: Kind::AllClear, ..flood }, Key([2; 16]));
        let seen = BTreeSet::from([Key([1; 16])]);
        assert_eq!(left(&[standing.clone(), over.clone()], &seen), Acknowledged::All);
        assert_eq!(left(&[standing.clone(), over.clone()], &BTreeSet::new()), Acknowledged::Part);
        assert_eq!(left(std::slice::from_ref(&over), &BTreeSet::new()), Acknowledged::Over);
    }
}
