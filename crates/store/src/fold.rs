//! Facts of one call → its record. Pure.
//!
//! The fold forgives what a crash or a full buffer can do to a call's facts (gaps, repeats, a missing
//! end), because a call that has a beginning must have a record.

use crate::record::{CallRecord, Leg, Recording, WholeCall};
use domain::{CallId, Departure, Fact, FactRecord, OfferEnd, Party, Pii, Satisfaction, Timestamp};
use std::collections::BTreeMap;

/// All facts of one call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallFacts {
    pub call: CallId,
    pub facts: Vec<FactRecord>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FoldError {
    #[error("the facts of call {0} have no CallArrived")]
    NoArrival(CallId),
    #[error("there are no facts of a call")]
    Empty,
    #[error("the facts of call {0} are mixed with those of call {1}")]
    Mixed(CallId, CallId),
    #[error("call {0} has a number or a time that no database can hold")]
    Range(CallId),
}

/// The record of the call that `facts` tell of, in any order and with any repeats.
///
/// Facts of a call that has not departed give `Departure::Failed` at the time of the last one, or `Answered` if its
/// talk had ended.
pub fn fold(facts: &[FactRecord]) -> Result<WholeCall, FoldError> {
    let mut ordered: Vec<&FactRecord> = facts.iter().collect();
    ordered.sort_by_key(|record| record.seq);
    ordered.dedup_by_key(|record| record.seq);
    let last = ordered.last().ok_or(FoldError::Empty)?;
    let call = ordered.iter().find_map(|record| record.fact.call()).ok_or(FoldError::Empty)?;
    let mut whole =
        ordered.iter().find_map(|record| arrival(record, last.at)).ok_or(FoldError::NoArrival(call))?;
    if i64::try_from(whole.record.id.0).is_err()
        || crate::ticket::day_in_china(whole.record.arrived).is_none()
    {
        return Err(FoldError::Range(call));
    }
    let mut later = Later::default();
    for record in ordered {
        if let Some(other) = record.fact.call().filter(|other| *other != whole.record.id) {
            return Err(FoldError::Mixed(whole.record.id, other));
        }
        tell(&mut whole.record, &mut later, record.at, &record.fact);
    }
    finish(&mut whole.record, later.talk_ended.map(|(at, _)| at));
    whole.satisfaction = later.satisfaction;
    whole.legs = later.legs.into_values().collect();
    whole.recordings = later.recordings.into_values().collect();
    Ok(whole)
}

/// Ends a call whose facts stopped in the middle, because the server died or was stopped: it departs
/// as `Failed`, or `Answered` if its talk had ended, and is closed, both at its last fact, the last moment it is known
/// to have lived.
///
/// The end is taken from the facts and not from a clock, so settling the same facts twice gives the
/// same record. Facts of a closed call are left alone.
pub fn settle_crashed(facts: &mut Vec<FactRecord>) {
    let Some((last, call)) = facts
        .iter()
        .max_by_key(|record| record.seq)
        .and_then(|record| Some((record, record.fact.call()?)))
        .map(|(record, call)| ((record.at, record.seq), call))
    else {
        return;
    };
    let (at, mut seq) = last;
    let talk_ended = facts.iter().any(|record| matches!(record.fact, Fact::TalkEnded { .. }));
    let departure = if talk_ended { Departure::Answered } else { Departure::Failed };
    let departed = facts.iter().any(|record| matches!(record.fact, Fact::CallDeparted { .. }));
    let closed = facts.iter().any(|record| matches!(record.fact, Fact::CallClosed { .. }));
    let mut add = |fact| {
        seq += 1;
        facts.push(FactRecord { at, seq, fact });
    };
    if !departed {
        add(Fact::CallDeparted { call, departure, by: Party::System });
    }
    if !closed {
        add(Fact::CallClosed { call });
    }
}

/// What may be told more than once of the same leg or file; the last word counts.
///
/// Of the talk's end and of the answer the first word counts: they are told once.
#[derive(Default)]
struct Later {
    legs: BTreeMap<u64, Leg>,
    recordings: BTreeMap<String, Recording>,
    talk_ended: Option<(Timestamp, Party)>,
    satisfaction: Option<Satisfaction>,
}

