//! REFER inside a call, and what its sender is told.

use super::*;

const TO_12345: &[(&str, &str)] =
    &[("Refer-To", "<sip:12345@10.0.0.1>"), ("Contact", "<sip:li@10.0.0.2:5060>")];

/// A call to the server with a REFER that it has been told of.
fn referred(world: &mut World, headers: &[(&str, &str)]) -> (LegId, LegId) {
    let (ours, theirs) = world.call(TRUNK, SERVER);
    world.say(TRUNK, ours, Method::Refer, headers, "");
    world.run_ms(20);
    (ours, theirs)
}

/// The statuses that a node has sent to REFERs, copies included.
fn answers(world: &World, node: usize) -> Vec<u16> {
    let mine = world.log.iter().filter(|(from, m)| *from == node && m.cseq().1 == Method::Refer);
    mine.filter_map(|(_, m)| m.status()).collect()
}

/// What the application is told of one REFER, or how that is refused without asking it.
fn asked(headers: &[(&str, &str)]) -> Result<Referred, u16> {
    let mut world = World::new();
    referred(&mut world, headers);
    match world.events.pop() {
        Some((SERVER, Event::Referred { refer, .. })) => Ok(*refer),
        None => Err(answers(&world, SERVER)[0]),
        other => panic!("{other:?}"),
    }
}

fn hang_up_and_forget(world: &mut World, leg: LegId) {
    world.at(SERVER, |node, now| node.hang_up(now, leg));
    world.assert_idle();
    assert!(world.nodes.iter().all(|node| node.sizes() == Sizes::default()));
}

#[test]
fn a_referral_is_accepted_and_reported_until_its_outcome() {
    let mut world = World::new();
    let (_, leg) = referred(&mut world, TO_12345);
    assert_eq!(world.words(SERVER), ["referred to 12345"]);
    assert!(answers(&world, SERVER).is_empty());
    world.at(SERVER, |node, now| node.accept_referral(now, leg));
    world.run_ms(10_000);
    world.at(SERVER, |node, now| node.report_referral(now, leg, 180));
    world.run_ms(20);
    world.at(SERVER, |node, now| node.report_referral(now, leg, 200));
    world.at(SERVER, |node, now| node.report_referral(now, leg, 503)); // the outcome is known
    world.run_ms(20);
    assert_eq!(answers(&world, SERVER), [202]);
    assert_eq!(
        world.notified(SERVER),
        [
            "active;expires=60: SIP/2.0 100 Trying",
            "active;expires=50: SIP/2.0 180 Ringing",
            "terminated;reason=noresource: SIP/2.0 200 OK"
        ]
    );
    let notify = world.log.iter().rev().find(|(_, m)| m.method() == Some(&Method::Notify)).unwrap();
    assert_eq!(notify.1.header("Event"), Some("refer"));
    assert_eq!(notify.1.header("Content-Type"), Some("message/sipfrag;version=2.0"));
    assert_eq!(notify.1.body, b"SIP/2.0 200 OK\r\n");
    assert!(notify.1.contact().is_some());
    assert_eq!(notify.1.uri().unwrap().as_str(), "sip:li@10.0.0.2:5060", "the target was refreshed");
    world.settle();
    assert!(world.words(SERVER).is_empty(), "the call goes on");
    hang_up_and_forget(&mut world, leg);
}

#[test]
fn a_refused_referral_has_its_status_and_no_reports() {
    for (status, sent) in [(403, 403), (404, 404), (488, 488), (603, 603), (200, 403)] {
        let mut world = World::new();
        let (_, leg) = referred(&mut world, TO_12345);
        world.at(SERVER, |node, now| node.refuse_referral(now, leg, status));
        world.at(SERVER, |node, now| node.accept_referral(now, leg));
        world.at(SERVER, |node, now| node.report_referral(now, leg, 200));
        world.run_ms(20);
        assert_eq!(answers(&world, SERVER), [sent]);
        assert!(world.notified(SERVER).is_empty());
        hang_up_and_forget(&mut world, leg);
    }
}

