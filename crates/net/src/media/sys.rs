//! The three system calls that the standard library does not offer: receiving several datagrams at once,
//! raising the limit of open files, syncing one file system.
#![allow(unsafe_code, reason = "system calls through libc; nothing unsafe leaves this file")]

use std::fs::File;
use std::io;
use std::mem::{self, MaybeUninit};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::{AsRawFd, BorrowedFd};

/// Datagrams taken by one call. Usually there is one: a leg gets a packet every 20 ms.
pub(super) const BATCH: usize = 8;
/// Longer datagrams than this are no RTP of ours.
const DATAGRAM_BYTES_MAX: usize = 1500;

/// Room for what one call receives; reused for ever.
pub(super) struct Batch {
    buffers: Box<[[u8; DATAGRAM_BYTES_MAX]; BATCH]>,
    received: [(Option<SocketAddr>, usize); BATCH],
}

impl Batch {
    pub fn new() -> Self {
        Self { buffers: Box::new([[0; DATAGRAM_BYTES_MAX]; BATCH]), received: [(None, 0); BATCH] }
    }

    /// A datagram of the latest call and its sender; nothing if it was cut off or came from nowhere.
    pub fn get(&mut self, index: usize) -> Option<(SocketAddr, &mut [u8])> {
        let (from, length) = self.received[index];
        from.map(|from| (from, &mut self.buffers[index][..length]))
    }
}

/// Receive up to [`BATCH`] datagrams without waiting. Fewer than that means that the socket is drained.
pub(super) fn receive(socket: BorrowedFd<'_>, batch: &mut Batch) -> io::Result<usize> {
    let mut senders = [MaybeUninit::<libc::sockaddr_in6>::uninit(); BATCH];
    let mut vectors = [libc::iovec { iov_base: std::ptr::null_mut(), iov_len: 0 }; BATCH];
    // SAFETY: `mmsghdr` is plain data for which all zeroes mean "nothing here".
    let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
    for index in 0..BATCH {
        vectors[index].iov_base = batch.buffers[index].as_mut_ptr().cast();
        vectors[index].iov_len = DATAGRAM_BYTES_MAX;
        let header = &mut headers[index].msg_hdr;
        header.msg_name = senders[index].as_mut_ptr().cast();
        header.msg_namelen = mem::size_of::<libc::sockaddr_in6>() as libc::socklen_t;
        header.msg_iov = &raw mut vectors[index];
        header.msg_iovlen = 1;
    }
    // SAFETY: the descriptor is borrowed, so open; every header points to a buffer and an address of the
    // stated sizes, all of which outlive the call, and there are BATCH headers.
    let count = unsafe {
        libc::recvmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            BATCH as libc::c_uint,
            libc::MSG_DONTWAIT,
            std::ptr::null_mut(),
        )
    };
    let count = usize::try_from(count).map_err(|_| io::Error::last_os_error())?;
    for index in 0..count {
        let header = &headers[index];
        let whole = header.msg_hdr.msg_flags & libc::MSG_TRUNC == 0;
        let from = whole.then(|| address(&senders[index], header.msg_hdr.msg_namelen)).flatten();
        batch.received[index] = (from, header.msg_len as usize);
    }
    Ok(count)
}

/// Raise the soft limit of open files to `wanted` or as far as allowed; returns what holds now.
pub(super) fn raise_open_files(wanted: u64) -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the struct outlives the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if limit.rlim_cur >= wanted {
        return Ok(limit.rlim_cur);
    }
    limit.rlim_cur = wanted.min(limit.rlim_max);
    // SAFETY: the struct outlives the call.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(limit.rlim_cur)
}

/// Write everything that is in memory for the file system of `file` to its disk; waits for it.
pub(crate) fn sync_filesystem(file: &File) -> io::Result<()> {
    // SAFETY: the descriptor is borrowed from an open file.
    match unsafe { libc::syncfs(file.as_raw_fd()) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()),
    }
}

/// An address as the kernel wrote it.
fn address(raw: &MaybeUninit<libc::sockaddr_in6>, length: libc::socklen_t) -> Option<SocketAddr> {
    let length = length as usize;
    let start = raw.as_ptr();
    if length < mem::size_of::<libc::sockaddr_in>() {
        return None;
    }
    // SAFETY: both kinds of address begin with the family, and the kernel wrote at least an IPv4 address.
    let family = libc::c_int::from(unsafe { start.cast::<libc::sa_family_t>().read() });
    if family == libc::AF_INET {
        // SAFETY: as above; the storage is larger and at least as aligned.
        let v4 = unsafe { start.cast::<libc::sockaddr_in>().read() };
        let ip = Ipv4Addr::from(u32::from_be(v4.sin_addr.s_addr));
        Some(SocketAddr::new(IpAddr::V4(ip), u16::from_be(v4.sin_port)))
    } else if family == libc::AF_INET6 && length >= mem::size_of::<libc::sockaddr_in6>() {
        // SAFETY: the kernel wrote a whole IPv6 address.
        let v6 = unsafe { raw.assume_init_read() };
        Some(SocketAddr::new(IpAddr::V6(Ipv6Addr::from(v6.sin6_addr.s6_addr)), u16::from_be(v6.sin6_port)))
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::UdpSocket;
    use std::os::fd::AsFd;

    #[test]
    fn datagrams_come_with_their_senders_and_cut_ones_without() {
        for any in ["127.0.0.1:0", "[::1]:0"] {
            let (Ok(here), Ok(there)) = (UdpSocket::bind(any), UdpSocket::bind(any)) else {
                continue; // a machine without IPv6
            };
            let to = here.local_addr().unwrap();
            there.send_to(b"one", to).unwrap();
            there.send_to(&[7; DATAGRAM_BYTES_MAX + 1], to).unwrap();
            let mut batch = Batch::new();
            assert_eq!(receive(here.as_fd(), &mut batch).unwrap(), 2);
            let (from, bytes) = batch.get(0).unwrap();
            assert_eq!((from, &*bytes), (there.local_addr().unwrap(), &b"one"[..]));
            assert!(batch.get(1).is_none());
            let empty = receive(here.as_fd(), &mut batch).unwrap_err();
            assert_eq!(empty.kind(), io::ErrorKind::WouldBlock);
        }
    }
}
