//! What a planned command restarts, stops or starts, as far as its text tells. Nothing is guessed: a text that cannot
//! be read, or a program that is not known here, says nothing.

/// Programs that only run what follows them.
const WRAPPERS: [&str; 6] = ["sudo", "env", "nohup", "exec", "time", "command"];
/// Words of a shell that may stand before a command.
const KEYWORDS: [&str; 8] = ["if", "then", "else", "while", "until", "do", "{", "!"];
/// How deep a shell within a shell is followed.
const DEPTH: usize = 4;

/// The units, or `the machine`, that a command as it is typed restarts, stops or starts.
pub(super) fn restarts(command: &str) -> Vec<String> {
    let mut found = Vec::new();
    read(command, DEPTH, &mut found);
    found
}

fn read(text: &str, depth: usize, found: &mut Vec<String>) {
    for piece in pieces(text) {
        let words = shlex::split(&piece).unwrap_or_default();
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        let told = program(&words, depth, found);
        found.extend(told.filter(|what| !found.contains(what)));
    }
}

/// What one program restarts; what a shell in it does is added to what was found.
fn program(words: &[&str], depth: usize, found: &mut Vec<String>) -> Option<String> {
    let (first, rest) = words.split_first()?;
    let name = first.rsplit('/').next()?;
    let assigns = name.contains('=') || KEYWORDS.contains(&name) || name.starts_with('(');
    if assigns || WRAPPERS.contains(&name) {
        let options = rest
            .iter()
            .take_while(|word| name != "env" && word.starts_with('-'));
        let skipped = options.count();
        return program(&rest[skipped..], depth, found);
    }
    match name {
        "sh" | "bash" | "dash" => {
            let at = rest
                .iter()
                .position(|word| word.starts_with('-') && word.ends_with('c'))?;
            if let Some(depth) = depth.checked_sub(1) {
                read(rest.get(at + 1)?, depth, found);
            }
            None
        }
        "reboot" | "shutdown" | "poweroff" | "halt" => Some("the machine".to_owned()),
        "service" | "rc-service" => rest.iter().any(acts).then(|| rest[0].to_owned()),
        "systemctl" => {
            let verb = rest.iter().position(acts)?;
            let units = rest[verb + 1..]
                .iter()
                .filter(|word| !word.starts_with('-'));
            let units: Vec<&str> = units.copied().collect();
            (!units.is_empty()).then(|| units.join(" "))
        }
        _ => None,
    }
}

fn acts(word: &&str) -> bool {
    matches!(
        *word,
        "restart" | "stop" | "start" | "reload" | "try-restart" | "reload-or-restart"
    )
}

/// A shell's text, cut where one command ends and the next begins, outside of quotes.
fn pieces(text: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut quote = None;
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        let piece = pieces
            .last_mut()
            .expect("there is always a last piece: one stood there first");
        match (quote, character) {
            (None, ';' | '&' | '|' | '\n') => pieces.push(String::new()),
            (None, '\'' | '"') => {
                quote = Some(character);
                piece.push(character);
            }
            (Some(open), _) if open == character => {
                quote = None;
                piece.push(character);
            }
            (None | Some('"'), '\\') => {
                piece.push(character);
                piece.extend(characters.next());
            }
            _ => piece.push(character),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_restart_is_seen_in_what_is_typed() {
        for (command, what) in [
            ("systemctl restart --no-block k3s-agent", &["k3s-agent"][..]),
            ("/usr/bin/systemctl --quiet stop a.timer b", &["a.timer b"]),
            ("service nginx reload", &["nginx"]),
            ("reboot", &["the machine"]),
            ("sh -c 'systemctl restart k3s'", &["k3s"]),
            (
                "bash -ec 'cd /; systemctl stop a && systemctl start a || reboot'",
                &["a", "the machine"],
            ),
            ("cp a b && sudo -n systemctl restart nginx", &["nginx"]),
            (
                "if test -e x; then LANG=C systemctl reload nginx; fi",
                &["nginx"],
            ),
            ("sh -c \"sh -c 'systemctl restart deep'\"", &["deep"]),
            ("systemctl is-active k3s", &[]),
            ("echo restart; echo 'systemctl restart k3s'", &[]),
            ("grep -q 'x; reboot' notes", &[]),
            // A timer that may never go off.
            (
                "systemd-run --on-active=5min /bin/sh -c 'systemctl restart k3s'",
                &[],
            ),
            ("sh -c 'it is not'\\''t closed", &[]),
            ("sh -c", &[]),
            ("systemctl restart", &[]),
            ("", &[]),
        ] {
            assert_eq!(restarts(command), what, "{command}");
        }
    }
}
