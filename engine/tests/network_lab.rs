//! The main job on real links: three hosts as network namespaces with an sshd each, WireGuard, VXLAN, bridges, pods
//! on veth pairs (tests/network). As root, with what `.ci/network` installs; it runs these tests.

#[path = "support/bench.rs"]
mod bench;

use std::os::unix::process::ExitStatusExt as _;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use bench::{Bench, said};
use serde_json::Value as Json;

const HOSTS: [&str; 3] = ["k3s-agent-1", "k3s-agent-2", "k3s-server"];
const BOOK: &str = "tailscale-mtu.rhai";

/// A network lab of its own, gone at the end.
struct Network {
    name: String,
    bench: Bench,
}

impl Network {
    /// The cluster with Flannel inside Tailscale.
    fn up(name: &str) -> Self {
        let network = Self {
            name: format!("rbt-{name}"),
            bench: Bench::new(),
        };
        // What a killed test of the same name has left.
        network.lab(&["down"]);
        let up = network.lab(&["up"]);
        assert!(up.status.success(), "{}", said(&up));
        network
    }

    fn script(&self, arguments: &[&str]) -> Command {
        let k3s =
            PathBuf::from(env!("CARGO_BIN_EXE_runbook")).with_file_name("examples/network-k3s");
        let mut command =
            Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/network/lab"));
        command
            .args(arguments)
            .env("RUNBOOK_NETWORK", &self.name)
            .env("RUNBOOK_NETWORK_K3S", k3s)
            .stdin(Stdio::null());
        command
    }

    fn lab(&self, arguments: &[&str]) -> Output {
        self.script(arguments).output().unwrap()
    }

    /// A command on a host; its standard output.
    fn on(&self, host: &str, command: &str) -> String {
        let output = self.lab(&["enter", host, "sh", "-c", command]);
        assert!(
            output.status.success(),
            "{host}: {command}\n{}",
            said(&output)
        );
        String::from_utf8(output.stdout).unwrap()
    }

    fn file(&self, name: &str) -> String {
        format!("/run/runbook-network/{}/{name}", self.name)
    }

    /// The real program on the operator's machine.
    fn command(&self, arguments: &[&str]) -> Command {
        let of_bench = self.bench.command(arguments);
        let mut command = self.script(&["ops"]);
        command
            .arg(of_bench.get_program())
            .args(arguments)
            .current_dir(self.bench.path())
            .env("HOME", self.bench.path())
            .env("TMPDIR", self.bench.path())
            .env("RUNBOOK_STATE_DIR", self.bench.state())
            .env("COLUMNS", "100");
        command
    }

    fn exits(&self, status: i32, arguments: &[&str]) -> String {
        let output = self.command(arguments).output().unwrap();
        let text = said(&output);
        assert_eq!(output.status.code(), Some(status), "{arguments:?}\n{text}");
        text
    }

