//! `tls-cipher-check` against a real server with what Funnel has: TLS 1.2 and 1.3 and an ECDSA key.

#[path = "support/bench.rs"]
mod bench;

use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use bench::Bench;

/// `openssl s_server` on a free port, until it is dropped.
struct Server {
    process: Child,
    address: String,
}

impl Server {
    /// With a key of this kind (`ec` or `rsa`).
    fn start(bench: &Bench, key: &[&str]) -> Self {
        let made = Command::new("openssl")
            .current_dir(bench.path())
            .args(["req", "-x509", "-nodes", "-days", "2"])
            .args(["-keyout", "key.pem", "-out", "cert.pem"])
            .args(["-subj", "/CN=media.example.ts.net"])
            .args(key)
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", bench::said(&made));
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())
            .unwrap()
            .port();
        let address = format!("127.0.0.1:{port}");
        let process = Command::new("openssl")
            .current_dir(bench.path())
            .args(["s_server", "-accept", &address, "-quiet"])
            .args(["-cert", "cert.pem", "-key", "key.pem"])
            .args(["-no_tls1", "-no_tls1_1"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Self { process, address };
        let limit = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(&server.address).is_err() {
            assert!(Instant::now() < limit, "the server does not listen");
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; there is nobody to tell.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The handshakes of a run as `handshake: got`, by a runbook of two lines.
fn handshakes(bench: &Bench, address: &str) -> Vec<String> {
    let book = format!(
        "runbook #{{ title: \"Handshakes\" }};\nimport \"std/tls\" as tls;\nstep \"Try\" {{ for row in tls::probe(host(\"localhost\"), \"{}\", \"media.example.ts.net\") {{ note(`${{row.handshake}}: ${{row.got}}`); }} }}\n",
        address
    );
    bench.write("probe.rhai", &book);
    let text = bench.exits(0, &["run", "probe.rhai"]);
    let lines = text.lines().map(str::trim);
    lines
        .filter(|line| line.starts_with("TLS"))
        .map(str::to_owned)
        .collect()
}

/// Without openssl there is nothing to try; where it must be there, CI says so.
fn no_openssl() -> bool {
    let there = Command::new("openssl").arg("version").output().is_ok();
    assert!(
        there || std::env::var_os("RUNBOOK_REQUIRE_SSHD").is_none(),
        "openssl is missing"
    );
    !there
}

#[test]
fn an_ecdsa_key_accepts_what_must_work_and_refuses_the_rest_by_an_alert() {
    if no_openssl() {
        return;
    }
    let bench = Bench::new();
    let server = Server::start(
        &bench,
        &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
    );
    assert_eq!(
        handshakes(&bench, &server.address),
        [
            "TLS 1.3: accepted",
            "TLS 1.2, ECDSA: accepted",
            "TLS 1.2, RSA only: refused",
            "TLS 1.2, RSA key exchange: refused",
            "TLS 1.1: refused",
        ]
    );
}

/// The other way round, so that the probe is seen to tell the two apart.
#[test]
fn an_rsa_key_refuses_ecdsa_suites() {
    if no_openssl() {
        return;
    }
    let bench = Bench::new();
    let server = Server::start(&bench, &["-newkey", "rsa:2048"]);
    let got = handshakes(&bench, &server.address);
    assert!(
        got.contains(&"TLS 1.2, ECDSA: refused".to_owned()),
        "{got:?}"
    );
    assert!(
        got.contains(&"TLS 1.2, RSA only: accepted".to_owned()),
        "{got:?}"
    );
}

#[test]
fn a_server_that_is_gone_refuses_nothing() {
    if no_openssl() {
        return;
    }
    let bench = Bench::new();
    let port = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = port.local_addr().unwrap().to_string();
    drop(port);
    let got = handshakes(&bench, &address);
    assert_eq!(got.len(), 5);
    for line in got {
        assert!(line.ends_with("no answer"), "{line}");
    }
}
