//! Programs that work on text.

use regex::{Regex, RegexBuilder};

use super::{Io, Ran, Session};
use crate::model::FileImage;

/// `echo [-n] [-e] WORD…`.
pub fn echo(_: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let mut words = &args[1..];
    let (mut newline, mut escapes) = (true, false);
    while let Some(option) = words
        .first()
        .filter(|word| matches!(word.as_str(), "-n" | "-e" | "-ne" | "-en"))
    {
        newline &= !option.contains('n');
        escapes |= option.contains('e');
        words = &words[1..];
    }
    let text = words.join(" ");
    io.print(&if escapes { unescape(&text) } else { text });
    if newline {
        io.print("\n");
    }
    Ok(0)
}

fn unescape(text: &str) -> String {
    let mut out = String::new();
    let mut letters = text.chars();
    while let Some(letter) = letters.next() {
        match (letter, letter == '\\') {
            (letter, false) => out.push(letter),
            _ => match letters.next() {
                Some('n') => out.push('\n'),
                Some('t') => out.push('\t'),
                Some('\\') | None => out.push('\\'),
                Some(other) => out.extend(['\\', other]),
            },
        }
    }
    out
}

/// `printf FORMAT WORD…` with `%s %d %i %%`; the format is used again while words are left.
pub fn printf(_: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let Some(format) = args.get(1).filter(|format| *format != "--") else {
        return io.fail(2, "printf: a format is needed");
    };
    let mut words = args[2..].iter().peekable();
    loop {
        let mut used = false;
        let mut letters = format.chars().peekable();
        let mut text = String::new();
        while let Some(letter) = letters.next() {
            if letter != '%' {
                text.push(letter);
                if letter == '\\' {
                    text.extend(letters.next());
                }
                continue;
            }
            match letters.next() {
                Some('%') => text.push('%'),
                Some('s' | 'd' | 'i' | 'b') => {
                    used = true;
                    // What comes from a word is not an escape.
                    text.push_str(
                        &words
                            .next()
                            .map(|word| word.replace('\\', "\\\\"))
                            .unwrap_or_default(),
                    );
                }
                other => {
                    return io.fail(
                        2,
                        &format!("printf: %{} is not known to the lab", other.unwrap_or(' ')),
                    );
                }
            }
        }
        io.print(&unescape(&text));
        if !used || words.peek().is_none() {
            return Ok(0);
        }
    }
}

/// Input of the files, or standard input.
fn input(session: &Session, files: &[String], io: &mut Io) -> Result<String, String> {
    if files.is_empty() {
        return Ok(io.text());
    }
    let mut text = String::new();
    for file in files {
        let bytes = if file == "-" {
            io.input.clone()
        } else {
            session.read(file).map_err(|why| format!("{file}: {why}"))?
        };
        text.push_str(&String::from_utf8_lossy(&bytes));
    }
    Ok(text)
}

/// A basic regular expression as an extended one: `\(` groups, `(` is itself, and so on.
fn basic(pattern: &str) -> String {
    let mut out = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some(c @ ('(' | ')' | '{' | '}' | '+' | '?' | '|')) => out.push(c),
                Some(c) => out.extend(['\\', c]),
                None => out.push('\\'),
            },
            c @ ('(' | ')' | '{' | '}' | '+' | '?' | '|') => out.extend(['\\', c]),
            c => out.push(c),
        }
    }
    out
}

/// `grep [-E|-F] [-q] [-v] [-i] [-c] [-o] [-n] [-w] [-x] [-h] [-e PATTERN] PATTERN [FILE…]`.
pub fn grep(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let (mut options, mut patterns, mut operands) = (String::new(), vec![], vec![]);
    let mut words = args[1..].iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-e" => patterns.extend(words.next().cloned()),
            "--" => operands.extend(words.by_ref().cloned()),
            option if option.len() > 1 && option.starts_with('-') => options.push_str(&option[1..]),
            _ => operands.push(word.clone()),
        }
    }
    if let Some(bad) = options.chars().find(|c| !"EFqvicsonwxhHG".contains(*c)) {
        return io.fail(2, &format!("grep: option -{bad} is not known to the lab"));
    }
    if patterns.is_empty() {
        if operands.is_empty() {
            return io.fail(2, "Usage: grep [OPTION]... PATTERNS [FILE]...");
        }
        patterns.push(operands.remove(0));
    }
    let has = |letter| options.contains(letter);
    let alternatives: Vec<String> = patterns
        .iter()
        .flat_map(|pattern| pattern.split('\n'))
        .map(|pattern| match () {
            () if has('F') => regex::escape(pattern),
            () if has('E') => pattern.to_owned(),
            () => basic(pattern),
        })
        .map(|pattern| match () {
            () if has('x') => format!("^(?:{pattern})$"),
            () if has('w') => format!(r"\b(?:{pattern})\b"),
            () => pattern,
        })
        .collect();
    let expression = match RegexBuilder::new(&alternatives.join("|"))
        .case_insensitive(has('i'))
        .build()
    {
        Ok(expression) => expression,
        Err(why) => return io.fail(2, &format!("grep: {why}")),
    };
    let text = match input(session, &operands, io) {
        Ok(text) => text,
        Err(_) if has('s') => return Ok(2),
        Err(why) => return io.fail(2, &format!("grep: {why}")),
    };
    let mut count = 0;
    for (nth, line) in text.lines().enumerate() {
        if expression.is_match(line) == has('v') {
            continue;
        }
        count += 1;
        if has('q') || has('c') {
            continue;
        }
        let number = if has('n') {
            format!("{}:", nth + 1)
        } else {
            String::new()
        };
        if has('o') {
            for found in expression.find_iter(line) {
                io.line(&format!("{number}{}", found.as_str()));
            }
        } else {
            io.line(&format!("{number}{line}"));
        }
    }
    if has('c') && !has('q') {
        io.line(&count.to_string());
    }
    Ok(i32::from(count == 0))
}

