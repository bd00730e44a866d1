//! Session descriptions (RFC 8866) and offer/answer (RFC 3264) for one audio stream: G.711 A-law and µ-law,
//! and telephone events (RFC 4733).
//!
//! Parsing is tolerant: a line that is not understood is passed over, for a peer's odd attribute must not
//! cost a call. Streams that are not plain RTP audio are kept only so that an answer can refuse them.
//! Deliberately absent: host names in `c=` (no resolver here), encryption, bundling.

use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};

/// Most media descriptions in one session.
pub const STREAMS_MAX: usize = 16;
/// Most payload types read in one media description.
pub const FORMATS_MAX: usize = 64;
/// The payload type of telephone events in our offers.
pub const DTMF_PAYLOAD: u8 = 101;
/// What we send, and ask for.
pub const PTIME_MS: u16 = 20;

/// Those that we speak, by their static payload types.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Codec {
    /// A-law, payload type 8.
    Pcma,
    /// µ-law, payload type 0.
    Pcmu,
    /// 64 kbit/s, payload type 9; its clock rate is written as 8000 (RFC 3551 section 4.5.2).
    G722,
    /// Anything else, telephone events aside; never negotiated.
    Other,
}

impl Codec {
    /// The static RTP payload type (RFC 3551 section 6).
    #[must_use]
    pub const fn payload_type(self) -> Option<u8> {
        match self {
            Self::Pcma => Some(8),
            Self::Pcmu => Some(0),
            Self::G722 => Some(9),
            Self::Other => None,
        }
    }

    const fn encoding(self) -> &'static str {
        match self {
            Self::Pcma => "PCMA/8000",
            Self::Pcmu => "PCMU/8000",
            Self::G722 => "G722/8000",
            Self::Other => "",
        }
    }
}

/// As seen by who wrote the description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Direction {
    SendRecv,
    SendOnly,
    RecvOnly,
    Inactive,
}

impl Direction {
    #[must_use]
    pub const fn new(sends: bool, receives: bool) -> Self {
        match (sends, receives) {
            (true, true) => Self::SendRecv,
            (true, false) => Self::SendOnly,
            (false, true) => Self::RecvOnly,
            (false, false) => Self::Inactive,
        }
    }

    #[must_use]
    pub const fn sends(self) -> bool {
        matches!(self, Self::SendRecv | Self::SendOnly)
    }

    #[must_use]
    pub const fn receives(self) -> bool {
        matches!(self, Self::SendRecv | Self::RecvOnly)
    }

    /// The same as seen by the other side.
    #[must_use]
    pub const fn reversed(self) -> Self {
        Self::new(self.receives(), self.sends())
    }

    const fn attribute(self) -> &'static str {
        match self {
            Self::SendRecv => "sendrecv",
            Self::SendOnly => "sendonly",
            Self::RecvOnly => "recvonly",
            Self::Inactive => "inactive",
        }
    }

    fn from_attribute(text: &str) -> Option<Self> {
        [Self::SendRecv, Self::SendOnly, Self::RecvOnly, Self::Inactive]
            .into_iter()
            .find(|direction| direction.attribute() == text)
    }
}

/// One audio stream that could be used.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Media {
    /// Where the describing side wants RTP.
    pub connection: SocketAddr,
    /// Where it wants RTCP: from `a=rtcp` (RFC 3605), else the next port.
    pub rtcp: SocketAddr,
    /// In its order of preference.
    pub codecs: Vec<Codec>,
    /// The payload type of telephone events, if it takes them.
    pub dtmf_payload: Option<u8>,
    /// Hold by `c=0.0.0.0` (RFC 2543) counts as not receiving.
    pub direction: Direction,
    pub ptime_ms: Option<u16>,
}

/// A parsed description.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Session {
    /// Identifier and version from the `o=` line; zero where it is no number.
    pub origin_id: u64,
    pub origin_version: u64,
    streams: Vec<Stream>,
}

/// Why a body is no session description.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SdpError(pub &'static str);

/// There is no audio stream with a codec that both sides speak: 488.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no usable audio codec")]
pub struct NoCodec;

