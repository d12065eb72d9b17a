//! The command line as clap sees it: definitions only, no behaviour. It is a contract that scripts depend on.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::model::{OperationId, RunId};

/// Exit status of a usage error (`EX_USAGE` of sysexits.h); nothing was touched.
pub const EXIT_USAGE: u8 = 64;

const EXAMPLES: &str = "\
Examples:
  runbook run mtu.rhai --lab k3s-double-tunnel   try it on a simulated cluster
  runbook run mtu.rhai --dry-run --diff          see what would change
  runbook run mtu.rhai -e lan_iface=eth1         do it
  runbook resume                                 go on after a crash or failure
  runbook undo RUN                               put back what a run changed

Exit status:
  0 done             1 failed             2 changes pending (--detailed-exitcode)
  3 a person must decide                  4 a target could not be reached
  64 bad usage, script or inventory       130 interrupted, can be resumed";

/// Runs runbooks: see first, survive anything, put it back.
#[derive(Clone, Debug, Parser)]
#[command(name = "runbook", version, after_help = EXAMPLES, max_term_width = 80, propagate_version = true)]
pub struct Cli {
    /// Options that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options that every command takes.
#[derive(Clone, Debug, Args)]
pub struct Global {
    /// Say more: -v observations and output, -vv details, -vvv everything.
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
    /// When to use colours. NO_COLOR and CI switch them off under `auto`.
    #[arg(long, global = true, value_enum, default_value_t, value_name = "WHEN")]
    pub color: Color,
    /// Directory of the runs [default: the XDG state directory].
    #[arg(
        long,
        global = true,
        env = "RUNBOOK_STATE_DIR",
        hide_env_values = true,
        value_name = "DIR"
    )]
    pub state_dir: Option<PathBuf>,
    /// Filter of the log on stderr, such as `runbook=debug`.
    #[arg(
        long,
        global = true,
        env = "RUNBOOK_LOG",
        hide_env_values = true,
        value_name = "FILTER"
    )]
    pub log: Option<String>,
}

/// When to use colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Color {
    /// On a terminal, unless NO_COLOR or CI is set.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The form of the result on stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// For people.
    #[default]
    Text,
    /// One event a line, with a schema version.
    Json,
}

/// The form of a report.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ReportFormat {
    /// Markdown.
    #[default]
    Md,
    /// One HTML file.
    Html,
    /// For programs.
    Json,
}

/// The form in which a run or a plan is shown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ShowFormat {
    /// For people.
    #[default]
    Text,
    /// Markdown, for a pull request or a ticket.
    Md,
    /// For programs.
    Json,
}

/// What is to be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A run.
    Run(RunId),
    /// The file of a plan.
    Plan(PathBuf),
}

fn shown(text: &str) -> Result<Shown, String> {
    match RunId::parse(text) {
        // A name of a run that is also a file's: the file is a plan, or is not meant.
        Some(run) if !super::plan_file::is_plan(text.as_ref()) => Ok(Shown::Run(run)),
        _ if std::path::Path::new(text).exists() => Ok(Shown::Plan(text.into())),
        _ => Err(
            "neither the name of a run (`runbook list` shows them) nor the file of a plan"
                .to_owned(),
        ),
    }
}

/// `NAME=VALUE` as it is given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Before the first `=`.
    pub name: String,
    /// After it; may be empty, may contain `=`.
    pub value: String,
}

fn assignment(text: &str) -> Result<Assignment, String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok(Assignment {
            name: name.to_owned(),
            value: value.to_owned(),
        }),
        _ => Err("expected NAME=VALUE, such as lan_iface=eth1".to_owned()),
    }
}

fn run_id(text: &str) -> Result<RunId, String> {
    RunId::parse(text).ok_or_else(|| "not the name of a run; `runbook list` shows them".to_owned())
}

fn operation_id(text: &str) -> Result<OperationId, String> {
    OperationId::parse(text).ok_or_else(|| {
        "not the name of an operation (16 hexadecimal digits); `runbook status RUN` shows it"
            .to_owned()
    })
}