/// `head [-n N|-N|-c N] [FILE…]`, `tail [-n N|-n +N|-N]`.
pub fn ends(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let (mut count, mut bytes, mut files) = ("10".to_owned(), false, vec![]);
    let mut words = args[1..].iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "-n" => count = words.next().cloned().unwrap_or_default(),
            "-c" => {
                bytes = true;
                count = words.next().cloned().unwrap_or_default();
            }
            option if option.len() > 1 && option.starts_with('-') => {
                count = option[1..].trim_start_matches('n').to_owned();
            }
            _ => files.push(word.clone()),
        }
    }
    let Ok(number) = count.trim_start_matches('+').parse::<usize>() else {
        return io.fail(
            1,
            &format!("{}: invalid number of lines: '{count}'", args[0]),
        );
    };
    let text = match input(session, &files, io) {
        Ok(text) => text,
        Err(why) => return io.fail(1, &format!("{}: cannot open {why}", args[0])),
    };
    if bytes {
        let kept = if args[0] == "head" {
            &text.as_bytes()[..number.min(text.len())]
        } else {
            &text.as_bytes()[text.len().saturating_sub(number)..]
        };
        io.out.extend_from_slice(kept);
        return Ok(0);
    }
    let lines: Vec<&str> = text.lines().collect();
    let kept = match args[0].as_str() {
        "head" => &lines[..number.min(lines.len())],
        _ if count.starts_with('+') => &lines[number.saturating_sub(1).min(lines.len())..],
        _ => &lines[lines.len().saturating_sub(number)..],
    };
    for line in kept {
        io.line(line);
    }
    Ok(0)
}

/// `wc [-l|-c|-w] [FILE]`.
pub fn wc(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let (options, files): (Vec<_>, Vec<_>) = args[1..]
        .iter()
        .cloned()
        .partition(|word| word.starts_with('-'));
    let text = match input(session, &files, io) {
        Ok(text) => text,
        Err(why) => return io.fail(1, &format!("wc: {why}")),
    };
    let number = match options.first().map(String::as_str) {
        Some("-l") => text.matches('\n').count(),
        Some("-c") => text.len(),
        Some("-w") => text.split_whitespace().count(),
        _ => return io.fail(1, "wc: the lab knows -l, -c and -w"),
    };
    io.line(&number.to_string());
    Ok(0)
}

/// `cut -d C -f N[,M]`.
pub fn cut(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let (mut delimiter, mut fields, mut files) = ('\t', vec![], vec![]);
    let mut words = args[1..].iter();
    while let Some(word) = words.next() {
        let mut value = |attached: &str| {
            if attached.is_empty() {
                words.next().cloned().unwrap_or_default()
            } else {
                attached.to_owned()
            }
        };
        if let Some(attached) = word.strip_prefix("-d") {
            delimiter = value(attached).chars().next().unwrap_or('\t');
        } else if let Some(attached) = word.strip_prefix("-f") {
            let list = value(attached);
            fields = list
                .split(',')
                .filter_map(|n| n.parse::<usize>().ok())
                .collect();
        } else {
            files.push(word.clone());
        }
    }
    if fields.is_empty() {
        return io.fail(1, "cut: the lab needs -f with single fields");
    }
    let text = match input(session, &files, io) {
        Ok(text) => text,
        Err(why) => return io.fail(1, &format!("cut: {why}")),
    };
    for line in text.lines() {
        let parts: Vec<&str> = line.split(delimiter).collect();
        if parts.len() == 1 {
            io.line(line);
            continue;
        }
        let kept: Vec<&str> = fields
            .iter()
            .filter_map(|nth| parts.get(nth.wrapping_sub(1)).copied())
            .collect();
        io.line(&kept.join(&delimiter.to_string()));
    }
    Ok(0)
}

