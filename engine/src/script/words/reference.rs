//! The reference of the host words: what `runbook doc` prints. Tests hold it against what is registered: every word,
//! every number of arguments, every property and every option is in it, and nothing else.

/// What a word does to the world, and so what a dry run and a resume make of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Gives the script its shape.
    Structure,
    /// Names what is acted on; nothing is touched.
    Target,
    /// Looks: done in a dry run as well, done again by a resume if it was in flight.
    Observe,
    /// Brings a thing into a state: shown as a diff by a dry run, put back by undo.
    Change,
    /// Runs a command at most once: shown by a dry run, undone by its own `undo`.
    Command,
    /// Waits up to a deadline.
    Wait,
    /// Asks a person.
    Ask,
    /// Claims what must be true.
    Assert,
    /// Tells the reader something.
    Tell,
    /// Works on values; nothing is touched.
    Value,
}

impl Class {
    /// All of them with a title and what they have in common.
    pub const ALL: [(Self, &'static str, &'static str); 10] = [
        (
            Self::Structure,
            "Structure",
            "They give the script its shape.",
        ),
        (
            Self::Target,
            "Targets",
            "They name what is acted on; nothing is touched by that.",
        ),
        (
            Self::Observe,
            "Observe",
            "They look. A dry run does them too (its own planned changes are in the answers); a resume that finds one in flight looks again.",
        ),
        (
            Self::Change,
            "Change",
            "They bring a thing into a state, if it is in another. A dry run shows the difference; undo puts back what was there.",
        ),
        (
            Self::Command,
            "Command",
            "Opaque, at most once: a resume asks the target what became of it, and never runs it twice. A dry run shows it.",
        ),
        (
            Self::Wait,
            "Wait",
            "Up to an absolute deadline, which a resume keeps.",
        ),
        (
            Self::Ask,
            "Ask",
            "A person answers: at the prompt, by `--answer NAME=VALUE`, or later on resume. `--yes` answers `confirm` alone.",
        ),
        (
            Self::Assert,
            "Assert",
            "What must be true; if it is not, the run fails there. In a dry run a claim that depends on a planned change is listed as to be checked.",
        ),
        (Self::Tell, "Tell", "For the reader of the run."),
        (
            Self::Value,
            "Values",
            "They work on values; nothing is touched.",
        ),
    ];
}

/// One word.
#[derive(Debug)]
pub struct Word {
    /// How it is called: `host.run(command, options)`, `now()`, `host.name`.
    pub calls: &'static [&'static str],
    /// What it does to the world.
    pub class: Class,
    /// What it does and gives.
    pub text: &'static str,
    /// The keys of its options with their meaning.
    pub options: &'static [(&'static str, &'static str)],
    /// A few lines that use it.
    pub example: &'static str,
}

const MODE: (&str, &str) = ("mode", "permissions in octal: \"0644\" or 0o644");
const UID: (&str, &str) = ("uid", "the owner's number");
const GID: (&str, &str) = ("gid", "the group's number");
const NAME: (&str, &str) = (
    "name",
    "the name for `--answer NAME=VALUE`; without it the question itself",
);