#[test]
fn who_wants_no_reports_gets_none() {
    let mut world = World::new();
    let headers = [TO_12345, &[("Refer-Sub", "FALSE ;x"), ("Require", "norefersub")]].concat();
    let (_, leg) = referred(&mut world, &headers);
    world.at(SERVER, |node, now| node.accept_referral(now, leg));
    assert_eq!(world.last_sent(SERVER).header("Refer-Sub"), Some("false"));
    world.at(SERVER, |node, now| node.report_referral(now, leg, 200));
    world.settle();
    assert_eq!(answers(&world, SERVER), [202]);
    assert!(world.notified(SERVER).is_empty());
    hang_up_and_forget(&mut world, leg);
}

#[test]
fn the_application_is_told_where_to_and_by_whom() {
    let refer = asked(&[
        ("r", "\"Zhang\" <sip:%2B86-577-12345@h.example:5070;user=phone?Subject=x>"),
        ("Referred-By", "<sip:2001@10.0.0.2>;cid=\"x@y\""),
    ]);
    let refer = refer.unwrap();
    assert_eq!((refer.user.reveal(), refer.host.as_str()), ("+8657712345", "h.example"));
    assert_eq!(refer.referred_by.unwrap().reveal(), "2001");
    assert_eq!(refer.replaces, None);
    let refer = asked(&[("Refer-To", "tel:110;phone-context=cn"), ("Referred-By", "nobody")]).unwrap();
    assert_eq!((refer.user.reveal(), refer.host.as_str(), refer.referred_by), ("110", "", None));
    let refer = asked(&[("Refer-To", "<sip:%E5%BC%A0%E4%B8%89@h>")]).unwrap();
    assert_eq!(refer.user.reveal(), "张三");
    assert_eq!(asked(&[("Refer-To", "sip:h;x=y")]).unwrap().user.reveal(), "");
}

#[test]
fn a_referral_that_cannot_be_read_is_refused_unasked() {
    let long = format!("<sip:{}@h>", "1".repeat(65));
    let huge = format!("<sip:1@h?X={}>", "x".repeat(4000));
    let enormous = format!("<sip:1@h?X={}>", "x".repeat(9000));
    let check = |values: &[&str], status: u16| {
        let headers: Vec<(&str, &str)> = values.iter().map(|value| ("Refer-To", *value)).collect();
        assert_eq!(asked(&headers), Err(status), "{values:?}");
    };
    check(&[], 400);
    check(&[""], 400);
    check(&["12345"], 400);
    check(&["<sip:1@h"], 400);
    check(&["<sip:1@h>", "<sip:2@h>"], 400);
    check(&["<sip:1@h>, <sip:2@h>"], 400);
    check(&["sip:1@h,sip:2@h"], 400);
    check(&[&long], 400);
    check(&[&huge], 400);
    check(&[&enormous], 400);
    check(&["<mailto:li@h>"], 416);
    check(&["<sip:1@h;method=BYE>"], 403);
    check(&["<sip:1@h?Replaces=a>"], 400);
    check(&["<sip:1@h?Replaces=a%3Bto-tag%3Dt%3Bfrom-tag%3Df&replaces=b%3Bto-tag%3Dt%3Bfrom-tag%3Df>"], 400);
    assert!(asked(&[("Refer-To", "<sip:1@h;method=INVITE>")]).is_ok());
    let twice = [("Refer-To", "<sip:1@h>"), ("Referred-By", "<sip:1@h>"), ("b", "<sip:2@h>")];
    assert_eq!(asked(&twice), Err(400));
}

