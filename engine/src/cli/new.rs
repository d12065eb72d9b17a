//! `runbook new`: a runbook to begin with, its test and its lab.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::console::Console;
use super::problem::Problem;
use crate::report::Diagnostic;

/// The files by their names, in which `NAME` stands for the runbook's.
const FILES: [(&str, &str); 4] = [
    ("NAME.rhai", include_str!("../../templates/runbook.rhai")),
    ("NAME_test.rhai", include_str!("../../templates/test.rhai")),
    (
        "NAME-lab/lab.yaml",
        include_str!("../../templates/lab.yaml"),
    ),
    (
        "NAME-lab/behaviour.rhai",
        include_str!("../../templates/behaviour.rhai"),
    ),
];

/// Makes them in this folder. Nothing that is there is overwritten.
pub fn new(name: &str, console: &Console) -> Result<u8, Problem> {
    let named = |text: &str| text.replace("NAME", name);
    let paths: Vec<PathBuf> = FILES
        .iter()
        .map(|(path, _)| PathBuf::from(named(path)))
        .collect();
    if let Some(there) = paths.iter().find(|path| path.exists()) {
        return Err(Problem::usage(
            Diagnostic::error(format!("{} is there already", there.display()))
                .help("choose another name; nothing was written"),
        ));
    }
    for (path, (_, text)) in paths.iter().zip(FILES) {
        write(path, &named(text)).map_err(|error| {
            Problem::failed(Diagnostic::error(format!(
                "{} cannot be written: {error}",
                path.display()
            )))
        })?;
        console.print(&format!("made {}\n", path.display()));
    }
    console.print(&format!(
        "\nNow:\n  runbook test {name}_test.rhai\n  runbook run {name}.rhai --lab {name}-lab --dry-run\n"
    ));
    Ok(0)
}

fn write(path: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    File::create_new(path)?.write_all(text.as_bytes())
}
