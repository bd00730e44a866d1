//! Reliable provisional responses (RFC 3262), both ways.

use super::*;

fn requiring() -> Invite {
    let mut invite = invite(TRUNK, SERVER);
    invite.headers.push(("Require".to_owned(), "100rel".to_owned()));
    invite
}

#[test]
fn a_caller_that_requires_it_gets_every_ring_until_it_acknowledges() {
    let mut world = World::new();
    world.to_lose.push((SERVER, "SIP/2.0 183"));
    world.to_lose.push((TRUNK, "PRACK"));
    world.at(TRUNK, |node, now| node.invite(now, requiring()));
    world.run_ms(20);
    let theirs = world.invited(SERVER);
    world.at(SERVER, |node, now| node.ring(now, theirs, 183, Some(ANSWER.to_vec())));
    world.run_ms(3000);
    assert_eq!(world.words(TRUNK), ["progress 183 with sdp"]);
    assert!(world.count_sent(TRUNK, "PRACK") >= 2);
    let resent = world.count_sent(SERVER, "SIP/2.0 183");
    world.run_ms(10_000);
    assert_eq!(world.count_sent(SERVER, "SIP/2.0 183"), resent, "acknowledged");
    world.at(SERVER, |node, now| node.answer(now, theirs, ANSWER.to_vec()));
    assert_eq!(world.last_sent(SERVER).sdp(), None, "the answer was given in the 183");
    world.run_ms(20);
    assert_eq!(world.words(TRUNK), ["answered"]);
    assert_eq!(world.words(SERVER), ["invited", "confirmed"]);
}

#[test]
fn an_answer_waits_for_the_prack_of_the_ring_that_carried_it() {
    let mut world = World::new();
    world.to_hold.push((TRUNK, "PRACK"));
    world.at(TRUNK, |node, now| node.invite(now, requiring()));
    world.run_ms(20);
    let theirs = world.invited(SERVER);
    world.at(SERVER, |node, now| node.ring(now, theirs, 183, Some(ANSWER.to_vec())));
    world.at(SERVER, |node, now| node.ring(now, theirs, 180, None));
    world.at(SERVER, |node, now| node.answer(now, theirs, ANSWER.to_vec()));
    world.run_ms(100);
    assert_eq!(world.count_sent(SERVER, "SIP/2.0 200"), 0);
    world.release();
    world.run_ms(30);
    let sdp = world.events.iter().find_map(|(_, event)| match event {
        Event::Answered { sdp, .. } => Some(sdp.clone()),
        _ => None,
    });
    assert_eq!(sdp.flatten().as_deref(), Some(ANSWER), "the answer that came early");
    assert_eq!(world.words(SERVER), ["invited", "confirmed"]);
    assert_eq!(world.count_sent(SERVER, "SIP/2.0 180"), 0);
}

#[test]
fn a_ring_never_acknowledged_ends_the_leg() {
    let mut world = World::new();
    world.at(TRUNK, |node, now| node.invite(now, requiring()));
    world.run_ms(20);
    let theirs = world.invited(SERVER);
    world.faults.lost_pct = 100;
    world.at(SERVER, |node, now| node.ring(now, theirs, 180, None));
    world.run_ms(32_100);
    assert_eq!(world.words(SERVER), ["invited", "ended Timeout"]);
    assert_eq!(world.count_sent(SERVER, "SIP/2.0 504"), 1);
}

#[test]
fn rings_without_order_or_again_are_not_reported_twice() {
    let mut world = World::new();
    world.faults.doubled_pct = 100;
    world.at(TRUNK, |node, now| node.invite(now, requiring()));
    world.run_ms(20);
    let theirs = world.invited(SERVER);
    world.at(SERVER, |node, now| node.ring(now, theirs, 180, None));
    world.run_ms(20);
    world.at(SERVER, |node, now| node.ring(now, theirs, 183, None));
    world.run_ms(20);
    assert_eq!(world.words(TRUNK), ["progress 180", "progress 183"]);
    assert_eq!(world.count_sent(TRUNK, "PRACK"), 2);
    world.at(TRUNK, |node, now| {
        let leg = LegId(1);
        node.hang_up(now, leg);
    });
    world.assert_idle();
}

#[test]
fn without_an_offer_the_reliable_ring_carries_ours_and_the_prack_the_answer() {
    let mut world = World::new();
    let invite = "INVITE sip:12348@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKp1
From: <sip:1@10.0.0.2>;tag=a
To: <sip:12348@10.0.0.1>TAG
Call-ID: early
CSeq: 1 INVITE
Require: 100rel
Contact: <sip:1@10.0.0.2>
";
    world.inject(TRUNK, SERVER, &(invite.replace("TAG", "") + "\n"));
    let leg = world.invited(SERVER);
    world.at(SERVER, |node, now| node.ring(now, leg, 183, Some(OFFER.to_vec())));
    let ring = world.last_sent(SERVER);
    let (tag, rseq) = (ring.to_tag().unwrap().to_owned(), ring.header("RSeq").unwrap().to_owned());
    let prack =
        invite.replace("TAG", &format!(";tag={tag}")).replace("INVITE", "PRACK").replace("bKp1", "bKp2");
    let prack = prack.replace("CSeq: 1", "CSeq: 2").replace("Require", "X-Require");
    let body = "Content-Type: application/sdp\n\nv=0 answer\n";
    world.inject(TRUNK, SERVER, &format!("{prack}RAck: 7 1 INVITE\n{body}"));
    assert_eq!(world.last_sent(SERVER).status(), Some(481), "not the RSeq that we sent");
    let prack = prack.replace("bKp2", "bKp3").replace("CSeq: 2", "CSeq: 3");
    world.inject(TRUNK, SERVER, &format!("{prack}RAck: {rseq} 1 INVITE\n{body}"));
    assert_eq!(world.last_sent(SERVER).status(), Some(200));
    assert_eq!(world.words(SERVER), ["invited", "offer answered"]);
    world.at(SERVER, |node, now| node.answer(now, leg, OFFER.to_vec()));
    assert_eq!(world.last_sent(SERVER).sdp(), None);
}
