//! Message waiting: subscriptions to one's own mailbox.

use super::*;
use crate::mailboxes::{MAX_SUBSCRIPTIONS, MAX_SUBSCRIPTIONS_OF_USER, Subscription};

/// One request of the phone in a dialog, or one that makes it.
#[derive(Clone, Copy)]
struct Ask<'a> {
    method: &'a str,
    uri: &'a str,
    user: &'a str,
    password: &'a str,
    call_id: &'a str,
    to_tag: &'a str,
    cseq: u32,
    headers: &'a str,
}

const SUBSCRIBE: Ask<'_> = Ask {
    method: "SUBSCRIBE",
    uri: "sip:2001@10.0.0.1",
    user: "2001",
    password: "secret",
    call_id: "mwi",
    to_tag: "",
    cseq: 1,
    headers: "Event: message-summary\nContact: <sip:2001@10.0.0.3:5060>\n",
};
const REGISTER: Ask<'_> = Ask { method: "REGISTER", call_id: "reg", ..SUBSCRIBE };

/// The answer, after the challenge if there is one.
fn ask(world: &mut World, ask: Ask<'_>) -> Message {
    let Ask { method, uri, user, password, call_id, to_tag, cseq, headers } = ask;
    let tag = if to_tag.is_empty() { String::new() } else { format!(";tag={to_tag}") };
    let text = format!(
        "{method} {uri} SIP/2.0
Via: SIP/2.0/UDP 10.0.0.3:5060;branch=z9hG4bK{method}{call_id}{cseq}ATTEMPT
From: <sip:{user}@10.0.0.1>;tag={call_id}
To: <sip:{user}@10.0.0.1>{tag}
Call-ID: {call_id}
CSeq: {cseq}ATTEMPT {method}
{headers}AUTH
"
    );
    let answer = |world: &World| {
        let mut sent = world.log.iter().rev().filter(|(node, m)| *node == SERVER && m.status().is_some());
        sent.next().unwrap().1.clone()
    };
    world.inject(PHONE, SERVER, &text.replace("ATTEMPT", "0").replace("AUTH", ""));
    let first = answer(world);
    if first.status() != Some(401) {
        return first;
    }
    let challenges = first.headers_named("WWW-Authenticate");
    let token = Method::parse(method).unwrap();
    let value = crate::digest::authorize(challenges, &token, uri, user, password, "c").unwrap();
    let authorization = format!("Authorization: {value}\n");
    world.inject(PHONE, SERVER, &text.replace("ATTEMPT", "1").replace("AUTH", &authorization));
    answer(world)
}

/// A world in which the phone is registered for an hour.
fn registered() -> World {
    let mut world = World::new();
    let headers = "Contact: <sip:2001@10.0.0.3:5060>;expires=3600\n";
    assert_eq!(ask(&mut world, Ask { headers, ..REGISTER }).status(), Some(200));
    world.events.clear();
    world
}

/// ... and subscribed; the tag of the dialog.
fn subscribed() -> (World, String) {
    let mut world = registered();
    let answer = ask(&mut world, SUBSCRIBE);
    assert_eq!((answer.status(), answer.header("Expires")), (Some(200), Some("3600")));
    let tag = answer.to_tag().unwrap().to_owned();
    world.run_ms(2000);
    (world, tag)
}

/// Subscription-State and voice messages of every NOTIFY.
fn told(world: &World) -> Vec<String> {
    let notifies = world.log.iter().filter(|(_, m)| m.method() == Some(&Method::Notify));
    let mut told: Vec<(u32, String)> = notifies
        .map(|(_, notify)| {
            let body = String::from_utf8_lossy(&notify.body).into_owned();
            let counts =
                body.lines().find_map(|line| line.strip_prefix("Voice-Message: ")).unwrap().to_owned();
            let call_id = notify.call_id();
            (notify.cseq().0, format!("{call_id} {}: {counts}", notify.header("Subscription-State").unwrap()))
        })
        .collect();
    told.dedup();
    told.into_iter().map(|(_, text)| text).collect()
}

fn set(world: &mut World, new: u32, old: u32) {
    world.at(SERVER, |node, now| node.set_mailbox(now, "2001", new, old));
}

fn assert_nothing_left(world: &mut World) {
    world.assert_idle();
    let left = world.nodes[SERVER].sizes();
    assert_eq!((left.subscriptions, left.timers), (0, left.bindings));
}

