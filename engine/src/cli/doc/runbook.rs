//! The page of one runbook: what it is for, its parameters, its steps, how to run it, its text.

use super::page::{Block, Page};
use crate::script::{Header, ParameterSpec, ParameterType, SourceSet, steps};

/// The page of a checked runbook.
pub fn page(sources: &SourceSet, header: &Header) -> Page {
    let mut page = Page::default();
    page.heading(1, header.title.clone());
    page.comment(&header.description);
    page.heading(2, "Run it");
    let name = &sources.main;
    let needed: String = header
        .parameters
        .iter()
        .filter(|parameter| parameter.default.is_none())
        .map(|parameter| format!(" -e {}=…", parameter.name))
        .collect();
    page.blocks.push(Block::List(vec![
        (0, format!("`runbook run {name}{needed} --dry-run --diff` shows what would change, and touches nothing")),
        (0, format!("`runbook run {name}{needed}` does it")),
        (0, "`runbook undo RUN` puts back what a run changed".into()),
    ]));
    if !header.parameters.is_empty() {
        page.heading(2, "Parameters");
        let rows = header.parameters.iter().map(row).collect();
        page.blocks.push(Block::Table(
            vec!["parameter", "type", "default", "meaning"],
            rows,
        ));
    }
    let steps = steps(sources);
    if !steps.is_empty() {
        page.heading(2, "Steps");
        page.blocks.push(Block::List(steps));
    }
    page.heading(2, "Text");
    page.blocks
        .push(Block::Code(sources.main_text().to_owned()));
    page
}

fn row(parameter: &ParameterSpec) -> Vec<String> {
    let default = match &parameter.default {
        Some(value) if value.as_text() == Some("") => "empty".to_owned(),
        Some(value) => format!("`{value}`"),
        None => "must be given".to_owned(),
    };
    vec![
        format!("`{}`", parameter.name),
        kind(parameter),
        default,
        parameter.help.clone(),
    ]
}

fn kind(parameter: &ParameterSpec) -> String {
    match &parameter.kind {
        ParameterType::Text => match &parameter.pattern {
            Some(pattern) => format!("text that matches `{pattern}`"),
            None => "text".into(),
        },
        ParameterType::Int => match parameter.range {
            (Some(least), Some(most)) => format!("number from {least} to {most}"),
            (Some(least), None) => format!("number from {least}"),
            (None, Some(most)) => format!("number up to {most}"),
            (None, None) => "number".into(),
        },
        ParameterType::Bool => "true or false".into(),
        ParameterType::Duration => "duration".into(),
        ParameterType::Choice(choices) => choices
            .iter()
            .map(|choice| format!("`{choice}`"))
            .collect::<Vec<_>>()
            .join(" or "),
    }
}
