//! Between the lanes and the servers: who offers what, and who gets a permit.

use std::sync::Arc;

use forewarn_core::ids::TargetIx;
use forewarn_core::time::Timestamp;

use super::delivery::{Action, Flight};
use super::lane::Health;
use super::lanes::Lanes;

impl Lanes {
    /// Takes the lane's offer back from its server, and its timer.
    pub(super) fn withdraw(&mut self, target: TargetIx) {
        let Some(lane) = self.by_target.get_mut(&target) else { return };
        if let (Some((health, rank)), Some(place)) = (lane.offer.take(), &lane.place)
            && let Some(server) = self.servers.get_mut(&place.server)
        {
            server.queue(health).remove(&(rank, target));
            self.dirty.insert(Arc::clone(&place.server));
        }
        if let Some(until) = lane.timer.take() {
            self.probes.remove(&(until, target));
        }
    }

    /// Offers the server what the lane would send now, or waits for the lane's time.
    pub(super) fn refresh(&mut self, target: TargetIx, now: Timestamp) {
        self.withdraw(target);
        let Some(lane) = self.by_target.get_mut(&target) else { return };
        if lane.is_idle() && lane.sick.is_none_or(|sick| sick.until <= now) {
            self.by_target.remove(&target);
            return;
        }
        if let Some(sick) = lane.sick.filter(|sick| sick.until > now) {
            lane.timer = Some(sick.until);
            self.probes.insert((sick.until, target));
        }
        if let (Some(best), Some(place)) = (lane.best(now), &lane.place) {
            lane.offer = Some(best);
            let server = self.servers.entry(Arc::clone(&place.server)).or_default();
            server.connections_max = place.connections_max.max(1);
            server.queue(best.0).insert((best.1, target));
            self.dirty.insert(Arc::clone(&place.server));
        }
    }

    /// Lets the best of the server's queues go, as long as there are permits.
    pub(super) fn give_permits(&mut self, name: &Arc<str>, now: Timestamp) {
        while let Some(server) = self.servers.get_mut(name) {
            let Some((health, rank, target)) = server.next() else {
                if server.is_idle() {
                    self.servers.remove(name);
                }
                break;
            };
            server.flying += 1;
            server.probing += usize::from(health == Health::Sick);
            self.unqueue(rank.key);
            self.take_off(rank.key, now);
            let lane = self.by_target.get_mut(&target).expect("a lane that offers is there");
            lane.flying += 1;
            let failures = lane.sick.map_or(0, |sick| sick.failures);
            let flight = Flight { target, server: Arc::clone(name), health, failures };
            self.flights.insert(rank.key, flight);
            self.actions.push(Action::Send(rank.key));
            self.refresh(target, now);
        }
        self.dirty.remove(name);
    }
}
