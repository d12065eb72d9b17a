//! What can be known of a command from its text: whether it only reads, whether it may be run twice, whether it
//! may wait for ever. Only what is certain is said; a program that is not known here is not judged.

use super::outline::{Kind, Node};

/// Stands for a value that only the run knows.
const VALUE: &str = "\u{0}";

/// The programs that a command runs, each with its arguments, and whether it writes a file by itself.
pub struct Commands {
    /// One for each program, in order.
    pub programs: Vec<Vec<String>>,
    /// Whether the shell writes a file (`>`), and whether it appends (`>>`).
    pub writes: Writes,
    /// Whether it is a shell's loop.
    pub loops: bool,
}

/// What a shell's redirections do.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// Nothing to files.
    Nothing,
    /// They replace files.
    Replaces,
    /// They append.
    Appends,
}

/// Reads the command argument of `run` or `probe`; nothing where it is made elsewhere.
pub fn of(node: &Node) -> Option<Commands> {
    match &node.kind {
        Kind::List(items) => {
            let words: Vec<String> = items.iter().map(word).collect();
            match words.as_slice() {
                [shell, flag, text] if is_shell(shell) && flag.ends_with('c') => shell_text(text),
                _ => Some(Commands {
                    programs: vec![words],
                    writes: Writes::Nothing,
                    loops: false,
                }),
            }
        }
        Kind::Text(text) => shell_text(text),
        Kind::Interpolated(_) => shell_text(&joined(node)),
        Kind::Quoted(inner) => shell_text(&joined(inner)),
        _ => None,
    }
}

fn is_shell(program: &str) -> bool {
    matches!(base(program), "sh" | "bash" | "dash")
}

fn word(node: &Node) -> String {
    node.text().map_or_else(|| joined(node), str::to_owned)
}

fn joined(node: &Node) -> String {
    match &node.kind {
        Kind::Text(text) => text.clone(),
        Kind::Interpolated(parts) => parts.iter().map(joined).collect(),
        _ => VALUE.to_owned(),
    }
}

/// Splits a shell text into its programs. Nothing for what this small reader does not understand.
fn shell_text(text: &str) -> Option<Commands> {
    if text.contains("$(") || text.contains('`') || text.contains("<<") {
        return None;
    }
    let mut found = Commands {
        programs: Vec::new(),
        writes: Writes::Nothing,
        loops: false,
    };
    for piece in pieces(text) {
        let mut words = Vec::new();
        let mut split = shlex::split(&piece)?.into_iter();
        while let Some(word) = split.next() {
            match redirection(&word) {
                None => words.push(word),
                Some((appends, target)) => {
                    let target = match target {
                        "" => split.next().unwrap_or_default(),
                        target => target.to_owned(),
                    };
                    if target == "/dev/null" || target.starts_with('&') {
                        continue;
                    }
                    found.writes = if appends {
                        Writes::Appends
                    } else {
                        Writes::Replaces
                    };
                }
            }
        }
        let keyword = |word: &str| {
            matches!(
                word,
                "do" | "then" | "else" | "while" | "until" | "if" | "!" | "{" | "("
            )
        };
        while words.first().is_some_and(|word| keyword(word)) {
            found.loops |= matches!(words[0].as_str(), "while" | "until");
            words.remove(0);
        }
        if words.is_empty() || matches!(words[0].as_str(), "done" | "fi" | "}" | ")") {
            continue;
        }
        found.programs.push(words);
    }
    Some(found)
}

/// Cuts at `;`, `&&`, `||`, `|`, `&` and line ends outside of quotes.
fn pieces(text: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut quote = None;
    let mut characters = text.chars().peekable();
    let mut before = ' ';
    while let Some(c) = characters.next() {
        let last = found.last_mut().expect("it begins with one piece");
        match (quote, c) {
            (None, '\'' | '"') => {
                quote = Some(c);
                last.push(c);
            }
            (Some(open), _) if c == open => {
                quote = None;
                last.push(c);
            }
            (_, '\\') => {
                last.push(c);
                last.extend(characters.next());
            }
            // `2>&1` and `&>` belong to a redirection.
            (None, '&') if before == '>' || characters.peek() == Some(&'>') => last.push(c),
            (None, ';' | '|' | '&' | '\n') => found.push(String::new()),
            _ => last.push(c),
        }
        before = c;
    }
    found
}

