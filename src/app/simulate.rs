//! `forewarn simulate`: readings that nobody measured, for a drill's listener.
//! Each is marked as simulated and goes below the topic of drills, so that a
//! live service takes neither; and where the listener says that it is live,
//! nothing is published at all.

use std::f64::consts::PI;
use std::io::Write;
use std::time::Duration;

use anyhow::{Context, bail};
use forewarn_core::time::{Span, Timestamp};
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{ConnAck, Packet};
use rumqttc::v5::{AsyncClient, Event, EventLoop, MqttOptions};
use tokio::sync::mpsc;

use crate::clock;
use crate::config::plan::{DRILL_TOPIC, WORLD_PROPERTY};
use crate::config::secret::Secret;

/// The listener answers by then, or it is not there.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Readings of one simulation at most.
pub const READINGS_MAX: i64 = 1_000_000;

/// How a value goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Stays where it is.
    Constant,
    /// Rises evenly to its peak.
    Ramp,
    /// Rises to its peak in a third of the time, and falls back more slowly.
    Flood,
}

/// What is simulated, and where it goes.
#[derive(Debug, Clone)]
pub struct Simulation {
    /// The station and its quantity.
    pub sensor: (String, String),
    /// How its value goes.
    pub shape: Shape,
    /// From where, in the unit that the device sends.
    pub low: f64,
    /// To where.
    pub peak: f64,
    /// For how long.
    pub lasts: Span,
    /// How far apart readings are.
    pub every: Span,
    /// Host and port of the drill's listener, or of a broker.
    pub to: (String, u16),
    /// The device's name and secret.
    pub login: Option<(String, Secret)>,
}

impl Shape {
    /// The value after a part of the whole time, from 0 to 1.
    pub fn value(self, low: f64, peak: f64, part: f64) -> f64 {
        let part = part.clamp(0.0, 1.0);
        let risen = match self {
            Shape::Constant => 0.0,
            Shape::Ramp => part,
            Shape::Flood if part <= 1.0 / 3.0 => (1.0 - (PI * part * 3.0).cos()) / 2.0,
            Shape::Flood => f64::midpoint(1.0, (PI * (part - 1.0 / 3.0) * 1.5).cos()),
        };
        low + (peak - low) * risen
    }
}

impl Simulation {
    /// How many readings it has.
    fn readings(&self) -> i64 {
        self.lasts.0 / self.every.0.max(1) + 1
    }

    fn value(&self, nth: i64) -> f64 {
        let last = (self.readings() - 1).max(1);
        self.shape.value(self.low, self.peak, nth as f64 / last as f64)
    }

    fn topic(&self) -> String {
        format!("{DRILL_TOPIC}/simulated/{}", self.sensor.0)
    }

    fn payload(&self, value: f64, at: Timestamp) -> serde_json::Value {
        let (station, quantity) = &self.sensor;
        serde_json::json!({ "station": station, "time": at.0, quantity: value, "simulated": true })
    }
}

