//! Hosts by the user's own ssh: its configuration, agent, known hosts and jump hosts.
//!
//! Each host has one master connection, started by the `ssh` program and spoken to through its control socket.
//! A master that is lost or has ended is connected again at the next use.

use std::ops::Deref;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use openssh::{Error as SshError, Session, Stdio};
use tempfile::TempDir;
use tokio::runtime::Handle;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::shell::ShellTarget;
use super::shell::link::{Exchange, LinkEnd, Pumped, Receiver, ShellLink, pump};
use super::{Cancel, SshRoute, TransportError};
use crate::model::Target;

mod master;

use master::{connect, line};

/// A host whose transport is ssh.
pub type SshTarget = ShellTarget<SshLink>;

/// Sessions at once through one connection. A server allows 10 unless told otherwise (sshd_config(5),
/// MaxSessions).
const SESSIONS: usize = 8;

/// How long we go on asking for a session that the server refuses because it has too many.
const SESSION_PATIENCE: Duration = Duration::from_secs(20);

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
    sessions: Semaphore,
}

impl SshLink {
    /// A link by this route. Connects at the first use. The runtime needs its I/O and time drivers.
    pub fn new(target: Target, route: SshRoute, pool: Arc<SshPool>, runtime: Handle) -> Self {
        let core = Arc::new(SshCore {
            target,
            route,
            pool,
            connection: Mutex::default(),
            connecting: tokio::sync::Mutex::default(),
            sessions: Semaphore::new(SESSIONS),
        });
        lock(&core.pool.links).push(Arc::downgrade(&core));
        Self { core, runtime }
    }

    /// Ends the connection. What was started detached goes on; the next use connects again.
    pub fn close(&self) {
        let connection = lock(&self.core.connection).take();
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
}

impl SshCore {
    async fn run(
        &self,
        exchange: &Exchange<'_>,
        receiver: &mut dyn Receiver,
        cancel: &Cancel,
    ) -> Result<LinkEnd, TransportError> {
        let command = line(exchange.words).ok_or_else(|| TransportError::Refused {
            target: self.target.clone(),
            why: "a NUL byte cannot be part of a user's name".into(),
        })?;
        let open = async {
            let slot = self.sessions.acquire().await;
            self.open(&command).await.map(|opened| (slot, opened))
        };
        let (_slot, (connection, mut child)) = tokio::select! {
            opened = open => opened?,
            () = cancel.at_once() => return Err(TransportError::Interrupted),
        };
        let (Some(stdin), Some(stdout), Some(stderr)) = (
            child.stdin().take(),
            child.stdout().take(),
            child.stderr().take(),
        ) else {
            return Err(self.lost("the session has no pipes"));
        };
        match pump(stdin, stdout, stderr, exchange, receiver, cancel).await {
            Pumped::Heard => Ok(LinkEnd::Heard),
            Pumped::Closed => match child.wait().await {
                Ok(status) => Ok(LinkEnd::Ended(status.code())),
                // The library's word for exit status 127.
                Err(SshError::Remote(_)) => Ok(LinkEnd::Ended(Some(127))),
                Err(error) => {
                    self.forget(&connection);
                    Err(self.lost(&master::chain(&error)))
                }
            },
            Pumped::Interrupted => Err(TransportError::Interrupted),
            Pumped::TimedOut => {
                self.forget(&connection);
                Err(self.lost("no answer came in time"))
            }
            Pumped::Failed(error) => {
                self.forget(&connection);
                Err(self.lost(&error.to_string()))
            }
        }
    }

    /// Opens a session for this command. As long as its input has not been sent the command does nothing, so
    /// a failure here means that nothing was started, and opening again is safe.
    async fn open(&self, command: &str) -> Result<Opened, TransportError> {
        let begin = Instant::now();
        let mut reconnected = false;
        loop {
            let connection = self.connected().await?;
            let opened = Session::to_raw_command(InUse(connection.clone()), command)
                .stdin(Stdio::piped())
                .stdout(Stdio::piped())
                .stderr(Stdio::piped())
                .spawn()
                .await;
            match opened {
                Ok(child) => return Ok((connection, child)),
                Err(SshError::Disconnected) if !reconnected => {
                    reconnected = true;
                    self.forget(&connection);
                }
                // A server may allow fewer sessions than we want; those in use end.
                Err(SshError::SshMux(_)) if begin.elapsed() < SESSION_PATIENCE => {
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
        let idle = connection
            .as_ref()
            .is_some_and(|connection| Arc::strong_count(connection) == 1);
        if idle { connection.take() } else { None }
    }

    /// The next use connects again.
    fn forget(&self, lost: &Arc<Connection>) {
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

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