fn book_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let begins = text.starts_with(|c: char| c.is_ascii_lowercase());
    match begins && text.len() <= 60 && text.chars().all(fits) {
        true => Ok(text.to_owned()),
        false => Err("expected small letters, digits and dashes, such as rotate-logs".to_owned()),
    }
}

fn at_least_one(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(number) if number >= 1 => Ok(number),
        _ => Err("expected a whole number from 1".to_owned()),
    }
}

/// What to do.
#[derive(Clone, Debug, Subcommand)]
pub enum Command {
    /// Run a runbook, or show what it would do.
    Run(Box<Run>),
    /// Go on with a run that stopped.
    Resume(Resume),
    /// Say what became of an operation that the target cannot tell.
    Resolve(Resolve),
    /// Put back what a run changed.
    Undo(Undo),
    /// List the runs, newest first.
    #[command(
        after_help = "Example:\n  runbook list    then: runbook show RUN, runbook resume RUN, runbook undo RUN"
    )]
    List,
    /// Show where a run stands and what to do next.
    #[command(after_help = "\
Examples:
  runbook status        the newest run
  runbook status RUN    its open questions and operations in flight, too")]
    Status {
        /// The run [default: the newest].
        #[arg(value_parser = run_id)]
        run: Option<RunId>,
    },
    /// Read everything that a run did, or a saved plan.
    #[command(after_help = "\
Examples:
  runbook show RUN                        what a run did, in order
  runbook show mtu.plan                   a plan that a dry run saved
  runbook show mtu.plan --format md       the same for a pull request or ticket")]
    Show {
        /// The run, or the file of a plan.
        #[arg(value_name = "RUN|PLAN", value_parser = shown)]
        what: Shown,
        /// The form; Markdown is for plans (`report` writes that of a run).
        #[arg(long, value_enum, default_value_t)]
        format: ShowFormat,
        /// Print the journal's records, one JSON object a line.
        #[arg(long, conflicts_with = "format")]
        json: bool,
    },
    /// Write a run's report: for a ticket, an archive, a program.
    #[command(
        after_help = "Example:\n  runbook report RUN --format html --out report.html    one file, needs nothing else"
    )]
    Report {
        /// The run [default: the newest].
        #[arg(value_parser = run_id)]
        run: Option<RunId>,
        /// The form.
        #[arg(long, value_enum, default_value_t)]
        format: ReportFormat,
        /// Write to this file instead of stdout.
        #[arg(long, value_name = "FILE")]
        out: Option<PathBuf>,
    },
    /// Remove what runs left behind: helper pods, test pods, markers.
    Gc(Gc),
    /// Check everything that a runbook needs here, and touch nothing.
    Doctor(Doctor),
    /// Check that a run's journal is whole and unaltered.
    #[command(after_help = "\
Examples:
  runbook verify RUN             after a full disk, a power cut, for an audit
  runbook verify RUN --repair    restore what can be proven")]
    Verify {
        /// The run.
        #[arg(value_parser = run_id)]
        run: RunId,
        /// Restore a damaged journal as far as it can be proven; the damaged
        /// files are kept beside it.
        #[arg(long)]
        repair: bool,
    },
    /// Check runbooks without running them.
    Check(Check),
    /// Begin a runbook: with a test and a lab, that pass at once.
    #[command(
        after_help = "Example:\n  runbook new rotate-logs && runbook test rotate-logs_test.rhai"
    )]
    New {
        /// Its name: small letters, digits and dashes.
        #[arg(value_name = "NAME", value_parser = book_name)]
        name: String,
    },
    /// Run the tests of runbooks (`…_test.rhai`), each on a lab of its own.
    Test(Test),
    /// Show a runbook's page, or the reference of the language.
    Doc(Doc),
    /// Look at the simulated clusters.
    #[command(after_help = "\
Examples:
  runbook lab list
  runbook run tailscale-mtu --lab k3s-double-tunnel    use one
  runbook lab show k3s-double-tunnel                   what it is like now
  runbook lab reset k3s-double-tunnel                  as it was at first")]
    Lab {
        /// What to do with them.
        #[command(subcommand)]
        command: Lab,
    },
    /// Print completions for a shell.
    #[command(after_help = "\
