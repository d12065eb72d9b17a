//! A page of documentation as blocks, and its two forms: Markdown, and one HTML file that loads nothing.

use std::fmt::Write as _;

/// A part of a page.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Block {
    /// A heading: its level from 1, and its text.
    Heading(u8, String),
    /// A paragraph; `code` between backticks.
    Paragraph(String),
    /// Items, each with its depth from 0.
    List(Vec<(usize, String)>),
    /// The heads of the columns, and the rows.
    Table(Vec<&'static str>, Vec<Vec<String>>),
    /// A text as it stands.
    Code(String),
}

/// A page.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// Its parts in order.
    pub blocks: Vec<Block>,
}

impl Page {
    /// Adds a heading.
    pub fn heading(&mut self, level: u8, text: impl Into<String>) {
        self.blocks.push(Block::Heading(level, text.into()));
    }

    /// Adds a paragraph, unless it is empty.
    pub fn paragraph(&mut self, text: impl Into<String>) {
        let text = text.into();
        if !text.trim().is_empty() {
            self.blocks.push(Block::Paragraph(text));
        }
    }

    /// Adds the paragraphs, lists and indented or fenced code of a comment.
    pub fn comment(&mut self, text: &str) {
        let mut rest = text.trim().lines().peekable();
        while let Some(line) = rest.next() {
            if line.trim().starts_with("```") {
                let code: Vec<&str> = rest
                    .by_ref()
                    .take_while(|line| !line.trim().starts_with("```"))
                    .collect();
                self.blocks.push(Block::Code(code.join("\n")));
            } else if let Some(item) = line.trim_start().strip_prefix("- ") {
                let mut items = vec![(0, item.to_owned())];
                while let Some(more) = rest.next_if(|line| !line.trim().is_empty()) {
                    match more.trim_start().strip_prefix("- ") {
                        Some(item) => items.push((0, item.to_owned())),
                        None => items
                            .last_mut()
                            .expect("it has its first item")
                            .1
                            .push_str(&format!(" {}", more.trim())),
                    }
                }
                self.blocks.push(Block::List(items));
            } else if !line.trim().is_empty() {
                let mut text = line.trim().to_owned();
                while let Some(more) = rest.next_if(|line| {
                    let line = line.trim_start();
                    !line.is_empty() && !line.starts_with("- ") && !line.starts_with("```")
                }) {
                    text.push(' ');
                    text.push_str(more.trim());
                }
                self.paragraph(text);
            }
        }
    }

    /// The page as Markdown.
    pub fn markdown(&self) -> String {
        let mut out = String::new();
        for block in &self.blocks {
            if !out.is_empty() {
                out.push('\n');
            }
            // Writing into a String cannot fail.
            let _ = match block {
                Block::Heading(level, text) => {
                    writeln!(out, "{} {text}", "#".repeat(usize::from(*level)))
                }
                Block::Paragraph(text) => writeln!(out, "{text}"),
                Block::List(items) => items
                    .iter()
                    .try_for_each(|(depth, text)| writeln!(out, "{}- {text}", "  ".repeat(*depth))),
                Block::Table(heads, rows) => table(&mut out, heads, rows),
                Block::Code(text) => writeln!(out, "```rhai\n{}\n```", text.trim_end()),
            };
        }
        out
    }

    /// The page as one HTML file.
    pub fn html(&self, title: &str) -> String {
        let mut body = String::new();
        for block in &self.blocks {
            // Writing into a String cannot fail.
            let _ = match block {
                Block::Heading(level, text) => {
                    writeln!(
                        body,
                        "<h{level} id=\"{}\">{}</h{level}>",
                        anchor(text),
                        inline(text)
                    )
                }
                Block::Paragraph(text) => writeln!(body, "<p>{}</p>", inline(text)),
                Block::List(items) => html_list(&mut body, items),
                Block::Table(heads, rows) => html_table(&mut body, heads, rows),
                Block::Code(text) => {
                    writeln!(body, "<pre><code>{}</code></pre>", escape(text.trim_end()))
                }
            };
        }
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<title>{}</title>\n<style>\n{}</style>\n</head>\n\
             <body>\n<main>\n{body}</main>\n</body>\n</html>\n",
            escape(title),
            include_str!("style.css")
        )
    }
}

