//! The command line as clap sees it: definitions only, no behaviour. It is a contract that scripts depend on.

mod books;
mod runs;
mod values;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand};

use crate::model::RunId;

pub use books::{Check, Doc, Test};
pub use runs::{Decision, Gc, Resolve, Resume, Run, Talk, Undo};
pub use values::{
    Assignment, Color, CompletionShell, DocFormat, Output, ReportFormat, ShowFormat, Shown,
};
use values::{book_name, run_id, shown};

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
mod tests;