Examples:
  runbook completions bash > /etc/bash_completion.d/runbook
  runbook completions zsh > ~/.zfunc/_runbook       a folder of $fpath
  runbook completions fish > ~/.config/fish/completions/runbook.fish")]
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: CompletionShell,
    },
    /// Print the manual pages, or write them into a folder.
    #[command(after_help = "\
Examples:
  runbook man | man -l -                             read it
  runbook man --out /usr/local/share/man/man1        install all pages")]
    Man {
        /// Write one page a command into this folder.
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    /// What could stand at the cursor: asked by the shells.
    #[command(name = "__complete", hide = true)]
    Complete(Complete),
}

/// `runbook run`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  runbook run mtu.rhai --dry-run --diff       show what would change, touch nothing
  runbook run mtu.rhai -i prod.yaml -l agents only the hosts of a group
  runbook run mtu.rhai -y                     answer every confirmation with yes
  runbook run mtu.rhai --dry-run --out mtu.plan    keep the plan for a review
  runbook run --plan mtu.plan                 do exactly what was reviewed")]
pub struct Run {
    /// A runbook's file, or the name of a shipped one.
    #[arg(value_name = "FILE|NAME", required_unless_present = "plan")]
    pub runbook: Option<String>,
    /// Carry out exactly this plan; refused where it no longer fits.
    #[arg(long, value_name = "PLAN", conflicts_with_all = ["runbook", "dry_run", "vars", "var_file", "limit", "lab", "context", "kubeconfig"])]
    pub plan: Option<PathBuf>,
    /// Save the plan of a dry run in this file.
    #[arg(long, value_name = "PLAN", requires = "dry_run")]
    pub out: Option<PathBuf>,
    /// Show what would change and touch nothing.
    #[arg(short = 'C', long, visible_alias = "check")]
    pub dry_run: bool,
    /// Start no helper pods in a dry run: what nodes that are reached through them would tell is unknown then.
    #[arg(long, requires = "dry_run")]
    pub no_observer_pods: bool,
    /// Exit with 2 if a dry run finds changes.
    #[arg(long, requires = "dry_run")]
    pub detailed_exitcode: bool,
    /// A parameter (repeat for more); RUNBOOK_VAR_x gives x too.
    #[arg(short = 'e', long = "var", value_name = "K=V", value_parser = assignment)]
    pub vars: Vec<Assignment>,
    /// A YAML file of parameters.
    #[arg(long, value_name = "FILE")]
    pub var_file: Option<PathBuf>,
    /// The hosts.
    #[arg(
        short,
        long,
        env = "RUNBOOK_INVENTORY",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub inventory: Option<PathBuf>,
    /// Only these hosts or groups; matching nothing is an error.
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// Run on a simulated cluster: a built-in one, or a lab's folder or file.
    #[arg(long, value_name = "NAME|PATH")]
    pub lab: Option<String>,
    /// At most N connections at once.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub parallel: Option<usize>,
    /// Context of the kubeconfig.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The kubeconfig [default: KUBECONFIG, then ~/.kube/config].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Answers and display.
    #[command(flatten)]
    pub talk: Talk,
}

/// How a run talks with a person; shared by `run` and `resume`.
#[derive(Clone, Debug, Args)]
pub struct Talk {
    /// Answer approvals with yes; never switches a check off.
    #[arg(short, long, env = "RUNBOOK_YES", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub yes: bool,
    /// Walk through it: show each change and command before it happens, and ask.
    #[arg(long)]
    pub step: bool,
    /// Answer a question beforehand (repeat for more).
    #[arg(long = "answer", value_name = "NAME=VALUE", value_parser = assignment)]
    pub answers: Vec<Assignment>,
    /// Show changes as diffs.
    #[arg(short = 'D', long)]
    pub diff: bool,
    /// Form of the result on stdout.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: Output,
}

/// `runbook gc`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  runbook gc                          what the runs of this machine left behind
  runbook gc --dry-run                only list it
  runbook gc --kubeconfig admin.yaml  also list what others left in that cluster")]
