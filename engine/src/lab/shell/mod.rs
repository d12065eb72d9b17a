//! A small POSIX-like shell for the simulated machines. It is honest: what it does not understand fails with
//! exit status 2 and a message that says so.
//!
//! Understood: words, quotes, `$x ${x} ${x:-word} $? $# $1…`, `$(…)`, `;`, newlines, `&&`, `||`, `!`, pipes, redirections to
//! files and `/dev/null`, `2>&1`, `if`, `for`, `while`, `until`, `{ … }`, `( … )`, `*` and `?` in paths, comments.
//! Not understood: background `&`, here-documents, `case`, functions, arithmetic, backticks, other `${…}` forms.

mod expand;
mod parse;
mod run;

pub use expand::matches;
pub use parse::{Part, Syntax, Word, parse};
pub use run::run;
