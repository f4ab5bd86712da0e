//! The HTML page in a real browser: read, clicked, and walked through with a keyboard.
//!
//! Skipped, with a word, where Chromium and its driver are not to be had, unless `NETPOLC_BROWSER=1`;
//! `make tools` installs them.

mod common;

use common::run;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// A browser without a window, and the WebDriver (W3C) that moves it.
struct Browser {
    driver: Child,
    port: u16,
    session: String,
}

impl Browser {
    /// Starts one; `None` if there is none on this machine.
    fn start() -> Option<Browser> {
        let mut driver = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let lines = BufReader::new(driver.stdout.take().expect("it is a pipe")).lines();
        let started = lines
            .map_while(Result::ok)
            .find_map(|line| line.split_once("successfully on port ")?.1.trim_end_matches('.').parse().ok());
        let mut browser = Browser { driver, port: started?, session: String::new() };
        let arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"];
        let options = json!({"args": arguments});
        let wanted = json!({"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}});
        let answer = browser.call("POST", "/session", &wanted);
        browser.session = answer["sessionId"].as_str()?.to_owned();
        Some(browser)
    }

    /// One request over HTTP; its answer's value.
    fn call(&self, method: &str, path: &str, body: &Value) -> Value {
        let body = if method == "POST" { body.to_string() } else { String::new() };
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("the driver listens");
        let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
        write!(
            stream,
            "{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .expect("it takes a request");
        let mut answer = String::new();
        let mut reader = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).expect("it answers");
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length is a number");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        reader.take(length).read_to_string(&mut answer).expect("it answers in UTF-8");
        serde_json::from_str::<Value>(&answer).expect("it answers in JSON")["value"].take()
    }

    fn command(&self, path: &str, body: Value) -> Value {
        let value = self.call("POST", &format!("/session/{}/{path}", self.session), &body);
        assert!(value.get("error").is_none(), "{path} {body}: {value}");
        value
    }

    fn open(&self, page: &Path) {
        self.command("url", json!({"url": format!("file://{}", page.display())}));
    }

    /// Asks the page: the value of a script.
    fn ask(&self, script: &str) -> Value {
        self.command("execute/sync", json!({"script": script, "args": []}))
    }

    fn element(&self, selector: &str) -> String {
        let found = self.command("element", json!({"using": "css selector", "value": selector}));
        let id = found.as_object().and_then(|map| map.values().next()).expect("an element has an id");
        id.as_str().expect("it is a text").to_owned()
    }

    fn click(&self, selector: &str) {
        let element = self.element(selector);
        self.command(&format!("element/{element}/click"), json!({}));
    }

    /// Types into what has the focus.
    fn key(&self, key: char) {
        let press = json!([{"type": "keyDown", "value": key}, {"type": "keyUp", "value": key}]);
        self.command("actions", json!({"actions": [{"type": "key", "id": "keys", "actions": press}]}));
    }

    fn emulate(&self, command: &str, parameters: Value) {
        self.command("goog/cdp/execute", json!({"cmd": command, "params": parameters}));
    }

    fn dark(&self, dark: bool) {
        let value = if dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": value}]);
        self.emulate("Emulation.setEmulatedMedia", json!({"features": features}));
    }

    fn width(&self, width: u32) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width < 600});
        self.emulate("Emulation.setDeviceMetricsOverride", size);
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        if !self.session.is_empty() {
            self.call("DELETE", &format!("/session/{}", self.session), &json!({}));
        }
        let _ = self.driver.kill();
        let _ = self.driver.wait();
    }
}

