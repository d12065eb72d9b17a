//! Manual pages, made from the definition of the command line.

use std::fmt::Write as _;
use std::path::Path;

use clap::{Arg, ArgAction, Command, CommandFactory};

use super::args::Cli;
use super::console::Console;
use super::problem::Problem;
use crate::report::Diagnostic;

/// Prints the main page, or writes all pages into a folder.
pub fn man(out: Option<&Path>, console: &Console) -> Result<u8, Problem> {
    let mut root = Cli::command();
    root.build();
    let pages = pages(&root);
    let Some(folder) = out else {
        console.print(&pages[0].1);
        return Ok(0);
    };
    let failed = |path: &Path, error: std::io::Error| {
        let path = path.display();
        Problem::failed(Diagnostic::error(format!(
            "{path} cannot be written: {error}"
        )))
    };
    std::fs::create_dir_all(folder).map_err(|error| failed(folder, error))?;
    for (name, text) in &pages {
        let path = folder.join(format!("{name}.1"));
        std::fs::write(&path, text).map_err(|error| failed(&path, error))?;
    }
    console.print(&format!("{} pages in {}\n", pages.len(), folder.display()));
    Ok(0)
}

/// The name and text of every page, the program's own first.
fn pages(root: &Command) -> Vec<(String, String)> {
    let mut found = Vec::new();
    collect(root, "runbook", &mut found);
    found
}

fn collect(command: &Command, name: &str, found: &mut Vec<(String, String)>) {
    found.push((name.replace(' ', "-"), page(command, name)));
    let inner = command.get_subcommands();
    for inner in inner.filter(|inner| !inner.is_hide_set() && inner.get_name() != "help") {
        collect(inner, &format!("{name} {}", inner.get_name()), found);
    }
}

fn page(command: &Command, name: &str) -> String {
    let dashed = name.replace(' ', "-");
    let about = command
        .get_about()
        .map(ToString::to_string)
        .unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    let mut out = format!(
        ".TH \"{}\" 1 \"\" \"runbook {version}\" \"runbook\"\n.SH NAME\n{} \\- {}\n.SH SYNOPSIS\n",
        dashed.to_uppercase(),
        roff(&dashed),
        roff(about.trim_end_matches('.'))
    );
    let usage = command.clone().render_usage().to_string();
    let usage = usage.trim_start_matches("Usage: ");
    let usage = usage.split_once(' ').map_or("", |(_, rest)| rest);
    // Writing into a String cannot fail.
    let _ = writeln!(out, ".B {}\n{}", roff(name), roff(usage));
    let long = command.get_long_about().or(command.get_about());
    let _ = writeln!(
        out,
        ".SH DESCRIPTION\n{}",
        roff(&long.map(ToString::to_string).unwrap_or_default())
    );
    let inner: Vec<&Command> = command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set() && inner.get_name() != "help")
        .collect();
    if !inner.is_empty() {
        out.push_str(".SH COMMANDS\n");
        for inner in inner {
            let about = inner
                .get_about()
                .map(ToString::to_string)
                .unwrap_or_default();
            let page = format!("{dashed}-{}", inner.get_name());
            let _ = writeln!(out, ".TP\n.BR {} (1)\n{}", roff(&page), roff(&about));
        }
    }
    options(command, &mut out);
    if let Some(more) = command.get_after_help() {
        let mut open = false;
        for line in more.to_string().lines() {
            match line.strip_suffix(':').filter(|_| !line.starts_with(' ')) {
                Some(title) => {
                    close(&mut out, &mut open);
                    let _ = writeln!(out, ".SH {}\n.nf", title.to_uppercase());
                    open = true;
                }
                None => {
                    let _ = writeln!(out, "{}", roff(line));
                }
            }
        }
        close(&mut out, &mut open);
    }
    if name != "runbook" {
        out.push_str(".SH SEE ALSO\n.BR runbook (1)\n");
    }
    out
}

fn close(out: &mut String, open: &mut bool) {
    if std::mem::take(open) {
        out.push_str(".fi\n");
    }
}

fn options(command: &Command, out: &mut String) {
    let shown: Vec<&Arg> = command
        .get_arguments()
        .filter(|argument| !argument.is_hide_set())
        .collect();
    if shown.is_empty() {
        return;
    }
    out.push_str(".SH OPTIONS\n");
    for argument in shown {
        let value = argument
            .get_value_names()
            .map(|names| {
                names
                    .iter()
                    .map(ToString::to_string)
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .filter(|_| matches!(argument.get_action(), ArgAction::Set | ArgAction::Append));
        let mut names: Vec<String> = Vec::new();
        names.extend(argument.get_short().map(|letter| format!("-{letter}")));
        names.extend(argument.get_long().map(|long| format!("--{long}")));
        let head = match (names.is_empty(), value) {
            (true, value) => value.unwrap_or_else(|| argument.get_id().to_string()),
            (false, Some(value)) => format!("{} {value}", names.join(", ")),
            (false, None) => names.join(", "),
        };
        let help = argument.get_long_help().or(argument.get_help());
        let help = help.map(ToString::to_string).unwrap_or_default();
        // Writing into a String cannot fail.
        let _ = writeln!(out, ".TP\n.B {}\n{}", roff(&head), roff(&help));
    }
}

/// A text in which nothing is a request of the formatter.
fn roff(text: &str) -> String {
    let line = |line: &str| {
        let line: String = line.chars().fold(String::new(), |mut out, c| {
            match c {
                '\\' => out.push_str("\\e"),
                '-' => out.push_str("\\-"),
                c if c.is_ascii() => out.push(c),
                c => out.push_str(&format!("\\[u{:04X}]", u32::from(c))),
            }
            out
        });
        match line.starts_with(['.', '\'']) {
            true => format!("\\&{line}"),
            false => line,
        }
    };
    text.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_command_has_a_page() {
        let mut root = Cli::command();
        root.build();
        let pages = pages(&root);
        for name in [
            "runbook",
            "runbook-run",
            "runbook-lab-reset",
            "runbook-check",
        ] {
            let (_, text) = pages.iter().find(|(other, _)| other == name).unwrap();
            for section in [".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS"] {
                assert!(text.contains(section), "{name}: {section} in\n{text}");
            }
        }
        assert!(pages.iter().all(|(name, _)| !name.contains("__complete")));
    }

    #[test]
    fn no_text_becomes_a_request() {
        assert_eq!(roff(".x\n'y\n\\fBz-a"), "\\&.x\n\\&'y\n\\efBz\\-a");
    }
}
