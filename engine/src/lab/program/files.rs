//! Programs that work on files.

use super::{Io, Ran, Session};
use crate::lab::world::Entry;
use crate::transport::FileKind;

/// Options (single letters) and operands.
fn split(args: &[String]) -> (String, Vec<String>) {
    let mut options = String::new();
    let mut operands = vec![];
    let mut only_operands = false;
    for word in &args[1..] {
        if !only_operands && word == "--" {
            only_operands = true;
        } else if !only_operands && word.len() > 1 && word.starts_with('-') {
            options.push_str(&word[1..]);
        } else {
            operands.push(word.clone());
        }
    }
    (options, operands)
}

/// `cat [FILE…]`.
pub fn cat(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let (_, files) = split(args);
    if files.is_empty() {
        io.out.append(&mut io.input.clone());
        return Ok(0);
    }
    let mut status = 0;
    for file in files {
        match session.read(&file) {
            Ok(bytes) => io.out.extend(bytes),
            Err(why) => status = io.fail(1, &format!("cat: {file}: {why}"))?,
        }
    }
    Ok(status)
}

/// `test EXPRESSION`, `[ EXPRESSION ]`.
pub fn test(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let mut words: Vec<&str> = args[1..].iter().map(String::as_str).collect();
    if args[0] == "[" && words.pop() != Some("]") {
        return io.fail(2, "sh: [: missing ]");
    }
    match evaluate(session, &words) {
        Some(truth) => Ok(i32::from(!truth)),
        None => io.fail(
            2,
            &format!("test: the lab does not understand: {}", words.join(" ")),
        ),
    }
}

fn evaluate(session: &Session, words: &[&str]) -> Option<bool> {
    if let Some(at) = words
        .iter()
        .position(|word| *word == "-o")
        .filter(|at| *at > 0)
    {
        return Some(evaluate(session, &words[..at])? || evaluate(session, &words[at + 1..])?);
    }
    if let Some(at) = words
        .iter()
        .position(|word| *word == "-a")
        .filter(|at| *at > 0)
    {
        return Some(evaluate(session, &words[..at])? && evaluate(session, &words[at + 1..])?);
    }
    Some(match words {
        [] => false,
        ["!", rest @ ..] => !evaluate(session, rest)?,
        [text] => !text.is_empty(),
        ["-n", text] => !text.is_empty(),
        ["-z", text] => text.is_empty(),
        ["-L" | "-h", path] => is_link(session, path),
        [flag, path] => {
            let stat = session.stat(path);
            match *flag {
                "-e" => stat.is_some(),
                "-f" => stat.is_some_and(|stat| stat.kind == FileKind::File),
                "-d" => stat.is_some_and(|stat| stat.kind == FileKind::Directory),
                "-s" => stat.is_some_and(|stat| stat.size > 0),
                "-r" | "-w" => stat.is_some(),
                "-x" => stat.is_some_and(|stat| stat.mode & 0o111 != 0),
                _ => return None,
            }
        }
        [left, "=" | "==", right] => left == right,
        [left, "!=", right] => left != right,
        [left, "-nt", right] => session.stat(left)?.modified > session.stat(right)?.modified,
        [left, operator, right] => {
            let (left, right): (i64, i64) = (left.parse().ok()?, right.parse().ok()?);
            match *operator {
                "-eq" => left == right,
                "-ne" => left != right,
                "-lt" => left < right,
                "-le" => left <= right,
                "-gt" => left > right,
                "-ge" => left >= right,
                _ => return None,
            }
        }
        _ => return None,
    })
}

fn is_link(session: &Session, path: &str) -> bool {
    session
        .world
        .machine(&session.place)
        .is_some_and(|machine| matches!(machine.files.get_link(path), Ok((_, Entry::Symlink(_)))))
}

/// `ls [-1ad] [PATH…]`.
pub fn ls(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let (options, mut paths) = split(args);
    if options.contains(|c| !"1adA".contains(c)) {
        return io.fail(
            2,
            &format!("ls: options -{options} are not known to the lab; use stat -c"),
        );
    }
    if paths.is_empty() {
        paths.push("/root".into());
    }
    let mut status = 0;
    for path in &paths {
        match session.directory(path) {
            Some(names) if !options.contains('d') => {
                if paths.len() > 1 {
                    io.line(&format!("{path}:"));
                }
                for name in names {
                    if options.contains(['a', 'A']) || !name.starts_with('.') {
                        io.line(&name);
                    }
                }
            }
            _ if session.exists(path) => io.line(path),
            _ => {
                status = io.fail(
                    2,
                    &format!("ls: cannot access '{path}': No such file or directory"),
                )?;
            }
        }
    }
    Ok(status)
}

