//! What no phone should send and no bureau should configure: refused in the right words, and the house stays
//! open.

use crate::support::block::Block;
use crate::support::process::Program;
use crate::support::server::{City, DIALPLAN, FROM_NOWHERE, Setup, run, serve, write_prompts};
use crate::support::wire::{Wire, sdp};
use crate::support::{SOON, eventually, sound};
use std::net::SocketAddr;
use std::path::Path;
use tempfile::TempDir;

const LAWYER: u32 = 1001;
/// An empty datagram is no mistake (RFC 5626 section 3.5.1).
const KEEP_ALIVES: usize = 1;

fn uri(city: &City, number: &str) -> String {
    format!("sip:{number}@{}", city.sip)
}

/// An INVITE from wherever `wire` is.
fn invite(city: &City, wire: &Wire, number: &str, formats: &str) -> String {
    let body = sdp(wire.address(), formats);
    wire.request("INVITE", &uri(city, number), "Content-Type: application/sdp\r\n", &body)
}

#[track_caller]
fn assert_status(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("SIP/2.0 {status} ")), "expected {status}: {answer}");
}

#[test]
fn malformed_messages_are_refused_with_a_reason_or_dropped_and_counted() {
    let city = City::open(&Setup::lawyers(&[LAWYER]));
    let wire = Wire::from(city.block.trunk(), city.sip);
    let options = wire.request("OPTIONS", &uri(&city, "12348"), "", "");
    let answerable = [
        options.replace("CSeq: 1 OPTIONS", "CSeq: many OPTIONS"),
        options.replace("Max-Forwards: 70\r\n", "Max-Forwards: 300\r\n"),
        options.replace("Content-Length: 0", "Content-Length: 99"),
        options.replace("To: <sip:12348", "To: \"unfinished <sip:12348"),
    ];
    for bad in &answerable {
        let answer = wire.ask(bad);
        assert!(answer.starts_with("SIP/2.0 400 "), "{bad}\nis answered with\n{answer}");
        let reason = answer.lines().next().unwrap_or("").trim_start_matches("SIP/2.0 400").trim();
        assert!(!reason.is_empty(), "{answer}");
    }
    let hopeless: [&[u8]; 6] = [
        b"\r\n\r\n",
        b"\0\x01\x02\xff\xfe",
        b"GET / HTTP/1.1\r\nHost: hotline\r\n\r\n",
        b"INVITE",
        b"SIP/2.0 200 OK\r\n\r\n",
        &[b'A'; 60_000],
    ];
    city.wait_for_metric("hotline_sip_malformed_total", answerable.len() as f64);
    hopeless.iter().for_each(|bytes| wire.send(bytes));
    // They are handled in order: the answer to this shows that nothing was said to those.
    assert_status(&wire.ask(&options.replace("hand-OPTIONS", "after")), 200);
    let dropped = hopeless.len() - KEEP_ALIVES;
    city.wait_for_metric("hotline_sip_malformed_total", (answerable.len() + dropped) as f64);
    assert_eq!(city.board()["calls"], serde_json::json!([]));
    city.close();
}

#[test]
fn unknown_methods_are_refused() {
    let city = City::open(&Setup::lawyers(&[LAWYER]));
    let wire = Wire::from(city.block.trunk(), city.sip);
    for (method, allowed) in [("BREW", [501, 405]), ("PUBLISH", [405, 501])] {
        let answer = wire.ask(&wire.request(method, &uri(&city, "12348"), "", ""));
        assert!(
            allowed.iter().any(|status| answer.starts_with(&format!("SIP/2.0 {status} "))),
            "{method}: {answer}"
        );
    }
    // Without an event that we know (RFC 6665 section 4.2.1.1).
    assert_status(&wire.ask(&wire.request("SUBSCRIBE", &uri(&city, "12348"), "", "")), 489);
    city.close();
}

#[test]
fn wrong_credentials_are_challenged_then_refused_and_logged_masked() {
    let city = City::open(&Setup::lawyers(&[LAWYER]));
    let contact = format!("<sip:{LAWYER}@{}:5060>", city.block.stranger());
    city.register(LAWYER, "guess", &contact, "60", "403");
    let warned =
        || city.program.log().lines().find(|line| line.contains("wrong credentials")).map(str::to_owned);
    let line = eventually("the refusal is logged", SOON, warned);
    assert!(line.contains("WARN") && line.contains("***"), "{line}");
    assert!(line.contains(&city.block.stranger().to_string()), "{line}");
    assert!(!line.contains(&LAWYER.to_string()), "the number is in the clear: {line}");
    city.wait_for_agent(LAWYER, "offline");
    city.close();
}

#[test]
fn what_we_cannot_talk_is_not_acceptable_here() {
    let city = City::open(&Setup::lawyers(&[LAWYER]));
    // GSM and G.729.
    let wire = Wire::from(city.block.trunk(), city.sip);
    assert_status(&wire.ask(&invite(&city, &wire, "12348", "3 18")), 488);
    let wire = Wire::from(city.block.trunk(), city.sip);
    assert_status(&wire.ask(&invite(&city, &wire, "12345", "8")), 404);
    city.wait_for_metric("hotline_refused_total", 2.0);
    city.close();
}

