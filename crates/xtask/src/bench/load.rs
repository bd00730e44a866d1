//! The load generator as this process sees it: lines in, one word out.

use super::Programs;
use super::server::{AGENTS, FIRST_AGENT, PHONES, PHONES_MEDIA_PORT, SIP, prefixes};
use anyhow::{Context, Result, bail};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub struct Load {
    child: Child,
    go: ChildStdin,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Load {
    /// Its phones are there when this returns; nobody dials yet.
    pub fn start(programs: &Programs, load: &[&str]) -> Result<Self> {
        let (media_port, first, agents) =
            (PHONES_MEDIA_PORT.to_string(), FIRST_AGENT.to_string(), AGENTS.to_string());
        let mut command = Command::new(programs.load());
        command.args(["--hotline", SIP, "--phones", PHONES, "--media-port", &media_port]);
        command.args(["--first-agent", &first, "--agents", &agents, "--prefixes", &prefixes()]);
        command.args(load).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().with_context(|| programs.load().display().to_string())?;
        let go = child.stdin.take().context("its input was asked for as a pipe")?;
        let output = child.stdout.take().context("its output was asked for as a pipe")?;
        let mut load = Self { child, go, lines: BufReader::new(output).lines() };
        load.hear("ready")?;
        Ok(load)
    }

    pub fn go(&mut self) -> Result<()> {
        Ok(writeln!(self.go)?)
    }

    /// Waits for this word.
    pub fn hear(&mut self, word: &str) -> Result<()> {
        match self.line()? {
            line if line == word => Ok(()),
            line => bail!("the load generator says \"{line}\" instead of \"{word}\""),
        }
    }

    /// Waits for the figures.
    pub fn result(&mut self) -> Result<BTreeMap<String, f64>> {
        let line = self.line()?;
        eprintln!("  {line}");
        let words = line.strip_prefix("result ").with_context(|| format!("no result: \"{line}\""))?;
        let figure =
            |word: &str| word.split_once('=').map(|(key, value)| (key.to_owned(), value.parse::<f64>()));
        let figures = words.split(' ').filter_map(figure);
        figures.map(|(key, value)| value.map(|value| (key, value)).context("a figure is no number")).collect()
    }

    fn line(&mut self) -> Result<String> {
        Ok(self.lines.next().context("the load generator ended")??)
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        // Calls that stand are cut off with it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
