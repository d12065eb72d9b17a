//! What the API server says to an effect that is not to happen: server-side dry run (`dryRun=All`).

use http::Request;
use kube::api::{Patch, PatchParams, PostParams};

use super::exchange::{Repeat, Stop};
use super::reader::{KubeReader, built, ended, json};
use super::refused;
use super::writer::{KubeCluster, MANAGER, with_uid};
use crate::transport::{PatchKind, Proposal, TransportError, Verdict};

impl KubeReader {
    /// Asks the API server. A missing permission to ask is no refusal of the effect: who reviews a plan may be somebody
    /// else than who carries it out.
    pub(super) fn verdict(&self, proposal: &Proposal<'_>) -> Result<Verdict, TransportError> {
        let (call, request) = self.proposed(proposal)?;
        let exchange = self.exchange();
        match exchange.send(&mut exchange.patience(), Repeat::Always, &request) {
            Ok(answer) => Ok(Verdict::Accepted(json(&answer)?)),
            Err(Stop::Refused(trouble)) if trouble.code() == 403 && lacks_right(&trouble.words) => {
                Ok(Verdict::NotAsked(
                    "these credentials may not ask the API server whether it would accept this"
                        .into(),
                ))
            }
            Err(stop) => match ended(stop, &call) {
                TransportError::Refused { why, .. } => Ok(Verdict::Refused(why)),
                error => Err(error),
            },
        }
    }

    fn proposed(
        &self,
        proposal: &Proposal<'_>,
    ) -> Result<(String, Request<Vec<u8>>), TransportError> {
        match *proposal {
            Proposal::Create(manifest) => {
                let object = KubeCluster::reference(manifest)?;
                let (collection, _) = self.collection_of(&object)?;
                let params = PostParams {
                    dry_run: true,
                    field_manager: Some(MANAGER.into()),
                };
                let body = manifest.to_string().into_bytes();
                let request = built(collection.create(&params, body))?;
                Ok((format!("create {object}"), request))
            }
            Proposal::Patch {
                object,
                kind,
                patch,
            } => {
                let (collection, name) = self.collection_of(object)?;
                let params = PatchParams {
                    dry_run: true,
                    field_manager: Some(MANAGER.into()),
                    ..PatchParams::default()
                };
                let request = built(match kind {
                    PatchKind::Merge => collection.patch(&name, &params, &Patch::Merge(patch)),
                    PatchKind::Strategic => {
                        collection.patch(&name, &params, &Patch::Strategic(patch))
                    }
                })?;
                Ok((format!("patch {object}"), request))
            }
            Proposal::Delete { object, uid } => {
                let (collection, name) = self.collection_of(object)?;
                let request = built(collection.delete(&name, &with_uid(uid).dry_run()))?;
                Ok((format!("delete {object}"), told_in_its_address(request)?))
            }
        }
    }
}

/// A deletion says in its body that it is not meant. In the address as well it is seen in an audit log, and by whatever
/// stands before the server.
fn told_in_its_address(mut request: Request<Vec<u8>>) -> Result<Request<Vec<u8>>, TransportError> {
    let address = request.uri().to_string();
    let parted = match address.split_once('?') {
        None => "?",
        Some((_, "")) => "",
        Some(_) => "&",
    };
    let address = format!("{address}{parted}dryRun=All");
    *request.uri_mut() = address
        .parse()
        .map_err(|error| refused(format!("the request cannot be made: {error}")))?;
    Ok(request)
}

/// Whether a 403 is RBAC's own (`RBAC … User "x" cannot patch resource …`, apiserver `pkg/endpoints/handlers/
/// responsewriters/errors.go`); admission also answers 403, and means the object.
fn lacks_right(words: &str) -> bool {
    words.contains("cannot") && words.contains(" resource \"")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deletion_that_is_not_meant_says_so_in_its_address() {
        for (address, wanted) in [
            ("/api/v1/pods/a", "/api/v1/pods/a?dryRun=All"),
            ("/api/v1/pods/a?", "/api/v1/pods/a?dryRun=All"),
            ("/api/v1/pods/a?x=1", "/api/v1/pods/a?x=1&dryRun=All"),
        ] {
            let request = Request::delete(address).body(Vec::new()).unwrap();
            assert_eq!(told_in_its_address(request).unwrap().uri(), wanted);
        }
    }
}
