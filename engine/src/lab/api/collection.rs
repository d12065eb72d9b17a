//! Lists: selected, in pages.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value as Json, json};

use super::query::Query;
use super::selector::{FieldSelector, LabelSelector};
use super::status::Refusal;
use super::{ApiBackend, object};
use crate::transport::ObjectKind;

/// A page of the objects of a kind.
pub(super) fn list(
    backend: &dyn ApiBackend,
    kind: &ObjectKind,
    namespace: Option<&str>,
    query: &Query,
) -> Result<Json, Refusal> {
    let labels = LabelSelector::parse(query.text("labelSelector").unwrap_or_default())
        .map_err(Refusal::bad_request)?;
    let fields = FieldSelector::parse(query.text("fieldSelector").unwrap_or_default(), kind)
        .map_err(Refusal::bad_request)?;
    let limit = query.number("limit").map_err(Refusal::bad_request)?;
    let limit = limit
        .and_then(|limit| usize::try_from(limit).ok())
        .filter(|limit| *limit > 0);
    let after = query.text("continue").map(place_of).transpose()?;

    let all = backend
        .list(kind, namespace)
        .map_err(|why| Refusal::unavailable(&why))?;
    let version = all
        .iter()
        .filter_map(version_of)
        .max()
        .unwrap_or(0)
        .to_string();
    let selected = all
        .into_iter()
        .filter(|object| labels.matches(object) && fields.matches(object));
    let mut items: Vec<Json> = match after {
        Some(after) => selected.filter(|object| place(object) > after).collect(),
        None => selected.collect(),
    };
    items.sort_by_cached_key(place);

    let mut metadata = json!({"resourceVersion": version});
    if let Some(limit) = limit
        && items.len() > limit
    {
        metadata["remainingItemCount"] = (items.len() - limit).into();
        items.truncate(limit);
        if let Some(last) = items.last() {
            metadata["continue"] = token(&place(last)).into();
        }
    }
    if object::is_built_in(kind) {
        items.iter_mut().for_each(without_type);
    }
    Ok(json!({
        "kind": format!("{}List", kind.kind), "apiVersion": kind.api_version, "metadata": metadata, "items": items,
    }))
}

/// A server of built-in kinds leaves the type out of a list's items.
fn without_type(item: &mut Json) {
    if let Json::Object(fields) = item {
        fields.remove("apiVersion");
        fields.remove("kind");
    }
}

fn version_of(object: &Json) -> Option<u64> {
    object["metadata"]["resourceVersion"].as_str()?.parse().ok()
}

/// Namespace and name: the order of a list.
type Place = (String, String);

fn place(object: &Json) -> Place {
    let text = |field: &str| {
        object["metadata"][field]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    (text("namespace"), text("name"))
}

/// A continuation says after which object to go on, so that it needs no memory on this side.
fn token(place: &Place) -> String {
    URL_SAFE_NO_PAD.encode(json!(place).to_string())
}

fn place_of(token: &str) -> Result<Place, Refusal> {
    let bytes = URL_SAFE_NO_PAD
        .decode(token)
        .map_err(|_| Refusal::expired())?;
    serde_json::from_slice(&bytes).map_err(|_| Refusal::expired())
}
