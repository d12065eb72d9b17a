//! A shell in a container, over the exec websocket of the API server.
//!
//! What such a stream says of its own end is not trusted: a connection that breaks looks like one that ended well
//! (the client's library then gives no status at all). The answer's frame and, for commands, the gate's files decide;
//! here an end without a status is a lost connection and never a success. As long as its input has not been sent the
//! shell does nothing, so that opening a stream again after a failure is always safe.

use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Api;
use kube::api::{AttachParams, AttachedProcess};

use super::exchange::{Exchange, Repeat, Stop};
use super::trouble::Trouble;
use crate::model::Target;
use crate::transport::shell::link::{
    Exchange as ShellExchange, LinkEnd, Pumped, Receiver, ShellLink, pump,
};
use crate::transport::{Cancel, TransportError};

/// Bytes on their way between our pumps and the websocket, for each stream.
const BUFFER: usize = 64 << 10;

/// How long the status may take to follow the end of the output.
const STATUS: Duration = Duration::from_secs(10);
/// How long what had arrived before a connection broke may take to be read.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// A container of a pod.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Container {
    pub namespace: String,
    pub pod: String,
    /// None for the pod's default one.
    pub container: Option<String>,
}

/// Why a stream into a container gave no answer.
#[derive(Debug)]
pub(super) enum ExecError {
    /// There is no such running container (any more): nothing was started.
    Gone(String),
    /// Anything else, as the transport passes it on.
    Failed(TransportError),
}

/// Opens streams into containers.
pub(super) struct Exec {
    pub target: Target,
    pub exchange: Arc<Exchange>,
}

