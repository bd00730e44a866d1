use super::*;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

/// A test that hears nothing for so long has failed.
const DEADLINE: Duration = Duration::from_secs(20);

const HELLO: &str = "OPTIONS sip:hotline@127.0.0.1 SIP/2.0\r\nContent-Length: 5\r\n\r\nhello";
const BYE: &str = "BYE sip:hotline@127.0.0.1 SIP/2.0\r\nContent-Length: 0\r\n\r\n";

fn free() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 0))
}

fn start_with(limits: SipLimits) -> (SipSockets, Inbox<Inbound>) {
    let (post, mut inbox) = inbox(1000, Duration::from_millis(1)).unwrap();
    let config = SipConfig { udp: vec![free(), free()], tcp: vec![free()], limits };
    (start(&config, post, &mut inbox).unwrap(), inbox)
}

fn start_here() -> (SipSockets, Inbox<Inbound>) {
    start_with(SipLimits::default())
}

/// The next that comes within a moment.
fn glance(inbox: &mut Inbox<Inbound>) -> Option<Inbound> {
    inbox.take().or_else(|| {
        inbox.wait(Duration::from_millis(1)).unwrap();
        inbox.take()
    })
}

fn hear(inbox: &mut Inbox<Inbound>) -> Inbound {
    let begun_at = Instant::now();
    loop {
        match glance(inbox) {
            Some(heard) => return heard,
            None => assert!(begun_at.elapsed() < DEADLINE, "something is to be heard"),
        }
    }
}

fn packets(inbox: &mut Inbox<Inbound>, count: usize) -> Vec<Packet> {
    let packet = |_| match hear(inbox) {
        Inbound::Packet(packet) => packet,
        Inbound::FlowClosed(flow) => panic!("{flow:?} closed too early"),
    };
    (0..count).map(packet).collect()
}

fn texts(packets: &[Packet]) -> Vec<&str> {
    packets.iter().map(|packet| std::str::from_utf8(&packet.bytes).unwrap()).collect()
}

fn connect(sockets: &SipSockets) -> (TcpStream, Flow) {
    let stream = TcpStream::connect(sockets.tcp()[0]).unwrap();
    stream.set_read_timeout(Some(DEADLINE)).unwrap();
    let flow =
        Flow { transport: Transport::Tcp, local: sockets.tcp()[0], remote: stream.local_addr().unwrap() };
    (stream, flow)
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let begun_at = Instant::now();
    while !condition() {
        assert!(begun_at.elapsed() < DEADLINE, "{what} has not come");
        thread::yield_now();
    }
}

#[test]
fn datagrams_come_and_go_through_the_socket_that_their_flow_names() {
    let (sockets, mut inbox) = start_here();
    let peer = UdpSocket::bind(free()).unwrap();
    peer.set_read_timeout(Some(DEADLINE)).unwrap();
    for local in sockets.udp() {
        let before = now();
        peer.send_to(b"to us", local).unwrap();
        let heard = packets(&mut inbox, 1);
        let flow = Flow { transport: Transport::Udp, local, remote: peer.local_addr().unwrap() };
        assert_eq!((heard[0].flow, &heard[0].bytes[..]), (flow, &b"to us"[..]));
        assert!(heard[0].at >= before);
        sockets.send(flow, b"from us");
        let mut buffer = [0; 100];
        let (length, from) = peer.recv_from(&mut buffer).unwrap();
        assert_eq!((&buffer[..length], from), (&b"from us"[..], local));
    }
    let nowhere = Flow { transport: Transport::Udp, local: free(), remote: peer.local_addr().unwrap() };
    sockets.send(nowhere, b"lost");
    let counters = sockets.counters();
    assert_eq!((counters.udp_received, counters.udp_unsent, counters.udp_dropped), (2, 1, 0));
}

