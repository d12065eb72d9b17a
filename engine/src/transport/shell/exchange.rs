//! The form of every exchange: one line that carries a call with its variables and arguments; an answer framed by a
//! random word.
//!
//! Everything travels on standard input, so that the login shell (whatever it is) and the list of processes see only
//! [`ONCE`] or [`SERVE`], nothing has to fit into an argument, and no secret shows in `ps`.

use super::library::Library;
use super::link::{Heard, Receiver};
use super::quote::line_word;
use crate::transport::Stream;

/// A shell for one exchange. Reads one line byte by byte (as POSIX wants of `read` on a pipe), so that the rest, the
/// input, is left to the call. Nothing runs if the line does not come to its end: the connection was lost before.
pub(super) const ONCE: &str = r#"unset n l;n=$(printf "\nx");n=${n%x};IFS= read -r l&&eval "$l""#;

/// A shell for many exchanges, each a line of its script, which comes by standard input too: dash and busybox read that
/// in blocks, where `read` takes a byte at a time.
pub(super) const SERVE: &[&str] = &["sh"];

/// What [`SERVE`] has to know at first. At the end, `settled` (frame.sh) waits for a launch that goes on beside it, and
/// `settle_last` (marker.sh) puts the last command's end on the disk.
pub(super) const BEGINNING: &str = r#"unset n last aside;n=$(printf "\nx");n=${n%x};trap '[ -z "$aside" ]||settled;[ -z "$last" ]||settle_last' EXIT;"#;

/// The line that tells a launch which goes on beside the shell that it takes long (`knock` in frame.sh).
pub(super) const KNOCK: &[u8] = b"knock\n";

/// The longest input that goes into the line of an exchange, in bytes; some shells read lines byte by byte.
const LONGEST_INLINE: usize = 32 << 10;

/// A call of a function on the target.
pub(super) struct Call<'a> {
    /// The function.
    pub function: &'static str,
    /// Its arguments.
    pub arguments: &'a [&'a str],
    /// Variables that it knows.
    pub variables: &'a [(&'a str, &'a str)],
    /// Tools that must be there.
    pub tools: &'a [&'static str],
    /// Its input, in parts.
    pub input: &'a [&'a [u8]],
    /// Words that a shell which stays keeps in mind after it (`ended` in frame.sh).
    pub kept: &'a [&'a str],
    /// Whether a shell that stays listens to it, and to [`KNOCK`], while it goes on.
    pub aside: bool,
}

/// A text holds a NUL byte, which no shell word can.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct HasNul;

impl Call<'_> {
    /// What goes to the standard input of [`ONCE`].
    pub fn for_once(&self, library: &Library, nonce: &str) -> Result<Vec<u8>, HasNul> {
        let mut line = library.line.clone();
        self.write(&mut line, nonce)?;
        line.push('\n');
        let mut bytes = line.into_bytes();
        for part in self.input {
            bytes.extend_from_slice(part);
        }
        Ok(bytes)
    }

    /// The line that goes to [`SERVE`], which knows the library already; none if the input does not go into it.
    pub fn for_served(&self, nonce: &str) -> Result<Option<String>, HasNul> {
        let length: usize = self.input.iter().map(|part| part.len()).sum();
        if length > LONGEST_INLINE {
            return Ok(None);
        }
        // A subshell, so that nothing of it stays. Whoever knocks before it listens must not end it.
        // The braces: nothing runs if the line does not come to its end, because the connection was lost before.
        let mut line = r#"{ [ -z "$aside" ]||settled; "#.to_owned();
        if self.aside {
            line.push_str("trap '' USR1; ");
        }
        line.push_str("(inline=yes");
        for (place, part) in self.input.iter().enumerate() {
            let Some(word) = std::str::from_utf8(part).ok().and_then(line_word) else {
                return Ok(None);
            };
            line.push_str(&format!("; given_{}={word}", place + 1));
        }
        line.push_str("; ");
        self.write(&mut line, nonce)?;
        line.push_str(&if self.aside {
            format!(") </dev/null & aside {nonce}")
        } else {
            format!(") </dev/null; ended \"$?\" {nonce} {}", self.function)
        });
        for word in self.kept {
            line.push(' ');
            line.push_str(&line_word(word).ok_or(HasNul)?);
        }
        line.push_str("; }\n");
        Ok(Some(line))
    }

    fn write(&self, line: &mut String, nonce: &str) -> Result<(), HasNul> {
        line.push_str(&format!("nonce={nonce}"));
        for (name, value) in self.variables {
            line.push_str(&format!("; {name}={}", line_word(value).ok_or(HasNul)?));
        }
        line.push_str("; begin");
        if !self.tools.is_empty() {
            line.push_str(&format!("; need {}", self.tools.join(" ")));
        }
        line.push_str(&format!("; {}", self.function));
        for argument in self.arguments {
            line.push(' ');
            line.push_str(&line_word(argument).ok_or(HasNul)?);
        }
        Ok(())
    }
}

