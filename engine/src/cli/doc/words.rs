//! The reference: every host word, the standard library with its examples, the shipped runbooks.

use super::examples;
use super::page::{Block, Page};
use crate::script::{Class, SourceSet, WORDS};

/// All of it.
pub fn page() -> Page {
    let mut page = Page::default();
    page.heading(1, "The language of runbooks");
    page.paragraph(
        "A runbook is a Rhai script (https://rhai.rs/book) with the words below. `switch`, `eval`, `sleep` and the \
         interpreter's clock are not part of it.",
    );
    page.heading(2, "Host words");
    for (class, title, text) in Class::ALL {
        page.heading(3, title);
        page.paragraph(text);
        for word in WORDS.iter().filter(|word| word.class == class) {
            let calls: Vec<String> = word.calls.iter().map(|call| format!("`{call}`")).collect();
            page.heading(4, calls.join(", "));
            page.paragraph(word.text);
            if !word.options.is_empty() {
                let rows = word
                    .options
                    .iter()
                    .map(|(name, meaning)| vec![format!("`{name}`"), (*meaning).to_owned()])
                    .collect();
                page.blocks
                    .push(Block::Table(vec!["option", "meaning"], rows));
            }
            page.blocks.push(Block::Code(word.example.to_owned()));
        }
    }
    page.heading(2, "The standard library");
    for (name, source) in SourceSet::standard_library() {
        module(&mut page, name, source);
    }
    page.heading(2, "Shipped runbooks");
    page.blocks.push(Block::List(
        SourceSet::shipped_names()
            .map(|name| (0, format!("`{name}`")))
            .collect(),
    ));
    page
}

/// A module's functions with their comments.
fn module(page: &mut Page, name: &str, source: &str) {
    page.heading(3, name);
    let about: Vec<&str> = source
        .lines()
        .map_while(|line| line.strip_prefix("//!"))
        .collect();
    page.comment(
        &about
            .iter()
            .map(|line| line.strip_prefix(' ').unwrap_or(line))
            .collect::<Vec<_>>()
            .join("\n"),
    );
    let short = name.rsplit('/').next().unwrap_or(name);
    let mut comment: Vec<&str> = Vec::new();
    for line in source.lines() {
        if let Some(words) = line.strip_prefix("///") {
            comment.push(words.strip_prefix(' ').unwrap_or(words));
            continue;
        }
        if let Some(signature) = line.strip_prefix("fn ") {
            let signature = signature.split('{').next().unwrap_or_default().trim();
            page.heading(4, format!("`{short}::{signature}`"));
            page.comment(&comment.join("\n"));
            let function = signature.split('(').next().unwrap_or_default();
            if let Some(example) = examples::of(&format!("{short}::{function}")) {
                page.blocks.push(Block::Code(example.to_owned()));
            }
        }
        comment.clear();
    }
}
