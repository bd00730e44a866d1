//! What the web server is given by the binary.

use crate::live::Live;
use domain::{AgentId, CallId, Duty, Override, PoolId, RegionId, Supervision, TalkWish};
use std::time::Duration;
use store::Store;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Commands that may wait for the switch before further ones are refused with 503.
pub const COMMANDS_MAX: usize = 256;

/// Cheap to clone.
#[derive(Clone)]
pub struct App {
    pub store: Store,
    /// Fed with facts by its owner; knows the directory.
    pub live: Live,
    /// Shown at `/metrics`; the web server adds its own metrics.
    pub registry: prometheus::Registry,
    /// To the switch, bounded to [`COMMANDS_MAX`].
    pub commands: mpsc::Sender<Command>,
    /// Cancelled when the server shall stop: streams end, requests under way finish.
    pub shutdown: CancellationToken,
}

/// What a person at a console asks of the switch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    AgentDuty {
        agent: AgentId,
        duty: Duty,
    },
    WrapUpDone {
        agent: AgentId,
    },
    /// Without `mode` the supervisor leaves.
    CallSupervised {
        call: CallId,
        user: String,
        mode: Option<Supervision>,
        by: String,
    },
    TalkWished {
        agent: AgentId,
        wish: TalkWish,
    },
    WrapUpExtended {
        agent: AgentId,
        by: Duration,
    },
    /// Moves a waiting call. `by` is who asks.
    CallPrioritised {
        call: CallId,
        urgent: bool,
        head_start: Duration,
        by: String,
    },
    /// Opens or closes a pool of the region, or all of them, whatever their hours say; without `set` the hours count
    /// again. `by` is who asks.
    PoolsOverridden {
        region: RegionId,
        pool: Option<PoolId>,
        set: Option<Override>,
        by: String,
    },
}
