//! Every code by its own examples, the library and the shipped runbooks by all of them.

use std::collections::BTreeMap;

use super::codes::{CODES, Weight};
use super::*;

const HEADER: &str = "runbook #{ title: \"Test\", params: #{ size: #{ default: 1, help: \"a number\" }, path: #{ default: \"x\", help: \"a text\" }, mode: #{ choices: [\"a\", \"b\"], default: \"a\" } } };\n";

/// The codes that a body under a header gets, with their lines in the body.
fn found(body: &str) -> Vec<(&'static str, u32)> {
    findings_of(&format!("{HEADER}{body}"))
        .iter()
        // The header declares more than a short example reads.
        .filter(|finding| finding.code != codes::UNUSED_PARAMETER)
        .map(|finding| {
            (
                finding.code,
                finding.position.as_ref().map_or(0, |place| place.line - 1),
            )
        })
        .collect()
}

fn findings_of(text: &str) -> Vec<Finding> {
    let set = SourceSet::pinned("t.rhai".into(), texts(text));
    let names = Names {
        hosts: Some(vec!["localhost".into()]),
        groups: Some(Vec::new()),
    };
    check(&set, &names).1
}

fn texts(text: &str) -> BTreeMap<String, String> {
    let library = SourceSet::standard_library().iter();
    let mut texts: BTreeMap<String, String> = library
        .filter(|(name, _)| text.contains(name))
        .map(|(name, text)| ((*name).to_owned(), (*text).to_owned()))
        .collect();
    texts.insert("t.rhai".into(), text.to_owned());
    texts
}

fn codes_of(body: &str) -> Vec<&'static str> {
    found(body).into_iter().map(|(code, _)| code).collect()
}

#[test]
fn codes_are_unique_and_in_order() {
    assert!(CODES.windows(2).all(|pair| pair[0].code < pair[1].code));
    for code in CODES {
        assert_eq!(
            code.weight == Weight::Error,
            code.code < "RB100",
            "{}",
            code.code
        );
    }
}

#[test]
fn every_example_is_what_it_says() {
    for code in CODES {
        if !code.bad.is_empty() {
            let got = codes_of(code.bad);
            assert!(
                got.contains(&code.code),
                "{}: the bad example has {got:?}",
                code.code
            );
        }
        let got = found(code.good);
        assert!(
            got.is_empty(),
            "{}: the good example has {got:?}",
            code.code
        );
    }
}

#[test]
fn what_has_no_example_of_a_few_lines_is_found_too() {
    assert_eq!(codes_of("host(\"nobody\");"), [codes::UNKNOWN_HOST]);
    assert_eq!(codes_of("hosts(\"nobody\");"), [codes::UNKNOWN_GROUP]);
    let unused = findings_of(
        "runbook #{\n    title: \"T\",\n    params: #{\n        size: #{ default: 1 },\n    },\n};\nnote(\"x\");",
    );
    assert_eq!(unused.len(), 1, "{unused:?}");
    assert_eq!(unused[0].code, codes::UNUSED_PARAMETER);
    assert_eq!(
        unused[0]
            .position
            .as_ref()
            .map(|place| (place.line, place.column)),
        Some((4, 9))
    );
    assert!(findings_of("runbook #{ title: \"T\", params: #{ size: #{ default: 1 } } };\nfor name in [\"size\"] { note(`${param(name)}`); }").is_empty());
}

