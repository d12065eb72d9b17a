//! Results as JUnit XML, in the form that CI systems read: a suite for each file, a case for each test.

use std::time::Duration;

use super::Outcome;

/// The whole report.
pub fn report(outcomes: &[Outcome], took: Duration) -> String {
    let failed =
        |outcomes: &[&Outcome]| outcomes.iter().filter(|one| one.failure.is_some()).count();
    let all: Vec<&Outcome> = outcomes.iter().collect();
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"runbook test\" tests=\"{}\" failures=\"{}\" errors=\"0\" time=\"{}\">\n",
        all.len(),
        failed(&all),
        seconds(took)
    );
    let mut files: Vec<&str> = outcomes.iter().map(|one| one.file.as_str()).collect();
    files.dedup();
    for file in files {
        let suite: Vec<&Outcome> = outcomes.iter().filter(|one| one.file == file).collect();
        let time = suite.iter().map(|one| one.took).sum();
        text.push_str(&format!(
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"0\" time=\"{}\">\n",
            escaped(file),
            suite.len(),
            failed(&suite),
            seconds(time)
        ));
        for outcome in suite {
            text.push_str(&case(outcome));
        }
        text.push_str("  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn case(outcome: &Outcome) -> String {
    let head = format!(
        "    <testcase classname=\"{}\" name=\"{}\" file=\"{}\" line=\"{}\" time=\"{}\"",
        escaped(&outcome.file),
        escaped(&outcome.name),
        escaped(&outcome.file),
        outcome.line,
        seconds(outcome.took)
    );
    let Some(failure) = &outcome.failure else {
        return format!("{head}/>\n");
    };
    let place = failure
        .position
        .as_ref()
        .map(|position| format!("{position}\n"))
        .unwrap_or_default();
    let detail = failure.detail.as_deref().unwrap_or_default();
    format!(
        "{head}>\n      <failure message=\"{}\" type=\"failed\">{}</failure>\n    </testcase>\n",
        escaped(&failure.message),
        escaped(&format!("{place}{}\n{detail}", failure.message))
    )
}

fn seconds(took: Duration) -> String {
    format!("{:.3}", took.as_secs_f64())
}

/// Text for XML. Control characters have no place in XML 1.0, not even as references.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            '\t' => out.push('\t'),
            control if control.is_control() || matches!(control, '\u{fffe}' | '\u{ffff}') => {
                out.push('\u{fffd}');
            }
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::Failure;
    use super::*;

    #[test]
    fn names_and_messages_cannot_break_out_of_it() {
        let outcome = Outcome {
            file: "a&b_test.rhai".into(),
            name: "says \"<no>\"".into(),
            line: 3,
            failure: Some(Failure {
                message: "x < y \u{1b}[31m".into(),
                detail: Some("]]> </failure>".into()),
                position: None,
            }),
            kills: None,
            took: Duration::from_millis(1500),
        };
        let text = report(&[outcome], Duration::from_secs(2));
        assert!(
            text.contains("name=\"says &quot;&lt;no&gt;&quot;\""),
            "{text}"
        );
        assert!(text.contains("tests=\"1\" failures=\"1\""), "{text}");
        assert_eq!(text.matches("</failure>").count(), 1, "{text}");
        assert!(!text.contains('\u{1b}'), "{text}");
        assert!(text.contains("time=\"1.500\""), "{text}");
    }
}
