//! `-o json`: one event a line on stdout, each with the version of the schema, flushed at once.

use std::io::Write;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use super::{Event, EventSink, safe};

/// Version of the JSON form; rises with every change that a reader could trip over.
pub const SCHEMA: u32 = 1;

#[derive(Serialize)]
struct Line<'a> {
    schema: u32,
    #[serde(flatten)]
    event: &'a Event,
}

/// Writes events as JSON lines.
pub struct JsonLines<W> {
    out: Mutex<Option<W>>,
}

impl<W: Write + Send> JsonLines<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out: Mutex::new(Some(out)),
        }
    }
}

impl<W: Write + Send> EventSink for JsonLines<W> {
    fn emit(&self, event: Event) {
        let mut out = self.out.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(writer) = out.as_mut() else { return };
        let line = Line {
            schema: SCHEMA,
            event: &event,
        };
        let written = serde_json::to_string(&line)
            .map_err(std::io::Error::other)
            .and_then(|text| writeln!(writer, "{}", safe::json(&text)))
            .and_then(|()| writer.flush());
        if written.is_err() {
            // The reader went away (a closed pipe). The run must not die of that, and half a line must
            // not be followed by another: nothing more is written.
            *out = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ScopePath;

    #[test]
    fn one_line_an_event_with_the_schema() {
        let sink = JsonLines::new(Vec::new());
        sink.emit(Event::Warning {
            text: "two\nlines".into(),
        });
        sink.emit(Event::StepStarted {
            path: ScopePath::default(),
        });
        sink.emit(Event::PlanNote(crate::report::PlanNote {
            scope: ScopePath::default(),
            because: "a restart".into(),
            source: None,
        }));
        let text = String::from_utf8(sink.out.into_inner().unwrap().unwrap()).unwrap();
        assert_eq!(
            text,
            concat!(
                "{\"schema\":1,\"event\":\"warning\",\"text\":\"two\\nlines\"}\n",
                "{\"schema\":1,\"event\":\"step_started\",\"path\":[]}\n",
                "{\"schema\":1,\"event\":\"plan_note\",\"scope\":[],\"because\":\"a restart\",\"source\":null}\n",
            )
        );
    }
}