fn table(out: &mut String, heads: &[&str], rows: &[Vec<String>]) -> std::fmt::Result {
    writeln!(out, "| {} |", heads.join(" | "))?;
    writeln!(out, "|{}", " --- |".repeat(heads.len()))?;
    for row in rows {
        let cells: Vec<String> = row
            .iter()
            .map(|cell| cell.replace('|', "\\|").replace('\n', " "))
            .collect();
        writeln!(out, "| {} |", cells.join(" | "))?;
    }
    Ok(())
}

fn html_table(out: &mut String, heads: &[&str], rows: &[Vec<String>]) -> std::fmt::Result {
    writeln!(out, "<table>\n<thead><tr>")?;
    for head in heads {
        writeln!(out, "<th scope=\"col\">{}</th>", escape(head))?;
    }
    writeln!(out, "</tr></thead>\n<tbody>")?;
    for row in rows {
        let cells: String = row
            .iter()
            .map(|cell| format!("<td>{}</td>", inline(cell)))
            .collect();
        writeln!(out, "<tr>{cells}</tr>")?;
    }
    writeln!(out, "</tbody>\n</table>")
}

fn html_list(out: &mut String, items: &[(usize, String)]) -> std::fmt::Result {
    let mut depth = 0;
    writeln!(out, "<ul>")?;
    for (level, text) in items {
        while depth < *level {
            writeln!(out, "<ul>")?;
            depth += 1;
        }
        while depth > *level {
            writeln!(out, "</ul>")?;
            depth -= 1;
        }
        writeln!(out, "<li>{}</li>", inline(text))?;
    }
    writeln!(out, "{}", "</ul>\n".repeat(depth + 1).trim_end())
}

/// Escaped, with what stands between backticks as code.
fn inline(text: &str) -> String {
    let fence = if text.contains("``") { "``" } else { "`" };
    let pieces: Vec<&str> = text.split(fence).collect();
    // An odd number of pieces means that every backtick has its partner.
    if pieces.len().is_multiple_of(2) {
        return escape(text);
    }
    let code = |(index, piece): (usize, &&str)| match index % 2 {
        0 if fence == "``" => inline(piece),
        0 => escape(piece),
        _ => format!("<code>{}</code>", escape(piece.trim())),
    };
    pieces.iter().enumerate().map(code).collect()
}

/// A text in which nothing is markup.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn anchor(text: &str) -> String {
    let plain = text.chars().map(|c| {
        if c.is_alphanumeric() {
            c.to_ascii_lowercase()
        } else {
            '-'
        }
    });
    plain
        .collect::<String>()
        .split('-')
        .filter(|piece| !piece.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page() -> Page {
        let mut page = Page::default();
        page.heading(1, "A <b> & c");
        page.comment(
            "First `a|b` line\nand more.\n\n- one\n  two\n- three\n\n```\nlet x = \"<\";\n```",
        );
        page.blocks
            .push(Block::Table(vec!["name"], vec![vec!["a|b".into()]]));
        page.blocks.push(Block::List(vec![
            (0, "top".into()),
            (1, "inner".into()),
            (0, "last".into()),
        ]));
        page
    }

    #[test]
    fn markdown_keeps_what_the_comment_says() {
        let text = page().markdown();
        for wanted in [
            "# A <b> & c\n",
            "First `a|b` line and more.\n",
            "- one two\n- three\n",
            "```rhai\nlet x",
            "| a\\|b |",
            "  - inner\n",
        ] {
            assert!(text.contains(wanted), "{wanted} in\n{text}");
        }
    }

    #[test]
    fn html_lets_no_markup_through() {
        let text = page().html("<script>");
        for wanted in [
            "<title>&lt;script&gt;</title>",
            "<h1 id=\"a-b-c\">A &lt;b&gt; &amp; c</h1>",
            "<code>a|b</code>",
            "let x = &quot;&lt;&quot;;",
        ] {
            assert!(text.contains(wanted), "{wanted} in\n{text}");
        }
        assert_eq!(text.matches("<ul>").count(), text.matches("</ul>").count());
        assert!(!text.contains("http"), "nothing is loaded");
    }
}
