//! Arguments of the commands that start a run or go on with one: run, resume, resolve, undo, gc.

use std::path::PathBuf;

use clap::Args;

use super::values::{Assignment, Output, assignment, at_least_one, operation_id, run_id};
use crate::model::{OperationId, RunId};

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
