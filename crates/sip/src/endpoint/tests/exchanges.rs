//! Changes of a session, glare, and session timers.

use super::*;
use crate::message::Method;

#[test]
fn a_reinvite_either_way_is_answered_or_refused() {
    for (from, to) in [(TRUNK, SERVER), (SERVER, TRUNK)] {
        let mut world = World::new();
        let (trunk, server) = world.call(TRUNK, SERVER);
        let (ours, theirs) = if from == TRUNK { (trunk, server) } else { (server, trunk) };
        world.at(from, |node, now| node.reinvite(now, ours, HOLD.to_vec()));
        world.run_ms(20);
        assert_eq!(world.words(to), ["offer received with sdp"]);
        world.at(to, |node, now| node.accept_offer(now, theirs, b"v=0 resumed".to_vec()));
        world.run_ms(20);
        assert_eq!(world.words(from), ["offer answered"]);
        world.at(from, |node, now| node.reinvite(now, ours, b"v=0 video".to_vec()));
        world.run_ms(20);
        world.at(to, |node, now| node.refuse_offer(now, theirs, 488));
        world.run_ms(20);
        assert_eq!(world.words(from), ["offer refused 488"]);
        assert_eq!(world.words(to), ["offer received with sdp"]);
        world.at(from, |node, now| node.hang_up(now, ours));
        world.assert_idle();
        assert_eq!(world.words(to), ["ended Bye"]);
    }
}

#[test]
fn an_offer_that_changes_nothing_is_answered_without_asking() {
    let mut world = World::new();
    let (ours, _) = world.call(TRUNK, SERVER);
    world.at(TRUNK, |node, now| node.reinvite(now, ours, OFFER.to_vec()));
    world.run_ms(20);
    assert_eq!(world.words(TRUNK), ["offer answered"]);
    assert!(world.words(SERVER).is_empty());
}

#[test]
fn of_offers_that_cross_both_are_refused_and_tried_again() {
    for seed in 0..10 {
        let mut world = World::seeded(seed, |_, _| {});
        let (ours, theirs) = world.call(TRUNK, SERVER);
        world.at(TRUNK, |node, now| node.reinvite(now, ours, HOLD.to_vec()));
        world.at(SERVER, |node, now| node.reinvite(now, theirs, b"v=0 other".to_vec()));
        world.run_ms(20);
        assert_eq!((world.count_sent(TRUNK, "SIP/2.0 491"), world.count_sent(SERVER, "SIP/2.0 491")), (1, 1));
        // Who does not own the Call-ID tries again within 2 s, the owner after 2.1 s.
        world.run_ms(2020);
        assert_eq!(world.words(TRUNK), ["offer received with sdp"], "seed {seed}");
        world.at(TRUNK, |node, now| node.accept_offer(now, ours, ANSWER.to_vec()));
        world.run_ms(2020);
        assert_eq!(world.words(SERVER), ["offer answered", "offer received with sdp"], "seed {seed}");
        world.at(SERVER, |node, now| node.accept_offer(now, theirs, ANSWER.to_vec()));
        world.run_ms(20);
        assert_eq!(world.words(TRUNK), ["offer answered"], "seed {seed}");
    }
}

#[test]
fn an_offer_made_during_another_waits_its_turn() {
    let mut world = World::new();
    let (ours, theirs) = world.call(TRUNK, SERVER);
    world.at(TRUNK, |node, now| node.reinvite(now, ours, HOLD.to_vec()));
    world.run_ms(20);
    world.at(SERVER, |node, now| node.reinvite(now, theirs, b"v=0 waits".to_vec()));
    world.run_ms(20);
    assert_eq!(world.count_sent(SERVER, "INVITE"), 0);
    world.at(SERVER, |node, now| node.accept_offer(now, theirs, ANSWER.to_vec()));
    world.run_ms(40);
    assert_eq!(world.words(TRUNK), ["offer answered", "offer received with sdp"]);
    world.at(TRUNK, |node, now| node.accept_offer(now, ours, OFFER.to_vec()));
    world.run_ms(40);
    assert_eq!(world.words(SERVER), ["offer received with sdp", "offer answered"]);
}

