//! Several receivers of one stream of events.

use std::sync::Arc;

use super::{Event, EventSink};

/// Hands every event to each of its sinks, in their order.
pub struct Fanout(pub Vec<Arc<dyn EventSink>>);

impl EventSink for Fanout {
    fn emit(&self, event: Event) {
        for sink in &self.0 {
            sink.emit(event.clone());
        }
    }
}
