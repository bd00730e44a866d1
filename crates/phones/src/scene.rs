//! The audio side of a phone: its address, its SDP, and what it says.

use crate::crowd::Output;
use media::Command;
use sip::{LegId, Timestamp, sdp};
use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;

/// A-law silence that follows what is said, so that a phone goes on sending: 20 s.
const PAUSE_BYTES: usize = 160_000;
/// Named by phones whose audio nobody wants: the discard port.
pub const NOWHERE: u16 = 9;

const CODECS: [sdp::Codec; 1] = [sdp::Codec::Pcma];

/// One phone call as its phone sees it.
pub(crate) struct Scene {
    port: Option<(u16, u16)>,
    local: SocketAddr,
    sdp_id: u64,
    version: u64,
}

/// The free ports of the crowd.
pub(crate) struct Audio {
    /// Named in SDP; the port is that of a crowd without audio.
    at: SocketAddr,
    is_silent: bool,
    free: VecDeque<(u16, u16)>,
    closing: BTreeMap<media::LegId, (u16, u16)>,
    open: BTreeMap<u16, media::LegId>,
    pause: Arc<[u8]>,
}

impl Scene {
    pub(crate) fn offer(&self, direction: sdp::Direction) -> Vec<u8> {
        sdp::offer(self.local, self.sdp_id, self.version, &CODECS, direction)
    }

    pub(crate) fn next_offer(&mut self, direction: sdp::Direction) -> Vec<u8> {
        self.version += 1;
        self.offer(direction)
    }

    pub(crate) fn answer(&mut self, offer: &[u8]) -> Option<(Vec<u8>, media::Remote)> {
        self.version += 1;
        let offer = sdp::Session::parse(offer).ok()?;
        let (answer, agreed) = sdp::answer(&offer, self.local, self.sdp_id, self.version, &CODECS).ok()?;
        Some((answer, remote_of(&agreed)))
    }

    pub(crate) fn agreed(&self, answer: &[u8]) -> Option<media::Remote> {
        let answer = sdp::Session::parse(answer).ok()?;
        let offer = self.offer(sdp::Direction::SendRecv);
        sdp::accept(&offer, &answer).ok().map(|agreed| remote_of(&agreed))
    }
}

fn remote_of(agreed: &sdp::Negotiated) -> media::Remote {
    media::Remote {
        rtp: agreed.remote,
        rtcp: agreed.remote_rtcp,
        codec: media::Codec::Pcma,
        dtmf_payload: agreed.dtmf_payload,
        send: agreed.direction.sends(),
        receive: agreed.direction.receives(),
    }
}

impl Audio {
    pub(crate) fn new(at: SocketAddr, ports: &[(u16, u16)]) -> Self {
        Self {
            at,
            is_silent: ports.is_empty(),
            free: ports.iter().copied().collect(),
            closing: BTreeMap::new(),
            open: BTreeMap::new(),
            pause: Arc::from(vec![media::g711::ALAW_SILENCE; PAUSE_BYTES]),
        }
    }

    /// `None` when every port is taken.
    pub(crate) fn begin(&mut self, now: Timestamp) -> Option<Scene> {
        let port = if self.is_silent { None } else { Some(self.free.pop_front()?) };
        let number = port.map_or(self.at.port(), |(_, port)| port);
        let sdp_id = now.as_ms() as u64;
        Some(Scene { port, local: SocketAddr::new(self.at.ip(), number), sdp_id, version: 1 })
    }

    /// The phone starts to speak: `speech` over and over, with pauses.
    pub(crate) fn open(
        &mut self,
        scene: &Scene,
        leg: LegId,
        remote: media::Remote,
        speech: Option<Arc<[u8]>>,
        outputs: &mut VecDeque<Output>,
    ) {
        let Some((shard, port)) = scene.port else { return };
        let leg = media::LegId(leg.0);
        self.open.insert(port, leg);
        let mut send = |command| outputs.push_back(Output::Media { shard, command });
        send(Command::Open { leg, port, remote: Some(remote) });
        let prompts = speech.into_iter().chain([Arc::clone(&self.pause)]).collect();
        send(Command::Play { leg, prompts, repeat: true, tag: 0 });
    }

    /// A key towards the hotline, over what is said.
    pub(crate) fn press(&self, scene: &Scene, digit: char, outputs: &mut VecDeque<Output>) {
        let Some((shard, port)) = scene.port else { return };
        if let Some(&leg) = self.open.get(&port) {
            let command = Command::Press { leg, digits: digit.to_string() };
            outputs.push_back(Output::Media { shard, command });
        }
    }

    pub(crate) fn close(&mut self, scene: &Scene, outputs: &mut VecDeque<Output>) {
        let Some((shard, port)) = scene.port else { return };
        match self.open.remove(&port) {
            Some(leg) => {
                self.closing.insert(leg, (shard, port));
                outputs.push_back(Output::Media { shard, command: Command::Close { leg } });
            }
            None => self.free.push_back((shard, port)),
        }
    }

    /// The port is free again only when its shard says so.
    pub(crate) fn closed(&mut self, leg: media::LegId) {
        if let Some(port) = self.closing.remove(&leg) {
            self.free.push_back(port);
        }
    }
}
