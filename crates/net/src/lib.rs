//! Sockets and nothing else: those of SIP, and the media shards with their recording files. What the
//! bytes mean is decided in `sip` and `media`.
//!
//! Deliberately absent: decisions, calls, configuration files, async runtimes. Threads, epoll and
//! bounded channels only.

pub mod media;
mod recording;
pub mod sip;
