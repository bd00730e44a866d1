//! What the tests stand on: a server, phones, a trunk, ears.

pub mod block;
pub mod phone;
pub mod process;
pub mod server;
pub mod sound;
pub mod trunk;
pub mod web;
pub mod wire;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Most things happen at once; on a machine with much else to do, within this.
pub const SOON: Duration = Duration::from_secs(20);
/// How often something that does not report by itself is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// What `look` finds, looked for until it is there.
#[track_caller]
pub fn eventually<T>(what: &str, within: Duration, mut look: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < deadline, "not within {within:?}: {what}");
        std::thread::sleep(LOOK_EVERY);
    }
}

pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().expect("the repository is there")
}

/// Milliseconds of UTC.
pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("it is after 1970").as_millis() as i64
}

/// The text of a template with `{{name}}` replaced by its value.
pub fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let mut text = template.to_owned();
    for (name, value) in values {
        text = text.replace(&format!("{{{{{name}}}}}"), value);
    }
    assert!(!text.contains("{{"), "a value is missing: {}", &text[text.find("{{").unwrap_or(0)..]);
    text
}