/// `tr -d SET`, `tr A B` with sets of the same length, without ranges.
pub fn tr(_: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let text = io.text();
    match &args[1..] {
        [option, set] if option == "-d" => {
            let set = unescape(set);
            io.print(
                &text
                    .chars()
                    .filter(|c| !set.contains(*c))
                    .collect::<String>(),
            );
            Ok(0)
        }
        [from, to] if !from.starts_with('-') && !from.contains('-') && !from.contains('[') => {
            let (from, to): (Vec<char>, Vec<char>) = (
                unescape(from).chars().collect(),
                unescape(to).chars().collect(),
            );
            let map = |c| match from.iter().position(|f| *f == c) {
                Some(at) => to.get(at).or(to.last()).copied().unwrap_or(c),
                None => c,
            };
            io.print(&text.chars().map(map).collect::<String>());
            Ok(0)
        }
        _ => io.fail(
            1,
            "tr: the lab knows `tr -d SET` and `tr A B` without ranges",
        ),
    }
}

/// `sort [-u] [-n] [-r]`, `uniq`.
pub fn sort(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let (options, files): (Vec<_>, Vec<_>) = args[1..]
        .iter()
        .cloned()
        .partition(|word| word.starts_with('-'));
    let options = options.concat();
    let text = match input(session, &files, io) {
        Ok(text) => text,
        Err(why) => return io.fail(2, &format!("{}: {why}", args[0])),
    };
    let mut lines: Vec<&str> = text.lines().collect();
    if args[0] == "sort" {
        lines.sort_unstable();
        if options.contains('n') {
            lines.sort_by_key(|line| line.trim().parse::<i64>().unwrap_or(0));
        }
        if options.contains('r') {
            lines.reverse();
        }
    }
    if args[0] == "uniq" || options.contains('u') {
        lines.dedup();
    }
    for line in lines {
        io.line(line);
    }
    Ok(0)
}

/// `sed [-n] [-i] [-E] s/A/B/[g][p] [FILE…]`: substitutions only.
pub fn sed(session: &mut Session, args: &[String], io: &mut Io) -> Ran {
    let (mut options, mut operands) = (String::new(), vec![]);
    for word in &args[1..] {
        match word.strip_prefix('-') {
            Some(letters) if !letters.is_empty() => options.push_str(letters),
            _ => operands.push(word.clone()),
        }
    }
    if options.contains(|c| !"niEre".contains(c)) || operands.is_empty() {
        return io.fail(1, "sed: the lab knows -n, -i, -E and one s/…/…/");
    }
    let script = operands.remove(0);
    let Some((expression, replacement, flags)) =
        substitution(&script, options.contains(['E', 'r']))
    else {
        return io.fail(
            1,
            &format!("sed: the lab knows substitutions only, not {script:?}"),
        );
    };
    let substitute = |text: &str| {
        let mut out = String::new();
        for line in text.lines() {
            let found = expression.is_match(line);
            let line = if flags.contains('g') {
                expression.replace_all(line, replacement.as_str())
            } else {
                expression.replace(line, replacement.as_str())
            };
            if !options.contains('n') || (found && flags.contains('p')) {
                out.push_str(&line);
                out.push('\n');
            }
        }
        out
    };
    if !options.contains('i') {
        let text = match input(session, &operands, io) {
            Ok(text) => text,
            Err(why) => return io.fail(2, &format!("sed: can't read {why}")),
        };
        io.print(&substitute(&text));
        return Ok(0);
    }
    for file in operands {
        let text = match session.read(&file) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(why) => return io.fail(2, &format!("sed: can't read {file}: {why}")),
        };
        // Like the real one, it puts another file in the place of this one.
        let done = session.files(|files, now| {
            let image = FileImage {
                content: substitute(&text).into_bytes(),
                ..files.file(&file)?.0.clone()
            };
            files.put(&file, image, now)
        });
        if let Err(why) = done {
            return io.fail(4, &format!("sed: couldn't write {file}: {why}"));
        }
    }
    Ok(0)
}

fn substitution(script: &str, extended: bool) -> Option<(Regex, String, String)> {
    let mut letters = script.strip_prefix('s')?.chars();
    let delimiter = letters.next()?;
    let rest: String = letters.collect();
    let mut parts = rest.split(delimiter);
    let (pattern, replacement, flags) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let pattern = if extended {
        pattern.to_owned()
    } else {
        basic(pattern)
    };
    let groups = Regex::new(r"\\([0-9])").ok()?;
    let replacement = replacement.replace('$', "$$");
    let replacement = groups
        .replace_all(&replacement, "$${$1}")
        .replace('&', "${0}");
    Some((Regex::new(&pattern).ok()?, replacement, flags.to_owned()))
}
