//! The API server: the lab's own implementation of the API, behind a socket.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use http_body_util::BodyExt as _;

use crate::http;
use crate::store::Store;

/// Where the objects outlive a restart.
const OBJECTS: &str = "/var/lib/rancher/k3s/server/objects.json";
/// Where clients ask what they may do.
const REVIEWS: &str = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews";
/// What a new cluster begins with.
const FIRST: &str = "/etc/network-lab/objects.json";

/// Serves the API until the process ends.
pub fn serve(port: u16) -> anyhow::Result<()> {
    let store = Store::open(Path::new(OBJECTS), Path::new(FIRST))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let client = runbook::lab::api::client(Arc::new(store), runtime.handle());
    let listener = TcpListener::bind(("0.0.0.0", port)).with_context(|| format!("port {port}"))?;
    let runtime = Arc::new(runtime);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let (client, runtime) = (client.clone(), runtime.clone());
            std::thread::spawn(move || {
                if let Err(why) = exchange(&stream, client, &runtime) {
                    println!("level=warning msg=\"a request: {why:#}\"");
                }
            });
        }
    });
    Ok(())
}

fn exchange(
    stream: &TcpStream,
    client: kube::Client,
    runtime: &tokio::runtime::Runtime,
) -> anyhow::Result<()> {
    let request = http::read(stream)?;
    if request.path.starts_with(REVIEWS) {
        // Everybody may do everything here.
        let mut review: serde_json::Value = serde_json::from_slice(&request.body)?;
        review["status"] = serde_json::json!({"allowed": true});
        let body = review.to_string();
        return Ok(http::answer(
            stream,
            201,
            "application/json",
            body.as_bytes(),
        )?);
    }
    let forwarded = ::http::Request::builder()
        .method(request.method.as_str())
        .uri(&request.path)
        .header("content-type", request.content_type)
        .body(kube::client::Body::from(request.body))?;
    let answer = runtime.block_on(async {
        let response = client.send(forwarded).await?;
        let (head, body) = response.into_parts();
        anyhow::Ok((head, body.collect().await?.to_bytes()))
    });
    let (head, body) = answer?;
    let content_type = head
        .headers
        .get("content-type")
        .and_then(|value| value.to_str().ok())
        .unwrap_or("application/json");
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    Ok(http::answer(
        stream,
        head.status.as_u16(),
        content_type,
        &body,
    )?)
}
