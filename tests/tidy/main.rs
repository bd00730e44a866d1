//! The habits of this repository, one test a rule. Each test lists every place that breaks its rule.
//!
//! Deliberately absent: anything that rustfmt or clippy already says, and judgement. A rule that needs
//! an exception for a good reason is changed here, in the open.

mod code;
mod ratchet;
mod repo;

use code::{Language, tokens};
use repo::SourceFile;
use std::collections::BTreeSet;

/// Which crate may depend on which of ours.
const MAY_DEPEND_ON: [(&str, &[&str]); 13] = [
    ("domain", &[]),
    ("acd", &["domain"]),
    ("dialplan", &["domain"]),
    ("sip", &["domain"]),
    ("media", &["domain"]),
    ("switch", &["domain", "acd", "dialplan", "sip", "media"]),
    ("net", &["sip", "media"]),
    ("store", &["domain"]),
    ("cluster", &["domain", "acd"]),
    ("web", &["domain", "store"]),
    ("phones", &["sip", "media", "net"]),
    (
        "hotline",
        &["domain", "acd", "dialplan", "sip", "media", "switch", "net", "store", "cluster", "web", "phones"],
    ),
    ("xtask", &[]),
];

/// Crates that decide: no sockets, files, threads, clock, randomness or database.
const PURE: [&str; 6] = ["domain", "acd", "dialplan", "sip", "media", "switch"];

/// What a pure crate has no words for, as tokens.
const IMPURE: [&str; 24] = [
    "tokio",
    "sqlx",
    "redis",
    "mio",
    "socket2",
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "fs ::",
    "std :: fs",
    "File :: open",
    "File :: create",
    "thread ::",
    "std :: thread",
    "env :: var",
    "Instant :: now",
    "SystemTime :: now",
    "OffsetDateTime :: now_utc",
    "OffsetDateTime :: now_local",
    "rand ::",
    "use rand",
    "thread_rng",
    "getrandom",
    "RandomState",
];

const TOP_FOLDER: [&str; 12] = [
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE-APACHE",
    "LICENSE-MIT",
    "README.md",
    "crates/",
    "deny.toml",
    "deploy/",
    "dialplans/",
    "docker-compose.yml",
    "docs/",
    "tests/",
];

/// Ends of files that people write and that are read for words.
const WRITTEN: [&str; 13] =
    ["css", "html", "json", "md", "mjs", "rs", "service", "sh", "sql", "toml", "ts", "vue", "yml"];

#[test]
fn crates_depend_only_on_what_the_table_allows() {
    let ours: BTreeSet<&str> = MAY_DEPEND_ON.iter().map(|(name, _)| *name).collect();
    let mut problems = Vec::new();
    for (name, allowed) in MAY_DEPEND_ON {
        for used in dependencies(name, "dependencies") {
            if ours.contains(used.as_str()) && !allowed.contains(&used.as_str()) {
                problems.push(format!("crates/{name}/Cargo.toml: `{name}` may not depend on `{used}`"));
            }
        }
    }
    for folder in repo::names_in("crates/") {
        if !ours.contains(folder.trim_end_matches('/')) {
            problems.push(format!("crates/{folder}: a new crate; give it a line in MAY_DEPEND_ON"));
        }
    }
    report("a crate depends on what it should not know", &problems);
}

#[test]
fn pure_crates_have_no_runtime_among_their_dependencies() {
    let mut problems = Vec::new();
    for name in PURE {
        for section in ["dependencies", "dev-dependencies"] {
            for used in dependencies(name, section) {
                if ["tokio", "sqlx", "redis", "mio", "socket2", "rand", "getrandom"].contains(&used.as_str())
                {
                    problems.push(format!("crates/{name}/Cargo.toml: [{section}] has `{used}`"));
                }
            }
        }
    }
    report("a pure crate depends on a runtime", &problems);
}

