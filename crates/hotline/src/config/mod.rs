//! The server's configuration: one TOML file and the dialplans and prompts it names.
//!
//! Everything is read before anything is started, and all errors of all files are reported at once, each
//! with file, line and remedy. `deploy/config.example.toml` documents every key.
//!
//! Deliberately absent: environment variables and command-line overrides. One file says what a server does.

mod dialplans;
mod people;
mod read;
mod rosters;
#[cfg(test)]
mod tests;

pub use dialplans::{read_dialplan, today};
pub use people::{Agent, Contact, Mobile};
pub use read::{load, read_prompt_folder, read_text};
pub use rosters::{read_roster, staff};

use dialplan::{Dialplan, Roster};
use domain::{AgentId, TrunkId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// A-law samples by prompt name.
pub type Prompts = BTreeMap<String, Arc<[u8]>>;

pub struct Settings {
    /// Database, spool and recordings live here.
    pub data_dir: PathBuf,
    pub sip: Sip,
    pub media: Media,
    pub store: Store,
    pub web_listen: SocketAddr,
    pub limits: switch::Limits,
    pub dialplans: Vec<Arc<Dialplan>>,
    pub prompts: Prompts,
    pub trunks: Vec<Trunk>,
    pub agents: BTreeMap<AgentId, Agent>,
    /// At most one a region; in a region without one all lawyers are on shift always.
    pub rosters: Vec<Arc<Roster>>,
    /// Credentials of agents' phones and of phones that may only call.
    pub accounts: BTreeMap<String, sip::Account>,
    /// None on a single server.
    pub cluster: Option<Cluster>,
}

#[derive(PartialEq)]
pub struct Sip {
    pub udp: Vec<SocketAddr>,
    pub tcp: Vec<SocketAddr>,
    /// What Via and Contact say instead of the address that a socket is bound to.
    pub advertised: Option<IpAddr>,
    pub realm: String,
    pub session_expires: Duration,
}

#[derive(PartialEq)]
pub struct Media {
    /// Bound by the media sockets.
    pub ip: IpAddr,
    /// Named in our SDP.
    pub advertised: IpAddr,
    pub port_min: u16,
    pub port_max: u16,
    pub shards: u16,
    pub silence_timeout: Duration,
}

#[derive(PartialEq)]
pub struct Store {
    /// `sqlite:…` or `postgres://…`.
    pub url: String,
    /// Facts on disk that wait for the database, at most.
    pub spool_max_mib: u64,
}

/// A second server in reserve: whoever holds the regions' leases is on duty.
#[derive(PartialEq)]
pub struct Cluster {
    pub redis: String,
    /// Names this server among the others.
    pub node: String,
}

#[derive(PartialEq)]
pub struct Trunk {
    pub id: TrunkId,
    pub peers: BTreeSet<IpAddr>,
    /// Asked by OPTIONS whether it is there.
    pub contact: Option<Contact>,
}

impl Default for Sip {
    fn default() -> Self {
        Self {
            udp: vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 5060)],
            tcp: vec![SocketAddr::new(Ipv4Addr::LOCALHOST.into(), 5060)],
            advertised: None,
            realm: "hotline".to_owned(),
            session_expires: Duration::from_secs(1_800),
        }
    }
}

impl Default for Media {
    fn default() -> Self {
        Self {
            ip: Ipv4Addr::LOCALHOST.into(),
            advertised: Ipv4Addr::LOCALHOST.into(),
            port_min: 20_000,
            port_max: 23_999,
            shards: 1,
            silence_timeout: Duration::from_secs(30),
        }
    }
}

/// Where the live board listens unless told otherwise.
pub const WEB_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);

/// Facts on disk that wait for the database unless told otherwise: about two million calls.
pub const SPOOL_MAX_MIB: u64 = 8_192;