pub struct Gc {
    /// The run [default: all of this machine that do not run now].
    #[arg(value_parser = run_id)]
    pub run: Option<RunId>,
    /// Only list.
    #[arg(long)]
    pub dry_run: bool,
    /// Context of the kubeconfig: look into this cluster too.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// A kubeconfig: look into its cluster too.
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

impl Gc {
    /// Whether a cluster is to be looked into, whoever left something there.
    pub fn cluster_is_named(&self) -> bool {
        self.context.is_some() || self.kubeconfig.is_some()
    }
}

/// `runbook doctor`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  runbook doctor -i prod.yaml             the hosts, and the cluster if there is one
  runbook doctor mtu.rhai -i prod.yaml    also every permission that the runbook needs")]
pub struct Doctor {
    /// A runbook whose needs are checked.
    #[arg(value_name = "FILE|NAME")]
    pub runbook: Option<String>,
    /// The hosts.
    #[arg(
        short,
        long,
        env = "RUNBOOK_INVENTORY",
        hide_env_values = true,
        value_name = "FILE"
    )]
    pub inventory: Option<PathBuf>,
    /// Only these hosts or groups; matching nothing is an error.
    #[arg(short, long, value_name = "PATTERN")]
    pub limit: Option<String>,
    /// Context of the kubeconfig.
    #[arg(long, value_name = "NAME")]
    pub context: Option<String>,
    /// The kubeconfig [default: KUBECONFIG, then ~/.kube/config].
    #[arg(long, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
}

/// `runbook resume`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  runbook resume                      the newest run that stopped
  runbook resume RUN --edited         with the script as it is now in its file
  runbook resume RUN --answer ok=yes  answer what was asked")]
pub struct Resume {
    /// The run [default: the newest that stopped].
    #[arg(value_parser = run_id)]
    pub run: Option<RunId>,
    /// Go on with an edited script [default FILE: where it came from].
    #[arg(long, value_name = "FILE", num_args = 0..=1)]
    pub edited: Option<Option<PathBuf>>,
    /// Answers and display.
    #[command(flatten)]
    pub talk: Talk,
}

/// `runbook resolve`.
#[derive(Clone, Debug, Args)]
#[command(
    after_help = "Example:\n  runbook resolve RUN OP --done --why \"k3s was restarted, see its log\""
)]
pub struct Resolve {
    /// The run.
    #[arg(value_parser = run_id)]
    pub run: RunId,
    /// The operation, as `runbook status RUN` names it.
    #[arg(value_name = "OP", value_parser = operation_id)]
    pub operation: OperationId,
    /// What became of it.
    #[command(flatten)]
    pub decision: Decision,
    /// Why, for the journal.
    #[arg(long, value_name = "TEXT")]
    pub why: Option<String>,
}

/// What became of an operation: exactly one of these.
#[derive(Clone, Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Decision {
    /// It was done: go on behind it.
    #[arg(long)]
    pub done: bool,
    /// It was not done: do it again.
    #[arg(long)]
    pub retry: bool,
    /// Give the run up.
    #[arg(long)]
    pub abort: bool,
}

/// `runbook undo`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "Example:\n  runbook undo RUN --dry-run    show what would be put back")]
pub struct Undo {
    /// The run.
    #[arg(value_parser = run_id)]
    pub run: RunId,
    /// Put back only down to this step (which is put back too).
    #[arg(long, value_name = "STEP")]
    pub to: Option<String>,
    /// Show what would be put back and touch nothing.
    #[arg(short = 'C', long)]
    pub dry_run: bool,
    /// Do not ask first.
    #[arg(short, long, env = "RUNBOOK_YES", hide_env_values = true, value_parser = clap::builder::FalseyValueParser::new())]
    pub yes: bool,
    /// Overwrite what was changed by others since the run.
    #[arg(long)]
    pub force: bool,
}

/// A shell that completions exist for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum CompletionShell {
    /// GNU bash, 4 or newer.
    Bash,
    /// zsh.
    Zsh,
    /// fish.
    Fish,
}

