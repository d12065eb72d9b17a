//! Every kind of finding: its code, and what `runbook check --explain` says of it. The good and the bad example of
//! each warning are run as a test, so that neither can be wrong.

use super::Severity;

/// How soon a reader should hear of a kind of finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// The runbook cannot run.
    Error,
    /// It may do harm: shown before every run as well.
    Hazard,
    /// It could be better: shown by `runbook check` only.
    Advice,
}

/// One kind of finding.
#[derive(Debug)]
pub struct Code {
    /// `RB` and three digits: below 100 errors, from 100 warnings. Never given to another kind.
    pub code: &'static str,
    /// The name in words.
    pub name: &'static str,
    /// How soon to tell.
    pub weight: Weight,
    /// What is wrong with it and what to do, for a reader who meets it for the first time.
    pub text: &'static str,
    /// A runbook's body that has it.
    pub bad: &'static str,
    /// The same, mended.
    pub good: &'static str,
}

impl Code {
    /// How bad.
    pub fn severity(&self) -> Severity {
        match self.weight {
            Weight::Error => Severity::Error,
            Weight::Hazard | Weight::Advice => Severity::Warning,
        }
    }

    /// The kind with this code or name.
    pub fn find(name: &str) -> Option<&'static Self> {
        CODES
            .iter()
            .find(|code| code.code.eq_ignore_ascii_case(name) || code.name == name)
    }
}

/// A text that the interpreter cannot read.
pub const SYNTAX: &str = "RB001";
/// A word of the interpreter that runbooks do without.
pub const NOT_IN_LANGUAGE: &str = "RB002";
/// A variable that is not there.
pub const UNKNOWN_VARIABLE: &str = "RB003";
/// A module that is not imported.
pub const UNKNOWN_MODULE: &str = "RB004";
/// A function that is not there.
pub const UNKNOWN_FUNCTION: &str = "RB005";
/// A call with too many or too few arguments.
pub const WRONG_ARITY: &str = "RB006";
/// A parameter that the header does not have.
pub const UNKNOWN_PARAMETER: &str = "RB007";
/// A host that the inventory does not have.
pub const UNKNOWN_HOST: &str = "RB008";
/// A group that the inventory does not have.
pub const UNKNOWN_GROUP: &str = "RB009";
/// A header that cannot be used.
pub const HEADER: &str = "RB010";
/// A module that acts when it is imported.
pub const MODULE_ACTS: &str = "RB011";
/// An import whose name is not a literal.
pub const COMPUTED_IMPORT: &str = "RB012";
/// `wait_until` without its timeout.
pub const WAIT_WITHOUT_TIMEOUT: &str = "RB013";
/// Values that reach a shell unquoted.
pub const UNQUOTED_SHELL: &str = "RB101";
/// A branch that changes a copy.
pub const CAPTURED_VARIABLE: &str = "RB102";
/// A command that only reads, written as `run`.
pub const READ_AS_RUN: &str = "RB103";
/// A command in a loop that is not the same the second time.
pub const UNGUARDED_IN_LOOP: &str = "RB104";
/// A change that nothing verifies.
pub const UNVERIFIED_CHANGE: &str = "RB105";
/// A secret in the arguments of a command.
pub const SECRET_IN_ARGUMENT: &str = "RB106";
/// A command that may wait for ever.
pub const ENDLESS_COMMAND: &str = "RB107";
/// `raw()` on a value that the runbook did not write.
pub const RAW_FROM_OUTSIDE: &str = "RB108";
/// A name that hides another.
pub const SHADOWED_NAME: &str = "RB109";
/// A parameter that nothing reads.
pub const UNUSED_PARAMETER: &str = "RB110";
/// A closure that takes a function for the variable of the same name.
pub const FUNCTION_FOR_VARIABLE: &str = "RB111";
/// An `allow` without a reason.
pub const ALLOW_WITHOUT_REASON: &str = "RB190";
/// An `allow` that silences nothing.
pub const ALLOW_WITHOUT_EFFECT: &str = "RB191";

