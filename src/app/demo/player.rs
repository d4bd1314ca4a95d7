//! Plays readings through the real way in, on the led clock: stops at every
//! instant at which something falls due, and moves on when all that followed is done.

use std::time::Duration;

use anyhow::{Context, bail};
use forewarn_core::time::Timestamp;
use forewarn_simulations::Sent;
use rumqttc::{AsyncClient, Event, MqttOptions, Packet, QoS};
use tokio::sync::watch;

use crate::app::service::Service;
use crate::clock::Led;
use crate::config::secret::Secret;

/// What one instant leads to is done by then, in real time, or something hangs.
const SETTLE_WITHIN: Duration = Duration::from_secs(30);

/// The name of the demo's gateway.
pub(super) const GATEWAY: &str = "demo-gateway";

/// A player with its MQTT client.
#[derive(Debug)]
pub(super) struct Player<'a> {
    service: &'a Service,
    led: Led,
    client: AsyncClient,
    acknowledged: watch::Receiver<usize>,
    published: usize,
}

impl<'a> Player<'a> {
    /// Connects the gateway that speaks for all gauges.
    pub(super) fn connect(service: &'a Service, led: Led, secret: &Secret) -> anyhow::Result<Player<'a>> {
        let address = service.mqtt_addr().context("the demo's listener is on")?;
        let mut options = MqttOptions::new(GATEWAY, address.ip().to_string(), address.port());
        options.set_credentials(GATEWAY, secret.expose());
        let (client, mut events) = AsyncClient::new(options, 100);
        events.network_options.set_tcp_nodelay(true);
        let (count, acknowledged) = watch::channel(0);
        tokio::spawn(async move {
            // Ends with the demo, or when the listener closes the connection.
            while let Ok(event) = events.poll().await {
                if matches!(event, Event::Incoming(Packet::PubAck(_))) {
                    count.send_modify(|count| *count += 1);
                }
            }
        });
        Ok(Player { service, led, client, acknowledged, published: 0 })
    }

    /// Moves to `at`, stopping wherever something falls due before; `told` is
    /// called after each stop.
    pub(super) async fn move_to(
        &mut self,
        at: Timestamp,
        told: &mut impl FnMut(Timestamp),
    ) -> anyhow::Result<()> {
        while let Some(due) = self.next_due().filter(|due| *due < at) {
            self.stand_at(due).await?;
            told(due);
        }
        self.stand_at(at).await
    }

    /// Publishes what is sent at the instant where the clock stands.
    pub(super) async fn publish(&mut self, sent: &[Sent]) -> anyhow::Result<()> {
        for one in sent {
            let payload = format!(
                r#"{{"station":"{}","time":{},"{}":{}}}"#,
                one.station,
                instant(one.observed),
                one.quantity,
                one.value
            );
            let topic = format!("river/{}", one.station);
            self.client.publish(topic, QoS::AtLeastOnce, false, payload).await?;
            self.published += 1;
        }
        let published = self.published;
        let all = self.acknowledged.wait_for(|acknowledged| *acknowledged >= published);
        tokio::time::timeout(SETTLE_WITHIN, all)
            .await
            .context("readings were not acknowledged in time")?
            .context("the listener closed the connection")?;
        self.settle().await
    }

    /// The next instant at which something falls due by itself.
    pub(super) fn next_due(&self) -> Option<Timestamp> {
        let driver = self.service.pulse().borrow().wake_at;
        let courier = self.service.courier().borrow().wake_at;
        driver.into_iter().chain(courier).min()
    }

    async fn stand_at(&mut self, at: Timestamp) -> anyhow::Result<()> {
        self.led.advance(at);
        self.service.nudge();
        self.settle().await
    }

    /// Waits until nothing is left to do at this instant: nothing due in the
    /// engine, and every delivery has its outcome or its next attempt.
    async fn settle(&mut self) -> anyhow::Result<()> {
        let now = self.led.now();
        let (mut pulse, mut courier) = (self.service.pulse(), self.service.courier());
        let settled = async {
            loop {
                let driver = *pulse.borrow_and_update();
                let quiet = driver.wake_at.is_none_or(|due| due > now);
                if quiet && courier.borrow_and_update().is_settled(driver.position, now) {
                    return Ok(());
                }
                tokio::select! {
                    changed = pulse.changed() => changed.context("the driver stopped")?,
                    changed = courier.changed() => changed.context("the courier stopped")?,
                }
            }
        };
        match tokio::time::timeout(SETTLE_WITHIN, settled).await {
            Ok(settled) => settled,
            Err(_) => bail!(
                "nothing moved for {} s at {now:?}: driver {:?}, courier {:?}",
                SETTLE_WITHIN.as_secs(),
                self.service.pulse().borrow(),
                self.service.courier().borrow()
            ),
        }
    }
}

/// As devices write it; an instant that no calendar has, as its microseconds.
fn instant(at: Timestamp) -> String {
    jiff::Timestamp::from_microsecond(at.0).map_or_else(|_| at.0.to_string(), |at| format!("\"{at}\""))
}
