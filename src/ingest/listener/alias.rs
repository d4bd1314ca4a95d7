//! Topic aliases of one MQTT 5 connection.

use std::num::NonZeroU16;

use super::limits::TOPIC_ALIAS_MAX;
use super::refusal::{Fault, Reason};

/// Topics by alias, kept by copy: a slice would hold on to the whole read.
#[derive(Debug, Default)]
pub(super) struct Aliases(Vec<Option<Box<str>>>);

impl Aliases {
    /// The topic that a message means; remembers it where it comes with an alias.
    pub(super) fn resolve<'a>(
        &'a mut self,
        topic: &'a str,
        alias: Option<NonZeroU16>,
    ) -> Result<&'a str, Fault> {
        let Some(alias) = alias else {
            if topic.is_empty() {
                return Err(Fault::new(Reason::TopicEmpty, "topic is empty, expected a topic or an alias"));
            }
            return Ok(topic);
        };
        let out_of_range = || {
            let detail = format!("topic alias {alias}, expected 1 to {TOPIC_ALIAS_MAX}");
            Fault::new(Reason::TopicAlias, detail)
        };
        if alias.get() > TOPIC_ALIAS_MAX {
            return Err(out_of_range());
        }
        let at = usize::from(alias.get()) - 1;
        if topic.is_empty() {
            let unknown = || Fault::new(Reason::TopicEmpty, format!("topic alias {alias} was never set"));
            return self.0.get(at).and_then(Option::as_deref).ok_or_else(unknown);
        }
        if self.0.len() <= at {
            self.0.resize(at + 1, None);
        }
        Ok(self.0[at].insert(topic.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alias_stands_for_the_topic_last_given_with_it() {
        let mut aliases = Aliases::default();
        for (topic, alias, expected) in [
            ("a/b", 0, Ok("a/b")),
            ("", 0, Err(Reason::TopicEmpty)),
            ("", 1, Err(Reason::TopicEmpty)),
            ("a/b", 1, Ok("a/b")),
            ("", 1, Ok("a/b")),
            ("c/d", 1, Ok("c/d")),
            ("", 1, Ok("c/d")),
            ("", 16, Err(Reason::TopicEmpty)),
            ("e", 16, Ok("e")),
            ("e", 17, Err(Reason::TopicAlias)),
        ] {
            let met = aliases.resolve(topic, NonZeroU16::new(alias)).map_err(|fault| fault.reason);
            assert_eq!(met, expected, "{topic:?} {alias}");
        }
    }
}
