//! Binding the port pairs, and room for them among the process's open files.

use super::{MediaConfig, MediaPort, sys};
use std::io;
use std::net::UdpSocket;

/// Open files for everything but media sockets: SIP, database, web, recordings.
const OTHER_FILES: u64 = 4096;

/// Two neighbouring sockets.
pub(super) struct Pair {
    pub port: u16,
    pub rtp: UdpSocket,
    pub rtcp: UdpSocket,
}

/// Bind as many pairs as asked for, dealt out evenly over the shards.
pub(super) fn bind(config: &MediaConfig, shards: u16) -> io::Result<(Vec<MediaPort>, Vec<Vec<Pair>>)> {
    let wanted = config.pairs as u64 * 2 + OTHER_FILES;
    let allowed = sys::raise_open_files(wanted)?;
    if allowed < wanted {
        tracing::warn!(wanted, allowed, "the limit of open files is low: raise it (LimitNOFILE in systemd)");
    }
    let mut ports = Vec::with_capacity(config.pairs);
    let mut groups: Vec<Vec<Pair>> = (0..shards).map(|_| Vec::new()).collect();
    let first = first_even(config);
    for port in (first..=*config.ports.end()).step_by(2) {
        if ports.len() == config.pairs || port == u16::MAX {
            break;
        }
        let shard = (ports.len() % usize::from(shards)) as u16;
        match bind_pair(config, port) {
            Ok(pair) => groups[usize::from(shard)].push(pair),
            Err(error) if error.kind() == io::ErrorKind::AddrInUse => continue,
            Err(error) => return Err(error),
        }
        ports.push(MediaPort { shard, port });
    }
    if ports.is_empty() {
        return Err(io::Error::new(io::ErrorKind::AddrInUse, "no free pair of media ports in the range"));
    }
    if ports.len() < config.pairs {
        tracing::warn!(bound = ports.len(), wanted = config.pairs, "fewer media ports than configured");
    }
    Ok((ports, groups))
}

/// Where the pairs begin.
pub(super) fn first_even(config: &MediaConfig) -> u16 {
    config.ports.start().saturating_add(config.ports.start() % 2)
}

fn bind_pair(config: &MediaConfig, port: u16) -> io::Result<Pair> {
    let rtp = UdpSocket::bind((config.ip, port))?;
    let rtcp = UdpSocket::bind((config.ip, port + 1))?;
    rtp.set_nonblocking(true)?;
    rtcp.set_nonblocking(true)?;
    Ok(Pair { port, rtp, rtcp })
}
