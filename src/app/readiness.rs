//! How the service is, as the desk answers whoever asks by HTTP.

use super::desk::Desk;
use crate::http::{Health, Readiness, Sensors};

/// The projection may lag by this many events and the service still counts as ready.
const LAG_READY_MAX: u64 = 100_000;

impl Health for Desk {
    fn readiness(&self) -> Readiness {
        let picture = self.parts.picture.borrow().clone();
        let position = self.parts.pulse.borrow().position;
        let mut reasons: Vec<String> = self.parts.stages.ended().map(str::to_owned).collect();
        if picture.intake_stopped {
            reasons.push("no room on the disk: readings are not taken".to_owned());
        }
        if picture.held {
            let resume = self.hint("resume");
            reasons.push(format!("held since it was restored or copied, until `{resume}`"));
        }
        match self.parts.state.cursor() {
            Ok(cursor) if position.0.saturating_sub(cursor.0) > LAG_READY_MAX => {
                reasons.push(format!("the projection is {} events behind", position.0 - cursor.0));
            }
            Ok(_) => {}
            Err(error) => reasons.push(format!("the projection cannot be read: {error}")),
        }
        Readiness {
            ready: reasons.is_empty(),
            reasons,
            position: position.0,
            sensors: Sensors { configured: picture.sensors, silent: picture.silent },
            incidents: picture.incidents.len(),
            troubles: picture.troubles.iter().map(|(code, count)| (code.word(), *count)).collect(),
        }
    }
}