#[test]
fn an_attended_referral_names_our_leg() {
    let mut world = World::new();
    let (consult, _) = world.call(TRUNK, SERVER);
    let theirs = world.nodes[TRUNK].legs.get(consult).unwrap().record.dialog.clone();
    let server_leg = world.nodes[SERVER].legs.by_tag(theirs.remote_tag.as_deref().unwrap()).unwrap();
    let (call_id, from, to) = (theirs.call_id, theirs.local_tag, theirs.remote_tag.unwrap());
    let told = |world: &mut World, replaces: String| {
        let (ours, leg) = world.call(TRUNK, SERVER);
        let value = format!("<sip:12345@10.0.0.1?Replaces={replaces}>");
        world.say(TRUNK, ours, Method::Refer, &[("Refer-To", &value)], "");
        world.run_ms(20);
        world.at(SERVER, |node, now| node.refuse_referral(now, leg, 603));
        match world.events.pop() {
            Some((SERVER, Event::Referred { refer, .. })) => refer.replaces,
            other => panic!("{other:?}"),
        }
    };
    let right = format!("{call_id}%3Bfrom-tag%3D{from}%3Bto-tag%3D{to}");
    assert_eq!(told(&mut world, right.clone()), Some(Replaced::Leg { leg: server_leg, early_only: false }));
    let early = format!("{right}%3Bearly-only");
    assert_eq!(told(&mut world, early), Some(Replaced::Leg { leg: server_leg, early_only: true }));
    for wrong in [
        format!("{call_id}x%3Bfrom-tag%3D{from}%3Bto-tag%3D{to}"),
        format!("{call_id}%3Bfrom-tag%3D{to}%3Bto-tag%3D{from}"),
        format!("{call_id}%3Bfrom-tag%3D{from}%3Bto-tag%3Dnone"),
        format!("{call_id}%3Bfrom-tag%3Dnone%3Bto-tag%3D{to}"),
    ] {
        assert_eq!(told(&mut world, wrong), Some(Replaced::Unknown));
    }
    world.to_lose.push((SERVER, "BYE"));
    world.at(SERVER, |node, now| node.hang_up(now, server_leg));
    assert_eq!(told(&mut world, right), Some(Replaced::Unknown), "a leg that is leaving");
}

#[test]
fn a_second_referral_waits_for_the_end_of_the_first() {
    let mut world = World::new();
    let (ours, leg) = referred(&mut world, TO_12345);
    world.say(TRUNK, ours, Method::Refer, TO_12345, "");
    world.run_ms(20);
    world.at(SERVER, |node, now| node.accept_referral(now, leg));
    world.run_ms(20);
    world.say(TRUNK, ours, Method::Refer, TO_12345, "");
    world.run_ms(20);
    assert_eq!(answers(&world, SERVER), [491, 202, 491]);
    world.at(SERVER, |node, now| node.report_referral(now, leg, 486));
    world.run_ms(20);
    let third = world.say(TRUNK, ours, Method::Refer, TO_12345, "");
    world.run_ms(20);
    world.at(SERVER, |node, now| node.accept_referral(now, leg));
    let event = world.last_sent(SERVER).header("Event").unwrap().to_owned();
    assert_eq!(event, format!("refer;id={}", third.cseq().0));
    assert_eq!(world.words(SERVER), ["referred to 12345", "referred to 12345"]);
    world.run_ms(20);
    assert_eq!(
        world.notified(SERVER),
        [
            "active;expires=60: SIP/2.0 100 Trying",
            "terminated;reason=noresource: SIP/2.0 486 Busy Here",
            "active;expires=60: SIP/2.0 100 Trying"
        ]
    );
    hang_up_and_forget(&mut world, leg);
}

#[test]
fn only_an_answered_call_can_be_referred() {
    let mut world = World::new();
    let ours = world.at(TRUNK, |node, now| node.invite(now, invite(TRUNK, SERVER)));
    world.run_ms(20);
    let leg = world.invited(SERVER);
    world.at(SERVER, |node, now| node.ring(now, leg, 180, None));
    world.run_ms(20);
    let tag = world.nodes[SERVER].legs.get(leg).unwrap().record.dialog.local.clone();
    world.nodes[TRUNK].legs.get_mut(ours).unwrap().record.dialog.remote = tag;
    world.say(TRUNK, ours, Method::Refer, TO_12345, "");
    world.run_ms(20);
    assert_eq!(answers(&world, SERVER), [491]);
    world.at(SERVER, |node, now| node.accept_referral(now, leg));
    assert_eq!(world.words(SERVER), ["invited"]);
}

