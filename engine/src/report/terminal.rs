//! Progress for people, on stderr: what has happened as lines that stay, below them what goes on, drawn anew.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;

use super::lines::Lines;
use super::look::Look;
use super::progress::{Progress, View, layout};
use super::screen::{self, Measure, Screen};
use super::{Event, EventSink};

/// How often the display is drawn.
const FRAME: Duration = Duration::from_millis(100);

/// Rows that stay free above the display, for what has happened, where the terminal has as many.
const KEPT_FREE: usize = 6;

/// What the terminal shows, and how.
#[derive(Clone, Copy, Debug)]
pub struct TerminalOptions {
    /// Colours, characters, width.
    pub look: Look,
    /// How large the terminal is on which what goes on is shown. None where stderr is no terminal or CI is set: then
    /// everything is said in lines.
    pub live: Option<Measure>,
    /// How often `-v` was given.
    pub verbosity: u8,
    /// Whether diffs are shown in a real run; a dry run always shows them.
    pub diff: bool,
}

impl TerminalOptions {
    /// Whether what goes on is shown.
    pub fn is_live(&self) -> bool {
        self.live.is_some()
    }
}

/// Shows events to people.
pub struct Terminal<W>(Arc<Mutex<State<W>>>);

struct State<W> {
    out: W,
    options: TerminalOptions,
    screen: Option<Screen>,
    progress: Progress,
    lines: Lines,
    began: Instant,
    zone: TimeZone,
    /// Questions that are being asked, and what is to be printed when they are answered.
    asking: usize,
    held: Vec<String>,
}

impl<W: Write + Send + 'static> Terminal<W> {
    /// Writes to `out`, which is stderr outside of tests.
    pub fn new(out: W, options: TerminalOptions) -> Self {
        let state = Arc::new(Mutex::new(State {
            out,
            options,
            screen: options.live.map(Screen::new),
            progress: Progress::default(),
            lines: Lines::default(),
            began: Instant::now(),
            zone: TimeZone::system(),
            asking: 0,
            held: Vec::new(),
        }));
        if options.is_live() {
            draw_again_and_again(&state);
        }
        Self(state)
    }

    /// Prints lines of the log, above what goes on.
    pub fn log(&self, text: &str) {
        let mut state = lock(&self.0);
        state.say(text.lines().map(str::to_owned).collect());
    }
}

fn lock<W>(state: &Mutex<State<W>>) -> MutexGuard<'_, State<W>> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Draws on a thread of its own for as long as the terminal is there. Where none is to be had, only lines are shown.
fn draw_again_and_again<W: Write + Send + 'static>(state: &Arc<Mutex<State<W>>>) {
    let state = Arc::downgrade(state);
    let draw = move || {
        while let Some(state) = Weak::upgrade(&state) {
            lock(&state).draw();
            drop(state);
            std::thread::sleep(FRAME);
        }
    };
    let _ = std::thread::Builder::new()
        .name("display".to_owned())
        .spawn(draw);
}

impl<W: Write + Send + 'static> EventSink for Terminal<W> {
    fn emit(&self, event: Event) {
        let mut state = lock(&self.0);
        let state = &mut *state;
        state.progress.note(&event, state.began.elapsed());
        let lines = state
            .lines
            .of(&state.options, &state.progress.tally, &event);
        match event {
            Event::Asking { .. } => {
                state.asking += 1;
                state.hide();
            }
            Event::Answered { .. } => state.asking = state.asking.saturating_sub(1),
            Event::RunEnded { .. } => state.hide(),
            _ => {}
        }
        state.say(lines);
    }
}

impl<W: Write> State<W> {
    /// Prints lines; while somebody is asked, later. Other branches go on, and what they say must not tear the question.
    fn say(&mut self, mut lines: Vec<String>) {
        if self.asking > 0 {
            self.held.append(&mut lines);
            return;
        }
        lines.splice(0..0, std::mem::take(&mut self.held));
        if lines.is_empty() {
            return;
        }
        for line in &mut lines {
            line.truncate(line.trim_end().len());
        }
        match &mut self.screen {
            Some(screen) => screen.print(&mut self.out, &lines),
            None => screen::write(&mut self.out, &lines),
        }
    }

    fn hide(&mut self) {
        if let Some(screen) = &mut self.screen {
            screen.hide();
        }
    }

    fn draw(&mut self) {
        let Some(screen) = &mut self.screen else {
            return;
        };
        if self.asking > 0 {
            return;
        }
        if screen.resized(&mut self.out) {
            self.options.look.width = screen.size().columns;
        }
        let size = screen.size();
        let view = View {
            look: Look {
                width: size.columns,
                ..self.options.look
            },
            height: height(size.rows),
            now: self.began.elapsed(),
            zone: &self.zone,
        };
        let frame = layout(&self.progress, &view);
        let frame: Vec<String> = frame.iter().map(|line| line.painted(&view.look)).collect();
        screen.draw(&frame);
    }
}

/// How many rows the display may take.
fn height(rows: usize) -> usize {
    rows.saturating_sub(KEPT_FREE)
        .max(rows.min(4).saturating_sub(1))
}
