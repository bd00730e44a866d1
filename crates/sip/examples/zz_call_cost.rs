use sip::*;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use std::collections::VecDeque;

fn addr(n: u8) -> SocketAddr { SocketAddr::from(([10, 0, 0, n], 5060)) }
const SDP: &[u8] = b"v=0\r\no=- 20518 0 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=audio 54400 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\na=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";

struct W { nodes: Vec<Endpoint>, now: Timestamp, q: VecDeque<(usize, Flow, Vec<u8>)>, ev: Vec<(usize, Event)>, spent: Duration, msgs: (u64, u64) }
impl W {
    fn at<R>(&mut self, n: usize, f: impl FnOnce(&mut Endpoint, Timestamp) -> R) -> R {
        let t = Instant::now();
        let r = f(&mut self.nodes[n], self.now);
        let mut outs = Vec::with_capacity(4);
        while let Some(o) = self.nodes[n].poll_output() { outs.push(o); }
        if n == 0 { self.spent += t.elapsed(); }
        for o in outs { match o {
            Output::Transmit { flow, bytes } => {
                if n == 0 { self.msgs.1 += 1 }
                let to = (flow.remote.ip().to_string().rsplit('.').next().unwrap().parse::<usize>().unwrap()) - 1;
                self.q.push_back((to, Flow { transport: flow.transport, local: flow.remote, remote: flow.local }, bytes));
            }
            Output::Event(e) => self.ev.push((n, e)),
        } }
        r
    }
    fn pump(&mut self) { while let Some((to, flow, b)) = self.q.pop_front() { if to == 0 { self.msgs.0 += 1 } self.at(to, |e, now| e.handle_packet(now, flow, &b)); } }
    fn invited(&mut self, n: usize) -> LegId { let l = self.ev.iter().rev().find_map(|(m, e)| match e { Event::Invited { leg, .. } if *m == n => Some(*leg), _ => None }).unwrap(); l }
}
fn rss() -> usize { let s = std::fs::read_to_string("/proc/self/statm").unwrap(); s.split(' ').nth(1).unwrap().parse::<usize>().unwrap() * 4096 }
fn inv(from: u8, to: u8) -> Invite { Invite { target: Target { flow: Flow { transport: Transport::Udp, local: addr(from), remote: addr(to) }, uri: Uri::from_socket(Some("12348"), addr(to)) }, from_display: None, from_user: "13812345678".into(), offer: SDP.to_vec(), headers: vec![], credentials: None } }
fn main() {
    let nodes = (1..=3u8).map(|n| { let mut c = Config::new([n; 32]); c.session_expires = Duration::from_secs(80_000); c.limits.dialogs_max = 100_000; c.limits.transactions_max = 1_000_000; if n == 1 { c.trusted_peers.insert(addr(2).ip()); } Endpoint::new(c) }).collect();
    let mut w = W { nodes, now: Timestamp::from_ms(0), q: VecDeque::new(), ev: vec![], spent: Duration::ZERO, msgs: (0, 0) };
    if std::env::args().nth(1).is_some() { w.at(1, |e, now| e.invite(now, inv(2, 1))); w.pump(); let b0 = rss(); for _ in 0..20000 { w.at(1, |e, now| e.invite(now, inv(2, 1))); w.pump(); let s = w.invited(0); w.at(0, |e, now| e.answer(now, s, SDP.to_vec())); w.pump(); w.ev.clear(); if w.now.as_ms() % 2000 == 0 { let now = w.now + Duration::from_secs(40); w.now = now; for i in 0..3 { w.at(i, |e, _| e.handle_timeout(now)); } w.pump(); } w.now = w.now + Duration::from_millis(1); } println!("held {:?} {} bytes per leg of one side", w.nodes[0].sizes(), (rss() - b0) / 40000); return; }
    let n = 20_000;
    for i in 0..n {
        w.now = w.now + Duration::from_millis(2);
        let now = w.now;
        if i == 16_000 + 1000 { }
        w.at(0, |e, _| e.handle_timeout(now)); w.at(1, |e, _| e.handle_timeout(now)); w.at(2, |e, _| e.handle_timeout(now));
        w.pump();
        let a = w.at(1, |e, now| e.invite(now, inv(2, 1))); w.pump();
        let s = w.invited(0);
        w.at(0, |e, now| e.ring(now, s, 180, None)); w.pump();
        w.at(0, |e, now| e.answer(now, s, SDP.to_vec())); w.pump();
        let b = w.at(0, |e, now| e.invite(now, inv(1, 3))); w.pump();
        let p = w.invited(2);
        w.at(2, |e, now| e.ring(now, p, 180, None)); w.pump();
        w.at(2, |e, now| e.answer(now, p, SDP.to_vec())); w.pump();
        w.at(1, |e, now| e.hang_up(now, a)); w.pump();
        w.at(0, |e, now| e.hang_up(now, b)); w.pump();
        w.ev.clear();
    }
    println!("{:?} per call, msgs in/out per call {:?}, sizes {:?}", w.spent / n, (w.msgs.0 as f64 / n as f64, w.msgs.1 as f64 / n as f64), w.nodes[0].sizes());
    println!("rss {} MiB", rss() >> 20);
    // held
    for k in 0..3 { let now = w.now + Duration::from_secs(70); w.now = now; for i in 0..3 { w.at(i, |e, _| e.handle_timeout(now)); } w.pump(); let _ = k; }
    println!("after {:?}", w.nodes[0].sizes());
    let before = rss();
    let held = 10_000;
    for _ in 0..held {
        w.at(1, |e, now| e.invite(now, inv(2, 1))); w.pump();
        let s = w.invited(0);
        w.at(0, |e, now| e.answer(now, s, SDP.to_vec())); w.pump();
        w.ev.clear();
    }
    let now = w.now + Duration::from_secs(40); w.now = now; for i in 0..3 { w.at(i, |e, _| e.handle_timeout(now)); } w.pump();
    println!("held {:?}: {} bytes per leg pair side (2 endpoints)", w.nodes[0].sizes(), (rss().saturating_sub(before)) / held / 2);
}
