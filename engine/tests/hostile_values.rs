//! A value from elsewhere never becomes code: through every word that builds a command or names a file, on real
//! shells, it arrives byte for byte or is refused with a clear error.

mod support;

#[path = "support/bench.rs"]
mod bench;
#[path = "support/values.rs"]
mod values;

use std::process::Output;

use bench::{Bench, said, tree};
use support::shells::places;
use values::{IMPOSSIBLE, hostile, literal};

/// Runs a script over the values (as `values`, with `dir` and `h`) with this PATH.
fn run(bench: &Bench, path: &str, values: &[String], body: &str) -> Output {
    let list: Vec<String> = values.iter().map(|value| literal(value)).collect();
    let place = bench.path().join("out");
    std::fs::create_dir_all(&place).unwrap();
    bench.write(
        "hostile.rhai",
        &format!(
            "runbook #{{ title: \"Values\" }};\nlet values = [{}];\nlet dir = \"{}\";\nlet h = host(\"localhost\");\n{body}\n",
            list.join(", "),
            place.display()
        ),
    );
    let output = bench
        .command(&["run", "hostile.rhai", "--yes"])
        .env("PATH", path)
        .output()
        .unwrap();
    not_pwned(bench, &output);
    output
}

fn not_pwned(bench: &Bench, output: &Output) {
    let pwned: Vec<_> = tree(bench.path())
        .into_iter()
        .map(|(path, _)| path)
        .filter(|path| path.file_name().is_some_and(|name| name == "pwned"))
        .collect();
    assert!(pwned.is_empty(), "{pwned:?}\n{}", said(output));
}

/// Every value followed by a NUL.
fn listed(values: &[String]) -> Vec<u8> {
    values
        .iter()
        .flat_map(|value| value.bytes().chain([0]))
        .collect()
}

#[test]
fn the_table_is_long_enough() {
    let values = hostile();
    assert!(values.len() >= 60, "{}", values.len());
    assert!(values.iter().all(|value| !value.contains('\0')));
}