/// Bodies that must be left alone, by what they are about. Each was a wrong warning once, or nearly.
#[test]
fn what_is_fine_is_left_alone() {
    let fine = [
        // Reading.
        "let h = host(\"localhost\");\nh.run([\"systemctl\", \"restart\", \"x\"]);\nensure(true, \"x\");",
        "let h = host(\"localhost\");\nh.run(\"cat a > b\");\nensure(true, \"x\");",
        "let h = host(\"localhost\");\nh.run(\"grep x a | tee b\");\nensure(true, \"x\");",
        "let h = host(\"localhost\");\nh.run([\"find\", \"/tmp\", \"-delete\"]);\nensure(true, \"x\");",
        "let h = host(\"localhost\");\nh.run([\"ip\", \"link\", \"set\", \"dev\", \"a\", \"mtu\", \"1\"]);\nensure(true, \"x\");",
        "let h = host(\"localhost\");\nlet command = [\"cat\", \"x\"];\nh.run(command);\nensure(true, \"x\");",
        "let h = host(\"localhost\");\nh.run([\"sysctl\", `a=${param(\"size\")}`]);\nensure(true, \"x\");",
        // Loops.
        "let h = host(\"localhost\");\nfor x in [1, 2] { h.run([\"systemctl\", \"restart\", `a${x}`]); }\nensure(true, \"x\");",
        "let h = host(\"localhost\");\nfor x in [1, 2] { h.run([\"mkdir\", \"-p\", `a${x}`]); }\nensure(true, \"x\");",
        "let h = host(\"localhost\");\nfor x in [1, 2] { h.run([\"mkdir\", `a${x}`], #{ creates: `/a${x}` }); }\nensure(true, \"x\");",
        "let h = host(\"localhost\");\nlet o = #{ creates: \"/a\" };\nfor x in [1, 2] { h.run([\"mkdir\", `a${x}`], o); }\nensure(true, \"x\");",
        "let h = host(\"localhost\");\nh.run([\"mkdir\", \"a\"]);\nensure(true, \"x\");",
        // Verifying.
        "let h = host(\"localhost\");\nh.file(\"/a\").write(\"x\");\nfn verify() { ensure(true, \"x\"); }\nverify();",
        "let h = host(\"localhost\");\nh.file(\"/a\").write(\"x\");\nmanual(\"Ask them to look\");",
        "let h = host(\"localhost\");\nh.file(\"/a\").write(\"x\");\nh.probe([\"systemctl\", \"is-active\", \"x\"]);",
        "let h = host(\"localhost\");\nh.file(\"/a\").write(\"x\");\nif !h.file(\"/b\").exists() { throw \"no b\"; }",
        "let h = host(\"localhost\");\nh.file(\"/a\").write(\"x\");\nstep \"Verify\" { each([1], |x| { expect(\"a\", x, 1); }); }",
        "import \"std/kubernetes\" as kubernetes;\nfor pod in kube.list(\"pods\", #{}) { kubernetes::renew(kubernetes::pod_facts(pod), \"5m\"); }",
        "let list = [1];\nlist.remove(0);\nnote(`${list}`);",
        // Secrets and raw.
        "let h = host(\"localhost\");\nlet t = secret(\"T\");\nh.file(\"/a\").write(t, #{ mode: 0o600 });\nensure(true, \"x\");",
        "let h = host(\"localhost\");\nlet t = secret(\"T\");\nh.run([\"x\"], #{ env: #{ T: t } });\nensure(t.len() > 3, \"x\");",
        "let h = host(\"localhost\");\nnote(h.probe(sh `ls ${raw(\"-l | sort\")} ${param(\"path\")}`).stdout);",
        "let h = host(\"localhost\");\nnote(h.probe(sh `ls ${raw(param(\"mode\"))} ${raw(`${param(\"size\")}`)}`).stdout);",
        "let h = host(\"localhost\");\nnote(h.probe(sh `ls ${raw(quote(param(\"path\")) + \" | sort\")}`).stdout);",
        // Names.
        "for x in [1] { note(`${x}`); }\nfor x in [2] { note(`${x}`); }",
        "let a = [1].filter(|x| x == 1);\nlet x = 2;\nnote(`${a} ${x}`);",
        "fn f(size) { let other = size; other }\nlet size = f(1);\nnote(`${size}`);",
        "import \"std/mtu\" as mtu;\nlet mtu = mtu::pods(1500, \"vxlan\");\nnote(`${mtu}`);",
    ];
    for body in fine {
        let got = found(body);
        assert!(got.is_empty(), "{got:?} in\n{body}");
    }
}

