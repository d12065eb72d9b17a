//! What a failed request says about its effect, and in which words.

use std::error::Error as StdError;
use std::io::ErrorKind;

use kube::client::AuthError;
use kube::core::Status;

/// What became of a request that did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It never left: nobody listens, or there is no way there. Can always be sent again.
    NotSent,
    /// The server took no part of it and asks to come back (429, 503). Can always be sent again.
    NotNow,
    /// The credentials were not accepted (401). An API server that has just started does this for a moment.
    Unauthorized,
    /// It may have had its effect.
    Unknown,
    /// The server said no, and will say so again.
    Refused,
    /// The way there is wrong: a certificate, a credential plugin. Trying again does not help.
    Misconfigured,
}

/// A request that did not succeed.
#[derive(Clone, Debug)]
pub(super) struct Trouble {
    pub fate: Fate,
    /// What happened, for a reader.
    pub words: String,
    /// What the server said, where it was the server.
    pub status: Option<Box<Status>>,
}

impl Trouble {
    fn of(fate: Fate, words: impl Into<String>) -> Self {
        Self {
            fate,
            words: words.into(),
            status: None,
        }
    }

    /// No answer within the time for one try.
    pub fn silence(seconds: u64) -> Self {
        Self::of(Fate::Unknown, format!("no answer within {seconds} s"))
    }

    /// The connection broke while the answer came.
    pub fn cut(error: &(dyn StdError + 'static)) -> Self {
        Self::of(Fate::Unknown, last_words(error))
    }

    /// The HTTP status, or 0 if no server answered.
    pub fn code(&self) -> u16 {
        self.status.as_ref().map_or(0, |status| status.code)
    }

    /// Whether the server said that this one object is not there (rather than its kind).
    pub fn object_is_absent(&self) -> bool {
        let named = |status: &Status| {
            status.reason == "NotFound"
                && status
                    .details
                    .as_ref()
                    .is_some_and(|details| !details.name.is_empty())
        };
        self.code() == 404 && self.status.as_deref().is_some_and(named)
    }

    /// Whether the API server could not reach the kubelet or the node: so while a node's k3s restarts.
    pub fn is_of_the_node(&self) -> bool {
        let said = |words: &str| self.words.contains(words);
        matches!(self.code(), 500 | 502 | 503)
            && (said("error dialing backend") || said("dial tcp") || said("proxy error"))
    }

    /// Whether there is no such running container to run anything in: the pod is gone, has ended, or the container
    /// has.
    pub fn container_is_gone(&self) -> bool {
        let said = |words: &str| self.words.contains(words);
        self.object_is_absent()
            || said("container not found")
            || said("in a completed pod")
            || said("does not have a host assigned")
            || said("is not running")
            || said("is terminated")
            || said("task not found")
    }

    /// Whether this is how a server looks that has just stopped or is about to listen: the machine is there, and nobody
    /// answers at the port, or stopped answering.
    pub fn is_of_a_restart(&self) -> bool {
        let words = self.words.to_lowercase();
        [
            "refused",
            "reset",
            "closed",
            "eof",
            "broken pipe",
            "restart",
        ]
        .iter()
        .any(|sign| words.contains(sign))
    }

    /// What happened, without the URL that an API server quotes when it fails to reach a kubelet: it holds a whole
    /// script.
    pub fn shown(&self) -> String {
        let Some(begin) = self.words.find("\"http") else {
            return self.words.clone();
        };
        let rest = &self.words[begin + 1..];
        match rest.find('"') {
            Some(end) => format!("{}…{}", &self.words[..begin], &rest[end + 1..]),
            None => self.words[..begin].to_owned(),
        }
    }

    /// A stream that broke off.
    pub fn broken(why: &str) -> Self {
        Self::of(Fate::Unknown, why)
    }

    /// A patch whose answer got lost and that the object does not show.
    pub fn unanswered() -> Self {
        Self::of(Fate::Unknown, "a patch got no answer")
    }

    /// After how many seconds the server wants to be asked again, if it said.
    pub fn retry_after(&self) -> Option<u64> {
        let details = self.status.as_ref()?.details.as_ref()?;
        (details.retry_after_seconds > 0).then_some(details.retry_after_seconds.into())
    }

    /// What an HTTP error status says. The body is a `Status` object unless a proxy wrote it.
    pub fn from_answer(code: u16, body: &[u8]) -> Self {
        let status: Status = serde_json::from_slice(body).unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(body);
            let line = text.lines().find(|line| !line.trim().is_empty());
            let line: String = line.unwrap_or_default().trim().chars().take(300).collect();
            Status::failure(&line, "").with_code(code)
        });
        let status = match status.code {
            0 => status.with_code(code),
            _ => status,
        };
        let words = match status.message.is_empty() {
            true => format!("HTTP status {code}"),
            false => status.message.clone(),
        };
        Self {
            fate: fate_of_status(code, &status),
            words,
            status: Some(status.boxed()),
        }
    }

    /// What an error of the client says: no answer came.
    pub fn from_error(error: &kube::Error) -> Self {
        for cause in chain(error) {
            if let Some(auth) = cause.downcast_ref::<AuthError>() {
                return Self::of(Fate::Misconfigured, credentials(auth, None));
            }
            if let Some(io) = cause.downcast_ref::<std::io::Error>()
                && never_left(io.kind())
            {
                return Self::of(Fate::NotSent, last_words(error));
            }
        }
        let words = last_words(error);
        // The TLS library's error type is not ours to name; these are the words of its `Display`.
        if chain(error).any(|cause| cause.to_string().contains("invalid peer certificate")) {
            return Self::of(
                Fate::Misconfigured,
                format!(
                    "its certificate is not trusted ({words}); compare `certificate-authority-data` and \
                     `server` in the kubeconfig with the cluster's"
                ),
            );
        }
        match error {
            // The way to a stream gives the server's no as an error.
            kube::Error::Api(status) => Self {
                fate: fate_of_status(status.code, status),
                words: match status.message.is_empty() {
                    true => format!("HTTP status {}", status.code),
                    false => status.message.clone(),
                },
                status: Some(status.clone()),
            },
            kube::Error::BuildRequest(_) | kube::Error::HttpError(_) => {
                Self::of(Fate::Refused, words)
            }
            _ => Self::of(Fate::Unknown, words),
        }
    }
}

