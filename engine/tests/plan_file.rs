//! Plan files: a dry run kept, shown again, and carried out as it was reviewed and not otherwise.

#[path = "support/bench.rs"]
mod bench;

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use bench::{Bench, LAB, said, tree};
use serde_json::Value as Json;

const BOOK: &str = r#"
runbook #{ title: "Two values", params: #{ dir: #{ help: "where" }, limit: #{ default: "20", help: "the new limit" } } };
let here = host("localhost");
let dir = param("dir");
step "Set the limit" {
    here.file(`${dir}/app.conf`).set_line("limit", param("limit"));
    confirm("The application reads it again. Go on?");
    here.run(["touch", `${dir}/ran`], #{ creates: `${dir}/ran`, affects: [] });
}
step "Decide by what only the run can know" {
    let mode = here.run(["cat", `${dir}/mode`]);
    if trimmed(mode.stdout) == "extra" { here.file(`${dir}/extra.conf`).write("x\n"); }
}
"#;

/// A directory that the book works on, and the book.
struct Set {
    bench: Bench,
    dir: PathBuf,
}

impl Set {
    fn new(mode: &str) -> Self {
        let bench = Bench::new();
        bench.write("book.rhai", BOOK);
        let conf: String = (0..20).map(|n| format!("a{n}=1\n")).collect();
        let file = bench.write("dir/app.conf", &format!("{conf}limit=10\n"));
        bench.write("dir/mode", mode);
        let dir = file.parent().unwrap().to_owned();
        Self { bench, dir }
    }

    fn plan(&self) -> String {
        let dir = format!("dir={}", self.dir.display());
        let arguments = [
            "run",
            "book.rhai",
            "-e",
            &dir,
            "--dry-run",
            "--out",
            "p.plan",
        ];
        self.bench.exits(0, &arguments)
    }

    fn file(&self) -> PathBuf {
        self.bench.path().join("p.plan")
    }

    /// Free of what differs from one try to the next.
    fn stable(&self, text: &str) -> String {
        let text = text.replace(&self.dir.display().to_string(), "DIR");
        let made = regex::Regex::new(r"plan of \S+ \S+ UTC by (\S+ )?\S+@\S+ on").unwrap();
        made.replace_all(&text, "plan of [TIME] by [WHO] on")
            .into_owned()
    }
}

#[test]
fn a_plan_is_shown_as_it_was_made() {
    let set = Set::new("plain");
    let before = tree(&set.dir);
    let said = set.plan();
    assert_eq!(tree(&set.dir), before);
    assert!(said.contains("runbook run --plan p.plan"), "{said}");
    let mode = set.file().metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o7777, 0o600);
    let text = set.bench.exits(0, &["show", "p.plan"]);
    insta::assert_snapshot!("plan_shown", set.stable(&text));
    // What was printed when it was made is what is shown again.
    let plan = text.split_once("\n\n").unwrap().1;
    assert!(said.contains(plan), "{said}\n{plan}");
    let markdown = set.bench.exits(0, &["show", "p.plan", "--format", "md"]);
    insta::assert_snapshot!("plan_markdown", set.stable(&markdown));
    let json = set.bench.exits(0, &["show", "p.plan", "--json"]);
    let json: Json = serde_json::from_str(&json).unwrap();
    assert_eq!(json["title"], "Two values");
}

#[test]
fn a_plan_is_carried_out_from_the_file_alone() {
    let set = Set::new("plain");
    set.plan();
    // The script of the plan counts, not what has become of its file.
    std::fs::remove_file(set.bench.path().join("book.rhai")).unwrap();
    let said = set.bench.exits(0, &["run", "--plan", "p.plan", "--yes"]);
    assert!(said.contains("1 changed, 2 commands"), "{said}");
    let conf = std::fs::read_to_string(set.dir.join("app.conf")).unwrap();
    assert!(conf.ends_with("limit=20\n"), "{conf}");
    assert!(set.dir.join("ran").exists());
}