/// What offer and answer agreed on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Negotiated {
    pub codec: Codec,
    pub dtmf_payload: Option<u8>,
    /// Where to send RTP and RTCP.
    pub remote: SocketAddr,
    pub remote_rtcp: SocketAddr,
    /// As seen by us.
    pub direction: Direction,
}

impl Session {
    /// # Errors
    /// When it does not begin with `v=0` or has too many media descriptions.
    pub fn parse(bytes: &[u8]) -> Result<Self, SdpError> {
        let text = String::from_utf8_lossy(bytes);
        let mut lines = text.split('\n').map(str::trim_end).filter(|line| !line.is_empty());
        if lines.next() != Some("v=0") {
            return Err(SdpError("Session description does not begin with v=0"));
        }
        let mut session = Self { origin_id: 0, origin_version: 0, streams: Vec::new() };
        let mut defaults = Section::default();
        let mut sections: Vec<Section> = Vec::new();
        for line in lines {
            let Some((kind, value)) = line.split_once('=') else { continue };
            match kind {
                "o" => (session.origin_id, session.origin_version) = origin(value),
                "m" if sections.len() == STREAMS_MAX => return Err(SdpError("Too many media descriptions")),
                "m" => {
                    session.streams.push(Stream::parse(value));
                    sections.push(Section::default());
                }
                "c" => sections.last_mut().unwrap_or(&mut defaults).connection = Some(connection(value)),
                "a" => sections.last_mut().unwrap_or(&mut defaults).attribute(value),
                _ => {}
            }
        }
        for (stream, section) in session.streams.iter_mut().zip(&sections) {
            stream.media = stream.usable(section, &defaults);
        }
        Ok(session)
    }

    /// The first stream of plain RTP audio that is not refused and says where it wants its packets.
    #[must_use]
    pub fn audio(&self) -> Option<&Media> {
        self.streams.iter().find_map(|stream| stream.media.as_ref())
    }
}

/// Our offer of one audio stream, with telephone events. `codecs` in order of preference; RTCP is on the
/// port after `local`'s. `version` must rise with every changed description of a session (RFC 3264
/// section 8).
#[must_use]
pub fn offer(
    local: SocketAddr,
    session_id: u64,
    version: u64,
    codecs: &[Codec],
    direction: Direction,
) -> Vec<u8> {
    let mut text = session_lines(local, session_id, version);
    write_audio(&mut text, local, "RTP/AVP", codecs, Some(DTMF_PAYLOAD), direction);
    text.into_bytes()
}

/// Our answer: the first of `supported` that the offer has, in the first audio stream that has one;
/// every other stream is refused with port 0, in its place (RFC 3264 section 6). The direction follows
/// from the offer: hold is answered with `recvonly` or `inactive`.
///
/// # Errors
/// [`NoCodec`] when no stream can be taken.
pub fn answer(
    offer: &Session,
    local: SocketAddr,
    session_id: u64,
    version: u64,
    supported: &[Codec],
) -> Result<(Vec<u8>, Negotiated), NoCodec> {
    let choice = |media: &Media| {
        supported.iter().copied().find(|codec| *codec != Codec::Other && media.codecs.contains(codec))
    };
    let taken = offer.streams.iter().enumerate().find_map(|(at, stream)| {
        let media = stream.media.as_ref()?;
        Some((at, media, choice(media)?))
    });
    let (taken, media, codec) = taken.ok_or(NoCodec)?;
    let direction = media.direction.reversed();
    let mut text = session_lines(local, session_id, version);
    for (at, stream) in offer.streams.iter().enumerate() {
        if at == taken {
            write_audio(&mut text, local, &stream.protocol, &[codec], media.dtmf_payload, direction);
        } else {
            let _ = write!(text, "m={} 0 {} {}\r\n", stream.kind, stream.protocol, stream.formats);
        }
    }
    let (remote, remote_rtcp) = (media.connection, media.rtcp);
    let negotiated = Negotiated { codec, dtmf_payload: media.dtmf_payload, remote, remote_rtcp, direction };
    Ok((text.into_bytes(), negotiated))
}

