//! The terminal under a run that works: what was said scrolls upwards, a few lines at the bottom are drawn anew.
//! indicatif takes those off before something is printed and puts them back after; this gives it the lines.

use std::collections::VecDeque;
use std::fmt;
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle, TermLike};

/// Columns and rows of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Columns.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
}

/// How large the terminal is now; none where it does not say.
pub type Measure = fn() -> Option<Size>;

/// Where a terminal does not say how large it is.
const USUAL: Size = Size {
    columns: 80,
    rows: 24,
};

/// A terminal with lines at its bottom that are drawn anew.
pub struct Screen {
    bars: MultiProgress,
    bar: ProgressBar,
    measure: Measure,
    size: Arc<Mutex<Size>>,
    /// The end of what was printed, to print it again on a screen that was made larger or smaller.
    printed: VecDeque<String>,
    shown: bool,
}

impl Screen {
    /// A screen on stderr, with nothing at its bottom.
    pub fn new(measure: Measure) -> Self {
        let bars = MultiProgress::with_draw_target(ProgressDrawTarget::hidden());
        let style = ProgressStyle::with_template("{msg}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner());
        let bar = bars.add(ProgressBar::new_spinner().with_style(style));
        Self {
            bars,
            bar,
            measure,
            size: Arc::new(Mutex::new(measure().unwrap_or(USUAL))),
            printed: VecDeque::new(),
            shown: false,
        }
    }

    /// The size by which is drawn.
    pub fn size(&self) -> Size {
        *self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Draws these lines at the bottom; takes the bottom off if there are none.
    pub fn draw(&mut self, lines: &[String]) {
        if lines.is_empty() {
            return self.hide();
        }
        self.bar.set_message(lines.join("\n"));
        if !self.shown {
            self.shown = true;
            let canvas = Canvas::new(self.size.clone());
            self.bars
                .set_draw_target(ProgressDrawTarget::term_like(Box::new(canvas)));
            self.bar.tick();
        }
    }

    /// Takes the lines at the bottom off: the terminal belongs to a question, or the session is over.
    pub fn hide(&mut self) {
        if self.shown {
            self.shown = false;
            // The canvas never fails; there is nothing to be told.
            let _ = self.bars.clear();
            self.bars.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    /// Prints above the lines at the bottom.
    pub fn print(&mut self, out: &mut impl Write, lines: &[String]) {
        self.printed.extend(lines.iter().cloned());
        let over = self.printed.len().saturating_sub(self.size().rows);
        self.printed.drain(..over);
        self.bars.suspend(|| write(out, lines));
    }

    /// Takes note of the terminal's size; says whether it is another than before. Terminals break long lines anew or cut
    /// them, and none says where the cursor is after that: what is seen is printed again.
    pub fn resized(&mut self, out: &mut impl Write) -> bool {
        let Some(now) = (self.measure)() else {
            return false;
        };
        let mut size = self.size.lock().unwrap_or_else(PoisonError::into_inner);
        if *size == now {
            return false;
        }
        *size = now;
        drop(size);
        if self.shown {
            self.hide();
            let _ = out.write_all(b"\x1b[2J\x1b[H");
            write(out, self.printed.make_contiguous());
        }
        true
    }
}

/// A terminal that went away must not end the run: what cannot be written is not written.
pub fn write(out: &mut impl Write, lines: &[String]) {
    let mut text = lines.join("\n");
    if !lines.is_empty() {
        text.push('\n');
    }
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// What indicatif draws on: collects one frame and writes it at once, each line at its place, so that nothing tears.
///
/// indicatif fills each line with spaces and lets the terminal break it at the last column. A terminal that is made
/// smaller then breaks them all again; so the fillers, every second piece, are left out, and lines end where they end.
struct Canvas {
    size: Arc<Mutex<Size>>,
    frame: Mutex<Frame>,
}

#[derive(Default)]
struct Frame {
    text: String,
    pieces: usize,
}

impl Canvas {
    fn new(size: Arc<Mutex<Size>>) -> Self {
        Self {
            size,
            frame: Mutex::default(),
        }
    }

    fn size(&self) -> Size {
        *self.size.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, text: &str) -> io::Result<()> {
        let mut frame = self.frame.lock().unwrap_or_else(PoisonError::into_inner);
        frame.text.push_str(text);
        Ok(())
    }

    fn moved(&self, number: usize, letter: char) -> io::Result<()> {
        match number {
            0 => Ok(()),
            number => self.add(&format!("\x1b[{number}{letter}")),
        }
    }
}

impl fmt::Debug for Canvas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Canvas").finish_non_exhaustive()
    }
}

impl TermLike for Canvas {
    fn width(&self) -> u16 {
        u16::try_from(self.size().columns).unwrap_or(u16::MAX)
    }

    fn height(&self) -> u16 {
        u16::try_from(self.size().rows).unwrap_or(u16::MAX)
    }

    fn move_cursor_up(&self, number: usize) -> io::Result<()> {
        self.moved(number, 'A')
    }

    fn move_cursor_down(&self, number: usize) -> io::Result<()> {
        self.moved(number, 'B')
    }

    fn move_cursor_right(&self, number: usize) -> io::Result<()> {
        self.moved(number, 'C')
    }

    fn move_cursor_left(&self, number: usize) -> io::Result<()> {
        self.moved(number, 'D')
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.add(text)?;
        self.add("\r\n")
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        let mut frame = self.frame.lock().unwrap_or_else(PoisonError::into_inner);
        let piece = frame.pieces;
        frame.pieces += 1;
        if piece.is_multiple_of(2) {
            if piece > 0 {
                frame.text.push_str("\r\n");
            }
            frame.text.push_str(text);
        }
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add("\r\x1b[2K")
    }

    fn flush(&self) -> io::Result<()> {
        let mut frame = self.frame.lock().unwrap_or_else(PoisonError::into_inner);
        let frame = std::mem::take(&mut *frame);
        let mut out = io::stderr().lock();
        // indicatif panics where drawing fails, and a terminal that went away must not end the run.
        let _ = out
            .write_all(frame.text.as_bytes())
            .and_then(|()| out.flush());
        Ok(())
    }
}
