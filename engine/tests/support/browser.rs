//! A real browser without a window: Chromium, spoken to in its DevTools protocol over two pipes. It gets a profile of
//! its own, resolves no name, and ends with the test.
#![allow(dead_code)] // each test file uses a part of it

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use serde_json::{Value as Json, json};

/// Longer than any answer takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(40);

/// A browser with one page.
pub struct Browser {
    child: Child,
    to: ChildStdin,
    from: Receiver<Json>,
    session: Option<String>,
    count: u64,
    /// What the page has reported and nobody has taken yet.
    pub events: Vec<Json>,
    _profile: tempfile::TempDir,
}

/// Where Chromium is; none where it is not installed. It must be there where RUNBOOK_REQUIRE_BROWSER is set.
pub fn chromium() -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = std::env::split_paths(&path).collect();
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let mut places = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    let found = places.find(|place| place.is_file());
    let required = std::env::var_os("RUNBOOK_REQUIRE_BROWSER").is_some();
    assert!(found.is_some() || !required, "chromium is required here");
    found
}

impl Browser {
    /// Starts it; none, with a word, where there is no Chromium.
    pub fn start() -> Option<Self> {
        let Some(program) = chromium() else {
            eprintln!("chromium is not here: not tried");
            return None;
        };
        let profile = tempfile::tempdir().unwrap();
        let mut command = Command::new("sh");
        // The protocol is spoken on descriptors 3 and 4.
        command.args([
            "-c",
            "exec \"$@\" 3<&0 4>&1 </dev/null >/dev/null 2>&1",
            "sh",
        ]);
        command.arg(program);
        command.args([
            "--headless",
            "--remote-debugging-pipe",
            "--no-first-run",
            "--no-default-browser-check",
            "--disable-gpu",
            "--hide-scrollbars",
            "--disable-extensions",
            "--disable-sync",
            "--disable-component-update",
            "--disable-background-networking",
            "--disable-default-apps",
            "--disable-dev-shm-usage",
            "--force-color-profile=srgb",
            // No packet leaves this machine, whatever a page asks for.
            "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
        ]);
        if rustix::process::getuid().is_root() {
            command.arg("--no-sandbox");
        }
        command
            .arg(format!("--user-data-dir={}", profile.path().display()))
            .arg("about:blank")
            .env("HOME", profile.path())
            .env("TMPDIR", profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let to = child.stdin.take().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (sender, from) = channel();
        std::thread::spawn(move || {
            let mut message = Vec::new();
            while out.read_until(0, &mut message).is_ok_and(|read| read > 0) {
                message.pop();
                let parsed = serde_json::from_slice(&message).expect("the protocol is JSON");
                message.clear();
                if sender.send(parsed).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            to,
            from,
            session: None,
            count: 0,
            events: Vec::new(),
            _profile: profile,
        };
        let target = browser.call("Target.createTarget", json!({ "url": "about:blank" }));
        let target = target["targetId"].clone();
        let attach = json!({ "targetId": target, "flatten": true });
        let session = browser.call("Target.attachToTarget", attach);
        browser.session = Some(session["sessionId"].as_str().unwrap().to_owned());
        for domain in ["Page", "Network", "Runtime", "Log"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.size(1_200, 900);
        Some(browser)
    }

    /// Calls a method and waits for its answer.
    pub fn call(&mut self, method: &str, parameters: Json) -> Json {
        self.count += 1;
        let id = self.count;
        let mut message = json!({ "id": id, "method": method, "params": parameters });
        if let Some(session) = &self.session {
            message["sessionId"] = session.as_str().into();
        }
        let mut bytes = message.to_string().into_bytes();
        bytes.push(0);
        self.to.write_all(&bytes).unwrap();
        self.to.flush().unwrap();
        loop {
            let answer = self.next(method);
            if answer["id"] == id {
                assert!(answer["error"].is_null(), "{method}: {answer}");
                return answer["result"].clone();
            }
            self.events.push(answer);
        }
    }

    fn next(&mut self, what: &str) -> Json {
        let answer = self.from.recv_timeout(PATIENCE);
        answer.unwrap_or_else(|error| panic!("no answer to {what}: {error}"))
    }

    /// Opens a file; gives how long it took until everything was loaded.
    pub fn open(&mut self, path: &Path) -> Duration {
        self.events.clear();
        let began = Instant::now();
        let url = format!("file://{}", path.display());
        self.call("Page.navigate", json!({ "url": url }));
        loop {
            let loaded = |event: &Json| event["method"] == "Page.loadEventFired";
            if self.events.iter().any(loaded) {
                return began.elapsed();
            }
            let event = self.next("the page to be loaded");
            self.events.push(event);
        }
    }

    /// The value of an expression in the page; a promise is waited for.
    pub fn value(&mut self, script: &str) -> Json {
        let asked = json!({ "expression": script, "returnByValue": true, "awaitPromise": true });
        let answer = self.call("Runtime.evaluate", asked);
        let failed = &answer["exceptionDetails"];
        assert!(failed.is_null(), "{script}\n{failed:#}");
        answer["result"]["value"].clone()
    }

    /// The size of the window, in pixels of CSS.
    pub fn size(&mut self, width: u32, height: u32) {
        let size =
            json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.call("Emulation.setDeviceMetricsOverride", size);
    }

    /// `light` or `dark`, on `screen` or in `print`.
    pub fn medium(&mut self, scheme: &str, medium: &str) {
        let features = json!([{ "name": "prefers-color-scheme", "value": scheme }]);
        let parameters = json!({ "media": medium, "features": features });
        self.call("Emulation.setEmulatedMedia", parameters);
    }

    /// Clicks into the middle of the first element that a selector finds.
    pub fn click(&mut self, selector: &str) {
        let script = format!(
            "(() => {{ const e = document.querySelector({selector:?}); e.scrollIntoView({{ block: 'center' }}); \
             const r = e.getBoundingClientRect(); return [r.x + Math.min(r.width / 2, 40), r.y + r.height / 2]; }})()"
        );
        let at = self.value(&script);
        for kind in ["mousePressed", "mouseReleased"] {
            let event =
                json!({ "type": kind, "x": at[0], "y": at[1], "button": "left", "clickCount": 1 });
            self.call("Input.dispatchMouseEvent", event);
        }
    }

    /// Presses a key: `Tab`, `Enter` or ` `.
    pub fn key(&mut self, key: &str) {
        let (code, number, text) = match key {
            "Tab" => ("Tab", 9, ""),
            "Enter" => ("Enter", 13, "\r"),
            _ => ("Space", 32, " "),
        };
        let mut event =
            json!({ "type": "keyDown", "key": key, "code": code, "windowsVirtualKeyCode": number });
        if !text.is_empty() {
            event["text"] = text.into();
        }
        self.call("Input.dispatchKeyEvent", event.clone());
        event["type"] = "keyUp".into();
        event.as_object_mut().unwrap().remove("text");
        self.call("Input.dispatchKeyEvent", event);
    }

    /// Writes a picture of the whole page where RUNBOOK_BROWSER_PICTURES names a folder, for a person to look at.
    pub fn picture(&mut self, name: &str) {
        let Some(folder) = std::env::var_os("RUNBOOK_BROWSER_PICTURES") else {
            return;
        };
        let asked = json!({ "format": "png", "captureBeyondViewport": false });
        let answer = self.call("Page.captureScreenshot", asked);
        let file = Path::new(&folder).join(format!("{name}.png"));
        write_base64(&file, answer["data"].as_str().unwrap());
    }

    /// The page as PDF; also written beside the pictures.
    pub fn pdf(&mut self, name: &str) -> Vec<u8> {
        let asked = json!({ "printBackground": false, "paperWidth": 8.27, "paperHeight": 11.69 });
        let answer = self.call("Page.printToPDF", asked);
        let bytes = decoded(answer["data"].as_str().unwrap());
        if let Some(folder) = std::env::var_os("RUNBOOK_BROWSER_PICTURES") {
            std::fs::write(Path::new(&folder).join(format!("{name}.pdf")), &bytes).unwrap();
        }
        bytes
    }
}

fn decoded(text: &str) -> Vec<u8> {
    use base64::Engine as _;
    let engine = base64::engine::general_purpose::STANDARD;
    engine.decode(text).unwrap()
}

fn write_base64(path: &Path, text: &str) {
    std::fs::write(path, decoded(text)).unwrap();
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It ends its helpers, which write to its profile until then.
        let _ = self
            .to
            .write_all(b"{\"id\": 0, \"method\": \"Browser.close\"}\0");
        let begun = Instant::now();
        while let Ok(None) = self.child.try_wait() {
            if begun.elapsed() > Duration::from_secs(5) {
                let _ = self.child.kill();
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
