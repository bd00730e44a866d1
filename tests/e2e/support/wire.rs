//! SIP typed by hand: datagrams that no phone would send.

use super::SOON;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::time::Duration;

pub struct Wire {
    socket: UdpSocket,
    hotline: SocketAddr,
}

impl Wire {
    pub fn from(ip: IpAddr, hotline: SocketAddr) -> Self {
        let socket = UdpSocket::bind((ip, 0)).expect("a socket");
        Self { socket, hotline }
    }

    pub fn address(&self) -> SocketAddr {
        self.socket.local_addr().expect("it is bound")
    }

    /// A request, complete but for what the caller adds: headers each with its line end, and a body.
    pub fn request(&self, method: &str, uri: &str, headers: &str, body: &str) -> String {
        let own = self.address();
        format!(
            "{method} {uri} SIP/2.0\r\nVia: SIP/2.0/UDP {own};branch=z9hG4bK{method}{0};rport\r\n\
             Max-Forwards: 70\r\nFrom: <sip:13812345678@{own}>;tag=f{0}\r\nTo: <{uri}>\r\n\
             Call-ID: hand-{method}-{0}\r\nCSeq: 1 {method}\r\nContact: <sip:{own}>\r\n{headers}\
             Content-Length: {1}\r\n\r\n{body}",
            own.port(),
            body.len()
        )
    }

    pub fn send(&self, bytes: &[u8]) {
        self.socket.send_to(bytes, self.hotline).expect("a datagram");
    }

    /// The next final response.
    #[track_caller]
    pub fn answer(&self) -> String {
        loop {
            let answer = self.hear(SOON).expect("an answer");
            if !answer.starts_with("SIP/2.0 1") {
                return answer;
            }
        }
    }

    #[track_caller]
    pub fn ask(&self, request: &str) -> String {
        self.send(request.as_bytes());
        self.answer()
    }

    pub fn hear(&self, within: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(within)).expect("a time-out");
        let mut bytes = [0; 65_536];
        let count = self.socket.recv(&mut bytes).ok()?;
        Some(String::from_utf8_lossy(&bytes[..count]).into_owned())
    }
}

/// An SDP that offers the payload types of `formats`, received at `at`.
pub fn sdp(at: SocketAddr, formats: &str) -> String {
    let ip = at.ip();
    format!(
        "v=0\r\no=- 1 1 IN IP4 {ip}\r\ns=-\r\nc=IN IP4 {ip}\r\nt=0 0\r\nm=audio {} RTP/AVP {formats}\r\n",
        at.port()
    )
}
