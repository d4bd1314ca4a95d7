//! Ten thousand broken packets neither panic nor stop the service.

use forewarn::ingest::listener::Reason;

use crate::common::setup::secret;
use crate::inbox::Durable;
use crate::raw::Version::{V4, V5};
use crate::raw::{Client, Version, connect, packet, publish, publish_flags, text};
use crate::world::World;

/// Xorshift64*: the same run every time.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }

    fn mutate(&mut self, bytes: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let at = self.below(bytes.len().max(1));
            match self.below(5) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = [0, 1, 0x7f, 0x80, 0xff][self.below(5)],
                2 if at < bytes.len() => drop(bytes.remove(at)),
                3 => bytes.truncate(at),
                _ => bytes.insert(at, self.below(256) as u8),
            }
        }
    }
}

fn samples(version: Version) -> Vec<Vec<u8>> {
    let properties: &[u8] = if version == V5 { &[0] } else { &[] };
    let filters = [&[0, 1][..], properties, &text(b"a/+/#"), &[1], &text(b"b"), &[0]].concat();
    vec![
        connect(version, "c", Some(("a", &secret("a")))),
        publish(version, 1, 1, "a/level", br#"{"station":"a","level":1.25}"#),
        publish(version, 0, 0, "a/level", br#"[{"station":"a","level":1.25}]"#),
        publish_flags(version, 0b10, 2, "a", &[0x23, 0, 1, 0x26, 0, 1, b'k', 0, 1, b'v'], b"{}"),
        packet(0x82, &filters),
        packet(0xa2, &[&[0, 2][..], properties, &text(b"b")].concat()),
        vec![0xc0, 0],
        vec![0xe0, 0],
    ]
}

#[tokio::test]
async fn ten_thousand_mutated_packets_leave_the_listener_serving() {
    const CONNECTIONS: usize = 1_000;
    const PACKETS: usize = 10;
    let world = World::new(Durable::AtOnce).await;
    let mut random = Random(0x5eed);
    for number in 0..CONNECTIONS {
        let version = if number % 2 == 0 { V4 } else { V5 };
        let samples = samples(version);
        let mut client = Client::dial(world.address()).await;
        // A third begins as a stranger, so that CONNECT itself is met broken.
        if number % 3 > 0 {
            client.send(&samples[0]).await;
        }
        for _ in 0..PACKETS {
            let mut bytes = samples[random.below(samples.len())].clone();
            random.mutate(&mut bytes);
            client.send(&bytes).await;
        }
    }
    assert_eq!(world.handle.refused(Reason::Defect), 0, "no task panicked");
    let refused: u64 = Reason::ALL.iter().map(|&reason| world.handle.refused(reason)).sum();
    assert!(refused > CONNECTIONS as u64 / 4, "{refused} refused");
    world.still_serves().await;
}