impl Exec {
    /// Runs words in a container. Blocks the calling thread.
    pub fn run(
        &self,
        place: &Container,
        words: &[&str],
        exchange: &ShellExchange<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Result<LinkEnd, ExecError> {
        let process = self.open(place, words)?;
        self.exchange
            .runtime()
            .block_on(self.talk(process, exchange, receiver, cancel))
            .map_err(ExecError::Failed)
    }

    /// A stream, tried again while the API server or the node's kubelet is away.
    fn open(&self, place: &Container, words: &[&str]) -> Result<AttachedProcess, ExecError> {
        let pods: Api<Pod> = Api::namespaced(self.exchange.client(), &place.namespace);
        let mut patience = self.exchange.patience();
        loop {
            let opened = self
                .exchange
                .attempt_with(&mut patience, Repeat::Always, || {
                    let pods = pods.clone();
                    let params = AttachParams {
                        container: place.container.clone(),
                        stdin: true,
                        stdout: true,
                        stderr: true,
                        tty: false,
                        max_stdin_buf_size: Some(BUFFER),
                        max_stdout_buf_size: Some(BUFFER),
                        max_stderr_buf_size: Some(BUFFER),
                    };
                    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
                    let pod = place.pod.clone();
                    async move {
                        pods.exec(&pod, words, &params)
                            .await
                            .map_err(|error| Trouble::from_error(&error))
                    }
                });
            match opened {
                Ok(process) => return Ok(process),
                Err(Stop::Failed(error)) => return Err(ExecError::Failed(self.of_target(error))),
                Err(Stop::Refused(trouble)) if trouble.container_is_gone() => {
                    return Err(ExecError::Gone(trouble.words));
                }
                Err(Stop::Refused(trouble)) if trouble.is_of_the_node() => {
                    self.exchange
                        .wait_or_give_up(&mut patience, &trouble)
                        .map_err(|stop| ExecError::Failed(self.given_up(stop)))?;
                }
                Err(stop) => return Err(ExecError::Failed(self.given_up(stop))),
            }
        }
    }

    async fn talk(
        &self,
        mut process: AttachedProcess,
        exchange: &ShellExchange<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Result<LinkEnd, TransportError> {
        let (Some(stdin), Some(stdout), Some(stderr), Some(status)) = (
            process.stdin(),
            process.stdout(),
            process.stderr(),
            process.take_status(),
        ) else {
            return Err(self.lost("the exec stream has no channels"));
        };
        let mut status = std::pin::pin!(status);
        let mut told = None;
        let pumped = {
            let mut pump = std::pin::pin!(pump(stdin, stdout, stderr, exchange, receiver, cancel));
            tokio::select! {
                pumped = &mut pump => pumped,
                // Where the connection broke, the library leaves its outputs open for ever; that no status will come
                // is the only sign (kube-client 5.0.0, remote_command.rs, the early returns of start_message_loop).
                answer = &mut status => {
                    let broke = answer.is_none();
                    told = Some(answer);
                    match broke {
                        true => tokio::time::timeout(LAST_WORDS, pump).await.unwrap_or(Pumped::Closed),
                        false => pump.await,
                    }
                }
            }
        };
        match pumped {
            Pumped::Heard => Ok(LinkEnd::Heard),
            Pumped::Closed => {
                let answer = match told {
                    Some(answer) => Ok(answer),
                    None => tokio::time::timeout(STATUS, status).await,
                };
                match answer {
                    Ok(Some(status)) => self.ended(&status),
                    // The library gives none when the connection broke.
                    Ok(None) => Err(self.lost("the exec stream broke off")),
                    Err(_) => Err(self.lost("the exec stream ended without saying how")),
                }
            }
            Pumped::Interrupted => Err(TransportError::Interrupted),
            Pumped::TimedOut => Err(self.lost("no answer came in time")),
            Pumped::Failed(error) => Err(self.lost(&error.to_string())),
        }
    }

    /// `Success`, or the exit status among the causes of a failure (`NonZeroExitCode`); anything else is trouble of
    /// the stream.
    fn ended(&self, status: &Status) -> Result<LinkEnd, TransportError> {
        if status.status.as_deref() == Some("Success") {
            return Ok(LinkEnd::Ended(Some(0)));
        }
        let causes = status
            .details
            .as_ref()
            .and_then(|details| details.causes.as_ref());
        let code = causes
            .into_iter()
            .flatten()
            .find(|cause| cause.reason.as_deref() == Some("ExitCode"))
            .and_then(|cause| cause.message.as_deref()?.parse().ok());
        let message = status
            .message
            .as_deref()
            .unwrap_or("the exec stream failed without words");
        match code {
            Some(code) => Ok(LinkEnd::Ended(Some(code))),
            // The runtime could not start the program: 127 as a shell would say it.
            None if message.contains("executable file not found")
                || message.contains("no such file or directory") =>
            {
                Ok(LinkEnd::Ended(Some(127)))
            }
            None => Err(self.lost(message)),
        }
    }

    fn lost(&self, why: &str) -> TransportError {
        // A stream breaks off when the API server that carries it dies; the next one may not know the roles at first.
        self.exchange.note_absence();
        TransportError::Lost {
            target: self.target.clone(),
            why: why.to_owned(),
        }
    }

    /// An error of the API on the way to this target. Nothing was started.
    fn of_target(&self, error: TransportError) -> TransportError {
        match error {
            TransportError::Unreachable { why, .. } | TransportError::Lost { why, .. } => {
                TransportError::Unreachable {
                    target: self.target.clone(),
                    why,
                }
            }
            other => other,
        }
    }

    fn given_up(&self, stop: Stop) -> TransportError {
        match stop {
            Stop::Failed(error) => self.of_target(error),
            Stop::Refused(trouble) if trouble.is_of_the_node() => TransportError::Unreachable {
                target: self.target.clone(),
                why: format!(
                    "the API server does not reach its kubelet: {}",
                    trouble.words
                ),
            },
            Stop::Refused(trouble) => {
                let hint = match trouble.code() {
                    403 => {
                        "; running programs in pods needs the verbs `create` and `get` on `pods/exec`"
                    }
                    _ => "",
                };
                TransportError::Refused {
                    target: self.target.clone(),
                    why: format!("{}{hint}", trouble.words),
                }
            }
        }
    }
}

/// The shell of a container.
pub struct PodLink {
    exec: Exec,
    place: Container,
}

impl PodLink {
    pub(super) fn new(exec: Exec, place: Container) -> Self {
        Self { exec, place }
    }

    pub(super) fn exchange_of(&self) -> &Arc<Exchange> {
        &self.exec.exchange
    }

    pub(super) fn place(&self) -> &Container {
        &self.place
    }
}

impl ShellLink for PodLink {
    fn target(&self) -> &Target {
        &self.exec.target
    }

    fn exchange(
        &self,
        exchange: &ShellExchange<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Result<LinkEnd, TransportError> {
        let ended = self
            .exec
            .run(&self.place, exchange.words, exchange, receiver, cancel);
        ended.map_err(|error| match error {
            ExecError::Failed(error) => error,
            ExecError::Gone(why) => TransportError::Unreachable {
                target: self.exec.target.clone(),
                why,
            },
        })
    }
}
