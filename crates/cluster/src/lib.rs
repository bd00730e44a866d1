//! Which node owns which region: a lease with a fencing epoch, kept in Redis. The only Redis of the project.
//!
//! A node serves a region while it holds the region's lease. The holder renews it; a holder that cannot stops
//! by its own monotonic clock ([`Lease::is_valid`]) before anybody else can be granted the region. Epochs
//! rise with every grant, so whatever an old owner still says can be told apart by ([`Epoch`] and owner).
//!
//! Deliberately absent: carrying inputs between nodes (every region lives on one node as a whole) and any
//! question in the call path.

mod lease;
mod redis_leases;

pub use lease::{Epoch, Lease, RENEWALS_PER_TERM};
pub use redis_leases::{Error, RedisLeases};