/// `>`, `2>`, `>>`, `&>`, with the target if it stands in the same word.
fn redirection(word: &str) -> Option<(bool, &str)> {
    let rest = word.trim_start_matches(|c: char| c.is_ascii_digit() || c == '&');
    let rest = rest.strip_prefix('>')?;
    match rest.strip_prefix('>') {
        Some(target) => Some((true, target)),
        None => Some((false, rest)),
    }
}

fn base(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// Without `sudo`, `env A=b`, `nice` and their like before it.
fn bare(words: &[String]) -> &[String] {
    let mut words = words;
    while let Some((first, rest)) = words.split_first() {
        let assignment = first.contains('=') && !first.starts_with('-') && !first.starts_with('/');
        if !assignment && !matches!(base(first), "sudo" | "env" | "nice" | "ionice" | "command") {
            break;
        }
        words = rest;
    }
    words
}

const READING: &[&str] = &[
    "cat",
    "ls",
    "grep",
    "egrep",
    "fgrep",
    "head",
    "df",
    "du",
    "ps",
    "stat",
    "test",
    "[",
    "uname",
    "id",
    "whoami",
    "uptime",
    "free",
    "dig",
    "nslookup",
    "getent",
    "sha256sum",
    "sha512sum",
    "md5sum",
    "wc",
    "sort",
    "uniq",
    "cut",
    "tr",
    "diff",
    "cmp",
    "ss",
    "netstat",
    "lsblk",
    "lsmod",
    "lscpu",
    "pgrep",
    "readlink",
    "realpath",
    "which",
    "basename",
    "dirname",
    "jq",
    "echo",
    "printf",
    "true",
    "false",
    "ping",
    "traceroute",
    "tracepath",
    "nproc",
    "findmnt",
    "blkid",
    "lsof",
    "iptables-save",
];

/// Programs of which some subcommands only read: the program, and the first words of those.
const READING_IF: &[(&str, &[&str])] = &[
    (
        "systemctl",
        &[
            "status",
            "is-active",
            "is-enabled",
            "is-failed",
            "cat",
            "show",
            "list-units",
            "list-timers",
            "list-unit-files",
        ],
    ),
    (
        "kubectl",
        &[
            "get",
            "describe",
            "logs",
            "top",
            "version",
            "explain",
            "api-resources",
            "cluster-info",
            "auth",
        ],
    ),
    (
        "docker",
        &[
            "ps", "inspect", "logs", "images", "version", "info", "stats",
        ],
    ),
    (
        "podman",
        &["ps", "inspect", "logs", "images", "version", "info"],
    ),
    (
        "crictl",
        &[
            "ps", "pods", "inspect", "inspectp", "logs", "images", "info", "version",
        ],
    ),
    (
        "git",
        &[
            "status",
            "log",
            "diff",
            "show",
            "rev-parse",
            "describe",
            "ls-files",
        ],
    ),
    (
        "helm",
        &["list", "status", "get", "history", "version", "show"],
    ),
    ("ufw", &["status"]),
    (
        "tailscale",
        &["status", "ip", "version", "netcheck", "ping"],
    ),
    ("apt-cache", &["search", "show", "policy"]),
];

/// Whether a program only reads, for certain.
fn reads(words: &[String]) -> bool {
    let words = bare(words);
    let Some((program, arguments)) = words.split_first() else {
        return false;
    };
    let first = arguments
        .iter()
        .find(|word| !word.starts_with('-'))
        .map(String::as_str);
    let has = |flag: &str| arguments.iter().any(|word| word == flag);
    match base(program) {
        name if READING.contains(&name) => true,
        "ip" | "bridge" => {
            let acts = [
                "add", "del", "delete", "set", "flush", "replace", "change", "append", "exec",
                "restore",
            ];
            !arguments
                .iter()
                .any(|word| acts.contains(&word.as_str()) || word == VALUE)
        }
        "tail" => !has("-f") && !has("-F"),
        "journalctl" => !arguments.iter().any(|word| {
            word.starts_with("--vacuum")
                || word.starts_with("--rotate")
                || word == "-f"
                || word == "--flush"
        }),
        "sysctl" => {
            !has("-w")
                && !has("-p")
                && !has("--system")
                && !arguments
                    .iter()
                    .any(|word| word.contains('=') || word == VALUE)
        }
        "hostname" => arguments.iter().all(|word| word.starts_with('-')),
        "date" => !has("-s") && !arguments.iter().any(|word| word.starts_with("--set")),
        "find" => !arguments.iter().any(|word| {
            matches!(
                word.as_str(),
                "-delete" | "-exec" | "-execdir" | "-ok" | "-fprint"
            )
        }),
        "sed" => {
            !arguments.iter().any(|word| {
                word.starts_with("-i") || word.starts_with("--in-place") || word.contains('w')
            }) && has("-n")
        }
        name => READING_IF.iter().any(|(program, verbs)| {
            *program == name && first.is_some_and(|verb| verbs.contains(&verb))
        }),
    }
}

impl Commands {
    /// Whether it only reads, for certain.
    pub fn only_reads(&self) -> bool {
        self.writes == Writes::Nothing
            && !self.loops
            && !self.programs.is_empty()
            && self.programs.iter().all(|words| reads(words))
    }

    /// The first program that does something else, or fails, when it is run a second time; for certain.
    pub fn not_twice(&self) -> Option<String> {
        if self.writes == Writes::Appends {
            return Some(">>".into());
        }
        self.programs.iter().find_map(|words| not_twice(words))
    }

    /// The word that shows that it may wait for ever.
    pub fn waits(&self) -> Option<String> {
        if self.loops
            && self
                .programs
                .iter()
                .any(|words| words.first().is_some_and(|word| base(word) == "sleep"))
        {
            return Some("a loop with sleep".into());
        }
        self.programs.iter().find_map(|words| waits(words))
    }
}

fn not_twice(words: &[String]) -> Option<String> {
    let words = bare(words);
    let (program, arguments) = words.split_first()?;
    let has = |flags: &[&str]| arguments.iter().any(|word| flags.contains(&word.as_str()));
    let short = |letter: char| {
        arguments
            .iter()
            .any(|word| word.starts_with('-') && !word.starts_with("--") && word.contains(letter))
    };
    let verb = arguments
        .iter()
        .find(|word| !word.starts_with('-'))
        .map(String::as_str)
        .unwrap_or_default();
    let name = base(program);
    let twice = match name {
        "useradd" | "adduser" | "groupadd" | "addgroup" | "userdel" | "groupdel" | "mv"
        | "reboot" | "shutdown" | "poweroff" | "createdb" | "dropdb" | "createuser" | "mount"
        | "umount" | "lvcreate" | "vgcreate" | "pvcreate" | "lvextend" | "fallocate" => true,
        "mkdir" => !short('p') && !has(&["--parents"]),
        "ln" => !short('f') && !has(&["--force"]),
        "rm" => !short('f') && !has(&["--force"]),
        "tee" => short('a') || has(&["--append"]),
        "git" => verb == "clone",
        "ip" | "bridge" => has(&["add", "del", "delete"]),
        "iptables" | "ip6tables" => has(&["-A", "-I", "-D", "--append", "--insert", "--delete"]),
        "docker" | "podman" => matches!(verb, "run" | "create"),
        "kubectl" => {
            verb == "create"
                || (verb == "delete"
                    && !arguments
                        .iter()
                        .any(|word| word.starts_with("--ignore-not-found")))
        }
        "curl" => has(&[
            "POST",
            "-XPOST",
            "-d",
            "--data",
            "--data-binary",
            "--data-raw",
            "-F",
            "--form",
        ]),
        _ => false,
    };
    twice.then(|| match name {
        "git" | "docker" | "podman" | "kubectl" => format!("{name} {verb}"),
        _ => name.to_owned(),
    })
}

fn waits(words: &[String]) -> Option<String> {
    let words = bare(words);
    let (program, arguments) = words.split_first()?;
    let has = |flag: &str| arguments.iter().any(|word| word == flag);
    let limited = arguments.iter().any(|word| word.starts_with("--timeout"));
    let name = base(program);
    let verb = arguments.first().map(String::as_str).unwrap_or_default();
    match name {
        "tail" if has("-f") || has("-F") => Some("tail -f".into()),
        "journalctl" if has("-f") || has("--follow") => Some("journalctl -f".into()),
        "watch" => Some("watch".into()),
        "kubectl" if verb == "rollout" && has("status") && !limited => {
            Some("kubectl rollout status".into())
        }
        "kubectl" if has("-w") || has("--watch") || (verb == "logs" && has("-f")) => {
            Some("kubectl --watch".into())
        }
        "sleep" if arguments.iter().any(|word| word == "infinity") => Some("sleep infinity".into()),
        _ => None,
    }
}
