use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::transport::SshRoute;

const GOOD: &str = "\
# The shed.
vars: {region: shed, list: [1, two]}
hosts:
  web-2: {address: 192.0.2.2, user: ops, port: 2222, become: true, vars: {weight: 2}}
  web-1:
  db-1: {identity: ~/.ssh/db, config: /etc/ssh/other, known_hosts: kh, jump: \"ops@gate:22\", become: postgres}
  here: {transport: local, become: false}
  toy: {transport: lab}
groups:
  web: {hosts: [web-1, web-2], vars: {region: attic, tier: front}}
  every: {groups: [web, data], hosts: [here], vars: {region: house, tier: some}}
  data: [db-1]
kube: {context: prod, kubeconfig: /etc/kube}
";

fn host(name: &str) -> HostName {
    HostName::parse(name).unwrap()
}

#[test]
fn reads_hosts_groups_and_the_cluster() {
    let inventory = Inventory::parse("t", GOOD).unwrap();
    let names = |hosts: Vec<HostName>| hosts.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(
        names(inventory.hosts().cloned().collect()),
        ["web-2", "web-1", "db-1", "here", "toy"]
    );
    assert_eq!(
        names(inventory.group("every").unwrap()),
        ["web-2", "web-1", "db-1", "here"]
    );
    assert_eq!(names(inventory.group("all").unwrap()).len(), 5);
    assert_eq!(inventory.group("nowhere"), None);
    assert_eq!(inventory.group_names(), ["all", "data", "every", "web"]);
    let kube = KubeAccess {
        context: Some("prod".into()),
        kubeconfig: Some("/etc/kube".into()),
        helper_image: None,
        helper_namespace: None,
    };
    assert_eq!(inventory.kube(), Some(&kube));
    assert_eq!(inventory.nearest("web-11"), Some("web-1"));
    assert_eq!(inventory.nearest("dta"), Some("data"));
}

#[test]
fn reads_how_hosts_are_reached() {
    let access = Inventory::parse("t", GOOD).unwrap().access();
    let ssh = |name: &str| match &access[&host(name)].route {
        Route::Ssh(ssh) => ssh.clone(),
        other => panic!("{other:?}"),
    };
    let web = SshRoute {
        destination: "192.0.2.2".into(),
        user: Some("ops".into()),
        port: Some(2222),
        ..SshRoute::default()
    };
    assert_eq!(ssh("web-2"), web);
    assert_eq!(
        ssh("web-1"),
        SshRoute {
            destination: "web-1".into(),
            ..SshRoute::default()
        }
    );
    let db = SshRoute {
        destination: "db-1".into(),
        identity: Some(PathBuf::from("~/.ssh/db")),
        config: Some(PathBuf::from("/etc/ssh/other")),
        known_hosts: Some(PathBuf::from("kh")),
        jump: Some("ops@gate:22".into()),
        ..SshRoute::default()
    };
    assert_eq!(ssh("db-1"), db);
    assert_eq!(access[&host("here")].route, Route::Local);
    assert_eq!(access[&host("toy")].route, Route::Lab);
    let user = |name: &str| access[&host(name)].become_user.as_deref();
    assert_eq!(
        (user("web-2"), user("db-1"), user("here"), user("web-1")),
        (Some("root"), Some("postgres"), None, None)
    );
}

#[test]
fn inner_variables_win() {
    let inventory = Inventory::parse("t", GOOD).unwrap();
    let of = |name: &str| Value::Map(inventory.variables(&host(name))).canonical();
    assert_eq!(
        of("web-2"),
        r#"{"list":[1,"two"],"region":"attic","tier":"front","weight":2}"#
    );
    assert_eq!(
        of("db-1"),
        r#"{"list":[1,"two"],"region":"house","tier":"some"}"#
    );
    assert_eq!(of("toy"), r#"{"list":[1,"two"],"region":"shed"}"#);
}

#[test]
fn hosts_may_be_a_plain_list() {
    let inventory = Inventory::parse("t", "hosts: [b, a]\ngroups: {g: [a]}\n").unwrap();
    assert_eq!(
        inventory.hosts().map(HostName::as_str).collect::<Vec<_>>(),
        ["b", "a"]
    );
}

#[test]
fn without_a_file_there_is_this_machine() {
    let inventory = Inventory::local();
    assert_eq!(inventory.access()[&host("localhost")].route, Route::Local);
    assert_eq!(inventory.limit("all").unwrap(), [host("localhost")]);
}

#[test]
fn errors_point_at_what_is_wrong() {
    let cases = [
        (
            "hosts:\n  a: {adress: x}\n",
            Some((2, 7)),
            "has no key `adress`",
            "did you mean `address`?",
        ),
        (
            "hots:\n  a:\n",
            Some((1, 1)),
            "an inventory has no key `hots`",
            "did you mean `hosts`?",
        ),
        (
            "hosts:\n  a:\n  b: {}\n  a: {}\n",
            Some((4, 3)),
            "the key `a` stands twice in the same map, first on line 2",
            "",
        ),
        (
            "hosts: [a, b, a]\n",
            Some((1, 15)),
            "the host `a` is there twice",
            "",
        ),
        (
            "hosts: {a: 5}\n",
            Some((1, 12)),
            "must be a map of names, not a number",
            "",
        ),
        (
            "hosts: {-a: }\n",
            Some((1, 9)),
            "must not start with a dash",
            "",
        ),
        (
            "hosts:\n  \"a b\": {}\n",
            Some((2, 3)),
            "must not contain ' '",
            "",
        ),
        ("hosts: {}\n", Some((1, 8)), "names no host", "begin with"),
        ("vars: {}\n", None, "names no host", "begin with"),
        ("# nothing\n", None, "the inventory is empty", "begin with"),
        (
            "- a\n",
            Some((1, 1)),
            "must be a map of names, not a list",
            "",
        ),
        (
            "hosts: {a: {port: 99999}}\n",
            Some((1, 19)),
            "must be a number from 1 to 65535",
            "",
        ),
        (
            "hosts: {a: {port: ssh}}\n",
            Some((1, 19)),
            "must be a number",
            "",
        ),
        (
            "hosts: {a: {user: 1000}}\n",
            Some((1, 19)),
            "must be a text, not a number",
            "\"1000\"",
        ),
        (
            "hosts: {a: {user: -l}}\n",
            Some((1, 19)),
            "starts with a dash",
            "",
        ),
        (
            "hosts: {a: {address: \"x y\"}}\n",
            Some((1, 22)),
            "white space",
            "",
        ),
        ("hosts: {a: {jump: ''}}\n", Some((1, 19)), "is empty", ""),
        (
            "hosts: {a: {transport: shh}}\n",
            Some((1, 24)),
            "\"shh\" is no transport",
            "did you mean `ssh`?",
        ),
        (
            "hosts: {a: {transport: local, port: 1}}\n",
            Some((1, 31)),
            "`port` means nothing for the host `a`",
            "leave `port` out",
        ),
        (
            "hosts: {a: {become: yes}}\n",
            Some((1, 21)),
            "could be a user or a truth value",
            "write true",
        ),
        (
            "hosts: {a: {vars: [1]}}\n",
            Some((1, 19)),
            "must be a map of names and values, not a list",
            "",
        ),
        (
            "hosts: {a: }\nvars: 3\n",
            Some((2, 7)),
            "`vars` must be a map",
            "",
        ),
        (
            "hosts: {a: }\ngroups:\n  g: {hosts: [b]}\n",
            Some((3, 15)),
            "names the host `b`, which the inventory",
            "",
        ),
        (
            "hosts: {web-1: }\ngroups: {g: {hosts: [wbe-1]}}\n",
            Some((2, 22)),
            "`wbe-1`",
            "did you mean `web-1`?",
        ),
        (
            "hosts: {a: }\ngroups: {g: {hosts: [h]}, h: }\n",
            Some((2, 22)),
            "`h`",
            "`h` is a group",
        ),
        (
            "hosts: {a: }\ngroups: {gates: , g: {groups: [gate]}}\n",
            Some((2, 32)),
            "contains `gate`",
            "did you mean `gates`?",
        ),
        (
            "hosts: {a: }\ngroups:\n  x: {groups: [y]}\n  y: [z]\n  z: [y]\n",
            Some((5, 7)),
            "circle: y → z → y",
            "",
        ),
        (
            "hosts: {a: }\ngroups: {g: {groups: [g]}}\n",
            Some((2, 23)),
            "circle: g → g",
            "",
        ),
        (
            "hosts: {a: }\ngroups: {all: [a]}\n",
            Some((2, 10)),
            "`all` is every host",
            "vars:",
        ),
        (
            "hosts: {a: }\ngroups: {a: [a]}\n",
            Some((2, 10)),
            "`a` is a host and cannot be a group",
            "",
        ),
        (
            "hosts: {a: }\ngroups: {\"!x\": [a]}\n",
            Some((2, 10)),
            "cannot be the name of a group",
            "",
        ),
        (
            "hosts: {a: }\ngroups: {g: {hosts: a}}\n",
            Some((2, 21)),
            "must be a list of names, not a text",
            "",
        ),
        (
            "hosts: {a: }\ngroups: {g: {hosts: [[a]]}}\n",
            Some((2, 22)),
            "a name belongs here, not a list",
            "",
        ),
        (
            "hosts: {a: }\nkube: {contxt: x}\n",
            Some((2, 8)),
            "`kube` has no key `contxt`",
            "did you mean `context`?",
        ),
        (
            "hosts: {a: &x {port: 1}, b: *x}\n",
            Some((1, 29)),
            "write the value out",
            "",
        ),
        ("hosts:\n\ta:\n", Some((2, 2)), "indented with a tab", ""),
        ("hosts: {a: \n", Some((1, 8)), "unclosed bracket", ""),
        (
            "hosts: {a: }\n---\nhosts: {b: }\n",
            Some((2, 1)),
            "second YAML document",
            "",
        ),
    ];
    for (text, place, message, help) in cases {
        let error = Inventory::parse("inv.yaml", text).expect_err(text);
        assert_eq!(error.place, place, "{text:?}: {error}");
        assert!(error.message.contains(message), "{text:?}: {error}");
        assert!(
            error.help.as_deref().unwrap_or_default().contains(help),
            "{text:?}: {error}"
        );
    }
}

#[test]
fn an_error_quotes_and_underlines_its_line() {
    let error =
        Inventory::parse("inv.yaml", "hosts:\n  a:\n  b: {adress: 192.0.2.1}\n").unwrap_err();
    let expected = "inv.yaml:3:7: the host `b` has no key `adress`\n  |\n3 |   b: {adress: 192.0.2.1}\n  |       ^^^^^^\nhelp: did you mean `address`?";
    assert_eq!(error.to_string(), expected);
}

#[test]
fn a_missing_file_is_named() {
    let error = Inventory::load(Path::new("/nowhere/inv.yaml")).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("/nowhere/inv.yaml: the inventory cannot be read"),
        "{error}"
    );
}

/// Groups that share groups are looked at once each, not once for every way to them.
#[test]
fn many_shared_groups_are_fine() {
    let mut text = String::from("hosts: {a: }\ngroups:\n  g0: [a]\n  h0: [a]\n");
    for level in 1..60 {
        let inner = level - 1;
        text.push_str(&format!(
            "  g{level}: [g{inner}, h{inner}]\n  h{level}: [g{inner}, h{inner}]\n"
        ));
    }
    assert_eq!(
        Inventory::parse("t", &text).unwrap().group("h59").unwrap(),
        [host("a")]
    );
}

proptest! {
    #[test]
    fn never_panics(text in "(hosts|groups|vars|kube|a|b|: |\\{|\\}|\\[|\\]|, |\n|  |- |&x |\\*x|true|1|\"|#|é){0,24}") {
        if let Err(error) = Inventory::parse("t", &text) {
            prop_assert!(!error.to_string().is_empty());
            if let Some((line, column)) = error.place {
                // A place at the very end of the text is one line or column behind it.
                prop_assert!(line as usize <= text.lines().count() + 1 && column >= 1);
            }
        }
    }

    #[test]
    fn every_host_is_in_the_groups_that_name_it(
        hosts in proptest::collection::btree_set("[a-d][0-9]", 1..6),
        picks in proptest::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let hosts: Vec<String> = hosts.into_iter().collect();
        let members: Vec<&str> = picks.iter().map(|pick| pick.get(&hosts).as_str()).collect();
        let text = format!("hosts: [{}]\ngroups: {{inner: [{}], outer: [inner]}}\n", hosts.join(", "), members.join(", "));
        let inventory = Inventory::parse("t", &text).unwrap();
        let expected: Vec<HostName> = hosts.iter().filter(|name| members.contains(&name.as_str())).map(|name| host(name)).collect();
        prop_assert_eq!(inventory.group("outer").unwrap(), expected.clone());
        prop_assert_eq!(inventory.group("inner").unwrap(), expected);
    }
}