/// On the main job: the plan of the dry run and the changes of the run that carries it out are the same list.
#[test]
fn the_main_job_is_carried_out_as_planned() {
    let bench = Bench::new();
    let book = "tailscale-mtu.rhai";
    bench.exits(
        0,
        &["run", book, "--lab", LAB, "--dry-run", "--out", "p.plan"],
    );
    let shown = bench.exits(0, &["show", "p.plan", "--json"]);
    let plan: Json = serde_json::from_str(&shown).unwrap();
    let effect = |entry: &&Json| {
        ["file", "change", "command"]
            .map(Json::from)
            .contains(&entry["kind"])
    };
    let told = |target: &Json, word: &Json, summary: &Json| format!("{target} {word} {summary}");
    let entries = plan["bound"]["plan"]["entries"].as_array().unwrap();
    let mut planned: Vec<String> = entries
        .iter()
        .filter(effect)
        .map(|entry| told(&entry["target"], &entry["word"], &entry["summary"]))
        .collect();
    let run = bench.run(&["run", "--plan", "p.plan", "--yes", "-o", "json"]);
    assert!(run.status.success(), "{}", said(&run));
    let mut done: Vec<String> = String::from_utf8_lossy(&run.stdout)
        .lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap())
        .filter(|event| event["event"] == "operation_ended" && event["outcome"] == "changed")
        .map(|event| {
            let target = event["target"]["host"]
                .as_str()
                .or(event["target"].as_str());
            told(&target.into(), &event["kind"], &event["summary"])
        })
        .collect();
    planned.sort();
    done.sort();
    assert!(planned.len() > 30, "{planned:#?}");
    assert_eq!(planned, done);
    // What it would do is done: a second time the plan fits nothing any more.
    let again = bench.exits(3, &["run", "--plan", "p.plan", "--yes"]);
    assert!(again.contains("no longer to be done"), "{again}");
}

#[test]
fn a_target_that_somebody_changed_is_refused_before_anything_is_touched() {
    let set = Set::new("plain");
    set.plan();
    let conf = set.dir.join("app.conf");
    // Far from what the diff shows.
    let text = std::fs::read_to_string(&conf)
        .unwrap()
        .replace("a0=1", "a0=2");
    std::fs::write(&conf, text).unwrap();
    let before = tree(&set.dir);
    let said = set.bench.exits(3, &["run", "--plan", "p.plan", "--yes"]);
    assert_eq!(tree(&set.dir), before);
    insta::assert_snapshot!("plan_refused_elsewhere", set.stable(&said));
    let text = std::fs::read_to_string(&conf)
        .unwrap()
        .replace("limit=10", "limit=15");
    std::fs::write(&conf, text).unwrap();
    let said = set.bench.exits(3, &["run", "--plan", "p.plan", "--yes"]);
    insta::assert_snapshot!("plan_refused", set.stable(&said));
    std::fs::write(set.dir.join("ran"), "").unwrap();
    let said = set.bench.exits(3, &["run", "--plan", "p.plan", "--yes"]);
    assert!(
        said.contains("no longer to be done: localhost: touch"),
        "{said}"
    );
    assert!(!set.bench.state().join("runs").exists(), "a run was begun");
}

