//! A running listener with its surroundings.

use std::net::SocketAddr;
use std::sync::Arc;

use forewarn::config::plan::{Listener, Setup};
use forewarn::ingest::listener::{self, ListenerHandle, Reason};
use forewarn::ports::CivilClock;
use forewarn_core::time::Timestamp;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::common::setup;
use crate::inbox::{Durable, FakeInbox, PATIENCE};
use crate::raw::{Client, Version};

/// The civil time that every message is received at.
pub(crate) const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

#[derive(Debug)]
struct Stands;

impl CivilClock for Stands {
    fn civil(&self) -> Timestamp {
        NOW
    }
}

pub(crate) struct World {
    pub(crate) handle: ListenerHandle,
    pub(crate) inbox: Arc<FakeInbox>,
    pub(crate) setup: watch::Sender<Arc<Setup>>,
    pub(crate) stop: CancellationToken,
}

impl World {
    /// Two stations `a` and `b`, each with its device.
    pub(crate) async fn new(durable: Durable) -> World {
        World::with(durable, |_| {}).await
    }

    /// The same with other settings of the listener.
    pub(crate) async fn with(durable: Durable, change: impl FnOnce(&mut Listener)) -> World {
        World::of(setup::setup(&["a", "b"]), durable, change).await
    }

    /// With a setup of one's own.
    pub(crate) async fn of(setup: Setup, durable: Durable, change: impl FnOnce(&mut Listener)) -> World {
        let mut settings = setup.listener.clone().expect("the listener is on");
        change(&mut settings);
        let inbox = FakeInbox::new(durable);
        let setup = watch::Sender::new(Arc::new(setup));
        let stop = CancellationToken::new();
        let handle =
            listener::start(&settings, setup.subscribe(), inbox.clone(), Arc::new(Stands), stop.clone())
                .await
                .expect("the listener starts");
        World { handle, inbox, setup, stop }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.handle.local_addr().expect("TCP is bound")
    }

    /// A raw connection that has sent nothing.
    pub(crate) async fn dial(&self) -> Client {
        Client::dial(self.address()).await
    }

    /// A client of the device `identity`, let in under its own name.
    pub(crate) async fn client(&self, version: Version, identity: &str) -> Client {
        self.client_as(version, identity, identity).await
    }

    /// A client of the device `identity` under a client id.
    pub(crate) async fn client_as(&self, version: Version, client: &str, identity: &str) -> Client {
        let mut dialled = self.dial().await;
        let code = dialled.connect(version, client, Some((identity, &setup::secret(identity)))).await;
        assert_eq!(code, 0, "{identity} is let in");
        dialled
    }

    /// Waits until a reason was counted so often.
    pub(crate) async fn counted(&self, reason: Reason, times: u64) {
        let waited = tokio::time::timeout(PATIENCE, async {
            while self.handle.refused(reason) < times {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        })
        .await;
        assert!(waited.is_ok(), "{reason:?} counted {} times", self.handle.refused(reason));
        assert_eq!(self.handle.refused(reason), times, "{reason:?}");
    }

    /// Shows that a client is served as if nothing had happened.
    pub(crate) async fn still_serves(&self) {
        let mut client = self.client_as(Version::V4, "witness", "b").await;
        client.publish(1, 7, "w", r#"{"station":"b","level":42}"#).await;
        self.inbox
            .until("the witness is heard", |inbox| {
                inbox.taken.iter().any(|t| t.raw.to_bits() == 42_f64.to_bits())
            })
            .await;
        assert_eq!(self.handle.refused(Reason::Defect), 0);
    }
}
