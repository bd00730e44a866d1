//! What an endpoint is told once.

use crate::digest::Account;
use crate::transaction::Intervals;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Config {
    /// Tags, branches, Call-IDs and nonces derive from it: keep it secret, and new at every start.
    pub seed: [u8; 32],
    /// User-Agent and Server headers.
    pub user_agent: String,
    /// Digest realm.
    pub realm: String,
    /// What Via and Contact say for a local address, where that differs from it (a port mapping).
    pub advertised: BTreeMap<SocketAddr, SocketAddr>,
    /// Sources whose INVITEs need no digest and whose P-Asserted-Identity is believed.
    pub trusted_peers: BTreeSet<IpAddr>,
    /// User name → what the digest is checked against.
    pub accounts: BTreeMap<String, Account>,
    /// The session interval that we ask for and at most grant (RFC 4028); at least 90 s.
    pub session_expires: Duration,
    pub nonce_lifetime: Duration,
    pub registration: RegistrationLimits,
    pub intervals: Intervals,
    pub limits: Limits,
}

impl Config {
    /// The defaults around a seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self {
            seed,
            user_agent: "Hotline-12348".to_owned(),
            realm: "hotline".to_owned(),
            advertised: BTreeMap::new(),
            trusted_peers: BTreeSet::new(),
            accounts: BTreeMap::new(),
            session_expires: Duration::from_secs(1800),
            nonce_lifetime: Duration::from_secs(300),
            registration: RegistrationLimits::default(),
            intervals: Intervals::default(),
            limits: Limits::default(),
        }
    }
}

/// How long the registrar binds (RFC 3261 section 10.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegistrationLimits {
    /// Shorter wishes get 423.
    pub expires_min_s: u32,
    /// Longer wishes are cut to this.
    pub expires_max_s: u32,
    /// Without a wish.
    pub expires_default_s: u32,
}

impl Default for RegistrationLimits {
    fn default() -> Self {
        Self { expires_min_s: 30, expires_max_s: 3600, expires_default_s: 600 }
    }
}

/// Above these, new work is refused with 503 and what is under way goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Legs, ours and theirs, above which no INVITE is taken.
    pub dialogs_max: usize,
    /// Transactions of both roles above which no request outside a dialog is taken. At twice the number,
    /// requests inside dialogs are dropped too.
    pub transactions_max: usize,
    /// What Retry-After says.
    pub retry_after_s: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { dialogs_max: 10_000, transactions_max: 200_000, retry_after_s: 5 }
    }
}
