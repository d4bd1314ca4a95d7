//! What the service tells systemd, where that started it (`Type=notify`): that
//! it is ready, that its loop lives, that it stops. Elsewhere nothing is said.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::driver::picture::Pulse;

/// Says that the service takes readings and that warnings go out.
pub fn ready(site: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("{site}: takes readings"))]);
}

/// Says that the service stops in good order.
pub fn stopping() {
    tell(&[NotifyState::Stopping, NotifyState::Status("stopping: what was taken in is committed")]);
}

/// Keeps the watchdog quiet for as long as the driver's loop goes round, which
/// it does every second whether or not anything comes in, and a canary has come
/// to the far end not long ago. A service that hangs is killed, and the next
/// start recovers from the log.
pub fn keep_watch(
    mut pulse: watch::Receiver<Pulse>,
    lives: watch::Receiver<Instant>,
    stop: CancellationToken,
) {
    let Some(within) = sd_notify::watchdog_enabled() else { return };
    // As systemd advises: twice as often as it must be.
    let apart = within / 2;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                beat = pulse.changed() => match beat {
                    Ok(()) if Instant::now() > *lives.borrow() => {}
                    Ok(()) => tell(&[NotifyState::Watchdog]),
                    Err(_) => break,
                },
            }
            tokio::time::sleep(apart.min(APART_MAX)).await;
        }
    });
}

/// The watchdog is told no less often, however long it would wait.
const APART_MAX: Duration = Duration::from_secs(5);

fn tell(state: &[NotifyState<'_>]) {
    // Without the socket in the environment this says nothing, and is no error.
    if let Err(error) = sd_notify::notify(state) {
        warn!(%error, "systemd was not told");
    }
}
