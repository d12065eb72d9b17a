//! The HTML report in a real browser: what it shows, what it loads, how it is used. Skipped, with a word, where there
//! is no Chromium (`apt-get install chromium`); RUNBOOK_REQUIRE_BROWSER=1 makes that a failure, and
//! RUNBOOK_BROWSER_PICTURES=FOLDER keeps pictures of what was looked at.

#[path = "support/bench.rs"]
mod bench;
#[path = "support/browser.rs"]
mod browser;

use std::net::TcpListener;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use bench::{Bench, LAB};
use browser::Browser;
use serde_json::Value as Json;

/// What the tests ask the page: plain functions, so that what is measured can be read in one place.
const MEASURES: &str = include_str!("support/browser.js");

fn page(bench: &Bench) -> PathBuf {
    let path = bench.path().join("page.html");
    let out = path.to_str().unwrap();
    bench.exits(0, &["report", "--format", "html", "--out", out]);
    path
}

/// A browser that shows the report of the main job: stopped at a question, gone on with by a person's word.
fn main_job() -> Option<(Bench, Browser)> {
    let mut browser = Browser::start()?;
    let bench = Bench::new();
    bench.exits(3, &["run", "tailscale-mtu", "--lab", LAB]);
    bench.exits(0, &["resume", "--yes"]);
    let path = page(&bench);
    browser.open(&path);
    browser.value(MEASURES);
    Some((bench, browser))
}

/// A browser that shows the report of a run that failed, with texts that try to be more than texts.
fn failed_run(trap: &TcpListener) -> Option<(Bench, Browser)> {
    let mut browser = Browser::start()?;
    let bench = Bench::new();
    let away = format!("http://{}", trap.local_addr().unwrap());
    let hostile = [
        format!("<img src={away}/a.png>"),
        format!("<script src={away}/b.js></script>"),
        format!("</style><style>body {{ background: url({away}/c.png) }}"),
        format!("<link rel=stylesheet href={away}/d.css><iframe src={away}></iframe>"),
        format!("\\\"><meta http-equiv=refresh content=0;url={away}>"),
    ];
    let lines: String = hostile
        .iter()
        .map(|text| format!("note(\"{text}\");\nh.run([\"printf\", \"%s\", \"{text}\"]);\n"))
        .collect();
    let title = &hostile[0];
    bench.write(
        "bad.rhai",
        &format!(
            "runbook #{{ title: \"{title}\" }};\nlet h = host(\"localhost\");\n\
             step \"{title}\" {{\n{lines}table(\"{title}\", [#{{ name: \"{title}\" }}]);\n}}\n\
             step \"It fails\" {{ h.run(\"echo {away}; echo 'no such unit' >&2; exit 3\"); }}\n"
        ),
    );
    bench.exits(1, &["run", "bad.rhai"]);
    let path = page(&bench);
    browser.open(&path);
    browser.value(MEASURES);
    Some((bench, browser))
}

/// What the page asked for over any network, itself not counted.
fn asked_for(browser: &Browser) -> Vec<String> {
    let asked = browser
        .events
        .iter()
        .filter(|event| event["method"] == "Network.requestWillBeSent")
        .map(|event| {
            event["params"]["request"]["url"]
                .as_str()
                .unwrap()
                .to_owned()
        });
    asked.filter(|url| !url.starts_with("file://")).collect()
}

#[test]
fn nothing_is_loaded_from_outside() {
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let Some((_bench, mut browser)) = failed_run(&trap) else {
        return;
    };
    assert_eq!(asked_for(&browser), [""; 0]);
    let found = browser.value("document.querySelectorAll('script, img, iframe, link, object, embed, audio, video').length");
    assert_eq!(found, 0, "no text became an element");
    assert_eq!(browser.value("document.styleSheets.length"), 1);
    // Also if one did: the page's own policy forbids it.
    let away = format!("http://{}", trap.local_addr().unwrap());
    let violations = browser.value(&format!("forbidden({away:?})"));
    assert_eq!(
        violations,
        serde_json::json!([
            "connect-src",
            "font-src",
            "img-src",
            "script-src-elem",
            "style-src-elem"
        ])
    );
    let none = trap.accept().map(|_| ()).unwrap_err();
    assert_eq!(
        none.kind(),
        std::io::ErrorKind::WouldBlock,
        "somebody called"
    );
    browser.picture("failed");
}

