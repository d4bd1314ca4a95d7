//! How pages say times, spans, names and words: in the reader's language, with
//! the site's own zone.

use forewarn_core::ids::{SensorIx, TargetIx};
use forewarn_core::plan::{Plan, Sensor};
use forewarn_core::time::{Span, Timestamp};
use forewarn_core::warning::Cell;
use minijinja::{Value, context};

use super::Scene;
use crate::channels::facts::Facts;
use crate::channels::words::Words;
use crate::channels::{naming, render, show};
use crate::config::plan::Setup;
use forewarn_core::warning::Revision;

/// Names and words of one reader.
#[derive(Debug, Clone, Copy)]
pub(super) struct Voice<'a> {
    pub(super) setup: &'a Setup,
    pub(super) words: &'a Words,
}

impl<'a> Voice<'a> {
    pub(super) fn of(scene: &Scene<'a>, words: &'a Words) -> Voice<'a> {
        Voice { setup: scene.setup, words }
    }

    pub(super) fn plan(&self) -> &'a Plan {
        &self.setup.plan
    }

    /// A word of the board by its path below `board`.
    pub(super) fn word(&self, path: &str) -> String {
        let path = format!("board.{path}");
        self.words.get(&path).to_owned()
    }

    pub(super) fn fill(&self, path: &str, values: &[(&str, &str)]) -> String {
        self.words.fill(&format!("board.{path}"), values)
    }

    /// Local time to the second, with what machines read beside it.
    pub(super) fn time(&self, civil: Timestamp) -> Value {
        let whole = show::rfc3339_local(civil, &self.plan().settings);
        // `2026-07-01T03:00:07+08:00`: date and time of the day; the zone stands once on the page.
        let shown = match (whole.get(..10), whole.get(11..19)) {
            (Some(date), Some(time)) => format!("{date} {time}"),
            (None, _) | (_, None) => self.words.get("text.time_unknown").to_owned(),
        };
        context! { iso => whole, shown => shown }
    }

    /// Local time to the second, as text.
    pub(super) fn instant(&self, civil: Timestamp) -> String {
        self.time(civil).get_attr("shown").map(|shown| shown.to_string()).unwrap_or_default()
    }

    /// The zone that all times of a page are in.
    pub(super) fn zone(&self, civil: Timestamp) -> String {
        let settings = &self.plan().settings;
        format!("{}, {}", show::clean(&settings.zone), show::utc_offset(civil, settings))
    }

    /// A length of time, to the largest unit that gives a whole number.
    pub(super) fn span(&self, span: Span) -> String {
        let secs = span.0 / 1_000_000;
        let (count, unit) = match secs {
            0 => (0, "secs"),
            _ if secs % 86_400 == 0 => (secs / 86_400, "days"),
            _ if secs % 3_600 == 0 => (secs / 3_600, "hours"),
            _ if secs % 60 == 0 => (secs / 60, "mins"),
            _ => (secs, "secs"),
        };
        self.fill(&format!("span.{unit}"), &[("count", &count.to_string())])
    }

    /// What people call a sensor's station.
    pub(super) fn station(&self, sensor: &Sensor) -> String {
        let station = self.plan().station(sensor.station);
        station.map_or_else(String::new, |it| show::clean(show::name(&it.names, self.words.language())))
    }

    /// A link's text and address for a sensor; its number alone where the plan has it no more.
    pub(super) fn sensor(&self, ix: SensorIx) -> Value {
        let Some(sensor) = self.plan().sensor(ix) else {
            return context! { id => format!("#{}", ix.0), name => "", href => "" };
        };
        context! { id => &*sensor.id, name => self.station(sensor), href => sensor_path(&sensor.id) }
    }

    /// The contact and the channel, never an address.
    pub(super) fn target(&self, ix: TargetIx) -> String {
        match self.plan().target(ix) {
            Some(target) => {
                let channel = self.words.find(&format!("board.channel.{}", target.channel));
                format!("{} · {}", show::clean(&target.contact), channel.unwrap_or(&target.channel))
            }
            None => format!("#{}", ix.0),
        }
    }

    /// A revision as all channels tell it.
    pub(super) fn facts(&self, revision: &Revision) -> Value {
        render::value(&Facts::of(revision, self.setup, self.words), self.words)
    }

    /// Hazard and area of an incident.
    pub(super) fn cell(&self, cell: Cell) -> String {
        let hazard = naming::hazard_name(self.plan(), cell, self.words);
        let area = naming::area_name(self.plan(), cell, self.words);
        self.fill("cell", &[("hazard", &hazard), ("area", &area)])
    }
}

/// Where a sensor's page stands: `station/quantity`, each escaped.
pub(super) fn sensor_path(id: &str) -> String {
    let parts: Vec<String> = id.splitn(2, '/').map(escaped).collect();
    format!("/sensors/{}", parts.join("/"))
}

/// A part of a path or a value of a query, as RFC 3986 has it.
pub(super) fn escaped(text: &str) -> String {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let shown = |byte: u8| {
        if is_plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(shown).collect::<Vec<_>>().concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_holds_any_id() {
        assert_eq!(sensor_path("qj-017/level"), "/sensors/qj-017/level");
        assert_eq!(sensor_path("a b/水位"), "/sensors/a%20b/%E6%B0%B4%E4%BD%8D");
        assert_eq!(sensor_path("a/b/c"), "/sensors/a/b%2Fc");
    }
}