#[test]
fn a_burst_of_datagrams_keeps_its_order() {
    let (sockets, mut inbox) = start_here();
    let peer = UdpSocket::bind(free()).unwrap();
    let local = sockets.udp().next().unwrap();
    for number in 0..150_u32 {
        peer.send_to(&number.to_be_bytes(), local).unwrap();
    }
    let numbers: Vec<u32> = packets(&mut inbox, 150)
        .iter()
        .map(|packet| u32::from_be_bytes(packet.bytes[..].try_into().unwrap()))
        .collect();
    assert_eq!(numbers, (0..150).collect::<Vec<u32>>());
}

#[test]
fn datagrams_that_find_too_many_waiting_are_dropped_and_counted() {
    let (sockets, mut inbox) = start_here();
    let peer = UdpSocket::bind(free()).unwrap();
    let local = sockets.udp().next().unwrap();
    wait_until("the first drop", || {
        for _ in 0..100 {
            peer.send_to(b"x", local).unwrap();
        }
        inbox.wait(Duration::ZERO).unwrap();
        sockets.counters().udp_dropped > 0
    });
    assert_eq!(sockets.counters().udp_received, DATAGRAMS_MAX as u64);
    packets(&mut inbox, DATAGRAMS_MAX);
}

#[test]
fn a_sleeper_is_woken_by_a_datagram_and_by_a_post() {
    let (post, mut inbox) = inbox(10, Duration::ZERO).unwrap();
    let config = SipConfig { udp: vec![free()], ..SipConfig::default() };
    let sockets = start(&config, post.clone(), &mut inbox).unwrap();
    let (peer, local) = (UdpSocket::bind(free()).unwrap(), sockets.udp().next().unwrap());
    let (heard, hears) = std::sync::mpsc::sync_channel(2);
    let sleeper = thread::spawn(move || {
        // It would sleep for ever.
        while heard.send(inbox.take()).is_ok() {
            inbox.wait(Duration::MAX).unwrap();
        }
    });
    let next = || loop {
        if let Some(inbound) = hears.recv_timeout(DEADLINE).expect("it sleeps on") {
            return inbound;
        }
    };
    let flow = Flow { transport: Transport::Udp, local, remote: peer.local_addr().unwrap() };
    for round in 0..1_000_u32 {
        post.send(Inbound::FlowClosed(flow)).unwrap();
        assert_eq!(next(), Inbound::FlowClosed(flow));
        peer.send_to(&round.to_be_bytes(), local).unwrap();
        let Inbound::Packet(packet) = next() else { panic!("no datagram") };
        assert_eq!(packet.bytes, round.to_be_bytes());
    }
    drop(hears);
    post.send(Inbound::FlowClosed(flow)).unwrap();
    sleeper.join().unwrap();
}

#[test]
fn a_stream_is_cut_into_messages_and_keep_alives_are_answered() {
    let (sockets, mut inbox) = start_here();
    let (mut stream, flow) = connect(&sockets);
    let (first, second) = HELLO.split_at(40);
    stream.write_all(first.as_bytes()).unwrap();
    stream.write_all(format!("{second}\r\n\r\n{BYE}").as_bytes()).unwrap();
    let heard = packets(&mut inbox, 2);
    assert_eq!(texts(&heard), [HELLO, BYE]);
    assert!(heard.iter().all(|packet| packet.flow == flow));
    sockets.send(flow, b"answer");
    let mut answer = [0; 8];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(&answer, b"\r\nanswer");
    drop(stream);
    assert_eq!(hear(&mut inbox), Inbound::FlowClosed(flow));
}

#[test]
fn the_last_messages_of_a_connection_come_before_its_end() {
    let (sockets, mut inbox) = start_here();
    let (mut stream, flow) = connect(&sockets);
    stream.write_all(HELLO.repeat(200).as_bytes()).unwrap();
    drop(stream);
    assert_eq!(packets(&mut inbox, 200).len(), 200);
    assert_eq!(hear(&mut inbox), Inbound::FlowClosed(flow));
}

