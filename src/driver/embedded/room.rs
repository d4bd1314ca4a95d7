//! Room on the disk: readings stop in good time, and what must be written waits.

use std::sync::Arc;

use forewarn_core::event::{Input, TroubleReport};
use forewarn_core::warning::{TroubleCode, TroubleKey};
use tracing::{error, info};

use super::super::draft::Draft;
use super::super::inbox::Hold;
use super::{LOOK_AROUND, Loop};
use crate::log::{Appender, Lane, LogError, Record};

impl Loop {
    /// Tells what readers of the log met of rot.
    pub(super) fn tell_rot(&mut self) {
        for rot in self.parts.log.take_rot() {
            let key = TroubleKey { code: TroubleCode::Rot, subject: "log".into() };
            let report = TroubleReport { key, present: true, detail: rot.to_string() };
            self.commit(Draft { at: self.now(), inputs: vec![Input::Trouble(report)], ..Draft::default() });
        }
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
