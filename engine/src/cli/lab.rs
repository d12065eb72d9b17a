//! `runbook lab`: the simulated clusters.

use super::args::{Global, Lab as LabCommand};
use super::console::Console;
use super::ground::open_lab;
use super::problem::Problem;
use super::run::labs;
use crate::lab::{Lab, LabAccess, catalog};
use crate::report::Diagnostic;

/// Lists, shows, resets.
pub fn lab(command: &LabCommand, global: &Global, console: &Console) -> Result<u8, Problem> {
    let labs = labs(global)?;
    let usage = |error: crate::lab::LabError| Problem::usage(Diagnostic::error(error.to_string()));
    match command {
        LabCommand::List => {
            for name in catalog::names() {
                let definition = catalog::find(name).map_err(usage)?.definition;
                console.print(&format!("{name}  {}\n", definition.title));
            }
        }
        LabCommand::Show { name } => {
            let summary = open_lab(name, &labs, LabAccess::ReadOnly)?
                .summary()
                .map_err(usage)?;
            let text = serde_json::to_string_pretty(&summary)
                .map_err(|error| Problem::failed(Diagnostic::error(error.to_string())))?;
            console.print(&format!("{text}\n"));
        }
        LabCommand::Reset { name } => {
            // Made with the permissions that the state of runs needs, for which it may be the first use.
            super::run::state(global)?;
            Lab::reset(name, &labs).map_err(usage)?;
            console.print(&format!("lab {name} is in its first state\n"));
        }
    }
    Ok(0)
}
