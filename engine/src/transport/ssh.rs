//! Hosts by the user's own ssh: its configuration, agent, known hosts and jump hosts.
//!
//! Each host has one master connection, started by the `ssh` program and spoken to through its control socket.
//! A master that is lost or has ended is connected again at the next use.

use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use openssh::{ChildStderr, ChildStdin, ChildStdout, Error as SshError, Session, Stdio};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, SemaphorePermit};

use super::shell::ShellTarget;
use super::shell::kept::{KeptShell, Shelf};
use super::shell::link::{Conversation, Exchange, LinkEnd, Pumped, Receiver, ShellLink, pump};
use super::{Cancel, SshRoute, TransportError};
use crate::model::Target;

mod ahead;
mod master;

use ahead::Ahead;
use master::{connect, line};

/// A host whose transport is ssh.
pub type SshTarget = ShellTarget<SshLink>;

/// Sessions at once through one connection. A server allows 10 unless told otherwise (sshd_config(5),
/// MaxSessions).
const SESSIONS: usize = 8;

/// How long we go on asking for a session that the server refuses because it has too many.
const SESSION_PATIENCE: Duration = Duration::from_secs(60);

/// How long connections that were begun ahead may take to come about when nobody wants them any more.
const LAST_PATIENCE: Duration = Duration::from_secs(1);

/// The longest directory in which a control socket has room: a Unix socket's path has at most 104 bytes
/// (108 on Linux), of which ssh needs 56 for its own names.
const LONGEST_DIRECTORY: usize = 44;

/// What all ssh connections of an engine share: where their sockets are, how many there may be.
pub struct SshPool {
    control: Mutex<Option<TempDir>>,
    masters: Arc<Semaphore>,
    links: Mutex<Vec<Weak<SshCore>>>,
}

impl SshPool {
    /// A pool of at most `parallel` connections at a time (at least one). When it is full, a connection that
    /// nobody uses at the moment makes room.
    pub fn new(parallel: usize) -> Arc<Self> {
        Arc::new(Self {
            control: Mutex::default(),
            masters: Arc::new(Semaphore::new(parallel.clamp(1, Semaphore::MAX_PERMITS))),
            links: Mutex::default(),
        })
    }

