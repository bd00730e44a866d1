//! The free list of RTP port pairs. First in, first out: a port rests as long as possible before the next
//! call gets it, so that late packets of the old one find nobody.

use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, VecDeque};

/// A local RTP port (RTCP is one above) and the media shard that reads it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MediaPort {
    pub shard: u16,
    pub port: u16,
}

pub(crate) struct PortPool {
    free: BTreeMap<u16, VecDeque<MediaPort>>,
}

impl PortPool {
    pub(crate) fn new(ports: &[MediaPort]) -> Self {
        let mut free: BTreeMap<u16, VecDeque<MediaPort>> = BTreeMap::new();
        for port in ports {
            free.entry(port.shard).or_default().push_back(*port);
        }
        Self { free }
    }

    /// A port for a new call, on the shard with the most room. Refused unless its lawyer, or whoever it is
    /// passed on to, will find one there too: a caller who is let in must be able to talk.
    pub(crate) fn take_for_call(&mut self) -> Option<MediaPort> {
        let roomiest = self.free.values_mut().max_by_key(|free| free.len())?;
        if roomiest.len() < 2 { None } else { roomiest.pop_front() }
    }

    /// A port for another leg of a call that lives on `shard`.
    pub(crate) fn take_on(&mut self, shard: u16) -> Option<MediaPort> {
        self.free.get_mut(&shard)?.pop_front()
    }

    pub(crate) fn give_back(&mut self, port: MediaPort) {
        self.free.entry(port.shard).or_default().push_back(port);
    }

    pub(crate) fn free_count(&self) -> usize {
        self.free.values().map(VecDeque::len).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_port_given_back_is_the_last_to_be_used_again() {
        let ports: Vec<_> = (0..3).map(|i| MediaPort { shard: 0, port: 20_000 + 2 * i }).collect();
        let mut pool = PortPool::new(&ports);
        let first = pool.take_for_call().expect("three are free");
        pool.give_back(first);
        assert_eq!(pool.take_on(0).map(|p| p.port), Some(20_002));
        assert_eq!(pool.free_count(), 2);
    }

    #[test]
    fn a_call_is_let_in_only_where_its_lawyer_finds_a_port_too() {
        let mut pool =
            PortPool::new(&[MediaPort { shard: 0, port: 20_000 }, MediaPort { shard: 1, port: 20_002 }]);
        assert_eq!(pool.take_for_call(), None);
    }
}
