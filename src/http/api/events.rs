//! What happens, as it happens: server-sent events, each under its place in
//! the log, so that a reader who was cut off goes on where they were.

use std::collections::{BTreeMap, VecDeque};
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use forewarn_core::authority::{Authority, Scope};
use forewarn_core::ids::AreaIx;
use forewarn_core::plan::Plan;
use futures_core::Stream;
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::asked::Asked;
use crate::http::Doors;
use crate::http::caller::Caller;
use crate::http::problem::Problem;

pub(super) const SAYS: &str = "Events are named `revision`, `incident`, `delivery`, `acknowledged`, `trouble` \
    and `sensor`; `data` is JSON. Each `id` is a place in the log: a reader that was cut off sends it as \
    `Last-Event-ID` and misses nothing; where that is too long ago, `reset` comes first, and all is to be read anew. \
    A reader too slow to follow gets `dropped` and is cut off. Every 10 seconds at the latest something comes, a \
    comment if nothing else; without it the stream is broken. The stream ends after 9 minutes, to be taken up again.";

/// Events kept for those who come back.
const KEPT_MAX: usize = 4_096;

/// Events that wait for one reader. Full: it is dropped.
const WAITING_MAX: usize = 256;

/// Readers at once, and of one account. One more is asked to come again.
const READERS_MAX: usize = 128;
const READERS_OF_ONE_MAX: usize = 8;

/// Decisions on one input are fewer: what is told beside the log stands after them.
const FROM_THE_LOG_MAX: u32 = 1_000_000;

/// Something comes at least this often.
const ALIVE_EVERY: Duration = Duration::from_secs(10);

/// A stream ends by itself before its connection is closed under it.
const LASTS: Duration = Duration::from_mins(9);

/// What an event is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A warning was said, or said anew.
    Revision,
    /// An incident is now so.
    Incident,
    /// A delivery had an outcome.
    Delivery,
    /// Somebody acknowledged.
    Acknowledged,
    /// A trouble began or ended.
    Trouble,
    /// A sensor's state changed.
    Sensor,
}

impl Kind {
    /// As the stream names it.
    pub const fn word(self) -> &'static str {
        match self {
            Kind::Revision => "revision",
            Kind::Incident => "incident",
            Kind::Delivery => "delivery",
            Kind::Acknowledged => "acknowledged",
            Kind::Trouble => "trouble",
            Kind::Sensor => "sensor",
        }
    }
}

/// Whom it may be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Where {
    /// Those whose role holds in one of these areas.
    Areas(Vec<AreaIx>),
    /// Those whose role holds everywhere.
    Service,
}

/// One event.
#[derive(Debug, Clone)]
pub struct Happened {
    /// Where it stands in the log, and which it is there.
    pub place: (u64, u32),
    /// What it is of.
    pub kind: Kind,
    /// Whom it may be shown.
    pub seen_in: Where,
    /// What happened: JSON, as it goes out.
    pub data: Arc<str>,
}

/// Hands events on to all who follow.
#[derive(Debug)]
pub struct Hub {
    shared: Mutex<Shared>,
    over: CancellationToken,
}

#[derive(Debug, Default)]
struct Shared {
    kept: VecDeque<Happened>,
    /// All events after this place are among those kept.
    complete_after: (u64, u32),
    readers: BTreeMap<u64, Reader>,
    next_reader: u64,
}

impl Shared {
    fn tell(&mut self, event: &Happened, plan: &Plan) {
        self.readers.retain(|_, reader| hand_on(reader, event, plan));
        self.kept.push_back(event.clone());
        if self.kept.len() > KEPT_MAX
            && let Some(gone) = self.kept.pop_front()
        {
            self.complete_after = gone.place;
        }
    }
}

#[derive(Debug)]
struct Reader {
    account: String,
    sees: Sees,
    to: mpsc::Sender<Sent>,
}

/// What a reader may see.
#[derive(Debug, Clone)]
struct Sees(Authority);

impl Sees {
    fn it(&self, happened: &Happened, plan: &Plan) -> bool {
        match &happened.seen_in {
            Where::Areas(areas) => areas.iter().any(|&area| self.0.covers(area, plan)),
            Where::Service => self.0.scope == Scope::Everywhere,
        }
    }
}

#[derive(Debug)]
enum Sent {
    Happened(Happened),
    Reset,
    /// The last word to one who was too slow.
    Dropped,
}

impl Hub {
    /// With nothing in it; streams end with `over`.
    pub fn new(after: u64, over: CancellationToken) -> Hub {
        let shared = Shared { complete_after: (after, FROM_THE_LOG_MAX), ..Shared::default() };
        Hub { shared: Mutex::new(shared), over }
    }