#[test]
fn a_flow_without_a_connection_gets_one_and_keeps_its_name() {
    let (sockets, mut inbox) = start_here();
    let peer = TcpListener::bind(free()).unwrap();
    let flow =
        Flow { transport: Transport::Tcp, local: sockets.tcp()[0], remote: peer.local_addr().unwrap() };
    sockets.send(flow, HELLO.as_bytes());
    sockets.send(flow, BYE.as_bytes());
    let (mut stream, _) = peer.accept().unwrap();
    let mut both = vec![0; HELLO.len() + BYE.len()];
    stream.read_exact(&mut both).unwrap();
    assert_eq!(String::from_utf8(both).unwrap(), format!("{HELLO}{BYE}"));
    stream.write_all(BYE.as_bytes()).unwrap();
    let heard = packets(&mut inbox, 1);
    assert_eq!((heard[0].flow, texts(&heard)), (flow, vec![BYE]));
    drop(stream);
    assert_eq!(hear(&mut inbox), Inbound::FlowClosed(flow));
}

#[test]
fn a_connection_that_cannot_be_had_is_reported() {
    let (sockets, mut inbox) = start_here();
    let gone = TcpListener::bind(free()).unwrap().local_addr().unwrap();
    let flow = Flow { transport: Transport::Tcp, local: sockets.tcp()[0], remote: gone };
    sockets.send(flow, HELLO.as_bytes());
    assert_eq!(hear(&mut inbox), Inbound::FlowClosed(flow));
    assert_eq!(sockets.counters().tcp_unsent, 1);
}

#[test]
fn a_peer_that_does_not_read_is_hung_up() {
    let (sockets, mut inbox) = start_with(SipLimits { tcp_write_bytes_max: 10_000, ..SipLimits::default() });
    let (mut stream, flow) = connect(&sockets);
    stream.write_all(HELLO.as_bytes()).unwrap();
    packets(&mut inbox, 1);
    let begun_at = Instant::now();
    loop {
        sockets.send(flow, &[b'x'; 9_000]);
        match glance(&mut inbox) {
            Some(closed) => break assert_eq!(closed, Inbound::FlowClosed(flow)),
            None => assert!(begun_at.elapsed() < DEADLINE, "it is still open"),
        }
    }
}

#[test]
fn one_connection_too_many_is_closed_at_once() {
    let (sockets, mut inbox) = start_with(SipLimits { tcp_connections_max: 1, ..SipLimits::default() });
    let (mut first, _) = connect(&sockets);
    first.write_all(HELLO.as_bytes()).unwrap();
    packets(&mut inbox, 1);
    let (mut second, _) = connect(&sockets);
    assert_eq!(second.read(&mut [0; 10]).unwrap(), 0);
    wait_until("the count", || sockets.counters().tcp_refused == 1);
    assert_eq!(sockets.counters().tcp_accepted, 1);
}

#[test]
fn who_does_not_speak_sip_or_does_not_speak_is_hung_up() {
    let limits = SipLimits { tcp_first_message_max: Duration::from_millis(20), ..SipLimits::default() };
    let (sockets, mut inbox) = start_with(limits);
    let (mut talker, flow) = connect(&sockets);
    talker.write_all(b"GET / HTTP/1.1\r\n\r\n").unwrap();
    assert_eq!(hear(&mut inbox), Inbound::FlowClosed(flow));
    let (mut silent, flow) = connect(&sockets);
    silent.write_all(b"\r\n\r\n").unwrap();
    assert_eq!(hear(&mut inbox), Inbound::FlowClosed(flow));
}

#[test]
fn the_thread_ends_with_the_sockets() {
    let (sockets, _inbox) = start_here();
    let listener = sockets.tcp()[0];
    drop(sockets);
    wait_until("the end of the thread", || TcpStream::connect(listener).is_err());
}

#[test]
fn an_address_that_is_taken_is_named() {
    let other = TcpListener::bind(free()).unwrap();
    let taken = other.local_addr().unwrap();
    let config = SipConfig { tcp: vec![taken], ..SipConfig::default() };
    let (post, mut inbox) = inbox::<Inbound>(1, Duration::ZERO).unwrap();
    let Err(error) = start(&config, post, &mut inbox) else { panic!("it was free") };
    assert!(error.to_string().contains(&taken.to_string()), "{error}");
}