#[test]
fn a_copy_of_a_referral_asks_nobody_twice() {
    let mut world = World::new();
    world.to_hold.push((SERVER, "SIP/2.0 202"));
    let (_, leg) = referred(&mut world, TO_12345);
    world.run_ms(3000);
    assert!(world.count_sent(TRUNK, "REFER") > 2);
    assert_eq!(world.words(SERVER), ["referred to 12345"]);
    world.at(SERVER, |node, now| node.accept_referral(now, leg));
    world.run_ms(2000);
    let answers = answers(&world, SERVER);
    assert!(answers.len() > 1 && answers.iter().all(|status| *status == 202), "{answers:?}");
    assert_eq!(world.notified(SERVER).len(), 1);
    assert!(world.words(SERVER).is_empty());
}

#[test]
fn an_application_that_never_answers_refuses() {
    let mut world = World::new();
    let (_, leg) = referred(&mut world, TO_12345);
    world.run_ms(4900);
    assert!(answers(&world, SERVER).is_empty());
    world.run_ms(200);
    assert_eq!(answers(&world, SERVER), [500]);
    world.at(SERVER, |node, now| node.accept_referral(now, leg)); // too late
    world.run_ms(20);
    assert!(world.notified(SERVER).is_empty());
    hang_up_and_forget(&mut world, leg);
}

#[test]
fn an_outcome_that_never_comes_ends_the_subscription_and_not_the_call() {
    let mut world = World::new();
    let (_, leg) = referred(&mut world, TO_12345);
    world.at(SERVER, |node, now| node.accept_referral(now, leg));
    world.run_ms(61_000);
    world.at(SERVER, |node, now| node.report_referral(now, leg, 200));
    world.run_ms(20);
    let told = ["active;expires=60: SIP/2.0 100 Trying", "terminated;reason=timeout: SIP/2.0 100 Trying"];
    assert_eq!(world.notified(SERVER), told);
    assert_eq!(world.words(SERVER), ["referred to 12345"]);
    hang_up_and_forget(&mut world, leg);
}

#[test]
fn a_lost_answer_to_a_notify_costs_one_more_notify() {
    let mut world = World::new();
    let (_, leg) = referred(&mut world, TO_12345);
    world.to_lose.push((TRUNK, "SIP/2.0 200"));
    world.at(SERVER, |node, now| node.accept_referral(now, leg));
    world.run_ms(100);
    for status in [180, 183, 200] {
        world.at(SERVER, |node, now| node.report_referral(now, leg, status));
    }
    assert_eq!(world.count_sent(SERVER, "NOTIFY"), 1, "one at a time");
    world.run_ms(1000);
    assert_eq!(world.count_sent(SERVER, "NOTIFY"), 3);
    let told = ["active;expires=60: SIP/2.0 100 Trying", "terminated;reason=noresource: SIP/2.0 200 OK"];
    assert_eq!(world.notified(SERVER), told);
    hang_up_and_forget(&mut world, leg);
}

#[test]
fn a_notify_refused_or_never_answered_ends_the_subscription_and_not_the_call() {
    for answer in [Some(481), Some(405), Some(500), None] {
        let mut world = World::new();
        world.notify_answer = answer;
        let (ours, leg) = referred(&mut world, TO_12345);
        world.at(SERVER, |node, now| node.accept_referral(now, leg));
        world.at(SERVER, |node, now| node.report_referral(now, leg, 180)); // waits for the answer
        world.run_ms(33_000);
        world.at(SERVER, |node, now| node.report_referral(now, leg, 200));
        world.run_ms(20);
        assert_eq!(world.notified(SERVER), ["active;expires=60: SIP/2.0 100 Trying"], "{answer:?}");
        world.say(TRUNK, ours, Method::Refer, TO_12345, "");
        world.run_ms(20);
        assert_eq!(world.words(SERVER), ["referred to 12345", "referred to 12345"], "{answer:?}");
        hang_up_and_forget(&mut world, leg);
    }
}

