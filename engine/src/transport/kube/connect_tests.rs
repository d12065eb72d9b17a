use super::*;

const FILE: &str = "
apiVersion: v1
kind: Config
current-context: blue
clusters: [{name: c, cluster: {server: 'http://127.0.0.1:1'}}]
users:
- {name: plain, user: {}}
- {name: plugin, user: {exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: sh,
    args: ['-c', 'echo tell-tale-token; echo log in first >&2; exit 3']}}}
- {name: missing, user: {exec: {apiVersion: client.authentication.k8s.io/v1, interactiveMode: Never, command: no-such-plugin-here}}}
contexts:
- {name: blue, context: {cluster: c, user: plain, namespace: sea}}
- {name: plugin, context: {cluster: c, user: plugin}}
- {name: missing, context: {cluster: c, user: missing}}
- {name: nowhere, context: {cluster: gone, user: plain}}
";

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

fn written(text: &str) -> tempfile::NamedTempFile {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), text).unwrap();
    file
}

fn failure(path: &Path, context: Option<&str>) -> String {
    let runtime = runtime();
    match client(Some(path), context, runtime.handle()) {
        Ok(_) => panic!("a client was made"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_context_gives_a_client() {
    let (runtime, file) = (runtime(), written(FILE));
    let client = client(Some(file.path()), None, runtime.handle()).unwrap();
    assert_eq!(client.default_namespace(), "sea");
}

#[test]
fn what_is_wrong_is_named() {
    let file = written(FILE);
    let name = file.path().display().to_string();
    let missing = failure(Path::new("/no/such/kubeconfig"), None);
    assert!(
        missing.contains("/no/such/kubeconfig is not there"),
        "{missing}"
    );
    let red = failure(file.path(), Some("red"));
    assert!(
        red.contains(&name) && red.contains("no context \"red\"; it has blue, plugin"),
        "{red}"
    );
    let nowhere = failure(file.path(), Some("nowhere"));
    assert!(
        nowhere.contains(&name) && nowhere.contains("gone"),
        "{nowhere}"
    );
    let plugin = failure(file.path(), Some("missing"));
    assert!(
        plugin.contains("credential plugin") && plugin.contains("install"),
        "{plugin}"
    );
    let none = written("apiVersion: v1\nkind: Config\n");
    let none = failure(none.path(), None);
    assert!(none.contains("no current context (it has none)"), "{none}");
}

#[test]
fn a_failed_plugin_is_heard_but_its_output_is_not_repeated() {
    let file = written(FILE);
    let said = failure(file.path(), Some("plugin"));
    assert!(
        said.contains("log in first") && said.contains("plugin sh of"),
        "{said}"
    );
    for secret in ["tell-tale", "KUBERNETES_EXEC_INFO"] {
        assert!(!said.contains(secret), "{said}");
    }
}

#[test]
fn a_file_that_does_not_parse_is_not_quoted() {
    let file = written("users:\n- name: a\n  user: {token: hush-hush\n  broken: [\n");
    let said = failure(file.path(), None);
    assert!(said.contains(&file.path().display().to_string()), "{said}");
    assert!(!said.contains("hush-hush"), "{said}");
}

fn environment(kubeconfig: Option<&str>, home: &Path, in_pod: bool) -> Environment {
    Environment {
        kubeconfig: kubeconfig.map(Into::into),
        home: Some(home.to_owned()),
        in_pod,
    }
}

#[test]
fn files_are_looked_for_as_kubectl_does() {
    let (home, file) = (tempfile::tempdir().unwrap(), written(FILE));
    let name = file.path().display().to_string();
    let some = environment(Some(&format!("/gone/a:{name}:")), home.path(), true);
    assert_eq!(
        source(None, None, &some).unwrap(),
        Source::Files(vec![file.path().to_owned()])
    );
    let gone = environment(Some("/gone/a"), home.path(), true);
    assert!(
        source(None, None, &gone)
            .unwrap_err()
            .to_string()
            .contains("/gone/a")
    );
    let explicit = source(Some(Path::new("/x")), None, &gone).unwrap();
    assert_eq!(explicit, Source::Files(vec!["/x".into()]));
    assert_eq!(
        source(None, None, &environment(None, home.path(), true)).unwrap(),
        Source::Pod
    );
    let nothing = source(None, None, &environment(None, home.path(), false)).unwrap_err();
    assert!(nothing.to_string().contains("--kubeconfig"), "{nothing}");
    std::fs::create_dir(home.path().join(".kube")).unwrap();
    std::fs::write(home.path().join(".kube/config"), FILE).unwrap();
    let usual = source(None, None, &environment(None, home.path(), true)).unwrap();
    assert_eq!(usual, Source::Files(vec![home.path().join(".kube/config")]));
}
