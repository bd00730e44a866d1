//! The files of the repository as the rules see them: text files a person wrote, read once per rule.
//!
//! Deliberately absent: git. The rules hold in an unpacked archive as well as in a clone, so what is
//! generated is named here instead.

use std::fs;
use std::path::{Path, PathBuf};

/// Folders that tools write, wherever they stand.
const GENERATED: [&str; 4] = [".git", "dist", "node_modules", "target"];
/// What a server started in the top folder leaves behind.
const GENERATED_ON_TOP: [&str; 2] = ["data", "target"];

pub struct SourceFile {
    /// From the top folder, with `/`.
    pub path: String,
    pub text: String,
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

pub fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All text files, in the order of their paths. Audio, pictures and other bytes are left out.
pub fn files() -> Vec<SourceFile> {
    let mut found = Vec::new();
    collect(&root(), "", &mut found);
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

/// The files whose name ends in one of `extensions` (without the dot).
pub fn files_ending(extensions: &[&str]) -> Vec<SourceFile> {
    let wanted = |path: &str| path.rsplit_once('.').is_some_and(|(_, end)| extensions.contains(&end));
    files().into_iter().filter(|file| wanted(&file.path)).collect()
}

/// Names in one folder that are not generated; folders end in `/`.
pub fn names_in(folder: &str) -> Vec<String> {
    let mut names = Vec::new();
    let on_top = folder.is_empty();
    for entry in fs::read_dir(root().join(folder)).unwrap_or_else(|error| panic!("{folder}: {error}")) {
        let entry = entry.expect("a folder of the repository can be listed");
        let name = entry.file_name().to_string_lossy().into_owned();
        let generated =
            GENERATED.contains(&name.as_str()) || on_top && GENERATED_ON_TOP.contains(&name.as_str());
        if !generated && !name.ends_with(".log") {
            let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
            names.push(if is_folder { format!("{name}/") } else { name });
        }
    }
    names.sort();
    names
}

fn collect(root: &Path, folder: &str, found: &mut Vec<SourceFile>) {
    for name in names_in(folder) {
        let path = format!("{folder}{name}");
        if name.ends_with('/') {
            collect(root, &path, found);
        } else if let Ok(text) = fs::read_to_string(root.join(&path)) {
            found.push(SourceFile { path, text });
        }
    }
}
