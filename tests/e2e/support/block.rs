//! Loopback addresses that one test has for itself, whatever else runs on the machine.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};

/// Whoever has this port of `127.B.C.254` has the block.
const GUARD_PORT: u16 = 30_999;
/// From where on ports are tried; they stay below 32768, above which the kernel hands ports to others.
const PORT_FIRST: u16 = 5_060;
const PORT_STEP: usize = 20;
const PORT_LAST: u16 = 9_000;

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

    /// The lawyer with this staff number.
    pub fn desk(&self, agent: u32) -> IpAddr {
        self.address(10 + (agent % 100) as u8)
    }

    fn address(&self, host: u8) -> IpAddr {
        Ipv4Addr::new(127, self.net[0], self.net[1], host).into()
    }
}

/// A port of `ip` that is free for UDP and TCP, and for TCP the one above it.
pub fn free_port(ip: IpAddr) -> SocketAddr {
    let is_free = |port: u16| {
        UdpSocket::bind((ip, port)).is_ok()
            && TcpListener::bind((ip, port)).is_ok()
            && TcpListener::bind((ip, port + 1)).is_ok()
    };
    let port = (PORT_FIRST..PORT_LAST).step_by(PORT_STEP).find(|port| is_free(*port));
    SocketAddr::new(ip, port.expect("of two hundred ports one is free"))
}
