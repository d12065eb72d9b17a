//! One request and its answer, tried again while the API server is away: it restarts under the run, as the runbook
//! may just have asked it to.

use std::hash::{BuildHasher as _, Hasher as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::BodyExt as _;
use jiff::Timestamp;
use kube::client::Body;

use super::trouble::{Fate, Trouble};
use super::{lost, unreachable};
use crate::transport::{Cancel, Clock, SystemClock, TransportError};

/// How long a call goes on trying while the API server is away: a restart of k3s takes up to a minute, that of a
/// control plane of several members, or of its machine, up to some minutes.
pub const PATIENCE: Duration = Duration::from_secs(5 * 60);

/// How long one try may take. The client itself would wait for an answer for ever.
const TRY: Duration = Duration::from_secs(60);
/// The HTTP status of what the roles do not allow.
const FORBIDDEN: u16 = 403;
/// How long the API server may take to say whether it is ready.
const READY_TRY: Duration = Duration::from_secs(10);
/// How long credentials may be refused before they count as wrong.
const UNAUTHORIZED: Duration = Duration::from_secs(30);
/// How long an API server that was away may forbid what the roles allow, and how long that it was away counts.
const ROLES: Duration = Duration::from_secs(30);
/// The first pause between two tries; each further one is twice as long, up to `LONGEST_PAUSE`.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Told what is being waited for.
pub(super) type RetryHook = Arc<dyn Fn(&Away) + Send + Sync>;

/// What a call is waiting for, told before each further try and once when it is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Away {
    /// The API server is away.
    Waiting {
        /// `is restarting`, `is not ready`, `does not accept the credentials yet`.
        state: &'static str,
        /// What the last try met, such as `connection refused`.
        why: String,
        /// For how long this call has been trying.
        waited: Duration,
        /// For how long it will.
        limit: Duration,
    },
    /// It answers again.
    Back {
        /// After how long.
        waited: Duration,
    },
}

impl std::fmt::Display for Away {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Waiting {
                state, why, waited, ..
            } => write!(f, "API server {state}: {why} ({} s)", waited.as_secs()),
            Self::Back { waited } => {
                write!(f, "API server answers again (after {} s)", waited.as_secs())
            }
        }
    }
}

/// Whether a request can be sent again when it is not known what became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repeat {
    /// Twice is the same as once.
    Always,
    /// Only if it certainly had no effect.
    UnlessUnknown,
    /// As `Always`, but what the server itself says is final: one group of its API may be broken for good.
    AnswersAreFinal,
}

/// Why a request gave no answer.
#[derive(Clone, Debug)]
pub(super) enum Stop {
    /// The server said no.
    Refused(Trouble),
    /// Anything else, as the caller passes it on.
    Failed(TransportError),
}

/// The client with everything that trying again needs.
pub(super) struct Exchange {
    client: kube::Client,
    runtime: tokio::runtime::Handle,
    pub clock: Arc<dyn Clock>,
    pub hook: RetryHook,
    pub patience: Duration,
    pub cancel: Cancel,
    /// Shared by all that use this client.
    away: Arc<Mutex<Option<Timestamp>>>,
}

/// One call's tries.
pub(super) struct Patience {
    since: Timestamp,
    pause: Duration,
    unauthorized_since: Option<Timestamp>,
    forbidden_since: Option<Timestamp>,
    /// Whether the server has said that it is ready, after it had forbidden something.
    was_ready: bool,
    /// Whether it was told that this call waits.
    waiting: bool,
}

impl Exchange {
    pub fn new(client: kube::Client, runtime: tokio::runtime::Handle) -> Self {
        Self {
            client,
            runtime,
            clock: Arc::new(SystemClock),
            hook: Arc::new(|away| tracing::info!("{away}")),
            patience: PATIENCE,
            cancel: Cancel::default(),
            away: Arc::default(),
        }
    }

    /// The runtime that the client's connections live on.
    pub fn runtime(&self) -> &tokio::runtime::Handle {
        &self.runtime
    }

