//! The API as an HTTP service in this process: what `kube::Client` sends, it answers.

use std::io;
use std::sync::Arc;

use bytes::Bytes;
use http::{Method, Request, Response, header};
use http_body_util::{BodyExt as _, Full};
use kube::client::Body as RequestBody;
use serde_json::Value as Json;

use super::object::{self, Address, PatchBody};
use super::query::Query;
use super::route::{Route, route};
use super::status::{Answer, Body, Refusal};
use super::{ApiBackend, collection, discovery};
use crate::transport::ObjectKind;

/// A Kubernetes client whose server is `backend`, without a socket between them. The client's own parts live on
/// `runtime`; its connections are refused while the backend says that the API server is down.
pub fn client(backend: Arc<dyn ApiBackend>, runtime: &tokio::runtime::Handle) -> kube::Client {
    let service = tower::service_fn(move |request| serve(backend.clone(), request));
    // The client starts a task when it is made.
    let _inside = runtime.enter();
    kube::Client::new(service, "default")
}

async fn serve(
    backend: Arc<dyn ApiBackend>,
    request: Request<RequestBody>,
) -> io::Result<Response<Full<Bytes>>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    // The backend's calls block: it stores what they do.
    let work = move || respond(&*backend, &head, &body);
    let answer = tokio::task::spawn_blocking(work)
        .await
        .map_err(io::Error::other)??;
    let (content_type, bytes) = match answer.body {
        Body::Json(json) => ("application/json", json.to_string()),
        Body::Text(text) => ("text/plain", text),
    };
    Response::builder()
        .status(answer.code)
        .header(header::CONTENT_TYPE, content_type)
        .body(Full::new(Bytes::from(bytes)))
        .map_err(io::Error::other)
}

/// Answers one request; an error is that of a dead server's address.
fn respond(
    backend: &dyn ApiBackend,
    head: &http::request::Parts,
    body: &[u8],
) -> io::Result<Answer> {
    if let Err(why) = backend.available() {
        return Err(io::Error::new(io::ErrorKind::ConnectionRefused, why));
    }
    let answer = handle(backend, head, body);
    Ok(answer.unwrap_or_else(Refusal::answer))
}

fn handle(
    backend: &dyn ApiBackend,
    head: &http::request::Parts,
    body: &[u8],
) -> Result<Answer, Refusal> {
    let query = Query::parse(head.uri.query().unwrap_or_default());
    if query.flag("watch") {
        return Err(Refusal::method(&Method::GET));
    }
    let kinds = backend.kinds();
    let route = route(head.uri.path(), &kinds).ok_or_else(Refusal::no_path)?;
    match route {
        Route::Collection(kind, namespace) => {
            at_collection(backend, head, body, &query, &kind, namespace.as_deref())
        }
        Route::Object(kind, namespace, name) => {
            let at = Address {
                kind: &kind,
                namespace: namespace.as_deref(),
                name: &name,
            };
            at_object(backend, head, body, &query, &at)
        }
        _ if head.method != Method::GET => Err(Refusal::method(&head.method)),
        Route::Log { namespace, pod } => {
            let pods = kinds
                .iter()
                .find(|kind| kind.api_version == "v1" && kind.plural == "pods");
            object::log(
                backend,
                pods.ok_or_else(Refusal::no_path)?,
                &namespace,
                &pod,
                &query,
            )
        }
        route => about_the_api(&route, &kinds),
    }
}

fn about_the_api(route: &Route, kinds: &[ObjectKind]) -> Result<Answer, Refusal> {
    let json = match route {
        Route::Health => return Ok(Answer::text("ok")),
        Route::Version => Some(discovery::version()),
        Route::CoreVersions => Some(discovery::core_versions()),
        Route::Groups => Some(discovery::groups(kinds)),
        Route::Group(name) => discovery::group(name, kinds),
        Route::Kinds(api_version) => discovery::resources(api_version, kinds),
        Route::Collection(..) | Route::Object(..) | Route::Log { .. } => None,
    };
    json.map(|json| Answer::json(200, json))
        .ok_or_else(Refusal::no_path)
}

fn at_collection(
    backend: &dyn ApiBackend,
    head: &http::request::Parts,
    body: &[u8],
    query: &Query,
    kind: &ObjectKind,
    namespace: Option<&str>,
) -> Result<Answer, Refusal> {
    match head.method {
        Method::GET => Ok(Answer::json(
            200,
            collection::list(backend, kind, namespace, query)?,
        )),
        Method::POST => {
            let created = object::create(backend, kind, namespace, query, parsed(body)?)?;
            Ok(Answer::json(201, created))
        }
        _ => Err(Refusal::method(&head.method)),
    }
}

fn at_object(
    backend: &dyn ApiBackend,
    head: &http::request::Parts,
    body: &[u8],
    query: &Query,
    at: &Address<'_>,
) -> Result<Answer, Refusal> {
    let json = match head.method {
        Method::GET => object::get(backend, at)?,
        Method::PUT => object::replace(backend, at, query, parsed(body)?)?,
        Method::PATCH => {
            let content_type = head.headers.get(header::CONTENT_TYPE);
            let content_type = content_type
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default();
            let body = parsed(body)?;
            match object::patch_body(content_type, at.kind)? {
                PatchBody::Patch(kind) => object::patch(backend, at, query, kind, &body)?,
                PatchBody::Manifest => object::apply(backend, at, query, &body)?,
            }
        }
        Method::DELETE => {
            let options = if body.is_empty() {
                Json::Null
            } else {
                parsed(body)?
            };
            object::delete(backend, at, query, &options)?
        }
        _ => return Err(Refusal::method(&head.method)),
    };
    Ok(Answer::json(200, json))
}

fn parsed(body: &[u8]) -> Result<Json, Refusal> {
    serde_json::from_slice(body).map_err(|error| {
        Refusal::bad_request(format!("the body of the request is not JSON: {error}"))
    })
}
