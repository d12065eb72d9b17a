//! The page of every runbook that comes with the program, in both forms: whole, and true to its text.

#[path = "support/bench.rs"]
mod bench;

use std::path::PathBuf;

use bench::Bench;
use regex::Regex;

/// The shipped runbooks and the examples, tests left out.
fn runbooks() -> Vec<PathBuf> {
    let top = concat!(env!("CARGO_MANIFEST_DIR"), "/..");
    let folders = ["runbooks", "examples", "examples/web-fleet"];
    let files = folders
        .iter()
        .flat_map(|folder| std::fs::read_dir(format!("{top}/{folder}")).unwrap());
    let paths = files.map(|file| file.unwrap().path());
    let is_runbook = |path: &PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap();
        name.ends_with(".rhai") && !name.ends_with("_test.rhai")
    };
    let mut found: Vec<_> = paths.filter(is_runbook).collect();
    found.sort();
    assert!(found.len() >= 10, "{found:?}");
    found
}

fn all(text: &str, pattern: &str) -> Vec<Vec<String>> {
    let pattern = Regex::new(pattern).unwrap();
    let groups = |found: regex::Captures<'_>| {
        let groups = found.iter().skip(1).flatten();
        groups.map(|group| group.as_str().to_owned()).collect()
    };
    pattern.captures_iter(text).map(groups).collect()
}

/// As the pages write it in HTML.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

#[test]
fn every_runbooks_page_says_what_its_text_says() {
    for path in runbooks() {
        let text = std::fs::read_to_string(&path).unwrap();
        let file = path.to_str().unwrap();
        let page = Bench::new().exits(0, &["doc", file]);
        let html = Bench::new().exits(0, &["doc", file, "--format", "html"]);
        let both = |what: &str| {
            assert!(page.contains(what), "{file}: Markdown lacks {what:?}");
            let what = escaped(what);
            assert!(html.contains(&what), "{file}: HTML lacks {what:?}");
        };
        for title in all(&text, r#"(?m)^ +title: "([^"]+)""#) {
            both(&title[0]);
        }
        let description = all(&text, r"(?m)^//! ([A-Za-z ]{20,})")[0][0].clone();
        assert!(page.contains(description.trim()), "{file}: {description}");
        for parameter in all(&text, r#"(?m)^ +(\w+): #\{.*help: "([^"]+)""#) {
            both(&parameter[0]);
            both(&parameter[1]);
        }
        let steps = all(&text, r#"(?m)^ *(?:let \w+ = )?step "([^"]+)""#);
        assert!(!steps.is_empty(), "{file} has no steps");
        let mut from = page.find("## Steps").unwrap();
        for step in steps {
            both(&step[0]);
            // In their order.
            let at = page[from..].find(&format!("- {}\n", step[0]));
            from += at.unwrap_or_else(|| panic!("{file}: {:?} is out of order:\n{page}", step[0]));
        }
        // The text itself, to the last line.
        let last = text.trim_end().lines().last().unwrap();
        assert!(page.contains(last), "{file}: {last}");
    }
}

#[test]
fn a_page_in_html_is_whole_and_loads_nothing() {
    for path in runbooks() {
        let file = path.to_str().unwrap();
        let html = Bench::new().exits(0, &["doc", file, "--format", "html"]);
        for tag in [
            "main", "h1", "h2", "p", "ul", "li", "table", "tr", "td", "pre", "code",
        ] {
            let opened = all(&html, &format!("<{tag}[ >]()")).len();
            let closed = html.matches(&format!("</{tag}>")).count();
            assert_eq!(opened, closed, "{file}: <{tag}>");
        }
        let loads = all(
            &html,
            r#"(<(?:script|link|img|iframe)|(?:src|href)="(?:https?:)?//)"#,
        );
        assert!(loads.is_empty(), "{file}: {loads:?}");
        assert!(html.starts_with("<!doctype html>") && html.trim_end().ends_with("</html>"));
        // Each heading that is linked to is there.
        for link in all(&html, r##"href="#([^"]+)""##) {
            assert!(
                html.contains(&format!("id=\"{}\"", link[0])),
                "{file}: #{}",
                link[0]
            );
        }
    }
}
