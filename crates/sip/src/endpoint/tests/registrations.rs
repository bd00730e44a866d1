//! The registrar, and digest of REGISTER and INVITE.

use super::*;

fn register(transport: Transport, password: &str) -> Register {
    let target =
        Target { flow: flow(transport, PHONE, SERVER), uri: Uri::from_socket(None, address(SERVER)) };
    Register { target, user: "2001".to_owned(), password: password.to_owned(), expires_s: 120 }
}

fn world_with(tune: impl FnMut(usize, &mut Config)) -> World {
    World::seeded(1, tune)
}

#[test]
fn a_phone_registers_by_either_algorithm_and_stays_registered() {
    for (md5, sha256) in [(true, false), (false, true), (true, true)] {
        let mut world = world_with(|node, config| {
            if let Some(account) = config.accounts.get_mut("2001").filter(|_| node == SERVER) {
                account.ha1_md5 = account.ha1_md5.take().filter(|_| md5);
                account.ha1_sha256 = account.ha1_sha256.take().filter(|_| sha256);
            }
        });
        if md5 && !sha256 {
            // A phone that knows MD5 only: it does not see the other challenge.
            world.at(PHONE, |node, now| node.register(now, register(Transport::Udp, "secret")));
            let request = world.last_sent(PHONE).clone();
            world.run_ms(6);
            let mut challenge = world.last_sent(SERVER).clone();
            let md5 =
                challenge.headers_named("WWW-Authenticate").find(|v| v.ends_with("MD5")).unwrap().to_owned();
            challenge.set_header("WWW-Authenticate", &md5);
            assert_eq!(request.call_id(), challenge.call_id());
            world.wire.clear();
            let text = String::from_utf8(challenge.encode()).unwrap().replace("\r\n", "\n");
            world.inject(SERVER, PHONE, &text);
        } else {
            world.at(PHONE, |node, now| node.register(now, register(Transport::Udp, "secret")));
        }
        world.run_ms(40);
        assert_eq!(world.words(PHONE), ["register done 200"], "md5 {md5} sha256 {sha256}");
        assert_eq!(world.words(SERVER), ["registered 2001 120"]);
        let target = world.nodes[SERVER].target_of("2001").unwrap();
        assert_eq!(target.flow, flow(Transport::Udp, SERVER, PHONE));
        assert_eq!(target.uri.as_str(), "sip:2001@10.0.0.3:5060");
        if sha256 {
            world.run_ms(600_000);
            assert!(world.words(PHONE).is_empty(), "refreshes are silent");
            assert!(world.words(SERVER).len() >= 5);
        }
    }
}

#[test]
fn a_wrong_password_is_challenged_once_and_then_refused() {
    let mut world = World::new();
    world.at(PHONE, |node, now| node.register(now, register(Transport::Udp, "guess")));
    world.run_ms(40);
    assert_eq!(world.words(PHONE), ["register done 403"]);
    assert_eq!(world.words(SERVER), ["auth failed 2001"]);
    assert_eq!(world.nodes[SERVER].counters().auth_failed, 1);
    assert_eq!(world.nodes[SERVER].target_of("2001"), None);
}

#[test]
fn a_nonce_too_old_is_replaced_without_asking_the_user() {
    let mut world = world_with(|_, config| config.nonce_lifetime = Duration::from_secs(1));
    world.to_hold.push((SERVER, "SIP/2.0 401"));
    world.at(PHONE, |node, now| node.register(now, register(Transport::Udp, "secret")));
    world.run_ms(3000);
    world.release();
    world.run_ms(60);
    assert_eq!(world.words(PHONE), ["register done 200"]);
    let stale = world
        .log
        .iter()
        .filter(|(_, m)| m.headers_named("WWW-Authenticate").any(|v| v.contains("stale=true")));
    assert_eq!(stale.count(), 1);
}

#[test]
fn a_binding_goes_with_its_expiry_its_connection_or_its_account() {
    let mut world = World::new();
    world.at(PHONE, |node, now| node.register(now, register(Transport::Udp, "secret")));
    world.run_ms(40);
    world.nodes[PHONE] = Endpoint::new(Config::new([9; 32])); // the phone is gone
    world.run_ms(121_000);
    assert_eq!(world.words(SERVER), ["registered 2001 120", "unregistered 2001"]);

    let mut world = World::new();
    world.at(PHONE, |node, now| node.register(now, register(Transport::Tcp, "secret")));
    world.run_ms(40);
    assert_eq!(world.nodes[SERVER].target_of("2001").unwrap().flow.transport, Transport::Tcp);
    world.at(SERVER, |node, now| node.handle_flow_closed(now, flow(Transport::Tcp, SERVER, PHONE)));
    assert_eq!(world.words(SERVER), ["registered 2001 120", "unregistered 2001"]);

    let mut world = World::new();
    world.at(PHONE, |node, now| node.register(now, register(Transport::Udp, "secret")));
    world.run_ms(40);
    world.at(SERVER, |node, _| node.set_accounts(BTreeMap::new()));
    assert_eq!(world.words(SERVER), ["registered 2001 120", "unregistered 2001"]);
    assert_eq!(world.nodes[SERVER].sizes().bindings, 0);
}

#[test]
fn a_phone_unregisters() {
    let mut world = World::new();
    let id = world.at(PHONE, |node, now| node.register(now, register(Transport::Udp, "secret")));
    world.run_ms(40);
    world.at(PHONE, |node, now| node.unregister(now, id));
    world.run_ms(40);
    assert_eq!(world.words(PHONE), ["register done 200", "register done 200"]);
    assert_eq!(world.words(SERVER), ["registered 2001 120", "unregistered 2001"]);
    world.assert_idle();
    assert_eq!(world.nodes[PHONE].sizes().registrations, 0);
}