    /// The client, for what is more than one request and its answer.
    pub fn client(&self) -> kube::Client {
        self.client.clone()
    }

    /// The same with another patience.
    pub fn with_patience(&self, patience: Duration) -> Self {
        Self {
            client: self.client.clone(),
            runtime: self.runtime.clone(),
            clock: self.clock.clone(),
            hook: self.hook.clone(),
            patience,
            cancel: self.cancel.clone(),
            away: self.away.clone(),
        }
    }

    /// A call begins.
    pub fn patience(&self) -> Patience {
        Patience {
            since: self.clock.now(),
            pause: FIRST_PAUSE,
            unauthorized_since: None,
            forbidden_since: None,
            was_ready: false,
            waiting: false,
        }
    }

    /// Sends a request until it has an answer or the patience of its call ends. Blocks; not for the runtime's own
    /// threads.
    pub fn send(
        &self,
        patience: &mut Patience,
        repeat: Repeat,
        request: &Request<Vec<u8>>,
    ) -> Result<Bytes, Stop> {
        self.attempt_with(patience, repeat, || self.answer(request.clone()))
    }

    /// The same for anything that takes one try.
    pub fn attempt_with<T, F: Future<Output = Result<T, Trouble>>>(
        &self,
        patience: &mut Patience,
        repeat: Repeat,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Stop> {
        loop {
            let attempt = attempt();
            let tried = async { tokio::time::timeout(TRY, attempt).await };
            let mut trouble = match self.runtime.block_on(tried) {
                Ok(Ok(answer)) => {
                    self.back(patience);
                    return Ok(answer);
                }
                Ok(Err(trouble)) => trouble,
                Err(_) => Trouble::silence(TRY.as_secs()),
            };
            if trouble.code() == FORBIDDEN {
                if self.was_just_away(patience) {
                    trouble.fate = Fate::NotNow;
                } else if self.is_starting() {
                    trouble.fate = Fate::NotNow;
                    self.note_absence();
                } else if !std::mem::replace(&mut patience.was_ready, true) {
                    // It may have become ready between its no and this question.
                    continue;
                }
            } else if !matches!(trouble.fate, Fate::Refused | Fate::Misconfigured) {
                self.note_absence();
            }
            if let Err(stop) = self.judge(patience, repeat, &trouble) {
                if trouble.status.is_some() && !trouble.is_of_the_node() {
                    // It answers again, if with a no.
                    self.back(patience);
                }
                return Err(stop);
            }
            self.wait(patience, &trouble)?;
        }
    }

    /// The server answers again.
    pub fn back(&self, patience: &mut Patience) {
        if std::mem::take(&mut patience.waiting) {
            (self.hook)(&Away::Back {
                waited: elapsed(patience.since, self.clock.now()),
            });
        }
    }

    /// Whether a no may still come from an API server that does not know the roles: it was away a moment ago, for this
    /// call or another. It says that it is ready a little before it has read every binding.
    fn was_just_away(&self, patience: &mut Patience) -> bool {
        let now = self.clock.now();
        let since = *patience.forbidden_since.get_or_insert(now);
        let recent = |away: Timestamp| elapsed(away, since) < ROLES;
        elapsed(since, now) < ROLES && self.away().is_some_and(recent)
    }

    /// Notes that the API server is away now: a request, or a stream that it carries, has ended in that way.
    pub fn note_absence(&self) {
        *self.away() = Some(self.clock.now());
    }

    /// When the API server was last seen to be away.
    fn away(&self) -> MutexGuard<'_, Option<Timestamp>> {
        self.away.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the API server is not ready yet. Until it has read the roles it forbids what they allow; `/readyz` may be
    /// asked by everybody even then (kube-apiserver's `--authorization-always-allow-paths`).
    fn is_starting(&self) -> bool {
        let mut question = Request::new(Vec::new());
        *question.uri_mut() = http::Uri::from_static("/readyz");
        let asked = async { tokio::time::timeout(READY_TRY, self.answer(question)).await };
        match self.runtime.block_on(asked) {
            Ok(Ok(_)) => false,
            // A proxy that does not pass the question on, or a server that does not know it, leaves the no as it is.
            Ok(Err(trouble)) => trouble.code() == 0 || trouble.code() >= 500,
            Err(_) => true,
        }
    }

    async fn answer(&self, request: Request<Vec<u8>>) -> Result<Bytes, Trouble> {
        let response = self.client.send(request.map(Body::from)).await;
        let response = response.map_err(|error| Trouble::from_error(&error))?;
        let status = response.status();
        let body = response.into_body().collect().await;
        let body = body.map_err(|error| Trouble::cut(&error))?.to_bytes();
        match status.is_success() {
            true => Ok(body),
            false => Err(Trouble::from_answer(status.as_u16(), &body)),
        }
    }

    /// Whether to go on trying; if not, with what the call ends.
    fn judge(
        &self,
        patience: &mut Patience,
        repeat: Repeat,
        trouble: &Trouble,
    ) -> Result<(), Stop> {
        let now = self.clock.now();
        if trouble.status.is_some() && repeat == Repeat::AnswersAreFinal {
            return Err(Stop::Refused(trouble.clone()));
        }
        match trouble.fate {
            Fate::Refused => return Err(Stop::Refused(trouble.clone())),
            Fate::Misconfigured => return Err(Stop::Failed(unreachable(&*trouble.words))),
            Fate::Unknown if repeat == Repeat::UnlessUnknown => {
                return Err(Stop::Failed(lost(&*trouble.words)));
            }
            Fate::Unauthorized => {
                let since = *patience.unauthorized_since.get_or_insert(now);
                if elapsed(since, now) >= UNAUTHORIZED {
                    return Err(Stop::Refused(trouble.clone()));
                }
            }
            _ => patience.unauthorized_since = None,
        }
        if elapsed(patience.since, now) >= self.patience {
            let tried = elapsed(patience.since, now).as_secs();
            return Err(Stop::Failed(unreachable(format!(
                "{} (tried for {tried} s); see whether the API server runs, then resume",
                trouble.words
            ))));
        }
        Ok(())
    }

    /// Another try of the caller's own making: waits, unless the call's patience has ended.
    pub fn wait_or_give_up(&self, patience: &mut Patience, trouble: &Trouble) -> Result<(), Stop> {
        match elapsed(patience.since, self.clock.now()) >= self.patience {
            true => Err(Stop::Refused(trouble.clone())),
            false => self.wait(patience, trouble),
        }
    }

    fn wait(&self, patience: &mut Patience, trouble: &Trouble) -> Result<(), Stop> {
        let state = match trouble.fate {
            Fate::NotNow if trouble.words.contains("disruption budget") => {
                "holds the eviction back"
            }
            Fate::NotNow => "is not ready",
            Fate::Unauthorized => "does not accept the credentials yet",
            _ if trouble.is_of_the_node() => "does not reach the kubelet",
            _ if trouble.is_of_a_restart() => "is restarting",
            _ => "is not reachable",
        };
        patience.waiting = true;
        (self.hook)(&Away::Waiting {
            state,
            why: trouble.shown(),
            waited: elapsed(patience.since, self.clock.now()),
            limit: self.patience,
        });
        let asked = trouble
            .retry_after()
            .map_or(Duration::ZERO, Duration::from_secs);
        let pause = jittered(patience.pause).max(asked.min(LONGEST_PAUSE));
        patience.pause = (patience.pause * 2).min(LONGEST_PAUSE);
        match self.clock.sleep(pause, &self.cancel) {
            true => Ok(()),
            false => Err(Stop::Failed(TransportError::Interrupted)),
        }
    }
}

fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

/// Between half and all of a pause, at random, so that many branches do not come back in step.
fn jittered(pause: Duration) -> Duration {
    let random = std::hash::RandomState::new().build_hasher().finish();
    let half = pause / 2;
    half + half.mul_f64((random % 1000) as f64 / 1000.0)
}