    /// Arguments of a run of this runbook on the lab.
    fn run<'a>(&'a self, book: &'a str, places: &'a [String; 2], more: &[&'a str]) -> Vec<&'a str> {
        let mut all = vec!["run", book, "-i", &places[0], "--kubeconfig", &places[1]];
        all.extend(more);
        all
    }

    fn places(&self) -> [String; 2] {
        [self.file("hosts.yaml"), self.file("kubeconfig")]
    }

    /// Everything that a dry run must not touch: the files of every host with their times, and every link.
    fn everything(&self) -> Vec<String> {
        // Without the clocks that a bridge shows.
        let clocks = regex::Regex::new(r#""\w+_timer": *[0-9.]+,?"#).unwrap();
        let mut all = Vec::new();
        for host in HOSTS {
            let files = self.lab(&["changed", host]);
            assert!(files.status.success(), "{}", said(&files));
            all.push(String::from_utf8(files.stdout).unwrap());
            let links = self.on(host, "ip -d -j link");
            all.push(clocks.replace_all(&links, "").into_owned());
            all.push(self.on(
                host,
                "for n in $(ip netns list | cut -d' ' -f1); do echo $n; ip -n $n -d -j link; done",
            ));
        }
        all
    }

    /// The configuration of every host.
    fn configurations(&self) -> Vec<String> {
        HOSTS
            .iter()
            .map(|host| self.on(host, "cd /etc/rancher/k3s && ls -R . && cat config.yaml"))
            .collect()
    }

    /// Flannel's and the bridge's MTU and every pod's, as the kernel has them.
    fn sizes(&self) -> Vec<u64> {
        let mut all = Vec::new();
        for host in HOSTS {
            let links: Json = serde_json::from_str(&self.on(host, "ip -j link")).unwrap();
            for link in links.as_array().unwrap() {
                let name = link["ifname"].as_str().unwrap();
                if name == "flannel.1" || name == "cni0" || name.starts_with("veth") {
                    all.push(link["mtu"].as_u64().unwrap());
                }
            }
        }
        all
    }

    fn is(&self, mtu: u64) {
        let sizes = self.sizes();
        assert!(sizes.len() >= 3 + 3 + 5, "{sizes:?}");
        assert!(sizes.iter().all(|size| *size == mtu), "{sizes:?}");
    }

    /// How every host is, for who must find out why a test has failed.
    fn tell(&self) {
        let asked = "date --iso-8601=ns; cd /run/units; grep . */state */main; ps axo pid,etimes,args | grep -v ' \\[';
            stat -c '%n %y' /run/flannel/subnet.env; cat /run/flannel/subnet.env; tail -n 20 *.log */log; ip -br link";
        for host in HOSTS {
            let state = self.lab(&["enter", host, "sh", "-c", asked]);
            eprintln!("== {host}\n{}", said(&state));
        }
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.tell();
        }
        let down = self.lab(&["down"]);
        if !down.status.success() {
            eprintln!("{}", said(&down));
        }
    }
}

/// A row of a table of the run, from its events: the values of `before` and `now`.
fn measured(stdout: &[u8], what: &str) -> Vec<(Json, Json)> {
    let text = String::from_utf8_lossy(stdout);
    let rows = |event: Json| -> Vec<Json> { event["rows"].as_array().cloned().unwrap_or_default() };
    text.lines()
        .map(|line| serde_json::from_str::<Json>(line).unwrap())
        .flat_map(rows)
        .filter(|row| {
            row["measured"]
                .as_str()
                .is_some_and(|title| title.starts_with(what))
        })
        .map(|row| (row["before"].clone(), row["now"].clone()))
        .collect()
}

/// Seen first, done, measured before and after, found done, and put back.
#[test]
#[ignore = "needs root and the network lab; .ci/network runs it"]
fn the_main_job_on_real_links() {
    let network = Network::up("job");
    let places = network.places();
    network.is(1230);

    let before = network.everything();
    let plan = network.exits(0, &network.run(BOOK, &places, &["--dry-run"]));
    assert!(plan.contains("set flannel-iface: eth0"), "{plan}");
    assert_eq!(network.everything(), before, "a dry run touched something");

    let configurations = network.configurations();
    // As if the node's clock was ahead when Flannel started, and has been set back since.
    let later = "touch -d '1 hour' /run/flannel/subnet.env";
    network.on("k3s-agent-1", later);
    let run = network
        .command(&network.run(BOOK, &places, &["--yes", "-o", "json"]))
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", said(&run));
    network.is(1450);
    for (what, better) in [
        ("largest packet", |before: f64, now: f64| {
            before == 1230.0 && now == 1450.0
        }),
        ("throughput", |before: f64, now: f64| now > before),
    ] as [(&str, fn(f64, f64) -> bool); 2]
    {
        let pairs = measured(&run.stdout, what);
        assert_eq!(pairs.len(), 2, "{what}: both directions\n{}", said(&run));
        for (before, now) in pairs {
            println!("{what}: {before} before, {now} now");
            assert!(
                better(before.as_f64().unwrap(), now.as_f64().unwrap()),
                "{what}: {before} before, {now} now"
            );
        }
    }
    for (before, now) in measured(&run.stdout, "of these again") {
        println!("segments sent again: {before} before, {now} now");
        assert!(before.is_u64() && now.is_u64());
    }
    // Nothing is left on the hosts but what was wanted.
    for host in HOSTS {
        assert_eq!(
            network.on(
                host,
                "ls /etc/rancher/k3s; ls /run/units | grep 'runbook.*timer' || true"
            ),
            "config.yaml\n"
        );
    }

    let again = network.exits(0, &network.run(BOOK, &places, &["--yes"]));
    assert!(again.contains("nothing to do"), "{again}");
    network.exits(0, &network.run("verify-mtu.rhai", &places, &[]));

    let runs = network.bench.state().join("runs");
    let mut names: Vec<String> = std::fs::read_dir(runs)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let first = names.first().unwrap();
    network.exits(0, &["undo", first, "--yes"]);
    network.is(1230);
    assert_eq!(network.configurations(), configurations);
}

/// Killed at points spread over the whole run, it resumes to the same end, and no command ran twice.
#[test]
#[ignore = "needs root and the network lab; .ci/network runs it"]
fn killed_anywhere_it_resumes_to_the_same_end() {
    let kills: usize = std::env::var("RUNBOOK_NETWORK_KILLS")
        .map_or(30, |kills| kills.parse().expect("a number of kills"));
    let network = Network::up("kill");
    let places = network.places();
    let arguments = network.run(BOOK, &places, &["--yes", "-e", "measure_seconds=0"]);
    let configurations = network.configurations();
    // The whole run, to know its length; undone, it is the cluster as it was.
    network.exits(0, &arguments);
    let shown = network
        .command(&["show", &network.bench.newest(), "--json"])
        .output()
        .unwrap();
    let records = shown.stdout.iter().filter(|byte| **byte == b'\n').count();
    network.exits(0, &["undo", &network.bench.newest(), "--yes"]);
    for kill in 0..kills {
        // The middle of each part of the run.
        let at = 3 + (2 * kill + 1) * (records - 6) / (2 * kills);
        let killed = network
            .command(&arguments)
            .env("RUNBOOK_CRASH_AT", at.to_string())
            .output()
            .unwrap();
        assert_eq!(
            killed.status.signal(),
            Some(9),
            "record {at} of {records}\n{}",
            said(&killed)
        );
        network.exits(0, &["resume", "--yes"]);
        network.is(1450);
        network.exits(0, &["undo", &network.bench.newest(), "--yes"]);
        network.is(1230);
        assert_eq!(network.configurations(), configurations, "killed at {at}");
    }
}

/// Whether somebody answers at this port of a host, seen from the operator's machine.
fn answers(network: &Network, address: &str, port: u16) -> bool {
    let connect = format!("exec 3<>/dev/tcp/{address}/{port}");
    network
        .lab(&["ops", "bash", "-c", &connect])
        .status
        .success()
}

/// Waits until a condition holds; what never comes is a failure after some minutes.
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begin = std::time::Instant::now();
    while !holds() {
        assert!(begin.elapsed().as_secs() < 240, "never: {what}");
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
}

#[test]
#[ignore = "needs root and the network lab; .ci/network runs it"]
fn a_node_that_cannot_be_reached_stops_the_run_before_anything_is_changed() {
    let network = Network::up("away");
    let places = network.places();
    let configurations = network.configurations();
    network.on("k3s-agent-2", "kill $(pgrep -o sshd)");
    let text = network.exits(4, &network.run(BOOK, &places, &["--yes"]));
    assert!(text.contains("k3s-agent-2"), "{text}");
    assert_eq!(network.configurations(), configurations);
    network.is(1230);
}

/// The rollback puts all nodes back, the run sees it and ends, and undo has nothing left to do but to tidy up.
#[test]
#[ignore = "needs root and the network lab; .ci/network runs it"]
fn a_restart_that_fails_is_put_back_by_the_nodes_themselves() {
    let network = Network::up("fails");
    let places = network.places();
    let configurations = network.configurations();
    network.on(
        "k3s-agent-1",
        "echo 'no licence on Thursdays' >/etc/network-lab/fail-start",
    );
    let arguments = [
        "--yes",
        "-e",
        "rollback_after=20s",
        "-e",
        "measure_seconds=0",
    ];
    let text = network.exits(1, &network.run(BOOK, &places, &arguments));
    assert!(text.contains("put back to tailscale0"), "{text}");
    network.on("k3s-agent-1", "rm /etc/network-lab/fail-start");
    network.exits(0, &["undo", &network.bench.newest(), "--yes"]);
    until("every node is as it was", || {
        network.configurations() == configurations
    });
    until("Flannel is as it was", || {
        network.sizes().iter().all(|size| *size == 1230)
    });
}

/// A node that is reached through its kubelet, and is given an interface that it does not have.
#[test]
#[ignore = "needs root and the network lab; .ci/network runs it"]
fn a_node_that_has_locked_itself_out_comes_back_by_itself() {
    let network = Network::up("locked");
    let configurations = network.configurations();
    network.bench.write(
        "wrong.rhai",
        r#"runbook #{ title: "A wrong interface" };
import "std/k3s" as k3s;
import "std/systemd" as systemd;
let node = k3s::nodes().filter(|node| node.name == "k3s-agent-2")[0];
step "Stage and arm" {
    let path = k3s::stage(node, "eth9");
    k3s::arm_rollback(node, path, "10s");
}
step "Restart" { systemd::restart_now(node.host, node.unit, "cluster"); }
"#,
    );
    let places = [
        network.file("hosts-by-kubelet.yaml"),
        network.file("kubeconfig"),
    ];
    assert!(
        answers(&network, "192.168.77.13", 2222),
        "the way through the kubelet"
    );
    // Its connection may break with the kubelet that carries it.
    let run = network
        .command(&network.run("wrong.rhai", &places, &["--yes"]))
        .output()
        .unwrap();
    assert!(matches!(run.status.code(), Some(0 | 4)), "{}", said(&run));
    until("the node is locked out", || {
        !answers(&network, "192.168.77.13", 2222)
    });
    until("it is back", || answers(&network, "192.168.77.13", 2222));
    let now = network.on("k3s-agent-2", "cat /etc/rancher/k3s/config.yaml");
    assert!(configurations[1].ends_with(&now), "{now}");
    // Whatever the run could not see, it is settled on the node.
    let resumed = network.command(&["resume", "--yes"]).output().unwrap();
    assert!(
        resumed.status.success() || said(&resumed).contains("there is no run to resume"),
        "{}",
        said(&resumed)
    );
    assert_eq!(
        network.on(
            "k3s-agent-2",
            "ls /run/units | grep runbook-rollback-flannel.timer || true"
        ),
        ""
    );
}

/// flannel.1 dies with the interface below it.
#[test]
#[ignore = "needs root and the network lab; .ci/network runs it"]
fn flannel_is_brought_back_after_tailscaled_was_restarted() {
    let network = Network::up("gone");
    let places = network.places();
    let book = "flannel-over-tailscale.rhai";
    let text = network.exits(0, &network.run(book, &places, &["--yes"]));
    assert!(text.contains("nothing to do"), "{text}");
    network.on("k3s-agent-1", "systemctl restart tailscaled");
    network.on("k3s-agent-1", "! ip link show dev flannel.1");
    let text = network.exits(0, &network.run(book, &places, &["--yes"]));
    assert!(text.contains("k3s-agent-1: flannel.1 is gone"), "{text}");
    network.is(1230);
    network.on(
        "k3s-agent-1",
        "ping -c 1 -W 2 10.42.0.1 && ping -c 1 -W 2 10.42.2.1 || ip route",
    );
    let text = network.exits(0, &network.run(book, &places, &["--yes"]));
    assert!(text.contains("nothing to do"), "{text}");
}