/// Changed between the look at the start and the effect: the target is asked once more, under the intent.
#[test]
fn a_target_that_changes_under_the_run_stops_it() {
    let bench = Bench::new();
    let dir = bench.path().join("dir");
    bench.write("dir/one", "a=1\n");
    bench.write("dir/two", "a=1\n");
    let book = format!(
        r#"runbook #{{ title: "Two files" }};
        let here = host("localhost");
        step "One" {{ here.run("cat {dir}/other > {dir}/two", #{{ affects: [] }}); }}
        step "Two" {{ here.file("{dir}/two").set_line("a", "2"); }}
        "#,
        dir = dir.display()
    );
    bench.write("book.rhai", &book);
    bench.write("dir/other", "a=1\nb=1\n");
    bench.exits(0, &["run", "book.rhai", "--dry-run", "--out", "p.plan"]);
    let said = bench.exits(3, &["run", "--plan", "p.plan", "--yes"]);
    assert!(
        said.contains("the target is no longer what the plan saw"),
        "{said}"
    );
    assert!(
        said.contains("in the plan:") && said.contains(" b=1"),
        "{said}"
    );
    assert_eq!(
        std::fs::read_to_string(dir.join("two")).unwrap(),
        "a=1\nb=1\n"
    );
}

#[test]
fn what_the_plan_could_not_know_is_done_only_by_a_persons_own_word() {
    let set = Set::new("extra");
    set.plan();
    let said = set.bench.exits(3, &["run", "--plan", "p.plan", "--yes"]);
    assert!(said.contains("not in the plan, which ends here"), "{said}");
    assert!(!set.dir.join("extra.conf").exists());
    // --yes answers approvals; this is none.
    let said = set.bench.exits(3, &["resume", "--yes"]);
    assert!(!set.dir.join("extra.conf").exists());
    let answer = regex::Regex::new(r"--answer (beyond-[0-9a-f]{16}=yes)").unwrap();
    let answer = &answer.captures(&said).unwrap()[1];
    let run = set.bench.newest();
    let status = set.bench.exits(0, &["status", &run]);
    assert!(status.contains("Do it all the same?"), "{status}");
    set.bench.exits(0, &["resume", "--answer", answer]);
    assert!(set.dir.join("extra.conf").exists());
    // Who said so is in the record.
    let report = set.bench.exits(0, &["report", &run]);
    assert!(report.contains("Do it all the same?"), "{report}");
}

#[test]
fn a_plan_holds_no_secret() {
    let bench = Bench::new();
    let file = bench.path().join("conf");
    let book = format!(
        r#"runbook #{{ title: "Secret", params: #{{ word: #{{ default: "x", help: "-" }} }} }};
        step "Write" {{
            host("localhost").file("{}").write(`password=${{secret("PASSWORD")}}\n`);
            host("localhost").run(["true", secret("PASSWORD")], #{{ stdin: secret("PASSWORD") }});
        }}"#,
        file.display()
    );
    bench.write("book.rhai", &book);
    let plan = |word: &str| {
        let arguments = [
            "run",
            "book.rhai",
            "-e",
            word,
            "--dry-run",
            "--out",
            "p.plan",
        ];
        let mut command = bench.command(&arguments);
        command
            .env("RUNBOOK_SECRET_PASSWORD", "correct-horse-battery")
            .output()
            .unwrap()
    };
    assert!(plan("word=y").status.success());
    let text = std::fs::read_to_string(bench.path().join("p.plan")).unwrap();
    assert!(!text.contains("correct-horse"), "{text}");
    let mut run = bench.command(&["run", "--plan", "p.plan"]);
    let run = run
        .env("RUNBOOK_SECRET_PASSWORD", "correct-horse-battery")
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", said(&run));
    // A parameter must stay what it is, so there is no plan with this one.
    std::fs::remove_file(&file).unwrap();
    std::fs::remove_file(bench.path().join("p.plan")).unwrap();
    let refused = plan("word=correct-horse-battery");
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(
        said(&refused).contains("no plan was written"),
        "{}",
        said(&refused)
    );
    assert!(!bench.path().join("p.plan").exists());
}

#[test]
fn what_is_no_plan_is_refused_in_words() {
    let set = Set::new("plain");
    set.plan();
    let good = std::fs::read(set.file()).unwrap();
    let bench = &set.bench;
    let refused = |name: &str, bytes: &[u8], words: &str| {
        let path = bench.write("hostile.plan", "");
        std::fs::write(&path, bytes).unwrap();
        for arguments in [
            ["show", "hostile.plan"].as_slice(),
            &["run", "--plan", "hostile.plan"],
        ] {
            let said = bench.exits(64, arguments);
            assert!(said.contains(words), "{name}: {said}");
            assert!(said.contains("help:"), "{name}: {said}");
            assert!(said.len() < 2000, "{name}: {said}");
        }
    };
    refused("empty", b"", "is not a plan");
    refused("binary", &[0xff; 4096], "is not a plan");
    refused("first line only", b"runbook plan 1 abc", "is not a plan");
    refused("newer", b"runbook plan 2 abc\n{}", "is a plan of version");
    refused("cut", &good[..good.len() - 10], "was cut or changed");
    let mut flipped = good.clone();
    let last = flipped.len() - 20;
    flipped[last] ^= 1;
    refused("flipped", &flipped, "was cut or changed");
    let sealed = |body: &str| {
        format!(
            "runbook plan 1 {}\n{body}",
            blake3::hash(body.as_bytes()).to_hex()
        )
    };
    refused(
        "no object",
        sealed("[]").as_bytes(),
        "does not read as a plan",
    );
    refused(
        "deep",
        sealed(&"[".repeat(1 << 20)).as_bytes(),
        "does not read as a plan",
    );
    let body = String::from_utf8(good)
        .unwrap()
        .split_once('\n')
        .unwrap()
        .1
        .to_owned();
    let unknown = body.replacen("\"title\"", "\"extra\": 1, \"title\"", 1);
    refused(
        "unknown field",
        sealed(&unknown).as_bytes(),
        "does not read as a plan",
    );
    let headless = body.replacen("\"main\": \"book.rhai\"", "\"main\": \"other.rhai\"", 1);
    refused("no script", sealed(&headless).as_bytes(), "has no script");
    // Texts that would steer a terminal are shown, not obeyed.
    let steering = body.replacen("\"title\": \"Two values\"", r#""title": "\u001b[2Jx""#, 1);
    bench.write("hostile.plan", &sealed(&steering));
    for format in ["text", "md", "json"] {
        let said = bench.exits(0, &["show", "hostile.plan", "--format", format]);
        assert!(!said.contains('\x1b'), "{format}");
    }
    let said = bench.exits(64, &["run", "--plan", "no/such.plan"]);
    assert!(said.contains("cannot be read"), "{said}");
    let said = bench.exits(64, &["run", "--plan", "."]);
    assert!(said.contains("is not a file"), "{said}");
    assert!(Path::new(&set.dir).join("app.conf").exists());
}

/// Without helper pods a plan knows less; whoever carries it out must not know more, or nothing is as planned.
#[test]
fn a_plan_without_a_look_into_nodes_is_carried_out_as_one() {
    let bench = Bench::new();
    bench.write(
        "hosts.yaml",
        "hosts:\n  n1: { transport: node }\n  here: { transport: local }\n",
    );
    bench.write(
        "nodes.rhai",
        "runbook #{ title: \"Nodes\" };\nstep \"Here\" { host(\"here\").run([\"true\"]); }\nstep \"There\" { host(\"n1\").run([\"touch\", \"/x\"], #{ creates: \"/x\" }); }\n",
    );
    // No cluster is needed to plan it so; one would be to carry out its last step.
    let kubeconfig = bench.write("kubeconfig", "apiVersion: v1\nkind: Config\n");
    let text = bench.exits(
        0,
        &[
            "run",
            "nodes.rhai",
            "-i",
            "hosts.yaml",
            "--kubeconfig",
            kubeconfig.to_str().unwrap(),
            "--dry-run",
            "--no-observer-pods",
            "--out",
            "p.plan",
        ],
    );
    assert!(text.contains("--no-observer-pods"), "{text}");
    let said = said(&bench.run(&["run", "--plan", "p.plan", "--yes"]));
    assert!(!said.contains("refused,"), "{said}");
    assert!(!said.contains("no longer comes to its end"), "{said}");
}
