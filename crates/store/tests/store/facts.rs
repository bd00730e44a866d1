//! Calls to test with.

use domain::{
    AgentId, CallId, Departure, Fact, FactRecord, LegRole, LegStats, OfferEnd, Party, Pii, Satisfaction,
    Segment, Timestamp,
};
use store::CallFacts;

/// 22 November 2026, 10:00 in China.
pub const MORNING_MS: i64 = 1_795_312_800_000;

/// The facts of one call: number `n` of the day, one second after number `n - 1`.
pub struct Script {
    call: CallId,
    region: &'static str,
    at: i64,
    facts: Vec<FactRecord>,
}

impl Script {
    pub fn new(n: u64) -> Self {
        let at = MORNING_MS + n as i64 * 1_000;
        let call = CallId((at as u64) << 20 | n);
        Self { call, region: "wenzhou", at, facts: Vec::new() }
    }

    pub fn region(mut self, region: &'static str) -> Self {
        self.region = region;
        self
    }

    /// Adds a fact `ms` after the one before it.
    pub fn then(mut self, ms: i64, fact: impl FnOnce(CallId) -> Fact) -> Self {
        self.at += ms;
        let seq = (self.call.0 & 0xf_ffff) * 100 + self.facts.len() as u64 + 1;
        self.facts.push(FactRecord { at: Timestamp::from_ms(self.at), seq, fact: fact(self.call) });
        self
    }

    pub fn arrived(self) -> Self {
        let region = Some(self.region.into()).filter(|_| !self.region.is_empty());
        self.then(0, |call| Fact::CallArrived {
            call,
            region,
            trunk: Some("telecom-1".into()),
            caller: Pii::new("13812345678"),
            caller_name: Some(Pii::new("张三'); DROP TABLE calls;--")),
            called: "12348".to_owned(),
            plan: Some("0123456789ab".into()),
        })
    }

    pub fn queued(self, county: &'static str) -> Self {
        self.then(5, |call| Fact::CallStepped { call, step: "notice".to_owned() })
            .then(3_000, |call| Fact::CallAttributed { call, county: county.into() })
            .then(0, |call| Fact::CallStepped { call, step: "queue".to_owned() })
            .then(0, |call| Fact::CallQueued { call, pool: county.into() })
    }

    pub fn bridged(self, waited_ms: u64, pool: &'static str) -> Self {
        let agent = AgentId(1_001);
        self.then(1, |call| Fact::AgentOffered { call, agent, pool: pool.into() })
            .then(waited_ms as i64, |call| Fact::OfferEnded { call, agent, end: OfferEnd::Answered })
            .then(0, |call| Fact::CallBridged { call, agent, pool: pool.into(), waited_ms })
    }

    /// The lawyer hangs up after `ms`, and the caller answers.
    pub fn rated(self, ms: i64, level: Satisfaction) -> Self {
        self.then(ms, |call| Fact::TalkEnded { call, by: Party::Agent })
            .then(0, |call| Fact::SurveyAsked { call })
            .then(5_000, |call| Fact::SurveyAnswered { call, level })
    }

    pub fn departed(self, ms: i64, departure: Departure, by: Party) -> Self {
        self.then(ms, |call| Fact::CallDeparted { call, departure, by })
    }

    pub fn recorded(self) -> Self {
        let part = |offset_ms, agent: Option<AgentId>| Segment {
            offset_ms,
            duration_ms: 30_000,
            agent,
            target: agent.map(|_| "hotline_12345".into()),
            is_private: agent.is_some(),
            supervision: agent.map(|_| domain::Supervision::Whisper),
            sha256: "ab".repeat(32),
        };
        let segments = vec![part(0, None), part(30_000, Some(AgentId(1_001)))];
        self.then(20, |call| Fact::RecordingClosed {
            call,
            file: format!("2026/11/22/{call}.wav"),
            duration_ms: 60_000,
            segments,
        })
    }

    pub fn closed(self) -> CallFacts {
        let stats =
            LegStats { packets_received: 3_000, packets_lost: -1, jitter_us: 125, ..LegStats::default() };
        let ended = |leg, role| move |call| Fact::LegEnded { call, leg, role, stats };
        self.then(10, ended(2, LegRole::Agent))
            .then(0, ended(1, LegRole::Caller))
            .then(5, |call| Fact::CallClosed { call })
            .cut()
    }

    /// The facts so far, as a crash leaves them.
    pub fn cut(self) -> CallFacts {
        CallFacts { call: self.call, facts: self.facts }
    }
}

pub fn answered(n: u64) -> CallFacts {
    let script = Script::new(n).arrived().queued("lucheng").bridged(4_000, "lucheng");
    script.departed(60_000, Departure::Answered, Party::Caller).recorded().closed()
}

pub fn abandoned(n: u64) -> CallFacts {
    let script = Script::new(n).arrived().queued("lucheng");
    script.departed(7_000, Departure::AbandonedQueue, Party::Caller).closed()
}

/// Refused before any dialplan saw it.
pub fn refused(n: u64) -> CallFacts {
    Script::new(n).region("").arrived().departed(0, Departure::NoSuchNumber, Party::System).closed()
}

pub fn mixed(calls: std::ops::Range<u64>) -> Vec<CallFacts> {
    calls.map(|n| if n.is_multiple_of(3) { abandoned(n) } else { answered(n) }).collect()
}

/// The last number among the facts of calls.
pub fn last_seq(calls: &[CallFacts]) -> u64 {
    calls.iter().flat_map(|call| &call.facts).map(|record| record.seq).max().unwrap_or(0)
}
