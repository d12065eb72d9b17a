//! What is in flight, under spinners: a terminal only.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar};

use crate::model::OperationKey;

use super::Event;
use super::look::Look;

/// Spinners for operations in flight; nothing at all where there is no terminal.
pub struct Live {
    bars: Option<MultiProgress>,
    running: HashMap<OperationKey, (ProgressBar, String)>,
}

impl Live {
    /// Spinners on stderr, or none.
    pub fn new(shown: bool) -> Self {
        Self {
            bars: shown.then(MultiProgress::new),
            running: HashMap::new(),
        }
    }

    /// Takes note of what begins, says something, or ends.
    pub fn note(&mut self, look: &Look, event: &Event) {
        let Some(bars) = &self.bars else { return };
        match event {
            Event::OperationStarted {
                key,
                target,
                summary,
                ..
            } => {
                let title = look.line(&format!("{target}: {summary}"));
                let bar = bars.add(ProgressBar::new_spinner());
                bar.set_message(title.clone());
                bar.enable_steady_tick(Duration::from_millis(120));
                self.running.insert(key.clone(), (bar, title));
            }
            Event::Output { key, text, .. } => {
                if let (Some((bar, title)), Some(last)) =
                    (self.running.get(key), look.lines(text).last())
                {
                    bar.set_message(format!("{title} | {last}"));
                }
            }
            Event::OperationEnded { key, .. } => {
                if let Some((bar, _)) = self.running.remove(key) {
                    bar.finish_and_clear();
                    bars.remove(&bar);
                }
            }
            Event::RunEnded { .. } => {
                self.running.clear();
                // A terminal that went away has nothing to clear.
                let _ = bars.clear();
            }
            _ => {}
        }
    }

    /// Prints without tearing the spinners.
    pub fn suspend(&self, print: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }
}
