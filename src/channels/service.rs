//! What is said of the service itself: troubles, and tests of notification.

use forewarn_core::warning::{TroubleCode, TroubleKey};

use super::facts::{Facts, Teller, or};
use super::show;

impl Teller<'_> {
    pub(super) fn trouble(&self, key: &TroubleKey) -> Facts {
        let code = key.code.word();
        let text = self.word(&format!("troubles.{code}"));
        let over = self.revision.kind.is_last();
        let action = self.word(&format!("trouble_actions.{}", if over { "ended" } else { code }));
        let subject = self.subject(key);
        let detail = or(show::clean(&self.revision.detail), || self.word("text.none"));
        let rows = vec![
            self.row("status", self.status()),
            self.row("kind", self.kind()),
            self.row("reason", self.reason()),
            self.row("trouble", format!("{text} ({code})")),
            self.row("subject", subject.clone()),
            self.row("detail", detail),
            self.row("place", show::clean(&self.plan().settings.site)),
            self.row("level", self.level()),
            self.row("since", self.time(self.revision.onset)),
            self.row("action", action.clone()),
            self.row("next", self.next()),
            self.row("time", self.time(self.revision.sent)),
            self.row("link", self.link()),
        ];
        let tag = self.word(if over { "tags.trouble-ended" } else { "tags.trouble" });
        let headline = format!("{text} {subject}");
        self.facts(tag, self.word("text.service"), headline, action, rows)
    }

    pub(super) fn notify_test(&self) -> Facts {
        let action = self.word("text.notify_test_action");
        let site = show::clean(&self.plan().settings.site);
        let detail = or(show::clean(&self.revision.detail), || self.word("text.none"));
        let rows = vec![
            self.row("status", self.status()),
            self.row("reason", self.reason()),
            self.row("place", site.clone()),
            self.row("detail", detail),
            self.row("action", action.clone()),
            self.row("time", self.time(self.revision.sent)),
            self.row("link", self.link()),
        ];
        self.facts(self.word("tags.notify-test"), self.word("text.notify_test"), site, action, rows)
    }

    /// A trouble's subject; a sensor with its station's name.
    fn subject(&self, key: &TroubleKey) -> String {
        let id = or(show::clean(&key.subject), || self.word("text.none"));
        let is_sensor = matches!(key.code, TroubleCode::SensorSilent | TroubleCode::Conflict);
        let sensor =
            self.plan().sensors.iter().flatten().find(|sensor| is_sensor && sensor.id == key.subject);
        let named = sensor.and_then(|sensor| self.plan().station(sensor.station));
        match named {
            Some(station) => {
                format!("{} ({id})", show::clean(show::name(&station.names, self.words.language())))
            }
            None => id,
        }
    }
}
