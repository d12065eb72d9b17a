//! What is in flight, under spinners: a terminal only.

use std::collections::HashMap;
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::model::OperationKey;
use crate::operation::Class;

use super::Event;
use super::look::Look;

/// Spinners for operations in flight; nothing at all where there is no terminal.
pub struct Live {
    bars: Option<MultiProgress>,
    running: HashMap<OperationKey, (ProgressBar, String)>,
    /// The line that says that the API server is away.
    away: Option<ProgressBar>,
}

impl Live {
    /// Spinners on stderr, or none.
    pub fn new(shown: bool) -> Self {
        Self {
            bars: shown.then(MultiProgress::new),
            running: HashMap::new(),
            away: None,
        }
    }

    /// Takes note of what begins, says something, or ends.
    pub fn note(&mut self, look: &Look, event: &Event) {
        let Some(bars) = &self.bars else { return };
        match event {
            Event::OperationStarted {
                key,
                class,
                target,
                summary,
                ..
            } if *class != Class::Ask => {
                let title = look.line(&format!("{target}: {summary}"));
                let bar = bars.add(ProgressBar::new_spinner().with_style(style(look)));
                bar.set_message(title.clone());
                bar.enable_steady_tick(Duration::from_millis(120));
                self.running.insert(key.clone(), (bar, title));
            }
            Event::Output { key, text, .. } => {
                if let (Some((bar, title)), Some(last)) =
                    (self.running.get(key), look.lines(text).last())
                {
                    // The tail is what is new: the title gives way.
                    let title: String = title.chars().take(look.width / 2).collect();
                    bar.set_message(format!("{title} | {last}"));
                }
            }
            Event::OperationEnded { key, .. } => {
                if let Some((bar, _)) = self.running.remove(key) {
                    bar.finish_and_clear();
                    bars.remove(&bar);
                }
            }
            Event::ApiAway {
                state, waited_s, ..
            } => {
                let bar = self.away.get_or_insert_with(|| {
                    let bar = bars.add(ProgressBar::new_spinner().with_style(style(look)));
                    bar.enable_steady_tick(Duration::from_millis(120));
                    bar
                });
                bar.set_message(format!("API server {} ({waited_s} s)", look.line(state)));
            }
            Event::ApiBack { .. } => {
                if let Some(bar) = self.away.take() {
                    bar.finish_and_clear();
                    bars.remove(&bar);
                }
            }
            Event::RunEnded { .. } => {
                self.away = None;
                self.running.clear();
                // A terminal that went away has nothing to clear.
                let _ = bars.clear();
            }
            _ => {}
        }
    }

    /// Takes the spinners off the terminal: it belongs to a question.
    pub fn hide(&self) {
        if let Some(bars) = &self.bars {
            // A terminal that went away has nothing to clear.
            let _ = bars.clear();
            bars.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    /// Puts them back.
    pub fn show(&self) {
        if let Some(bars) = &self.bars {
            bars.set_draw_target(ProgressDrawTarget::stderr());
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

/// One line that never wraps: what does not fit is cut.
fn style(look: &Look) -> ProgressStyle {
    let frames: &[&str] = match look.unicode {
        true => &["⠁", "⠂", "⠄", "⡀", "⢀", "⠠", "⠐", "⠈", " "],
        false => &["-", "\\", "|", "/", " "],
    };
    ProgressStyle::with_template("{spinner} {wide_msg}")
        .unwrap_or_else(|_| ProgressStyle::default_spinner())
        .tick_strings(frames)
}
