//! Tags, branches, Call-IDs and the few random numbers of SIP, from a seed and a counter by SHA-256.
//!
//! Unguessable for whoever does not know the seed, the same again for whoever does, and free of host
//! names, addresses and times (RFC 3261 sections 8.1.1.4, 8.1.1.7 and 19.3).

use sha2::{Digest, Sha256};

/// Characters of a token: 80 bits.
const TOKEN_BYTES: usize = 10;

pub(crate) struct Ids {
    seed: [u8; 32],
    counter: u64,
}

impl Ids {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self { seed, counter: 0 }
    }

    pub(crate) fn branch(&mut self) -> String {
        let mut branch = String::with_capacity(7 + 2 * TOKEN_BYTES);
        branch.push_str("z9hG4bK");
        push_hex(&mut branch, &self.next());
        branch
    }

    /// For tags, Call-IDs and cnonces.
    pub(crate) fn token(&mut self) -> String {
        let mut token = String::with_capacity(2 * TOKEN_BYTES);
        push_hex(&mut token, &self.next());
        token
    }

    /// A number in `0..bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        let bytes = self.next();
        let number = bytes.iter().take(8).fold(0_u64, |sum, byte| sum << 8 | u64::from(*byte));
        number % bound.max(1)
    }

    /// The same tag for the same text: what a stateless answer needs (RFC 3261 section 8.2.7).
    pub(crate) fn tag_of(&self, text: &str) -> String {
        let digest = Sha256::new().chain_update(self.seed).chain_update(b"tag").chain_update(text).finalize();
        let mut tag = String::with_capacity(2 * TOKEN_BYTES);
        push_hex(&mut tag, &digest[..TOKEN_BYTES]);
        tag
    }

    fn next(&mut self) -> [u8; TOKEN_BYTES] {
        self.counter += 1;
        let digest =
            Sha256::new().chain_update(self.seed).chain_update(self.counter.to_be_bytes()).finalize();
        let mut bytes = [0; TOKEN_BYTES];
        bytes.copy_from_slice(&digest[..TOKEN_BYTES]);
        bytes
    }
}

fn push_hex(out: &mut String, bytes: &[u8]) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    for byte in bytes {
        for half in [byte >> 4, byte & 0x0f] {
            out.push(char::from(DIGITS[usize::from(half)]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_ids_and_no_id_twice() {
        let mut one = Ids::new([1; 32]);
        let mut again = Ids::new([1; 32]);
        let mut other = Ids::new([2; 32]);
        let first = one.branch();
        assert_eq!(first, again.branch());
        assert_ne!(first, other.branch());
        assert_ne!(first, one.branch());
        assert!(first.starts_with("z9hG4bK") && first.len() == 27);
        assert_eq!(one.tag_of("a"), again.tag_of("a"));
        assert!(one.below(10) < 10);
    }
}
