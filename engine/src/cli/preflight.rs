//! What a run needs, asked before its first change: permissions, whether helper pods are let in, the API server's
//! version. Everything that is missing is found in one go. Nothing is touched.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value as Json;

use super::args;
use super::console::Console;
use super::context::RunContext;
use super::fleet::ClusterAccess;
use super::problem::Problem;
use super::run::Prepared;
use super::runtime::runtime;
use crate::executor::Announcer;
use crate::journal::Parameter;
use crate::model::Secrets;
use crate::report::Diagnostic;
use crate::script::{Need, NeedPlace, SourceSet, needs};
use crate::transport::kube::helper::{HelperPower, chosen_image, helper_manifest};
use crate::transport::kube::{Access, KubeReader};
use crate::transport::{
    Cancel, ClusterObserver, ListQuery, Proposal, Route, TransportError, Verdict,
};

/// The oldest API server whose exec streams can end their input (`v5.channel.k8s.io`, Kubernetes 1.30).
const OLDEST: (u32, u32) = (1, 30);

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What.
    pub what: String,
    /// What was found.
    pub result: CheckResult,
}

/// How a check came out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckResult {
    /// As it should be, with what was found.
    Good(String),
    /// It may be wrong, or could not be judged.
    Doubtful(String),
    /// It is wrong: what is missing, and what to do.
    Bad(String, String),
}

impl Check {
    /// As it should be.
    pub fn good(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            result: CheckResult::Good(found.into()),
        }
    }

    /// It may be wrong.
    pub fn doubtful(what: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            result: CheckResult::Doubtful(found.into()),
        }
    }

    /// Wrong.
    pub fn bad(what: impl Into<String>, why: impl Into<String>, help: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            result: CheckResult::Bad(why.into(), help.into()),
        }
    }
}

/// What a runbook asks of a cluster.
pub struct Wants {
    needs: BTreeSet<Need>,
    parameters: BTreeMap<String, Parameter>,
    /// Whether hosts of the inventory are reached by helper pods.
    node_hosts: bool,
    /// Whether node words of the script lead to nodes that the inventory does not know.
    node_words: bool,
}

impl Wants {
    /// Of this script, with these hosts.
    pub fn of(prepared: &Prepared) -> Self {
        Self::from_parts(
            &prepared.sources,
            prepared.parameters.clone(),
            prepared.ground.routes(),
        )
    }

    /// Of these texts.
    pub fn from_parts(
        sources: &SourceSet,
        parameters: BTreeMap<String, Parameter>,
        routes: Vec<Route>,
    ) -> Self {
        let needs = needs(sources);
        let by_node = |route: &Route| matches!(route, Route::Node(_));
        let ssh = routes.iter().any(|route| matches!(route, Route::Ssh(_)));
        Self {
            node_hosts: routes.iter().any(by_node),
            // Where hosts are reached by ssh, `node(…)` most often means them.
            node_words: !ssh && needs.iter().any(|need| need.word == "node"),
            needs,
            parameters,
        }
    }

    /// Only the hosts.
    pub fn of_hosts(routes: &[Route]) -> Self {
        Self {
            needs: BTreeSet::new(),
            parameters: BTreeMap::new(),
            node_hosts: routes.iter().any(|route| matches!(route, Route::Node(_))),
            node_words: false,
        }
    }

    /// Whether a cluster is needed at all.
    pub fn a_cluster(&self) -> bool {
        self.node_hosts || !self.needs.is_empty()
    }

    fn helpers(&self) -> bool {
        self.node_hosts || self.node_words
    }
}