/// What the peer's answer to our offer means.
///
/// # Errors
/// [`NoCodec`] when the answer takes nothing that we offered.
pub fn accept(our_offer: &[u8], answer: &Session) -> Result<Negotiated, NoCodec> {
    let ours = Session::parse(our_offer).map_err(|_| NoCodec)?;
    let (Some(ours), Some(theirs)) = (ours.audio(), answer.audio()) else { return Err(NoCodec) };
    let offered = |codec: &Codec| *codec != Codec::Other && ours.codecs.contains(codec);
    let codec = theirs.codecs.iter().copied().find(offered).ok_or(NoCodec)?;
    let seen = theirs.direction.reversed();
    let sends = seen.sends() && ours.direction.sends();
    let receives = seen.receives() && ours.direction.receives();
    Ok(Negotiated {
        codec,
        dtmf_payload: theirs.dtmf_payload.filter(|_| ours.dtmf_payload.is_some()),
        remote: theirs.connection,
        remote_rtcp: theirs.rtcp,
        direction: Direction::new(sends, receives),
    })
}

fn session_lines(local: SocketAddr, session_id: u64, version: u64) -> String {
    let mut text = String::with_capacity(320);
    let (family, ip) = (family(local.ip()), local.ip());
    let _ = write!(
        text,
        "v=0\r\no=- {session_id} {version} IN {family} {ip}\r\ns=-\r\nc=IN {family} {ip}\r\nt=0 0\r\n"
    );
    text
}

fn write_audio(
    text: &mut String,
    local: SocketAddr,
    protocol: &str,
    codecs: &[Codec],
    dtmf_payload: Option<u8>,
    direction: Direction,
) {
    let _ = write!(text, "m=audio {} {protocol}", local.port());
    let codecs = codecs.iter().filter_map(|codec| Some((codec.payload_type()?, codec.encoding())));
    for (payload_type, _) in codecs.clone() {
        let _ = write!(text, " {payload_type}");
    }
    if let Some(payload_type) = dtmf_payload {
        let _ = write!(text, " {payload_type}");
    }
    text.push_str("\r\n");
    for (payload_type, encoding) in codecs {
        let _ = write!(text, "a=rtpmap:{payload_type} {encoding}\r\n");
    }
    if let Some(payload_type) = dtmf_payload {
        let _ =
            write!(text, "a=rtpmap:{payload_type} telephone-event/8000\r\na=fmtp:{payload_type} 0-15\r\n");
    }
    let _ = write!(text, "a=ptime:{PTIME_MS}\r\na={}\r\n", direction.attribute());
}

const fn family(ip: IpAddr) -> &'static str {
    match ip {
        IpAddr::V4(_) => "IP4",
        IpAddr::V6(_) => "IP6",
    }
}

/// One `m=` line, as it must be echoed when refused, and what it means if we can use it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Stream {
    kind: String,
    port: u16,
    protocol: String,
    formats: String,
    media: Option<Media>,
}

impl Stream {
    fn parse(value: &str) -> Self {
        let mut words = value.splitn(4, ' ').map(str::trim);
        let mut word =
            |default: &str| words.next().filter(|word| !word.is_empty()).unwrap_or(default).to_owned();
        let kind = word("unknown");
        // `49170/2` are several ports of layered audio: the first is the base layer.
        let port = word("0").split('/').next().and_then(|port| port.parse().ok()).unwrap_or(0);
        Self { kind, port, protocol: word("RTP/AVP"), formats: word("0"), media: None }
    }

