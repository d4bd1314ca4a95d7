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

#[cfg(test)]
mod tests {
    use forewarn_core::ids::AreaIx;
    use forewarn_core::level::{Level, Status};
    use forewarn_core::orders::{Text, Texts};
    use forewarn_core::warning::{About, ByHand, Kind, Reason, Revision};

    use super::super::facts::Facts;
    use super::super::sample;
    use super::super::words::Messages;

    fn texts(instruction: [&str; 2]) -> Texts {
        let text = |headline: &str, instruction: &str| Text {
            headline: headline.into(),
            instruction: instruction.into(),
        };
        Texts { zh: text("堤防渗漏", instruction[0]), en: text("the embankment leaks", instruction[1]) }
    }

    fn by_hand(instruction: [&str; 2]) -> Revision {
        let flood = sample::flood(Status::Actual);
        let cell = flood.about.cells()[0];
        let about = ByHand { draft: flood.id, hazard: cell.hazard, areas: vec![cell.area, AreaIx(1)] };
        Revision {
            about: About::Manual(about),
            reason: Reason::Manual,
            evidence: vec![],
            sensors: 0,
            texts: Some(texts(instruction)),
            ..flood
        }
    }

    fn facts(revision: &Revision, language: &str) -> Facts {
        let setup = sample::setup();
        Facts::of(revision, &setup, Messages::read(&setup.messages).language(language))
    }

    #[test]
    fn each_reader_reads_what_was_written_in_their_language() {
        let revision = by_hand(["到高处去", "go to high ground"]);
        let (zh, en) = (facts(&revision, "zh"), facts(&revision, "en"));
        assert!(zh.headline.ends_with("：堤防渗漏"), "{}", zh.headline);
        assert!(en.headline.ends_with(": the embankment leaks"), "{}", en.headline);
        assert_eq!((zh.action.as_str(), en.action.as_str()), ("到高处去", "go to high ground"));
        for facts in [zh, en] {
            assert!(
                facts.rows.iter().all(|row| !row.text.is_empty() && !row.text.contains('{')),
                "{facts:#?}"
            );
        }
        // Without one of its own, what to do is what is always said at the level.
        let usual = facts(&by_hand(["", ""]), "en").action;
        assert_eq!(usual, facts(&sample::flood(Status::Actual), "en").action);
    }

    #[test]
    fn a_correction_says_what_is_right_and_a_cancel_what_to_do_with_what_was_said() {
        let flood = sample::flood(Status::Actual);
        let texts = Some(texts(["留在原地", "stay where you are"]));
        let corrected = Revision { kind: Kind::Update, reason: Reason::Corrected, texts, ..flood };
        let said = facts(&corrected, "en");
        assert!(said.text("reason").contains("the embankment leaks"), "{}", said.text("reason"));
        assert_eq!(said.action, "stay where you are");
        let cancel = Revision {
            kind: Kind::Cancel,
            reason: Reason::InError,
            level: Level::Red,
            texts: None,
            ..by_hand(["", ""])
        };
        let said = facts(&cancel, "en");
        assert!(said.action.contains("Take no action on the earlier messages"), "{}", said.action);
        assert!(!said.text("place").is_empty() && !said.headline.is_empty());
    }
}