/// Bodies that must be found, with the code and the line.
#[test]
fn what_is_wrong_is_found_where_it_stands() {
    let wrong = [
        (
            "let h = host(\"localhost\");\nh.run(\"cat a 2>/dev/null | grep b\");",
            codes::READ_AS_RUN,
            2,
        ),
        (
            "let h = host(\"localhost\");\nh.run(sh `journalctl -u ${param(\"path\")}`);",
            codes::READ_AS_RUN,
            2,
        ),
        (
            "let h = host(\"localhost\");\nh.run([\"sudo\", \"systemctl\", \"is-active\", \"x\"]);",
            codes::READ_AS_RUN,
            2,
        ),
        (
            "let h = host(\"localhost\");\nh.run([\"sh\", \"-c\", \"ls /tmp\"]);",
            codes::READ_AS_RUN,
            2,
        ),
        (
            "import \"std/net\" as net;\nfn show(h) {\n h.run([\"ip\", \"-j\", \"addr\"])\n}\nshow(host(\"localhost\"));",
            codes::READ_AS_RUN,
            3,
        ),
        (
            "let h = host(\"localhost\");\neach([1, 2], |x| {\n h.run(sh `echo ${x} >> /tmp/list`);\n});\nensure(true, \"x\");",
            codes::UNGUARDED_IN_LOOP,
            3,
        ),
        (
            "let h = host(\"localhost\");\nstep \"s\" {\n while h.file(\"/x\").exists() {\n  h.run([\"/usr/sbin/iptables\", \"-A\", \"INPUT\"]);\n }\n}\nensure(true, \"x\");",
            codes::UNGUARDED_IN_LOOP,
            4,
        ),
        (
            "let h = host(\"localhost\");\nensure(true, \"before\");\nstep \"s\" {\n h.file(\"/a\").set_line(\"x\", \"y\");\n h.file(\"/b\").remove();\n}",
            codes::UNVERIFIED_CHANGE,
            4,
        ),
        (
            "kube.patch(\"nodes\", \"a\", #{});",
            codes::UNVERIFIED_CHANGE,
            1,
        ),
        (
            "import \"std/systemd\" as systemd;\nsystemd::stop(host(\"localhost\"), \"x\");",
            codes::UNVERIFIED_CHANGE,
            2,
        ),
        (
            "let h = host(\"localhost\");\non_undo(\"x\", || { ensure(true, \"x\"); });\nh.file(\"/a\").write(\"x\");",
            codes::UNVERIFIED_CHANGE,
            3,
        ),
        (
            "let h = host(\"localhost\");\nlet u = `https://x/?key=${secret(\"K\")}`;\nh.probe([\"curl\", u]);",
            codes::SECRET_IN_ARGUMENT,
            3,
        ),
        (
            "let h = host(\"localhost\");\nlet words = [\"login\"];\nwords.push(secret(\"K\"));\nh.probe(words);",
            codes::SECRET_IN_ARGUMENT,
            4,
        ),
        (
            "let h = host(\"localhost\");\nh.run([\"x\"], #{\n unless: [\"check\", secret(\"K\")],\n});\nensure(true, \"x\");",
            codes::SECRET_IN_ARGUMENT,
            3,
        ),
        (
            "let h = host(\"localhost\");\nh.run([\"kubectl\", \"rollout\", \"status\", \"ds/x\"]);\nensure(true, \"x\");",
            codes::ENDLESS_COMMAND,
            2,
        ),
        (
            "let h = host(\"localhost\");\neach(h.probe([\"ls\"]).stdout.lines(), |name| {\n note(h.probe(sh `cat ${raw(name)}`).stdout);\n});",
            codes::RAW_FROM_OUTSIDE,
            3,
        ),
        (
            "fn names(h) { h.probe([\"ls\"]).stdout }\nlet h = host(\"localhost\");\nlet found = names(h);\nnote(h.probe(sh `cat ${raw(found)}`).stdout);",
            codes::RAW_FROM_OUTSIDE,
            4,
        ),
        (
            "let x = 1;\nnote(`${[1].map(|x| x)}${x}`);",
            codes::SHADOWED_NAME,
            2,
        ),
        (
            "fn f(a) {\n for a in [1] { note(`${a}`); }\n}\nf(1);",
            codes::SHADOWED_NAME,
            2,
        ),
        (
            "let e = 1;\ntry { note(`${e}`); }\ncatch (e) { note(`${e}`); }",
            codes::SHADOWED_NAME,
            3,
        ),
        (
            "note(\"x\"); // allow RB005: it is mine",
            codes::ALLOW_WITHOUT_EFFECT,
            1,
        ),
        (
            "note(\"x\"); // allow RB999: it is mine",
            codes::ALLOW_WITHOUT_EFFECT,
            1,
        ),
    ];
    for (body, code, line) in wrong {
        let got = found(body);
        assert!(
            got.contains(&(code, line)),
            "{code} at {line}: {got:?} in\n{body}"
        );
    }
}