#[test]
fn an_expiry_too_short_is_refused_with_423_and_asked_for_again() {
    let mut world = World::new();
    let brief = Register { expires_s: 5, ..register(Transport::Udp, "secret") };
    world.at(PHONE, |node, now| node.register(now, brief));
    world.run_ms(60);
    assert_eq!(world.count_sent(SERVER, "SIP/2.0 423"), 1);
    world.run_ms(60);
    assert_eq!(world.words(PHONE), ["register done 200"]);
    assert_eq!(world.words(SERVER), ["registered 2001 30"]);
}

/// The answer to a REGISTER of 2001 with these headers, after the challenge.
fn answer_to(world: &mut World, cseq: u32, headers: &str) -> Message {
    let text = format!(
        "REGISTER sip:10.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 10.0.0.3:5060;branch=z9hG4bKr{cseq}ATTEMPT
From: <sip:2001@10.0.0.1>;tag=r
To: <sip:2001@10.0.0.1>
Call-ID: reg
CSeq: {cseq}ATTEMPT REGISTER
{headers}
AUTH
"
    );
    world.inject(PHONE, SERVER, &text.replace("ATTEMPT", "0").replace("AUTH", ""));
    let challenge = world.last_sent(SERVER);
    let challenges = challenge.headers_named("WWW-Authenticate");
    let register = crate::Method::Register;
    let value = crate::digest::authorize(challenges, &register, "sip:10.0.0.1", "2001", "secret", "c");
    let authorization = format!("Authorization: {}\n", value.unwrap());
    world.inject(PHONE, SERVER, &text.replace("ATTEMPT", "1").replace("AUTH", &authorization));
    world.last_sent(SERVER).clone()
}

#[test]
fn all_bindings_are_told_and_a_star_removes_them() {
    let mut world = World::new();
    let ok = answer_to(&mut world, 1, "Contact: <sip:a@10.0.0.3>, <sip:b@10.0.0.3>;expires=60\nExpires: 90");
    let contacts: Vec<&str> = ok.headers_named("Contact").collect();
    assert_eq!(contacts, ["<sip:a@10.0.0.3>;expires=90", "<sip:b@10.0.0.3>;expires=60"]);
    assert_eq!(world.nodes[SERVER].target_of("2001").unwrap().uri.as_str(), "sip:b@10.0.0.3");
    let old = answer_to(&mut world, 0, "Contact: <sip:a@10.0.0.3>");
    assert_eq!(old.status(), Some(500), "an older CSeq of the same Call-ID");
    let bad = answer_to(&mut world, 2, "Contact: *\nExpires: 60");
    assert_eq!(bad.status(), Some(400));
    let query = answer_to(&mut world, 3, "X-Y: z");
    assert_eq!(query.headers_named("Contact").count(), 2);
    let gone = answer_to(&mut world, 4, "Contact: *\nExpires: 0");
    assert_eq!((gone.status(), gone.headers_named("Contact").count()), (Some(200), 0));
    assert_eq!(world.words(SERVER), ["registered 2001 60", "unregistered 2001"]);
}

#[test]
fn a_phone_must_prove_that_it_is_the_account_it_calls_from() {
    let from_phone = |password: Option<&str>, user: &str| Invite {
        from_user: user.to_owned(),
        credentials: password
            .map(|password| Credentials { user: "2001".to_owned(), password: password.to_owned() }),
        ..invite(PHONE, SERVER)
    };
    let mut world = World::new();
    world.at(PHONE, |node, now| node.invite(now, from_phone(Some("secret"), "2001")));
    world.run_ms(40);
    let Some((_, Event::Invited { invite, .. })) = world.events.first() else { panic!() };
    assert_eq!((invite.user.as_deref(), invite.trusted), (Some("2001"), false));

    let mut world = World::new();
    world.at(PHONE, |node, now| node.invite(now, from_phone(Some("guess"), "2001")));
    world.run_ms(40);
    assert_eq!(world.words(PHONE), ["failed 403"]);
    assert_eq!(world.words(SERVER), ["auth failed 2001"]);
    world.assert_idle();

    let mut world = World::new();
    world.at(PHONE, |node, now| node.invite(now, from_phone(None, "2001")));
    world.run_ms(40);
    assert_eq!(world.words(PHONE), ["failed 401"]);
    assert!(world.words(SERVER).is_empty());

    let mut world = World::new();
    world.at(PHONE, |node, now| node.invite(now, from_phone(None, "stranger")));
    world.run_ms(40);
    let Some((_, Event::Invited { invite, .. })) = world.events.first() else { panic!() };
    assert_eq!((invite.user.as_deref(), invite.trusted), (None, false));
}

#[test]
fn a_call_to_a_registered_phone_takes_the_way_that_it_registered_on() {
    let mut world = World::new();
    world.at(PHONE, |node, now| node.register(now, register(Transport::Tcp, "secret")));
    world.run_ms(40);
    let target = world.nodes[SERVER].target_of("2001").unwrap();
    let leg = world.at(SERVER, |node, now| node.invite(now, Invite { target, ..invite(SERVER, PHONE) }));
    world.run_ms(20);
    let theirs = world.invited(PHONE);
    world.at(PHONE, |node, now| node.answer(now, theirs, ANSWER.to_vec()));
    world.run_ms(20);
    world.at(SERVER, |node, now| node.hang_up(now, leg));
    world.run_ms(20);
    assert_eq!(world.words(SERVER), ["registered 2001 120", "answered", "ended LocalHangUp"]);
    world.assert_idle();
}
