//! Points the binary at the built console (`ui/dist`), or at a page that says how to build it.
//!
//! Deliberately absent: npm. Whoever wants the console runs `cargo xtask`, or `npm ci && npm run build`.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

const PLACEHOLDER: &str = include_str!("placeholder.html");

fn main() -> io::Result<()> {
    let dist = PathBuf::from(env::var("CARGO_MANIFEST_DIR").unwrap_or_default()).join("ui/dist");
    // An empty folder gives cargo something to watch: a missing one would rebuild us every time. A
    // read-only source tree merely loses that.
    let _ = fs::create_dir_all(&dist);
    let site = if dist.join("index.html").is_file() { dist.clone() } else { placeholder()? };
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=placeholder.html");
    println!("cargo:rerun-if-changed={}", dist.display());
    println!("cargo:rustc-env=WEB_SITE={}", site.display());
    Ok(())
}

fn placeholder() -> io::Result<PathBuf> {
    let folder = Path::new(&env::var("OUT_DIR").unwrap_or_default()).join("site");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("index.html"), PLACEHOLDER)?;
    Ok(folder)
}
