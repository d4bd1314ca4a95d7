//! Who is connected under which client id.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::config::plan::{Device, Setup};
use crate::ingest::intake::Permit;

use super::refusal::{Fault, Reason};

/// Who a connection is: a device of `devices.csv`, as it was at CONNECT.
#[derive(Debug, Clone)]
pub(super) struct Identity {
    name: Box<str>,
    secret_sha256: [u8; 32],
}

impl Identity {
    pub(super) fn new(name: &str, device: &Device) -> Identity {
        Identity { name: name.into(), secret_sha256: device.secret_sha256 }
    }

    /// The name it goes by.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// What it may speak for under the setup in force, which may have changed since CONNECT.
    pub(super) fn permit<'a>(&self, setup: &'a Setup) -> Result<Permit<'a>, Fault> {
        let known = setup.devices.by_identity.get(&self.name);
        let same = known.filter(|now| now.secret_sha256 == self.secret_sha256);
        same.map(|now| Permit::Stations(&now.stations)).ok_or_else(|| {
            let detail = "identity was removed or its secret changed, expected a new CONNECT";
            Fault::new(Reason::CredentialsWithdrawn, detail)
        })
    }
}

/// All connected clients. As many as there are places, so it needs no limit of its own.
#[derive(Debug, Default)]
pub(super) struct Sessions(Mutex<Seats>);

#[derive(Debug, Default)]
struct Seats {
    next: u64,
    by_client: HashMap<String, Taken>,
}

#[derive(Debug)]
struct Taken {
    number: u64,
    identity: String,
    end: CancellationToken,
}

impl Sessions {
    /// Seats a client; an earlier connection of the same client and identity
    /// has to leave. `end` is cancelled when this one has to.
    pub(super) fn seat(
        self: &Arc<Self>,
        client: &str,
        identity: &Identity,
        end: CancellationToken,
    ) -> Result<Seat, Fault> {
        let mut seats = self.lock();
        let number = seats.next;
        seats.next += 1;
        if let Some(earlier) = seats.by_client.get(client) {
            if earlier.identity != identity.name() {
                let detail = "client id is in use by another identity, expected one of its own";
                return Err(Fault::new(Reason::ClientIdTaken, detail));
            }
            earlier.end.cancel();
        }
        let taken = Taken { number, identity: identity.name().to_owned(), end: end.clone() };
        seats.by_client.insert(client.to_owned(), taken);
        Ok(Seat { sessions: Arc::clone(self), client: client.to_owned(), number, end })
    }

    /// A client id that nobody has.
    pub(super) fn unused(&self) -> String {
        let mut seats = self.lock();
        loop {
            seats.next += 1;
            let id = format!("forewarn-{}", seats.next);
            if !seats.by_client.contains_key(&id) {
                return id;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Seats> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A client's place among the connected, held until dropped.
#[derive(Debug)]
pub(super) struct Seat {
    sessions: Arc<Sessions>,
    /// The client id.
    pub(super) client: String,
    number: u64,
    /// Cancelled when the connection has to end: taken over, or the service stops.
    pub(super) end: CancellationToken,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.sessions.lock();
        if seats.by_client.get(&self.client).is_some_and(|taken| taken.number == self.number) {
            seats.by_client.remove(&self.client);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_client_takes_over_and_another_identity_does_not() {
        let sessions = Arc::new(Sessions::default());

        let device = |identity| Identity { name: identity, secret_sha256: [0; 32] };
        let (ours, theirs) = (device("a".into()), device("b".into()));
        let seat = |identity: &Identity| sessions.seat("gauge", identity, CancellationToken::new());
        let first = seat(&ours).expect("free");
        assert_eq!(seat(&theirs).expect_err("taken").reason, Reason::ClientIdTaken);
        assert!(!first.end.is_cancelled());
        let second = seat(&ours).expect("its own");
        assert!(first.end.is_cancelled());
        drop(first);
        assert!(seat(&theirs).is_err(), "the leaving first must not free the second's seat");
        drop(second);
        assert!(seat(&theirs).is_ok());
    }
}
