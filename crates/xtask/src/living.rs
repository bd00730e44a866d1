//! A hotline with life on it, for tests that need something to look at: the demo, on free ports.

use crate::command::root;
use anyhow::{Context, Result};
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::{fs, thread};

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
        let mut words = BufReader::new(process.stdout.take().context("the demo's words")?);
        let mut hotline = Self { process, url: String::new() };
        hotline.url = board_url(&mut words).context("the demo did not say where its board is")?;
        // Heard to the end, so that the demo never speaks into a closed pipe.
        thread::spawn(move || io::copy(&mut words, &mut io::sink()));
        Ok(hotline)
    }
}

fn board_url(words: &mut impl BufRead) -> Option<String> {
    words.lines().take(GREETING_LINES).find_map(|line| {
        let line = line.ok()?;
        line.find("http://").map(|start| line[start..].trim().trim_end_matches('/').to_owned())
    })
}

impl Drop for LivingHotline {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
