//! What is refused, and how.

use super::*;

const OPTIONS: &str = "OPTIONS sip:12348@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.3:5060;branch=z9hG4bKo1;rport
From: <sip:1@10.0.0.3>;tag=a
To: <sip:12348@10.0.0.1>
Call-ID: options
CSeq: 1 OPTIONS
Max-Forwards: 70

";

/// Statuses of the answers to one message.
fn answers(text: &str) -> Vec<u16> {
    let mut world = World::new();
    world.inject(PHONE, SERVER, text);
    let status = |(_, line): &(usize, String)| line.split(' ').nth(1)?.parse().ok();
    world.ladder.iter().filter_map(status).collect()
}

fn with_method(method: &str) -> String {
    OPTIONS.replace("OPTIONS", method)
}

#[test]
fn every_refusal_has_its_status() {
    let check = |text: &str, status: &[u16]| assert_eq!(answers(text), status, "{text}");
    check(OPTIONS, &[200]);
    check(&OPTIONS.replace("Max-Forwards: 70", "Max-Forwards: 0"), &[200]);
    check(&with_method("INVITE").replace("Max-Forwards: 70", "Max-Forwards: 0"), &[483]);
    check(&with_method("FLY"), &[501]);
    check(&with_method("SUBSCRIBE"), &[489]);
    check(&with_method("NOTIFY"), &[405]);
    check(&with_method("REFER"), &[403]);
    check(&with_method("BYE"), &[481]);
    check(&with_method("INFO"), &[481]);
    check(&with_method("CANCEL"), &[481]);
    check(&with_method("ACK"), &[]);
    check(&OPTIONS.replace("OPTIONS sip:12348@10.0.0.1", "OPTIONS fax:12348"), &[416]);
    check(&OPTIONS.replace("Max-Forwards", "Require: timer, foo\nMax-Forwards"), &[420]);
    check(&with_method("INVITE").replace("70\n\n", "70\nContent-Type: text/plain\n\nhello"), &[415]);
    check(&OPTIONS.replace("SIP/2.0\nVia", "SIP/3.0\nVia"), &[505]);
    check(&OPTIONS.replace("CSeq: 1 OPTIONS", "CSeq: one OPTIONS"), &[400]);
    check("garbage\n\n", &[]);
    check("\n\n", &[]);
    check(&OPTIONS.replace("<sip:12348@10.0.0.1>\nCall", "<sip:12348@10.0.0.1>;tag=none\nCall"), &[481]);
}

#[test]
fn refusals_say_what_would_be_right() {
    let mut world = World::new();
    world.inject(PHONE, SERVER, &with_method("PUBLISH"));
    assert!(world.last_sent(SERVER).has_token("Allow", "UPDATE"));
    world.inject(PHONE, SERVER, &OPTIONS.replace("Max-Forwards", "Require: timer, foo\nMax-Forwards"));
    assert_eq!(world.last_sent(SERVER).header("Unsupported"), Some("foo"));
    assert!(world.last_sent(SERVER).to_tag().is_some());
    world.inject(
        PHONE,
        SERVER,
        &OPTIONS.replace("z9hG4bKo1", "z9hG4bKo2").replace("Call-ID: ", "Call-ID: x"),
    );
    let able = world.last_sent(SERVER);
    assert!(able.has_token("Supported", "100rel") && able.has_token("Allow", "INVITE"));
    assert_eq!(able.header("Accept"), Some("application/sdp"));
    world.inject(PHONE, SERVER, "garbage\n\n");
    world.inject(PHONE, SERVER, &OPTIONS.replace("CSeq: 1 OPTIONS", "CSeq: one OPTIONS"));
    let counters = world.nodes[SERVER].counters();
    assert_eq!((counters.malformed_dropped, counters.malformed_answered), (1, 1));
}

