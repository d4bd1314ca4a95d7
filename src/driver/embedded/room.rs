//! Room on the disk: readings stop in good time, and what must be written waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use forewarn_core::event::{Input, TroubleReport};
use forewarn_core::warning::{TroubleCode, TroubleKey};
use tracing::{error, info, warn};

use super::super::draft::Draft;
use super::super::inbox::Hold;
use super::{LOOK_AROUND, Loop};
use crate::clock::Clock;
use crate::log::{Appender, Lane, LogError, Record};

/// How often it is looked how full the disk is. A player's world has none.
const DISK_LOOKS_APART: Duration = Duration::from_mins(1);

/// From how many per cent full on the operator is told of the disk, and until when.
const DISK_LOW_FROM: u64 = 90;
const DISK_LOW_UNTIL: u64 = 88;

impl Loop {
    /// Tells what readers of the log met of rot.
    pub(super) fn tell_rot(&mut self) {
        for rot in self.parts.log.take_rot() {
            let key = TroubleKey { code: TroubleCode::Rot, subject: "log".into() };
            let report = TroubleReport { key, present: true, detail: rot.to_string() };
            self.commit(Draft { at: self.now(), inputs: vec![Input::Trouble(report)], ..Draft::default() });
        }
    }

    /// Tells the operator of a disk that fills while there is still time, and
    /// that it is over with some room to spare.
    pub(super) fn look_at_disk(&mut self) {
        if self.looked_at_disk.is_some_and(|at| at.elapsed() < DISK_LOOKS_APART)
            || matches!(self.parts.clock, Clock::Led(_))
        {
            return;
        }
        self.looked_at_disk = Some(Instant::now());
        let disk = match rustix::fs::statvfs(&self.parts.recovery.data) {
            Ok(disk) if disk.f_blocks > 0 => disk,
            // One that does not say how large it is cannot be near its end.
            Ok(_) => return,
            Err(error) => return warn!(%error, "the disk does not say how full it is"),
        };
        let full = 100 - (disk.f_bavail * 100 / disk.f_blocks).min(100);
        let key = TroubleKey { code: TroubleCode::DiskLow, subject: "disk".into() };
        let told = self.parts.engine.troubles().any(|(standing, _)| *standing == key);
        let present = full >= if told { DISK_LOW_UNTIL } else { DISK_LOW_FROM };
        if !present && !told {
            return;
        }
        if present {
            self.parts.snapshots.yield_room();
        }
        let megabytes = disk.f_bavail * disk.f_frsize / 1_000_000;
        let detail = if present {
            format!("{full} % full, {megabytes} MB free: once it is full no reading is taken")
        } else {
            // What is over is named by what stood.
            String::new()
        };
        let inputs = vec![Input::Trouble(TroubleReport { key, present, detail })];
        self.commit(Draft { at: self.now(), inputs, ..Draft::default() });
    }

    /// Before every turn: stops the readings lane when the log has no room for
    /// a full record, and resumes it by itself. What waits stays unacknowledged
    /// meanwhile, and our stop is no sensor's silence.
    pub(super) fn look_for_room(&mut self) {
        let room = self.parts.log.room_for(self.bounds.worst(), Lane::Readings).is_ok();
        if room != self.intake_stopped {
            return;
        }
        self.intake_stopped = !room;
        self.parts.inbox.hold_readings(if room { Hold::Resume } else { Hold::Stop });
        let detail = "no room on the disk: readings are not taken, senders keep them".to_owned();
        if room {
            info!("there is room on the disk again: readings are taken");
        } else {
            error!("no room on the disk: readings are not taken, senders keep them");
        }
        let key = TroubleKey { code: TroubleCode::DiskLow, subject: "log".into() };
        let report = TroubleReport { key, present: !room, detail };
        let inputs = vec![Input::Intake(room), Input::Trouble(report)];
        self.commit(Draft { at: self.now(), inputs, ..Draft::default() });
        self.publish();
    }

    /// Makes a record durable. Without room for it, not even in the reserve, it
    /// waits for some: nothing of it was written, and nobody is told.
    pub(super) fn append(&mut self, record: &Arc<Record>) {
        while let Err(error) = self.parts.log.append(record.clone()) {
            if !matches!(error, LogError::NoSpace { .. }) {
                // What the kernel still holds of a failed write nobody can know: never
                // retried. The next start reads what is on the disk.
                error!(%error, "the log cannot be written: stopping at once, nothing was acknowledged");
                std::process::abort();
            }
            error!(%error, "the disk is full to the last reserve: all stands still until there is room");
            self.parts.picture.send_modify(|picture| Arc::make_mut(picture).intake_stopped = true);
            std::thread::sleep(LOOK_AROUND);
            // It stands still, but it lives.
            self.beat();
        }
    }
}
