//! What is said of a warning that a person issued and another approved, and
//! what a person wrote of one that was measured.

use forewarn_core::warning::{ByHand, Cell, Kind};

use super::facts::{Facts, Teller};
use super::{naming, show};

impl Teller<'_> {
    pub(super) fn by_hand(&self, about: &ByHand) -> Facts {
        let cells = || about.areas.iter().map(|&area| Cell { hazard: about.hazard, area });
        let first = cells().next().unwrap_or_default();
        let hazard = naming::hazard_name(self.plan(), first, self.words);
        let names: Vec<String> =
            cells().map(|cell| naming::area_name(self.plan(), cell, self.words)).collect();
        let place = names.join(self.words.get("join.comma"));
        let action = self.action(first);
        let texts = [
            ("status", self.status()),
            ("kind", self.kind()),
            ("reason", self.reason()),
            ("hazard", hazard.clone()),
            ("place", place.clone()),
            ("level", self.level()),
            ("since", self.time(self.revision.onset)),
            ("action", action.clone()),
            ("next", self.by_hand_next()),
            ("time", self.time(self.revision.sent)),
            ("certainty", self.word(&format!("certainty.{}", self.revision.certainty))),
            ("seen", self.seen()),
            ("link", self.link()),
        ];
        let rows = texts.into_iter().map(|(key, text)| self.row(key, text)).collect();
        let headline = match self.written_headline() {
            Some(headline) => format!("{place}{}{headline}", self.words.get("join.colon")),
            None => place,
        };
        self.facts(self.tag(), hazard, headline, action, rows)
    }

    /// It is not renewed: it comes to its stated end unless a person says more.
    fn by_hand_next(&self) -> String {
        match self.revision.kind {
            Kind::AllClear | Kind::Cancel => self.word("text.last_message"),
            Kind::Alert | Kind::Update => {
                self.words.fill("text.stated_end", &[("time", &self.time(self.revision.expires))])
            }
        }
    }

    /// What a person wrote of what is the matter, in the reader's language.
    pub(super) fn written_headline(&self) -> Option<String> {
        let text = self.revision.texts.as_ref()?.of(self.words.language());
        Some(show::clean(&text.headline)).filter(|text| !text.trim().is_empty())
    }

    /// What a person wrote of what to do, in the reader's language.
    pub(super) fn written_action(&self) -> Option<String> {
        let text = self.revision.texts.as_ref()?.of(self.words.language());
        Some(show::clean(&text.instruction)).filter(|text| !text.trim().is_empty())
    }
}
