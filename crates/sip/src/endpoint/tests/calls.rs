//! Set-up and tear-down, in every order that the wire can make of it.

use super::*;

#[test]
fn a_call_is_set_up_and_hung_up_by_either_side() {
    for (hangs_up, cause_there) in [(TRUNK, SERVER), (SERVER, TRUNK)] {
        let mut world = World::new();
        let (ours, theirs) = world.call(TRUNK, SERVER);
        let leg = if hangs_up == TRUNK { ours } else { theirs };
        world.at(hangs_up, |node, now| node.hang_up(now, leg));
        world.run_ms(20);
        assert_eq!(world.words(hangs_up), ["ended LocalHangUp"]);
        assert_eq!(world.words(cause_there), ["ended Bye"]);
        world.assert_idle();
        assert_eq!(world.words(SERVER).len() + world.words(TRUNK).len(), 0);
    }
}

#[test]
fn an_invite_tells_who_calls_whom() {
    let mut world = World::new();
    world.at(TRUNK, |node, now| node.invite(now, invite(TRUNK, SERVER)));
    world.run_ms(20);
    let (_, event) = world.events.pop().unwrap();
    let Event::Invited { invite, .. } = event else { panic!("{event:?}") };
    assert_eq!(invite.called, "12348");
    assert_eq!(invite.caller.user.reveal(), "13812345678");
    assert_eq!(invite.caller.display.as_ref().map(domain::Pii::reveal), Some("张三"));
    assert_eq!((invite.trusted, invite.user.as_deref()), (true, None));
    assert_eq!(invite.offer.as_deref(), Some(OFFER));
    assert_eq!(invite.header("x-test"), Some("1"));
}

#[test]
fn ringing_and_refusal_reach_the_caller() {
    let mut world = World::new();
    world.at(TRUNK, |node, now| node.invite(now, invite(TRUNK, SERVER)));
    world.run_ms(20);
    let leg = world.invited(SERVER);
    world.at(SERVER, |node, now| node.ring(now, leg, 183, Some(ANSWER.to_vec())));
    world.run_ms(20);
    world.at(SERVER, |node, now| node.reject(now, leg, 486, Some(7)));
    assert_eq!(world.last_sent(SERVER).header("Retry-After"), Some("7"));
    world.run_ms(20);
    assert_eq!(world.words(TRUNK), ["progress 183 with sdp", "failed 486"]);
    assert_eq!(world.words(SERVER), ["invited", "ended LocalHangUp"]);
    world.assert_idle();
}

#[test]
fn an_invite_that_waits_gets_100_after_200_ms() {
    let mut world = World::new();
    world.at(TRUNK, |node, now| node.invite(now, invite(TRUNK, SERVER)));
    world.run_ms(190);
    assert_eq!(world.count_sent(SERVER, "SIP/2.0 100"), 0);
    world.run_ms(2000);
    assert_eq!(world.count_sent(SERVER, "SIP/2.0 100"), 1);
    assert_eq!(world.count_sent(TRUNK, "INVITE"), 1);
}

#[test]
fn nobody_there_is_408_after_64_t1() {
    let mut world = World::new();
    let nowhere = Target {
        flow: Flow { remote: "10.9.9.9:5060".parse().unwrap(), ..flow(Transport::Udp, TRUNK, SERVER) },
        uri: Uri::from_socket(None, "10.9.9.9:5060".parse().unwrap()),
    };
    world.at(TRUNK, |node, now| node.invite(now, Invite { target: nowhere, ..invite(TRUNK, SERVER) }));
    world.run_ms(31_900);
    assert!(world.words(TRUNK).is_empty());
    world.run_ms(200);
    assert_eq!(world.words(TRUNK), ["failed 408"]);
    assert_eq!(world.count_sent(TRUNK, "INVITE"), 7);
    world.assert_idle();
}

#[test]
fn a_cancel_before_any_answer_waits_for_the_first() {
    let mut world = World::new();
    world.to_hold.push((SERVER, "SIP/2.0 180"));
    let leg = world.at(TRUNK, |node, now| node.invite(now, invite(TRUNK, SERVER)));
    world.at(TRUNK, |node, now| node.hang_up(now, leg));
    world.run_ms(20);
    let theirs = world.invited(SERVER);
    world.at(SERVER, |node, now| node.ring(now, theirs, 180, None));
    assert_eq!(world.count_sent(TRUNK, "CANCEL"), 0);
    world.release();
    world.run_ms(30);
    assert_eq!(world.words(TRUNK), ["progress 180", "failed 487"]);
    assert_eq!(world.words(SERVER), ["invited", "ended Cancelled"]);
    world.assert_idle();
}