#[test]
fn pure_crates_have_no_sockets_files_threads_clock_or_randomness() {
    let mut problems = Vec::new();
    for (file, tokens) in &pure_code() {
        for pattern in IMPURE {
            for line in code::lines_with(tokens, pattern) {
                problems.push(format!("{}:{line}: `{}`", file.path, pattern.replace(' ', "")));
            }
        }
    }
    report("a pure crate does something (time, randomness and IO enter as inputs)", &problems);
}

#[test]
fn pure_crates_never_walk_through_a_hash_map() {
    let mut problems = Vec::new();
    for (file, tokens) in &pure_code() {
        for (name, line) in code::hash_walks(tokens) {
            problems.push(format!("{}:{line}: `{name}`", file.path));
        }
    }
    report("the order of a hash map decides something (take a BTreeMap)", &problems);
}

#[test]
fn no_crate_or_module_is_called_utils() {
    let vague = ["utils", "util", "helpers", "misc"];
    let mut problems = Vec::new();
    for file in repo::files_ending(&["rs"]) {
        if file.path.split('/').any(|part| vague.contains(&part.trim_end_matches(".rs"))) {
            problems.push(file.path);
        }
    }
    report("a name that says nothing (name it after what it holds)", &problems);
}

#[test]
fn no_channel_is_unbounded() {
    let mut problems = Vec::new();
    for file in repo::files_ending(&["rs"]) {
        for line in code::unbounded_channels(&tokens(Language::Rust, &file.text)) {
            problems.push(format!("{}:{line}", file.path));
        }
    }
    report("a channel without a bound (give it one, with a name and a unit)", &problems);
}

#[test]
fn functions_and_files_are_short_and_the_exceptions_only_shrink() {
    let allowed = ratchet::parse(&repo::read("tests/tidy/ratchet.txt"));
    let found = ratchet::measure(&repo::files_ending(&["rs", "ts", "vue"]));
    report("too long", &ratchet::judge(&allowed, &found));
}

#[test]
fn the_top_folder_holds_only_what_it_should() {
    let allowed = |name: &str| TOP_FOLDER.contains(&name) || name.starts_with('.');
    let problems: Vec<_> = repo::names_in("").into_iter().filter(|name| !allowed(name)).collect();
    report("not in the top folder, please", &problems);
}

#[test]
fn nothing_is_left_for_later() {
    // In two parts, or this file would find itself.
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let mut problems = Vec::new();
    for file in repo::files_ending(&WRITTEN) {
        for (line, text) in numbered(&file) {
            if words(text).any(|word| marks.contains(&word)) {
                problems.push(format!("{}:{line}: {}", file.path, text.trim()));
            }
        }
    }
    for file in repo::files_ending(&["rs"]) {
        let tokens = tokens(Language::Rust, &file.text);
        for pattern in ["todo !", "unimplemented !"] {
            problems.extend(
                code::lines_with(&tokens, pattern).iter().map(|line| format!("{}:{line}", file.path)),
            );
        }
    }
    report("unfinished (finish it, or say in an issue what is missing)", &problems);
}

#[test]
fn no_test_is_ignored_skipped_or_run_alone() {
    let mut problems = Vec::new();
    for file in repo::files_ending(&["rs", "ts", "mjs"]) {
        let (language, patterns): (_, &[&str]) = if file.path.ends_with(".rs") {
            (Language::Rust, &["# [ ignore"])
        } else {
            (
                Language::Script,
                &["it . skip", "test . skip", "describe . skip", "it . only", "test . only", "it . todo"],
            )
        };
        let tokens = tokens(language, &file.text);
        for pattern in patterns {
            problems.extend(
                code::lines_with(&tokens, pattern).iter().map(|line| format!("{}:{line}", file.path)),
            );
        }
    }
    report("a test that does not run", &problems);
}

