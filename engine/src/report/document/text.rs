//! The report as a timeline for a terminal or a pipe: what was done, in the order in which it happened, what only
//! looked counted, diffs and outputs folded.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::{
    DecisionReport, OperationReport, OutcomeWord, RunReport, SessionReport, StepReport, TableReport,
};
use crate::operation::Class;
use crate::report::listing::clock;
use crate::report::{Look, Tone, counted, elapsed};

/// Lines of a diff, a message or an output that are shown where it is folded.
const FOLDED: usize = 6;
/// Milliseconds from which on it is said how long something took.
const WORTH_SAYING: u64 = 100;
/// Where the text of a line begins: after the time and the word.
const INDENT: usize = 20;

/// How it is read.
#[derive(Clone, Copy, Debug)]
pub struct Reading<'a> {
    /// Colours and characters; a line is broken at its width where that is so.
    pub look: &'a Look,
    /// Whether lines are broken: for eyes, not for `grep`.
    pub wrap: bool,
    /// Whether everything is shown: looks, outputs, whole diffs.
    pub whole: bool,
    /// The zone of the times.
    pub zone: &'a TimeZone,
}

impl Reading<'_> {
    /// How many characters fit on a line behind an indentation.
    fn room(&self, indent: usize) -> usize {
        match self.wrap {
            true => self.look.width.saturating_sub(indent).max(20),
            false => usize::MAX,
        }
    }
}

