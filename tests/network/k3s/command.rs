//! Programs of the host.

use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use serde_json::Value as Json;

/// Runs a program, given as one line of words; its standard output.
pub fn run(line: &str) -> anyhow::Result<String> {
    let mut words = line.split_whitespace();
    let program = words.next().context("no program")?;
    let output = Command::new(program)
        .args(words)
        .stdin(Stdio::null())
        .output()
        .with_context(|| line.to_owned())?;
    if !output.status.success() {
        bail!("{line}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// What `ip -j …` tells.
pub fn ip(arguments: &str) -> anyhow::Result<Vec<Json>> {
    Ok(serde_json::from_str(&run(&format!("ip -j {arguments}"))?)?)
}

/// The MTU of a link; none if there is no such link.
pub fn mtu(link: &str) -> Option<u64> {
    ip(&format!("link show dev {link}")).ok()?[0]["mtu"].as_u64()
}
