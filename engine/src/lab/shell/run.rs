//! Running commands.

use super::expand;
use super::parse::{Part, Redirect, Syntax};
use crate::lab::program::{Halt, Io, Session};

/// How often a loop may go round: the lab's time moves on only where somebody sleeps.
const ROUNDS: usize = 100_000;

/// Runs a command; its status is the value.
pub fn run(session: &mut Session, syntax: &Syntax, io: &mut Io) -> Result<i32, Halt> {
    let status = match syntax {
        Syntax::List(items) => {
            let mut status = 0;
            for item in items {
                status = run(session, item, io)?;
            }
            status
        }
        Syntax::And(left, right) => match condition(session, left, io)? {
            0 => run(session, right, io)?,
            failed => failed,
        },
        Syntax::Or(left, right) => match condition(session, left, io)? {
            0 => 0,
            _ => run(session, right, io)?,
        },
        Syntax::Not(inner) => i32::from(condition(session, inner, io)? == 0),
        Syntax::Pipe(stages) => pipe(session, stages, io)?,
        Syntax::If(branches, otherwise) => {
            for (test, body) in branches {
                if condition(session, test, io)? == 0 {
                    return run(session, body, io);
                }
            }
            match otherwise {
                Some(body) => run(session, body, io)?,
                None => 0,
            }
        }
        Syntax::For(name, words, body) => {
            let mut status = 0;
            for value in expand::fields(session, words)? {
                session.set_variable(name, &value);
                status = run(session, body, io)?;
            }
            status
        }
        Syntax::While(test, body, until) => {
            let mut status = 0;
            let mut rounds = 0;
            while (condition(session, test, io)? == 0) != *until {
                status = run(session, body, io)?;
                rounds += 1;
                if rounds > ROUNDS {
                    io.err.extend_from_slice(
                        b"sh: a loop went round 100000 times; the lab stopped it\n",
                    );
                    return Ok(2);
                }
            }
            status
        }
        Syntax::Group(body, subshell, redirects) => {
            let saved = subshell.then(|| session.variables());
            let status = redirected(session, redirects, io, |session, io| {
                match run(session, body, io) {
                    Err(Halt::Exit(status)) if *subshell => Ok(status),
                    other => other,
                }
            });
            if let Some(saved) = saved {
                session.restore_variables(saved);
            }
            status?
        }
        Syntax::Simple(assignments, words, redirects) => {
            let mut values = vec![];
            for (name, word) in assignments {
                values.push((name.clone(), expand::text(session, word)?));
            }
            let words = expand::fields(session, words)?;
            io.err.append(&mut session.late_errors);
            if words.is_empty() {
                for (name, value) in values {
                    session.set_variable(&name, &value);
                }
                // An assignment's status is that of its last command substitution, else 0.
                let substitutes = assignments
                    .iter()
                    .flat_map(|(_, word)| word)
                    .any(|part| matches!(part, Part::Command(..)));
                let status = if substitutes { session.status } else { 0 };
                redirected(session, redirects, io, |_, _| Ok(status))?
            } else {
                redirected(session, redirects, io, |session, io| {
                    let saved = (!values.is_empty()).then(|| session.variables());
                    for (name, value) in &values {
                        session.set_variable(name, value);
                    }
                    let status = session.execute(&words, io);
                    if let Some(saved) = saved {
                        session.restore_variables(saved);
                    }
                    status
                })?
            }
        }
    };
    session.status = status;
    let counts = matches!(
        syntax,
        Syntax::Simple(..) | Syntax::Pipe(_) | Syntax::Group(_, true, _)
    );
    if session.options.exit_on_error && counts && status != 0 {
        return Err(Halt::Exit(status));
    }
    Ok(status)
}

/// Runs what is asked for its status: `set -e` does not apply to it.
fn condition(session: &mut Session, syntax: &Syntax, io: &mut Io) -> Result<i32, Halt> {
    let outer = std::mem::replace(&mut session.options.exit_on_error, false);
    let status = run(session, syntax, io);
    session.options.exit_on_error = outer;
    status
}

fn pipe(session: &mut Session, stages: &[Syntax], io: &mut Io) -> Result<i32, Halt> {
    let mut input = std::mem::take(&mut io.input);
    let mut status = 0;
    for stage in stages {
        let mut own = Io {
            input,
            ..Io::default()
        };
        let result = run(session, stage, &mut own);
        io.err.append(&mut own.err);
        status = match result {
            // Each stage is a process of its own.
            Err(Halt::Exit(status)) => status,
            other => other?,
        };
        input = own.out;
    }
    io.out.append(&mut input);
    Ok(status)
}

/// Where a stream goes.
#[derive(Clone)]
enum Sink {
    Out,
    Err,
    File(String),
}

fn redirected(
    session: &mut Session,
    redirects: &[Redirect],
    io: &mut Io,
    body: impl FnOnce(&mut Session, &mut Io) -> Result<i32, Halt>,
) -> Result<i32, Halt> {
    if redirects.is_empty() {
        return body(session, io);
    }
    let mut sinks = [Sink::Out, Sink::Err];
    let mut own = Io {
        input: std::mem::take(&mut io.input),
        ..Io::default()
    };
    for redirect in redirects {
        match redirect {
            Redirect::Input(word) => {
                let path = expand::text(session, word)?;
                match session.read(&path) {
                    Ok(bytes) => own.input = bytes,
                    Err(why) => return Ok(refuse(io, &path, &why.to_string())),
                }
            }
            Redirect::Output(stream, word, append) => {
                let path = expand::text(session, word)?;
                if path != "/dev/null"
                    && !*append
                    && let Err(why) = session.write(&path, vec![])
                {
                    return Ok(refuse(io, &path, &why));
                }
                sinks[usize::from(*stream == 2)] = Sink::File(path);
            }
            Redirect::Duplicate(from, to) => {
                sinks[usize::from(*from == 2)] = sinks[usize::from(*to == 2)].clone();
            }
        }
    }
    let result = body(session, &mut own);
    for (bytes, sink) in [own.out, own.err].into_iter().zip(sinks) {
        match sink {
            Sink::Out => io.out.extend(bytes),
            Sink::Err => io.err.extend(bytes),
            Sink::File(path) if path == "/dev/null" => {}
            Sink::File(path) => {
                let mut whole = session.read(&path).unwrap_or_default();
                whole.extend(bytes);
                if let Err(why) = session.write(&path, whole) {
                    return Ok(refuse(io, &path, &why));
                }
            }
        }
    }
    result
}

fn refuse(io: &mut Io, path: &str, why: &str) -> i32 {
    io.err
        .extend_from_slice(format!("sh: {path}: {why}\n").as_bytes());
    2
}
