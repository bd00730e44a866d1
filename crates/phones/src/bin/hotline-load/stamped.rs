//! Datagrams with the time at which the kernel took them in, many at once. So the reader may come late: it
//! wakes once a millisecond, and whoever sends does not pay for waking it at every packet.
#![allow(unsafe_code, reason = "system calls through libc; nothing unsafe leaves this file")]

use std::io;
use std::mem;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;
use std::ptr;

const BATCH: usize = 64;
const DATAGRAM_BYTES_MAX: usize = 256;
/// Room for one control message with a time.
const CONTROL_BYTES: usize = 64;

/// Aligned as control messages must be.
#[derive(Clone, Copy)]
#[repr(align(8))]
struct Control([u8; CONTROL_BYTES]);

pub struct Stamped {
    buffers: Box<[[u8; DATAGRAM_BYTES_MAX]; BATCH]>,
    controls: Box<[Control; BATCH]>,
    lengths: [usize; BATCH],
    stamps_ns: [u64; BATCH],
}

impl Stamped {
    /// # Errors
    /// The socket does not stamp.
    pub fn on(socket: &UdpSocket) -> io::Result<Self> {
        let on: libc::c_int = 1;
        // SAFETY: the option is an int that outlives the call.
        let set = unsafe {
            libc::setsockopt(
                socket.as_raw_fd(),
                libc::SOL_SOCKET,
                libc::SO_TIMESTAMPNS,
                (&raw const on).cast(),
                mem::size_of::<libc::c_int>() as libc::socklen_t,
            )
        };
        if set != 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Self {
            buffers: Box::new([[0; DATAGRAM_BYTES_MAX]; BATCH]),
            controls: Box::new([Control([0; CONTROL_BYTES]); BATCH]),
            lengths: [0; BATCH],
            stamps_ns: [0; BATCH],
        })
    }

    /// Takes what is there; does not wait. Fewer than the most is all that there was.
    pub fn take(&mut self, socket: &UdpSocket) -> usize {
        let mut vectors = [libc::iovec { iov_base: ptr::null_mut(), iov_len: 0 }; BATCH];
        // SAFETY: `mmsghdr` is plain data for which all zeroes mean "nothing here".
        let mut headers: [libc::mmsghdr; BATCH] = unsafe { mem::zeroed() };
        for index in 0..BATCH {
            vectors[index].iov_base = self.buffers[index].as_mut_ptr().cast();
            vectors[index].iov_len = DATAGRAM_BYTES_MAX;
            let header = &mut headers[index].msg_hdr;
            header.msg_iov = &raw mut vectors[index];
            header.msg_iovlen = 1;
            header.msg_control = self.controls[index].0.as_mut_ptr().cast();
            header.msg_controllen = CONTROL_BYTES;
        }
        // SAFETY: every header points to buffers of the stated sizes that outlive the call; there are BATCH.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as libc::c_uint,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        for (index, header) in headers.iter().enumerate().take(count) {
            self.lengths[index] = header.msg_len as usize;
            self.stamps_ns[index] = stamp(&header.msg_hdr);
        }
        count
    }

    pub const fn most(&self) -> usize {
        BATCH
    }

    /// A datagram of the latest call, and when it arrived: nanoseconds of UTC.
    pub fn get(&self, index: usize) -> (&[u8], u64) {
        (&self.buffers[index][..self.lengths[index]], self.stamps_ns[index])
    }
}

/// 0 if there is none.
fn stamp(header: &libc::msghdr) -> u64 {
    // SAFETY: the kernel has filled in the header; its control buffer is still there.
    let control = unsafe { libc::CMSG_FIRSTHDR(header).as_ref() };
    let Some(control) =
        control.filter(|c| (c.cmsg_level, c.cmsg_type) == (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS))
    else {
        return 0;
    };
    // SAFETY: a control message of this type carries a timespec.
    let time = unsafe { libc::CMSG_DATA(control).cast::<libc::timespec>().read_unaligned() };
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}
