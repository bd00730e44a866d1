//! Keys in INFO.

use super::*;

const RELAY: (&str, &str) = ("Content-Type", "application/dtmf-relay");

/// The key that an INFO makes, and the status of its answer.
fn outcome(headers: &[(&str, &str)], body: &str) -> (Option<char>, u16) {
    let mut world = World::new();
    let (ours, leg) = world.call(TRUNK, SERVER);
    world.say(TRUNK, ours, Method::Info, headers, body);
    world.run_ms(20);
    let status = world.last_sent(SERVER).status().unwrap();
    match world.events.as_slice() {
        [] => (None, status),
        [(SERVER, Event::Key { leg: at, digit })] if *at == leg => (Some(*digit), status),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_key_is_read_in_every_way_that_phones_write_it() {
    let check = |media_type: &str, body: &str, digit: char| {
        assert_eq!(outcome(&[("Content-Type", media_type)], body), (Some(digit), 200), "{body:?}");
    };
    check("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n", '5');
    check("Application/DTMF-Relay; charset=utf-8", "Duration= 250\nsignal = # ", '#');
    check("application/dtmf-relay", "Signal=10\r\nDuration=x", '*');
    check("application/dtmf-relay", "Signal=11", '#');
    check("application/dtmf-relay", "Signal=15", 'D');
    check("application/dtmf-relay", "Signal=b", 'B');
    check("application/dtmf", "5", '5');
    check("application/dtmf", "*\r\n", '*');
}

#[test]
fn what_is_no_key_is_refused_and_an_empty_info_is_not() {
    let check = |headers: &[(&str, &str)], body: &str, status: u16| {
        assert_eq!(outcome(headers, body), (None, status), "{headers:?} {body:?}");
    };
    check(&[], "", 200);
    check(&[RELAY], "", 200);
    check(&[], "Signal=5", 415);
    check(&[("Content-Type", "text/plain")], "Signal=5", 415);
    check(&[("Content-Type", "application/media_control+xml")], "<media_control/>", 415);
    check(&[RELAY, ("Content-Encoding", "gzip")], "Signal=5", 415);
    for body in [" ", "Signal", "Signal=", "Signal=16", "Signal=E", "Signal=55", "Signal=5\nSignal=6", "5"] {
        check(&[RELAY], body, 400);
    }
    check(&[("Content-Type", "application/dtmf")], "Signal=5", 400);
    check(&[RELAY], &format!("Signal=5\r\nDuration={}", "1".repeat(300)), 413);
    check(&[RELAY, ("Info-Package", "infoDtmf")], "Signal=5", 469);
}

#[test]
fn refusals_of_info_say_what_would_be_taken() {
    let mut world = World::new();
    let (ours, _) = world.call(TRUNK, SERVER);
    world.say(TRUNK, ours, Method::Info, &[("Content-Type", "text/plain")], "5");
    world.run_ms(20);
    assert!(world.last_sent(SERVER).has_token("Accept", "application/dtmf-relay"));
    world.say(TRUNK, ours, Method::Info, &[("Info-Package", "x")], "");
    world.run_ms(20);
    assert_eq!(world.last_sent(SERVER).header("Recv-Info"), Some(""));
}

#[test]
fn a_copy_of_an_info_is_no_second_key() {
    let mut world = World::new();
    let (ours, _) = world.call(TRUNK, SERVER);
    world.to_lose.extend([(SERVER, "SIP/2.0 200"), (SERVER, "SIP/2.0 200")]);
    world.say(TRUNK, ours, Method::Info, &[RELAY], "Signal=5");
    world.run_ms(5000);
    assert_eq!((world.count_sent(TRUNK, "INFO"), world.count_sent(SERVER, "SIP/2.0 200")), (3, 3 + 1));
    assert_eq!(world.words(SERVER), ["key 5"]);
    // And neither is one that arrives after its transaction, or in another one.
    let copy = world.log.iter().find(|(_, m)| m.method() == Some(&Method::Info)).unwrap().1.encode();
    let text = String::from_utf8(copy).unwrap().replace("\r\n", "\n");
    world.settle();
    world.inject(TRUNK, SERVER, &text);
    world.inject(TRUNK, SERVER, &text.replace("z9hG4bK", "z9hG4bKx"));
    assert!(world.words(SERVER).is_empty());
    assert_eq!(world.last_sent(SERVER).status(), Some(500));
}

#[test]
fn a_flood_of_keys_ends_at_the_bound_of_transactions() {
    let limits = Limits { transactions_max: 20, ..Limits::default() };
    let mut world = World::seeded(1, |node, config| {
        if node == SERVER {
            config.limits = limits;
        }
    });
    let (ours, leg) = world.call(TRUNK, SERVER);
    for _ in 0..100 {
        world.say(TRUNK, ours, Method::Info, &[RELAY], "Signal=5");
    }
    world.run_ms(100);
    let keys = world.words(SERVER).len();
    assert!((30..=40).contains(&keys), "{keys}");
    assert_eq!(world.nodes[SERVER].counters().dropped_overload, 100 - u64::try_from(keys).unwrap());
    world.at(SERVER, |node, now| node.hang_up(now, leg));
    world.settle();
    world.assert_idle();
}

#[test]
fn keys_count_while_a_call_is_there_and_not_after() {
    let mut world = World::new();
    let ours = world.at(TRUNK, |node, now| node.invite(now, invite(TRUNK, SERVER)));
    world.run_ms(20);
    let leg = world.invited(SERVER);
    world.at(SERVER, |node, now| node.ring(now, leg, 183, Some(ANSWER.to_vec())));
    world.run_ms(20);
    let to = world.nodes[SERVER].legs.get(leg).unwrap().record.dialog.local.clone();
    world.nodes[TRUNK].legs.get_mut(ours).unwrap().record.dialog.remote = to;
    world.say(TRUNK, ours, Method::Info, &[RELAY], "Signal=1");
    world.run_ms(20);
    assert_eq!(world.words(SERVER), ["invited", "key 1"], "a menu in early media");
    world.at(SERVER, |node, now| node.answer(now, leg, ANSWER.to_vec()));
    world.run_ms(20);
    world.to_hold.push((SERVER, "BYE"));
    world.at(SERVER, |node, now| node.hang_up(now, leg));
    world.say(TRUNK, ours, Method::Info, &[RELAY], "Signal=2");
    world.run_ms(20);
    assert_eq!(world.last_sent(SERVER).status(), Some(481));
    assert_eq!(world.words(SERVER), ["confirmed"]);
}
