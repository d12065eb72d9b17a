//! What could stand at the cursor: flags and commands from the definition of the command line, and the names that only
//! the moment knows: runbooks, parameters, hosts, labs, runs, steps. The shells call the hidden command `__complete`.

mod names;

use clap::{Arg, ArgAction, Command, CommandFactory};

use super::args::{Cli, Complete, CompletionShell};
use names::Names;

/// Says that the shell should complete the name of a file itself.
const FILES: &str = ":files";

/// The scripts that make a shell ask us.
pub fn script(shell: CompletionShell) -> &'static str {
    match shell {
        CompletionShell::Bash => include_str!("runbook.bash"),
        CompletionShell::Zsh => include_str!("runbook.zsh"),
        CompletionShell::Fish => include_str!("runbook.fish"),
    }
}

/// Something that could stand there.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Candidate {
    value: String,
    help: String,
}

impl Candidate {
    fn new(value: impl Into<String>, help: impl Into<String>) -> Self {
        // One line a candidate, a tab between it and its help.
        let clean = |text: String| text.replace(['\n', '\t', '\r'], " ");
        Self {
            value: clean(value.into()),
            help: clean(help.into()),
        }
    }
}

/// What to print for a shell.
pub fn complete(arguments: &Complete) -> String {
    let (words, current) = match arguments.shell {
        CompletionShell::Bash => split(arguments.words.last().map_or("", String::as_str)),
        CompletionShell::Zsh | CompletionShell::Fish => {
            let mut words = arguments.words.clone();
            let current = words.pop().unwrap_or_default();
            (words, current)
        }
    };
    let (mut candidates, files) = candidates(&words, &current);
    candidates.retain(|candidate| candidate.value.starts_with(&current));
    candidates.sort();
    candidates.dedup();
    // Bash replaces only what stands behind the last of these.
    let kept = match arguments.shell {
        CompletionShell::Bash => current.rfind(['=', ':']).map_or(0, |at| at + 1),
        _ => 0,
    };
    let mut out = String::new();
    for Candidate { value, help } in candidates {
        match arguments.shell {
            CompletionShell::Bash => out.push_str(&format!("{}\n", &value[kept..])),
            _ => out.push_str(&format!("{value}\t{help}\n")),
        }
    }
    if files {
        out.push_str(&format!("{FILES}\n"));
    }
    out
}

/// The words of a line up to the cursor, the program's name left out, and the word that the cursor is in.
fn split(line: &str) -> (Vec<String>, String) {
    // A quote that is not closed yet is the current word's.
    let words = shlex::split(line)
        .or_else(|| shlex::split(&format!("{line}'")))
        .or_else(|| shlex::split(&format!("{line}\"")));
    let mut words = words.unwrap_or_else(|| line.split_whitespace().map(str::to_owned).collect());
    let current = match line.ends_with(char::is_whitespace) {
        true => String::new(),
        false => words.pop().unwrap_or_default(),
    };
    let behind = words.into_iter().skip(1).collect();
    (behind, current)
}

/// What was typed before the cursor, as far as it matters.
#[derive(Debug, Default)]
pub struct Typed {
    /// The values of options, by their ids, in order.
    pub options: Vec<(String, String)>,
    /// The positional words.
    pub positions: Vec<String>,
}

impl Typed {
    /// The last value of an option.
    pub fn option(&self, id: &str) -> Option<&str> {
        let mut found = self.options.iter().rev().filter(|(name, _)| name == id);
        found.next().map(|(_, value)| value.as_str())
    }
}

fn takes_value(argument: &Arg) -> bool {
    matches!(argument.get_action(), ArgAction::Set | ArgAction::Append)
}

fn by_long<'a>(command: &'a Command, name: &str) -> Option<&'a Arg> {
    command.get_arguments().find(|argument| {
        let aliases = argument.get_all_aliases().unwrap_or_default();
        argument.get_long() == Some(name) || aliases.contains(&name)
    })
}

fn by_short(command: &Command, letter: char) -> Option<&Arg> {
    command
        .get_arguments()
        .find(|argument| argument.get_short() == Some(letter))
}