#[test]
fn a_comment_silences_the_line_that_it_belongs_to() {
    let run = "h.run([\"uname\"]);";
    let at = |before: &str, behind: &str| {
        codes_of(&format!(
            "let h = host(\"localhost\");\n{before}{run}{behind}"
        ))
    };
    assert_eq!(at("", ""), [codes::READ_AS_RUN]);
    assert!(at("", " // allow RB103: ours counts").is_empty());
    assert!(at("// allow RB103: ours counts\n", "").is_empty());
    assert!(at("// allow RB103: ours counts\n// and more\n\n", "").is_empty());
    assert_eq!(
        at("// allow RB103: ours counts\nnote(\"x\");\n", ""),
        [codes::READ_AS_RUN, codes::ALLOW_WITHOUT_EFFECT]
            .map(|c| c)
            .into_iter()
            .rev()
            .collect::<Vec<_>>()
    );
    assert_eq!(
        at("// allow RB104: ours counts\n", ""),
        [codes::ALLOW_WITHOUT_EFFECT, codes::READ_AS_RUN]
    );
}

#[test]
fn every_warning_is_silenced_by_a_comment_with_a_reason_and_only_so() {
    let mut tried = Vec::new();
    for code in CODES {
        let warns = code.severity() == Severity::Warning;
        if !warns || code.bad.is_empty() || code.code >= codes::ALLOW_WITHOUT_REASON {
            continue;
        }
        let first = found(code.bad);
        let (_, line) = first.iter().find(|(found, _)| *found == code.code).unwrap();
        let at = |comment: &str| {
            let lines = code.bad.lines().enumerate();
            let lines = lines.map(|(number, text)| match number + 1 == *line as usize {
                true => format!("{text}{comment}\n"),
                false => format!("{text}\n"),
            });
            codes_of(&lines.collect::<String>())
        };
        let silenced = at(&format!(" // allow {}: it is meant so", code.code));
        let others = first.iter().map(|(other, _)| *other);
        let left: Vec<_> = others.filter(|other| *other != code.code).collect();
        assert_eq!(silenced, left, "{}", code.code);
        let without = at(&format!(" // allow {}", code.code));
        assert!(
            without.contains(&codes::ALLOW_WITHOUT_REASON),
            "{}: {without:?}",
            code.code
        );
        tried.push(code.code);
    }
    let listed: Vec<&str> = CODES.iter().map(|code| code.code).collect();
    // All but the unused parameter, which has no example of a few lines, and the two about comments.
    assert_eq!(
        tried.len(),
        listed.iter().filter(|code| **code >= "RB100").count() - 3,
        "{tried:?}"
    );
}

/// The library and everything that is shipped, with nothing left out.
#[test]
fn the_library_and_the_shipped_runbooks_are_clean() {
    for name in SourceSet::shipped_names() {
        let set = SourceSet::load(name).unwrap();
        let (_, findings) = check(&set, &Names::default());
        assert!(findings.is_empty(), "{name}: {findings:#?}");
    }
    for (name, text) in SourceSet::standard_library() {
        let engine = engine::for_checking();
        let unit = Unit {
            name: "library",
            ast: syntax::parse(&engine, "library", text).unwrap(),
        };
        let mut units = vec![unit];
        for (other, text) in SourceSet::standard_library() {
            units.push(Unit {
                name: other,
                ast: syntax::parse(&engine, other, text).unwrap(),
            });
        }
        let mut findings = Vec::new();
        let set = SourceSet::pinned("none".into(), BTreeMap::new());
        warnings(&units, &set, None, &mut findings);
        silence::apply(&units[0], text, &mut findings);
        findings.retain(|finding| {
            finding
                .position
                .as_ref()
                .is_some_and(|place| place.file == "library")
        });
        assert!(findings.is_empty(), "{name}: {findings:#?}");
    }
}
