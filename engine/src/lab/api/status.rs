//! Errors as a real API server words them.

use serde_json::{Value as Json, json};

use super::ApiRefusal;
use crate::transport::ObjectKind;

/// An HTTP answer before it is one.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Answer {
    pub code: u16,
    pub body: Body,
}

/// What an answer carries.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    Json(Json),
    Text(String),
}

impl Answer {
    pub fn json(code: u16, body: Json) -> Self {
        Self {
            code,
            body: Body::Json(body),
        }
    }

    pub fn text(text: impl Into<String>) -> Self {
        Self {
            code: 200,
            body: Body::Text(text.into()),
        }
    }
}

/// A refusal: the status object that becomes the answer.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Refusal {
    code: u16,
    reason: &'static str,
    message: String,
    details: Json,
}

impl Refusal {
    fn new(code: u16, reason: &'static str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason,
            message: message.into(),
            details: Json::Null,
        }
    }

    fn about(mut self, kind: &ObjectKind, name: &str) -> Self {
        let mut details = json!({"name": name, "kind": kind.plural});
        if let Some((group, _)) = kind.api_version.split_once('/') {
            details["group"] = group.into();
        }
        self.details = details;
        self
    }

    /// There is no such object.
    pub fn no_object(kind: &ObjectKind, name: &str) -> Self {
        Self::new(
            404,
            "NotFound",
            format!("{} {name:?} not found", resource(kind)),
        )
        .about(kind, name)
    }

    /// There is no such path: the kind is not served.
    pub fn no_path() -> Self {
        Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )
    }

    pub fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub fn conflict(kind: &ObjectKind, name: &str, why: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} {name:?}: {why}",
            resource(kind)
        );
        Self::new(409, "Conflict", message).about(kind, name)
    }

    pub fn already_exists(kind: &ObjectKind, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", resource(kind));
        Self::new(409, "AlreadyExists", message).about(kind, name)
    }

    /// A continuation that can no longer be followed.
    pub fn expired() -> Self {
        let message = "The provided continue parameter is too old to display a consistent list result. You must start \
                       a new list without the continue parameter.";
        Self::new(410, "Expired", message)
    }

    pub fn unsupported_media(content_type: &str) -> Self {
        let message = format!("the body of the request was in an unknown format: {content_type:?}");
        Self::new(415, "UnsupportedMediaType", message)
    }

    pub fn invalid(kind: &ObjectKind, name: &str, why: &str) -> Self {
        let message = format!("{} {name:?} is invalid: {why}", kind.kind);
        Self::new(422, "Invalid", message).about(kind, name)
    }

    pub fn method(method: &http::Method) -> Self {
        let message = format!(
            "{method} is not served here: a lab's API gets, lists, creates, patches, replaces and \
                               deletes; it does not watch"
        );
        Self::new(405, "MethodNotAllowed", message)
    }

    /// The server went away while it worked on the request, and did nothing.
    pub fn unavailable(why: &str) -> Self {
        Self::new(503, "ServiceUnavailable", why)
    }

    /// What the backend refused.
    pub fn of(refusal: ApiRefusal, kind: &ObjectKind, name: &str) -> Self {
        match refusal {
            ApiRefusal::Down(why) => Self::unavailable(&why),
            ApiRefusal::NotFound => Self::no_object(kind, name),
            ApiRefusal::AlreadyExists => Self::already_exists(kind, name),
            ApiRefusal::Conflict(why) => Self::conflict(kind, name, &why),
            ApiRefusal::Invalid(why) => Self::invalid(kind, name, &why),
        }
    }

    pub fn answer(self) -> Answer {
        let mut status = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
            "message": self.message, "reason": self.reason, "code": self.code,
        });
        if !self.details.is_null() {
            status["details"] = self.details;
        }
        Answer::json(self.code, status)
    }
}

/// `deployments.apps`, `pods`: a kind in messages.
fn resource(kind: &ObjectKind) -> String {
    match kind.api_version.split_once('/') {
        Some((group, _)) => format!("{}.{group}", kind.plural),
        None => kind.plural.clone(),
    }
}
