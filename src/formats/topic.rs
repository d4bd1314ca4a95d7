//! Names in topics: `river/{station}/{quantity}`.

/// A topic with places for names; `+` stands for any segment, a last `#` for any rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template {
    text: String,
    segments: Vec<Segment>,
    any_rest: Rest,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Exactly(String),
    Any,
    Station,
    Quantity,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rest {
    None,
    Any,
}

/// What a topic names.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Named<'a> {
    /// The station.
    pub(super) station: Option<&'a str>,
    /// The quantity.
    pub(super) quantity: Option<&'a str>,
}

impl Template {
    /// Reads a template.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut segments = Vec::new();
        let mut any_rest = Rest::None;
        for segment in text.split('/') {
            if any_rest == Rest::Any {
                return Err(format!("topic {text:?} goes on after #, expected it last"));
            }
            segments.push(match segment {
                "{station}" => Segment::Station,
                "{quantity}" => Segment::Quantity,
                "+" => Segment::Any,
                "#" => {
                    any_rest = Rest::Any;
                    continue;
                }
                plain if plain.contains(['{', '}', '+', '#']) => {
                    return Err(format!(
                        "topic {text:?} has {plain:?}, expected {{station}}, {{quantity}}, + or plain text \
                         between two slashes"
                    ));
                }
                plain => Segment::Exactly(plain.to_owned()),
            });
        }
        for wanted in [Segment::Station, Segment::Quantity] {
            if segments.iter().filter(|segment| **segment == wanted).count() > 1 {
                return Err(format!("topic {text:?} names the same thing twice, expected it once"));
            }
        }
        Ok(Template { text: text.to_owned(), segments, any_rest })
    }

    /// Whether it names the station.
    pub(super) fn has_station(&self) -> bool {
        self.segments.contains(&Segment::Station)
    }

    /// Whether it names the quantity.
    pub(super) fn has_quantity(&self) -> bool {
        self.segments.contains(&Segment::Quantity)
    }

    /// What a topic names.
    pub(super) fn read<'a>(&self, topic: &'a str) -> Result<Named<'a>, String> {
        let mismatch = || {
            format!("topic {topic:?} does not fit, expected {:?} as the source's decode has it", self.text)
        };
        let mut named = Named::default();
        let mut parts = topic.split('/');
        for segment in &self.segments {
            let part = parts.next().ok_or_else(mismatch)?;
            match segment {
                Segment::Any => {}
                Segment::Exactly(text) if text == part => {}
                Segment::Station if !part.is_empty() => named.station = Some(part),
                Segment::Quantity if !part.is_empty() => named.quantity = Some(part),
                Segment::Exactly(_) | Segment::Station | Segment::Quantity => return Err(mismatch()),
            }
        }
        match self.any_rest {
            Rest::None if parts.next().is_some() => Err(mismatch()),
            Rest::None | Rest::Any => Ok(named),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(template: &str, topic: &str, expected: Option<(Option<&str>, Option<&str>)>) {
        let got = Template::parse(template).expect(template).read(topic).ok();
        assert_eq!(got.map(|named| (named.station, named.quantity)), expected, "{template} {topic}");
    }

    #[test]
    fn a_topic_names_station_and_quantity() {
        check("river/{station}/{quantity}", "river/qj-017/level", Some((Some("qj-017"), Some("level"))));
        check("+/{station}/#", "x/qj-017/a/b", Some((Some("qj-017"), None)));
        check("+/{station}/#", "x/qj-017", Some((Some("qj-017"), None)));
        check("river/{station}", "river/qj-017/level", None);
        check("river/{station}", "lake/qj-017", None);
        check("river/{station}", "river/", None);
    }

    #[test]
    fn a_template_that_cannot_be_meant_is_refused() {
        for template in ["a/{statoin}", "#/a", "{station}/{station}", "x{station}"] {
            assert!(Template::parse(template).is_err(), "{template}");
        }
    }
}
