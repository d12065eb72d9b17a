//! The command line is sound: what is accepted, what is refused, and that its help teaches and fits.

use clap::CommandFactory;

use super::*;

fn exit(words: &[&str]) -> u8 {
    parse(words).map_or_else(|stop| stop.exit, |_| 255)
}

#[test]
fn definitions_are_sound() {
    Cli::command().debug_assert();
}

#[test]
fn bad_usage_exits_64_and_help_exits_0() {
    assert_eq!(exit(&["runbook", "run"]), 64);
    assert_eq!(exit(&["runbook"]), 64);
    assert_eq!(exit(&["runbook", "run", "x", "-e", "novalue"]), 64);
    assert_eq!(exit(&["runbook", "run", "x", "--parallel", "0"]), 64);
    assert_eq!(exit(&["runbook", "resolve", "r", "0123456789abcdef"]), 64);
    assert_eq!(exit(&["runbook", "--help"]), 0);
    assert_eq!(exit(&["runbook", "--version"]), 0);
}

#[test]
fn an_unknown_flag_suggests_the_right_one() {
    let stop = parse(["runbook", "run", "x", "--dry-rn"]).unwrap_err();
    assert!(
        stop.error.to_string().contains("--dry-run"),
        "{}",
        stop.error
    );
}

#[test]
fn resume_edited_takes_a_file_or_none() {
    let edited = |words: &[&str]| match parse(words).unwrap().command {
        Command::Resume(resume) => resume.edited,
        other => panic!("{other:?}"),
    };
    assert_eq!(edited(&["runbook", "resume", "r"]), None);
    assert_eq!(edited(&["runbook", "resume", "r", "--edited"]), Some(None));
    assert_eq!(
        edited(&["runbook", "resume", "r", "--edited", "f"]),
        Some(Some("f".into()))
    );
}

#[test]
fn every_dry_run_spelling_is_the_same() {
    for word in ["--dry-run", "--check", "-C"] {
        let Command::Run(run) = parse(["runbook", "run", "x", word]).unwrap().command else {
            panic!("not a run");
        };
        assert!(run.dry_run, "{word}");
    }
}

#[test]
fn every_command_teaches_by_example() {
    let command = Cli::command();
    let shown = command
        .get_subcommands()
        .filter(|inner| !inner.is_hide_set());
    for inner in shown.filter(|inner| inner.get_name() != "help") {
        let more = inner.get_after_help().map(ToString::to_string);
        let more = more.unwrap_or_default();
        assert!(
            more.contains("Example"),
            "`{}` has no example",
            inner.get_name()
        );
    }
}

#[test]
fn help_fits_80_columns() {
    fn check(command: &mut clap::Command) {
        let help = command.render_long_help().to_string();
        for line in help.lines() {
            assert!(line.chars().count() <= 80, "{}: {line}", command.get_name());
        }
        command.get_subcommands_mut().for_each(check);
    }
    let mut command = Cli::command().term_width(80);
    command.build();
    check(&mut command);
}