#[test]
fn responses_go_where_the_via_says() {
    let mut world = World::new();
    let from = Flow { remote: "10.0.0.3:40000".parse().unwrap(), ..flow(Transport::Udp, SERVER, PHONE) };
    let answered_to = |world: &mut World, text: &str| {
        let bytes = text.replace('\n', "\r\n").into_bytes();
        world.nodes[SERVER].handle_packet(world.now, from, &bytes);
        match world.nodes[SERVER].poll_output() {
            Some(Output::Transmit { flow, .. }) => flow.remote.to_string(),
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(answered_to(&mut world, OPTIONS), "10.0.0.3:40000");
    let plain = OPTIONS.replace(";rport", "").replace("o1", "o2").replace("Call-ID: ", "Call-ID: x");
    assert_eq!(answered_to(&mut world, &plain), "10.0.0.3:5060");
}

#[test]
fn a_copy_of_a_request_gets_the_same_answer_and_a_merged_one_482() {
    let mut world = World::new();
    world.inject(PHONE, SERVER, OPTIONS);
    let first = world.last_sent(SERVER).encode();
    world.inject(PHONE, SERVER, OPTIONS);
    assert_eq!(world.last_sent(SERVER).encode(), first);
    assert_eq!(world.nodes[SERVER].counters().retransmissions, 1);
    world.inject(PHONE, SERVER, &OPTIONS.replace("z9hG4bKo1", "z9hG4bKother"));
    assert_eq!(world.last_sent(SERVER).status(), Some(482));
}

#[test]
fn an_old_peer_is_matched_without_branches() {
    let old = with_method("INVITE")
        .replace(";branch=z9hG4bKo1;rport", "")
        .replace("Call", "Contact: <sip:1@10.0.0.3>\nCall");
    let mut world = World::new();
    world.inject(PHONE, SERVER, &old);
    world.inject(PHONE, SERVER, &old);
    assert_eq!(world.words(SERVER), ["invited"]);
    world.at(SERVER, |node, now| node.reject(now, LegId(1), 486, None));
    let tag = world.last_sent(SERVER).to_tag().unwrap().to_owned();
    let ack = old
        .replace("INVITE", "ACK")
        .replace("<sip:12348@10.0.0.1>\n", &format!("<sip:12348@10.0.0.1>;tag={tag}\n"));
    world.inject(PHONE, SERVER, &ack);
    world.run_ms(31_000);
    assert_eq!(world.count_sent(SERVER, "SIP/2.0 486"), 1, "the ACK was matched");
    world.assert_idle();
}

#[test]
fn requests_inside_a_dialog_must_count_up() {
    let mut world = World::new();
    let (ours, theirs) = world.call(TRUNK, SERVER);
    let bye = world.nodes[TRUNK].legs.get_mut(ours).unwrap();
    bye.record.dialog.local_seq = 0;
    world.at(TRUNK, |node, now| node.reinvite(now, ours, HOLD.to_vec()));
    world.run_ms(20);
    assert_eq!(world.last_sent(SERVER).status(), Some(500));
    assert_eq!(world.words(TRUNK), ["offer refused 500"]);
    world.at(SERVER, |node, now| node.hang_up(now, theirs));
    world.assert_idle();
}

#[test]
fn above_its_bounds_the_endpoint_refuses_what_is_new_and_serves_what_it_has() {
    let limits = Limits { dialogs_max: 1, transactions_max: 50, retry_after_s: 9 };
    let mut world = World::seeded(1, |node, config| {
        if node == SERVER {
            config.limits = limits;
        }
    });
    let (ours, _) = world.call(TRUNK, SERVER);
    world.at(TRUNK, |node, now| node.invite(now, invite(TRUNK, SERVER)));
    world.run_ms(20);
    assert_eq!(world.words(TRUNK), ["failed 503"]);
    let refusal = world.log.iter().rev().find(|(_, m)| m.status() == Some(503)).unwrap();
    assert_eq!(refusal.1.header("Retry-After"), Some("9"));
    assert_eq!(world.nodes[SERVER].counters().refused_overload, 1);
    for n in 0..60 {
        world.inject(
            PHONE,
            SERVER,
            &OPTIONS.replace("o1", &format!("o{n}")).replace("Call-ID: ", &format!("Call-ID: {n}")),
        );
    }
    assert!(world.nodes[SERVER].counters().refused_overload > 1);
    assert_eq!(world.last_sent(SERVER).status(), Some(503));
    world.at(TRUNK, |node, now| node.hang_up(now, ours));
    world.run_ms(20);
    assert_eq!(world.words(SERVER), ["invited", "confirmed", "ended Bye"].map(str::to_owned)[2..]);
    world.assert_idle();
}

#[test]
fn a_ping_tells_whether_somebody_is_there() {
    let mut world = World::new();
    world.at(SERVER, |node, now| node.ping(now, target(SERVER, PHONE, "2001")));
    world.run_ms(20);
    assert_eq!(world.words(SERVER), ["pong Some(200)"]);
    world.faults.lost_pct = 100;
    world.at(SERVER, |node, now| node.ping(now, target(SERVER, PHONE, "2001")));
    world.run_ms(33_000);
    assert_eq!(world.words(SERVER), ["pong None"]);
    world.assert_idle();
}

#[test]
fn info_and_options_inside_a_dialog_are_answered() {
    let mut world = World::new();
    let (_, theirs) = world.call(TRUNK, SERVER);
    let dialog = &mut world.nodes[SERVER].legs.get_mut(theirs).unwrap().record.dialog;
    let mut texts = Vec::new();
    for (n, method) in ["INFO", "OPTIONS", "UPDATE", "MESSAGE"].iter().enumerate() {
        let (from, to, call_id) = (&dialog.local, &dialog.remote, &dialog.call_id);
        let seq = n + 5;
        texts.push(format!(
            "{method} sip:1@10.0.0.2 SIP/2.0\nVia: SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKi{n}\nFrom: {from}\nTo: {to}\nCall-ID: {call_id}\nCSeq: {seq} {method}\n\n"
        ));
    }
    for (text, status) in texts.iter().zip([200, 200, 200, 405]) {
        world.inject(SERVER, TRUNK, text);
        assert_eq!(world.last_sent(TRUNK).status(), Some(status), "{text}");
    }
    assert!(world.words(TRUNK).is_empty());
}
