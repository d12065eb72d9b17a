//! A table for the reader, as wide as the terminal allows.

use comfy_table::Table;

use super::look::{Look, Tone};
use crate::model::Value;

/// The table with its title, each line after `pad`.
pub fn lines(look: &Look, pad: String, title: &str, rows: &Value) -> Vec<String> {
    let mut out = vec![format!(
        "{pad}{}",
        look.paint(Tone::Strong, &look.line(title))
    )];
    let Value::List(rows) = rows else {
        out.extend(
            look.lines(&rows.to_string())
                .iter()
                .map(|line| format!("{pad}{line}")),
        );
        return out;
    };
    let mut columns: Vec<&str> = Vec::new();
    for row in rows {
        if let Value::Map(entries) = row {
            for key in entries.keys() {
                if !columns.contains(&key.as_str()) {
                    columns.push(key);
                }
            }
        }
    }
    // The names of things first: a table of maps is sorted by key, which puts `name` in the middle.
    columns.sort_by_key(|column| !matches!(*column, "name" | "host" | "node"));
    let mut table = Table::new();
    table.load_style(if look.unicode {
        comfy_table::presets::UTF8_BORDERS_ONLY
    } else {
        comfy_table::presets::ASCII_BORDERS_ONLY_CONDENSED
    });
    table.set_content_arrangement(comfy_table::ContentArrangement::Dynamic);
    let room = look.width.saturating_sub(pad.len()).max(20);
    table.set_width(u16::try_from(room).unwrap_or(u16::MAX));
    if columns.is_empty() {
        for row in rows {
            table.add_row([look.line(&row.to_string())]);
        }
    } else {
        table.set_header(columns.iter().map(|column| look.line(column)));
        for row in rows {
            table.add_row(columns.iter().map(|column| {
                look.line(&row.get(column).map(Value::to_string).unwrap_or_default())
            }));
        }
    }
    out.extend(table.lines().map(|line| format!("{pad}{line}")));
    out
}
