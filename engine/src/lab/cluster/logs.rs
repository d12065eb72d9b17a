//! Container logs. They follow from the lab's time, so they take no room in its state.

use super::key;
use crate::lab::definition::LogTopic;
use crate::lab::world::{Millis, Sandbox, World, timestamp};
use crate::transport::LogQuery;

/// How often a proxy on a link that is too small complains.
const COMPLAINT_EVERY: Millis = 7_000;
/// How often somebody on the Internet fails a TLS handshake.
const HANDSHAKE_EVERY: Millis = 41_000;
/// A log is rotated: only so much time back is kept.
const KEPT: Millis = 3_600_000;

/// The classes of failed handshakes (domain: Go's words).
const HANDSHAKES: [&str; 6] = [
    "tls: client offered only unsupported versions: [301]",
    "tls: no cipher suite supported by both client and server; client offered: [c02f c030 9e 9f]",
    "EOF",
    "tls: client offered only unsupported versions: [302 301]",
    "EOF",
    "tls: first record does not look like a TLS handshake",
];

/// The part of a pod's log that was asked for; `None` if there is no such pod.
pub fn logs(world: &World, namespace: &str, pod: &str, query: &LogQuery) -> Option<String> {
    let pod_object = world.objects.get(&key("pods", Some(namespace), pod))?;
    let Some(sandbox) = world.sandboxes.get(&format!("{namespace}/{pod}")) else {
        return Some(String::new());
    };
    if query.previous {
        return Some(String::new());
    }
    if let Some(output) = &sandbox.output {
        return Some(output.clone());
    }
    let topics = super::pods::workload_of(pod_object)
        .and_then(|workload| world.workloads.get(&workload))
        .map(|workload| workload.logs.clone())
        .unwrap_or_default();
    let since = query
        .since
        .map_or(0, |since| world.now - since.as_millis() as Millis);
    let mut lines: Vec<(Millis, String)> =
        vec![(sandbox.started, "boot: container started".into())];
    for topic in topics {
        match topic {
            LogTopic::Proxy => lines.extend(complaints(world, sandbox)),
            LogTopic::Funnel => lines.extend(handshakes(world, sandbox)),
        }
    }
    lines.retain(|(at, _)| *at >= since);
    lines.sort_by_key(|(at, _)| *at);
    if let Some(tail) = query.tail {
        let from = lines
            .len()
            .saturating_sub(usize::try_from(tail).unwrap_or(0));
        lines.drain(..from);
    }
    Some(
        lines
            .into_iter()
            .map(|(at, line)| {
                let time = timestamp(at).strftime("%Y/%m/%d %H:%M:%S");
                format!("{time} {line}\n")
            })
            .collect(),
    )
}

fn complaints(world: &World, sandbox: &Sandbox) -> Vec<(Millis, String)> {
    let end = sandbox.too_small_until.unwrap_or(world.now);
    ticks(world, sandbox.started, end, COMPLAINT_EVERY)
        .map(|(at, _)| {
            (
                at,
                "wgengine: [unexpected] magicsock: write udp4 0.0.0.0:41641->192.168.1.12:41641: sendmmsg: message too long".to_owned(),
            )
        })
        .collect()
}

fn handshakes(world: &World, sandbox: &Sandbox) -> Vec<(Millis, String)> {
    ticks(world, sandbox.started, world.now, HANDSHAKE_EVERY)
        .map(|(at, nth)| {
            let class = HANDSHAKES[nth as usize % HANDSHAKES.len()];
            let port = 30_000 + nth % 30_000;
            (
                at,
                format!("http: TLS handshake error from 198.51.100.7:{port}: {class}"),
            )
        })
        .collect()
}

/// The multiples of a period in a time that a rotated log still holds, numbered.
fn ticks(
    world: &World,
    start: Millis,
    end: Millis,
    period: Millis,
) -> impl Iterator<Item = (Millis, i64)> {
    let first = start.max(world.now - KEPT) / period + 1;
    (first..=end / period).map(move |nth| (nth * period, nth))
}
