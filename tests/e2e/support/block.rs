//! Loopback addresses that one test has for itself, whatever else runs on the machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Whoever has this port of `127.B.C.254` has the block.
const GUARD_PORT: u16 = 30_999;
/// From where on ports are tried; they stay below 32768, above which the kernel hands ports to others.
const PORT_FIRST: u16 = 5_060;
const PORT_STEP: usize = 20;
const PORT_LAST: u16 = 9_000;
const HOME_FIRST: u16 = 12_000;
const HOME_LAST: u16 = 18_000;
/// Where a phone takes commands, from its SIP port on.
pub const CONTROL: u16 = 10;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// 127.B.C.0/24.
pub struct Block {
    net: [u8; 2],
    _guard: UdpSocket,
}

impl Block {
    pub fn claim() -> Self {
        let own = (std::process::id() as u16).wrapping_mul(61);
        for _ in 0..u16::MAX {
            let number = own.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
            // 127.64.0.0 and up: far from what people type.
            let net = [64 + (number >> 8) as u8 % 128, number as u8];
            if let Ok(guard) = UdpSocket::bind((Ipv4Addr::new(127, net[0], net[1], 254), GUARD_PORT)) {
                return Self { net, _guard: guard };
            }
        }
        panic!("no block of loopback addresses is free");
    }

    pub fn hotline(&self) -> IpAddr {
        self.address(1)
    }

    /// The operator's trunk.
    pub fn trunk(&self) -> IpAddr {
        self.address(2)
    }

    /// An address that the hotline was told nothing about.
    pub fn stranger(&self) -> IpAddr {
        self.address(3)
    }

    /// What calls from another hotline would come from: nothing does, for a phone that answers is at [`HOME`].
    pub fn government(&self) -> IpAddr {
        self.address(4)
    }

    /// The desk phone of the lawyer with this staff number.
    pub fn desk(&self, agent: u32) -> IpAddr {
        self.address(10 + (agent % 100) as u8)
    }

    fn address(&self, host: u8) -> IpAddr {
        Ipv4Addr::new(127, self.net[0], self.net[1], host).into()
    }
}

/// baresip sends its audio from here, whatever address it is given.
pub const HOME: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// An address at [`HOME`] for a phone; the next eighteen ports are its own as well.
pub fn at_home() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let seats = (HOME_LAST - HOME_FIRST) / PORT_STEP as u16;
    // Other runs of these tests begin elsewhere.
    let own = (std::process::id() as u16).wrapping_mul(7);
    let port = (0..seats).map(|_| {
        let seat = own.wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed)) % seats;
        HOME_FIRST + seat * PORT_STEP as u16
    });
    let free = port.into_iter().find(|port| is_free(HOME, *port) && is_free(HOME, *port + CONTROL));
    SocketAddr::new(HOME, free.expect("of three hundred seats one is free"))
}

/// A port of `ip` that is free for UDP and TCP, and for TCP the one above it.
pub fn free_port(ip: IpAddr) -> SocketAddr {
    let port = (PORT_FIRST..PORT_LAST).step_by(PORT_STEP).find(|port| is_free(ip, *port));
    SocketAddr::new(ip, port.expect("of two hundred ports one is free"))
}

fn is_free(ip: IpAddr, port: u16) -> bool {
    UdpSocket::bind((ip, port)).is_ok()
        && TcpListener::bind((ip, port)).is_ok()
        && TcpListener::bind((ip, port + 1)).is_ok()
}
