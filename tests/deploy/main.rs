//! The files under deploy/ and the compose file, read by the tools that will read them in earnest.
//!
//! Deliberately absent: an engine. Images are not built here; `docker compose up` does that.

use std::path::{Path, PathBuf};
use std::process::Command;

/// What keeps a break-in from becoming the machine's problem; see systemd.exec(5).
const HARDENING: [&str; 12] = [
    "CapabilityBoundingSet=",
    "DynamicUser=yes",
    "LimitNOFILE=",
    "LockPersonality=yes",
    "MemoryDenyWriteExecute=yes",
    "NoNewPrivileges=yes",
    "PrivateTmp=yes",
    "ProtectHome=yes",
    "ProtectSystem=strict",
    "RestrictAddressFamilies=",
    "StateDirectory=",
    "SystemCallFilter=",
];

#[test]
fn the_compose_file_is_valid() {
    run("docker-compose", &["-f", "docker-compose.yml", "config", "--quiet"]);
}

#[test]
fn the_systemd_unit_is_hardened_and_systemd_understands_it() {
    let unit = read("deploy/hotline.service");
    for line in HARDENING {
        assert!(unit.lines().any(|have| have.starts_with(line)), "deploy/hotline.service has no {line}");
    }
    // The program is not installed where the unit will find it, so another stands in for it.
    let stand_in =
        unit.lines().map(|line| if line.starts_with("Exec") { stand_in(line) } else { line.to_owned() });
    let folder = tempfile::tempdir().expect("a temporary folder can be made");
    let path = folder.path().join("hotline.service");
    std::fs::write(&path, stand_in.collect::<Vec<_>>().join("\n")).expect("a temporary file can be written");
    run("systemd-analyze", &["verify", "--man=no", path.to_str().expect("temporary paths are UTF-8")]);
}

#[test]
fn the_image_runs_without_root_and_knows_whether_it_is_well() {
    let recipe = read("deploy/Dockerfile");
    let last = |word: &str| recipe.lines().rfind(|line| line.starts_with(word)).map(str::to_owned);
    assert!(last("USER").is_some_and(|line| !line.contains("root")), "the last USER is nobody or root");
    assert!(last("HEALTHCHECK").is_some(), "no HEALTHCHECK");
    assert!(recipe.contains("--locked"), "the build does not keep to Cargo.lock");
    for line in recipe.lines().filter(|line| line.starts_with("COPY ") && !line.contains("--from=")) {
        for source in line.split_whitespace().skip(1).filter(|word| !word.starts_with("--")) {
            let is_target = line.ends_with(source);
            assert!(is_target || root().join(source).exists(), "`{line}` copies what is not there");
        }
    }
}

/// `ExecStart=/usr/bin/hotline serve` → `ExecStart=/bin/true serve`.
fn stand_in(line: &str) -> String {
    let (key, command) = line.split_once('=').expect("a line of a unit is key=value");
    let rest = command.split_once(' ').map_or("", |(_, rest)| rest);
    format!("{key}=/bin/true {rest}")
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).current_dir(root()).output().unwrap_or_else(|error| {
        panic!("{program}: {error}; `cargo xtask test` installs what the tests need");
    });
    assert!(output.status.success(), "{program} says:\n{}", String::from_utf8_lossy(&output.stderr));
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