fn arrival(record: &FactRecord, last: Timestamp) -> Option<WholeCall> {
    let Fact::CallArrived { call, region, trunk, caller, caller_name, called, plan } = &record.fact else {
        return None;
    };
    let record = CallRecord {
        id: *call,
        region: region.clone(),
        county: None,
        first_pool: None,
        pool: None,
        trunk: trunk.clone(),
        caller: Pii::new(storable(caller.reveal())),
        caller_name: caller_name.as_ref().map(|name| Pii::new(storable(name.reveal()))),
        called: storable(called),
        plan: plan.clone(),
        arrived: record.at,
        queued: None,
        offered: None,
        bridged: None,
        departed: last,
        waited_ms: None,
        talk_ms: None,
        departure: Departure::Failed,
        ended_by: Party::System,
        agent: None,
        offers: 0,
        overflows: 0,
    };
    Some(WholeCall { record, legs: Vec::new(), recordings: Vec::new(), satisfaction: None })
}

fn tell(record: &mut CallRecord, later: &mut Later, at: Timestamp, fact: &Fact) {
    match fact {
        Fact::CallAttributed { county, .. } => record.county = Some(county.clone()),
        Fact::CallQueued { pool, .. } => {
            record.queued.get_or_insert(at);
            record.first_pool.get_or_insert_with(|| pool.clone());
        }
        Fact::CallOverflowed { .. } => record.overflows += 1,
        Fact::AgentOffered { .. } => {
            record.offers += 1;
            record.offered.get_or_insert(at);
        }
        Fact::CallBridged { agent, pool, waited_ms, .. } => {
            if record.bridged.is_none() {
                record.bridged = Some(at);
                record.waited_ms = Some(*waited_ms);
                record.agent = Some(*agent);
                record.pool = Some(pool.clone());
            }
        }
        Fact::TalkEnded { by, .. } => {
            let (_, by) = *later.talk_ended.get_or_insert((at, *by));
            record.departure = Departure::Answered;
            record.ended_by = by;
        }
        Fact::SurveyAnswered { level, .. } => _ = later.satisfaction.get_or_insert(*level),
        // Not one that a lawyer has called in.
        Fact::TransferEnded { end: OfferEnd::Answered, .. } if record.bridged.is_none() => {
            record.waited_ms = record.queued.map(|queued| span_ms(at, queued));
        }
        Fact::CallDeparted { departure, by, .. } => {
            record.departed = at;
            record.departure = *departure;
            record.ended_by = later.talk_ended.map_or(*by, |(_, by)| by);
        }
        Fact::LegEnded { leg, role, stats, .. } => {
            later.legs.insert(*leg, Leg { leg: *leg, role: *role, stats: *stats });
        }
        Fact::RecordingClosed { file, duration_ms, segments, .. } => {
            let recording =
                Recording { file: storable(file), duration_ms: *duration_ms, segments: segments.clone() };
            later.recordings.insert(file.clone(), recording);
        }
        // The record has no place for these: the live board shows them, and they are over with the call.
        Fact::CallArrived { .. }
        | Fact::CallStepped { .. }
        | Fact::CallPrioritised { .. }
        | Fact::WaitAnnounced { .. }
        | Fact::CallbackAsked { .. }
        | Fact::CallbackDialled { .. }
        | Fact::TransferDialled { .. }
        | Fact::TransferEnded { .. }
        | Fact::CallConferenced { .. }
        | Fact::GuestLeft { .. }
        | Fact::CallPassedOn { .. }
        | Fact::CallPassedTo { .. }
        | Fact::ReferralRefused { .. }
        | Fact::CallSupervised { .. }
        | Fact::OfferEnded { .. }
        | Fact::CallHeld { .. }
        | Fact::CallResumed { .. }
        | Fact::SurveyAsked { .. }
        | Fact::CallClosed { .. }
        | Fact::AgentChanged { .. }
        | Fact::TrunkChanged { .. }
        | Fact::PoolOverridden { .. } => {}
    }
}

fn finish(record: &mut CallRecord, talk_ended: Option<Timestamp>) {
    if record.waited_ms.is_none() {
        record.waited_ms = record.queued.map(|queued| span_ms(record.departed, queued));
    }
    record.talk_ms = record.bridged.map(|bridged| span_ms(talk_ended.unwrap_or(record.departed), bridged));
}

