//! Everything a node must know, in memory: nothing in the call path asks a database.

use crate::{MediaPort, words};
use dialplan::{Dialplan, OnShift, Roster};
use domain::{Activity, AgentId, Duty, Override, Pii, PoolId, RegionId, Timestamp, TrunkId};
use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

pub struct Config {
    /// Endpoint settings: seed, realm, advertised addresses, session timers. Accounts and trusted peers are
    /// filled in by the node from the fields below.
    pub sip: sip::Config,
    pub trunks: Vec<Trunk>,
    pub snapshot: Snapshot,
    pub restored: Restored,
    /// The address that our SDP names.
    pub media_ip: IpAddr,
    /// Pre-bound RTP ports, the free list of this node.
    pub media_ports: Vec<MediaPort>,
    pub limits: Limits,
}

/// What was last reported before a restart.
#[derive(Default)]
pub struct Restored {
    /// Whoever is not here begins ready.
    pub agents: BTreeMap<AgentId, (Duty, Activity)>,
    /// What supervisors had set of pools, and who did.
    pub overrides: BTreeMap<(RegionId, PoolId), (Override, String)>,
}

/// What can change while calls are under way: replaced as a whole by [`Input::Configured`](crate::Input::Configured).
#[derive(Default)]
pub struct Snapshot {
    /// One a region.
    pub dialplans: Vec<Arc<Dialplan>>,
    pub agents: BTreeMap<AgentId, Agent>,
    /// At most one a region; in a region without one all lawyers are on shift always.
    pub rosters: Vec<Arc<Roster>>,
    /// Credentials by user name: the agents' phones and phones that may only call.
    pub accounts: BTreeMap<String, sip::Account>,
    /// Every name that a dialplan uses is here.
    pub prompts: Arc<Prompts>,
}

/// A-law samples by prompt name.
pub type Prompts = BTreeMap<String, Arc<[u8]>>;

/// An operator's trunk, known by its source address: no registration.
pub struct Trunk {
    pub id: TrunkId,
    pub peers: BTreeSet<IpAddr>,
    /// Asked by OPTIONS whether it is there, so that the board can say so. Calls are taken either way; lawyers'
    /// mobiles are rung, and callers passed on, through it while it is.
    pub contact: Option<sip::Target>,
}

pub struct Agent {
    pub region: RegionId,
    pub pools: BTreeMap<PoolId, acd::Membership>,
    pub skills: acd::Skills,
    /// User name of the agent's phone, and of its account.
    pub user: String,
    /// A phone at a fixed address that does not register.
    pub contact: Option<sip::Target>,
    /// Rung while that phone is not there, and on a shift that is done by mobile.
    pub mobile: Option<Mobile>,
}

/// A lawyer's number in the telephone network. Whoever answers it may be a machine, so a key has to be pressed.
#[derive(Clone, PartialEq, Eq)]
pub struct Mobile {
    pub number: Pii,
    /// The trunk that it is rung through, which must have a contact: the lawyer can be reached while it answers.
    pub trunk: TrunkId,
    /// Shown to the lawyer in place of the citizen's number.
    pub caller_id: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Calls at once; one more is refused with 503.
    pub calls_max: usize,
    /// New INVITEs that waited longer than this in our own queue are refused with 503, so that those under
    /// way are still served in time.
    pub lag_max: Duration,
    /// Told to a refused caller's trunk in Retry-After.
    pub retry_after_s: u32,
    /// Between two OPTIONS to one agent's phone, at most.
    pub ping_interval: Duration,
    /// From departure until the call is closed although its media did not report.
    pub settle_timeout: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            calls_max: 2_000,
            lag_max: Duration::from_millis(200),
            retry_after_s: 5,
            ping_interval: Duration::from_secs(30),
            settle_timeout: Duration::from_secs(10),
        }
    }
}

impl Config {
    pub(crate) fn trusted_peers(&self) -> BTreeSet<IpAddr> {
        self.trunks.iter().flat_map(|trunk| trunk.peers.iter().copied()).collect()
    }

    pub(crate) fn trunk_named(&self, id: &TrunkId) -> Option<usize> {
        self.trunks.iter().position(|trunk| trunk.id == *id)
    }

    pub(crate) fn trunk_of(&self, source: SocketAddr) -> Option<&TrunkId> {
        self.trunks.iter().find(|trunk| trunk.peers.contains(&source.ip())).map(|trunk| &trunk.id)
    }
}

impl Snapshot {
    /// Empty without a roster.
    pub(crate) fn on_shift(&self, region: &RegionId, now: Timestamp) -> OnShift {
        let roster = self.rosters.iter().find(|roster| roster.region() == region);
        roster.map(|roster| roster.on_shift(now)).unwrap_or_default()
    }

    /// Whose shift is done by mobile.
    pub(crate) fn by_mobile(&self, now: Timestamp) -> BTreeSet<AgentId> {
        self.rosters.iter().flat_map(|roster| roster.by_mobile(now)).collect()
    }

    /// The distribution rules of one region, from its dialplan and the agents that serve it: each in those of
    /// their pools of which the roster does not say that somebody else serves there now.
    pub(crate) fn acd(&self, dialplan: &Dialplan, on_shift: &OnShift) -> acd::Config {
        let pools =
            dialplan.pools().iter().map(|(id, settings)| (id.clone(), words::pool(settings))).collect();
        let agents = self
            .agents
            .iter()
            .filter(|(_, agent)| agent.region == *dialplan.region())
            .map(|(id, agent)| {
                let mut pools = agent.pools.clone();
                pools.retain(|pool, _| on_shift.get(pool).is_none_or(|lawyers| lawyers.contains(id)));
                (*id, acd::Agent { pools, skills: agent.skills.clone() })
            })
            .collect();
        acd::Config { pools, agents }
    }
}
