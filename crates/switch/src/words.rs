//! The dialplan's words in the distributor's: for the node, and for whoever simulates it.

use dialplan::{Announce, Relaxed, Stage, Wants, WrapUpRule};
use std::time::Duration;

/// How long a phone may take to confirm that it no longer rings: timer B of RFC 3261 plus a margin.
const CLEAR_TIMEOUT: Duration = Duration::from_secs(35);

/// Beijing's mean of half a year; a pool's own calls soon take its place.
const HANDLING: Duration = Duration::from_secs(435);

#[must_use]
pub fn pool(pool: &dialplan::Pool) -> acd::Pool {
    acd::Pool {
        matching: pool.matching,
        ring_timeout: pool.ring_timeout,
        wrap_up: wrap_up(pool),
        clear_timeout: CLEAR_TIMEOUT,
        miss_limit: pool.miss_limit,
        miss_pause: pool.miss_pause,
        handling: HANDLING + pool.wrap_up,
        max_waiting: pool.max_waiting,
        refuse: acd::Refuse {
            unless_ready: pool.refuse_unless_ready,
            longest_wait: pool.refuse_longest_wait,
            estimated_wait: pool.refuse_estimated_wait,
        },
    }
}

fn wrap_up(pool: &dialplan::Pool) -> acd::WrapUp {
    let (span, max) = (pool.wrap_up, pool.wrap_up_max);
    match pool.wrap_up_rule {
        WrapUpRule::Fixed => acd::WrapUp::Fixed(span),
        WrapUpRule::Extendable => acd::WrapUp::Extendable { span, max },
        WrapUpRule::UntilSaved => acd::WrapUp::UntilSaved { max },
    }
}

/// What a call that comes to a queue waits for.
#[must_use]
pub fn request(stages: Vec<Stage>, wants: Wants, announce: Option<Announce>) -> acd::Request {
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
    let announce = announce.map(|Announce { first, every }| acd::Announce { first, every });
    let priority = acd::Priority { urgent, head_start };
    acd::Request { need: need(needs), priority, acquainted, announce, ..request }
}
