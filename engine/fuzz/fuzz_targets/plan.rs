//! Plan files that somebody else sent: refused with a short message, or read, shown so that no terminal is steered, and
//! written again as the same plan. The input is a file as it is; and what stands below the first line of one, which
//! then carries the hash that belongs to it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use runbook::cli::args::ShowFormat;
use runbook::cli::plan_file::{PlanFile, sealed};
use runbook::report::Look;

fn read(bytes: &[u8]) {
    let file = match PlanFile::parse(bytes) {
        Ok(file) => file,
        Err(unreadable) => {
            assert!(!unreadable.what.is_empty() && !unreadable.help.is_empty());
            assert!(unreadable.what.chars().count() < 300, "{unreadable:?}");
            assert!(
                !unreadable.what.chars().any(char::is_control),
                "{unreadable:?}"
            );
            return;
        }
    };
    for format in [ShowFormat::Text, ShowFormat::Md, ShowFormat::Json] {
        let shown = file.shown(format, &Look::plain(80));
        let steers = |c: char| c.is_control() && c != '\n';
        assert!(!shown.chars().any(steers), "{shown:?}");
    }
    let again =
        PlanFile::parse(file.text().as_bytes()).expect("what was read is written as a plan");
    assert_eq!(again, file, "written and read again it is another plan");
}

fuzz_target!(|text: &str| {
    read(text.as_bytes());
    let body = text.split_once('\n').map_or(text, |(_, body)| body);
    read(sealed(body).as_bytes());
});
