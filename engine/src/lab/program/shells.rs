//! Programs that run programs.

use super::{Halt, Io, Ran, Session, system};

/// `sh [-e] [-u] -c TEXT [NAME ARGUMENTS…]`, `sh FILE [ARGUMENTS…]`, `sh` with the text on standard input.
pub fn sh(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let outer = std::mem::take(&mut session.options);
    let ran = sh_with(session, &args[1..], io);
    session.options = outer;
    ran
}

fn sh_with(session: &mut Session, mut rest: &[String], io: &mut Io) -> Ran {
    let mut from_argument = false;
    while let Some(option) = rest.first().filter(|word| word.starts_with('-')) {
        rest = &rest[1..];
        let letters: String = option.chars().filter(|c| !"cls".contains(*c)).collect();
        from_argument |= option.contains('c');
        if let Err(why) = session.options.set(&letters) {
            return io.fail(2, &why);
        }
    }
    match rest {
        [text, arguments @ ..] if from_argument => session.shell(text, arguments.to_vec(), io),
        _ if from_argument => io.fail(2, "sh: -c requires an argument"),
        [] => {
            let text = io.text();
            io.input.clear();
            session.shell(&text, vec!["sh".into()], io)
        }
        [path, ..] => match session.read(path) {
            Ok(text) => session.shell(&String::from_utf8_lossy(&text), rest.to_vec(), io),
            Err(_) => io.fail(127, &format!("sh: 0: cannot open {path}: No such file")),
        },
    }
}

/// `env [NAME=VALUE…] [COMMAND…]`, `env` alone lists.
pub fn env(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let saved = session.variables();
    let mut rest = &args[1..];
    while let Some((name, value)) = rest.first().and_then(|word| word.split_once('=')) {
        session.set_variable(name, value);
        rest = &rest[1..];
    }
    let ran = if rest.is_empty() {
        for (name, value) in session.variables() {
            io.line(&format!("{name}={value}"));
        }
        Ok(0)
    } else if rest[0].starts_with('-') {
        io.fail(
            125,
            &format!("env: option {} is not known to the lab", rest[0]),
        )
    } else {
        session.execute(rest, io)
    };
    session.restore_variables(saved);
    ran
}

/// `timeout [-k T] DURATION COMMAND…`: 124 when its time is up.
pub fn timeout(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let mut rest = &args[1..];
    while let Some(option) = rest.first().filter(|word| word.starts_with('-')) {
        let takes = matches!(option.as_str(), "-k" | "-s");
        rest = &rest[(1 + usize::from(takes)).min(rest.len())..];
    }
    let (Some(limit), true) = (
        rest.first().and_then(|text| system::sleep_time(text)),
        rest.len() > 1,
    ) else {
        return io.fail(125, "timeout: a duration and a command are needed");
    };
    let own = session.world.now + limit;
    let outer = session.set_deadline(Some(own));
    let earlier = outer.filter(|outer| *outer <= own);
    if earlier.is_some() {
        session.set_deadline(earlier);
    }
    let ran = session.execute(&rest[1..], io);
    session.set_deadline(outer);
    match ran {
        Err(Halt::TimedOut) if earlier.is_none() => Ok(124),
        other => other,
    }
}

/// `sudo -n`, `nohup`, `exec`, `setsid`: everything is run as root in the lab.
pub fn prefix(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let mut rest = &args[1..];
    while let Some(option) = rest.first().filter(|word| word.starts_with('-')) {
        let takes = matches!(option.as_str(), "-u" | "-g");
        rest = &rest[(1 + usize::from(takes)).min(rest.len())..];
    }
    session.execute(rest, io)
}

/// `command -v NAME`, `which NAME`.
pub fn command(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    if args[0] == "command" && args.get(1).is_some_and(|word| word != "-v") {
        return session.execute(&args[1..], io);
    }
    let mut status = 0;
    for name in args[1..].iter().filter(|word| *word != "-v") {
        if session.has_program(name) {
            io.line(&format!("/usr/bin/{name}"));
        } else {
            status = 127;
        }
    }
    Ok(if args[0] == "which" {
        status.min(1)
    } else {
        status
    })
}
