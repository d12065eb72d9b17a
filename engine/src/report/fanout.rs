//! Several receivers of one stream of events.

use std::sync::Arc;

use super::{Event, EventSink};

/// Hands every event to each of its sinks, in their order.
pub struct Fanout(pub Vec<Arc<dyn EventSink>>);

impl EventSink for Fanout {
    fn emit(&self, event: Event) {
        let Some((last, others)) = self.0.split_last() else {
            return;
        };
        for sink in others.iter().filter(|sink| sink.wants(&event)) {
            sink.emit(event.clone());
        }
        if last.wants(&event) {
            last.emit(event);
        }
    }
}