/// Before the first change of a run on real targets.
pub fn before_run(
    prepared: &Prepared,
    talk: &args::Talk,
    console: &Console,
) -> Result<(), Problem> {
    let wants = Wants::of(prepared);
    if prepared.ground.place().lab.is_some() || !wants.a_cluster() {
        return Ok(());
    }
    let runtime = runtime()?;
    let announcer = Announcer::new(
        console.events(talk.output, false, Vec::new()),
        Arc::new(Secrets::new()),
    );
    let context = RunContext::unrecorded(&announcer, &Cancel::default());
    let access = prepared.ground.cluster();
    let reader = access
        .connect(runtime.handle(), &context)
        .map_err(unreachable)?
        .into_reader();
    let checks = cluster(&reader, &access, &context, &wants).map_err(unreachable)?;
    let wrong: Vec<(&Check, &str, &str)> = checks
        .iter()
        .filter_map(|check| match &check.result {
            CheckResult::Bad(why, help) => Some((check, why.as_str(), help.as_str())),
            _ => None,
        })
        .collect();
    if wrong.is_empty() {
        return Ok(());
    }
    let count = crate::report::counted(wrong.len(), "thing is missing", "things are missing");
    let mut diagnostic =
        Diagnostic::error(format!("{count} for this run; nothing was touched")).code("preflight");
    let mut helps = BTreeSet::new();
    for (check, why, help) in wrong {
        diagnostic = diagnostic.note(format!("{}: {why}", check.what));
        helps.insert(help.to_owned());
    }
    for help in helps.into_iter().filter(|help| !help.is_empty()) {
        diagnostic = diagnostic.help(help);
    }
    Err(Problem::failed(diagnostic))
}

fn unreachable(error: TransportError) -> Problem {
    Problem {
        diagnostics: vec![
            Diagnostic::error(error.to_string())
                .note("nothing was touched")
                .code("preflight"),
        ],
        exit: 4,
    }
}

/// Everything about the cluster.
pub fn cluster(
    reader: &KubeReader,
    access: &ClusterAccess,
    context: &RunContext,
    wants: &Wants,
) -> Result<Vec<Check>, TransportError> {
    let mut checks = vec![version(reader)?];
    for (permission, certain) in permissions(reader, access, wants) {
        let what = permission.to_string();
        checks.push(match (reader.may(&permission)?, certain) {
            (Ok(()), _) => Check::good(what, "allowed"),
            (Err(reason), true) => Check::bad(what, said("not allowed", &reason), RBAC),
            (Err(reason), false) => Check::doubtful(
                what,
                said(
                    "not allowed; whether the run needs it there is not known before",
                    &reason,
                ),
            ),
        });
    }
    if wants.helpers() {
        checks.extend(helper(reader, access, context)?);
    }
    Ok(checks)
}

const RBAC: &str =
    "give these verbs to the kubeconfig's user by a Role or ClusterRole, or use other credentials";

fn said(words: &str, reason: &str) -> String {
    match reason.is_empty() {
        true => words.to_owned(),
        false => format!("{words} ({reason})"),
    }
}

fn version(reader: &KubeReader) -> Result<Check, TransportError> {
    let (major, minor, text) = reader.version()?;
    let what = "version of the API server";
    Ok(match (major, minor) >= OLDEST {
        true => Check::good(what, text),
        false => Check::bad(
            what,
            format!("{text} is older than {}.{}", OLDEST.0, OLDEST.1),
            "streams of exec cannot end their input there: reach the nodes by ssh",
        ),
    })
}

/// Whether the API server lets helper pods in, and whether nodes have an image for them.
fn helper(
    reader: &KubeReader,
    access: &ClusterAccess,
    context: &RunContext,
) -> Result<Vec<Check>, TransportError> {
    let mut checks = Vec::new();
    let nodes = reader.list(&reader.kind("nodes")?, &ListQuery::default())?;
    let settings = access.helpers(context);
    let mut without = Vec::new();
    for node in &nodes {
        if settings.image.is_none() && chosen_image(node).is_none() {
            without.push(name(node));
        }
    }
    let what = "image of helper pods";
    checks.push(match (&settings.image, without.is_empty()) {
        (Some(image), _) => Check::good(what, image.clone()),
        (None, true) => Check::good(what, "one that each node already has"),
        (None, false) => Check::doubtful(
            what,
            format!(
                "no known one on {}; name one with RUNBOOK_DEBUG_IMAGE or `kube: {{helper_image: …}}`",
                without.join(", ")
            ),
        ),
    });
    let Some(node) = nodes.first() else {
        return Ok(checks);
    };
    let image = settings.image.clone().or_else(|| chosen_image(node));
    let image = image.unwrap_or_else(|| "busybox".into());
    let manifest = helper_manifest(&settings, HelperPower::Act, &name(node), &image);
    let what = format!("a helper pod in {}", settings.namespace);
    checks.push(match reader.would(&Proposal::Create(&manifest))? {
        Verdict::Accepted(_) | Verdict::Premature => Check::good(what, "let in (server-side dry run)"),
        Verdict::NotAsked(why) | Verdict::Refused(why) => Check::bad(
            what,
            why,
            "helper pods need a namespace that allows privileged pods: `kube: {helper_namespace: NAME}` in the inventory",
        ),
    });
    Ok(checks)
}