/// `stat [-L] -c FORMAT FILE…` with `%s %a %u %g %U %G %Y %n %F`.
pub fn stat(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let mut format = None;
    let mut files = vec![];
    let mut words = args[1..].iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-c" => format = words.next().cloned(),
            "-L" => {}
            other => match other.strip_prefix("--format=") {
                Some(text) => format = Some(text.to_owned()),
                None => files.push(other.to_owned()),
            },
        }
    }
    let Some(format) = format else {
        return io.fail(1, "stat: the lab needs -c FORMAT");
    };
    let mut status = 0;
    for file in files {
        let Some(stat) = session.stat(&file) else {
            status = io.fail(
                1,
                &format!("stat: cannot statx '{file}': No such file or directory"),
            )?;
            continue;
        };
        let owner = |id: u32| {
            if id == 0 {
                "root".to_owned()
            } else {
                id.to_string()
            }
        };
        let mut text = String::new();
        let mut letters = format.chars();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                text.push(letter);
                continue;
            }
            match letters.next() {
                Some('s') => text.push_str(&stat.size.to_string()),
                Some('a') => text.push_str(&format!("{:o}", stat.mode)),
                Some('u') => text.push_str(&stat.uid.to_string()),
                Some('g') => text.push_str(&stat.gid.to_string()),
                Some('U') => text.push_str(&owner(stat.uid)),
                Some('G') => text.push_str(&owner(stat.gid)),
                Some('Y') => text.push_str(&stat.modified.to_string()),
                Some('i') => text.push_str(&stat.inode.to_string()),
                Some('n') => text.push_str(&file),
                Some('F') => text.push_str(match stat.kind {
                    FileKind::File => "regular file",
                    FileKind::Directory => "directory",
                    FileKind::Other => "character special file",
                }),
                other => {
                    return io.fail(
                        1,
                        &format!("stat: %{} is not known to the lab", other.unwrap_or(' ')),
                    );
                }
            }
        }
        io.line(&text);
    }
    Ok(status)
}

/// The destination of a copy or move: in the directory, if it is one.
fn destination(session: &Session, from: &str, to: &str) -> String {
    match session.stat(to) {
        Some(stat) if stat.kind == FileKind::Directory => {
            format!(
                "{}/{}",
                to.trim_end_matches('/'),
                from.rsplit('/').next().unwrap_or(from)
            )
        }
        _ => to.to_owned(),
    }
}

/// `cp [-p|-a|-f] FROM TO`.
pub fn cp(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let (options, operands) = split(args);
    let [from, to] = &operands[..] else {
        return io.fail(1, "cp: the lab copies one file to one place");
    };
    if options.contains(['r', 'R']) {
        return io.fail(1, "cp: -r is not known to the lab");
    }
    let machine = session.world.machine(&session.place);
    let found = machine.map(|machine| {
        machine
            .files
            .file(from)
            .map(|(image, at)| (image.clone(), at))
    });
    let (image, modified) = match found {
        Some(Ok(found)) => found,
        Some(Err(why)) => return io.fail(1, &format!("cp: cannot stat '{from}': {why}")),
        None => return io.fail(1, "cp: the machine is gone"),
    };
    let to = destination(session, from, to);
    let keeps = options.contains(['p', 'a']);
    let done = session.files(|files, now| {
        if keeps {
            files.put_into(&to, image, modified)
        } else {
            files.write(&to, image.content, now)
        }
    });
    finish(io, done, |why| format!("cp: cannot create '{to}': {why}"))
}

/// `mv [-f] FROM TO`.
pub fn mv(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let (_, operands) = split(args);
    let [from, to] = &operands[..] else {
        return io.fail(1, "mv: the lab moves one file to one place");
    };
    let to = destination(session, from, to);
    let done = session.files(|files, _| files.rename(from, &to));
    finish(io, done, |why| {
        format!("mv: cannot move '{from}' to '{to}': {why}")
    })
}

/// `rm [-f] [-r] FILE…`.
pub fn rm(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let (options, operands) = split(args);
    let mut status = 0;
    for path in operands {
        let directory = session
            .stat(&path)
            .is_some_and(|stat| stat.kind == FileKind::Directory);
        let missing = !session.exists(&path) && !is_link(session, &path);
        if missing && options.contains('f') {
            if let Err(why) = session.may_change("rm") {
                return io.fail(1, &format!("rm: {why}"));
            }
            continue;
        }
        let done = session.files(|files, _| {
            if directory && options.contains(['r', 'R']) {
                files.remove_directory(&path, true)
            } else {
                files.remove(&path)
            }
        });
        status |= finish(io, done, |why| format!("rm: cannot remove '{path}': {why}"))?;
    }
    Ok(status)
}