/// How the API server's status codes are meant: Kubernetes' API conventions, "HTTP Status codes". A gateway before
/// it writes 502 and 504 when it lost the server in the middle, 503 when it had none to ask.
fn fate_of_status(code: u16, status: &Status) -> Fate {
    match code {
        401 => Fate::Unauthorized,
        429 | 503 => Fate::NotNow,
        408 | 502 | 504 => Fate::Unknown,
        // While the store elects a leader, requests fail in its words, some after they were carried out.
        500 if status.message.contains("etcdserver: ")
            || status.message.contains("leader changed")
            || status.reason == "ServerTimeout"
            || status.reason == "Timeout" =>
        {
            Fate::Unknown
        }
        _ => Fate::Refused,
    }
}

/// Errors of connecting: nothing has been sent.
fn never_left(kind: ErrorKind) -> bool {
    matches!(
        kind,
        ErrorKind::ConnectionRefused
            | ErrorKind::HostUnreachable
            | ErrorKind::NetworkUnreachable
            | ErrorKind::NetworkDown
            | ErrorKind::AddrNotAvailable
    )
}

/// What a credential plugin's failure is, without what it printed on stdout, which may hold a token, and without its
/// command line, which comes with its environment (M9).
pub(super) fn credentials(error: &AuthError, plugin: Option<&str>) -> String {
    let plugin = match plugin {
        Some(name) => format!("the credential plugin {name} of the kubeconfig"),
        None => "the credential plugin of the kubeconfig".to_owned(),
    };
    match error {
        AuthError::AuthExecRun { out, .. } => {
            let said = String::from_utf8_lossy(&out.stderr);
            let said = match said.trim() {
                "" => String::new(),
                text => format!(": {text}"),
            };
            format!(
                "{plugin} failed ({}){said}; run it by hand to see why",
                out.status
            )
        }
        AuthError::AuthExecStart(error) => {
            format!("{plugin} cannot be started: {error}; install it, or put it into PATH")
        }
        AuthError::AuthExecParse(_) | AuthError::ExecPluginFailed => {
            format!("{plugin} printed no credentials; run it by hand to see what it prints")
        }
        other => format!("the kubeconfig's credentials cannot be used: {other}"),
    }
}

/// An error and what caused it, outermost first.
fn chain<'a>(
    error: &'a (dyn StdError + 'static),
) -> impl Iterator<Item = &'a (dyn StdError + 'static)> {
    // A library's `source` could lead back to itself; real chains are far shorter.
    std::iter::successors(Some(error), |error| (*error).source()).take(16)
}

/// The innermost cause: outer layers only say "client error".
fn last_words(error: &(dyn StdError + 'static)) -> String {
    chain(error).last().unwrap_or(error).to_string()
}