/// Takes the body of an answer while it comes.
pub(super) trait Body: Send {
    /// A piece of what the script put out between the frames.
    fn body(&mut self, stream: Stream, bytes: &[u8]);
}

/// Finds the frame of an answer in two streams.
pub(super) struct Decoder<'a> {
    stdout: Framed,
    stderr: Framed,
    /// Whether there is a frame on standard error as well.
    both: bool,
    body: &'a mut dyn Body,
}

impl<'a> Decoder<'a> {
    pub(super) fn new(nonce: &str, body: &'a mut dyn Body) -> Self {
        Self {
            stdout: Framed::new(nonce),
            stderr: Framed::new(nonce),
            both: true,
            body,
        }
    }

    /// Where the answer will come from: a shell that serves many exchanges says nothing of ours on standard error.
    pub(super) fn expect(&mut self, served: bool) {
        self.both = !served;
    }

    /// Whether the script has begun at all.
    pub(super) fn began(&self) -> bool {
        self.stdout.state != Place::Before
    }

    /// The words at the end, if the answer is complete.
    pub(super) fn words(self) -> Option<String> {
        (self.stdout.state == Place::After)
            .then(|| String::from_utf8_lossy(&self.stdout.held).into_owned())
    }

    /// What came on standard error outside the frame: the words of a login shell, of sudo.
    pub(super) fn noise(&self) -> String {
        let bytes = match self.stderr.state {
            Place::Before => &self.stderr.held,
            _ => &self.stderr.noise,
        };
        String::from_utf8_lossy(bytes).trim().to_owned()
    }
}

