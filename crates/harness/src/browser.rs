//! A real browser that looks at keyfold's page: Debian's Chromium without a window, driven by puppeteer-core, with
//! axe-core for what assistive technology needs.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::{Deserialize, Serialize};

use crate::program::finish;
use crate::{debian, downloads};

const PACKAGES: [&str; 2] = ["puppeteer-core@24.15.0", "axe-core@4.10.3"];
const SCRIPT: &str = include_str!("browser.mjs");

/// How to look at the page.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Look {
    /// The width of the window in pixels.
    pub width: u32,
    pub dark: bool,
    /// Waits until the page shows this text.
    pub wait_for: String,
    /// A customer to look up.
    pub customer: Option<String>,
    /// Where a picture of the page is kept.
    pub screenshot: Option<PathBuf>,
}

impl Look {
    /// A window on a desk, in light colours.
    pub fn until(text: &str) -> Look {
        Look {
            width: 1280,
            dark: false,
            wait_for: text.to_owned(),
            customer: None,
            screenshot: None,
        }
    }

    /// Keeps a picture of the page as `target/test-kafka/screenshots/NAME.png`.
    pub fn pictured(mut self, name: &str) -> Look {
        let folder = downloads::dir().join("screenshots");
        fs::create_dir_all(&folder).expect("a folder for pictures");
        self.screenshot = Some(folder.join(format!("{name}.png")));
        self
    }
}

/// What was on the page.
#[derive(Debug, Deserialize)]
pub struct Seen {
    pub title: String,
    /// All text that is visible.
    pub text: String,
    pub status: String,
    pub problems: Vec<String>,
    /// The cells of each table by its id, with the heading.
    pub tables: BTreeMap<String, Vec<Vec<String>>>,
    /// Where the instances are linked to.
    pub links: Vec<String>,
    /// Whether the page must be scrolled sideways.
    pub overflows: bool,
    /// Errors of scripts, and what the browser refused.
    pub errors: Vec<String>,
    /// What axe-core finds.
    pub violations: Vec<String>,
}

/// Opens the page, and says what was on it.
#[track_caller]
pub fn look(url: &str, look: &Look) -> Seen {
    let ready = debian::program("chromium", "chromium").and_then(|browser| {
        debian::program("npm", "npm")?;
        Ok((browser, modules()?))
    });
    let (browser, modules) = ready.unwrap_or_else(|reason| panic!("no browser: {reason}"));
    let script = modules.join("browser.mjs");
    fs::write(&script, SCRIPT).expect("the script");
    let mut node = Command::new("node");
    node.arg(script).arg(&modules).arg(browser).arg(url);
    node.arg(serde_json::to_string(look).expect("JSON"));
    let output = finish(node, b"");
    assert!(
        output.status.success(),
        "the browser failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("what was on the page")
}

/// The folder with the packages.
fn modules() -> Result<PathBuf, String> {
    downloads::filled("browser", &PACKAGES.join("\n"), |folder: &Path| {
        let mut npm = Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "--prefix"]);
        let done = npm.arg(folder).args(PACKAGES).output();
        let done = done.map_err(|error| format!("npm: {error}"))?;
        match done.status.success() {
            true => Ok(()),
            false => Err(String::from_utf8_lossy(&done.stderr).into_owned()),
        }
    })
}