#[test]
fn what_folds_opens_by_click_and_by_keyboard() {
    let Some((_bench, mut browser)) = main_job() else {
        return;
    };
    let open = |browser: &mut Browser| browser.value("document.querySelector('details.step').open");
    let seen = |browser: &mut Browser| browser.value("visible('details.step .operations')");
    assert_eq!(
        (open(&mut browser), seen(&mut browser)),
        (false.into(), false.into())
    );
    browser.click("details.step > summary");
    assert_eq!(
        (open(&mut browser), seen(&mut browser)),
        (true.into(), true.into())
    );
    browser.click("details.step > summary");
    assert_eq!(open(&mut browser), false);
    // From the top of the page with nothing but the keyboard: the switch first, then every step in order.
    browser.value(
        "document.activeElement.blur(); getSelection().removeAllRanges(); window.scrollTo(0, 0)",
    );
    let steps = browser.value("document.querySelectorAll('details.step').length");
    let steps = steps.as_u64().unwrap();
    let mut reached = Vec::new();
    browser.value("focusFromTop()");
    for _ in 0..=steps {
        browser.key("Tab");
        reached.push(browser.value("focused()"));
    }
    let wanted: Vec<Json> = std::iter::once("looks".to_owned())
        .chain((0..steps).map(|number| format!("step-{number}")))
        .map(Json::from)
        .collect();
    assert_eq!(reached, wanted);
    assert_eq!(browser.value("outlined()"), true, "the focus can be seen");
    let last = format!("document.getElementById('step-{}').open", steps - 1);
    for key in ["Enter", " "] {
        let before = browser.value(&last);
        browser.key(key);
        assert_ne!(browser.value(&last), before, "{key:?}");
    }
    // A diff has a line for each of its lines.
    browser.value("document.querySelectorAll('details').forEach(one => one.open = true)");
    assert_eq!(browser.value("looseDiffs()"), Json::Array(Vec::new()));
    // What only looked is there when it is asked for.
    browser.value("document.querySelectorAll('details.step').forEach(step => step.open = true)");
    assert_eq!(browser.value("visible('.look')"), false);
    browser.value("document.getElementById('looks').focus()");
    browser.key(" ");
    assert_eq!(browser.value("visible('.look')"), true);
}

#[test]
fn it_can_be_read_in_light_in_dark_and_on_a_small_screen() {
    let Some((_bench, mut browser)) = main_job() else {
        return;
    };
    let ground =
        |browser: &mut Browser| browser.value("getComputedStyle(document.body).backgroundColor");
    browser.medium("light", "screen");
    assert_eq!(ground(&mut browser), "rgb(255, 255, 255)");
    browser.medium("dark", "screen");
    assert_eq!(ground(&mut browser), "rgb(13, 17, 23)");
    browser.value("document.querySelectorAll('details').forEach(one => one.open = true); document.getElementById('looks').checked = true");
    for scheme in ["light", "dark"] {
        browser.medium(scheme, "screen");
        let pale = browser.value("pale(4.5)");
        assert_eq!(
            pale,
            Json::Array(Vec::new()),
            "{scheme}: texts that are too pale"
        );
        let pale = browser.value("paleMarks(3)");
        assert_eq!(
            pale,
            Json::Array(Vec::new()),
            "{scheme}: bars that are too pale"
        );
    }
    assert_eq!(browser.value("headings()"), Json::Array(Vec::new()));
    assert_eq!(browser.value("nameless()"), Json::Array(Vec::new()));
    for width in [320, 360, 800] {
        browser.size(width, 800);
        let wide = browser.value("document.documentElement.scrollWidth");
        assert_eq!(
            wide,
            width,
            "scrolled sideways at {width}: {}",
            browser.value("tooWide()")
        );
    }
    browser.size(1_200, 900);
    browser.value("document.querySelectorAll('details').forEach(one => one.open = false); document.getElementById('looks').checked = false");
    for scheme in ["light", "dark"] {
        browser.medium(scheme, "screen");
        for (place, script) in [
            ("top", "window.scrollTo(0, 0)"),
            (
                "chart",
                "document.getElementById('timeline').scrollIntoView()",
            ),
            (
                "steps",
                "document.querySelectorAll('#step-5, #step-5 details').forEach(e => e.open = true); document.getElementById('steps').scrollIntoView()",
            ),
            (
                "end",
                "document.getElementById('decisions').scrollIntoView()",
            ),
        ] {
            browser.value(script);
            browser.picture(&format!("{scheme}-{place}"));
        }
    }
    browser.medium("light", "screen");
    browser.size(360, 800);
    browser.value("document.getElementById('timeline').scrollIntoView()");
    browser.picture("narrow");
}

