//! `runbook doc`: a runbook's description and parameters, or the words of the language.

use std::path::Path;

use super::console::Console;
use super::prepare;
use super::problem::Problem;
use crate::script::{Header, Names, SourceSet};

/// Prints Markdown.
pub fn doc(file: Option<&Path>, console: &Console) -> Result<u8, Problem> {
    let text = match file {
        Some(file) => {
            let sources = prepare::load(&file.display().to_string())?;
            let header = prepare::checked(&sources, &Names::default(), console)?;
            of_runbook(&sources, &header)
        }
        None => words(),
    };
    console.print(&text);
    Ok(0)
}

fn of_runbook(sources: &SourceSet, header: &Header) -> String {
    let mut text = format!(
        "# {}\n\n{}\n\n`runbook run {}`\n",
        header.title,
        header.description.trim(),
        sources.main
    );
    if !header.parameters.is_empty() {
        text.push_str("\n| parameter | default | meaning |\n| --- | --- | --- |\n");
    }
    for parameter in &header.parameters {
        let default = parameter
            .default
            .as_ref()
            .map_or("(must be given)".to_owned(), |value| format!("`{value}`"));
        text.push_str(&format!(
            "| `{}` | {default} | {} |\n",
            parameter.name, parameter.help
        ));
    }
    text
}

/// The functions of the standard library with their comments, and the shipped runbooks.
fn words() -> String {
    let mut text = String::from("# The standard library\n");
    for (name, source) in SourceSet::standard_library() {
        text.push_str(&format!("\n## {name}\n"));
        let mut comment: Vec<&str> = Vec::new();
        for line in source.lines() {
            if let Some(words) = line.strip_prefix("//! ") {
                text.push_str(&format!("{words}\n"));
            } else if let Some(words) = line.strip_prefix("/// ") {
                comment.push(words);
            } else {
                if let Some(signature) = line.strip_prefix("fn ") {
                    let signature = signature.split('{').next().unwrap_or_default().trim();
                    text.push_str(&format!("\n### `{signature}`\n{}\n", comment.join("\n")));
                }
                comment.clear();
            }
        }
    }
    text.push_str("\n# Shipped runbooks\n");
    for name in SourceSet::shipped_names() {
        text.push_str(&format!("- {name}\n"));
    }
    text
}