#[test]
fn a_phone_is_told_at_once_and_whenever_something_changes() {
    let mut world = registered();
    set(&mut world, 0, 3);
    let answer = ask(&mut world, SUBSCRIBE);
    assert!(answer.contact().is_some());
    world.run_ms(2000);
    set(&mut world, 2, 3);
    set(&mut world, 2, 3); // no news
    world.run_ms(2000);
    set(&mut world, 0, 0);
    world.run_ms(2000);
    let told = told(&world);
    assert_eq!(
        told,
        [
            "mwi active;expires=3600: 0/3 (0/0)",
            "mwi active;expires=3598: 2/3 (0/0)",
            "mwi active;expires=3596: 0/0 (0/0)"
        ]
    );
    let second = world.log.iter().find(|(_, m)| m.body.starts_with(b"Messages-Waiting: yes")).unwrap();
    let body =
        "Messages-Waiting: yes\r\nMessage-Account: sip:2001@10.0.0.1:5060\r\nVoice-Message: 2/3 (0/0)\r\n";
    assert_eq!(second.1.body, body.as_bytes());
    assert_eq!(second.1.header("Content-Type"), Some("application/simple-message-summary"));
    assert_eq!(second.1.header("Event"), Some("message-summary"));
    assert_eq!(second.1.uri().unwrap().as_str(), "sip:2001@10.0.0.3:5060");
    assert!(second.1.contact().is_some());
}

#[test]
fn nobody_is_told_who_has_not_asked() {
    let mut world = registered();
    set(&mut world, 1, 0);
    world.at(SERVER, |node, now| node.set_mailbox(now, "stranger", 1, 0));
    world.run_ms(5000);
    assert_eq!(world.count_sent(SERVER, "NOTIFY"), 0);
}

#[test]
fn a_refused_subscription_says_why() {
    let check = |ask_: Ask<'_>, status: u16| {
        let mut world = registered();
        assert_eq!(ask(&mut world, ask_).status(), Some(status), "{}", ask_.headers);
        world.run_ms(2000);
        assert_eq!(world.count_sent(SERVER, "NOTIFY"), 0);
        assert_nothing_left(&mut world);
    };
    let with = |headers: &'static str| Ask { headers, ..SUBSCRIBE };
    check(with("Event: presence\n"), 489);
    check(with("Contact: <sip:2001@10.0.0.3>\n"), 489);
    check(with("Event: message-summary\n"), 400);
    check(
        with("Event: message-summary\nContact: <sip:a@h>\nAccept: application/pidf+xml, text/plain;q=1\n"),
        406,
    );
    check(with("Event: message-summary\nContact: <sip:a@h>\nExpires: 59\n"), 423);
    check(with("Event: message-summary\nEvent: message-summary\nContact: <sip:a@h>\n"), 400);
    check(Ask { password: "guess", ..SUBSCRIBE }, 403);
    check(Ask { uri: "sip:2002@10.0.0.1", ..SUBSCRIBE }, 403);
    check(Ask { user: "2002", uri: "sip:2002@10.0.0.1", ..SUBSCRIBE }, 403);
    check(Ask { to_tag: "none", ..SUBSCRIBE }, 481);
    let long = format!("Event: message-summary;id={}\nContact: <sip:a@h>\n", "x".repeat(200));
    check(Ask { headers: &long, ..SUBSCRIBE }, 489);

    let mut world = registered();
    assert_eq!(ask(&mut world, with("Event: dialog\n")).header("Allow-Events"), Some("message-summary"));
    let brief = with("Event: message-summary\nContact: <sip:a@h>\nExpires: 1\n");
    assert_eq!(ask(&mut world, Ask { cseq: 2, ..brief }).header("Min-Expires"), Some("60"));
}

#[test]
fn whoever_is_not_registered_cannot_subscribe() {
    let mut world = World::new();
    assert_eq!(ask(&mut world, SUBSCRIBE).status(), Some(480));
    assert_nothing_left(&mut world);
}

#[test]
fn what_a_phone_accepts_and_how_it_calls_its_subscription() {
    for accept in ["application/simple-message-summary;q=0.5", "text/plain, */*", "application/*"] {
        let mut world = registered();
        let headers =
            format!("Event: Message-Summary ; id=7a\nContact: <sip:a@10.0.0.3>\nAccept: {accept}\n");
        assert_eq!(ask(&mut world, Ask { headers: &headers, ..SUBSCRIBE }).status(), Some(200));
        assert_eq!(world.last_sent(SERVER).header("Event"), Some("message-summary;id=7a"));
    }
}

