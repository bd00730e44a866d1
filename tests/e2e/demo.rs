//! `hotline demo`, as a newcomer starts it: the board lives, and Ctrl-C leaves nothing behind.

use crate::support::block::{Block, free_port};
use crate::support::process::Program;
use crate::support::server::{binary, rows};
use crate::support::{eventually, web};
use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;
use tempfile::TempDir;

const LIVES_WITHIN: Duration = Duration::from_secs(60);
const STOPS_WITHIN: Duration = Duration::from_secs(60);

#[test]
fn the_demo_lives_and_stops() {
    let (block, dir) = (Block::claim(), TempDir::new().expect("a temporary folder"));
    let sip = free_port(block.hotline());
    let web = SocketAddr::new(block.hotline(), sip.port() + 2);
    let mut command = Command::new(binary());
    command.args(["demo", "--sip", &sip.to_string(), "--web", &web.to_string(), "--gap-ms", "500"]);
    command.arg("--data").arg(dir.path().join("data"));
    let mut demo = Program::start("demo", dir.path(), &mut command);

    let health = || web::get(web, "/healthz").map(|(status, _)| status);
    assert_eq!(eventually("the demo is open", LIVES_WITHIN, health), 200);
    let (_, page) = web::get(web, "/").expect("a page");
    assert!(page.contains("<html"), "{page}");
    let talking = || {
        let calls = rows(&web::json(web, "/api/board"), "calls");
        (calls.iter().filter(|call| call["phase"] == "talking").count() >= 5).then_some(())
    };
    eventually("five calls are with lawyers", LIVES_WITHIN, talking);
    assert!(demo.is_running());
    assert!(demo.log().contains(&format!("http://{web}/")), "{}", demo.log());

    demo.terminate();
    let status = demo.wait(STOPS_WITHIN);
    assert!(status.success(), "{status}: {}", demo.log());
    assert!(!demo.log().contains("panicked"), "{}", demo.log());
}