    /// Hands on what happened, in the order of the log.
    pub fn tell(&self, happened: &[Happened], plan: &Plan) {
        let mut shared = self.lock();
        happened.iter().for_each(|event| shared.tell(event, plan));
    }

    /// Hands on what stands in no record: it is placed after all that was told.
    pub fn tell_now(&self, kind: Kind, seen_in: Where, data: &Value, plan: &Plan) {
        let data = data.to_string().into();
        let mut shared = self.lock();
        let (position, nth) = shared.kept.back().map_or(shared.complete_after, |last| last.place);
        let place = (position, nth.saturating_add(1));
        shared.tell(&Happened { place, kind, seen_in, data }, plan);
    }

    /// Ends every stream.
    pub fn close(&self) {
        self.over.cancel();
    }

    fn follow(
        &self,
        account: &str,
        authority: Authority,
        after: Option<(u64, u32)>,
        plan: &Plan,
    ) -> Result<Following, Problem> {
        let mut shared = self.lock();
        shared.readers.retain(|_, reader| !reader.to.is_closed());
        let own = shared.readers.values().filter(|reader| reader.account == account).count();
        if shared.readers.len() >= READERS_MAX || own >= READERS_OF_ONE_MAX {
            return Err(Problem::later());
        }
        let sees = Sees(authority);
        // What is owed already has room of its own.
        let owed: Vec<Sent> = match after {
            None => vec![],
            Some(after) if after < shared.complete_after => vec![Sent::Reset],
            Some(after) => {
                let later = shared.kept.iter().filter(|it| it.place > after && sees.it(it, plan));
                later.cloned().map(Sent::Happened).collect()
            }
        };
        let (to, from) = mpsc::channel(owed.len() + WAITING_MAX);
        for sent in owed {
            // There is room for all of them.
            let _ = to.try_send(sent);
        }
        let number = shared.next_reader;
        shared.next_reader += 1;
        shared.readers.insert(number, Reader { account: account.to_owned(), sees, to });
        drop(shared);
        let over = self.over.clone();
        Ok(Following {
            from,
            ends: Box::pin(async move { drop(tokio::time::timeout(LASTS, over.cancelled()).await) }),
        })
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        // Nothing under this lock can panic half-way.
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the reader stays. One place is kept for the last word.
fn hand_on(reader: &Reader, event: &Happened, plan: &Plan) -> bool {
    if reader.to.is_closed() {
        return false;
    }
    if !reader.sees.it(event, plan) {
        return true;
    }
    if reader.to.capacity() <= 1 {
        metrics::counter!("forewarn_event_readers_dropped_total").increment(1);
        // It has room, and if it has gone meanwhile it needs no word.
        let _ = reader.to.try_send(Sent::Dropped);
        return false;
    }
    reader.to.try_send(Sent::Happened(event.clone())).is_ok()
}

/// One stream.
struct Following {
    from: mpsc::Receiver<Sent>,
    ends: Pin<Box<dyn Future<Output = ()> + Send>>,
}

impl Stream for Following {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if self.ends.as_mut().poll(context).is_ready() {
            return Poll::Ready(None);
        }
        self.from.poll_recv(context).map(|sent| sent.map(|sent| Ok(written(sent))))
    }
}

fn written(sent: Sent) -> Event {
    match sent {
        Sent::Happened(Happened { place: (position, nth), kind, data, .. }) => {
            Event::default().id(format!("{position}.{nth}")).event(kind.word()).data(&*data)
        }
        Sent::Reset => Event::default().event("reset").data("{}"),
        Sent::Dropped => Event::default().event("dropped").data("{}"),
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct After {
    after: Option<String>,
}

/// `GET /api/v1/events`.
pub(super) async fn follow(
    State(doors): State<Doors>,
    caller: Caller,
    headers: HeaderMap,
    Asked(After { after }): Asked<After>,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let last = headers.get("last-event-id").and_then(|it| it.to_str().ok()).map(str::to_owned).or(after);
    let after = match last {
        None => None,
        Some(last) => Some(read_place(&last).ok_or_else(|| {
            Problem::bad_query(format!("the last event's id is {last:?}, expected one of this stream"))
        })?),
    };
    let following =
        doors.api.hub.follow(&caller.holder.id, caller.authority, after, &doors.api.answers.plan())?;
    Ok(Sse::new(following).keep_alive(KeepAlive::new().interval(ALIVE_EVERY)))
}

/// `position.nth`; a position alone is all of it.
fn read_place(text: &str) -> Option<(u64, u32)> {
    match text.split_once('.') {
        Some((position, nth)) => Some((position.parse().ok()?, nth.parse().ok()?)),
        None => Some((text.parse().ok()?, u32::MAX)),
    }
}

#[cfg(test)]
mod tests;