    fn usable(&self, section: &Section, defaults: &Section) -> Option<Media> {
        let is_rtp = matches!(self.protocol.as_str(), "RTP/AVP" | "RTP/AVPF");
        if self.kind != "audio" || self.port == 0 || !is_rtp {
            return None;
        }
        let ip = section.connection.or(defaults.connection).flatten()?;
        let formats = self.formats.split_ascii_whitespace().take(FORMATS_MAX);
        let formats: Vec<u8> = formats.filter_map(|format| format.parse().ok()).collect();
        let dtmf_payload = formats.iter().copied().find(|format| section.is_dtmf(*format));
        let codecs = formats.iter().filter(|format| !section.is_dtmf(**format));
        let codecs = codecs.map(|format| section.codec(*format)).collect();
        let direction = section.direction.or(defaults.direction).unwrap_or(Direction::SendRecv);
        let receives = direction.receives() && !ip.is_unspecified();
        let rtcp = section.rtcp.unwrap_or((self.port.saturating_add(1), None));
        Some(Media {
            connection: SocketAddr::new(ip, self.port),
            rtcp: SocketAddr::new(rtcp.1.unwrap_or(ip), rtcp.0),
            codecs,
            dtmf_payload,
            direction: Direction::new(direction.sends(), receives),
            ptime_ms: section.ptime_ms.or(defaults.ptime_ms),
        })
    }
}

/// What the lines below an `m=` line say, or those before the first one.
#[derive(Default)]
struct Section {
    /// `Some(None)`: a line that names no address we can send to.
    connection: Option<Option<IpAddr>>,
    direction: Option<Direction>,
    rtcp: Option<(u16, Option<IpAddr>)>,
    ptime_ms: Option<u16>,
    /// Payload type and encoding.
    mappings: Vec<(u8, String)>,
}

impl Section {
    fn attribute(&mut self, value: &str) {
        let (name, value) = value.split_once(':').unwrap_or((value, ""));
        match name {
            "rtpmap" if self.mappings.len() < FORMATS_MAX => {
                let Some((format, encoding)) = value.trim().split_once(' ') else { return };
                if let Ok(format) = format.parse() {
                    self.mappings.push((format, encoding.trim().to_owned()));
                }
            }
            "rtcp" => {
                let (port, address) = value.trim().split_once(' ').unwrap_or((value.trim(), ""));
                self.rtcp =
                    port.parse().ok().filter(|port| *port != 0).map(|port| (port, connection(address)));
            }
            "ptime" => self.ptime_ms = value.trim().parse().ok(),
            _ => self.direction = Direction::from_attribute(name).or(self.direction),
        }
    }

    fn mapping(&self, format: u8) -> Option<&str> {
        self.mappings.iter().find(|(mapped, _)| *mapped == format).map(|(_, encoding)| encoding.as_str())
    }

    fn is_dtmf(&self, format: u8) -> bool {
        self.mapping(format).is_some_and(|encoding| encoding.eq_ignore_ascii_case("telephone-event/8000"))
    }

    fn codec(&self, format: u8) -> Codec {
        let codec = match format {
            8 => Codec::Pcma,
            0 => Codec::Pcmu,
            9 => Codec::G722,
            _ => return Codec::Other,
        };
        let name = codec.encoding();
        let agrees =
            |encoding: &str| encoding.get(..name.len()).is_some_and(|head| head.eq_ignore_ascii_case(name));
        if self.mapping(format).is_none_or(agrees) { codec } else { Codec::Other }
    }
}

fn origin(value: &str) -> (u64, u64) {
    let mut words = value.split_ascii_whitespace().skip(1);
    let mut number = || words.next().and_then(|word| word.parse().ok()).unwrap_or(0);
    (number(), number())
}