/// All of them, in the order of their codes.
pub const CODES: &[Code] = &[
    Code {
        code: SYNTAX,
        name: "syntax",
        weight: Weight::Error,
        text: "The text does not follow the grammar of the language. The place is where reading stopped; what is \
               missing often stands a little before it: a closing brace, a semicolon, the end of a text.",
        bad: "let x = ;",
        good: "let x = 1;\nnote(`${x}`);",
    },
    Code {
        code: NOT_IN_LANGUAGE,
        name: "not-in-language",
        weight: Weight::Error,
        text: "`switch` cannot tell a dry run that its value is not known yet and would silently take the default; \
               `eval` makes text at run time that nobody can review. `sleep` waits for nothing in particular, and `timestamp` is a clock \
               that no journal records. Runbooks do without them.",
        bad: "switch 1 { 1 => note(\"one\") }",
        good: "if param(\"size\") == 1 { note(\"one\"); }",
    },
    Code {
        code: UNKNOWN_VARIABLE,
        name: "unknown-variable",
        weight: Weight::Error,
        text: "No variable of this name is visible here. Functions do not see the variables of the script: pass \
               what they need as arguments. Parameters are read with `param(\"name\")`.",
        bad: "note(`${sise}`);",
        good: "let size = param(\"size\");\nnote(`${size}`);",
    },
    Code {
        code: UNKNOWN_MODULE,
        name: "unknown-module",
        weight: Weight::Error,
        text: "A name before `::` must be that of an imported module: `import \"std/net\" as net;`, at the top.",
        bad: "note(`${mtu::pods(1500, \"vxlan\")}`);",
        good: "import \"std/mtu\" as mtu;\nnote(`${mtu::pods(1500, \"vxlan\")}`);",
    },
    Code {
        code: UNKNOWN_FUNCTION,
        name: "unknown-function",
        weight: Weight::Error,
        text: "There is no host word, function of the script or function of the module with this name. \
               `runbook doc` lists all host words and the standard library.",
        bad: "nodee(\"hello\");",
        good: "note(\"hello\");",
    },
    Code {
        code: WRONG_ARITY,
        name: "wrong-arity",
        weight: Weight::Error,
        text: "The function is there, but takes another number of arguments. `runbook doc` shows how every host \
               word is called.",
        bad: "note(1, 2);",
        good: "note(\"1 and 2\");",
    },
    Code {
        code: UNKNOWN_PARAMETER,
        name: "unknown-parameter",
        weight: Weight::Error,
        text: "`param(\"name\")` reads a parameter that the header declares under `params:`.",
        bad: "note(param(\"sise\"));",
        good: "note(param(\"size\"));",
    },
    Code {
        code: UNKNOWN_HOST,
        name: "unknown-host",
        weight: Weight::Error,
        text: "`host(\"name\")` needs a host of the inventory (`-i FILE`); without an inventory there is only \
               `localhost`. Checked before a run, against the inventory of that run.",
        bad: "",
        good: "note(host(\"localhost\").name);",
    },
    Code {
        code: UNKNOWN_GROUP,
        name: "unknown-group",
        weight: Weight::Error,
        text: "`hosts(\"group\")` needs a group of the inventory (`-i FILE`); `hosts()` gives all hosts. Checked \
               before a run, against the inventory of that run.",
        bad: "",
        good: "note(`${hosts().len()} hosts`);",
    },
    Code {
        code: HEADER,
        name: "header",
        weight: Weight::Error,
        text: "A runbook has exactly one header: `runbook #{ title: \"…\", params: #{ … } };`. It is read before \
               the script runs, so it is a literal map.",
        bad: "runbook #{ title: \"A second header\" };",
        good: "note(\"one header is enough\");",
    },
    Code {
        code: MODULE_ACTS,
        name: "module-acts",
        weight: Weight::Error,
        text: "A module is read when it is imported, on every resume as well; only the runbook acts. Put the \
               statement into a function of the module and call that from a step.",
        bad: "",
        good: "",
    },
    Code {
        code: COMPUTED_IMPORT,
        name: "computed-import",
        weight: Weight::Error,
        text: "The texts of a run are pinned before it begins, so the names of its modules must stand in the text.",
        bad: "let name = \"std/mtu\";\nimport name as mtu;",
        good: "import \"std/mtu\" as mtu;\nnote(`${mtu::proxy_needs(4)}`);",
    },
    Code {
        code: WAIT_WITHOUT_TIMEOUT,
        name: "wait-without-timeout",
        weight: Weight::Error,
        text: "`wait_until` refuses to wait for ever, and would say so only when the run has come there. Give it the \
               longest time that is still good news: `#{ timeout: \"5m\" }`.",
        bad: "let h = host(\"localhost\");\nwait_until(\"it is up\", #{ every: \"2s\" }, || h.file(\"/run/up\").exists());",
        good: "let h = host(\"localhost\");\nwait_until(\"it is up\", #{ timeout: \"5m\" }, || h.file(\"/run/up\").exists());",
    },
    Code {
        code: UNQUOTED_SHELL,
        name: "unquoted-shell",
        weight: Weight::Hazard,
        text: "The values of an interpolated text become shell code as they are: one space, quote or `;` in a value \
               and another command runs. Write `sh` before the text, which quotes every value, or give the command \
               as an array of words, which meets no shell at all.",
        bad: "let h = host(\"localhost\");\nnote(h.probe(`ls ${param(\"size\")}`).stdout);",
        good: "let h = host(\"localhost\");\nnote(h.probe(sh `ls ${param(\"size\")}`).stdout);",
    },
    Code {
        code: CAPTURED_VARIABLE,
        name: "captured-variable",
        weight: Weight::Hazard,
        text: "Branches of `each` may run side by side, so each works on its own copies of the variables around it. \
               What it assigns to them is gone when it ends. Let the branch give a value: `each` gives the list.",
        bad: "let found = [];\neach([1, 2], |n| { found.push(n); });\nnote(`${found}`);",
        good: "let found = each([1, 2], |n| n);\nnote(`${found}`);",
    },
    Code {
        code: READ_AS_RUN,
        name: "read-as-run",
        weight: Weight::Advice,
        text: "`run` is for commands that change something: a dry run does not run them, and a resume must find out \
               whether they were done. A command that only reads belongs into `probe`: then the dry run shows what \
               depends on it, and a resume simply looks again.",
        bad: "let h = host(\"localhost\");\nnote(h.run([\"uname\", \"-r\"]).stdout);",
        good: "let h = host(\"localhost\");\nnote(h.probe([\"uname\", \"-r\"]).stdout);",
    },
    Code {
        code: UNGUARDED_IN_LOOP,
        name: "unguarded-in-loop",
        weight: Weight::Advice,
        text: "A command in a loop is done many times, and a new run of a half-finished runbook does the first ones \
               again. One that is not the same the second time needs a guard: `unless:` (a command that succeeds \
               where it is already done) or `creates:` (the file that it makes). Better still is a typed change.",
        bad: "let h = host(\"localhost\");\nfor user in [\"ann\", \"bob\"] { h.run([\"useradd\", user]); }\n\
              expect(\"ann is there\", h.probe([\"id\", \"ann\"], #{ expect_exit: \"any\" }).ok, true);",
        good: "let h = host(\"localhost\");\nfor user in [\"ann\", \"bob\"] { h.run([\"useradd\", user], #{ unless: [\"id\", user] }); }\n\
               expect(\"ann is there\", h.probe([\"id\", \"ann\"], #{ expect_exit: \"any\" }).ok, true);",
    },
    Code {
        code: UNVERIFIED_CHANGE,
        name: "unverified-change",
        weight: Weight::Advice,
        text: "After this change the runbook looks at nothing any more: it ends well whether the change helped or \
               not. Say what must be true now, with `expect`, `ensure` or `wait_until`: not that the file has the \
               new line (the engine sees to that), but that the thing works again. `manual(\"…\")` asks a person.",
        bad: "host(\"localhost\").file(\"/etc/motd\").write(\"hello\");",
        good: "let h = host(\"localhost\");\nh.file(\"/etc/motd\").write(\"hello\");\n\
               expect(\"the greeting\", h.probe([\"cat\", \"/etc/motd\"]).stdout, \"hello\");",
    },
    Code {
        code: SECRET_IN_ARGUMENT,
        name: "secret-in-argument",
        weight: Weight::Hazard,
        text: "The arguments of a process can be read by every user of the host (`ps`). Hand a secret over by \
               `stdin:` or `env:`, or write it into a file with `mode: 0o600`.",
        bad: "let token = secret(\"TOKEN\");\nnote(host(\"localhost\").probe([\"login\", \"--token\", token]).stdout);",
        good: "let token = secret(\"TOKEN\");\nnote(host(\"localhost\").probe([\"login\", \"--token-stdin\"], #{ stdin: token }).stdout);",
    },
    Code {
        code: ENDLESS_COMMAND,
        name: "endless-command",
        weight: Weight::Advice,
        text: "This command waits by itself, and nothing says how long at most: a run hangs there until somebody \
               looks. Wait with `wait_until`, which shows what for and until when and survives a resume, or give \
               the command a `timeout:`.",
        bad: "host(\"localhost\").run(\"until test -e /run/up; do sleep 1; done\");\nensure(true, \"it is up\");",
        good: "let h = host(\"localhost\");\nwait_until(\"it is up\", #{ timeout: \"1m\" }, || h.file(\"/run/up\").exists());",
    },
    Code {
        code: RAW_FROM_OUTSIDE,
        name: "raw-from-outside",
        weight: Weight::Hazard,
        text: "`raw(…)` puts a value into a shell text as code. This value comes from outside of the runbook (a \
               parameter, an answer, something read from a target), so whoever decides it decides what runs. Leave \
               `raw` away; for several words give an array, each of whose items is quoted. Parameters with \
               `choices` or a `pattern`, numbers and durations are fine.",
        bad: "note(host(\"localhost\").probe(sh `ls ${raw(param(\"path\"))}`).stdout);",
        good: "note(host(\"localhost\").probe(sh `ls ${param(\"path\")}`).stdout);",
    },
    Code {
        code: SHADOWED_NAME,
        name: "shadowed-name",
        weight: Weight::Advice,
        text: "From here on this name means something else than a few lines before: the next reader, at night, will \
               take one for the other. Give it a name of its own.",
        bad: "let size = 1;\nif size == 1 { let size = 2; note(`${size}`); }\nnote(`${size}`);",
        good: "let size = 1;\nif size == 1 { let larger = 2; note(`${larger}`); }\nnote(`${size}`);",
    },
    Code {
        code: UNUSED_PARAMETER,
        name: "unused-parameter",
        weight: Weight::Advice,
        text: "The header declares a parameter that nothing reads. Whoever gives it believes that it does something.",
        bad: "",
        good: "note(param(\"size\"));\nnote(param(\"path\"));",
    },
    Code {
        code: FUNCTION_FOR_VARIABLE,
        name: "function-for-variable",
        weight: Weight::Hazard,
        text: "A closure that hands a variable of its surroundings to a function gets the *function* of that name, where the \
               text has one, and nothing says so: the closure then compares, writes or runs something else than is meant. \
               Give the variable or the function another name.",
        bad: "fn line(n) { `line ${n}` }\nfn same(a, b) { a == b }\nlet line = line(1);\nnote(`${[\"line 1\"].some(|one| same(one, line))}`);",
        good: "fn line(n) { `line ${n}` }\nfn same(a, b) { a == b }\nlet wanted = line(1);\nnote(`${[\"line 1\"].some(|one| same(one, wanted))}`);",
    },
    Code {
        code: ALLOW_WITHOUT_REASON,
        name: "allow-without-reason",
        weight: Weight::Advice,
        text: "A comment that silences a warning says why it is no defect here, for the next reader: \
               `// allow RB103: writes a cache as well`. Without a reason it silences nothing.",
        bad: "let h = host(\"localhost\");\n// allow RB103\nnote(h.run([\"uname\", \"-r\"]).stdout);",
        good: "let h = host(\"localhost\");\n// allow RB103: this uname is ours and counts its calls\nnote(h.run([\"uname\", \"-r\"]).stdout);",
    },
    Code {
        code: ALLOW_WITHOUT_EFFECT,
        name: "allow-without-effect",
        weight: Weight::Advice,
        text: "A comment silences a warning that is not there: on its own line, or, standing alone, on the next line \
               of code. What it was written for is gone, or stands elsewhere. Errors cannot be silenced.",
        bad: "// allow RB103: it was a run once\nnote(host(\"localhost\").probe([\"uname\", \"-r\"]).stdout);",
        good: "note(host(\"localhost\").probe([\"uname\", \"-r\"]).stdout);",
    },
];