#[test]
fn a_subscription_is_refreshed_given_up_or_runs_out() {
    let (mut world, tag) = subscribed();
    let again = |cseq: u32, headers| Ask { to_tag: &tag, cseq, headers, ..SUBSCRIBE };
    let brief = "Event: message-summary\nContact: <sip:new@10.0.0.3:5070>\nExpires: 100\n";
    let answer = ask(&mut world, again(2, brief));
    assert_eq!((answer.status(), answer.header("Expires")), (Some(200), Some("100")));
    assert_eq!(world.last_sent(SERVER).uri().unwrap().as_str(), "sip:new@10.0.0.3:5070");
    assert_eq!(ask(&mut world, again(0, brief)).status(), Some(500), "an old one");
    assert_eq!(ask(&mut world, again(3, "Event: message-summary;id=x\n")).status(), Some(489));
    assert_eq!(ask(&mut world, again(4, "Event: message-summary\nExpires: 5\n")).status(), Some(423));
    assert_eq!(ask(&mut world, Ask { password: "guess", ..again(5, brief) }).status(), Some(403));
    assert_eq!(ask(&mut world, Ask { call_id: "other", ..again(6, brief) }).status(), Some(481));
    world.run_ms(101_000);
    assert_eq!(ask(&mut world, again(7, brief)).status(), Some(481));
    let expect = [
        "mwi active;expires=3600: 0/0 (0/0)",
        "mwi active;expires=100: 0/0 (0/0)",
        "mwi terminated;reason=timeout: 0/0 (0/0)",
    ];
    assert_eq!(told(&world), expect);
    assert_nothing_left(&mut world);

    let (mut world, tag) = subscribed();
    let given_up =
        Ask { to_tag: &tag, cseq: 2, headers: "Event: message-summary\nExpires: 0\n", ..SUBSCRIBE };
    assert_eq!(ask(&mut world, given_up).header("Expires"), Some("0"));
    set(&mut world, 1, 0);
    world.run_ms(2000);
    let expect = ["mwi active;expires=3600: 0/0 (0/0)", "mwi terminated;reason=timeout: 0/0 (0/0)"];
    assert_eq!(told(&world), expect);
    assert_nothing_left(&mut world);
}

#[test]
fn a_mailbox_can_be_asked_once() {
    let mut world = registered();
    set(&mut world, 4, 1);
    let headers = "Event: message-summary\nContact: <sip:2001@10.0.0.3>\nExpires: 0\n";
    assert_eq!(ask(&mut world, Ask { headers, ..SUBSCRIBE }).status(), Some(200));
    world.run_ms(2000);
    assert_eq!(told(&world), ["mwi terminated;reason=timeout: 4/1 (0/0)"]);
    assert_nothing_left(&mut world);
}

#[test]
fn changes_in_a_row_are_told_once_a_second_and_the_last_counts() {
    let (mut world, _) = subscribed();
    for new in 1..=50 {
        set(&mut world, new, 0);
        world.run_ms(100);
    }
    world.run_ms(3000);
    let told = told(&world);
    assert!((6..=8).contains(&told.len()), "{told:?}");
    assert!(told.last().unwrap().ends_with(": 50/0 (0/0)"));
}

#[test]
fn what_changes_during_a_notify_is_told_after_its_answer() {
    let mut world = registered();
    world.to_lose.push((PHONE, "SIP/2.0 200"));
    ask(&mut world, SUBSCRIBE);
    set(&mut world, 1, 0);
    set(&mut world, 2, 0);
    world.run_ms(300);
    assert_eq!(world.count_sent(SERVER, "NOTIFY"), 1);
    world.run_ms(3000);
    let expect = ["mwi active;expires=3600: 0/0 (0/0)", "mwi active;expires=3599: 2/0 (0/0)"];
    assert_eq!(told(&world), expect);
}

#[test]
fn a_refresh_tells_what_was_waiting_to_be_told() {
    let (mut world, tag) = subscribed();
    set(&mut world, 1, 0);
    world.run_ms(100);
    set(&mut world, 2, 0); // waits for its second
    world.run_ms(100);
    ask(&mut world, Ask { to_tag: &tag, cseq: 2, ..SUBSCRIBE });
    world.run_ms(5000);
    let told: Vec<String> = told(&world).into_iter().skip(1).collect();
    assert_eq!(told, ["mwi active;expires=3598: 1/0 (0/0)", "mwi active;expires=3600: 2/0 (0/0)"]);
}

