use std::net::TcpListener;

use super::*;

/// A cluster behind a socket that a test plays the server of.
fn by_socket(runtime: &tokio::runtime::Runtime, port: u16) -> (KubeCluster, Arc<TestClock>) {
    let file = tempfile::NamedTempFile::new().unwrap();
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: c\n\
         clusters: [{{name: c, cluster: {{server: 'http://127.0.0.1:{port}'}}}}]\n\
         users: [{{name: u, user: {{}}}}]\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n"
    );
    std::fs::write(file.path(), text).unwrap();
    let cluster =
        KubeCluster::from_kubeconfig(Some(file.path()), None, runtime.handle().clone()).unwrap();
    let clock = TestClock::new();
    let time = clock.clone();
    (cluster.with(|reader| reader.with_clock(time)), clock)
}

#[test]
fn a_closed_port_is_told_apart_from_a_broken_connection() {
    let runtime = runtime();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let (cluster, _) = by_socket(&runtime, port);
    let new = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "one", "name": "n"}});
    let error = cluster.create(&new).unwrap_err();
    assert!(
        matches!(&error, TransportError::Unreachable { why, .. } if why.contains("refused")),
        "{error}"
    );
}

#[test]
fn a_server_that_hangs_up_or_times_out_leaves_the_outcome_unknown() {
    for answer in [
        "",
        "HTTP/1.1 504 Gateway Timeout\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 201 Created\r\ncontent-length: 99\r\n\r\n{",
    ] {
        let runtime = runtime();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let connections = Arc::new(AtomicUsize::new(0));
        let counted = connections.clone();
        std::thread::spawn(move || {
            use std::io::{Read as _, Write as _};
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                counted.fetch_add(1, Ordering::SeqCst);
                let _ = stream.read(&mut [0; 4096]);
                let _ = stream.write_all(answer.as_bytes());
            }
        });
        let (cluster, _) = by_socket(&runtime, port);
        let new = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"namespace": "one", "name": "n"}});
        let error = cluster.create(&new).unwrap_err();
        assert!(
            matches!(error, TransportError::Lost { .. }),
            "{answer:?}: {error}"
        );
        assert_eq!(connections.load(Ordering::SeqCst), 1, "{answer:?}");
    }
}
