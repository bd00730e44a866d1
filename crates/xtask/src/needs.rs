//! What a task needs of the machine: finds what is missing, says so, installs it.
//!
//! Deliberately absent: other package managers. Where there is no apt-get, the list is printed and the
//! person at the machine installs it.

use crate::command::{TOOLS, announce, answer, run};
use anyhow::{Result, ensure};
use std::path::Path;
use std::time::Duration;

/// One thing that must be there.
#[derive(Clone, Copy)]
pub enum Need {
    /// A program on the PATH, wherever it came from.
    Program { name: &'static str, package: &'static str },
    /// Files without a program of their own: only the package manager knows of them.
    Package(&'static str),
}

use Need::{Package, Program};

/// To build the server and its pages.
pub const BUILD: &[Need] = &[
    Program { name: "cc", package: "build-essential" },
    Program { name: "node", package: "nodejs" },
    Program { name: "npm", package: "npm" },
];

/// What the tests dial, browse and check with.
pub const TEST: &[Need] = &[
    Program { name: "sipp", package: "sip-tester" },
    Program { name: "baresip", package: "baresip-core" },
    Program { name: "sox", package: "sox" },
    Program { name: "redis-server", package: "redis-server" },
    Package("postgresql"),
    Program { name: "chromium", package: "chromium" },
    Package("fonts-noto-cjk"),
    Program { name: "docker-compose", package: "docker-compose" },
    Program { name: "systemd-analyze", package: "systemd" },
];

/// To speak the prompts.
pub const PROMPTS: &[Need] =
    &[Program { name: "espeak-ng", package: "espeak-ng" }, Program { name: "sox", package: "sox" }];

/// Older than this, and the package lists are fetched anew.
const LISTS_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
/// Vite asks for it.
const NODE_MIN: (u32, u32) = (20, 19);
/// What is taken where the system has an older one. npm comes along, for Debian's runs on Debian's Node only.
const NODE_PACKAGE: &str = "node@22";
const NPM_PACKAGE: &str = "npm@10";

/// Installs what is missing of `needs`.
pub fn install(needs: &[Need]) -> Result<()> {
    let mut missing: Vec<&str> =
        needs.iter().filter(|need| !is_there(**need)).map(|need| package(*need)).collect();
    missing.dedup();
    if missing.is_empty() {
        return Ok(());
    }
    eprintln!("missing: {}", missing.join(" "));
    ensure!(
        on_path("apt-get"),
        "this system has no apt-get. Please install these (Debian's names), then try again: {}",
        missing.join(" ")
    );
    if lists_are_old() {
        apt_get(&["update"])?;
    }
    let install: Vec<&str> =
        ["install", "-y", "--no-install-recommends"].into_iter().chain(missing).collect();
    if apt_get(&install).is_err() {
        apt_get(&["update"])?;
        apt_get(&install)?;
    }
    Ok(())
}

/// Makes sure of a Node.js that is young enough for the consoles' build. Some systems' own is not; npm has
/// the younger ones as a package, which serves this repository and leaves the system as it is.
pub fn node() -> Result<()> {
    let have = node_version();
    if have >= NODE_MIN {
        return Ok(());
    }
    let (major, minor) = NODE_MIN;
    eprintln!("missing: Node.js {major}.{minor} or later (here is {}.{})", have.0, have.1);
    let packages = ["install", "--no-audit", "--no-fund", "--prefix", TOOLS, NODE_PACKAGE, NPM_PACKAGE];
    run(&mut announce("npm", &packages, ""))?;
    ensure!(
        node_version() >= NODE_MIN,
        "please install Node.js {major}.{minor} or later from https://nodejs.org"
    );
    Ok(())
}

fn node_version() -> (u32, u32) {
    let said = answer("node", &["--version"]).unwrap_or_default();
    let mut parts = said.trim_start_matches('v').split('.').map(|part| part.parse().unwrap_or(0));
    (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
}

/// Adds rustfmt and clippy to a minimal toolchain.
pub fn rust_components() -> Result<()> {
    for (component, subcommand) in [("rustfmt", "fmt"), ("clippy", "clippy")] {
        if answer("cargo", &[subcommand, "--version"]).is_none() {
            eprintln!("missing: {component}");
            run(&mut announce("rustup", &["component", "add", component], ""))?;
        }
    }
    Ok(())
}

fn is_there(need: Need) -> bool {
    match need {
        Program { name, package: _ } => on_path(name),
        Package(name) => answer("dpkg-query", &["--show", "--showformat=${db:Status-Status}", name])
            .is_some_and(|status| status == "installed"),
    }
}

fn package(need: Need) -> &'static str {
    match need {
        Program { name: _, package } | Package(package) => package,
    }
}

fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    // Administrators' programs are not on everybody's PATH.
    let more = ["/usr/sbin", "/sbin"].map(Into::into);
    std::env::split_paths(&path).chain(more).any(|folder| folder.join(program).is_file())
}

fn lists_are_old() -> bool {
    let Ok(lists) = Path::new("/var/lib/apt/lists").read_dir() else { return true };
    let ages = lists.flatten().filter(|entry| entry.file_name().to_string_lossy().contains("_Packages"));
    let newest = ages.filter_map(|entry| entry.metadata().ok()?.modified().ok()?.elapsed().ok()).min();
    newest.is_none_or(|age| age > LISTS_AGE_MAX)
}

fn apt_get(arguments: &[&str]) -> Result<()> {
    let is_root = answer("id", &["-u"]).is_some_and(|id| id == "0");
    let words: Vec<&str> =
        ["DEBIAN_FRONTEND=noninteractive", "apt-get"].iter().chain(arguments).copied().collect();
    let mut command = if is_root {
        announce("env", &words, "")
    } else {
        ensure!(
            on_path("sudo"),
            "neither root nor sudo; please run as root: apt-get {}",
            arguments.join(" ")
        );
        announce("sudo", &[&["env"], words.as_slice()].concat(), "")
    };
    run(&mut command)
}