/// Something that has a place in time.
enum Moment<'a> {
    Begins(&'a SessionReport, Option<u64>),
    Operation(usize, &'a OperationReport),
    Decision(&'a DecisionReport),
    Ends(&'a SessionReport),
}

impl Moment<'_> {
    /// When, and what comes first of what happened in the same millisecond.
    fn place(&self) -> (Timestamp, u8) {
        match self {
            Self::Begins(session, _) => (session.started, 0),
            Self::Operation(_, operation) => (operation.at, 1),
            Self::Decision(decision) => (decision.at, 1),
            Self::Ends(session) => (session.last, 2),
        }
    }
}

/// The timeline. What to do next is not part of it.
pub fn render(report: &RunReport, reading: &Reading<'_>) -> String {
    let mut out = head(report, reading);
    let mut tables: Vec<&TableReport> = report.tables.iter().collect();
    let mut step = None;
    let mut met = vec![false; report.steps.len()];
    for moment in moments(report, reading) {
        match moment {
            Moment::Begins(session, pause) => {
                out.extend(begins(session, pause, reading));
                step = None;
            }
            Moment::Ends(session) => out.extend(ends(session, reading)),
            Moment::Decision(decision) => out.extend(decided(decision, reading)),
            Moment::Operation(index, operation) => {
                if step != Some(index) {
                    out.push(String::new());
                    out.push(entered(&report.steps[index], met[index], reading));
                    met[index] = true;
                    step = Some(index);
                }
                out.extend(told(operation, reading));
                let titled = |table: &&TableReport| table.title == operation.summary;
                if operation.kind == "table"
                    && let Some(at) = tables.iter().position(titled)
                {
                    out.extend(rows(tables.remove(at), reading));
                }
            }
        }
    }
    out.push(String::new());
    out.join("\n") + "\n"
}

fn head(report: &RunReport, reading: &Reading<'_>) -> Vec<String> {
    let look = reading.look;
    let zone = reading.zone;
    let sessions = counted(report.sessions.len(), "session", "sessions");
    let facts = [
        look.line(&format!(
            "{}: {} on {}",
            report.state, report.run, report.on
        )),
        format!(
            "{} to {}, {} of work in {sessions}",
            clock(report.started, zone),
            clock(report.last, zone),
            elapsed(report.worked())
        ),
        report.counted(),
    ];
    let room = reading.room(0);
    let mut out = broken(&look.line(&report.title), room);
    out.iter_mut()
        .for_each(|line| *line = look.paint(Tone::Strong, line));
    out.extend(facts.iter().flat_map(|fact| broken(fact, room)));
    out
}

fn moments<'a>(report: &'a RunReport, reading: &Reading<'_>) -> Vec<Moment<'a>> {
    let mut moments = Vec::new();
    let mut before: Option<&SessionReport> = None;
    for session in &report.sessions {
        let pause = before.map(|before| {
            let pause = session.started.as_millisecond() - before.last.as_millisecond();
            u64::try_from(pause).unwrap_or_default()
        });
        moments.push(Moment::Begins(session, pause));
        moments.push(Moment::Ends(session));
        before = Some(session);
    }
    for (index, step) in report.steps.iter().enumerate() {
        let shown = step.operations.iter().filter(|operation| {
            // An answered question is told as a decision: with the answer, and who gave it.
            let answered = operation.class == Class::Ask && operation.outcome == OutcomeWord::Good;
            !answered && (reading.whole || !operation.is_quiet() || operation.class == Class::Tell)
        });
        moments.extend(shown.map(|operation| Moment::Operation(index, operation)));
    }
    moments.extend(report.decisions.iter().map(Moment::Decision));
    moments.sort_by_key(Moment::place);
    moments
}

fn begins(session: &SessionReport, pause: Option<u64>, reading: &Reading<'_>) -> Vec<String> {
    let look = reading.look;
    let mut out = vec![String::new()];
    if let Some(pause) = pause {
        let words = format!("(nobody worked on it for {})", elapsed(pause));
        out.push(look.paint(Tone::Dim, &words));
    }
    let line = format!(
        "{}  {} by {}",
        clock(session.started, reading.zone),
        session.kind,
        session.operator
    );
    out.push(look.paint(Tone::Strong, &look.line(&line)));
    out
}

fn ends(session: &SessionReport, reading: &Reading<'_>) -> Vec<String> {
    let Some(_) = session.ended else {
        let text = format!("the last record of this {}", session.kind);
        return line(session.last, Tone::Strong, "...", &text, reading);
    };
    let text = match session.message.is_empty() {
        true => session.ending.clone(),
        false => format!("{}: {}", session.ending, session.message),
    };
    line(session.last, Tone::Strong, "end", &text, reading)
}

fn entered(step: &StepReport, again: bool, reading: &Reading<'_>) -> String {
    let look = reading.look;
    let title = match step.title.is_empty() {
        true => "outside of steps".to_owned(),
        false => step.title.join(" / "),
    };
    let mut facts = match again {
        true => vec!["continued".to_owned()],
        false => vec![step.status.clone()],
    };
    if !again {
        facts.extend(step.worked_ms.map(elapsed));
        let quiet = |class| {
            let of = |one: &&OperationReport| one.class == class && one.is_quiet();
            step.operations.iter().filter(of).count()
        };
        for (number, one, many) in [
            (quiet(Class::Observe), "look", "looks"),
            (quiet(Class::Assert), "check held", "checks held"),
            (quiet(Class::Change), "already right", "already right"),
        ] {
            if number > 0 {
                facts.push(counted(number, one, many));
            }
        }
    }
    let mark = look.mark("▸", ">");
    let title = look.paint(Tone::Strong, &look.line(&title));
    format!("{mark} {title}  ({})", facts.join(", "))
}

fn decided(decision: &DecisionReport, reading: &Reading<'_>) -> Vec<String> {
    let text = format!(
        "{}: {}, by {}",
        decision.what.trim_end_matches('?'),
        decision.answer,
        decision.who()
    );
    line(decision.at, Tone::Warn, "decided", &text, reading)
}

fn told(operation: &OperationReport, reading: &Reading<'_>) -> Vec<String> {
    let (tone, word) = word(operation);
    let mut text = operation.summary.clone();
    let place = operation.place(" > ");
    if !place.is_empty() {
        text = format!("{place}: {text}");
    }
    if !operation.is_quiet() {
        let took = operation.ended.as_millisecond() - operation.at.as_millisecond();
        match u64::try_from(took).unwrap_or_default() {
            _ if operation.outcome == OutcomeWord::Open => {
                text.push_str(&format!(" [{}]", operation.id));
            }
            0..WORTH_SAYING => {}
            took => text.push_str(&format!(" ({})", elapsed(took))),
        }
    }
    if operation.attempt > 1 {
        text.push_str(&format!(", attempt {}", operation.attempt));
    }
    if !operation.note.is_empty() {
        text.push_str(&format!(", {}", operation.note));
    }
    let mut out = line(operation.at, tone, word, &text, reading);
    out.extend(folds(operation, reading));
    out
}

/// The word of an operation in a timeline.
fn word(operation: &OperationReport) -> (Tone, &'static str) {
    match (operation.outcome, operation.class) {
        (OutcomeWord::Good, Class::Observe) => (Tone::Dim, "looked"),
        (OutcomeWord::Good, Class::Tell) if operation.kind == "on_undo" => (Tone::Plain, "on undo"),
        (OutcomeWord::Good, Class::Tell) => (Tone::Plain, "note"),
        (OutcomeWord::Good, Class::Assert) => (Tone::Dim, "held"),
        (OutcomeWord::Good, Class::Wait) => (Tone::Plain, "waited"),
        (OutcomeWord::Changed | OutcomeWord::Ran, _) => (Tone::Good, operation.outcome.as_str()),
        (OutcomeWord::Failed | OutcomeWord::Aborted, _) => (Tone::Bad, operation.outcome.as_str()),
        (OutcomeWord::Open | OutcomeWord::Again, _) => (Tone::Warn, operation.outcome.as_str()),
        _ => (Tone::Dim, operation.outcome.as_str()),
    }
}

/// What lies under an operation: the failure, the diff, the output, cut to a few lines.
fn folds(operation: &OperationReport, reading: &Reading<'_>) -> Vec<String> {
    let look = reading.look;
    let mut out = Vec::new();
    let plain = |text: &str| -> Vec<String> {
        let lines = look.lines(text).into_iter();
        lines.map(|line| format!("{:INDENT$}{line}", "")).collect()
    };
    if let Some((message, detail, hint)) = &operation.failure {
        // A claim that did not hold is its own message.
        if *message != operation.summary {
            let message = plain(message).into_iter();
            out.extend(message.map(|line| look.paint(Tone::Bad, &line)));
        }
        out.extend(folded(plain(detail), reading));
        out.extend(plain(hint));
    }
    if let Some(diff) = &operation.diff {
        // The file is named in the line above.
        let named = |line: &&str| line.starts_with("--- ") || line.starts_with("+++ ");
        let body: Vec<&str> = match reading.whole {
            true => diff.lines().collect(),
            false => diff.lines().skip_while(named).collect(),
        };
        out.extend(folded(look.diff(INDENT, &body.join("\n")), reading));
    }
    if let Some((stdout, stderr)) = operation.output.as_ref().filter(|_| reading.whole) {
        out.extend(plain(stdout));
        out.extend(plain(stderr));
    }
    out
}

fn rows(table: &TableReport, reading: &Reading<'_>) -> Vec<String> {
    const PAD: usize = 4;
    let look = reading.look;
    let mut shown = comfy_table::Table::new();
    shown.load_style(match look.unicode {
        true => comfy_table::presets::UTF8_BORDERS_ONLY,
        false => comfy_table::presets::ASCII_BORDERS_ONLY_CONDENSED,
    });
    if reading.wrap {
        shown.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
        let room = look.width.saturating_sub(PAD).max(20);
        shown.set_width(u16::try_from(room).unwrap_or(u16::MAX));
    }
    if !table.columns.is_empty() {
        shown.set_header(table.columns.iter().map(|column| look.line(column)));
    }
    for row in &table.rows {
        shown.add_row(row.iter().map(|cell| look.line(cell)));
    }
    let lines = shown.lines().map(|line| format!("{:PAD$}{line}", ""));
    lines.collect()
}

fn folded(mut lines: Vec<String>, reading: &Reading<'_>) -> Vec<String> {
    // One line too many is shown rather than spoken of.
    if !reading.whole && lines.len() > FOLDED + 1 {
        let more = lines.len() - FOLDED;
        lines.truncate(FOLDED);
        let words = format!("{:INDENT$}({more} more lines: -v)", "");
        lines.push(reading.look.paint(Tone::Dim, &words));
    }
    lines
}

fn time(at: Timestamp, zone: &TimeZone) -> String {
    at.to_zoned(zone.clone()).strftime("%H:%M:%S").to_string()
}

/// `06:47:01  changed   text`, broken at the width where lines are.
fn line(at: Timestamp, tone: Tone, word: &str, text: &str, reading: &Reading<'_>) -> Vec<String> {
    let look = reading.look;
    let head = format!(
        "{}  {}",
        time(at, reading.zone),
        look.paint(tone, &format!("{word:<10}"))
    );
    let text = look.line(text);
    let mut pieces = broken(&text, reading.room(INDENT)).into_iter();
    let mut out = vec![format!("{head}{}", pieces.next().unwrap_or_default())];
    out.extend(pieces.map(|piece| format!("{:INDENT$}{piece}", "")));
    out
}

/// A text in pieces of at most so many characters, broken at spaces where there are some.
fn broken(text: &str, room: usize) -> Vec<String> {
    let mut pieces = Vec::new();
    let mut piece = String::new();
    let mut length = 0;
    for word in text.split_inclusive(' ') {
        let own = word.chars().count();
        if length > 0 && length + word.trim_end().chars().count() > room {
            pieces.push(std::mem::take(&mut piece).trim_end().to_owned());
            length = 0;
        }
        if own <= room {
            piece.push_str(word);
            length += own;
            continue;
        }
        for character in word.chars() {
            if length == room {
                pieces.push(std::mem::take(&mut piece));
                length = 0;
            }
            piece.push(character);
            length += 1;
        }
    }
    pieces.push(piece.trim_end().to_owned());
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_break_at_spaces_and_long_words_anywhere() {
        assert_eq!(broken("one two three", 8), ["one two", "three"]);
        assert_eq!(broken("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(broken("", 4), [""]);
        for text in ["one two three four", "abcdefghijklm nop", "ääääääää ö"] {
            for room in 1..20 {
                let pieces = broken(text, room);
                assert!(
                    pieces.iter().all(|piece| piece.chars().count() <= room),
                    "{pieces:?}"
                );
                let joined = pieces.concat().replace(' ', "");
                assert_eq!(joined, text.replace(' ', ""), "{room}");
            }
        }
    }
}
