//! A drill's log lines tell themselves from live ones, each by itself: they may
//! stand side by side on one screen, or be searched for in one place.

use std::fmt;

use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

use super::beside::MARK;
use crate::config::Purpose;

/// How lines are written, and what their service is for.
pub(super) struct Marked<F> {
    pub(super) format: F,
    pub(super) purpose: Purpose,
    pub(super) shape: Shape,
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    Text,
    Json,
}

impl<S, N, F> FormatEvent<S, N> for Marked<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        match (self.purpose, self.shape) {
            (Purpose::Live, _) => self.format.format_event(context, writer, event),
            (Purpose::Drill | Purpose::Play, Shape::Text) => {
                write!(writer, "{MARK} ")?;
                self.format.format_event(context, writer, event)
            }
            (Purpose::Drill | Purpose::Play, Shape::Json) => {
                let mut line = String::new();
                self.format.format_event(context, Writer::new(&mut line), event)?;
                let rest = line.strip_prefix('{').unwrap_or(&line);
                write!(writer, "{{\"world\":\"drill\",\"mark\":\"{MARK}\",{rest}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{self, Write};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Lines(Arc<Mutex<Vec<u8>>>);

    impl Write for Lines {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("whole").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn line(purpose: Purpose, shape: Shape) -> String {
        let lines = Lines::default();
        let to = lines.clone();
        let plain = tracing_subscriber::fmt().with_writer(move || to.clone()).with_ansi(false);
        let dispatch = match shape {
            Shape::Text => tracing::Dispatch::new(
                plain.map_event_format(|format| Marked { format, purpose, shape }).finish(),
            ),
            Shape::Json => tracing::Dispatch::new(
                plain.json().map_event_format(|format| Marked { format, purpose, shape }).finish(),
            ),
        };
        tracing::dispatcher::with_default(&dispatch, || tracing::info!(level = 59.1, "started"));
        let bytes = lines.0.lock().expect("whole").clone();
        String::from_utf8(bytes).expect("UTF-8")
    }

    #[test]
    fn every_line_of_a_drill_says_so_and_none_of_a_live_service_does() {
        let text = line(Purpose::Drill, Shape::Text);
        assert!(text.starts_with("[演练] [EXERCISE] ") && text.ends_with('\n'), "{text}");
        let json = line(Purpose::Drill, Shape::Json);
        let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!((&json["world"], &json["fields"]["level"]), (&"drill".into(), &59.1.into()));
        for shape in [Shape::Text, Shape::Json] {
            let live = line(Purpose::Live, shape);
            assert!(live.contains("started") && !live.contains("EXERCISE"), "{live}");
        }
    }
}
