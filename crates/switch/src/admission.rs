//! A new INVITE: who may call, is it our number, can we talk, is there room. Then the call begins.

use crate::call::{Call, Ear, Leg, MediaUse, Phase, Recording, sdp_id};
use crate::overrides::when;
use crate::{MediaPort, Node};
use dialplan::{Begun, Dialplan, number};
use domain::{CallId, Departure, Fact, LegRole, Party, Pii, Timestamp, TrunkId};
use media::Command;
use sip::{Invited, LegId, sdp};
use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The codecs that we speak, best first: desk phones may have no other than the last.
const CODECS: [sdp::Codec; 3] = [sdp::Codec::Pcma, sdp::Codec::Pcmu, sdp::Codec::G722];

/// What admission found out about an INVITE that may come in.
struct Admitted {
    plan: Arc<Dialplan>,
    trunk: Option<TrunkId>,
    caller: String,
    called: String,
    port: MediaPort,
    /// Our SDP and, unless the caller leaves the offer to us, what was agreed.
    sdp: Vec<u8>,
    remote: Option<media::Remote>,
}

impl Node {
    pub(crate) fn on_invited(&mut self, now: Timestamp, leg: LegId, invite: Invited) {
        match self.admit(now, &invite) {
            Ok(admitted) => self.begin_call(now, leg, admitted, invite.caller.display),
            Err(departure) => self.refuse(now, leg, departure),
        }
    }

    /// A refused INVITE is no call: it is counted, and leaves neither fact nor ticket.
    fn refuse(&mut self, now: Timestamp, leg: LegId, departure: Departure) {
        let counter = match departure {
            Departure::NotAllowed => &mut self.counters.refused_not_allowed,
            Departure::NoSuchNumber => &mut self.counters.refused_no_such_number,
            Departure::NoCodec => &mut self.counters.refused_no_codec,
            Departure::Answered
            | Departure::AbandonedMenu
            | Departure::AbandonedQueue
            | Departure::AbandonedRinging
            | Departure::Voicemail
            | Departure::Transferred
            | Departure::CallbackUnanswered
            | Departure::CallbackExpired
            | Departure::CallbackMerged
            | Departure::PatienceExpired
            | Departure::NobodyOnDuty
            | Departure::Closed
            | Departure::CallerLost
            | Departure::Overload
            | Departure::Failed => &mut self.counters.refused_overload,
        };
        *counter += 1;
        let retry_after_s = (departure == Departure::Overload).then_some(self.config.limits.retry_after_s);
        self.sip.reject(now, leg, departure.sip_status(), retry_after_s);
    }

    fn admit(&mut self, now: Timestamp, invite: &Invited) -> Result<Admitted, Departure> {
        let trunk = self.config.trunk_of(invite.flow.remote).cloned();
        if trunk.is_none() && invite.user.is_none() {
            return Err(Departure::NotAllowed);
        }
        let (plan, called) = self.plan_for(&invite.called).ok_or(Departure::NoSuchNumber)?;
        if self.is_draining || self.calls.len() >= self.config.limits.calls_max + self.callbacks.len() {
            return Err(Departure::Overload);
        }
        let port = self.ports.take_for_call().ok_or(Departure::Overload)?;
        let local = SocketAddr::new(self.config.media_ip, port.port);
        match agree(invite.offer.as_deref(), local, sdp_id(now, port)) {
            Ok((sdp, remote)) => {
                let caller = number::normalise(invite.caller.user.reveal(), plan.area_code());
                Ok(Admitted { plan, trunk, caller, called, port, sdp, remote })
            }
            Err(departure) => {
                self.ports.give_back(port);
                Err(departure)
            }
        }
    }

    fn plan_for(&self, called: &str) -> Option<(Arc<Dialplan>, String)> {
        self.regions.values().find_map(|region| {
            let plan = region.dialplan.as_ref()?;
            let normalised = number::normalise(called, plan.area_code());
            plan.serves(&normalised).then(|| (Arc::clone(plan), normalised))
        })
    }

    fn begin_call(&mut self, now: Timestamp, leg: LegId, admitted: Admitted, display: Option<Pii>) {
        let Admitted { plan, trunk, caller, called, port, sdp, remote } = admitted;
        let id = self.new_call_id(now);
        let when = when(&self.regions, plan.region(), now);
        let Begun { cursor, county, step } = plan.begin_over(trunk.as_ref(), &caller, &called, when);
        let is_history_wanted = plan.asks_for_history(&caller);
        let number = Pii::new(caller.clone());
        let mut own = Leg { media_open: true, ..Leg::new(now, leg, port) };
        remote.iter().for_each(|remote| own.agree(remote));
        let call = Call {
            region: plan.region().clone(),
            plan: plan.version().clone(),
            number: number.clone(),
            name: display.clone(),
            trunk: trunk.clone(),
            called: called.clone(),
            caller: own,
            cursor,
            phase: Phase::Playing { is_notice: false },
            deadline: None,
            queued_at: None,
            bridged_at: None,
            queued_in: None,
            given: acd::Priority::default(),
            moved: None,
            ringing: BTreeSet::new(),
            recording: Recording::NotStarted,
            recordings: 0,
            heard: Vec::new(),
            supervisor: None,
            callback: None,
            play_tag: 0,
            open_media: [leg.0].into(),
        };
        self.fact(
            now,
            Fact::CallArrived {
                call: id,
                region: Some(call.region.clone()),
                trunk,
                caller: Pii::new(caller),
                caller_name: display,
                called,
                plan: Some(plan.version().clone()),
            },
        );
        if let Some(county) = county {
            self.fact(now, Fact::CallAttributed { call: id, county });
        }
        self.caller_legs.insert(leg, id);
        self.calls.insert(id, call);
        self.plans.enter(&plan, &self.config.snapshot.prompts);
        if is_history_wanted {
            self.ask_who_calls(id, number);
        }
        self.sip.answer(now, leg, sdp);
        self.open_media(id, LegRole::Caller, media::LegId(leg.0), port, remote);
        self.run_step(now, id, step);
    }

