//! The diagnosis explains itself: which layer costs how much, in a terminal of 80 columns, with and without lines.

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, LAB, said};

/// What `diagnose-mtu` draws on a lab, as a terminal of 80 columns with this language shows it.
fn drawn(lab: &str, language: &str) -> String {
    let bench = Bench::new();
    let run = bench
        .command(&["run", "diagnose-mtu.rhai", "--lab", lab])
        .env("COLUMNS", "80")
        .env("LANG", language)
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", said(&run));
    let text = said(&run);
    let from = text.find("  What each layer costs").unwrap();
    let end = text[from..].find("Links of each node").unwrap();
    let lines: Vec<&str> = text[from..from + end].lines().collect();
    for line in &lines {
        assert!(line.chars().count() <= 80, "more than 80 columns: {line}");
    }
    lines[..lines.len() - 1].join("\n")
}

#[test]
fn a_tunnel_in_a_tunnel_as_boxes_in_boxes() {
    insta::assert_snapshot!("drawing", drawn(LAB, "C.UTF-8"));
}

#[test]
fn without_lines_it_is_the_same_in_ascii() {
    let plain = drawn(LAB, "C");
    assert!(plain.is_ascii(), "{plain}");
    insta::assert_snapshot!("drawing_ascii", plain);
}

/// The deepest cascade that there is still fits.
#[test]
fn wireguard_in_wireguard_fits_too() {
    insta::assert_snapshot!(
        "drawing_wireguard",
        drawn("k3s-double-tunnel-wireguard", "C.UTF-8")
    );
}
