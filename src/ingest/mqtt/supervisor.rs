//! Keeps a source connected: a new client for every connection, jittered
//! back-off between them, and word to the engine when the source goes or comes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use forewarn_core::event::Input;
use forewarn_core::ids::SourceIx;
use tokio::task::JoinError;
use tokio::time::{sleep, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::client::{Client, Heard, Lost, incoming_limit};
use super::session::{Progress, Taking};
use super::tls;
use crate::config::plan::Mqtt;
use crate::ports::Inbox;

/// The first wait after a lost connection.
const BACKOFF_MIN: Duration = Duration::from_millis(250);

/// The longest wait between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(30);

/// A connection that stood this long was a good one: the next wait is short again.
const GOOD_AFTER: Duration = Duration::from_secs(30);

/// The wait after a bug of ours ended a session: what it stumbled over comes again.
const STUMBLED_REST: Duration = Duration::from_secs(2);

/// How long a connection on its way out waits for its last acknowledgements.
const WIND_DOWN_MAX: Duration = Duration::from_secs(5);

/// Looks for room in the inbox this often even if nobody says that there is any.
const ROOM_LOOKED_FOR: Duration = Duration::from_secs(5);

/// Keeps one source connected.
pub(super) struct Supervisor {
    mqtt: Mqtt,
    client_id: String,
    taking: Taking,
    shutdown: CancellationToken,
    /// What the engine was told last; nothing at first.
    told: Option<Standing>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Standing {
    Up,
    Down,
}

/// What is left to do when a bug of ours has ended a supervisor's life.
pub(super) struct After {
    source: SourceIx,
    name: String,
    inbox: Arc<dyn Inbox>,
    shutdown: CancellationToken,
}

impl After {
    /// Says that the source is down, and rests until the next life.
    pub(super) async fn stumble(self, error: &JoinError) {
        error!(source = self.name, %error, "a session with a broker stumbled: it begins anew");
        metrics::gauge!("forewarn_mqtt_up", "source" => self.name.clone()).set(0.0);
        metrics::counter!("forewarn_mqtt_lost_total", "source" => self.name).increment(1);
        self.inbox.control(Input::Source(self.source, false));
        tokio::select! {
            () = self.shutdown.cancelled() => {}
            () = sleep(jittered(STUMBLED_REST)) => {}
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        // However it ended, nothing of its last connection is acknowledged any more.
        self.taking.gate.close();
    }
}

/// How a connection ended.
enum Ended {
    Stopped,
    Full,
    Lost(Lost),
}

impl Supervisor {
    pub(super) fn new(mqtt: Mqtt, client_id: String, taking: Taking, shutdown: CancellationToken) -> Self {
        Supervisor { mqtt, client_id, taking, shutdown, told: None }
    }

    /// For whoever waits for its end.
    pub(super) fn after(&self) -> After {
        After {
            source: self.taking.source.ix,
            name: self.name().to_owned(),
            inbox: self.taking.inbox.clone(),
            shutdown: self.shutdown.clone(),
        }
    }

    /// Until told to stop.
    pub(super) async fn run(mut self) {
        for name in ["forewarn_mqtt_full_total", "forewarn_mqtt_lost_total", "forewarn_mqtt_shed_total"] {
            // There from the start, so that a rise from nothing is seen as one.
            drop(metrics::counter!(name, "source" => self.name().to_owned()));
        }
        let mut backoff = BACKOFF_MIN;
        let mut broke_off_at = None;
        loop {
            let begun = Instant::now();
            let ended = self.connection(broke_off_at.take()).await;
            self.taking.gate.close();
            match ended {
                Ended::Stopped => break,
                Ended::Full => {
                    // Our own stop, no silence of the source: it stays as it was told.
                    warn!(source = %self.name(), "inbox full: session dropped unacknowledged");
                    self.counted("forewarn_mqtt_full_total");
                    tokio::select! {
                        () = self.shutdown.cancelled() => break,
                        _ = timeout(ROOM_LOOKED_FOR, self.taking.inbox.room()) => {}
                    }
                }
                Ended::Lost(lost) => {
                    self.lost(&lost);
                    if begun.elapsed() >= GOOD_AFTER {
                        backoff = BACKOFF_MIN;
                    }
                    if let Lost::TooLarge(bytes) = lost {
                        broke_off_at = Some(bytes);
                    }
                    tokio::select! {
                        () = self.shutdown.cancelled() => break,
                        () = sleep(jittered(backoff)) => {}
                    }
                    backoff = (backoff * 2).min(BACKOFF_MAX);
                }
            }
        }
        info!(source = %self.name(), "session with broker stopped");
    }

    fn name(&self) -> &str {
        &self.taking.source.name
    }

    fn counted(&self, name: &'static str) {
        metrics::counter!(name, "source" => self.name().to_owned()).increment(1);
    }

    fn lost(&mut self, lost: &Lost) {
        self.counted("forewarn_mqtt_lost_total");
        match lost {
            Lost::TooLarge(bytes) => self.taking.tell_oversize(&format!(
                "message of {bytes} bytes, expected at most {} (packet_max of the source)",
                self.mqtt.packet_max
            )),
            Lost::Failed(_) => {}
        }
        if self.told != Some(Standing::Down) {
            // Once for each time it goes, not for each attempt.
            warn!(source = %self.name(), ?lost, "broker lost");
            self.tell(Standing::Down);
        }
    }

    fn tell(&mut self, standing: Standing) {
        if self.told.replace(standing) == Some(standing) {
            return;
        }
        let up = standing == Standing::Up;
        metrics::gauge!("forewarn_mqtt_up", "source" => self.name().to_owned()).set(f64::from(u8::from(up)));
        self.taking.inbox.control(Input::Source(self.taking.source.ix, up));
    }

    /// One connection, from CONNECT to its end.
    async fn connection(&mut self, broke_off_at: Option<usize>) -> Ended {
        let tls = match self.mqtt.tls.as_ref().map(tls::client_config).transpose() {
            Ok(tls) => tls,
            Err(fault) => return Ended::Lost(Lost::Failed(fault)),
        };
        let limit = incoming_limit(&self.mqtt, broke_off_at);
        let (mut client, line) = Client::new(&self.mqtt, &self.client_id, limit, tls);
        self.taking.gate.open(line);
        let ended = self.serve(&mut client).await;
        match &ended {
            Ended::Stopped | Ended::Full => self.wind_down(&mut client).await,
            Ended::Lost(_) => {
                // Nothing of this connection is acknowledged on the next.
                self.taking.gate.close();
                self.taking.take_rest(&mut client);
            }
        }
        ended
    }

    async fn serve(&mut self, client: &mut Client) -> Ended {
        loop {
            let look_again = self.taking.look_again();
            let heard = tokio::select! {
                () = self.shutdown.cancelled() => return Ended::Stopped,
                () = until(look_again) => {
                    self.taking.looked();
                    continue;
                }
                // Dropped by the arms above, a poll may lose an acknowledgement in its hand:
                // then its message comes again.
                heard = client.poll() => heard,
            };
            self.taking.gate.flush();
            match heard.and_then(|heard| self.taking.take(client, heard)) {
                Ok(Progress::Goes) => {}
                Ok(Progress::Up) => {
                    info!(source = %self.name(), "broker up");
                    self.tell(Standing::Up);
                }
                Ok(Progress::Full) => return Ended::Full,
                Err(lost) => return Ended::Lost(lost),
            }
        }
    }

    /// Sends the acknowledgements still owed, then says goodbye. Messages that
    /// come meanwhile are left unacknowledged, and come again: so what was
    /// handed over before the inbox was full is done with, and each resumption
    /// gets further than the one before.
    async fn wind_down(&mut self, client: &mut Client) {
        let goodbye = async {
            while self.taking.gate.owed() > 0 {
                if self.passed_over(client).await.is_err() {
                    return;
                }
            }
            client.disconnect();
            while self.passed_over(client).await.is_ok() {}
        };
        // Late acknowledgements go nowhere; their messages come again.
        let _ = timeout(WIND_DOWN_MAX, goodbye).await;
    }

    async fn passed_over(&self, client: &mut Client) -> Result<(), Lost> {
        let mut next = Some(client.poll().await?);
        self.taking.gate.flush();
        while let Some(heard) = next {
            if let Heard::Message(message) = heard
                && message.packet == 0
            {
                self.counted("forewarn_mqtt_shed_total");
            }
            next = client.buffered();
        }
        Ok(())
    }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}

/// Between half of it and all of it, so that a thousand sites do not come back as one.
fn jittered(wait: Duration) -> Duration {
    // Without randomness the whole wait is as good as any.
    let dice = getrandom::u32().map_or(1.0, |dice| f64::from(dice) / f64::from(u32::MAX));
    wait.mul_f64(0.5 + dice / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_jittered_and_bounded() {
        for _ in 0..1000 {
            let wait = jittered(BACKOFF_MAX);
            assert!(wait >= BACKOFF_MAX / 2 && wait <= BACKOFF_MAX, "{wait:?}");
        }
    }
}