#[test]
fn a_phone_that_takes_no_notify_is_forgotten() {
    for answer in [Some(481), Some(500), None] {
        let (mut world, _) = subscribed();
        world.notify_answer = answer;
        set(&mut world, 1, 0);
        world.run_ms(33_000);
        let count = world.count_sent(SERVER, "NOTIFY");
        set(&mut world, 2, 0);
        world.run_ms(2000);
        assert_eq!(world.count_sent(SERVER, "NOTIFY"), count, "{answer:?}");
        assert_nothing_left(&mut world);
    }
}

#[test]
fn a_user_has_a_bounded_number_of_phones() {
    let mut world = registered();
    let names: Vec<String> = (0..=MAX_SUBSCRIPTIONS_OF_USER).map(|n| format!("phone{n}")).collect();
    for name in &names {
        assert_eq!(ask(&mut world, Ask { call_id: name, ..SUBSCRIBE }).status(), Some(200));
    }
    world.run_ms(2000);
    assert_eq!(world.nodes[SERVER].sizes().subscriptions, MAX_SUBSCRIPTIONS_OF_USER);
    let ended: Vec<String> = told(&world).into_iter().filter(|text| text.contains("terminated")).collect();
    assert_eq!(ended, ["phone0 terminated;reason=probation: 0/0 (0/0)"]);
}

#[test]
fn above_the_bound_of_all_subscriptions_nobody_new_is_taken() {
    let (mut world, tag) = subscribed();
    let endpoint = &mut world.nodes[SERVER];
    let id = endpoint.mailboxes.by_tag(&tag).unwrap();
    let model = endpoint.mailboxes.get(id).unwrap().clone();
    for n in 1..MAX_SUBSCRIPTIONS {
        let mut other = Subscription { user: format!("user{n}"), ..model.clone() };
        other.dialog.local_tag = format!("tag{n}");
        endpoint.mailboxes.add(other);
    }
    let answer = ask(&mut world, Ask { call_id: "more", ..SUBSCRIBE });
    assert_eq!((answer.status(), answer.header("Retry-After")), (Some(503), Some("5")));
    assert_eq!(world.nodes[SERVER].counters().refused_overload, 1);
    let refresh = Ask { to_tag: &tag, cseq: 2, ..SUBSCRIBE };
    assert_eq!(ask(&mut world, refresh).status(), Some(200), "who is there stays");
}

#[test]
fn a_mailbox_goes_with_its_account_and_a_phone_with_its_connection() {
    let (mut world, _) = subscribed();
    set(&mut world, 1, 0);
    world.run_ms(2000);
    let accounts = world.nodes[SERVER].accounts.clone();
    world.at(SERVER, |node, _| node.set_accounts(BTreeMap::new()));
    world.at(SERVER, |node, _| node.set_accounts(accounts));
    world.run_ms(2000);
    assert_eq!(told(&world).last().unwrap(), "mwi terminated;reason=rejected: 0/0 (0/0)");
    assert_nothing_left(&mut world);

    let (mut world, tag) = subscribed();
    let endpoint = &mut world.nodes[SERVER];
    let id = endpoint.mailboxes.by_tag(&tag).unwrap();
    let tcp = flow(Transport::Tcp, SERVER, PHONE);
    endpoint.mailboxes.refresh(id, tcp, world.now);
    let count = world.count_sent(SERVER, "NOTIFY");
    world.at(SERVER, |node, now| node.handle_flow_closed(now, tcp));
    assert_eq!(world.count_sent(SERVER, "NOTIFY"), count, "nobody is there to be told");
    assert_nothing_left(&mut world);
}

#[test]
fn a_copy_of_a_subscribe_makes_no_second_subscription() {
    let mut world = registered();
    ask(&mut world, SUBSCRIBE);
    let retransmissions = world.nodes[SERVER].counters().retransmissions;
    ask(&mut world, SUBSCRIBE);
    assert_eq!(world.nodes[SERVER].counters().retransmissions, retransmissions + 2);
    assert_eq!(world.nodes[SERVER].sizes().subscriptions, 1);
    assert_eq!(world.count_sent(SERVER, "NOTIFY"), 1);
}

#[test]
fn inside_a_call_there_is_nothing_to_subscribe_to() {
    let mut world = World::new();
    let (ours, _) = world.call(TRUNK, SERVER);
    world.say(TRUNK, ours, Method::Subscribe, &[("Event", "refer")], "");
    world.run_ms(20);
    assert_eq!(world.last_sent(SERVER).status(), Some(489));
    assert_eq!(world.last_sent(SERVER).header("Allow-Events"), Some("message-summary"));
}
