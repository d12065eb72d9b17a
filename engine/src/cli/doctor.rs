//! `runbook doctor`: everything that a run needs from this machine, the hosts and the cluster, on one screen. Touches
//! nothing: hosts that are reached by helper pods are looked at through the API only.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::args::{self, Global};
use super::console::Console;
use super::context::RunContext;
use super::ground::{Ground, Place};
use super::preflight::{Check, CheckResult, Wants, cluster};
use super::prepare;
use super::problem::{FAILED, Problem};
use super::run::{labs, state};
use super::runtime::runtime;
use crate::executor::Announcer;
use crate::model::{HostName, Secrets, Target};
use crate::report::Fanout;
use crate::transport::{Cancel, Command, Exit, ObservingFleet, Route};

/// How long a host may take to answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Clocks that are further apart than this confuse certificates, leases and logs.
const CLOCKS: i64 = 5;
/// Free space below which a journal or a marker may not fit, in KiB: 64 MiB.
const SPACE: u64 = 64 << 10;

/// Looks at everything.
pub fn doctor(doctor: &args::Doctor, global: &Global, console: &Console) -> Result<u8, Problem> {
    let place = Place {
        lab: None,
        inventory: doctor.inventory.clone().map(|path| (path, None)),
        limit: doctor.limit.clone(),
        context: doctor.context.clone(),
        kubeconfig: doctor.kubeconfig.clone(),
        parallel: 0,
    };
    let ground = Ground::survey(place, labs(global)?)?;
    let routes = ground.routes();
    let wants = match &doctor.runbook {
        None => Wants::of_hosts(&routes),
        Some(runbook) => {
            let sources = prepare::load(runbook)?;
            let header = prepare::checked(&sources, &ground.names(), console)?;
            let defaults = prepare::defaults(&header);
            Wants::from_parts(&sources, defaults, routes)
        }
    };
    let mut checks = vec![state_directory(global)];
    let runtime = runtime()?;
    let announcer = Announcer::new(Arc::new(Fanout(Vec::new())), Arc::new(Secrets::new()));
    let mut context = RunContext::unrecorded(&announcer, &Cancel::default());
    context.observer_pods = false;
    let fleet = ground.observing(&runtime, context.clone())?;
    for name in &ground.hosts {
        checks.extend(host(&*fleet, name, ground.route(name)));
    }
    let named = doctor.kubeconfig.is_some() || doctor.context.is_some();
    if wants.a_cluster() || named || ground.inventory.kube().is_some() {
        let access = ground.cluster();
        let found = access
            .connect(runtime.handle(), &context)
            .map(crate::transport::kube::KubeCluster::into_reader)
            .and_then(|reader| {
                let reader = reader.with_patience(PATIENCE);
                cluster(&reader, &access, &context, &wants)
            });
        match found {
            Ok(found) => checks.extend(found),
            Err(error) => checks.push(Check::bad("cluster", error.to_string(), "")),
        }
    }
    drop(fleet);
    let bad = show(&checks, console);
    Ok(if bad { FAILED } else { 0 })
}

/// Prints all checks; tells whether one is bad.
fn show(checks: &[Check], console: &Console) -> bool {
    let mut bad = 0;
    let mut text = String::new();
    let mut helps: Vec<&str> = Vec::new();
    for check in checks {
        let (mark, words) = match &check.result {
            CheckResult::Good(found) => ("ok  ", found),
            CheckResult::Doubtful(found) => ("?   ", found),
            CheckResult::Bad(why, help) => {
                bad += 1;
                if !help.is_empty() && !helps.contains(&help.as_str()) {
                    helps.push(help);
                }
                ("BAD ", why)
            }
        };
        let line = format!("{mark} {}: {words}", check.what);
        text.push_str(&format!("{}\n", crate::report::safe::line(&line)));
    }
    for help in helps {
        text.push_str(&format!("\nhelp: {help}\n"));
    }
    text.push_str(&match bad {
        0 => "\nnothing is missing\n".to_owned(),
        bad => format!(
            "\n{}; nothing was touched\n",
            crate::report::counted(bad, "thing is missing", "things are missing")
        ),
    });
    console.print(&text);
    bad > 0
}

fn state_directory(global: &Global) -> Check {
    let what = "state directory";
    let opened = state(global);
    match opened {
        Ok(state) => {
            let space = rustix::fs::statvfs(state.root())
                .map(|stat| stat.f_bavail * stat.f_frsize / 1024)
                .unwrap_or(u64::MAX);
            match space >= SPACE {
                true => Check::good(what, state.root().display().to_string()),
                false => Check::bad(
                    what,
                    format!("{}: {} MiB are free", state.root().display(), space / 1024),
                    "a run whose journal cannot be written stops: make room, or use --state-dir",
                ),
            }
        }
        Err(problem) => {
            let why: Vec<String> = problem
                .diagnostics
                .iter()
                .map(|diagnostic| diagnostic.message.clone())
                .collect();
            Check::bad(what, why.join("; "), "")
        }
    }
}

/// One host: reached, become who the inventory says, clock, room for markers.
fn host(fleet: &dyn ObservingFleet, name: &HostName, route: Option<Route>) -> Vec<Check> {
    let what = format!("host {name}");
    if let Some(Route::Node(route)) = route {
        return vec![Check::good(
            what,
            format!(
                "node {}, by a helper pod; not started by the doctor",
                route.node
            ),
        )];
    }
    // The markers of commands are kept below the first of these that is there.
    let command = Command::argv([
        "sh",
        "-c",
        "date +%s; df -Pk /var/lib 2>/dev/null | tail -n 1 | { read -r _ _ _ free _; echo \"$free\"; }; id -un",
    ]);
    let sent = Timestamp::now();
    let answer = fleet
        .observer(&Target::Host(name.clone()))
        .and_then(|observer| observer.probe(&command, PATIENCE, &Cancel::default()));
    let output = match answer {
        Ok(output) if output.exit == Exit::Code(0) => output,
        Ok(output) => {
            let why = output.stderr.text();
            return vec![Check::bad(what, why.trim().to_owned(), "")];
        }
        Err(error) => return vec![Check::bad(what, error.to_string(), "")],
    };
    let back = Timestamp::now();
    let text = output.stdout.text();
    let mut lines = text.lines();
    let mut next = || lines.next().unwrap_or_default().trim().to_owned();
    let (clock, free, user) = (next(), next(), next());
    let mut checks = vec![Check::good(what.clone(), format!("reached, as {user}"))];
    if let Ok(there) = clock.parse::<i64>() {
        // It was read at some moment between the two of ours.
        let apart = if there < sent.as_second() {
            there - sent.as_second()
        } else {
            (there - back.as_second()).max(0)
        };
        checks.push(match apart.abs() <= CLOCKS {
            true => Check::good(format!("clock of {name}"), "agrees with ours"),
            false => Check::doubtful(
                format!("clock of {name}"),
                format!("{apart} s from ours; certificates, leases and logs depend on it"),
            ),
        });
    }
    if let Ok(free) = free.parse::<u64>() {
        checks.push(match free >= SPACE {
            true => Check::good(
                format!("space on {name}"),
                format!("{} MiB free", free / 1024),
            ),
            false => Check::bad(
                format!("space on {name}"),
                format!("{} MiB free in /var/lib", free / 1024),
                "the markers of commands and their output are kept there: make room",
            ),
        });
    }
    checks
}