/// `mkdir [-p] [-m MODE] DIRECTORY…`.
pub fn mkdir(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let mut args = args.to_vec();
    let mode = args.iter().position(|word| word == "-m").and_then(|at| {
        args.remove(at);
        (at < args.len()).then(|| args.remove(at))
    });
    let (options, operands) = split(&args);
    for path in operands {
        let parents = options.contains('p');
        if !parents && session.exists(&path) {
            return io.fail(
                1,
                &format!("mkdir: cannot create directory '{path}': File exists"),
            );
        }
        let done = session.files(|files, now| {
            files.make_directories(&path, now)?;
            match mode
                .as_ref()
                .and_then(|text| u32::from_str_radix(text, 8).ok())
            {
                Some(mode) => files.set_mode(&path, mode),
                None => Ok(()),
            }
        });
        let status = finish(io, done, |why| {
            format!("mkdir: cannot create directory '{path}': {why}")
        })?;
        if status != 0 {
            return Ok(status);
        }
    }
    Ok(0)
}

/// `touch [-d @SECONDS] FILE…`.
pub fn touch(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let (options, mut operands) = split(args);
    let mut time = None;
    if options.contains('d') {
        let given = operands.first().and_then(|word| word.strip_prefix('@'));
        time = given.and_then(|seconds| seconds.parse().ok());
        if time.is_none() {
            return io.fail(
                1,
                "touch: the lab needs seconds since 1970 after -d, such as @0",
            );
        }
        operands.remove(0);
    }
    for path in operands {
        let content = session.read(&path).unwrap_or_default();
        let done = session.write(&path, content);
        let done = done.and_then(|()| match time {
            Some(time) => session.files(|files, _| files.set_time(&path, time)),
            None => Ok(()),
        });
        if let Err(why) = done {
            return io.fail(1, &format!("touch: cannot touch '{path}': {why}"));
        }
    }
    Ok(0)
}

/// `chmod OCTAL FILE…`.
pub fn chmod(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let (_, operands) = split(args);
    let Some((mode, files)) = operands.split_first() else {
        return io.fail(1, "chmod: missing operand");
    };
    let Ok(mode) = u32::from_str_radix(mode, 8) else {
        return io.fail(
            1,
            &format!("chmod: the lab needs an octal mode, not '{mode}'"),
        );
    };
    for path in files {
        let done = session.files(|files, _| files.set_mode(path, mode));
        let status = finish(io, done, |why| {
            format!("chmod: cannot access '{path}': {why}")
        })?;
        if status != 0 {
            return Ok(status);
        }
    }
    Ok(0)
}

/// `ln -s TARGET LINK`.
pub fn ln(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let (options, operands) = split(args);
    let ([target, path], true) = (&operands[..], options.contains('s')) else {
        return io.fail(
            1,
            "ln: the lab makes symbolic links only: ln -s TARGET LINK",
        );
    };
    let done = session.files(|files, _| files.symlink(path, target));
    finish(io, done, |why| {
        format!("ln: failed to create symbolic link '{path}': {why}")
    })
}

/// `readlink [-f] PATH`.
pub fn readlink(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let (options, operands) = split(args);
    let Some(machine) = session.world.machine(&session.place) else {
        return Ok(1);
    };
    for path in operands {
        let text = match machine.files.get_link(&path) {
            Ok((_, Entry::Symlink(target))) if !options.contains('f') => target.clone(),
            _ if options.contains('f') => match machine.files.get(&path) {
                Ok((real, _)) => real,
                Err(_) => path,
            },
            _ => return Ok(1),
        };
        io.line(&text);
    }
    Ok(0)
}

/// `basename PATH`, `dirname PATH`.
pub fn names(_: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let path = args
        .get(1)
        .map(String::as_str)
        .unwrap_or_default()
        .trim_end_matches('/');
    let (directory, name) = path.rsplit_once('/').unwrap_or((".", path));
    io.line(match (args[0].as_str(), directory) {
        ("basename", _) => name,
        (_, "") => "/",
        (_, directory) => directory,
    });
    Ok(0)
}

/// `tee [-a] FILE…`.
pub fn tee(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let (options, operands) = split(args);
    let input = std::mem::take(&mut io.input);
    for path in operands {
        let mut whole = if options.contains('a') {
            session.read(&path).unwrap_or_default()
        } else {
            vec![]
        };
        whole.extend(&input);
        if let Err(why) = session.write(&path, whole) {
            return io.fail(1, &format!("tee: {path}: {why}"));
        }
    }
    io.out.extend(input);
    Ok(0)
}

fn finish(io: &mut Io, done: Result<(), String>, words: impl FnOnce(String) -> String) -> Ran {
    match done {
        Ok(()) => Ok(0),
        Err(why) => io.fail(1, &words(why)),
    }
}