/// `runbook __complete`.
#[derive(Clone, Debug, Args)]
pub struct Complete {
    /// Who asks.
    #[arg(value_enum)]
    pub shell: CompletionShell,
    /// bash: the line up to the cursor; others: the words behind the program's name, the last is the cursor's.
    #[arg(last = true)]
    pub words: Vec<String>,
}

/// `runbook check`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  runbook check mtu.rhai            errors, and warnings with their codes
  runbook check *.rhai --strict     in CI: a warning fails the check
  runbook check --explain RB103     what a code means, with an example
  runbook check --explain all       every code in one line

A comment silences one warning, with the reason, on its line or above it:
  // allow RB103: this uname counts its calls

Exit status: 0 no errors, 1 warnings (--strict only), 64 errors.")]
pub struct Check {
    /// Runbooks, or names of shipped ones.
    #[arg(required_unless_present = "explain", value_name = "FILE|NAME")]
    pub files: Vec<String>,
    /// Explain a code; `all` lists them.
    #[arg(long, value_name = "CODE", conflicts_with = "files")]
    pub explain: Option<String>,
    /// Exit with 1 if there are warnings.
    #[arg(long)]
    pub strict: bool,
    /// Form of the result on stdout.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: Output,
}

/// `runbook doc`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  runbook doc                         every host word, the library, examples
  runbook doc mtu.rhai                the page of a runbook
  runbook doc mtu.rhai --format html --out mtu.html")]
pub struct Doc {
    /// A runbook [default: the reference of the language].
    #[arg(value_name = "FILE|NAME")]
    pub runbook: Option<String>,
    /// The form.
    #[arg(long, value_enum, default_value_t)]
    pub format: DocFormat,
    /// Write to this file instead of stdout.
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// The form of documentation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum DocFormat {
    /// Markdown.
    #[default]
    Md,
    /// One HTML file.
    Html,
}

/// `runbook test`.
#[derive(Clone, Debug, Args)]
#[command(after_help = "\
Examples:
  runbook test                             every test below this folder
  runbook test mtu_test.rhai --crash       kill each run at every record, resume, compare
  runbook test --junit results.xml         for CI

Exit status: 0 all passed, 1 a test failed, 64 a file of tests is wrong or there is none.")]
pub struct Test {
    /// Files of tests, or folders to look for them [default: this folder].
    #[arg(value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Kill every run of the tests at every record of its journal, resume it,
    /// and compare what it comes to.
    #[arg(long)]
    pub crash: bool,
    /// Only tests with this text in their name.
    #[arg(long, value_name = "TEXT")]
    pub only: Option<String>,
    /// Write the results as JUnit XML.
    #[arg(long, value_name = "FILE")]
    pub junit: Option<PathBuf>,
    /// At most N tests at once [default: one for each processor].
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub parallel: Option<usize>,
    /// Form of the result on stdout.
    #[arg(short, long, value_enum, default_value_t, value_name = "FORM")]
    pub output: Output,
}

/// `runbook lab`.
#[derive(Clone, Debug, Subcommand)]
pub enum Lab {
    /// List the labs.
    List,
    /// Show the state of a lab.
    Show {
        /// The lab.
        name: String,
    },
    /// Put a lab back into its first state.
    Reset {
        /// The lab.
        name: String,
    },
}

/// What `parse` found instead of a command: text to print and the exit status to leave with.
#[derive(Debug)]
pub struct Stop {
    /// What to print (`error.print()` chooses stdout for help, stderr for errors).
    pub error: clap::Error,
    /// 0 for help and version, [`EXIT_USAGE`] for bad usage.
    pub exit: u8,
}

/// Reads a command line (its first word is the program's name).
///
/// # Errors
/// Bad usage, or a request for help or the version.
pub fn parse<I, T>(words: I) -> Result<Cli, Box<Stop>>
where
    I: IntoIterator<Item = T>,
    T: Into<OsString> + Clone,
{
    Cli::try_parse_from(words).map_err(|error| {
        let exit = match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => 0,
            _ => EXIT_USAGE,
        };
        Box::new(Stop { error, exit })
    })
}

#[cfg(test)]
mod tests {
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
}