impl Receiver for Decoder<'_> {
    fn receive(&mut self, stream: Stream, bytes: &[u8]) -> Heard {
        let framed = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        let body = &mut *self.body;
        framed.push(bytes, &mut |piece| body.body(stream, piece));
        let stderr_ends = !self.both || self.stderr.state == Place::After;
        if self.stdout.state == Place::After && stderr_ends {
            Heard::Everything
        } else {
            Heard::More
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Before,
    Inside,
    Words,
    After,
}

/// One stream: `…noise… \nNONCE {\n body \nNONCE } words\n`.
struct Framed {
    state: Place,
    opening: Vec<u8>,
    closing: Vec<u8>,
    held: Vec<u8>,
    noise: Vec<u8>,
}

/// How much of what precedes the frame is kept for messages, in bytes.
const NOISE_LIMIT: usize = 8 << 10;

/// The longest words at the end of an answer, in bytes: room for a path (4 KiB on Linux, PATH_MAX) that is named
/// three times. A target that goes on without a line feed is cut here, so that it cannot fill our memory.
const WORDS_LIMIT: usize = 16 << 10;

impl Framed {
    fn new(nonce: &str) -> Self {
        Self {
            state: Place::Before,
            opening: format!("\n{nonce} {{\n").into_bytes(),
            closing: format!("\n{nonce} }} ").into_bytes(),
            held: Vec::new(),
            noise: Vec::new(),
        }
    }

    fn push(&mut self, bytes: &[u8], body: &mut dyn FnMut(&[u8])) {
        if self.state == Place::After {
            // What comes after the answer, such as the farewell of a login shell, is no part of it.
            return;
        }
        self.held.extend_from_slice(bytes);
        if self.state == Place::Before {
            match find(&self.held, &self.opening) {
                Some(at) => {
                    self.noise = self.held[..at.min(NOISE_LIMIT)].to_vec();
                    self.held.drain(..at + self.opening.len());
                    self.state = Place::Inside;
                }
                None => {
                    let surplus = self.held.len().saturating_sub(NOISE_LIMIT);
                    self.held.drain(..surplus);
                }
            }
        }
        if self.state == Place::Inside {
            match find(&self.held, &self.closing) {
                Some(at) => {
                    body(&self.held[..at]);
                    self.held.drain(..at + self.closing.len());
                    self.state = Place::Words;
                }
                None => {
                    // What could be the beginning of the closing frame waits; the rest is body, and shown at once.
                    let safe = self.held.len() - overlap(&self.held, &self.closing);
                    if safe > 0 {
                        body(&self.held[..safe]);
                        self.held.drain(..safe);
                    }
                }
            }
        }
        if self.state == Place::Words {
            let end = self.held.iter().position(|byte| *byte == b'\n');
            if end.is_some() || self.held.len() > WORDS_LIMIT {
                self.held
                    .truncate(end.unwrap_or(WORDS_LIMIT).min(WORDS_LIMIT));
                self.held.shrink_to_fit();
                self.state = Place::After;
            }
        }
    }
}

/// How many bytes at the end of `hay` could be the beginning of `needle`.
fn overlap(hay: &[u8], needle: &[u8]) -> usize {
    let longest = hay.len().min(needle.len() - 1);
    (1..=longest)
        .rev()
        .find(|length| hay.ends_with(&needle[..*length]))
        .unwrap_or(0)
}

/// Where `needle`, which begins with a line feed, is in `hay`.
fn find(hay: &[u8], needle: &[u8]) -> Option<usize> {
    let mut from = 0;
    while let Some(at) = hay[from..].iter().position(|byte| *byte == needle[0]) {
        if hay[from + at..].starts_with(needle) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    #[derive(Default)]
    struct Kept(Vec<u8>, Vec<u8>);

    impl Body for Kept {
        fn body(&mut self, stream: Stream, bytes: &[u8]) {
            match stream {
                Stream::Stdout => self.0.extend_from_slice(bytes),
                Stream::Stderr => self.1.extend_from_slice(bytes),
            }
        }
    }

    /// Bytes that look like frames more often than chance would have it.
    fn tricky() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"\n".to_vec()),
            Just(b"\nword".to_vec()),
            Just(b"\nword {".to_vec()),
            Just(b"\nword }".to_vec()),
            Just(b"} \n".to_vec()),
            proptest::collection::vec(any::<u8>(), 0..20),
        ];
        proptest::collection::vec(piece, 0..12).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn a_framed_body_survives_any_pieces(
            noise in tricky(), body in tricky(), cuts in proptest::collection::vec(1usize..40, 1..40)
        ) {
            // Nobody but us knows the word, so nobody can write a frame before its time.
            let genuine = |before: &[u8], frame: &[u8]| {
                find(&[before, frame].concat(), frame) == Some(before.len())
            };
            prop_assume!(genuine(&noise, b"\nword {\n") && genuine(&body, b"\nword } "));
            let message = [&noise[..], b"\nword {\n", &body, b"\nword } exit 3\n"].concat();
            let mut kept = Kept::default();
            let mut decoder = Decoder::new("word", &mut kept);
            decoder.receive(Stream::Stderr, b"\nword {\nsaid\nword } exit 3\nlate");
            let mut heard = Heard::More;
            let mut rest = &message[..];
            for cut in cuts.iter().cycle() {
                let (piece, left) = rest.split_at((*cut).min(rest.len()));
                heard = decoder.receive(Stream::Stdout, piece);
                rest = left;
                if rest.is_empty() {
                    break;
                }
            }
            prop_assert_eq!(heard, Heard::Everything);
            prop_assert_eq!(decoder.words(), Some("exit 3".to_owned()));
            prop_assert_eq!(kept.0, body);
            prop_assert_eq!(kept.1, b"said");
        }
    }

    #[test]
    fn a_line_that_does_not_come_to_its_end_does_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let made = directory.path().join("made");
        for aside in [false, true] {
            let call = Call {
                function: "touch",
                arguments: &[made.to_str().unwrap()],
                variables: &[("text", "it's\nthis")],
                tools: &[],
                input: &[],
                kept: &["", "name"],
                aside,
            };
            let line = call.for_served("word").unwrap().unwrap();
            let run = |length: usize| {
                let mut shell = std::process::Command::new("sh")
                    .stdin(std::process::Stdio::piped())
                    .stdout(std::process::Stdio::null())
                    .stderr(std::process::Stdio::null())
                    .spawn()
                    .unwrap();
                let known = "begin() { :; }; ended() { :; }; aside() { wait; }; aside=\n";
                let mut stdin = shell.stdin.take().unwrap();
                stdin.write_all(known.as_bytes()).unwrap();
                stdin.write_all(&line.as_bytes()[..length]).unwrap();
                drop(stdin);
                shell.wait().unwrap();
            };
            for length in 0..line.len() - 1 {
                run(length);
                assert!(!made.exists(), "{}", &line[..length]);
            }
            run(line.len());
            assert!(made.exists(), "{line}");
            std::fs::remove_file(&made).unwrap();
        }
    }

    #[test]
    fn what_cannot_be_the_end_is_given_on_at_once() {
        let mut kept = Kept::default();
        let mut decoder = Decoder::new("word", &mut kept);
        decoder.receive(Stream::Stdout, b"\nword {\no 4\none\n");
        decoder.receive(Stream::Stdout, b"b 0\n\nwor");
        drop(decoder);
        assert_eq!(kept.0, b"o 4\none\nb 0\n");
    }

    #[test]
    fn what_never_began_keeps_its_words() {
        let mut kept = Kept::default();
        let mut decoder = Decoder::new("word", &mut kept);
        decoder.receive(Stream::Stderr, b"sudo: no\n");
        assert!(!decoder.began());
        assert_eq!(decoder.noise(), "sudo: no");
        assert_eq!(decoder.words(), None);
    }

    #[test]
    fn what_comes_after_the_answer_is_no_part_of_it() {
        let mut kept = Kept::default();
        let mut decoder = Decoder::new("word", &mut kept);
        decoder.receive(Stream::Stdout, b"\nword {\nbody\nword } exit 3\n");
        decoder.receive(Stream::Stdout, b"logout\n");
        let heard = decoder.receive(Stream::Stderr, b"\nword {\n\nword } exit 3\n");
        assert_eq!(heard, Heard::Everything);
        assert_eq!(decoder.words(), Some("exit 3".to_owned()));
    }

    #[test]
    fn words_without_an_end_are_cut() {
        let mut kept = Kept::default();
        let mut decoder = Decoder::new("word", &mut kept);
        decoder.receive(Stream::Stderr, b"\nword {\n\nword } \n");
        let mut heard = decoder.receive(Stream::Stdout, b"\nword {\n\nword } refused ");
        let mut sent = 0;
        while heard == Heard::More {
            heard = decoder.receive(Stream::Stdout, &[b'x'; 1 << 10]);
            sent += 1 << 10;
            assert!(sent < 1 << 20, "a line without an end is kept for ever");
        }
        assert_eq!(decoder.words().unwrap().len(), WORDS_LIMIT);
    }
}