    /// A private directory with a short name, made at the first use.
    fn control_directory(&self) -> std::io::Result<PathBuf> {
        let mut control = lock(&self.control);
        if let Some(directory) = &*control {
            return Ok(directory.path().to_owned());
        }
        let parent = [
            std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from),
            Some(std::env::temp_dir()),
        ]
        .into_iter()
        .flatten()
        .find(|path| path.as_os_str().len() <= LONGEST_DIRECTORY && path.is_dir())
        .unwrap_or_else(|| Path::new("/tmp").to_owned());
        let directory = tempfile::Builder::new()
            .prefix("rb-")
            .permissions(std::fs::Permissions::from_mode(0o700))
            .tempdir_in(parent)?;
        let path = directory.path().to_owned();
        *control = Some(directory);
        Ok(path)
    }

    /// What is begun ahead is wanted no more. What needs only a moment is waited for, so that no connection is left
    /// to find out by itself that nobody uses it.
    pub fn give_up_getting_ready(&self, runtime: &Handle) {
        let links: Vec<Arc<SshCore>> = lock(&self.links).iter().filter_map(Weak::upgrade).collect();
        let all = async {
            for link in &links {
                link.ahead.settled().await;
            }
        };
        let _ = runtime.block_on(async { tokio::time::timeout(LAST_PATIENCE, all).await });
        for link in links {
            link.ahead.give_up();
        }
    }

    /// Waits for the right to have one more connection.
    async fn room(&self) -> OwnedSemaphorePermit {
        loop {
            if let Ok(permit) = self.masters.clone().try_acquire_owned() {
                return permit;
            }
            let idle = lock(&self.links)
                .iter()
                .filter_map(Weak::upgrade)
                .find_map(|link| link.take_idle());
            match idle {
                Some(connection) => drop(connection),
                // A connection in use may become idle without giving its permit back, so look again.
                None => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }
}

/// A connection, with the right to have it.
struct Connection {
    session: Session,
    _permit: OwnedSemaphorePermit,
}

/// The way to one host by ssh.
pub struct SshLink {
    core: Arc<SshCore>,
    runtime: Handle,
}

struct SshCore {
    target: Target,
    route: SshRoute,
    pool: Arc<SshPool>,
    connection: Mutex<Option<Arc<Connection>>>,
    connecting: tokio::sync::Mutex<()>,
    ahead: Ahead,
    sessions: Semaphore,
    kept: Shelf<Kept>,
}

/// A shell that stays, with the session that it runs in.
type Kept = KeptShell<ChildStdin, ChildStdout, ChildStderr, Opened>;

impl SshLink {
    /// A link by this route. Connects at the first use. The runtime needs its I/O and time drivers.
    pub fn new(target: Target, route: SshRoute, pool: Arc<SshPool>, runtime: Handle) -> Self {
        let core = Arc::new(SshCore {
            target,
            route,
            pool,
            connection: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            ahead: Ahead::default(),
            sessions: Semaphore::new(SESSIONS),
            kept: Shelf::default(),
        });
        lock(&core.pool.links).push(Arc::downgrade(&core));
        Self { core, runtime }
    }

    /// Ends the connection. What was started detached goes on; the next use connects again.
    pub fn close(&self) {
        let connection = lock(&self.core.connection).take();
        self.core.kept.retain(|_| false);
        if let Some(connection) = connection.and_then(Arc::into_inner) {
            // Where the master no longer answers there is nothing left to end.
            let _ = self.runtime.block_on(connection.session.close());
        }
    }
}

impl ShellLink for SshLink {
    fn target(&self) -> &Target {
        &self.core.target
    }

    fn exchange(
        &self,
        exchange: &Exchange<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Result<LinkEnd, TransportError> {
        self.runtime
            .block_on(self.core.run(exchange, receiver, cancel))
    }

    fn converse(
        &self,
        conversation: &Conversation<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Option<Result<LinkEnd, TransportError>> {
        Some(
            self.runtime
                .block_on(self.core.talk(conversation, receiver, cancel)),
        )
    }

    fn get_ready(&self, words: &[&str], greeting: &[u8]) {
        let core = &self.core;
        if core.kept.len() > 0 || core.ahead.has_failed() {
            return;
        }
        let Some(under_way) = core.ahead.begin() else {
            return;
        };
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let (greeting, ready) = (greeting.to_vec(), core.clone());
        let task = self.runtime.spawn(async move {
            ready.begin(&words, &greeting).await;
            drop(under_way);
        });
        core.ahead.begun(task.abort_handle());
    }
}

impl SshCore {
    async fn run(
        &self,
        exchange: &Exchange<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Result<LinkEnd, TransportError> {
        let opening = async {
            let slot = self.slot().await;
            self.open(exchange.words).await.map(|opened| (slot, opened))
        };
        let (_slot, (opened, (stdin, stdout, stderr))) = tokio::select! {
            opened = opening => opened?,
            () = cancel.at_once() => return Err(TransportError::Interrupted),
        };
        match pump(stdin, stdout, stderr, exchange, receiver, cancel).await {
            Pumped::Heard => Ok(LinkEnd::Heard),
            Pumped::Closed => self.ended(opened).await,
            other => Err(self.failed(&opened.0, other)),
        }
    }

    async fn talk(
        &self,
        conversation: &Conversation<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Result<LinkEnd, TransportError> {
        let words = conversation.words;
        let beginning = async {
            self.ahead.settled().await;
            let slot = self.slot().await;
            if let Some(shell) = self.kept.take(words).await {
                return Ok((slot, shell, &[][..]));
            }
            let (opened, streams) = self.open(words).await?;
            let shell = KeptShell::new(words, streams, opened);
            Ok((slot, shell, conversation.greeting))
        };
        let (_slot, mut shell, greeting) = tokio::select! {
            begun = beginning => begun?,
            () = cancel.at_once() => return Err(TransportError::Interrupted),
        };
        let lines = [greeting, conversation.line].concat();
        let fresh = shell.is_fresh();
        match shell.converse(&lines, conversation, receiver, cancel).await {
            Pumped::Heard => {
                self.kept.put(shell);
                Ok(LinkEnd::Heard)
            }
            Pumped::Closed if fresh => self.ended(shell.holds).await,
            Pumped::Closed => Ok(LinkEnd::Ended(None)),
            other => Err(self.failed(&shell.holds.0, other)),
        }
    }

    /// Starts a shell for the first conversation and keeps it.
    async fn begin(&self, words: &[String], greeting: &[u8]) {
        if !self.connects_ahead().await {
            return;
        }
        let _slot = self.slot().await;
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        if let Ok((opened, streams)) = self.open(&words).await {
            let mut shell = KeptShell::new(&words, streams, opened);
            shell.greet(greeting).await;
            self.kept.put(shell);
        }
    }

    /// Connects if there is no connection. Whoever waits for it meanwhile learns why it failed.
    async fn connects_ahead(&self) -> bool {
        let _one_at_a_time = self.connecting.lock().await;
        if lock(&self.connection).is_some() {
            return true;
        }
        let connected = self.connect().await.map_err(|error| {
            self.ahead.fail(error);
        });
        connected.is_ok()
    }

    /// The right to use one more session.
    async fn slot(&self) -> SemaphorePermit<'_> {
        self.sessions
            .acquire()
            .await
            .expect("nobody closes this semaphore")
    }

    async fn ended(&self, (connection, child): Opened) -> Result<LinkEnd, TransportError> {
        match child.wait().await {
            Ok(status) => Ok(LinkEnd::Ended(status.code())),
            // The library's word for exit status 127.
            Err(SshError::Remote(_)) => Ok(LinkEnd::Ended(Some(127))),
            Err(error) => {
                self.forget(&connection);
                Err(self.lost(&master::chain(&error)))
            }
        }
    }

    fn failed(&self, connection: &Arc<Connection>, pumped: Pumped) -> TransportError {
        let why = match pumped {
            Pumped::Interrupted => return TransportError::Interrupted,
            Pumped::TimedOut => "no answer came in time".to_owned(),
            Pumped::Failed(error) => error.to_string(),
            Pumped::Heard | Pumped::Closed => "the session ended".to_owned(),
        };
        self.forget(connection);
        self.lost(&why)
    }

    /// Opens a session for this command. As long as its input has not been sent the command does nothing, so
    /// a failure here means that nothing was started, and opening again is safe.
    async fn open(&self, words: &[&str]) -> Result<(Opened, Streams), TransportError> {
        let command = line(words).ok_or_else(|| TransportError::Refused {
            target: self.target.clone(),
            why: "a NUL byte cannot be part of a user's name".into(),
        })?;
        // Shells that wait count as well.
        while self.kept.len() > self.sessions.available_permits() && self.kept.drop_one() {}
        let begin = Instant::now();
        let mut reconnected = false;
        loop {
            let connection = self.connected().await?;
            let opened = Session::to_raw_command(InUse(connection.clone()), &command)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .await;
            match opened {
                Ok(mut child) => {
                    let streams = (
                        child.stdin().take(),
                        child.stdout().take(),
                        child.stderr().take(),
                    );
                    return match streams {
                        (Some(stdin), Some(stdout), Some(stderr)) => {
                            Ok(((connection, child), (stdin, stdout, stderr)))
                        }
                        _ => Err(self.lost("the session has no pipes")),
                    };
                }
                Err(SshError::Disconnected) if !reconnected => {
                    reconnected = true;
                    self.forget(&connection);
                }
                // A server may allow fewer sessions than we want; those in use end.
                Err(SshError::SshMux(_)) if begin.elapsed() < SESSION_PATIENCE => {
                    self.kept.retain(|_| false);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => {
                    self.forget(&connection);
                    return Err(self.unreachable(master::chain(&error)));
                }
            }
        }
    }

    /// The connection, made if there is none.
    async fn connected(&self) -> Result<Arc<Connection>, TransportError> {
        let _one_at_a_time = self.connecting.lock().await;
        if let Some(connection) = &*lock(&self.connection) {
            return Ok(connection.clone());
        }
        if let Some(failure) = self.ahead.take_failure() {
            return Err(failure);
        }
        self.connect().await
    }

    /// Makes the connection; one at a time.
    async fn connect(&self) -> Result<Arc<Connection>, TransportError> {
        let permit = self.pool.room().await;
        let directory = self.pool.control_directory().map_err(|error| {
            self.unreachable(format!("no directory for ssh's sockets: {error}"))
        })?;
        let session = connect(&self.route, &directory)
            .await
            .map_err(|why| self.unreachable(why))?;
        let connection = Arc::new(Connection {
            session,
            _permit: permit,
        });
        *lock(&self.connection) = Some(connection.clone());
        Ok(connection)
    }

    /// Takes the connection away if nobody uses it.
    fn take_idle(&self) -> Option<Arc<Connection>> {
        let mut connection = lock(&self.connection);
        // A shell that waits holds it, but uses it no more than nobody does.
        let users = 1 + USES_OF_A_SHELL * self.kept.len();
        let idle = connection
            .as_ref()
            .is_some_and(|connection| Arc::strong_count(connection) == users);
        if !idle {
            return None;
        }
        self.kept.retain(|_| false);
        connection.take()
    }

    /// The next use connects again.
    fn forget(&self, lost: &Arc<Connection>) {
        self.kept.retain(|shell| !Arc::ptr_eq(&shell.holds.0, lost));
        let mut connection = lock(&self.connection);
        if connection
            .as_ref()
            .is_some_and(|current| Arc::ptr_eq(current, lost))
        {
            *connection = None;
        }
    }

    fn unreachable(&self, why: String) -> TransportError {
        TransportError::Unreachable {
            target: self.target.clone(),
            why,
        }
    }

    fn lost(&self, why: &str) -> TransportError {
        TransportError::Lost {
            target: self.target.clone(),
            why: why.to_owned(),
        }
    }
}

/// A connection that a session runs on: as long as this lives, it is not idle.
#[derive(Clone)]
struct InUse(Arc<Connection>);

impl Deref for InUse {
    type Target = Session;

    fn deref(&self) -> &Session {
        &self.0.session
    }
}

type Opened = (Arc<Connection>, openssh::Child<InUse>);

/// How often an [`Opened`] counts its connection: itself, and in [`InUse`].
const USES_OF_A_SHELL: usize = 2;

type Streams = (ChildStdin, ChildStdout, ChildStderr);

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