/// The least ratio of contrast between a text and what is behind it, and that text (WCAG 2.2, 1.4.3).
const CONTRAST: &str = "
    const parts = c => c.match(/[\\d.]+/g).map(Number);
    const light = c => { const [r, g, b] = parts(c).map(v => (v /= 255) <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
                         return .2126 * r + .7152 * g + .0722 * b; };
    const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor;
                          if (parts(c)[3] !== 0) return c; } return 'rgb(255, 255, 255)'; };
    let worst = [99, ''];
    for (const e of document.body.querySelectorAll('*')) {
        if (![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
        const [a, b] = [light(getComputedStyle(e).color), light(behind(e))];
        const ratio = (Math.max(a, b) + .05) / (Math.min(a, b) + .05);
        if (ratio < worst[0]) worst = [ratio, e.className + ': ' + e.textContent.slice(0, 60)];
    }
    return worst;";

fn page(name: &str, command: &[&str]) -> std::path::PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let result = run(&[command, &["--format", "html", "--output", path.to_str().unwrap()]].concat());
    assert!(matches!(result.status, Some(0 | 1)), "{}", result.stderr);
    path
}

#[test]
fn the_page_is_read_clicked_and_walked_through() {
    let Some(browser) = Browser::start() else {
        assert!(std::env::var_os("NETPOLC_BROWSER").is_none(), "there is no Chromium with its driver");
        eprintln!("SKIPPED: Chromium and its driver are not here (`make tools` installs them)");
        return;
    };
    let manifests = [
        "check",
        "fixtures/check/cluster.yaml",
        "fixtures/report/accepted.yaml",
        "fixtures/check/http-match-not-enforced/bad.yaml",
    ];
    let check = page("check.html", &manifests);
    // more findings than are unfolded
    let mut many = vec!["check", "fixtures/check/cluster.yaml"];
    let bad: Vec<String> =
        netpolc::check::CHECKS.iter().map(|one| format!("fixtures/check/{}/bad.yaml", one.id)).collect();
    many.extend(bad.iter().map(String::as_str));
    let many = page("many.html", &many);
    let hostile =
        page("hostile.html", &["check", "fixtures/check/cluster.yaml", "fixtures/report/hostile.yaml"]);
    let node = [
        "verify",
        "fixtures/iks/cluster",
        "--node",
        "10.176.48.67",
        "--dump",
        "fixtures/verify/by-hand.rules",
    ];
    let verify = page("verify.html", &node);
    let diff = page("diff.html", &["diff", "fixtures/diff/before", "fixtures/diff/service-endpoint"]);

    let files =
        ["cluster", "web", "guard", "local", "hosts"].map(|name| format!("fixtures/audit/{name}.yaml"));
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let audit = page("audit.html", &[&["audit"], &*files].concat());

    // what it says
    browser.open(&check);
    let heading = browser.ask("return document.querySelector('h1').innerText");
    assert!(
        heading.as_str().unwrap().starts_with("Found 5 warnings, 1 note; 13 objects under Calico "),
        "{heading}"
    );
    let marked = browser.ask("return [...document.querySelectorAll('.finding mark')].map(m => m.innerText)");
    assert!(marked.as_array().unwrap().iter().any(|text| text == "action"), "{marked}");
    assert_eq!(browser.ask("return document.querySelectorAll('.finding').length"), 6);

    // folding, with a mouse and with a keyboard
    let is_open = || browser.ask("return document.querySelector('.finding').open");
    let before = is_open();
    browser.click(".finding > summary");
    assert_ne!(is_open(), before);
    browser.ask("document.querySelector('.finding > summary').focus()");
    browser.key('\u{e007}'); // Enter
    assert_eq!(is_open(), before);
    let outline = browser.ask("return getComputedStyle(document.activeElement).outlineStyle");
    assert_eq!(outline, "solid");

    // links lead to what they name, also where it is folded
    browser.click("nav li:last-child a");
    let target = browser.ask("return document.querySelector(location.hash).innerText");
    let link = browser.ask("return document.querySelector('nav li:last-child a').innerText");
    assert!(target.as_str().unwrap().starts_with(link.as_str().unwrap()), "{target} {link}");
    assert_eq!(browser.ask("return document.querySelector('#suppressed details').open"), false);
    browser.click("#suppressed summary");
    let accepted = browser.ask("return document.querySelector('#suppressed tbody').innerText");
    assert!(accepted.as_str().unwrap().contains("the default deny of the cluster, which logs"), "{accepted}");
    // the first thing that a keyboard reaches skips to the findings
    browser.open(&check);
    browser.key('\u{e004}'); // Tab
    assert_eq!(browser.ask("return document.activeElement.className"), "skip");

    for page in [&check, &many, &hostile, &verify, &diff, &audit] {
        browser.open(page);
        // nothing is fetched, nothing of the input runs
        assert_eq!(browser.ask("return performance.getEntriesByType('resource').length"), 0);
        assert_eq!(browser.ask("return document.scripts.length + document.images.length"), 0);
        assert_eq!(browser.ask("return window.hacked === undefined"), true);
        browser.ask("document.querySelectorAll('details').forEach(d => d.open = true)");
        for width in [390, 1280] {
            browser.width(width);
            let wide = browser.ask("return document.documentElement.scrollWidth");
            assert!(wide.as_u64() <= Some(width.into()), "{}: {wide} at {width}", page.display());
        }
        for dark in [false, true] {
            browser.dark(dark);
            let worst = browser.ask(CONTRAST);
            assert!(worst[0].as_f64() >= Some(4.5), "{}, dark: {dark}: {worst}", page.display());
        }
    }
    browser.open(&hostile);
    let text = browser.ask("return document.body.innerText");
    assert!(text.as_str().unwrap().contains("<script>window.hacked=1</script>"), "{text}");

    // a change shows its packet on both sides, down to rule and line; then what else differs
    browser.open(&diff);
    let first = browser.ask("return document.querySelector('.finding').innerText");
    let first = first.as_str().unwrap();
    for part in [
        "packet",
        "before",
        "accepted: forwarded to",
        "now",
        "dropped in forward",
        "by rule",
        "cluster.yaml:45",
    ] {
        assert!(first.contains(part), "{part}: {first}");
    }
    let came = browser.ask("return [...document.querySelectorAll('.line.came')].map(line => line.innerText)");
    assert!(came.to_string().contains("10.244.0.12"), "{came}");

    // the picture leads from a box or a line to every way, down to the rule and its line, without a script
    browser.width(1280);
    browser.open(&audit);
    let boxes = browser.ask("return document.querySelectorAll('.picture .box').length");
    assert!(boxes.as_u64() > Some(15), "{boxes}");
    let is_shown = "return document.querySelector(location.hash).checkVisibility()";
    for part in [".picture a .box.open", ".picture a .way.internet.open"] {
        browser.open(&audit);
        // a line is as thin as it looks, so the pointer goes to the middle of it
        browser.ask(&format!(
            "const way = document.querySelector('{part}'); way.scrollIntoView({{block: 'center'}}); \
             const link = way.closest('a'); link.dispatchEvent(new MouseEvent('click', {{bubbles: true}}))"
        ));
        assert_eq!(browser.ask(is_shown), true, "{part}");
    }
    browser.ask("document.querySelectorAll(location.hash + ' details').forEach(d => d.open = true)");
    let told = browser.ask("return document.querySelector(location.hash).innerText");
    let told = told.as_str().unwrap();
    for part in ["internet on eth1", "because", "fixtures/audit/guard.yaml:17", "rule    mangle: -A cali-pi-"]
    {
        assert!(told.contains(part), "{part}: {told}");
    }
    // boxes are reached with a keyboard
    browser.ask("document.querySelector('.picture a:not([tabindex])').focus()");
    browser.key('\u{e007}');
    assert_eq!(browser.ask(is_shown), true);

    // many findings are folded, and each can be reached and opened
    browser.open(&many);
    let open = browser.ask("return document.querySelectorAll('.finding[open]').length");
    assert_eq!(open, 0);
    browser.click(".finding.is-error > summary");
    assert_eq!(browser.ask("return document.querySelectorAll('.finding[open] pre').length > 0"), true);
}