/// The caller hangs up while the 200 is on its way: the three orders in which they can meet.
#[test]
fn a_200_that_meets_a_cancel_is_acknowledged_and_hung_up() {
    for (hold, case) in [
        ((SERVER, "SIP/2.0 200"), "the 200 is late"),
        ((TRUNK, "CANCEL"), "the CANCEL is late"),
        ((SERVER, "none"), "they cross"),
    ] {
        let mut world = World::new();
        let leg = world.at(TRUNK, |node, now| node.invite(now, invite(TRUNK, SERVER)));
        world.run_ms(20);
        let theirs = world.invited(SERVER);
        world.at(SERVER, |node, now| node.ring(now, theirs, 180, None));
        world.run_ms(20);
        world.to_hold.push(hold);
        world.at(SERVER, |node, now| node.answer(now, theirs, ANSWER.to_vec()));
        world.at(TRUNK, |node, now| node.hang_up(now, leg));
        world.run_ms(100);
        world.release();
        world.run_ms(100);
        assert_eq!(world.words(TRUNK), ["progress 180", "ended LocalHangUp"], "{case}");
        assert_eq!(world.words(SERVER), ["invited", "confirmed", "ended Bye"], "{case}");
        world.assert_idle();
    }
}

#[test]
fn a_200_that_follows_the_cancels_own_487_changes_nothing() {
    let mut world = World::new();
    let leg = world.at(TRUNK, |node, now| node.invite(now, invite(TRUNK, SERVER)));
    world.run_ms(20);
    let theirs = world.invited(SERVER);
    world.at(SERVER, |node, now| node.ring(now, theirs, 180, None));
    world.run_ms(20);
    world.at(TRUNK, |node, now| node.hang_up(now, leg));
    world.run_ms(20);
    world.at(SERVER, |node, now| node.answer(now, theirs, ANSWER.to_vec()));
    world.run_ms(20);
    assert_eq!(world.words(TRUNK), ["progress 180", "failed 487"]);
    assert_eq!(world.words(SERVER), ["invited", "ended Cancelled"]);
    assert_eq!(world.count_sent(SERVER, "SIP/2.0 200"), 1, "only that of the CANCEL");
    world.assert_idle();
}

#[test]
fn a_cancelled_invite_that_never_ends_is_given_up() {
    let mut world = World::new();
    let leg = world.at(TRUNK, |node, now| node.invite(now, invite(TRUNK, SERVER)));
    world.run_ms(20);
    let theirs = world.invited(SERVER);
    world.at(SERVER, |node, now| node.ring(now, theirs, 180, None));
    world.run_ms(20);
    world.faults.lost_pct = 100;
    world.at(TRUNK, |node, now| node.hang_up(now, leg));
    world.run_ms(32_100);
    assert_eq!(world.words(TRUNK), ["progress 180", "failed 487"]);
    world.at(SERVER, |node, now| node.hang_up(now, theirs));
    world.assert_idle();
}

#[test]
fn a_lost_ack_is_sent_again_for_the_200_that_comes_again() {
    let mut world = World::new();
    world.to_lose.push((TRUNK, "ACK"));
    world.to_lose.push((TRUNK, "ACK"));
    world.at(TRUNK, |node, now| node.invite(now, invite(TRUNK, SERVER)));
    world.run_ms(20);
    let theirs = world.invited(SERVER);
    world.at(SERVER, |node, now| node.answer(now, theirs, ANSWER.to_vec()));
    world.run_ms(1000);
    assert_eq!(world.words(SERVER), ["invited"]);
    world.run_ms(1000);
    assert_eq!(world.words(SERVER), ["confirmed"]);
    assert_eq!(world.words(TRUNK), ["answered"]);
    assert_eq!((world.count_sent(SERVER, "SIP/2.0 200"), world.count_sent(TRUNK, "ACK")), (3, 3));
}

#[test]
fn a_200_never_acknowledged_ends_the_leg_with_a_bye() {
    let mut world = World::new();
    world.at(TRUNK, |node, now| node.invite(now, invite(TRUNK, SERVER)));
    world.run_ms(20);
    let theirs = world.invited(SERVER);
    world.faults.lost_pct = 100;
    world.at(SERVER, |node, now| node.answer(now, theirs, ANSWER.to_vec()));
    world.run_ms(32_100);
    assert_eq!(world.words(SERVER), ["invited", "ended Timeout"]);
    assert_eq!(world.count_sent(SERVER, "BYE"), 1);
    world.settle();
    assert!(world.nodes[SERVER].is_idle(), "{:?}", world.nodes[SERVER].sizes());
}

