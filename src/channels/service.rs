//! What is said of the service itself: troubles, and tests of notification.

use std::path::Path;

use forewarn_core::level::Status;
use forewarn_core::warning::{TroubleCode, TroubleKey};

use super::facts::{Facts, Row, Teller};
use super::{detail, naming, show};

impl Teller<'_> {
    pub(super) fn trouble(&self, key: &TroubleKey) -> Facts {
        let code = key.code.word();
        let over = self.revision.kind.is_last();
        let text = naming::trouble_text(key.code, self.revision.kind, self.words);
        let subject = self.subject(key);
        let action = if over { self.word("trouble_actions.ended") } else { self.trouble_action(key.code) };
        let kind = self.word(&format!("trouble_kinds.{}", self.revision.kind.word()));
        let mut rows = vec![
            self.row("status", self.trouble_status()),
            self.row("kind", kind.clone()),
            self.row("reason", self.reason_word()),
            self.row("trouble", format!("{text} ({code})")),
        ];
        rows.extend(self.row_of_some("subject", subject.clone()));
        rows.extend(self.row_of_some("detail", self.trouble_detail(key.code)));
        rows.extend([
            self.row("place", show::clean(&self.plan().settings.site)),
            self.row("level", self.level()),
            Row { label: self.word("labels.raised"), ..self.row("since", self.time(self.revision.onset)) },
        ]);
        rows.extend(over.then(|| self.row("over", self.time(self.revision.sent))));
        rows.extend([
            self.row("action", action.clone()),
            self.row("next", self.next()),
            self.row("time", self.time(self.revision.sent)),
            self.row("link", self.link()),
        ]);
        let tag = self.word(if over { "tags.trouble-ended" } else { "tags.trouble" });
        let headline = match (over, subject.is_empty()) {
            (false, true) => text,
            (false, false) => self.words.fill("join.trouble", &[("trouble", &text), ("subject", &subject)]),
            (true, _) => {
                let parts = [text, subject, self.raised_and_over()];
                let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                parts.join(self.words.get("join.list"))
            }
        };
        Facts { kind, ..self.facts(tag, self.word("text.service"), headline, action, rows) }
    }

    /// It asks people to act on the service, not on a measurement.
    fn trouble_status(&self) -> String {
        match self.revision.status {
            Status::Actual => self.word("text.trouble_status"),
            Status::Exercise | Status::Test => self.status(),
        }
    }

    pub(super) fn notify_test(&self) -> Facts {
        let action = self.word("text.notify_test_action");
        let site = show::clean(&self.plan().settings.site);
        let mut rows = vec![
            self.row("status", self.status()),
            self.row("reason", self.reason_word()),
            self.row("place", site.clone()),
        ];
        rows.extend(self.row_of_some("detail", show::clean(self.revision.detail.trim())));
        rows.extend([
            self.row("action", action.clone()),
            self.row("time", self.time(self.revision.sent)),
            self.row("link", self.link()),
        ]);
        self.facts(self.word("tags.notify-test"), self.word("text.notify_test"), site, action, rows)
    }

    fn row_of_some(&self, key: &'static str, text: String) -> Option<Row> {
        (!text.is_empty()).then(|| self.row(key, text))
    }

    fn trouble_action(&self, code: TroubleCode) -> String {
        let (data, path) = (self.data(), format!("trouble_actions.{}", code.word()));
        let host = if self.setup.host.is_empty() { self.word("text.this_machine") } else { self.host() };
        self.words.fill(&path, &[("host", &host), ("data", &quoted(&data))])
    }

    /// What the engine or a room said of it; once it is over, as the last word on it.
    fn trouble_detail(&self, code: TroubleCode) -> String {
        let detail = detail::told(code, &show::clean(self.revision.detail.trim()), self.words);
        if code == TroubleCode::Held {
            // Text, action and subject say it all, with the machine and the directory, which the engine cannot know.
            return String::new();
        }
        if detail.is_empty() || !self.revision.kind.is_last() {
            return detail;
        }
        self.words.fill("text.was_told", &[("detail", &detail)])
    }

    /// When it was told of first, and when it ended; since when it was so only its detail can say.
    fn raised_and_over(&self) -> String {
        let (raised, over) = (self.local(self.revision.onset), self.local(self.revision.sent));
        self.words.fill("text.raised_and_over", &[("raised", &raised), ("over", &over)])
    }

    /// A trouble's subject, a sensor with its station's name; empty where there is none.
    fn subject(&self, key: &TroubleKey) -> String {
        if key.code == TroubleCode::Held {
            return if self.setup.host.is_empty() {
                self.data()
            } else {
                self.words.fill("text.data_on", &[("data", &self.data()), ("host", &self.host())])
            };
        }
        let is_sensor = matches!(key.code, TroubleCode::SensorSilent | TroubleCode::Conflict);
        let sensor =
            self.plan().sensors.iter().flatten().find(|sensor| is_sensor && *sensor.id == *key.subject);
        match sensor {
            Some(sensor) => naming::sensor_name(sensor, self.plan(), self.words.language()),
            None => detail::told(key.code, &show::clean(key.subject.trim()), self.words),
        }
    }

    fn host(&self) -> String {
        show::clean(&self.setup.host)
    }

    /// The data directory as somebody who has just logged in can name it.
    fn data(&self) -> String {
        let data = &self.setup.data;
        let whole = std::fs::canonicalize(data).or_else(|_| std::path::absolute(data));
        show::clean(&whole.as_deref().map_or_else(|_| data.display(), Path::display).to_string())
    }
}

/// A path as a shell takes it for one word.
fn quoted(path: &str) -> String {
    let is_plain =
        |c: char| c.is_alphanumeric() || matches!(c, '/' | '.' | '-' | '_' | '+' | ':' | '@' | ',');
    if path.chars().all(is_plain) { path.to_owned() } else { format!("'{}'", path.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests;