/// The answer to an old subscription's NOTIFY must not count for a new one.
#[test]
fn a_late_answer_belongs_to_its_own_referral() {
    let mut world = World::new();
    let (ours, leg) = referred(&mut world, TO_12345);
    world.at(SERVER, |node, now| node.accept_referral(now, leg));
    world.run_ms(40_000);
    world.notify_answer = None;
    world.at(SERVER, |node, now| node.report_referral(now, leg, 180));
    world.run_ms(20_500); // the subscription is over, its NOTIFY still under way
    world.say(TRUNK, ours, Method::Refer, TO_12345, "");
    world.run_ms(20);
    world.at(SERVER, |node, now| node.accept_referral(now, leg));
    world.run_ms(13_000); // the old NOTIFY is given up
    world.notify_answer = Some(200);
    world.run_ms(5000);
    world.at(SERVER, |node, now| node.report_referral(now, leg, 200));
    world.run_ms(20);
    let told = world.notified(SERVER);
    assert_eq!(told.last().map(String::as_str), Some("terminated;reason=noresource: SIP/2.0 200 OK"));
    hang_up_and_forget(&mut world, leg);
}

#[test]
fn a_call_that_ends_takes_its_referral_with_it() {
    for (by_peer, accepted) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut world = World::new();
        let (ours, leg) = referred(&mut world, TO_12345);
        if accepted {
            world.at(SERVER, |node, now| node.accept_referral(now, leg));
            world.run_ms(20);
        }
        let (node, ending) = if by_peer { (TRUNK, ours) } else { (SERVER, leg) };
        world.at(node, |node, now| node.hang_up(now, ending));
        world.run_ms(20);
        world.at(SERVER, |node, now| node.accept_referral(now, leg));
        world.at(SERVER, |node, now| node.report_referral(now, leg, 200));
        world.assert_idle();
        let last = world.notified(SERVER).last().cloned();
        if accepted {
            assert_eq!(answers(&world, SERVER), [202]);
            assert_eq!(last.as_deref(), Some("terminated;reason=noresource: SIP/2.0 100 Trying"));
        } else {
            assert_eq!((answers(&world, SERVER), last), (vec![487], None));
        }
        assert!(world.nodes.iter().all(|node| node.sizes() == Sizes::default()));
    }
}

#[test]
fn a_connection_that_closes_takes_its_referral_with_it() {
    for accepted in [true, false] {
        let mut world = World::new();
        let mut call = invite(TRUNK, SERVER);
        call.target.flow.transport = Transport::Tcp;
        let ours = world.at(TRUNK, |node, now| node.invite(now, call));
        world.run_ms(20);
        let leg = world.invited(SERVER);
        world.at(SERVER, |node, now| node.answer(now, leg, ANSWER.to_vec()));
        world.run_ms(20);
        world.say(TRUNK, ours, Method::Refer, TO_12345, "");
        world.run_ms(20);
        if accepted {
            world.notify_answer = None;
            world.at(SERVER, |node, now| node.accept_referral(now, leg));
        }
        world.at(SERVER, |node, now| node.handle_flow_closed(now, flow(Transport::Tcp, SERVER, TRUNK)));
        world.at(TRUNK, |node, now| node.handle_flow_closed(now, flow(Transport::Tcp, TRUNK, SERVER)));
        assert_eq!(world.words(SERVER), ["invited", "confirmed", "referred to 12345", "ended TransportLost"]);
        world.assert_idle();
        assert!(world.nodes.iter().all(|node| node.sizes() == Sizes::default()), "accepted {accepted}");
    }
}
