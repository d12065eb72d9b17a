//! `runbook doc`: a runbook's page, or the reference of the language and its library.

mod examples;
mod page;
mod runbook;
mod words;

use super::args::{Doc, DocFormat};
use super::console::Console;
use super::prepare;
use super::problem::Problem;
use crate::report::Diagnostic;
use crate::script::Names;

/// Prints or writes a page.
pub fn doc(arguments: &Doc, console: &Console) -> Result<u8, Problem> {
    let (title, page) = match &arguments.runbook {
        Some(name) => {
            let sources = prepare::load(name)?;
            let header = prepare::checked(&sources, &Names::default(), console)?;
            (header.title.clone(), runbook::page(&sources, &header))
        }
        None => ("The language of runbooks".to_owned(), words::page()),
    };
    let text = match arguments.format {
        DocFormat::Md => page.markdown(),
        DocFormat::Html => page.html(&title),
    };
    match &arguments.out {
        None => console.print(&text),
        Some(path) => std::fs::write(path, text).map_err(|error| {
            let path = path.display();
            Problem::failed(Diagnostic::error(format!(
                "{path} cannot be written: {error}"
            )))
        })?,
    }
    Ok(0)
}