#[test]
fn the_architecture_page_names_every_crate_and_no_place_that_is_not_there() {
    let page = repo::read("docs/ARCHITECTURE.md");
    let mut problems = Vec::new();
    for folder in repo::names_in("crates/") {
        if !page.contains(&format!("crates/{}", folder.trim_end_matches('/'))) {
            problems.push(format!("crates/{folder} is not on the page"));
        }
    }
    for place in page.split('`').skip(1).step_by(2) {
        let ours =
            ["crates/", "tests/", "docs/", "deploy/", "dialplans/"].iter().any(|top| place.starts_with(top));
        if ours && !place.contains(['*', '<', ' ']) && !repo::root().join(place).exists() {
            problems.push(format!("`{place}` is on the page but not in the repository"));
        }
    }
    report("docs/ARCHITECTURE.md is not true", &problems);
}

#[test]
fn links_between_pages_lead_somewhere() {
    let mut problems = Vec::new();
    for file in repo::files_ending(&["md"]) {
        let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (line, text) in numbered(&file) {
            for target in links(text) {
                let place = target.split('#').next().unwrap_or("");
                let outside = place.is_empty() || place.contains("://") || place.starts_with("mailto:");
                if !outside && !repo::root().join(folder).join(place).exists() {
                    problems.push(format!("{}:{line}: {target}", file.path));
                }
            }
        }
    }
    report("a link to nowhere", &problems);
}

#[test]
fn no_file_knows_the_machine_it_was_written_on() {
    let homes = [concat!("/ro", "ot/"), concat!("/wo", "rk/"), concat!("/ho", "me/")];
    let mut problems = Vec::new();
    for file in repo::files() {
        for (line, text) in numbered(&file) {
            if homes.iter().any(|home| begins_a_path(text, home)) {
                problems.push(format!("{}:{line}: {}", file.path, text.trim()));
            }
        }
    }
    report("a path of one machine", &problems);
}

#[test]
fn lock_files_and_settings_name_only_the_public_registries() {
    const CRATES: &str = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    const NPM: &str = "\"resolved\": \"https://registry.npmjs.org/";
    let mut problems = Vec::new();
    for file in repo::files() {
        let name = file.path.rsplit('/').next().unwrap_or("");
        let foreign = |text: &str| match name {
            "Cargo.lock" => text.starts_with("source = ") && text != CRATES,
            "package-lock.json" => text.contains("\"resolved\": \"http") && !text.contains(NPM),
            ".npmrc" => text.starts_with("registry") || text.contains(":registry"),
            "config.toml" => {
                ["[source", "[registries", "replace-with"].iter().any(|word| text.starts_with(word))
            }
            _ => false,
        };
        for (line, text) in numbered(&file).filter(|(_, text)| foreign(text.trim())) {
            problems.push(format!("{}:{line}: {}", file.path, text.trim()));
        }
    }
    report("a registry that a stranger cannot reach", &problems);
}

#[test]
fn the_rules_for_dependencies_can_be_read() {
    let rules: toml::Table = repo::read("deny.toml").parse().expect("deny.toml is TOML");
    for section in ["advisories", "bans", "licenses", "sources"] {
        assert!(rules.get(section).is_some_and(toml::Value::is_table), "deny.toml has no [{section}]");
    }
    for name in ["unknown-registry", "unknown-git"] {
        assert_eq!(rules["sources"].get(name).and_then(toml::Value::as_str), Some("deny"), "sources.{name}");
    }
}

#[test]
fn every_dependency_is_used_and_has_its_reason() {
    let reasons = repo::read("docs/adr/0002-dependencies.md");
    let workspace: toml::Table =
        repo::read("Cargo.toml").parse().expect("cargo has read this manifest already");
    let manifests: Vec<SourceFile> =
        repo::files_ending(&["toml"]).into_iter().filter(|file| file.path.ends_with("/Cargo.toml")).collect();
    let mut problems = Vec::new();
    for (name, value) in workspace["workspace"]["dependencies"].as_table().into_iter().flatten() {
        if !manifests.iter().any(|file| file.text.contains(&format!("\n{name}.workspace = true"))) {
            problems.push(format!("Cargo.toml: no crate uses `{name}`"));
        }
        if value.get("path").is_none() && !reasons.contains(&format!("`{name}`")) {
            problems.push(format!("docs/adr/0002-dependencies.md: why `{name}`?"));
        }
    }
    report("a dependency without use or reason", &problems);
}

