//! INVITEs that want the place of another call (RFC 3891).

use super::*;
use crate::endpoint::leg::State;

/// The server's leg of a call from the trunk, and what a Replaces says of it.
fn called(world: &mut World) -> (LegId, String) {
    let (_, leg) = world.call(TRUNK, SERVER);
    (leg, replaces(world, SERVER, leg))
}

fn replaces(world: &World, node: usize, leg: LegId) -> String {
    let dialog = &world.nodes[node].legs.get(leg).unwrap().record.dialog;
    let from_tag = dialog.remote_tag.as_deref().unwrap_or("0");
    format!("{};to-tag={};from-tag={from_tag}", dialog.call_id, dialog.local_tag)
}

/// What becomes at the server of an INVITE with these headers: the leg that it replaces, or its refusal.
fn outcome(world: &mut World, headers: &[(&str, &str)]) -> Result<Option<LegId>, u16> {
    world.events.clear();
    let mut call = invite(TRUNK, SERVER);
    call.headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    world.at(TRUNK, |node, now| node.invite(now, call));
    world.run_ms(20);
    let invited = world.events.iter().find_map(|(node, event)| match event {
        Event::Invited { invite, .. } if *node == SERVER => Some(invite.replaces),
        _ => None,
    });
    invited.ok_or_else(|| {
        let mut sent =
            world.log.iter().rev().filter(|(node, m)| *node == SERVER && m.cseq().1 == Method::Invite);
        sent.find_map(|(_, m)| m.status()).unwrap()
    })
}

#[test]
fn an_invite_may_take_the_place_of_an_answered_call() {
    let mut world = World::new();
    let (leg, value) = called(&mut world);
    assert_eq!(outcome(&mut world, &[("Replaces", &value), ("Require", "replaces")]), Ok(Some(leg)));
    assert_eq!(outcome(&mut world, &[]), Ok(None));
    assert!(world.nodes[SERVER].legs.get(leg).is_some(), "what follows is decided elsewhere");
}

#[test]
fn an_invite_that_replaces_nothing_of_ours_is_refused() {
    let mut world = World::new();
    let (leg, value) = called(&mut world);
    let check = |world: &mut World, value: &str, status: u16| {
        assert_eq!(outcome(world, &[("Replaces", value)]), Err(status), "{value}");
    };
    check(&mut world, "none;to-tag=a;from-tag=b", 481);
    check(&mut world, &value.replace("to-tag=", "to-tag=x"), 481);
    check(&mut world, &value.replace("from-tag=", "from-tag=x"), 481);
    check(&mut world, &value.replace(';', "x;"), 481);
    check(&mut world, &format!("{value};early-only"), 486);
    check(&mut world, "none", 400);
    check(&mut world, &format!("{value}, {value}"), 400);
    assert_eq!(outcome(&mut world, &[("Replaces", &value), ("Replaces", &value)]), Err(400));
    world.to_hold.push((TRUNK, "SIP/2.0 200"));
    world.at(SERVER, |node, now| node.hang_up(now, leg));
    check(&mut world, &value, 603);
    world.release();
    world.run_ms(20);
    check(&mut world, &value, 481);
}

#[test]
fn of_early_calls_only_our_own_can_be_replaced() {
    let mut world = World::new();
    world.at(TRUNK, |node, now| node.invite(now, invite(TRUNK, SERVER)));
    let ours = world.at(SERVER, |node, now| node.invite(now, invite(SERVER, PHONE)));
    world.run_ms(20);
    let (incoming, at_phone) = (world.invited(SERVER), world.invited(PHONE));
    let value = replaces(&world, SERVER, incoming);
    assert_eq!(outcome(&mut world, &[("Replaces", &value)]), Err(481));
    world.at(PHONE, |node, now| node.ring(now, at_phone, 180, None));
    world.run_ms(20);
    let State::Calling(calling) = &world.nodes[SERVER].legs.get(ours).unwrap().state else { panic!() };
    let early = &calling.early[0].dialog;
    let tag = early.remote_tag.clone().unwrap();
    let value = format!("{};early-only;from-tag={tag};to-tag={}", early.call_id, early.local_tag);
    assert_eq!(outcome(&mut world, &[("Replaces", &value)]), Ok(Some(ours)));
}

#[test]
fn a_peer_without_a_tag_is_named_by_0() {
    let mut world = World::new();
    let (leg, _) = called(&mut world);
    world.nodes[SERVER].legs.get_mut(leg).unwrap().record.dialog.remote_tag = None;
    let value = replaces(&world, SERVER, leg);
    assert!(value.ends_with("from-tag=0"));
    assert_eq!(outcome(&mut world, &[("Replaces", &value)]), Ok(Some(leg)));
}

#[test]
fn only_an_invite_can_replace() {
    let mut world = World::new();
    let (ours, leg) = world.call(TRUNK, SERVER);
    let value = replaces(&world, SERVER, leg);
    for method in [Method::Options, Method::Update, Method::Bye] {
        world.say(TRUNK, ours, method, &[("Replaces", &value)], "");
        world.run_ms(20);
        assert_eq!(world.last_sent(SERVER).status(), Some(400));
    }
    assert!(world.words(SERVER).is_empty());
}

#[test]
fn a_stranger_learns_nothing_about_our_calls() {
    let mut world = World::new();
    let (_, value) = called(&mut world);
    for value in [value.as_str(), "none;to-tag=a;from-tag=b"] {
        let mut call = invite(PHONE, SERVER);
        call.from_user = "2001".to_owned();
        call.headers = vec![("Replaces".to_owned(), value.to_owned())];
        world.at(PHONE, |node, now| node.invite(now, call));
        world.run_ms(20);
        assert_eq!(world.words(PHONE), ["failed 401"]);
    }
}
