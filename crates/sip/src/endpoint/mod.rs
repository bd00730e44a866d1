//! The endpoint: bytes and the time in, events and bytes out.
//!
//! One contract: call any method, drain [`Endpoint::poll_output`], sleep until [`Endpoint::poll_timeout`]
//! or the next input, repeat. Time never enters but as an argument; randomness is the seed. Commands for a
//! leg that is over, or in a state where they make no sense, do nothing: the event that says so is on its
//! way.
//!
//! Files by role: `receive` (what comes in), `uas` (their INVITE), `uac` (ours), `exchange` (changes of a
//! session), `info` (keys), `refer` and `replaces` (who is sent where), `leave` (ends), `auth` and `binding` (registrar), `mailbox` (message waiting),
//! `outside` (OPTIONS and our registrations).
//!
//! Deliberately absent: DNS (a peer is an IP address; where a Contact or Route names a host, requests go
//! back over the flow the dialog was made on), opening TCP connections (a dialog stays on its connection),
//! REFERs and SUBSCRIBEs of ours, and proxying.

mod auth;
mod binding;
mod config;
mod event;
mod exchange;
mod ids;
mod info;
mod leave;
mod leg;
mod mailbox;
mod outside;
mod receive;
mod refer;
mod replaces;
#[cfg(test)]
mod tests;
mod timers;
mod uac;
mod uas;
mod wire;

pub use crate::registrar::BindingId;
pub use config::{Config, Limits, RegistrationLimits};
pub use event::{
    Counters, Credentials, EndCause, Event, Invite, Invited, LegId, Output, PingId, Referred, Register,
    RegistrationId, Target,
};
pub use replaces::Replaced;
pub(crate) use timers::{Timer, Timers};

use crate::digest::{Account, Digest};
use crate::flow::Flow;
use crate::mailboxes::Mailboxes;
use crate::registrar::Registrar;
use crate::registration::Registration;
use crate::session_timer::MIN_SE_S;
use domain::Timestamp;
use leg::Legs;
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;
use wire::Wire;

pub struct Endpoint {
    wire: Wire,
    legs: Legs,
    registrar: Registrar,
    mailboxes: Mailboxes,
    /// Our registrations at other registrars; as many as the owner asked for.
    registrations: BTreeMap<RegistrationId, Registration>,
    digest: Digest,
    accounts: BTreeMap<String, Account>,
    trusted_peers: BTreeSet<IpAddr>,
    session_expires_s: u32,
    registration_limits: RegistrationLimits,
    limits: Limits,
    /// New INVITEs are refused for now.
    is_shedding: bool,
    counters: Counters,
    /// The last ping and the last registration.
    last_ping: u64,
    last_registration: u64,
}

impl Endpoint {
    #[must_use]
    pub fn new(config: Config) -> Self {
        let session_expires_s = u32::try_from(config.session_expires.as_secs()).unwrap_or(u32::MAX);
        Self {
            wire: Wire::new(&config),
            legs: Legs::new(),
            registrar: Registrar::default(),
            mailboxes: Mailboxes::default(),
            registrations: BTreeMap::new(),
            digest: Digest::new(&config.realm, config.seed, config.nonce_lifetime),
            accounts: config.accounts,
            trusted_peers: config.trusted_peers,
            session_expires_s: session_expires_s.max(MIN_SE_S),
            registration_limits: config.registration,
            limits: config.limits,
            is_shedding: false,
            counters: Counters::default(),
            last_ping: 0,
            last_registration: 0,
        }
    }

    /// Replaces the accounts. Users that are no more are `Unregistered` and have no mailbox; their calls go
    /// on.
    pub fn set_accounts(&mut self, accounts: BTreeMap<String, Account>) {
        self.accounts = accounts;
        for binding in self.registrar.strangers(|user| self.accounts.contains_key(user)) {
            self.drop_binding(binding);
        }
        self.drop_strange_mailboxes();
    }

    pub fn set_trusted_peers(&mut self, trusted_peers: BTreeSet<IpAddr>) {
        self.trusted_peers = trusted_peers;
    }

    /// While true, new INVITEs get a 503 that costs next to nothing; what is under way goes on.
    pub fn set_shedding(&mut self, is_shedding: bool) {
        self.is_shedding = is_shedding;
    }

    /// When to call [`Endpoint::handle_timeout`] at the latest.
    #[must_use]
    pub fn poll_timeout(&self) -> Option<Timestamp> {
        self.wire.io.timers.next()
    }

    pub fn poll_output(&mut self) -> Option<Output> {
        self.wire.io.out.pop_front()
    }

    pub fn handle_timeout(&mut self, now: Timestamp) {
        self.wire.io.now = now;
        while let Some(timer) = self.wire.io.timers.pop(now) {
            self.fire(timer);
        }
    }

    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// No leg and no transaction is left.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        let Sizes { legs, leg_indexes, client_transactions, server_transactions, .. } = self.sizes();
        legs + leg_indexes + client_transactions + server_transactions == 0
    }

    #[must_use]
    pub fn sizes(&self) -> Sizes {
        let [legs, tags, connections] = self.legs.sizes();
        Sizes {
            legs,
            leg_indexes: tags + connections,
            client_transactions: self.wire.clients.len(),
            server_transactions: self.wire.servers.len(),
            timers: self.wire.io.timers.len(),
            bindings: self.registrar.len(),
            registrations: self.registrations.len(),
            subscriptions: self.mailboxes.len(),
        }
    }

    fn fire(&mut self, timer: Timer) {
        let Wire { io, clients, servers, .. } = &mut self.wire;
        match timer {
            Timer::ClientResend(id) => clients.resend(io, id),
            Timer::ClientGiveUp(id) => {
                if let Some(delivery) = clients.give_up(io, id) {
                    self.deliver(delivery, None);
                }
            }
            Timer::ClientLinger(id) => clients.remove(io, id),
            Timer::ServerTrying(id) => self.send_trying(id),
            Timer::ServerResend(id) => servers.resend(io, id),
            Timer::ServerLinger(id) => servers.remove(io, id),
            Timer::LegResend(leg) => self.resend_unacknowledged(leg),
            Timer::LegGiveUp(leg) => self.give_up_unacknowledged(leg),
            Timer::SessionRefresh(leg) => self.refresh_session(leg),
            Timer::SessionExpiry(leg) => self.expire_session(leg),
            Timer::GlareRetry(leg) => self.send_queued(leg),
            Timer::Referral(leg) => self.expire_referral(leg),
            Timer::Binding(binding) => self.drop_binding(binding),
            Timer::MailboxNotice(subscription) => self.tell(subscription),
            Timer::MailboxExpiry(subscription) => self.expire_subscription(subscription),
            Timer::Registration(registration) => self.send_register(registration),
        }
    }

    fn is_trusted(&self, flow: Flow) -> bool {
        self.trusted_peers.contains(&flow.remote.ip())
    }
}

/// How much is under way, for metrics and for tests that nothing leaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    pub legs: usize,
    pub leg_indexes: usize,
    pub client_transactions: usize,
    pub server_transactions: usize,
    pub timers: usize,
    pub bindings: usize,
    pub registrations: usize,
    /// To mailboxes.
    pub subscriptions: usize,
}