#[test]
fn the_first_commands_of_both_read_me_files_are_demo_and_test() {
    for path in ["README.md", "docs/README.zh-CN.md"] {
        let text = repo::read(path);
        let commands: Vec<_> = text.lines().filter(|line| line.starts_with("cargo xtask ")).take(2).collect();
        let names: Vec<_> = commands.iter().filter_map(|line| line.split_whitespace().nth(2)).collect();
        assert_eq!(names, ["demo", "test"], "{path}");
    }
}

/// Names under a section of a crate's manifest.
fn dependencies(name: &str, section: &str) -> Vec<String> {
    let manifest: toml::Table = repo::read(&format!("crates/{name}/Cargo.toml"))
        .parse()
        .expect("cargo has read this manifest already");
    manifest
        .get(section)
        .and_then(toml::Value::as_table)
        .map_or_else(Vec::new, |table| table.keys().cloned().collect())
}

/// The code of the pure crates without their tests.
fn pure_code() -> Vec<(&'static SourceFile, Vec<code::Token<'static>>)> {
    let mut code = Vec::new();
    for name in PURE {
        let folder = format!("crates/{name}/src/");
        // Read once per test and kept to its end: the tokens point into the text.
        let files: &'static [SourceFile] = repo::files_ending(&["rs"])
            .into_iter()
            .filter(|file| file.path.starts_with(&folder))
            .collect::<Vec<_>>()
            .leak();
        let lexed: Vec<_> = files.iter().map(|file| (file, tokens(Language::Rust, &file.text))).collect();
        let tests: BTreeSet<&str> = lexed.iter().flat_map(|(_, tokens)| code::test_modules(tokens)).collect();
        for (file, tokens) in lexed {
            let only_tests = file.path.split('/').any(|part| tests.contains(part.trim_end_matches(".rs")));
            if !only_tests {
                code.push((file, code::without_tests(&tokens)));
            }
        }
    }
    assert!(code.len() >= PURE.len(), "the pure crates were not found");
    code
}

fn numbered(file: &SourceFile) -> impl Iterator<Item = (usize, &str)> {
    file.text.lines().enumerate().map(|(at, text)| (at + 1, text))
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|c: char| !c.is_alphanumeric() && c != '_')
}

/// Whether an absolute path under `home` stands in the text; `tests/work/` is none.
fn begins_a_path(text: &str, home: &str) -> bool {
    text.match_indices(home).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        before.is_none_or(|c| !(c.is_alphanumeric() || "._-}*~".contains(c)))
    })
}

/// The targets of `[text](target)` in a line.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.match_indices("](")
        .filter_map(|(at, _)| text[at + 2..].split(')').next())
        .filter(|to| !to.contains(' '))
}

#[track_caller]
fn report(what: &str, problems: &[String]) {
    assert!(problems.is_empty(), "{what}:\n  {}", problems.join("\n  "));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_is_found_in_a_line() {
        let found: Vec<_> = links("see [a](b.md#c), `x[1](2 3)` and [d](https://e)").collect();
        assert_eq!(found, ["b.md#c", "https://e"]);
    }

    #[test]
    fn a_path_of_this_machine_is_told_from_a_folder_of_that_name() {
        let home = concat!("/wo", "rk/");
        assert!(begins_a_path(&format!("cd {home}main"), home));
        assert!(!begins_a_path(&format!("tests{home}main"), home));
    }
}
