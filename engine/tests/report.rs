//! Reports of real runs, through the real program.

#[path = "support/bench.rs"]
mod bench;

use bench::{Bench, LAB};
use serde_json::Value as Json;

fn json(bench: &Bench) -> Json {
    serde_json::from_str(&bench.exits(0, &["report", "--format", "json"])).unwrap()
}

#[test]
fn a_run_is_told_the_same_in_every_form() {
    let bench = Bench::new();
    bench.exits(0, &["run", "tailscale-mtu.rhai", "--lab", LAB, "--yes"]);
    let report = json(&bench);
    assert_eq!(report["schema"], 1);
    assert_eq!(report["state"], "done");
    assert_eq!(report["decisions"][0]["by"], "--yes");
    let steps = report["steps"].as_array().unwrap();
    let operations: Vec<&Json> = steps
        .iter()
        .flat_map(|step| step["operations"].as_array().unwrap())
        .collect();
    let count = |outcome: &str| {
        operations
            .iter()
            .filter(|one| one["outcome"] == outcome)
            .count()
    };
    assert_eq!(report["counts"]["changed"], count("changed"));
    assert_eq!(report["counts"]["commands"], count("ran"));
    assert!(count("changed") > 20 && count("ran") >= 6);
    let markdown = bench.exits(0, &["report"]);
    let page_path = bench.path().join("page.html");
    bench.exits(
        0,
        &[
            "report",
            "--format",
            "html",
            "--out",
            page_path.to_str().unwrap(),
        ],
    );
    let page = std::fs::read_to_string(page_path).unwrap();
    for step in steps {
        let title = step["title"][0].as_str().unwrap_or("Outside of steps");
        assert!(page.contains(title), "{title}");
    }
    for changed in operations.iter().filter(|one| one["outcome"] == "changed") {
        let summary = changed["summary"].as_str().unwrap();
        assert!(
            markdown.contains(summary) && page.contains(summary),
            "{summary}"
        );
    }
    assert!(page.contains("flannel-iface: &quot;eth0&quot;"));
    assert!(markdown.contains("+flannel-iface: \"eth0\""));
}

#[test]
fn a_failed_run_says_what_failed_and_how_it_was_decided() {
    let bench = Bench::new();
    bench.write(
        "fail.rhai",
        "runbook #{ title: \"Fails\" };\nstep \"One\" { host(\"localhost\").run(\"echo '<b>out</b>'; echo why >&2; exit 3\"); }\n",
    );
    bench.exits(1, &["run", "fail.rhai"]);
    let report = json(&bench);
    let operation = &report["steps"][0]["operations"][0];
    assert_eq!(
        (&report["state"], &operation["outcome"]),
        (&"FAILED".into(), &"failed".into())
    );
    assert!(
        operation["failure"].to_string().contains("exited with 3"),
        "{operation:#}"
    );
    let id = operation["id"].as_str().unwrap().to_owned();
    let run = report["run"].as_str().unwrap().to_owned();
    bench.exits(
        0,
        &["resolve", &run, &id, "--done", "--why", "done by hand"],
    );
    bench.exits(0, &["resume", "--yes"]);
    let report = json(&bench);
    assert_eq!(report["state"], "done");
    assert_eq!(report["steps"][0]["operations"][0]["outcome"], "resolved");
    assert!(
        report["decisions"][0]["answer"]
            .as_str()
            .unwrap()
            .contains("done by hand")
    );
    assert_eq!(report["sessions"].as_array().unwrap().len(), 3);
}
