//! The packet path allocates nothing: relay, translation, recording, mixing, keys passed on or heard, strangers.
#![allow(unsafe_code, reason = "a global allocator that counts can only be written so")]

mod common;

use common::{FIRST_PORT, Phone, T0, speech};
use media::{Codec, Command, Config, Machine, RecordingId, Timestamp};
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::net::SocketAddr;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
}

// SAFETY: every call goes to the system's allocator unchanged; the counter is a plain thread-local cell
// without a destructor, so touching it allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: passed on as it came.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: passed on as it came.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        ALLOCATIONS.set(ALLOCATIONS.get() + 1);
        // SAFETY: passed on as it came.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Two phones talk through the machine and are recorded, and a third is mixed with them if `is_mixed`; returns the
/// octets sent.
fn talk(codecs: [Codec; 2], dtmf_payload: Option<u8>, is_mixed: bool) -> usize {
    let mut machine = Machine::new(Config::new(1, FIRST_PORT..=FIRST_PORT + 9));
    let mut now = Timestamp::from_ms(T0);
    let mut a = Phone { dtmf_payload, ..Phone::new(1, codecs[0]) };
    let mut b = Phone { dtmf_payload, ..Phone::new(2, codecs[1]) };
    let c = Phone::new(3, codecs[1]);
    let mut octets = 0;
    for phone in [&a, &b, &c] {
        let command = Command::Open { leg: phone.leg, port: phone.port, remote: Some(phone.remote()) };
        machine.handle_command(now, command, &mut |_| ());
    }
    let recording = RecordingId(1);
    for command in [
        Command::Bridge { a: a.leg, b: b.leg },
        Command::Record { recording, caller: a.leg, file: "a.wav".into() },
        Command::SetOthers { recording, others: vec![b.leg], tag: 1 },
    ] {
        machine.handle_command(now, command, &mut |_| ());
    }
    if is_mixed {
        let command = Command::Arrange { hears: vec![(c.leg, vec![a.leg, b.leg])] };
        machine.handle_command(now, command, &mut |_| ());
    }
    while machine.poll_output().is_some() {}
    let audio = speech(1, 160);
    let packets: Vec<_> = (0..20)
        .flat_map(|_| [(a.port, a.address, a.packet(&audio)), (b.port, b.address, b.packet(&audio))])
        .collect();
    let stranger = (a.port, SocketAddr::from(([203, 0, 113, 9], 5000)), a.packet(&audio));
    let key = (a.port, a.address, a.raw(101, &[16, 10, 0, 160]));
    let mut packets: Vec<_> = packets.into_iter().chain([stranger, key]).collect();

    let before = ALLOCATIONS.get();
    for (port, from, bytes) in &mut packets {
        now = Timestamp::from_ms(now.as_ms() + 10);
        let micros = now.as_ms() as u64 * 1000;
        machine.handle_rtp(now, micros, *port, *from, bytes, &mut |t| octets += t.bytes.len());
        if is_mixed && now.as_ms() < T0 + 400 {
            machine.handle_timeout(now, &mut |t| octets += t.bytes.len());
        }
    }
    assert_eq!(ALLOCATIONS.get() - before, 0, "{codecs:?} {dtmf_payload:?} {is_mixed}");
    octets
}

#[test]
fn relaying_recording_and_mixing_a_packet_allocates_nothing() {
    use Codec::{G722, Pcma, Pcmu};
    for codecs in [[Pcma, Pcmu], [Pcma, G722], [G722, G722]] {
        assert_eq!(talk(codecs, Some(101), false), 40 * 172 + 16);
        assert_eq!(talk(codecs, None, false), 40 * 172);
        assert!(talk(codecs, Some(101), true) > 55 * 172);
    }
}
