//! The dialplan's words in the distributor's: for the node, and for whoever simulates it.

use dialplan::{Relaxed, Stage, Wants};
use std::time::Duration;

/// How long a phone may take to confirm that it no longer rings: timer B of RFC 3261 plus a margin.
const CLEAR_TIMEOUT: Duration = Duration::from_secs(35);

#[must_use]
pub fn pool(pool: &dialplan::Pool) -> acd::Pool {
    acd::Pool {
        matching: pool.matching,
        ring_timeout: pool.ring_timeout,
        wrap_up: pool.wrap_up,
        clear_timeout: CLEAR_TIMEOUT,
        miss_limit: pool.miss_limit,
        miss_pause: pool.miss_pause,
        max_waiting: pool.max_waiting,
        refuse: acd::Refuse {
            unless_ready: pool.refuse_unless_ready,
            longest_wait: pool.refuse_longest_wait,
        },
    }
}

/// What a call that comes to a queue waits for.
#[must_use]
pub fn request(stages: Vec<Stage>, wants: Wants) -> acd::Request {
    let Wants { needs, wishes, relax, urgent, head_start, acquainted } = wants;
    let need = |required| acd::Need { required, wished: wishes.clone() };
    let relax = relax.into_iter().map(|Relaxed { after, needs }| {
        let change = acd::Change::Relax(need(needs));
        acd::Step { after, change }
    });
    let mut request = acd::Request::in_turn(stages.into_iter().map(|s| (s.pool, s.patience)));
    request.steps.extend(relax);
    // Of steps at the same instant, what was asked for first comes first.
    request.steps.sort_by_key(|step| step.after);
    acd::Request { need: need(needs), priority: acd::Priority { urgent, head_start }, acquainted, ..request }
}
