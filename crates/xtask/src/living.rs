//! A hotline with life on it, for tests that need something to look at: the demo, on free ports.

use crate::command::root;
use anyhow::{Context, Result, bail};
use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// The greeting is this many lines at the most.
const GREETING_LINES: usize = 20;

/// Ends with its value.
pub struct LivingHotline {
    process: Child,
    pub url: String,
}

impl LivingHotline {
    /// The server must have been built.
    pub fn start() -> Result<Self> {
        let data = root().join("target/living-hotline");
        if data.exists() {
            fs::remove_dir_all(&data)?;
        }
        let mut process = Command::new(root().join("target/debug/hotline"))
            .args(["demo", "--sip", "127.0.0.1:0", "--web", "127.0.0.1:0", "--gap-ms", "700", "--data"])
            .arg(&data)
            .env("RUST_LOG", "warn")
            .stdout(Stdio::piped())
            .spawn()
            .context("the demo does not start")?;
        let greeting = process.stdout.take().context("the demo's words")?;
        let url = BufReader::new(greeting).lines().take(GREETING_LINES).find_map(|line| {
            let line = line.ok()?;
            line.find("http://").map(|start| line[start..].trim().trim_end_matches('/').to_owned())
        });
        let mut hotline = Self { process, url: String::new() };
        match url {
            Some(url) => hotline.url = url,
            None => bail!("the demo did not say where its board is"),
        }
        Ok(hotline)
    }
}

impl Drop for LivingHotline {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
