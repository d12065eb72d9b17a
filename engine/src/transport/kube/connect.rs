//! From a kubeconfig to a client, with errors that name the file, the context or the plugin.

use std::path::{Path, PathBuf};
use std::time::Duration;

use kube::config::{KubeConfigOptions, Kubeconfig, KubeconfigError};
use kube::{Client, Config};

use super::trouble::credentials;
use super::unreachable;
use crate::transport::TransportError;

/// How long one attempt to connect may take.
const CONNECT: Duration = Duration::from_secs(10);

/// Where the access comes from.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    /// These files, the first one that says something wins.
    Files(Vec<PathBuf>),
    /// The service account of the pod that we run in.
    Pod,
}

/// A client for the cluster of a kubeconfig. Runs the context's credential plugin, sends nothing to the cluster.
pub(super) fn client(
    path: Option<&Path>,
    context: Option<&str>,
    runtime: &tokio::runtime::Handle,
) -> Result<Client, TransportError> {
    let environment = Environment::read();
    let config = match source(path, context, &environment)? {
        Source::Files(files) => runtime.block_on(from_files(&files, context))?,
        Source::Pod => Config::incluster().map_err(|error| {
            unreachable(format!("the pod's service account cannot be used: {error}"))
        })?,
    };
    // The client's parts are spawned onto the runtime.
    let _inside = runtime.enter();
    let exec = config.auth_info.exec.as_ref();
    let plugin = exec.and_then(|exec| exec.command.clone());
    Client::try_from(tuned(config))
        .map_err(|error| unreachable(client_error(&error, plugin.as_deref())))
}

fn tuned(mut config: Config) -> Config {
    config.connect_timeout = Some(CONNECT);
    // The library would send any request again after 429, 503 and 504, also one that may have had its effect.
    config.default_retry = false;
    config
}

fn client_error(error: &kube::Error, plugin: Option<&str>) -> String {
    match error {
        kube::Error::Auth(auth) => credentials(auth, plugin),
        other => format!("the kubeconfig cannot be used: {other}"),
    }
}

/// What the environment says about access.
struct Environment {
    kubeconfig: Option<std::ffi::OsString>,
    home: Option<PathBuf>,
    in_pod: bool,
}

impl Environment {
    fn read() -> Self {
        Self {
            kubeconfig: std::env::var_os("KUBECONFIG"),
            home: std::env::home_dir(),
            in_pod: std::env::var_os("KUBERNETES_SERVICE_HOST").is_some(),
        }
    }
}

/// The rules of `kubectl`: an explicit file, else those of `KUBECONFIG` that exist, else `~/.kube/config`, else the
/// pod's service account.
fn source(
    path: Option<&Path>,
    context: Option<&str>,
    environment: &Environment,
) -> Result<Source, TransportError> {
    if let Some(path) = path {
        return Ok(Source::Files(vec![path.to_owned()]));
    }
    let named: Vec<PathBuf> = environment
        .kubeconfig
        .iter()
        .flat_map(std::env::split_paths)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if !named.is_empty() {
        let there: Vec<PathBuf> = named.iter().filter(|path| path.exists()).cloned().collect();
        return match there.is_empty() {
            false => Ok(Source::Files(there)),
            true => Err(unreachable(format!(
                "KUBECONFIG names {}, which is not there",
                shown(&named)
            ))),
        };
    }
    let usual = environment
        .home
        .as_ref()
        .map(|home| home.join(".kube/config"));
    if let Some(usual) = usual.filter(|usual| usual.exists()) {
        return Ok(Source::Files(vec![usual]));
    }
    match (environment.in_pod, context) {
        (true, None) => Ok(Source::Pod),
        _ => Err(unreachable(
            "there is no kubeconfig: KUBECONFIG is not set and ~/.kube/config is not there; name the file with \
             --kubeconfig (on a k3s server it is /etc/rancher/k3s/k3s.yaml)",
        )),
    }
}

fn shown(files: &[PathBuf]) -> String {
    let names: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    names.join(", ")
}

async fn from_files(files: &[PathBuf], context: Option<&str>) -> Result<Config, TransportError> {
    let mut kubeconfig = Kubeconfig::default();
    for file in files {
        let next = Kubeconfig::read_from(file);
        kubeconfig = next
            .and_then(|next| kubeconfig.merge(next))
            .map_err(|error| unreachable(file_error(file, &error)))?;
    }
    let place = format!("the kubeconfig {}", shown(files));
    check_context(&kubeconfig, context, &place)?;
    let options = KubeConfigOptions {
        context: context.map(str::to_owned),
        ..KubeConfigOptions::default()
    };
    let config = Config::from_custom_kubeconfig(kubeconfig, &options).await;
    config.map_err(|error| unreachable(format!("{place} cannot be used: {}", words(&error))))
}

fn check_context(
    kubeconfig: &Kubeconfig,
    context: Option<&str>,
    place: &str,
) -> Result<(), TransportError> {
    let names: Vec<&str> = kubeconfig
        .contexts
        .iter()
        .map(|context| context.name.as_str())
        .collect();
    let has = match names.is_empty() {
        true => "it has none".to_owned(),
        false => format!("it has {}", names.join(", ")),
    };
    match context.or(kubeconfig
        .current_context
        .as_deref()
        .filter(|name| !name.is_empty()))
    {
        None => Err(unreachable(format!(
            "{place} has no current context ({has}); choose one with --context or `kubectl config use-context`"
        ))),
        Some(name) if !names.contains(&name) => Err(unreachable(format!(
            "{place} has no context {name:?}; {has}"
        ))),
        Some(_) => Ok(()),
    }
}

fn file_error(file: &Path, error: &KubeconfigError) -> String {
    let file = file.display();
    match error {
        KubeconfigError::ReadConfig(why, _) if why.kind() == std::io::ErrorKind::NotFound => {
            format!("the kubeconfig {file} is not there")
        }
        KubeconfigError::ReadConfig(why, _) => {
            format!("the kubeconfig {file} cannot be read: {why}")
        }
        other => format!("the kubeconfig {file} cannot be used: {}", words(other)),
    }
}

/// The library's words; of a parser's message only the first line, since the rest quotes the file, keys included
/// (M9).
fn words(error: &KubeconfigError) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().to_owned()
}

#[cfg(test)]
#[path = "connect_tests.rs"]
mod tests;