    pub(crate) fn open_media(
        &mut self,
        call: CallId,
        role: LegRole,
        leg: media::LegId,
        port: MediaPort,
        remote: Option<media::Remote>,
    ) {
        self.media.insert(leg.0, MediaUse { call, role, port });
        self.tell_media(port.shard, Command::Open { leg, port: port.port, remote });
    }

    /// The peer answers an offer that it had left to us (RFC 3264 section 5): with its ACK, or later. Hold may
    /// come this way too.
    pub(crate) fn on_offer_answered(&mut self, now: Timestamp, leg: LegId, answer: &[u8]) {
        let media_ip = self.config.media_ip;
        let Some((own, call, party)) = self.leg_mut(leg) else { return };
        match sdp_agreed(media_ip, own, Some(answer)) {
            Some(remote) => {
                own.agree(&remote);
                let shard = own.port.shard;
                self.tell_media(shard, Command::Update { leg: media::LegId(leg.0), remote });
                party.into_iter().for_each(|party| self.on_hold(now, call, party, !remote.send));
            }
            None => self.on_unheard(now, leg),
        }
    }

    /// The peer did not answer an offer that it had asked for. A session that stands goes on as it was; without
    /// one there is nowhere to send a word to.
    pub(crate) fn on_offer_refused(&mut self, now: Timestamp, leg: LegId) {
        if self.leg_mut(leg).is_some_and(|(own, _, _)| own.ear == Ear::Awaited) {
            self.on_unheard(now, leg);
        }
    }

    fn on_unheard(&mut self, now: Timestamp, leg: LegId) {
        let is_talking = |call: &Call| matches!(call.phase, Phase::Talking { .. } | Phase::PassedOn { .. });
        match self.caller_legs.get(&leg).copied() {
            Some(id) if !self.calls.get(&id).is_some_and(is_talking) => {
                self.depart(now, id, Departure::NoCodec, Party::System);
            }
            Some(_) | None => self.sip.hang_up(now, leg),
        }
    }
}

/// Our answer to `offer`, or our own offer where the caller made none.
fn agree(
    offer: Option<&[u8]>,
    local: SocketAddr,
    id: u64,
) -> Result<(Vec<u8>, Option<media::Remote>), Departure> {
    match offer {
        None => Ok((sdp_offer(local, id, 1), None)),
        Some(offer) => {
            let (answer, remote) = sdp_answer(offer, local, id, 1).ok_or(Departure::NoCodec)?;
            Ok((answer, Some(remote)))
        }
    }
}

pub(crate) fn sdp_offer(local: SocketAddr, id: u64, version: u64) -> Vec<u8> {
    sdp::offer(local, id, version, &CODECS, sdp::Direction::SendRecv)
}

pub(crate) fn sdp_answer(
    offer: &[u8],
    local: SocketAddr,
    id: u64,
    version: u64,
) -> Option<(Vec<u8>, media::Remote)> {
    let offer = sdp::Session::parse(offer).ok()?;
    let (answer, agreed) = sdp::answer(&offer, local, id, version, &CODECS).ok()?;
    Some((answer, remote_of(&agreed)?))
}

/// What the peer's answer to our last offer makes of the leg; `None` if we cannot talk.
pub(crate) fn sdp_agreed(media_ip: IpAddr, own: &Leg, answer: Option<&[u8]>) -> Option<media::Remote> {
    let offer = sdp_offer(SocketAddr::new(media_ip, own.port.port), own.sdp_id, own.sdp_version);
    let answer = sdp::Session::parse(answer?).ok()?;
    remote_of(&sdp::accept(&offer, &answer).ok()?)
}

fn remote_of(agreed: &sdp::Negotiated) -> Option<media::Remote> {
    let codec = match agreed.codec {
        sdp::Codec::Pcmu => media::Codec::Pcmu,
        sdp::Codec::Pcma => media::Codec::Pcma,
        sdp::Codec::G722 => media::Codec::G722,
        sdp::Codec::Other => return None,
    };
    Some(media::Remote {
        rtp: agreed.remote,
        rtcp: agreed.remote_rtcp,
        codec,
        dtmf_payload: agreed.dtmf_payload,
        send: agreed.direction.sends(),
        receive: agreed.direction.receives(),
    })
}