/// The words that build commands. Each leaves the values as it got them in a file of this name.
const COMMANDS: &str = r##"
step "Every word that builds a command" {
    let text = "";
    for value in values { text += sh `printf '%s\0' ${value} >> ${dir}/interpolated; `; }
    h.run(text);
    h.run(sh `printf '%s\0' ${values} > ${dir}/interpolated_list`);
    h.run(["sh", "-c", "out=$1; shift; for v do printf '%s\\0' \"$v\"; done >$out", "x", dir + "/argv"] + values);
    let env = #{};
    let words = "";
    for i in 0..values.len() {
        env["V" + i] = values[i];
        words += "printf '%s\\0' \"$V" + i + "\"; ";
    }
    h.run("{ " + words + "} > " + dir + "/env", #{ env: env });
    let all = "";
    for value in values { all += value + "\x00"; }
    h.run(["tee", dir + "/stdin"], #{ stdin: all });
    h.run(sh `touch ${dir}/guarded`, #{ unless: sh `test ${"x" + all_but_nul(values)} = ${"x" + all_but_nul(values)}` });
    let seen = "";
    for value in values { seen += sh `printf '%s\0' ${value}; `; }
    h.file(dir + "/probed").write(h.probe(seen).stdout);
    h.run(sh `true`, #{ undo: sh `printf '%s\0' ${values} > ${dir}/undone` });
}
fn all_but_nul(values) { let all = ""; for value in values { all += value + "|"; } all }
"##;

#[test]
fn every_word_that_builds_a_command_passes_values_on_as_they_are() {
    let values = hostile();
    for place in places() {
        let bench = Bench::new();
        let output = run(&bench, &place.path, &values, COMMANDS);
        assert!(
            output.status.success(),
            "{}: {}",
            place.shell,
            said(&output)
        );
        let undone = bench
            .command(&["undo", &bench.newest(), "--yes"])
            .env("PATH", &place.path)
            .output()
            .unwrap();
        not_pwned(&bench, &undone);
        let out = bench.path().join("out");
        for name in [
            "interpolated",
            "interpolated_list",
            "argv",
            "env",
            "stdin",
            "undone",
        ] {
            let found = std::fs::read(out.join(name))
                .unwrap_or_else(|error| panic!("{name}: {error}\n{}", said(&undone)));
            let wanted = listed(&values);
            assert!(
                found == wanted,
                "{}: {name} differs at value {:?}",
                place.shell,
                values.get(
                    found
                        .iter()
                        .zip(&wanted)
                        .take_while(|(a, b)| a == b)
                        .filter(|(byte, _)| **byte == 0)
                        .count()
                )
            );
        }
        assert!(!out.join("guarded").exists(), "a guard saw another value");
    }
}

#[test]
fn files_are_named_and_filled_with_values_as_they_are() {
    let bench = Bench::new();
    let path = std::env::var("PATH").unwrap();
    // What a name of a file cannot be is tried below.
    let values: Vec<String> = hostile()
        .into_iter()
        .filter(|value| value.len() < 200 && !value.contains('/'))
        .collect();
    let output = run(
        &bench,
        &path,
        &values,
        r#"step "Files" {
    each(values, #{ parallel: 8 }, |value| {
        let file = h.file(dir + "/=" + value);
        file.write(value);
        ensure(file.read() == value, "reads back");
        ensure(file.exists(), "is there");
    });
}"#,
    );
    assert!(output.status.success(), "{}", said(&output));
    for value in &values {
        let file = bench.path().join("out").join(format!("={value}"));
        let found = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{value:?}: {e}"));
        assert_eq!(&found, value);
    }
    let count = std::fs::read_dir(bench.path().join("out")).unwrap().count();
    assert_eq!(count, values.len(), "nothing else was made");
}

#[test]
fn edits_take_values_as_they_are_or_refuse_them() {
    use runbook::model::Value;
    use runbook::text::{line, yaml};
    for value in hostile() {
        match yaml::set_yaml("a: 1\nb: 2\n", &["a"], &Value::from(value.clone())) {
            Ok(edited) => {
                let data = yaml::get_yaml(&edited).unwrap();
                assert_eq!(
                    data.get("a"),
                    Some(&Value::from(value.clone())),
                    "{edited:?}"
                );
                assert_eq!(data.get("b"), Some(&Value::Int(2)), "{edited:?}");
            }
            Err(error) => assert!(error.to_string().len() > 10, "{value:?}: {error}"),
        }
        match line::set_line("a=1\nb=2\n", "a", &value, "=") {
            Ok(edited) => assert_eq!(edited, format!("a={value}\nb=2\n")),
            Err(error) => {
                assert!(value.contains(['\n', '\r']), "{value:?}: {error}");
            }
        }
    }
}

#[test]
fn what_nothing_can_carry_is_refused_before_anything_happens() {
    let path = std::env::var("PATH").unwrap();
    for value in IMPOSSIBLE {
        for body in [
            r#"h.run(sh `echo ${values[0]}; touch ${dir}/effect`);"#,
            r#"h.run(["touch", dir + "/effect", values[0]]);"#,
            r#"h.run(["touch", dir + "/effect"], #{ env: #{ V: values[0] } });"#,
            r#"h.run(["touch", dir + "/effect"], #{ unless: ["false", values[0]] });"#,
            r#"h.run(["touch", dir + "/effect"], #{ creates: dir + "/" + values[0] });"#,
            r#"h.run(["touch", dir + "/effect"], #{ undo: ["true", values[0]] });"#,
            r#"h.probe(["touch", dir + "/effect", values[0]]);"#,
            r#"h.file(dir + "/effect" + values[0]).write("x");"#,
        ] {
            let bench = Bench::new();
            let body = format!("step \"s\" {{ {body} }}");
            let output = run(&bench, &path, &[value.to_owned()], &body);
            assert!(!output.status.success(), "{value:?} {body}");
            assert!(said(&output).contains("NUL"), "{body}\n{}", said(&output));
            let left = std::fs::read_dir(bench.path().join("out")).unwrap().count();
            assert_eq!(left, 0, "{value:?} {body}");
        }
    }
}

#[test]
fn paths_that_no_file_can_have_are_refused() {
    let path = std::env::var("PATH").unwrap();
    for (value, words) in [
        ("relative", "absolute"),
        ("-rf", "absolute"),
        ("~/x", "absolute"),
        ("$HOME/x", "absolute"),
        ("", "absolute"),
        ("/ends/in/", "must not end"),
    ] {
        let bench = Bench::new();
        let body = "step \"s\" { h.file(values[0]).write(\"x\"); }";
        let output = run(&bench, &path, &[value.to_owned()], body);
        assert!(!output.status.success(), "{value:?}");
        assert!(
            said(&output).contains(words),
            "{value:?}: {}",
            said(&output)
        );
    }
    let bench = Bench::new();
    let body = "step \"s\" { h.file(dir + \"/\" + values[0]).write(\"x\"); }";
    let output = run(&bench, &path, &["x".repeat(300)], body);
    assert_eq!(output.status.code(), Some(1), "{}", said(&output));
    assert!(
        said(&output).contains("name too long") || said(&output).contains("File name too long"),
        "{}",
        said(&output)
    );
}

#[test]
fn a_host_name_is_a_name() {
    use runbook::model::HostName;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._:@".contains(c);
    for value in hostile().iter().map(String::as_str).chain(IMPOSSIBLE) {
        match HostName::parse(value) {
            Ok(name) => assert!(
                name.as_str().chars().all(plain) && !name.as_str().starts_with('-'),
                "{value:?}"
            ),
            Err(why) => assert!(why.contains("host name"), "{value:?}: {why}"),
        }
    }
}

#[test]
fn what_an_inventory_says_of_a_host_never_reaches_a_shell() {
    let bench = Bench::new();
    // Every name leads to a port of this machine where nobody listens.
    let port = support::sshd::free_port();
    bench.write(
        "config",
        &format!("Host *\n  HostName 127.0.0.1\n  Port {port}\n  GlobalKnownHostsFile /dev/null\n  IdentityAgent none\n"),
    );
    bench.write(
        "look.rhai",
        "runbook #{ title: \"Look\" };\nstep \"s\" { each(hosts(), #{ parallel: 8, max_failures: 1000 }, |h| h.probe([\"true\"])); }\n",
    );
    let config = bench.path().join("config");
    let values: Vec<String> = hostile()
        .into_iter()
        .filter(|value| value.len() < 200)
        .collect();
    for field in ["address", "user", "jump", "identity", "become"] {
        let mut read = 0;
        let mut hosts = String::from("hosts:\n");
        for (nth, value) in values.iter().enumerate() {
            let address = if field == "address" {
                ""
            } else {
                "address: a, "
            };
            let value = serde_json::to_string(value).unwrap();
            let host = format!(
                "  h{nth}: {{ {address}config: {}, {field}: {value} }}\n",
                config.display()
            );
            // Those that the inventory refuses are refused with the line; the others are tried together.
            match runbook::inventory::Inventory::parse("t", &format!("hosts:\n{host}")) {
                Ok(_) => {
                    read += 1;
                    hosts.push_str(&host);
                }
                Err(error) => assert!(error.to_string().contains("t:2:"), "{value}: {error}"),
            }
        }
        if read == 0 {
            continue;
        }
        bench.write("hosts.yaml", &hosts);
        let output = bench
            .command(&["run", "look.rhai", "-i", "hosts.yaml"])
            .env("TMPDIR", bench.path())
            .output()
            .unwrap();
        not_pwned(&bench, &output);
        let unreached = said(&output).matches("cannot be reached: ").count();
        assert!(
            unreached >= read,
            "{field}: {unreached} of {read} were refused by ssh\n{}",
            said(&output)
        );
    }
}
