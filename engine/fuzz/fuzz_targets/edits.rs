//! Edits of files that somebody else wrote: YAML keys and lines. An edit is refused, or does what it says and
//! is stable. The first line of the input is the key, the second the value, the rest the file.
#![no_main]

use libfuzzer_sys::fuzz_target;
use runbook::model::Value;
use runbook::text::{line, yaml};

fuzz_target!(|text: &str| {
    let mut parts = text.splitn(3, '\n');
    let (key, value, file) = (
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
        parts.next().unwrap_or_default(),
    );
    let path: Vec<&str> = key.split('.').collect();
    for wanted in [Value::from(value), Value::Int(7), Value::Bool(true)] {
        if let Ok(edited) = yaml::set_yaml(file, &path, &wanted) {
            let data = yaml::get_yaml(&edited).expect("what was edited is still YAML");
            let found = path.iter().try_fold(&data, |data, key| data.get(key));
            assert_eq!(found, Some(&wanted), "{edited:?}");
            let again = yaml::set_yaml(&edited, &path, &wanted).expect("a second time is no harder");
            assert_eq!(again, edited, "a second time changes nothing");
        }
    }
    if let Ok(edited) = line::set_line(file, key, value, "=") {
        let again = line::set_line(&edited, key, value, "=").expect("a second time is no harder");
        assert_eq!(again, edited, "a second time changes nothing");
    }
});