/// `IN IP4 192.0.2.1`, also with the `/ttl` of multicast.
fn connection(value: &str) -> Option<IpAddr> {
    let mut words = value.split_ascii_whitespace();
    let (network, _family, address) = (words.next()?, words.next()?, words.next()?);
    let ip = address.split('/').next().and_then(|ip| ip.parse().ok());
    ip.filter(|_| network == "IN")
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOTH: [Codec; 2] = [Codec::Pcma, Codec::Pcmu];

    fn local() -> SocketAddr {
        "10.0.0.1:20000".parse().unwrap()
    }

    fn parse(lines: &str) -> Session {
        Session::parse(format!("v=0\no=x 7 8 IN IP4 h\n{lines}").as_bytes()).unwrap()
    }

    fn answered(lines: &str) -> Result<(String, Negotiated), NoCodec> {
        let (text, negotiated) = answer(&parse(lines), local(), 1, 2, &BOTH)?;
        Ok((String::from_utf8(text).unwrap(), negotiated))
    }

    #[test]
    fn our_offer_reads_as_what_was_meant() {
        let text = String::from_utf8(offer(local(), 11, 3, &BOTH, Direction::SendRecv)).unwrap();
        let expect = "v=0\r\no=- 11 3 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\n\
            m=audio 20000 RTP/AVP 8 0 101\r\na=rtpmap:8 PCMA/8000\r\na=rtpmap:0 PCMU/8000\r\n\
            a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-15\r\na=ptime:20\r\na=sendrecv\r\n";
        assert_eq!(text, expect);
        let session = Session::parse(text.as_bytes()).unwrap();
        assert_eq!((session.origin_id, session.origin_version), (11, 3));
        let media = session.audio().unwrap();
        assert_eq!((media.connection, media.rtcp), (local(), "10.0.0.1:20001".parse().unwrap()));
        assert_eq!((&media.codecs[..], media.dtmf_payload, media.ptime_ms), (&BOTH[..], Some(101), Some(20)));
    }

    #[test]
    fn a_law_is_taken_when_offered_even_behind_others() {
        let check = |formats: &str, codec: Result<Codec, NoCodec>| {
            let lines = format!(
                "c=IN IP4 1.2.3.4\nm=audio 9 RTP/AVP {formats}\na=rtpmap:9 G722/8000\na=rtpmap:96 PCMA/8000"
            );
            assert_eq!(answered(&lines).map(|(_, negotiated)| negotiated.codec), codec, "{formats}");
        };
        check("9 0 8", Ok(Codec::Pcma));
        check("9 0", Ok(Codec::Pcmu));
        check("9 18 96", Err(NoCodec));
        check("", Ok(Codec::Pcmu));
        let lying = "c=IN IP4 1.2.3.4\nm=audio 9 RTP/AVP 8\na=rtpmap:8 opus/48000";
        assert_eq!(answered(lying), Err(NoCodec));
    }

    #[test]
    fn every_other_stream_is_refused_in_its_place() {
        let lines = "c=IN IP4 1.2.3.4\nm=video 8 RTP/AVP 31 32\nm=audio 0 RTP/AVP 8\nm=audio 10 RTP/SAVP 8\n\
            m=audio 12 RTP/AVP 18\nm=audio 14 RTP/AVP 8 97\na=rtpmap:97 TELEPHONE-EVENT/8000\nm=audio 16 RTP/AVP 8\nm=odd";
        let (text, negotiated) = answered(lines).unwrap();
        let media: Vec<&str> = text.lines().filter(|line| line.starts_with("m=")).collect();
        let expect = [
            "m=video 0 RTP/AVP 31 32",
            "m=audio 0 RTP/AVP 8",
            "m=audio 0 RTP/SAVP 8",
            "m=audio 0 RTP/AVP 18",
            "m=audio 20000 RTP/AVP 8 97",
            "m=audio 0 RTP/AVP 8",
            "m=odd 0 RTP/AVP 0",
        ];
        assert_eq!(media, expect);
        assert_eq!((negotiated.remote, negotiated.dtmf_payload), ("1.2.3.4:14".parse().unwrap(), Some(97)));
        assert!(text.contains("a=rtpmap:97 telephone-event/8000\r\na=fmtp:97 0-15\r\n"));
    }

    #[test]
    fn hold_is_understood_in_every_dialect_and_answered() {
        let check = |connection: &str, attribute: &str, ours: Direction| {
            let lines = format!("c=IN IP4 {connection}\nm=audio 9 RTP/AVP 8\n{attribute}");
            let (text, negotiated) = answered(&lines).unwrap();
            assert_eq!(negotiated.direction, ours, "{connection} {attribute}");
            assert!(text.ends_with(&format!("a={}\r\n", ours.attribute())));
        };
        check("1.2.3.4", "", Direction::SendRecv);
        check("1.2.3.4", "a=sendonly", Direction::RecvOnly);
        check("1.2.3.4", "a=recvonly", Direction::SendOnly);
        check("1.2.3.4", "a=inactive", Direction::Inactive);
        check("0.0.0.0", "", Direction::RecvOnly);
        check("0.0.0.0", "a=sendonly", Direction::RecvOnly);
        check("0.0.0.0", "a=recvonly", Direction::Inactive);
        let session_level =
            "c=IN IP4 1.2.3.4\na=inactive\nm=audio 9 RTP/AVP 8\na=sendrecv\nm=audio 9 RTP/AVP 8";
        assert_eq!(answered(session_level).unwrap().1.direction, Direction::SendRecv);
    }

    #[test]
    fn addresses_come_from_the_stream_then_from_the_session() {
        let check = |lines: &str, rtp: Option<&str>, rtcp: Option<&str>| {
            let session = parse(lines);
            let media = session.audio();
            assert_eq!(media.map(|media| media.connection.to_string()).as_deref(), rtp, "{lines}");
            assert_eq!(media.map(|media| media.rtcp.to_string()).as_deref(), rtcp, "{lines}");
        };
        let audio = "m=audio 9 RTP/AVP 8";
        check(&format!("c=IN IP4 1.1.1.1\n{audio}"), Some("1.1.1.1:9"), Some("1.1.1.1:10"));
        check(&format!("c=IN IP4 1.1.1.1\n{audio}\nc=IN IP6 ::2"), Some("[::2]:9"), Some("[::2]:10"));
        check(&format!("{audio}\nc=IN IP4 1.1.1.1/127\na=rtcp:99"), Some("1.1.1.1:9"), Some("1.1.1.1:99"));
        check(
            &format!("{audio}\nc=IN IP4 1.1.1.1\na=rtcp:99 IN IP4 2.2.2.2"),
            Some("1.1.1.1:9"),
            Some("2.2.2.2:99"),
        );
        check(&format!("c=IN IP4 gw.example.com\n{audio}"), None, None);
        check(audio, None, None);
        check("c=IN IP4 1.1.1.1\nm=audio 65535/2 RTP/AVP 8", Some("1.1.1.1:65535"), Some("1.1.1.1:65535"));
    }

    #[test]
    fn an_answer_is_held_against_our_offer() {
        let check = |ours: Direction, lines: &str, expect: Result<(Codec, Direction), NoCodec>| {
            let offer = offer(local(), 1, 1, &BOTH, ours);
            let got = accept(&offer, &parse(&format!("c=IN IP4 1.2.3.4\n{lines}")));
            assert_eq!(got.map(|negotiated| (negotiated.codec, negotiated.direction)), expect, "{lines}");
        };
        check(Direction::SendRecv, "m=audio 9 RTP/AVP 0 8", Ok((Codec::Pcmu, Direction::SendRecv)));
        check(Direction::SendRecv, "m=audio 9 RTP/AVP 8\na=recvonly", Ok((Codec::Pcma, Direction::SendOnly)));
        check(Direction::SendOnly, "m=audio 9 RTP/AVP 8", Ok((Codec::Pcma, Direction::SendOnly)));
        check(Direction::SendRecv, "m=audio 0 RTP/AVP 8", Err(NoCodec));
        check(Direction::SendRecv, "m=audio 9 RTP/AVP 18", Err(NoCodec));
        assert_eq!(accept(b"", &parse("")), Err(NoCodec));
    }

    #[test]
    fn what_is_no_description_or_too_large_is_refused() {
        for bytes in [&b""[..], b"hello", b"v=1\r\n", b"\xFF"] {
            assert!(Session::parse(bytes).is_err());
        }
        let many = format!("v=0\n{}", "m=audio 9 RTP/AVP 8\n".repeat(STREAMS_MAX + 1));
        assert!(Session::parse(many.as_bytes()).is_err());
        let lines = "nonsense\n=\nz\nm\nc=\nc=IN\na=\na=rtpmap\na=rtpmap:x y\na=rtcp:\nm=audio 9 RTP/AVP 8";
        assert!(parse(lines).audio().is_none());
    }
}
