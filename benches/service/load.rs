//! Many devices that each keep a window of unacknowledged messages full.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use forewarn_core::time::{Span, Timestamp};
use tokio::time::timeout_at;

use crate::client::Client;
use crate::site::{A_DEVICE, device, station};

/// A load that is not through by then is cut off, and counts as far as it came.
pub(crate) const LOAD_MAX: Duration = Duration::from_secs(6);

/// As a broker is run: nothing is dropped, many are under way, and what it
/// keeps is written down now and then, not at every change as in the tests.
pub(crate) const BROKER_SETTINGS: &str = "allow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 1000\n\
                               autosave_on_changes false\nautosave_interval 1800\n";

/// What a load sends.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Load {
    /// Connections, a device each.
    pub(crate) connections: u32,
    /// Messages of one connection that wait for their acknowledgement.
    pub(crate) window: u32,
    /// Messages of one connection in all.
    pub(crate) messages: u32,
    /// Readings a message.
    pub(crate) readings: u32,
}

/// How far a load came, and how long it took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Sent {
    /// Messages acknowledged, or committed.
    pub(crate) messages: u64,
    /// From the first message to the last of those.
    pub(crate) took: Duration,
}

impl Sent {
    /// Messages a second.
    pub(crate) fn rate(self) -> f64 {
        self.messages as f64 / self.took.as_secs_f64().max(f64::EPSILON)
    }
}

/// Gives each load times of its own: no two readings of a station are of one
/// time, none is of the future.
#[derive(Debug)]
pub(crate) struct Calendar {
    next: Timestamp,
    end: Timestamp,
}

impl Default for Calendar {
    fn default() -> Calendar {
        let now = forewarn::clock::wall();
        Calendar { next: now - Span::from_hours(30 * 24), end: now }
    }
}

/// Readings of a station are as far apart as its interval.
const APART: Span = Span::from_mins(1);

impl Calendar {
    /// The first of so many times in a row.
    fn book(&mut self, times: u32) -> Timestamp {
        let first = self.next;
        self.next = self.next + APART.times(i64::from(times));
        assert!(self.next < self.end, "thirty days of readings are enough for the bench");
        first
    }
}

impl Load {
    /// Sends it, from a thread of its own.
    pub(crate) async fn send(self, to: SocketAddr, calendar: &mut Calendar) -> Sent {
        let from = calendar.book((self.messages * self.readings).div_ceil(A_DEVICE));
        apart(self.run(to, from)).await
    }

    async fn run(self, to: SocketAddr, from: Timestamp) -> Sent {
        let mut connected = vec![];
        for n in 0..self.connections {
            connected.push((n, Client::connect(to, &device(n)).await));
        }
        let began = Instant::now();
        let clients: Vec<_> = connected
            .into_iter()
            .map(|(n, client)| tokio::spawn(self.keep_full(client, n, from, began)))
            .collect();
        let mut sent = Sent::default();
        for client in clients {
            sent.messages += client.await.expect("no client panics");
        }
        sent.took = began.elapsed();
        sent
    }

    /// One connection: as many messages under way as the window allows.
    async fn keep_full(self, mut client: Client, device: u32, from: Timestamp, began: Instant) -> u64 {
        let (mut sent, mut acknowledged) = (0, 0);
        let mut payload = String::new();
        while acknowledged < self.messages {
            while sent < self.messages && sent < acknowledged + self.window {
                self.write(device, from, sent, &mut payload);
                client.publish("river/gauges", &payload);
                sent += 1;
            }
            client.flush().await;
            match timeout_at((began + LOAD_MAX).into(), client.acknowledged()).await {
                Ok(count @ 1..) => acknowledged += count,
                Ok(0) | Err(_) => break,
            }
        }
        u64::from(acknowledged)
    }

    /// The payload of a device's n-th message: an object, or an array of them.
    fn write(self, device: u32, from: Timestamp, n: u32, payload: &mut String) {
        payload.clear();
        let (open, close) = if self.readings > 1 { ("[", "]") } else { ("", "") };
        for at in 0..self.readings {
            let nth = n * self.readings + at;
            let time = from + APART.times(i64::from(nth / A_DEVICE));
            let metres = 3.0 + f64::from(nth % 97) / 100.0;
            let station = station(device * A_DEVICE + nth % A_DEVICE);
            payload.push_str(if at == 0 { open } else { "," });
            write!(payload, r#"{{"station":"{station}","time":{},"level":{metres:.2}}}"#, time.0)
                .expect("writing into a String cannot fail");
        }
        payload.push_str(close);
    }
}

/// Does something on a thread and a runtime of its own, so that it takes no
/// turn of what is measured.
pub(crate) async fn apart<T: Send + 'static>(what: impl Future<Output = T> + Send + 'static) -> T {
    let (done, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        // Whoever asked waits until it comes.
        let _ = done.send(runtime.expect("a runtime").block_on(what));
    });
    answer.await.expect("it ends by itself")
}