/// All words.
pub const WORDS: &[Word] = &[
    Word {
        calls: &["runbook"],
        class: Class::Structure,
        text: "The header: a literal map with `title` and `params`. Each parameter is a map of `default`, `help`, \
               `type` (string, int, bool, duration, choice), `choices`, `pattern`, `min`, `max`, `required`. The `//!` \
               comments above it are the description.",
        options: &[],
        example: "let who = param(\"size\");\nnote(`${who}`);",
    },
    Word {
        calls: &["step"],
        class: Class::Structure,
        text: "`step \"title\" { … }`: a named block, the unit of progress and of `undo --to`. Steps nest. Its value \
               is that of its block.",
        options: &[],
        example: "let release = step \"Look\" {\n    trimmed(host(\"localhost\").probe([\"uname\", \"-r\"]).stdout)\n};\nnote(release);",
    },
    Word {
        calls: &["each(items, body)", "each(items, options, body)"],
        class: Class::Structure,
        text: "Calls the closure for every item, each in a branch of its own, and gives the list of what the branches \
               gave, in the order of the items. A branch works on its own copies of the variables around it.",
        options: &[
            ("parallel", "how many branches at once (1)"),
            ("canary", "how many go first, alone"),
            (
                "stop_after",
                "after so many failures no further branch begins",
            ),
            (
                "max_failures",
                "so many failures are tolerated; their result is a map with `error`",
            ),
            ("pause", "time between two batches"),
        ],
        example: "let kernels = each(hosts(), #{ parallel: 10, canary: 1 }, |h| trimmed(h.probe([\"uname\", \"-r\"]).stdout));\nnote(`${kernels}`);",
    },
    Word {
        calls: &["on_undo(what, action)"],
        class: Class::Structure,
        text: "Registers what has to happen when the run is undone, in the reverse order of registration: restart a \
               service after its files were put back.",
        options: &[],
        example: "on_undo(\"restart nginx\", || { host(\"localhost\").run([\"systemctl\", \"restart\", \"nginx\"]); });",
    },
    Word {
        calls: &["host(name)"],
        class: Class::Target,
        text: "A host of the inventory, or `localhost`. On a cluster every node is a host of the same name.",
        options: &[],
        example: "let here = host(\"localhost\");\nnote(here.name);",
    },
    Word {
        calls: &["hosts()", "hosts(group)"],
        class: Class::Target,
        text: "The hosts of the inventory that `--limit` leaves, or those of one group.",
        options: &[],
        example: "note(`${hosts().len()} hosts`);",
    },
    Word {
        calls: &["host.name", "pod.name", "pod.namespace", "file.path"],
        class: Class::Target,
        text: "The names as texts.",
        options: &[],
        example: "note(host(\"localhost\").file(\"/etc/hosts\").path);",
    },
    Word {
        calls: &["host.var(name)", "host.var(name, otherwise)"],
        class: Class::Target,
        text: "A variable of the host from the inventory. One that is not there is a mistake, unless the call says what \
               holds then.",
        options: &[],
        example: "each(hosts(), |h| note(`${h}: ${h.var(\"rack\")}`));",
    },
    Word {
        calls: &["host.file(path)"],
        class: Class::Target,
        text: "A file of a host, by its absolute path.",
        options: &[],
        example: "let motd = host(\"localhost\").file(\"/etc/motd\");\nnote(motd.path);",
    },
    Word {
        calls: &["node(name)"],
        class: Class::Target,
        text: "A node of the cluster as a host: by the inventory's way to it, where it has a host of that name, else \
               through a helper pod.",
        options: &[],
        example: "note(node(\"server-1\").name);",
    },
    Word {
        calls: &["pod(namespace, name)", "pod(namespace, name, container)"],
        class: Class::Target,
        text: "A pod, or one container of it.",
        options: &[],
        example: "note(pod(\"kube-system\", \"coredns-0\").name);",
    },
    Word {
        calls: &["kube"],
        class: Class::Target,
        text: "The API of the cluster: of the lab, of `--context`, or of the current context.",
        options: &[],
        example: "note(`${kube.list(\"nodes\", #{}).len()} nodes`);",
    },
    Word {
        calls: &[
            "host.probe(command)",
            "host.probe(command, options)",
            "pod.probe(command)",
            "pod.probe(command, options)",
        ],
        class: Class::Observe,
        text: "Runs a command that only reads, which is the author's promise. An array is a program with its arguments \
               and meets no shell; a text is run by `sh -c`. Gives `#{ ok, exit, stdout, stderr }`.",
        options: &[
            (
                "expect_exit",
                "the exit status that is no failure: a number, an array of numbers or \"any\" (0)",
            ),
            ("timeout", "how long it may take (60s)"),
            ("stdin", "a text for its standard input"),
            ("env", "a map of environment variables"),
        ],
        example: "let answer = host(\"localhost\").probe([\"cat\", \"/etc/hostname\"], #{ expect_exit: \"any\" });\nif answer.ok { note(answer.stdout); }",
    },
    Word {
        calls: &["file.read()"],
        class: Class::Observe,
        text: "The text of the file. It fails if there is none, or if it is not UTF-8.",
        options: &[],
        example: "note(host(\"localhost\").file(\"/etc/hosts\").read());",
    },
    Word {
        calls: &["file.exists()"],
        class: Class::Observe,
        text: "Whether there is a file at the path.",
        options: &[],
        example: "note(`${host(\"localhost\").file(\"/etc/motd\").exists()}`);",
    },
    Word {
        calls: &["file.stat()"],
        class: Class::Observe,
        text: "`#{ size, mode, uid, gid, modified, inode }` of the file, or () if there is none. `modified` is in \
               whole seconds since 1970; `inode` is another once a new file was renamed over this one, in whatever second.",
        options: &[],
        example: "let stat = host(\"localhost\").file(\"/etc/motd\").stat();\nif stat != () { note(`${stat.size} bytes`); }",
    },
    Word {
        calls: &["kube.get(kind, name)", "kube.get(kind, namespace, name)"],
        class: Class::Observe,
        text: "One object as a map, or () if there is none. Kinds as for kubectl: `nodes`, `pods`, `deployments.apps`.",
        options: &[],
        example: "let node = kube.get(\"nodes\", \"server-1\");\nif node != () { note(node.metadata.name); }",
    },
    Word {
        calls: &["kube.list(kind, options)"],
        class: Class::Observe,
        text: "The objects of a kind as an array of maps.",
        options: &[
            ("namespace", "only of this namespace"),
            ("labels", "a label selector: \"app=web,tier!=cache\""),
            ("fields", "a field selector: \"spec.nodeName=server-1\""),
        ],
        example: "let pods = kube.list(\"pods\", #{ namespace: \"kube-system\", labels: \"k8s-app=kube-dns\" });\nnote(`${pods.len()}`);",
    },
    Word {
        calls: &["kube.logs(namespace, pod, options)"],
        class: Class::Observe,
        text: "The log of a pod as a text.",
        options: &[
            ("container", "which container"),
            ("since", "only the last so much time"),
            ("tail", "only so many lines from the end"),
            (
                "previous",
                "of the container before its last restart (false)",
            ),
        ],
        example: "let log = kube.logs(\"kube-system\", \"coredns-0\", #{ since: \"1h\", tail: 100 });\nnote(`${log.lines().len()} lines`);",
    },
    Word {
        calls: &["pod.read(path)"],
        class: Class::Observe,
        text: "The text of a file in a pod.",
        options: &[],
        example: "note(pod(\"web\", \"web-0\").read(\"/etc/nginx/nginx.conf\"));",
    },
    Word {
        calls: &["kube.events(namespace, kind, name)"],
        class: Class::Observe,
        text: "The events about one object as an array of maps.",
        options: &[],
        example: "for event in kube.events(\"web\", \"pods\", \"web-0\") { note(event.message); }",
    },
    Word {
        calls: &["kube.unique_name(prefix)"],
        class: Class::Observe,
        text: "A name for a new object that no other run gives; a resume gets the same.",
        options: &[],
        example: "let name = kube.unique_name(\"probe\");\nnote(name);",
    },
    Word {
        calls: &["now()"],
        class: Class::Observe,
        text: "The time in seconds since 1970, recorded: a resume gets the same. The interpreter's own clock is not \
               part of the language.",
        options: &[],
        example: "let began = now();\nnote(`${began}`);",
    },
    Word {
        calls: &["secret(name)"],
        class: Class::Observe,
        text: "A secret from RUNBOOK_SECRET_NAME or a hidden prompt. Its use is recorded, its value never: it is taken out of all output.",
        options: &[],
        example: "let token = secret(\"TOKEN\");\nhost(\"localhost\").file(\"/etc/token\").write(token, #{ mode: 0o600 });",
    },
    Word {
        calls: &["file.write(text)", "file.write(text, options)"],
        class: Class::Change,
        text: "Writes the whole file, atomically, keeping mode and owner unless told otherwise.",
        options: &[MODE, UID, GID],
        example: "host(\"localhost\").file(\"/etc/motd\").write(\"hello\\n\", #{ mode: \"0644\" });",
    },
    Word {
        calls: &["file.edit(closure)"],
        class: Class::Change,
        text: "Writes what the closure makes of the present text. The closure only works on the text.",
        options: &[],
        example: "host(\"localhost\").file(\"/etc/hosts\").edit(|text| text + \"192.0.2.1 web\\n\");",
    },
    Word {
        calls: &[
            "file.set_line(key, value)",
            "file.set_line(key, value, options)",
        ],
        class: Class::Change,
        text: "Sets `key=value` in a file of lines, in its place or at the end; comments stay.",
        options: &[],
        example: "host(\"localhost\").file(\"/etc/sysctl.d/90-mtu.conf\").set_line(\"net.ipv4.tcp_mtu_probing\", 1);",
    },
    Word {
        calls: &["file.set_yaml(path, value)"],
        class: Class::Change,
        text: "Sets one value in a YAML file and leaves every other byte as it is. The path is a text with dots, or an array of keys.",
        options: &[],
        example: "host(\"localhost\").file(\"/etc/rancher/k3s/config.yaml\").set_yaml(\"flannel-iface\", \"eth0\");",
    },
    Word {
        calls: &["file.remove()"],
        class: Class::Change,
        text: "Removes the file, if it is there. Undo writes it again.",
        options: &[],
        example: "host(\"localhost\").file(\"/etc/nologin\").remove();",
    },
    Word {
        calls: &["change(description)"],
        class: Class::Change,
        text: "The general change, from which the library makes link MTUs, services and the rest: observe, compare \
               with `want`, apply, observe again.",
        options: &[
            ("what", "in words, what it changes (needed)"),
            ("want", "the wanted state: plain data (needed)"),
            (
                "observe",
                "a closure that looks and gives the present state (needed)",
            ),
            (
                "apply",
                "a closure that is given the state to reach (needed)",
            ),
            ("target", "the host that it is about"),
            ("summary", "one line for the plan"),
            ("undo", "a closure for undo, if it is another than `apply`"),
            ("reversible", "false: undo leaves it (true)"),
            (
                "affects",
                "what else it may change: an array of files, or \"cluster\"",
            ),
        ],
        example: "let h = host(\"localhost\");\nchange(#{\n    target: h,\n    what: \"host name\",\n    want: \"web-1\",\n    observe: || trimmed(h.probe([\"hostname\"]).stdout),\n    apply: |to| h.run([\"hostnamectl\", \"hostname\", to]),\n});",
    },
    Word {
        calls: &["kube.create(object)"],
        class: Class::Change,
        text: "Creates an object from its whole description, if it is not there.",
        options: &[],
        example: "kube.create(#{ apiVersion: \"v1\", kind: \"ConfigMap\", metadata: #{ name: \"a\", namespace: \"default\" }, data: #{ key: \"value\" } });",
    },
    Word {
        calls: &["kube.apply(object)", "kube.apply(object, options)"],
        class: Class::Change,
        text: "Applies a description on the server's side: the fields that it names are ours from then on.",
        options: &[(
            "force",
            "true: take fields over that another manager owns (false)",
        )],
        example: "kube.apply(#{ apiVersion: \"v1\", kind: \"ConfigMap\", metadata: #{ name: \"a\", namespace: \"default\" }, data: #{ key: \"value\" } });",
    },
    Word {
        calls: &["kube.scale(kind, namespace, name, replicas)"],
        class: Class::Change,
        text: "Sets the number of replicas.",
        options: &[],
        example: "kube.scale(\"deployments.apps\", \"web\", \"front\", 3);",
    },
    Word {
        calls: &["kube.rollout_restart(kind, namespace, name)"],
        class: Class::Change,
        text: "Has a workload make its pods anew, as `kubectl rollout restart` does.",
        options: &[],
        example: "kube.rollout_restart(\"deployments.apps\", \"web\", \"front\");\nkube.wait(\"deployments.apps\", \"web\", \"front\", \"rolled out\", #{ timeout: \"5m\" });",
    },
    Word {
        calls: &[
            "kube.run_pod(namespace, image, command)",
            "kube.run_pod(namespace, image, command, options)",
        ],
        class: Class::Change,
        text: "Runs a program once in a pod of its own: creates the pod, waits for its end, reads its log, removes it. Gives the exit status and the log as `stdout`, as `host.run` does. A resumed run does not run it again: where it may fail for a time, take `expect_exit: \"any\"` and look.",
        options: &[
            (
                "timeout",
                "how long the program may take (\"5m\"); then its node ends it",
            ),
            ("node", "the node that it shall run on"),
            ("host_network", "true: in the node's network (false)"),
            (
                "expect_exit",
                "the exit status, or statuses, that are no failure (0); \"any\"",
            ),
            ("spec", "more of the pod's `spec`, as a map"),
        ],
        example: "let answer = kube.run_pod(\"default\", \"busybox:1.36\", [\"cat\", \"/sys/class/net/eth0/mtu\"], #{ node: \"agent-1\", timeout: \"1m\" });\nif answer.ok { note(`MTU of a new pod: ${trimmed(answer.stdout)}`); }",
    },
    Word {
        calls: &["kube.evict(namespace, pod, options)"],
        class: Class::Change,
        text: "Evicts a pod, as a drain does: the cluster refuses it where a disruption budget says so.",
        options: &[(
            "uid",
            "only the pod with this uid, and no later one of the same name (needed)",
        )],
        example: "let pod = kube.get(\"pods\", \"web\", \"web-0\");\nif pod != () { kube.evict(\"web\", \"web-0\", #{ uid: pod.metadata.uid }); }",
    },
    Word {
        calls: &["kube.patch(kind, namespace, name, patch)"],
        class: Class::Change,
        text: "Merges the map into an object; () removes a key. The namespace of what has none is \"\".",
        options: &[],
        example: "kube.patch(\"nodes\", \"\", \"server-1\", #{ spec: #{ unschedulable: true } });",
    },
    Word {
        calls: &[
            "kube.label(kind, namespace, name, entries)",
            "kube.annotate(kind, namespace, name, entries)",
        ],
        class: Class::Change,
        text: "Sets labels or annotations; () removes one.",
        options: &[],
        example: "kube.label(\"nodes\", \"\", \"server-1\", #{ rack: \"b\", old: () });",
    },
    Word {
        calls: &["kube.delete(kind, namespace, name, options)"],
        class: Class::Change,
        text: "Deletes an object, if it is there.",
        options: &[(
            "uid",
            "only the object with this uid, and no later one of the same name (needed)",
        )],
        example: "let pod = kube.get(\"pods\", \"default\", \"web-0\");\nif pod != () { kube.delete(\"pods\", \"default\", \"web-0\", #{ uid: pod.metadata.uid }); }",
    },
    Word {
        calls: &[
            "host.run(command)",
            "host.run(command, options)",
            "pod.run(command)",
            "pod.run(command, options)",
        ],
        class: Class::Command,
        text: "Runs a command that changes something. An array is a program with its arguments and meets no shell; a \
               text is run by `sh -c` as written, with ``sh `…` `` every value in it is quoted. Gives \
               `#{ ok, exit, stdout, stderr }`. It outlives the connection and the engine.",
        options: &[
            (
                "unless",
                "a command that only reads; if it succeeds, there is nothing to do",
            ),
            ("creates", "a file; if it is there, there is nothing to do"),
            ("undo", "the command that undoes it"),
            ("undone_by", "in words, what undoes it instead"),
            ("detach", "true: do not wait for its end (false)"),
            ("timeout", "how long it may take (no limit)"),
            (
                "expect_exit",
                "the exit status that is no failure: a number, an array of numbers or \"any\" (0)",
            ),
            ("stdin", "a text for its standard input"),
            ("env", "a map of environment variables"),
            ("planned", "what a dry run takes for its output"),
            (
                "affects",
                "what it may change: an array of files, [] for nothing that is read here, or \"cluster\" (everything on the host)",
            ),
        ],
        example: "host(\"localhost\").run([\"useradd\", \"web\"], #{ unless: [\"id\", \"web\"], undo: [\"userdel\", \"web\"] });",
    },
    Word {
        calls: &["wait_until(what, options, condition)"],
        class: Class::Wait,
        text: "Tries the closure again and again until it gives something else than false or (), and gives that.",
        options: &[
            ("timeout", "the longest that it may take (needed)"),
            ("every", "time between two tries (2s)"),
        ],
        example: "let h = host(\"localhost\");\nwait_until(\"the service answers\", #{ timeout: \"2m\" }, || h.probe([\"curl\", \"-fs\", \"http://127.0.0.1/\"], #{ expect_exit: \"any\" }).ok);",
    },
    Word {
        calls: &["kube.wait(kind, namespace, name, condition, options)"],
        class: Class::Wait,
        text: "Waits until an object is as the condition says: \"exists\", \"deleted\", \"rolled out\", a condition such as \
               \"Ready\" or \"Ready=False\", a field such as \"status.phase=Running\". Gives the object.",
        options: &[
            ("timeout", "the longest that it may take (needed)"),
            ("every", "time between two tries (1s)"),
        ],
        example: "kube.wait(\"pods\", \"web\", \"web-0\", \"Ready\", #{ timeout: \"5m\" });",
    },
    Word {
        calls: &["confirm(question)", "confirm(question, options)"],
        class: Class::Ask,
        text: "Asks for a yes; anything else ends the run, which can be resumed.",
        options: &[NAME],
        example: "confirm(\"Traffic stops for a minute. Go on?\", #{ name: \"stop\" });",
    },
    Word {
        calls: &["manual(task)", "manual(task, options)"],
        class: Class::Ask,
        text: "A step that a person does: the run goes on when they say that it is done.",
        options: &[NAME],
        example: "manual(\"Ask the network team to open UDP 8472 between the nodes\");",
    },
    Word {
        calls: &[
            "choose(question, choices)",
            "choose(question, choices, options)",
        ],
        class: Class::Ask,
        text: "One of several texts.",
        options: &[NAME],
        example: "let rack = choose(\"Which rack first?\", [\"a\", \"b\"]);\nnote(rack);",
    },
    Word {
        calls: &["input(question)", "input(question, options)"],
        class: Class::Ask,
        text: "Any text.",
        options: &[NAME, ("default", "the answer if none is given")],
        example: "let ticket = input(\"Which ticket is this for?\", #{ name: \"ticket\" });\nnote(ticket);",
    },
    Word {
        calls: &["expect(what, actual, wanted)"],
        class: Class::Assert,
        text: "The two values are equal. A failure shows both.",
        options: &[],
        example: "expect(\"the host\", host(\"localhost\").name, \"localhost\");",
    },
    Word {
        calls: &["ensure(condition, claim)"],
        class: Class::Assert,
        text: "The condition holds. The claim says in words what must be true.",
        options: &[],
        example: "ensure(hosts().len() > 0, \"there is a host\");",
    },
    Word {
        calls: &["note(text)", "print(text)"],
        class: Class::Tell,
        text: "A line for the reader, also in the report.",
        options: &[],
        example: "note(\"3 nodes are to be moved\");",
    },
    Word {
        calls: &["table(title, rows)"],
        class: Class::Tell,
        text: "A table: an array of maps, one a row; its keys are the columns.",
        options: &[],
        example: "table(\"Nodes\", [#{ node: \"a\", mtu: 1500 }, #{ node: \"b\", mtu: 1450 }]);",
    },
    Word {
        calls: &["finish(reason)"],
        class: Class::Tell,
        text: "Ends the run well, here: there is nothing more to do.",
        options: &[],
        example: "if hosts().is_empty() { finish(\"no hosts\"); }",
    },
    Word {
        calls: &["param(name)"],
        class: Class::Value,
        text: "A parameter of the header: from `-e NAME=VALUE`, RUNBOOK_VAR_name, `--var-file`, or its default.",
        options: &[],
        example: "note(`${param(\"size\")}`);",
    },
    Word {
        calls: &["sh"],
        class: Class::Value,
        text: "``sh `…` ``: a text for a shell in which every value is quoted, every item of an array as a word of \
               its own.",
        options: &[],
        example: "let unit = \"nginx\";\nnote(host(\"localhost\").probe(sh `systemctl is-active ${unit} || true`).stdout);",
    },
    Word {
        calls: &["raw(text)"],
        class: Class::Value,
        text: "Within ``sh `…` ``: put this text in as it is, as shell code.",
        options: &[],
        example: "let h = host(\"localhost\");\nnote(h.probe(sh `ls ${raw(\"-l | wc -l\")}`).stdout);",
    },
    Word {
        calls: &["quote(value)"],
        class: Class::Value,
        text: "The value as one shell word, an array as several.",
        options: &[],
        example: "note(quote(\"it's\"));",
    },
    Word {
        calls: &["parse_json(text)", "parse_yaml(text)"],
        class: Class::Value,
        text: "The value that a text describes.",
        options: &[],
        example: "note(`${parse_json(\"[1, 2]\").len()} ${parse_yaml(\"a: 1\").a}`);",
    },
    Word {
        calls: &["to_json(value)"],
        class: Class::Value,
        text: "A value as JSON, its keys in order.",
        options: &[],
        example: "note(to_json(#{ a: 1 }));",
    },
    Word {
        calls: &["lines(text)", "words(text)", "trimmed(text)"],
        class: Class::Value,
        text: "The lines of a text, its words, and it without white space at its ends.",
        options: &[],
        example: "note(`${\"a b\\nc\".lines().len()} ${\"a b\".words().len()} ${trimmed(\" a \")}`);",
    },
    Word {
        calls: &["matches(text, pattern)"],
        class: Class::Value,
        text: "Whether a regular expression matches somewhere in the text; `^` and `$` are ends of lines.",
        options: &[],
        example: "note(`${\"mtu 1500\".matches(\"mtu [0-9]+\")}`);",
    },
    Word {
        calls: &["captures(text, pattern)"],
        class: Class::Value,
        text: "What a regular expression matched: an array of the whole and its groups, or () if it does not match.",
        options: &[],
        example: "let found = \"mtu 1500\".captures(\"mtu ([0-9]+)\");\nnote(found[1]);",
    },
    Word {
        calls: &["at(value, path)"],
        class: Class::Value,
        text: "The value at a path of keys in maps, or () where there is none. The path is a text with dots, or an \
               array where keys have dots in them.",
        options: &[],
        example: "note(`${at(#{ a: #{ b: 1 } }, \"a.b\") ?? 0}`);",
    },
    Word {
        calls: &["join(items, between)"],
        class: Class::Value,
        text: "The items as one text.",
        options: &[],
        example: "note(join([1, 2, 3], \", \"));",
    },
    Word {
        calls: &["seconds(duration)"],
        class: Class::Value,
        text: "A duration such as \"1m30s\" as a number of seconds.",
        options: &[],
        example: "note(`${seconds(\"1m30s\")}`);",
    },
    Word {
        calls: &["cell(value)"],
        class: Class::Value,
        text: "A value as a table shows it.",
        options: &[],
        example: "note(cell([1, 2]));",
    },
    Word {
        calls: &[
            "error.message",
            "error.detail",
            "error.target",
            "error.unreachable",
        ],
        class: Class::Value,
        text: "What `catch (error)` gets: what happened, more lines about it, where, and whether the target could not \
               be reached.",
        options: &[],
        example: "try { host(\"localhost\").probe([\"false\"]); } catch (error) { note(error.message); }",
    },
];

impl Word {
    /// Its name: what its first call is called.
    pub fn name(&self) -> &'static str {
        let call = self.calls[0].split('(').next().unwrap_or_default();
        call.rsplit('.').next().unwrap_or_default()
    }
}