/// The candidates at the cursor, and whether files could stand there too.
fn candidates(words: &[String], current: &str) -> (Vec<Candidate>, bool) {
    let mut root = Cli::command();
    root.build();
    let mut command = &root;
    let mut typed = Typed::default();
    let mut pending: Option<&Arg> = None;
    let mut only_positions = false;
    for word in words {
        if let Some(option) = pending.take() {
            typed
                .options
                .push((option.get_id().to_string(), word.clone()));
        } else if only_positions || !word.starts_with('-') || word == "-" {
            match command.find_subcommand(word) {
                Some(inner) if typed.positions.is_empty() => command = inner,
                _ => typed.positions.push(word.clone()),
            }
        } else if word == "--" {
            only_positions = true;
        } else if let Some(long) = word.strip_prefix("--") {
            let (name, value) = long
                .split_once('=')
                .map_or((long, None), |(n, v)| (n, Some(v)));
            if let Some(option) = by_long(command, name).filter(|option| takes_value(option)) {
                match value {
                    Some(value) => typed
                        .options
                        .push((option.get_id().to_string(), value.to_owned())),
                    None => pending = Some(option),
                }
            }
        } else if let Some(option) = word
            .chars()
            .last()
            .and_then(|letter| by_short(command, letter))
        {
            pending = Some(option).filter(|option| takes_value(option) && word.len() == 2);
        }
    }
    let names = Names {
        command: command.get_name(),
        typed: &typed,
    };
    if let Some(option) = pending {
        return values(&names, option, current);
    }
    if let Some((name, value)) = current
        .strip_prefix("--")
        .and_then(|long| long.split_once('='))
        && let Some(option) = by_long(command, name)
    {
        let (mut found, files) = values(&names, option, value);
        for candidate in &mut found {
            candidate.value = format!("--{name}={}", candidate.value);
        }
        return (found, files);
    }
    if current.starts_with('-') && !only_positions {
        return (flags(command), false);
    }
    let mut found: Vec<Candidate> = Vec::new();
    if typed.positions.is_empty() {
        let inner = command
            .get_subcommands()
            .filter(|inner| !inner.is_hide_set() && inner.get_name() != "help");
        found.extend(inner.map(|inner| Candidate::new(inner.get_name(), about(inner))));
    }
    let mut positions = command.get_positionals();
    let mut last = None;
    for _ in 0..=typed.positions.len() {
        match positions.next() {
            Some(argument) => last = Some(argument),
            // The last one may take many.
            None => {
                last = last
                    .filter(|argument: &&Arg| matches!(argument.get_action(), ArgAction::Append))
            }
        }
    }
    match last {
        Some(argument) => {
            let (more, files) = values(&names, argument, current);
            found.extend(more);
            (found, files)
        }
        None => (found, false),
    }
}

fn about(command: &Command) -> String {
    command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default()
}

fn flags(command: &Command) -> Vec<Candidate> {
    let shown = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set());
    shown
        .filter_map(|argument| {
            let help = argument
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            argument
                .get_long()
                .map(|long| Candidate::new(format!("--{long}"), help))
        })
        .collect()
}

fn values(names: &Names<'_>, argument: &Arg, current: &str) -> (Vec<Candidate>, bool) {
    let fixed = argument.get_possible_values();
    // A flag has `true` and `false` in its definition.
    if !fixed.is_empty() && takes_value(argument) {
        let found = fixed.iter().filter(|value| !value.is_hide_set());
        let found = found.map(|value| {
            let help = value
                .get_help()
                .map(ToString::to_string)
                .unwrap_or_default();
            Candidate::new(value.get_name(), help)
        });
        return (found.collect(), false);
    }
    names.of(argument.get_id().as_str(), current)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(line: &str) -> String {
        let words = vec![line.to_owned()];
        complete(&Complete {
            shell: CompletionShell::Bash,
            words,
        })
    }

    #[test]
    fn commands_and_flags_come_from_the_definition() {
        assert_eq!(found("runbook res"), "resolve\nresume\n");
        assert_eq!(found("runbook run x --dry"), "--dry-run\n");
        assert_eq!(found("runbook report x --format "), "html\njson\nmd\n");
        assert_eq!(found("runbook report --format=h"), "html\n");
        assert_eq!(found("runbook --color al"), "always\n");
        assert!(!found("runbook ").contains("__complete"));
    }

    #[test]
    fn shipped_runbooks_and_their_parameters_are_known() {
        assert_eq!(found("runbook run tailscale-mt"), "tailscale-mtu\n:files\n");
        assert_eq!(found("runbook run tailscale-mtu -e lan"), "lan_iface=\n");
        assert!(found("runbook -v run tailscale-mtu --lab k3s-d").contains("k3s-double-tunnel\n"));
        assert!(found("runbook lab reset k3s-d").contains("k3s-double-tunnel\n"));
        assert_eq!(
            found("runbook check --explain RB10"),
            (1..=9).map(|n| format!("RB10{n}\n")).collect::<String>()
        );
        assert_eq!(found("runbook run x -i "), ":files\n");
    }

    #[test]
    fn a_line_is_split_as_a_shell_would() {
        let (words, current) = split("runbook run 'a b' -e 'x=1 2");
        assert_eq!(
            (words, current),
            (
                vec!["run".into(), "a b".into(), "-e".into()],
                "x=1 2".into()
            )
        );
        assert_eq!(split("runbook run "), (vec!["run".into()], String::new()));
    }
}