#[test]
fn an_invite_without_offer_gets_ours_and_the_ack_answers_it() {
    let mut world = World::new();
    let text = "INVITE sip:12348@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKd1
From: <sip:1@10.0.0.2>;tag=a
To: <sip:12348@10.0.0.1>
Call-ID: delayed
CSeq: 1 INVITE
Contact: <sip:1@10.0.0.2>

";
    world.inject(TRUNK, SERVER, text);
    let leg = world.invited(SERVER);
    world.at(SERVER, |node, now| node.answer(now, leg, OFFER.to_vec()));
    assert_eq!(world.last_sent(SERVER).sdp(), Some(OFFER));
    let tag = world.last_sent(SERVER).to_tag().unwrap().to_owned();
    let tagged = text.replace("To: <sip:12348@10.0.0.1>", &format!("To: <sip:12348@10.0.0.1>;tag={tag}"));
    let ack = tagged.replace("INVITE", "ACK").replace("z9hG4bKd1", "z9hG4bKd2");
    world.inject(
        TRUNK,
        SERVER,
        &format!("{}Content-Type: application/sdp\n\nv=0\n", ack.trim_end_matches('\n').to_owned() + "\n"),
    );
    assert_eq!(world.words(SERVER), ["invited", "offer answered", "confirmed"]);
    // And again inside the dialog; this time the peer never answers our offer.
    world.inject(TRUNK, SERVER, &tagged.replace("z9hG4bKd1", "z9hG4bKd3").replace("CSeq: 1", "CSeq: 2"));
    assert_eq!(world.words(SERVER), ["offer received"]);
    world.at(SERVER, |node, now| node.accept_offer(now, leg, OFFER.to_vec()));
    world.inject(TRUNK, SERVER, &ack.replace("z9hG4bKd2", "z9hG4bKd4").replace("CSeq: 1", "CSeq: 2"));
    assert_eq!(world.words(SERVER), ["offer refused 488"]);
}

#[test]
fn a_bye_ends_an_exchange_that_is_under_way() {
    for hangs_up in [TRUNK, SERVER] {
        let mut world = World::new();
        let (ours, theirs) = world.call(TRUNK, SERVER);
        world.at(TRUNK, |node, now| node.reinvite(now, ours, HOLD.to_vec()));
        world.run_ms(20);
        let leg = if hangs_up == TRUNK { ours } else { theirs };
        world.at(hangs_up, |node, now| node.hang_up(now, leg));
        world.at(SERVER, |node, now| node.accept_offer(now, theirs, ANSWER.to_vec()));
        world.assert_idle();
        let other = TRUNK + SERVER - hangs_up;
        assert_eq!(world.words(hangs_up).last().map(String::as_str), Some("ended LocalHangUp"));
        assert_eq!(world.words(other).last().map(String::as_str), Some("ended Bye"));
    }
}

/// A call that lasts for an hour, with session timers of 300 s on both sides.
#[test]
fn a_session_is_refreshed_without_a_word_as_long_as_both_are_there() {
    let mut world = World::seeded(1, |_, config| config.session_expires = Duration::from_secs(300));
    let (ours, _) = world.call(TRUNK, SERVER);
    world.run_ms(3_600_000);
    assert!(world.events.is_empty());
    let refreshes = world.count_sent(TRUNK, "UPDATE") + world.count_sent(SERVER, "UPDATE");
    assert!((22..=24).contains(&refreshes), "{refreshes}");
    world.at(TRUNK, |node, now| node.hang_up(now, ours));
    world.assert_idle();
}

#[test]
fn a_peer_without_update_is_refreshed_by_the_same_offer_again() {
    let mut world = World::seeded(1, |_, config| config.session_expires = Duration::from_secs(300));
    let (_, theirs) = world.call(TRUNK, SERVER);
    world.nodes[SERVER].legs.get_mut(theirs).unwrap().record.peer_allows_update = false;
    world.run_ms(3_600_000);
    assert!(world.events.is_empty());
    assert!(world.count_sent(SERVER, "INVITE") >= 22);
    let refresh =
        world.log.iter().rev().find(|(from, m)| *from == SERVER && m.method() == Some(&Method::Invite));
    assert_eq!(refresh.unwrap().1.sdp(), Some(ANSWER));
}

#[test]
fn a_session_that_nobody_refreshes_ends_on_both_sides() {
    let mut world = World::seeded(1, |_, config| config.session_expires = Duration::from_secs(300));
    world.call(TRUNK, SERVER);
    world.faults.lost_pct = 100;
    world.run_ms(300_000);
    // The server was the refresher: its UPDATE went unanswered. The trunk waited for the end.
    assert_eq!(world.words(SERVER), ["ended Timeout"]);
    assert_eq!(world.words(TRUNK), ["ended SessionExpired"]);
    world.assert_idle();
}