#[test]
fn it_tells_where_when_and_who() {
    let Some((bench, mut browser)) = main_job() else {
        return;
    };
    // The chart has a row for each host, and the pause between the sessions is a band of its own.
    let chart = browser.value("chart()");
    let rows: Vec<&str> = chart["rows"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row.as_str().unwrap())
        .collect();
    for host in ["k3s-agent-1", "k3s-agent-2", "k3s-server-1", "cluster"] {
        assert!(rows.contains(&host), "{host} in {rows:?}");
    }
    assert_eq!(chart["pauses"], 1, "{chart}");
    assert_eq!(chart["outside"], 0, "{chart}");
    assert!(chart["bars"].as_u64().unwrap() > 20, "{chart}");
    // Before and after, who approved, with what it was started.
    let text = browser.value("document.querySelector('main').innerText");
    let text = text.as_str().unwrap();
    for part in [
        "Approvals and decisions",
        "Pod traffic between nodes stops",
        "--yes of ",
        "Environment",
        "lan_iface",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    let captions =
        browser.value("[...document.querySelectorAll('caption')].map(one => one.innerText)");
    let captions = captions.to_string();
    for title in [
        "MTU on each node",
        "Tailscale proxies now",
        "Nodes, before and after",
    ] {
        assert!(captions.contains(title), "{title} in {captions}");
    }
    assert_eq!(
        browser.value("[...document.querySelectorAll('th')].every(th => th.scope)"),
        true
    );
    drop(bench);
}

#[test]
fn it_prints_everything_on_white() {
    let Some((_bench, mut browser)) = main_job() else {
        return;
    };
    browser.medium("dark", "print");
    assert_eq!(
        browser.value("getComputedStyle(document.body).backgroundColor"),
        "rgb(255, 255, 255)"
    );
    assert_eq!(browser.value("visible('.switch')"), false);
    assert_eq!(
        browser.value("pale(4.5)"),
        Json::Array(Vec::new()),
        "too pale on paper"
    );
    // A4 at 96 dots an inch, without its margins.
    browser.size(718, 1_000);
    assert_eq!(
        browser.value("document.documentElement.scrollWidth"),
        718,
        "{}",
        browser.value("tooWide()")
    );
    // What lies folded on the screen is printed: the last diff of the last step, too.
    assert_eq!(browser.value("folded()"), Json::Array(Vec::new()));
    browser.medium("light", "");
    let pdf = browser.pdf("report");
    assert!(
        pdf.starts_with(b"%PDF") && pdf.len() > 50_000,
        "{} bytes",
        pdf.len()
    );
}

/// Twenty hosts, five rounds, fifty operations on each host in each.
const LARGE: &str = r#"runbook #{ title: "Five thousand operations" };
let all = hosts("all");
for round in 1..=5 {
    step `Round ${round}` {
        each(all, #{ parallel: 4 }, |h| {
            for n in 1..=2 {
                h.file(`/etc/app-${round}-${n}.conf`).write(`round = ${round}\nn = ${n}\n`);
                h.run(["touch", `/run/app-${round}-${n}`]);
                for look in 1..=23 { h.file(`/etc/app-${round}-${n}.conf`).exists(); }
            }
        });
    }
}
"#;

#[test]
fn five_thousand_operations_stay_usable() {
    let Some(mut browser) = Browser::start() else {
        return;
    };
    let bench = Bench::new();
    bench.write("large.rhai", LARGE);
    let hosts: String = (1..=20)
        .map(|n| format!("  web-{n:02}: {{ interfaces: [] }}\n"))
        .collect();
    bench.write(
        "lab/lab.yaml",
        &format!(
            "title: Many\ndescription: Many hosts.\nstarts: 2026-03-02T03:00:00Z\nhosts:\n{hosts}"
        ),
    );
    let began = Instant::now();
    bench.exits(0, &["run", "large.rhai", "--lab", "lab"]);
    let ran = began.elapsed();
    let began = Instant::now();
    let path = page(&bench);
    let written = began.elapsed();
    let bytes = std::fs::metadata(&path).unwrap().len();
    let loaded = browser.open(&path);
    browser.value(MEASURES);
    let nodes = browser
        .value("document.querySelectorAll('*').length")
        .as_u64()
        .unwrap();
    assert_eq!(
        browser.value("document.querySelectorAll('.operations > li').length"),
        5_000
    );
    assert_eq!(browser.value("chart().rows.length"), 20);
    let timed = |browser: &mut Browser, script: &str| -> Duration {
        let began = Instant::now();
        browser.value(&format!("painted(() => {{ {script} }})"));
        began.elapsed()
    };
    let opened = timed(
        &mut browser,
        "document.querySelectorAll('details.step').forEach(step => step.open = true)",
    );
    let looks = timed(&mut browser, "document.getElementById('looks').click()");
    let end = timed(
        &mut browser,
        "window.scrollTo(0, document.body.scrollHeight)",
    );
    browser.picture("large");
    eprintln!(
        "5,000 operations: ran in {ran:.1?}, report written in {written:.1?}: {bytes} bytes, {nodes} elements; \
         loaded in {loaded:.1?}, all steps opened in {opened:.1?}, all looks shown in {looks:.1?}, scrolled to the end in {end:.1?}"
    );
    assert!(bytes < 4 << 20, "{bytes} bytes");
    assert!(nodes < 50_000, "{nodes} elements");
    // What is tried takes a tenth of this on two busy cores; a page that hangs does not end within it.
    for (what, took) in [
        ("load", loaded),
        ("open", opened),
        ("show", looks),
        ("scroll", end),
    ] {
        assert!(took < Duration::from_secs(10), "{what}: {took:?}");
    }
}
