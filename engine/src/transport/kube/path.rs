//! Where objects live in the API's URLs.

use kube::core::Request;

use super::refused;
use crate::model::ObjectRef;
use crate::transport::{ObjectKind, TransportError};

/// The collection of a kind, in a namespace or in all.
pub(super) fn collection(
    kind: &ObjectKind,
    namespace: Option<&str>,
) -> Result<Request, TransportError> {
    let root = match kind.api_version.contains('/') {
        true => format!("/apis/{}", kind.api_version),
        false => format!("/api/{}", kind.api_version),
    };
    Ok(Request::new(match namespace.filter(|_| kind.namespaced) {
        Some(namespace) => {
            let namespace = segment("namespace", namespace)?;
            format!("{root}/namespaces/{namespace}/{}", kind.plural)
        }
        None => format!("{root}/{}", kind.plural),
    }))
}

/// The collection that holds one object, and its name in it.
pub(super) fn place<'a>(
    kind: &ObjectKind,
    object: &'a ObjectRef,
) -> Result<(Request, &'a str), TransportError> {
    if kind.namespaced && object.namespace.is_none() {
        return Err(refused(format!(
            "{} {} lives in a namespace, and none is given",
            kind.kind, object.name
        )));
    }
    let name = segment("name", &object.name)?;
    Ok((collection(kind, object.namespace.as_deref())?, name))
}

/// A name is one segment of a path: one that would lead elsewhere is refused.
pub(super) fn segment<'a>(what: &str, name: &'a str) -> Result<&'a str, TransportError> {
    let plain = |c: char| c.is_ascii_graphic() && !"/%?#\\\"<>`{}|^[]".contains(c);
    match !name.is_empty() && name != "." && name != ".." && name.chars().all(plain) {
        true => Ok(name),
        false => Err(refused(format!("{name:?} cannot be a {what} of an object"))),
    }
}