/// Publishes it in real time, a line a reading; gives how many were acknowledged.
pub async fn play(simulation: &Simulation, out: &mut dyn Write) -> anyhow::Result<i64> {
    let (host, port) = &simulation.to;
    let client_id = format!("forewarn-simulate-{}-{}", std::process::id(), simulation.sensor.0);
    let mut options = MqttOptions::new(client_id, host, *port);
    options.set_clean_start(true).set_keep_alive(Duration::from_secs(30));
    if let Some((user, secret)) = &simulation.login {
        options.set_credentials(user, secret.expose());
    }
    let (client, events) = AsyncClient::new(options, 1024);
    let mut events = followed(events);
    let connected = tokio::time::timeout(ANSWER_WITHIN, connected(&mut events)).await;
    let answer = connected.with_context(|| format!("{host}:{port} does not answer"))?.with_context(|| {
        format!("{host}:{port} takes no connection, expected the listener of a drill that runs")
    })?;
    match world(&answer) {
        Some("drill") => writeln!(out, "{host}:{port} is a drill's listener")?,
        Some(world) => {
            bail!(
                "{host}:{port} is the listener of a {world} service: nothing was published, expected a drill's"
            )
        }
        None => writeln!(
            out,
            "{host}:{port} does not say whether it is a drill's: what is published there is marked as \
             simulated and lies below {DRILL_TOPIC}/, which no live service takes"
        )?,
    }
    out.flush()?;
    let every = Duration::from_micros(simulation.every.0.unsigned_abs()).max(Duration::from_millis(1));
    let mut ticks = tokio::time::interval(every);
    let (all, mut sent, mut acknowledged) = (simulation.readings(), 0, 0);
    while acknowledged < all {
        tokio::select! {
            _ = ticks.tick(), if sent < all => {
                let value = simulation.value(sent);
                let payload = simulation.payload(value, clock::wall()).to_string();
                client.publish(simulation.topic(), QoS::AtLeastOnce, false, payload).await?;
                sent += 1;
                let (station, quantity) = &simulation.sensor;
                writeln!(out, "{station}/{quantity} {value:.3}")?;
                out.flush()?;
            }
            event = events.recv() => match event.context("the connection ended")?? {
                Packet::PubAck(_) => acknowledged += 1,
                Packet::Disconnect(_) => bail!("the listener closed the connection"),
                _ => {}
            },
        }
    }
    // The end of the process closes it as well.
    let _ = client.disconnect().await;
    writeln!(out, "{acknowledged} readings published and acknowledged, all marked as simulated")?;
    Ok(acknowledged)
}

/// What comes in, from a task of its own, so that a wait for the next tick
/// breaks nothing off half read. It ends with the first fault: whoever answers
/// a second connection may be another world.
fn followed(mut events: EventLoop) -> mpsc::Receiver<anyhow::Result<Packet>> {
    let (sender, receiver) = mpsc::channel(64);
    tokio::spawn(async move {
        loop {
            let next = tokio::select! {
                next = events.poll() => next,
                () = sender.closed() => return,
            };
            let (told, is_over) = match next {
                Ok(Event::Incoming(packet)) => (Ok(packet), false),
                Ok(Event::Outgoing(_)) => continue,
                Err(error) => (Err(anyhow::anyhow!("the connection broke: {error}")), true),
            };
            if sender.send(told).await.is_err() || is_over {
                return;
            }
        }
    });
    receiver
}

async fn connected(events: &mut mpsc::Receiver<anyhow::Result<Packet>>) -> anyhow::Result<ConnAck> {
    loop {
        if let Packet::ConnAck(answer) = events.recv().await.context("the connection ended")?? {
            return Ok(answer);
        }
    }
}

/// The world that a listener says it is in.
fn world(answer: &ConnAck) -> Option<&str> {
    let properties = answer.properties.as_ref()?;
    properties
        .user_properties
        .iter()
        .find(|(name, _)| name == WORLD_PROPERTY)
        .map(|(_, world)| world.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_begins_low_and_comes_to_its_peak() {
        let check = |shape: Shape, part: f64, expected: f64| {
            let value = shape.value(55.0, 59.0, part);
            assert!((value - expected).abs() < 1e-9, "{shape:?} at {part}: {value}, expected {expected}");
        };
        for (shape, begin, third, end) in [
            (Shape::Constant, 55.0, 55.0, 55.0),
            (Shape::Ramp, 55.0, 55.0 + 4.0 / 3.0, 59.0),
            (Shape::Flood, 55.0, 59.0, 55.0),
        ] {
            check(shape, 0.0, begin);
            check(shape, 1.0 / 3.0, third);
            check(shape, 1.0, end);
            check(shape, 7.0, end);
        }
    }

    #[test]
    fn every_reading_is_marked_and_lies_below_the_topic_of_drills() {
        let simulation = Simulation {
            sensor: ("qj-1".into(), "level".into()),
            shape: Shape::Ramp,
            low: 55.0,
            peak: 57.0,
            lasts: Span::from_secs(10),
            every: Span::from_secs(5),
            to: (String::new(), 0),
            login: None,
        };
        assert_eq!((simulation.readings(), simulation.value(1)), (3, 56.0));
        assert!(crate::config::plan::is_drill_topic(&simulation.topic()));
        let payload = simulation.payload(56.0, Timestamp(7));
        assert_eq!(payload, serde_json::json!({"station":"qj-1","time":7,"level":56.0,"simulated":true}));
    }
}
