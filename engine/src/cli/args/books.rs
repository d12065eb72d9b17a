//! Arguments of the commands for whoever writes runbooks: check, doc, test.

use std::path::PathBuf;

use clap::Args;

use super::values::{DocFormat, Output, at_least_one};

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