fn name(object: &Json) -> String {
    object["metadata"]["name"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

/// The permissions that the wants come to, and whether each is certainly needed.
fn permissions(
    reader: &KubeReader,
    access: &ClusterAccess,
    wants: &Wants,
) -> BTreeMap<Access, bool> {
    let mut found: BTreeMap<Access, bool> = BTreeMap::new();
    let mut add = |access: Access, certain: bool| {
        *found.entry(access).or_default() |= certain;
    };
    let core = |verb: &str, resource: &str, part: Option<&str>, namespace: Option<String>| Access {
        verb: verb.to_owned(),
        group: String::new(),
        resource: resource.to_owned(),
        subresource: part.map(str::to_owned),
        namespace,
    };
    let mut acts = wants.helpers();
    for need in &wants.needs {
        let (namespace, certain) = match &need.namespace {
            NeedPlace::Named(name) => (Some(name.clone()), true),
            NeedPlace::Parameter(name) => {
                let value = wants.parameters.get(name);
                let value = value.and_then(|given| given.value.as_text().map(str::to_owned));
                let certain = value.is_some();
                (value, certain)
            }
            NeedPlace::Everywhere => (None, true),
            NeedPlace::Computed => (None, false),
        };
        match need.word.as_str() {
            "node" => add(core("get", "nodes", None, None), true),
            "pod" => {
                add(
                    core("get", "pods", Some("exec"), namespace.clone()),
                    certain,
                );
                add(core("create", "pods", Some("exec"), namespace), certain);
            }
            "kube.logs" => add(core("get", "pods", Some("log"), namespace), certain),
            "kube.events" => add(core("list", "events", None, namespace), certain),
            "kube.evict" => {
                acts = true;
                add(core("get", "pods", None, namespace.clone()), certain);
                add(core("create", "pods", Some("eviction"), namespace), certain);
            }
            word => {
                let verbs: &[&str] = match word {
                    "kube.get" | "kube.wait" => &["get"],
                    "kube.list" => &["list"],
                    "kube.create" => &["get", "create"],
                    "kube.apply" => &["get", "create", "patch"],
                    "kube.delete" => &["get", "delete"],
                    "kube.unique_name" => &[],
                    _ => &["get", "patch"],
                };
                acts |= verbs.len() > 1;
                let Some(kind) = need.kind.as_deref().and_then(|kind| reader.kind(kind).ok())
                else {
                    continue;
                };
                let group = kind
                    .api_version
                    .split_once('/')
                    .map_or("", |(group, _)| group);
                for verb in verbs {
                    let access = Access {
                        verb: (*verb).to_owned(),
                        group: group.to_owned(),
                        resource: kind.plural.clone(),
                        subresource: None,
                        namespace: namespace.clone().filter(|_| kind.namespaced),
                    };
                    add(access, certain || !kind.namespaced);
                }
            }
        }
    }
    let own = Some(access.namespace().to_owned());
    if wants.helpers() {
        add(core("get", "nodes", None, None), true);
        for verb in ["get", "create", "delete"] {
            add(core(verb, "pods", None, own.clone()), true);
        }
        for verb in ["get", "create"] {
            add(core(verb, "pods", Some("exec"), own.clone()), true);
        }
    }
    if acts {
        for verb in ["get", "create", "patch", "delete"] {
            let lease = Access {
                group: "coordination.k8s.io".into(),
                ..core(verb, "leases", None, own.clone())
            };
            add(lease, true);
        }
    }
    found
}