fn span_ms(later: Timestamp, earlier: Timestamp) -> u64 {
    u64::try_from((later - earlier).as_millis()).unwrap_or(u64::MAX)
}

/// PostgreSQL refuses text with a NUL, and a caller's display name may hold one: it must not cost the
/// caller the ticket, nor vanish unseen.
fn storable(text: &str) -> String {
    if text.contains('\0') { text.replace('\0', "\u{fffd}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{AgentId, LegRole, LegStats, OverflowReason, TargetId};

    fn arrived(call: u64) -> Fact {
        Fact::CallArrived {
            call: CallId(call),
            region: Some("wenzhou".into()),
            trunk: Some("telecom".into()),
            caller: Pii::new("13812345678"),
            caller_name: None,
            called: "12348".to_owned(),
            plan: Some("0123456789ab".into()),
        }
    }

    fn facts(list: Vec<(i64, Fact)>) -> Vec<FactRecord> {
        let number = |(seq, (at, fact))| FactRecord { at: Timestamp::from_ms(at), seq: seq as u64, fact };
        list.into_iter().enumerate().map(number).collect()
    }

    fn answered() -> Vec<FactRecord> {
        let call = CallId(7);
        let (agent, city) = (AgentId(11), || "city".into());
        facts(vec![
            (1_000, arrived(7)),
            (1_001, Fact::CallAttributed { call, county: "lucheng".into() }),
            (2_000, Fact::CallQueued { call, pool: "lucheng".into() }),
            (2_001, Fact::AgentOffered { call, agent: AgentId(10), pool: "lucheng".into() }),
            (
                9_000,
                Fact::CallOverflowed {
                    call,
                    from: "lucheng".into(),
                    to: city(),
                    reason: OverflowReason::PatienceExpired,
                },
            ),
            (9_000, Fact::CallQueued { call, pool: city() }),
            (9_001, Fact::AgentOffered { call, agent, pool: city() }),
            (12_000, Fact::CallBridged { call, agent, pool: city(), waited_ms: 10_000 }),
            (72_000, Fact::CallDeparted { call, departure: Departure::Answered, by: Party::Agent }),
            (72_001, Fact::LegEnded { call, leg: 3, role: LegRole::Caller, stats: LegStats::default() }),
            (72_002, Fact::CallClosed { call }),
        ])
    }

    #[test]
    fn an_answered_call_tells_where_it_waited_and_who_answered() {
        let record = fold(&answered()).expect("facts of a call").record;
        assert_eq!(record.first_pool, Some("lucheng".into()));
        assert_eq!(record.pool, Some("city".into()));
        assert_eq!(record.agent, Some(AgentId(11)));
        assert_eq!((record.offers, record.overflows), (2, 1));
        assert_eq!((record.waited_ms, record.talk_ms), (Some(10_000), Some(60_000)));
        assert_eq!(record.offered, Some(Timestamp::from_ms(2_001)));
        assert_eq!((record.departure, record.ended_by), (Departure::Answered, Party::Agent));
    }

    #[test]
    fn order_and_repeats_of_facts_do_not_matter() {
        let straight = answered();
        let mut twisted: Vec<_> = straight.iter().rev().cloned().collect();
        twisted.extend(straight.iter().cloned());
        assert_eq!(fold(&twisted), fold(&straight));
    }

    #[test]
    fn an_abandoned_call_waited_until_it_left() {
        let call = CallId(7);
        let left = Fact::CallDeparted { call, departure: Departure::AbandonedQueue, by: Party::Caller };
        let facts = facts(vec![
            (0, arrived(7)),
            (500, Fact::CallQueued { call, pool: "city".into() }),
            (4_500, left),
            (4_500, Fact::CallClosed { call }),
        ]);
        let record = fold(&facts).expect("facts of a call").record;
        assert_eq!((record.waited_ms, record.talk_ms, record.agent), (Some(4_000), None, None));
    }

    #[test]
    fn a_call_that_was_passed_on_waited_until_somebody_outside_answered() {
        let (call, target) = (CallId(7), || TargetId::new("hotline_12345"));
        let ended = |end| Fact::TransferEnded { call, target: target(), end };
        let facts = facts(vec![
            (0, arrived(7)),
            (500, Fact::CallQueued { call, pool: "city".into() }),
            (4_500, Fact::TransferDialled { call, target: target(), attempt: 1 }),
            (6_500, ended(OfferEnd::Rejected)),
            (6_500, Fact::TransferDialled { call, target: target(), attempt: 2 }),
            (8_500, ended(OfferEnd::Answered)),
            (68_500, Fact::CallDeparted { call, departure: Departure::Transferred, by: Party::Outside }),
            (68_500, Fact::CallClosed { call }),
        ]);
        let record = fold(&facts).expect("facts of a call").record;
        assert_eq!((record.waited_ms, record.talk_ms, record.agent), (Some(8_000), None, None));
        assert_eq!((record.departure, record.ended_by), (Departure::Transferred, Party::Outside));
    }

    #[test]
    fn a_call_cut_off_by_a_crash_fails_at_its_last_fact_however_often_it_is_settled() {
        let mut cut = answered();
        cut.truncate(8);
        settle_crashed(&mut cut);
        let once = fold(&cut).expect("facts of a call");
        assert_eq!(once.record.departure, Departure::Failed);
        assert_eq!((once.record.talk_ms, once.record.agent), (Some(0), Some(AgentId(11))));
        settle_crashed(&mut cut);
        assert_eq!(fold(&cut), Ok(once));
    }

    #[test]
    fn settling_keeps_a_departure_that_was_told() {
        let mut cut = answered();
        cut.truncate(9);
        settle_crashed(&mut cut);
        assert_eq!(cut.last().map(|record| &record.fact), Some(&Fact::CallClosed { call: CallId(7) }));
        assert_eq!(fold(&cut).map(|whole| whole.record.departure), Ok(Departure::Answered));
    }

    #[test]
    fn a_talk_ends_before_its_survey_and_the_first_answer_counts() {
        let call = CallId(7);
        let level = Satisfaction::Satisfied;
        let mut list = answered();
        list.truncate(8);
        let after = facts(vec![
            (72_000, Fact::TalkEnded { call, by: Party::Agent }),
            (72_000, Fact::SurveyAsked { call }),
            (80_000, Fact::SurveyAnswered { call, level }),
            (81_000, Fact::SurveyAnswered { call, level: Satisfaction::VeryDissatisfied }),
            (90_000, Fact::CallDeparted { call, departure: Departure::Answered, by: Party::System }),
        ]);
        list.extend(after.into_iter().map(|record| FactRecord { seq: record.seq + 8, ..record }));
        let whole = fold(&list).expect("facts of a call");
        assert_eq!(whole.satisfaction, Some(level));
        assert_eq!((whole.record.talk_ms, whole.record.ended_by), (Some(60_000), Party::Agent));
        assert_eq!(whole.record.departed, Timestamp::from_ms(90_000));
        // The server dies in the middle of the question.
        list.truncate(11);
        settle_crashed(&mut list);
        let cut = fold(&list).expect("facts of a call");
        assert_eq!(cut.satisfaction, Some(level));
        assert_eq!((cut.record.departure, cut.record.talk_ms), (Departure::Answered, Some(60_000)));
    }

    #[test]
    fn facts_that_make_no_call_are_refused() {
        assert_eq!(fold(&[]), Err(FoldError::Empty));
        let headless = facts(vec![(1, Fact::CallClosed { call: CallId(7) })]);
        assert_eq!(fold(&headless), Err(FoldError::NoArrival(CallId(7))));
        let mixed = facts(vec![(1, arrived(7)), (2, Fact::CallClosed { call: CallId(8) })]);
        assert_eq!(fold(&mixed), Err(FoldError::Mixed(CallId(7), CallId(8))));
        assert_eq!(fold(&facts(vec![(1, arrived(u64::MAX))])), Err(FoldError::Range(CallId(u64::MAX))));
        assert_eq!(fold(&facts(vec![(i64::MAX, arrived(7))])), Err(FoldError::Range(CallId(7))));
    }

    #[test]
    fn a_nul_in_a_name_is_replaced_and_seen() {
        let mut facts = answered();
        if let Fact::CallArrived { caller_name, .. } = &mut facts[0].fact {
            *caller_name = Some(Pii::new("张\0三"));
        }
        let name = fold(&facts).expect("facts of a call").record.caller_name;
        assert_eq!(name.as_ref().map(Pii::reveal), Some("张\u{fffd}三"));
    }
}