#[test]
fn the_callee_hangs_up_only_after_the_ack() {
    let mut world = World::new();
    world.to_hold.push((TRUNK, "ACK"));
    world.at(TRUNK, |node, now| node.invite(now, invite(TRUNK, SERVER)));
    world.run_ms(20);
    let theirs = world.invited(SERVER);
    world.at(SERVER, |node, now| node.answer(now, theirs, ANSWER.to_vec()));
    world.run_ms(20);
    world.at(SERVER, |node, now| node.hang_up(now, theirs));
    world.run_ms(20);
    assert_eq!(world.count_sent(SERVER, "BYE"), 0);
    world.release();
    world.run_ms(20);
    assert_eq!(world.count_sent(SERVER, "BYE"), 1);
    assert_eq!(world.words(SERVER), ["invited", "ended LocalHangUp"]);
    assert_eq!(world.words(TRUNK), ["answered", "ended Bye"]);
    world.assert_idle();
}

#[test]
fn byes_that_cross_end_both_legs_once() {
    let mut world = World::new();
    let (ours, theirs) = world.call(TRUNK, SERVER);
    world.at(TRUNK, |node, now| node.hang_up(now, ours));
    world.at(SERVER, |node, now| node.hang_up(now, theirs));
    world.run_ms(20);
    assert_eq!(world.words(TRUNK), ["ended LocalHangUp"]);
    assert_eq!(world.words(SERVER), ["ended LocalHangUp"]);
    world.assert_idle();
}

#[test]
fn a_bye_that_nobody_answers_ends_the_leg_after_64_t1() {
    let mut world = World::new();
    let (ours, _) = world.call(TRUNK, SERVER);
    world.faults.lost_pct = 100;
    world.at(TRUNK, |node, now| node.hang_up(now, ours));
    world.run_ms(32_100);
    assert_eq!(world.words(TRUNK), ["ended LocalHangUp"]);
    assert_eq!(world.count_sent(TRUNK, "BYE"), 11);
}

#[test]
fn of_forked_answers_the_first_wins_and_the_second_is_hung_up() {
    let mut world = World::new();
    world.at(TRUNK, |node, now| node.invite(now, invite(TRUNK, SERVER)));
    world.run_ms(20);
    let theirs = world.invited(SERVER);
    world.at(SERVER, |node, now| node.answer(now, theirs, ANSWER.to_vec()));
    let second = String::from_utf8(world.last_sent(SERVER).encode()).unwrap();
    world.run_ms(20);
    let tag = world.log.iter().find_map(|(_, m)| m.to_tag().map(str::to_owned)).unwrap();
    let second = second.replace(&tag, "fork").replace("\r\n", "\n");
    world.inject(SERVER, TRUNK, &second);
    assert_eq!((world.count_sent(TRUNK, "ACK"), world.count_sent(TRUNK, "BYE")), (2, 1));
    let bye = world.last_sent(TRUNK);
    assert_eq!((bye.to_tag(), bye.cseq().0), (Some("fork"), 2));
    world.inject(SERVER, TRUNK, &second);
    assert_eq!(
        (world.count_sent(TRUNK, "ACK"), world.count_sent(TRUNK, "BYE")),
        (3, 1),
        "only its ACK again"
    );
    assert_eq!(world.words(TRUNK), ["answered"]);
}

#[test]
fn calls_get_through_a_lossy_wire() {
    for seed in 0..30 {
        let mut world = World::seeded(seed, |_, _| {});
        world.faults = Faults { lost_pct: 30, doubled_pct: 10, jitter_ms: 300 };
        let leg = world.at(TRUNK, |node, now| node.invite(now, invite(TRUNK, SERVER)));
        world.run_ms(20_000);
        let theirs = world.invited(SERVER);
        world.at(SERVER, |node, now| node.answer(now, theirs, ANSWER.to_vec()));
        world.run_ms(20_000);
        assert_eq!(world.words(SERVER), ["invited", "confirmed"], "seed {seed}");
        world.at(TRUNK, |node, now| node.hang_up(now, leg));
        world.settle();
        assert_eq!(world.words(TRUNK), ["answered", "ended LocalHangUp"], "seed {seed}");
        assert_eq!(world.words(SERVER), ["ended Bye"], "seed {seed}");
        world.assert_idle();
    }
}

