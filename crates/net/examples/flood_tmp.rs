use std::{net::UdpSocket, sync::mpsc::sync_channel, thread, time::{Duration, Instant}};
fn main() {
    let (tx, rx) = sync_channel::<net::sip::Inbound>(1024);
    let s = net::sip::start(&net::sip::SipConfig { udp: vec!["127.0.0.1:0".parse().unwrap()], ..Default::default() }, tx).unwrap();
    let to = s.udp().next().unwrap();
    let h = thread::Builder::new().name("switch".into()).spawn(move || { let (mut b, mut p) = (0u64, 0u64); while let Ok(net::sip::Inbound::Packets(v)) = rx.recv() { b += 1; p += v.len() as u64; } (b, p) }).unwrap();
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    let start = Instant::now();
    let mut n = 0u64;
    let rate: u64 = std::env::args().nth(1).unwrap().parse().unwrap();
    while start.elapsed() < Duration::from_secs(5) {
        let due = start.elapsed().as_micros() as u64 * rate / 1_000_000;
        while n < due { peer.send_to(&[7; 600], to).unwrap(); n += 1; }
        thread::sleep(Duration::from_micros(100));
    }
    for t in std::fs::read_dir("/proc/self/task").unwrap() {
        let p = t.unwrap().path();
        println!("{} {}", std::fs::read_to_string(p.join("comm")).unwrap().trim(), std::fs::read_to_string(p.join("schedstat")).unwrap().split(' ').next().unwrap().parse::<u64>().unwrap() / 1_000_000);
    }
    println!("{:?}", s.counters());
    drop(s);
    println!("sent {n} batches/packets {:?}", h.join().unwrap());
}
