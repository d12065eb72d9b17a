//! Starting a master connection, and what its failures mean.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use openssh::{ControlPersist, Error as SshError, KnownHosts, Session, SessionBuilder};

use crate::transport::SshRoute;
use crate::transport::shell::quote_word;

/// How long a connection may take, where the user's configuration does not say.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);

/// How often a silent server is asked for a sign of life, where the user's configuration does not say. After
/// three without an answer (ssh_config(5), ServerAliveCountMax) the connection is lost.
const ALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// A master that nobody uses for so many seconds ends by itself, also when the engine was killed.
const IDLE_SECONDS: NonZeroUsize = NonZeroUsize::new(120).expect("is not zero");

/// The line that the login shell of the other side gets; none if a word holds a NUL byte.
pub(super) fn line(words: &[&str]) -> Option<String> {
    let quoted: Option<Vec<String>> = words.iter().map(|word| quote_word(word)).collect();
    Some(quoted?.join(" "))
}

/// Starts a master. The error is a sentence for the user.
pub(super) async fn connect(route: &SshRoute, directory: &Path) -> Result<Session, String> {
    let destination = route.destination.as_str();
    if destination.is_empty() || destination.starts_with('-') {
        return Err(format!("{destination:?} is no destination for ssh"));
    }
    let configured = Configured::ask(route).await?;
    let mut builder = SessionBuilder::default();
    builder
        .control_directory(directory)
        .control_persist(ControlPersist::IdleFor(IDLE_SECONDS))
        .known_hosts_check(configured.known_hosts);
    if !configured.connect_timeout {
        builder.connect_timeout(CONNECT_TIMEOUT);
    }
    if !configured.alive_interval {
        builder.server_alive_interval(ALIVE_INTERVAL);
    }
    if let Some(user) = &route.user {
        builder.user(user.clone());
    }
    if let Some(port) = route.port {
        builder.port(port);
    }
    if let Some(identity) = &route.identity {
        builder.keyfile(identity);
    }
    if let Some(config) = &route.config {
        builder.config_file(config);
    }
    if let Some(known_hosts) = &route.known_hosts {
        builder.user_known_hosts_file(known_hosts);
    }
    if let Some(jump) = &route.jump {
        builder.jump_hosts(jump.split(','));
    }
    builder
        .connect_mux(destination)
        .await
        .map_err(|error| explain(&error, route))
}

/// What the user's configuration says about things that the library would otherwise decide.
struct Configured {
    known_hosts: KnownHosts,
    connect_timeout: bool,
    alive_interval: bool,
}

impl Configured {
    /// Asks `ssh -G`, which evaluates the configuration for a destination without connecting.
    async fn ask(route: &SshRoute) -> Result<Self, String> {
        let mut arguments: Vec<OsString> = vec!["-G".into()];
        if let Some(config) = &route.config {
            arguments.extend(["-F".into(), config.into()]);
        }
        if let Some(user) = &route.user {
            arguments.extend(["-l".into(), user.into()]);
        }
        if let Some(port) = route.port {
            arguments.extend(["-p".into(), port.to_string().into()]);
        }
        arguments.extend(["--".into(), (&route.destination).into()]);
        let output = tokio::process::Command::new("ssh")
            .args(arguments)
            .stdin(Stdio::null())
            .output()
            .await
            .map_err(|error| {
                format!("the program `ssh` cannot be started ({error}); install the OpenSSH client")
            })?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!(
                "ssh does not accept its configuration: {}",
                said.trim()
            ));
        }
        Ok(Self::parse(&String::from_utf8_lossy(&output.stdout)))
    }

    fn parse(text: &str) -> Self {
        let value = |key: &str| {
            text.lines()
                .filter_map(|line| line.split_once(' '))
                .find(|(name, _)| *name == key)
                .map(|(_, value)| value)
        };
        Self {
            known_hosts: match value("stricthostkeychecking") {
                Some("accept-new") => KnownHosts::Add,
                Some("false" | "no" | "off") => KnownHosts::Accept,
                // `ask` cannot be answered here, so it is strict.
                _ => KnownHosts::Strict,
            },
            connect_timeout: value("connecttimeout").is_some_and(|value| value != "none"),
            alive_interval: value("serveraliveinterval").is_some_and(|value| value != "0"),
        }
    }
}

/// An error with its causes, on one line.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_words = cause.to_string();
        if !words.contains(&cause_words) {
            words.push_str(": ");
            words.push_str(&cause_words);
        }
        source = cause.source();
    }
    words
}

/// What a failed connection means and what to do about it.
fn explain(error: &SshError, route: &SshRoute) -> String {
    let SshError::Connect(cause) = error else {
        return chain(error);
    };
    let said = cause.to_string();
    let said = said.trim();
    let destination = &route.destination;
    let advice = if said.contains("IDENTIFICATION HAS CHANGED") {
        format!(
            "the host key is not the one in known_hosts; if the host was reinstalled, remove the old one \
             with `ssh-keygen -R {destination}` and check the new one; if not, somebody may be in between"
        )
    } else if said.contains("Host key verification failed") {
        format!(
            "the host key is not known; connect once by hand with `ssh {destination}` and check it, or add it \
             to known_hosts"
        )
    } else if said.contains("Permission denied") {
        format!(
            "the server accepts none of our keys; try `ssh -o BatchMode=yes {destination}`: the key must be in \
             the agent (`ssh-add`) or named in the inventory or ssh's configuration; passwords are not asked for"
        )
    } else if said.contains("Connection refused") {
        "nothing listens at that port; is sshd running, and is the port right?".to_owned()
    } else if said.contains("timed out") {
        "the host does not answer; is it up, and does a firewall or VPN stand between?".to_owned()
    } else if said.contains("Could not resolve") {
        "the name is not known; check the inventory's `host` and ssh's configuration".to_owned()
    } else {
        format!("try `ssh {destination}` by hand")
    };
    format!("{said} ({advice})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_users_configuration_decides() {
        let parsed = Configured::parse(
            "user me\nstricthostkeychecking accept-new\nserveraliveinterval 0\nconnecttimeout 5\n",
        );
        assert!(matches!(parsed.known_hosts, KnownHosts::Add));
        assert!(parsed.connect_timeout && !parsed.alive_interval);
        let parsed = Configured::parse("stricthostkeychecking ask\nconnecttimeout none\n");
        assert!(matches!(parsed.known_hosts, KnownHosts::Strict));
        assert!(!parsed.connect_timeout);
    }
}