#[test]
fn a_closed_connection_ends_what_was_on_it() {
    let mut world = World::new();
    let over_tcp = flow(Transport::Tcp, TRUNK, SERVER);
    let tcp = |invite: Invite| Invite { target: Target { flow: over_tcp, ..invite.target }, ..invite };
    let confirmed = world.at(TRUNK, |node, now| node.invite(now, tcp(invite(TRUNK, SERVER))));
    world.run_ms(20);
    let theirs = world.invited(SERVER);
    world.at(SERVER, |node, now| node.answer(now, theirs, ANSWER.to_vec()));
    world.run_ms(20);
    let calling = world.at(TRUNK, |node, now| node.invite(now, tcp(invite(TRUNK, SERVER))));
    assert_ne!(confirmed, calling);
    world.run_ms(20);
    assert_eq!(world.words(SERVER), ["invited", "confirmed", "invited"]);
    world.at(SERVER, |node, now| node.handle_flow_closed(now, flow(Transport::Tcp, SERVER, TRUNK)));
    world.at(TRUNK, |node, now| node.handle_flow_closed(now, over_tcp));
    assert_eq!(world.words(SERVER), ["ended TransportLost", "ended TransportLost"]);
    assert_eq!(world.words(TRUNK), ["answered", "ended TransportLost", "failed 503"]);
    world.assert_idle();
}

#[test]
fn in_dialog_requests_follow_the_route_set() {
    let invite = "INVITE sip:12348@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.2;branch=z9hG4bKroute
Record-Route: <sip:10.0.0.2:5060;ROUTE>
Record-Route: <sip:10.0.0.7;lr>
From: <sip:1@10.0.0.2>;tag=a
To: <sip:12348@10.0.0.1>
Call-ID: route
CSeq: 1 INVITE
Contact: <sip:1@host.example>
Content-Length: 0

";
    for (parameter, uri, routes) in [
        ("lr", "sip:1@host.example", vec!["<sip:10.0.0.2:5060;lr>", "<sip:10.0.0.7;lr>"]),
        ("x=y", "sip:10.0.0.2:5060;x=y", vec!["<sip:10.0.0.7;lr>", "<sip:1@host.example>"]),
    ] {
        let mut world = World::new();
        world.inject(TRUNK, SERVER, &invite.replace("ROUTE", parameter));
        let leg = world.invited(SERVER);
        world.at(SERVER, |node, now| node.answer(now, leg, OFFER.to_vec()));
        let tag = world.last_sent(SERVER).to_tag().unwrap().to_owned();
        let ack = invite
            .replace("INVITE", "ACK")
            .replace("<sip:12348@10.0.0.1>\n", &format!("<sip:12348@10.0.0.1>;tag={tag}\n"));
        world.inject(TRUNK, SERVER, &ack.replace("z9hG4bKroute", "z9hG4bKack"));
        world.at(SERVER, |node, now| node.hang_up(now, leg));
        let bye = world.last_sent(SERVER);
        assert_eq!(bye.uri().unwrap().as_str(), uri);
        assert_eq!(bye.headers_named("Route").collect::<Vec<_>>(), routes);
    }
}

#[test]
fn via_and_contact_say_the_advertised_address() {
    let mut world = World::seeded(1, |node, config| {
        if node == SERVER {
            config.advertised.insert(address(SERVER), "203.0.113.7:5099".parse().unwrap());
        }
    });
    world.at(SERVER, |node, now| node.invite(now, invite(SERVER, PHONE)));
    let sent = world.last_sent(SERVER);
    assert_eq!(sent.via_top().map(|via| (via.host, via.port)), Some(("203.0.113.7", Some(5099))));
    assert_eq!(sent.contact().unwrap().uri.as_str(), "sip:13812345678@203.0.113.7:5099");
    world.run_ms(20);
    let theirs = world.invited(PHONE);
    world.at(PHONE, |node, now| node.answer(now, theirs, ANSWER.to_vec()));
    world.run_ms(20);
    assert_eq!(world.words(SERVER), ["answered"]);
}

#[test]
fn responses_to_nothing_are_counted_and_dropped() {
    let mut world = World::new();
    let (ours, _) = world.call(TRUNK, SERVER);
    let ok = world.log.iter().find(|(_, message)| message.status() == Some(200)).unwrap().1.clone();
    world.at(TRUNK, |node, now| node.hang_up(now, ours));
    world.assert_idle();
    let text = String::from_utf8(ok.encode()).unwrap().replace("\r\n", "\n");
    world.inject(SERVER, TRUNK, &text);
    assert_eq!(world.nodes[TRUNK].counters().stray, 1);
    assert!(world.nodes[TRUNK].is_idle());
}