#[test]
fn an_interval_too_small_is_refused_with_422_and_asked_for_again() {
    let mut world = World::new();
    let text = "INVITE sip:12348@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKs1
From: <sip:1@10.0.0.2>;tag=a
To: <sip:12348@10.0.0.1>
Call-ID: small
CSeq: 1 INVITE
Supported: timer
Session-Expires: 60
Contact: <sip:1@10.0.0.2>

";
    world.inject(TRUNK, SERVER, text);
    assert_eq!(world.last_sent(SERVER).status(), Some(422));
    assert_eq!(world.last_sent(SERVER).header("Min-SE"), Some("90"));
    assert!(world.words(SERVER).is_empty());

    let mut world = World::seeded(1, |_, config| config.session_expires = Duration::from_secs(90));
    world.at(TRUNK, |node, now| node.invite(now, invite(TRUNK, PHONE)));
    let sent = world.last_sent(TRUNK).clone();
    let mut refusal = crate::message::Message::response_to(&sent, 422);
    refusal.set_to_tag("x");
    refusal.push_header("Min-SE", "600");
    let text = String::from_utf8(refusal.encode()).unwrap().replace("\r\n", "\n");
    world.inject(PHONE, TRUNK, &text);
    let again = world.last_sent(TRUNK);
    assert_eq!(again.method(), Some(&Method::Invite));
    assert_eq!((again.header("Session-Expires"), again.header("Min-SE")), (Some("600"), Some("600")));
    assert_eq!(again.cseq().0, 2);
}

#[test]
fn a_dialog_that_the_peer_has_forgotten_ends_at_the_next_exchange() {
    let mut world = World::new();
    let (_, theirs) = world.call(TRUNK, SERVER);
    world.nodes[TRUNK] = Endpoint::new(Config::new([9; 32])); // it crashed and came back
    world.at(SERVER, |node, now| node.reinvite(now, theirs, HOLD.to_vec()));
    world.run_ms(20);
    assert_eq!(world.words(SERVER), ["ended Timeout"]);
    world.assert_idle();
}

#[test]
fn an_update_with_an_offer_is_answered_without_an_ack() {
    let mut world = World::new();
    let (_, theirs) = world.call(TRUNK, SERVER);
    let dialog = &world.nodes[SERVER].legs.get(theirs).unwrap().record.dialog;
    let text = format!(
        "UPDATE sip:12348@10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.2:5060;branch=z9hG4bKup
From: {}
To: {}
Call-ID: {}
CSeq: 7 UPDATE
Contact: <sip:moved@10.0.0.2:5070>
Content-Type: application/sdp

v=0 hold
",
        dialog.remote, dialog.local, dialog.call_id
    );
    world.inject(TRUNK, SERVER, &text);
    assert_eq!(world.words(SERVER), ["offer received with sdp"]);
    world.inject(TRUNK, SERVER, &text.replace("z9hG4bKup", "z9hG4bKup2").replace("CSeq: 7", "CSeq: 8"));
    assert_eq!(world.last_sent(SERVER).status(), Some(500), "one offer at a time");
    world.at(SERVER, |node, now| node.accept_offer(now, theirs, ANSWER.to_vec()));
    assert_eq!(world.last_sent(SERVER).sdp(), Some(ANSWER));
    world.at(SERVER, |node, now| node.hang_up(now, theirs));
    let bye = world.last_sent(SERVER);
    assert_eq!(bye.uri().unwrap().as_str(), "sip:moved@10.0.0.2:5070", "the target was refreshed");
}

#[test]
fn a_reinvite_that_outlives_its_leg_is_given_up() {
    for early in [true, false] {
        let mut world = World::new();
        let (_, theirs) = world.call(TRUNK, SERVER);
        if early {
            world.to_hold.push((TRUNK, "SIP/2.0 100"));
        }
        world.at(SERVER, |node, now| node.reinvite(now, theirs, HOLD.to_vec()));
        world.run_ms(300); // 100 Trying, and then the peer is gone
        world.nodes[TRUNK] = Endpoint::new(Config::new([9; 32]));
        world.at(SERVER, |node, now| node.hang_up(now, theirs));
        world.run_ms(100);
        world.release();
        world.faults.lost_pct = 100;
        world.run_ms(100);
        assert_eq!(world.words(SERVER), ["ended LocalHangUp"]);
        world.assert_idle();
    }
}