#[test]
fn a_trunk_that_is_not_on_the_list_is_forbidden() {
    let city = City::open(&Setup::lawyers(&[LAWYER]));
    let wire = Wire::from(city.block.stranger(), city.sip);
    assert_status(&wire.ask(&invite(&city, &wire, "12348", "8")), 403);
    // Nor may it pretend to be a lawyer's phone.
    let wire = Wire::from(city.block.stranger(), city.sip);
    let pretended = invite(&city, &wire, "12348", "8").replace("sip:13812345678@", &format!("sip:{LAWYER}@"));
    assert_status(&wire.ask(&pretended), 401);
    assert_eq!(city.board()["calls"], serde_json::json!([]));
    city.close();
}

#[test]
fn a_full_house_says_when_to_try_again() {
    let city = City::open(&Setup { calls_max: 1, ..Setup::lawyers(&[LAWYER]) });
    let caller = city.callers(FROM_NOWHERE, &sound::prompt("demo_caller_1", 2.0), 1);
    city.wait_for_phase("menu");
    let wire = Wire::from(city.block.trunk(), city.sip);
    let answer = wire.ask(&invite(&city, &wire, "12348", "8"));
    assert_status(&answer, 503);
    assert!(answer.contains("\r\nRetry-After: 5\r\n"), "{answer}");
    caller.cue(1);
    caller.finish();
    assert_eq!(city.detail()["call"]["departure"], "abandoned_menu", "the call under way is not harmed");
    city.close();
}

#[test]
fn a_broken_configuration_does_not_start_the_server_and_all_errors_come_at_once() {
    let (dir, block) = (TempDir::new().expect("a temporary folder"), Block::claim());
    write_prompts(&dir.path().join("prompts"));
    let plan = DIALPLAN
        .replace("prompts = [\"queue_wait\"]", "prompts = [\"queue_weight\"]")
        .replace("city_pool = \"city\"", "city_pool = \"town\"");
    std::fs::write(dir.path().join("dialplan.toml"), plan).expect("a dialplan");
    let sip = SocketAddr::new(block.hotline(), 5_060);
    let config = format!(
        "data_dir = \"data\"\ndialplans = [\"dialplan.toml\"]\nprompts = [\"prompts\"]\nspeling = 1\n\
         [sip]\nudp = [\"{sip}\", \"somewhere\"]\n[web]\nlisten = \"0.0.0.0:8080\"\n\
         [[agent]]\nid = 1001\nname = \"王律师\"\nregion = \"wenzhou\"\npools = [\"lucheng\"]\n\
         ha1_md5 = \"secret\"\n"
    );
    std::fs::write(dir.path().join("config.toml"), config).expect("a config");
    let said = fails_to_serve(dir.path());
    for word in [
        "queue_weight",
        "town",
        "speling",
        "somewhere",
        "0.0.0.0:8080",
        "ha1_md5",
        "dialplan.toml:",
        "config.toml:",
    ] {
        assert!(said.contains(word), "no word of {word}:\n{said}");
    }
    assert!(said.contains("queue_wait") && said.contains("city"), "no remedy:\n{said}");
    assert!(!dir.path().join("data").exists(), "nothing is made before everything is right");
}

#[test]
fn the_dialplan_is_checked_without_a_server() {
    let dir = TempDir::new().expect("a temporary folder");
    write_prompts(&dir.path().join("prompts/zh-CN"));
    let check = |text: &str| {
        std::fs::write(dir.path().join("plan.toml"), text).expect("a dialplan");
        run(dir.path(), &["dialplan", "check", "plan.toml"], "")
    };
    let (ok, said) = check(DIALPLAN);
    assert!(ok && said.contains("no errors"), "{said}");
    let (ok, said) =
        check(&DIALPLAN.replace("then = \"wait\"", "then = \"weight\"").replace("\"60s\"", "\"60\""));
    assert!(!ok, "{said}");
    let line = 1 + DIALPLAN.lines().position(|line| line == "then = \"wait\"").expect("it is there");
    assert!(said.contains(&format!("plan.toml:{line}")) && said.contains("weight"), "{said}");
    assert!(said.contains("patience"), "both errors at once: {said}");
    let (ok, said) = run(dir.path(), &["dialplan", "check", "nowhere.toml"], "");
    assert!(!ok && said.contains("nowhere.toml"), "{said}");
}

#[test]
fn a_listening_server_is_healthy_and_a_silent_port_is_not() {
    let city = City::open(&Setup::lawyers(&[LAWYER]));
    let web = city.web.to_string();
    let (ok, said) = run(city.dir(), &["healthcheck", "--web", &web], "");
    assert!(ok, "{said}");
    let nobody = SocketAddr::new(city.block.stranger(), city.web.port()).to_string();
    let (ok, _) = run(city.dir(), &["healthcheck", "--web", &nobody], "");
    assert!(!ok);
    city.close();
}

#[track_caller]
fn fails_to_serve(dir: &Path) -> String {
    let mut program: Program = serve(dir);
    let status = program.wait(SOON);
    let said = program.log();
    assert!(!status.success(), "it started all the same:\n{said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}
