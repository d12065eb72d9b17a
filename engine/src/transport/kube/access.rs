//! What we are allowed to do, asked of the API server before anything is done.

use std::fmt;

use kube::api::{Patch, PatchParams, PostParams};
use kube::core::Request;
use serde_json::{Value as Json, json};

use super::exchange::Repeat;
use super::reader::{KubeReader, built, ended, json};
use super::writer::{KubeCluster, MANAGER};
use super::{path, refused};
use crate::model::ObjectRef;
use crate::transport::{ClusterObserver, TransportError};

/// Whether the API keeps what it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Keep {
    /// It only says what it would do.
    Nothing,
    /// It does it.
    Everything,
}

/// One permission, as RBAC has it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Access {
    /// Such as `delete`.
    pub verb: String,
    /// API group; empty for the core one.
    pub group: String,
    /// Plural name, such as `pods`.
    pub resource: String,
    /// Such as `exec`.
    pub subresource: Option<String>,
    /// Namespace; none for all.
    pub namespace: Option<String>,
}

impl fmt::Display for Access {
    /// `delete pods in kube-system`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.resource)?;
        if let Some(part) = &self.subresource {
            write!(f, "/{part}")?;
        }
        if !self.group.is_empty() {
            write!(f, " ({})", self.group)?;
        }
        match &self.namespace {
            Some(namespace) => write!(f, " in {namespace}"),
            None => f.write_str(" in all namespaces"),
        }
    }
}

impl KubeReader {
    /// Whether these credentials may do it (`SelfSubjectAccessReview`); if not, what the server says to it.
    pub fn may(&self, access: &Access) -> Result<Result<(), String>, TransportError> {
        let review = json!({
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": { "resourceAttributes": {
                "verb": access.verb,
                "group": access.group,
                "resource": access.resource,
                "subresource": access.subresource,
                "namespace": access.namespace,
            }},
        });
        let reviews = Request::new("/apis/authorization.k8s.io/v1/selfsubjectaccessreviews");
        let request =
            built(reviews.create(&PostParams::default(), review.to_string().into_bytes()))?;
        let exchange = self.exchange();
        let answer = exchange
            .send(&mut exchange.patience(), Repeat::Always, &request)
            .map_err(|stop| ended(stop, "asking what we may do"))?;
        let answer = json(&answer)?;
        if answer["status"]["allowed"] == true {
            return Ok(Ok(()));
        }
        let reason = answer["status"]["reason"].as_str().unwrap_or_default();
        Ok(Err(reason.to_owned()))
    }

    /// The API server's version, as `(major, minor, text)`.
    pub fn version(&self) -> Result<(u32, u32, String), TransportError> {
        let request = http::Request::get("/version").body(Vec::new());
        let request = request.map_err(|error| refused(error.to_string()))?;
        let exchange = self.exchange();
        let answer = exchange
            .send(&mut exchange.patience(), Repeat::Always, &request)
            .map_err(|stop| ended(stop, "asking the version"))?;
        let answer = json(&answer)?;
        // Some providers write `34+`.
        let number = |field: &str| {
            let text = answer[field].as_str().unwrap_or_default();
            let digits: String = text.chars().take_while(char::is_ascii_digit).collect();
            digits.parse().unwrap_or(0)
        };
        let text = answer["gitVersion"].as_str().unwrap_or_default().to_owned();
        Ok((number("major"), number("minor"), text))
    }

    /// Server-side apply. A reader's callers pass [`Keep::Nothing`] only.
    pub(super) fn server_side_apply(
        &self,
        manifest: &Json,
        force: bool,
        keep: Keep,
    ) -> Result<Json, TransportError> {
        let reference = KubeCluster::reference(manifest)?;
        let (collection, name) = self.collection_of(&reference)?;
        let params = PatchParams {
            dry_run: keep == Keep::Nothing,
            force,
            field_manager: Some(MANAGER.into()),
            ..PatchParams::default()
        };
        let request = built(collection.patch(&name, &params, &Patch::Apply(manifest)))?;
        let exchange = self.exchange();
        let answer = exchange
            .send(&mut exchange.patience(), Repeat::Always, &request)
            .map_err(|stop| ended(stop, &format!("apply {reference}")))?;
        json(&answer)
    }

    pub(super) fn collection_of(
        &self,
        object: &ObjectRef,
    ) -> Result<(Request, String), TransportError> {
        let kind = self.kind(&format!("{}/{}", object.api_version, object.kind))?;
        let (collection, name) = path::place(&kind, object)?;
        Ok((collection, name.to_owned()))
    }
}
