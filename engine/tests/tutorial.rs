//! docs/tutorial.md, followed to the letter: its files are written, its commands are run, and what it shows of their
//! output is there.

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, said};

const PAGE: &str = include_str!("../../docs/tutorial.md");

/// A fenced block: what stands behind the fence, and the lines in it.
fn blocks() -> Vec<(String, Vec<&'static str>)> {
    let mut found = Vec::new();
    let mut lines = PAGE.lines();
    while let Some(line) = lines.next() {
        if let Some(kind) = line.strip_prefix("```") {
            let inside = lines.by_ref().take_while(|line| *line != "```").collect();
            found.push((kind.to_owned(), inside));
        }
    }
    found
}

#[test]
fn the_tutorial_is_true() {
    let bench = Bench::new();
    let mut commands = 0;
    for (kind, lines) in blocks() {
        let words: Vec<&str> = kind.split_whitespace().collect();
        match words.as_slice() {
            ["console"] => commands += console(&bench, &lines),
            ["rhai", file] => {
                bench.write(file, &text(&lines));
            }
            ["rhai", file, "+"] => {
                let before = std::fs::read_to_string(bench.path().join(file)).unwrap();
                bench.write(file, &format!("{before}\n{}", text(&lines)));
            }
            other => panic!("a block of an unknown kind: {other:?}"),
        }
    }
    assert!(commands > 15, "only {commands} commands were found");
}

fn text(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

/// Runs the commands of a block; gives how many.
fn console(bench: &Bench, lines: &[&str]) -> usize {
    let mut lines = lines.iter().peekable();
    let mut commands = 0;
    while let Some(line) = lines.next() {
        let command = line
            .strip_prefix("$ runbook ")
            .unwrap_or_else(|| panic!("not a command: {line}"));
        let mut shown = Vec::new();
        while let Some(line) = lines.next_if(|line| !line.starts_with("$ ")) {
            shown.push(*line);
        }
        run(bench, command, &shown);
        commands += 1;
    }
    commands
}

fn run(bench: &Bench, command: &str, shown: &[&str]) {
    let runs = || {
        let folder = bench.state().join("runs");
        let mut runs: Vec<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|run| run.unwrap().file_name().into_string().unwrap())
            .collect();
        runs.sort();
        runs
    };
    let words: Vec<String> = command
        .split_whitespace()
        .map(|word| match word {
            "RUN" => runs().pop().unwrap(),
            "OLDER" => runs().iter().rev().nth(1).unwrap().clone(),
            word => word.to_owned(),
        })
        .collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = bench.run(&words);
    let text = said(&output);
    let mut wanted = 0;
    let mut rest = text.lines().peekable();
    let mut skip = false;
    for line in shown {
        if let Some(status) = line.strip_prefix("(exit status ") {
            wanted = status.trim_end_matches(')').parse().unwrap();
        } else if *line == "…" {
            skip = true;
        } else {
            // A line ends with `*` where what follows differs from run to run.
            let fits = |other: &str| match line.strip_suffix('*') {
                Some(beginning) => other.starts_with(beginning),
                None => other == *line,
            };
            let found = match skip {
                true => rest.any(fits),
                false => rest.next().is_some_and(fits),
            };
            assert!(
                found,
                "`runbook {command}` does not print\n{line}\nin its place in\n{text}"
            );
            skip = false;
        }
    }
    assert!(
        skip || wanted != 0 || rest.peek().is_none(),
        "`runbook {command}` prints more:\n{text}"
    );
    assert_eq!(
        output.status.code(),
        Some(wanted),
        "`runbook {command}`\n{text}"
    );
}
