//! Cuts a TCP byte stream into messages (RFC 3261 section 18.3) and keep-alives (RFC 5626 section 4.4.1).
//!
//! Deliberately absent: any look at a message beyond its Content-Length. A message without one is taken
//! to have no body, as there is no other way to find its end.

use crate::message::{MESSAGE_BYTES_MAX, content_length};

/// One piece of the stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// For [`crate::Message::parse`].
    Message(Vec<u8>),
    /// CRLF CRLF: to be answered with one CRLF.
    KeepAlive,
}

/// The stream cannot be followed any further: close the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FrameError(pub &'static str);

/// Holds at most one incomplete message of [`MESSAGE_BYTES_MAX`] bytes between two reads.
#[derive(Clone, Debug, Default)]
pub struct StreamFramer {
    buffer: Vec<u8>,
    /// How much of `buffer` has been given out.
    taken: usize,
    /// How much of the message that begins at `taken` is known not to hold its end.
    scanned: usize,
}

impl StreamFramer {
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds what was read. Call [`StreamFramer::next_frame`] until it has no more before the next push.
    ///
    /// # Errors
    /// When more than a whole message lies here uncut.
    pub fn push(&mut self, bytes: &[u8]) -> Result<(), FrameError> {
        self.buffer.drain(..self.taken);
        self.taken = 0;
        if self.buffer.len() > MESSAGE_BYTES_MAX {
            return Err(FrameError("Message too large"));
        }
        self.buffer.extend_from_slice(bytes);
        Ok(())
    }

    /// The next complete piece, `None` when more bytes are needed.
    ///
    /// # Errors
    /// When what is here does not begin like SIP, is too large, or its length cannot be told.
    pub fn next_frame(&mut self) -> Result<Option<Frame>, FrameError> {
        if self.scanned == 0 && self.skip_line_ends() {
            return Ok(Some(Frame::KeepAlive));
        }
        let bytes = &self.buffer[self.taken..];
        let Some(&first) = bytes.first() else { return Ok(None) };
        if matches!(first, b'\r' | b'\n') {
            return Ok(None);
        }
        let Some(head_end) = find_head_end(bytes, self.scanned) else {
            check_beginning(bytes)?;
            // The end is three bytes long: two of them may be here already.
            self.scanned = bytes.len().saturating_sub(2).max(1);
            return Ok(None);
        };
        check_beginning(bytes)?;
        let head = &bytes[..head_end];
        let body_bytes =
            content_length(head).map_err(|()| FrameError("Malformed Content-Length"))?.unwrap_or(0);
        let message_bytes = head_end.saturating_add(body_bytes);
        if message_bytes > MESSAGE_BYTES_MAX {
            return Err(FrameError("Message too large"));
        }
        if message_bytes > bytes.len() {
            self.scanned = head_end.saturating_sub(3);
            return Ok(None);
        }
        let message = bytes[..message_bytes].to_vec();
        self.taken += message_bytes;
        self.scanned = 0;
        Ok(Some(Frame::Message(message)))
    }

    /// Whether CRLF CRLF was there. One CRLF before a message, or as the answer to our own keep-alive, is
    /// passed over as soon as it is known not to be half of two.
    fn skip_line_ends(&mut self) -> bool {
        loop {
            let bytes = &self.buffer[self.taken..];
            if bytes.starts_with(b"\r\n\r\n") {
                self.taken += 4;
                return true;
            }
            let may_grow = bytes.len() < 4 && b"\r\n\r\n".starts_with(bytes);
            if may_grow || !matches!(bytes.first(), Some(b'\r' | b'\n')) {
                return false;
            }
            self.taken += 1;
        }
    }
}

/// The place after the empty line, looking from `from` on. Line ends may lack their CR.
fn find_head_end(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += bytes[at..].iter().position(|&byte| byte == b'\n')? + 1;
        match bytes[at..] {
            [b'\n', ..] => return Some(at + 1),
            [b'\r', b'\n', ..] => return Some(at + 2),
            _ => {}
        }
    }
}

/// A start line names SIP; an unfinished one is at least made of text.
fn check_beginning(bytes: &[u8]) -> Result<(), FrameError> {
    const NOT_SIP: FrameError = FrameError("Not SIP");
    const START_LINE_BYTES_MAX: usize = 8 * 1024;
    let line_end = bytes.iter().take(START_LINE_BYTES_MAX).position(|&byte| byte == b'\n');
    let line = &bytes[..line_end.unwrap_or(bytes.len().min(START_LINE_BYTES_MAX))];
    let is_text = line.iter().all(|&byte| byte >= b' ' || matches!(byte, b'\r' | b'\t'));
    let names_sip = line.windows(4).any(|window| window.eq_ignore_ascii_case(b"SIP/"));
    let too_long = line_end.is_none() && line.len() == START_LINE_BYTES_MAX;
    if !is_text || too_long || (line_end.is_some() && !names_sip) {
        return Err(NOT_SIP);
    }
    if bytes.len() > MESSAGE_BYTES_MAX && line_end.is_none() {
        return Err(FrameError("Message too large"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "OPTIONS sip:a SIP/2.0\r\nContent-Length : 4\r\n\r\nbody";
    const TWO: &str = "SIP/2.0 200 OK\r\nl:\r\n 0\r\n\r\n";
    const THREE: &str = "BYE sip:a SIP/2.0\r\nX: y\r\n\r\n";

    /// Feeds the stream in pieces of every size and expects the same frames.
    fn check(stream: &str, expect: &[Option<&str>]) {
        let expect: Vec<Frame> = expect
            .iter()
            .map(|text| text.map_or(Frame::KeepAlive, |text| Frame::Message(text.into())))
            .collect();
        for size in 1..=stream.len() {
            let mut framer = StreamFramer::new();
            let mut frames = Vec::new();
            for piece in stream.as_bytes().chunks(size) {
                framer.push(piece).unwrap();
                while let Some(frame) = framer.next_frame().unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames, expect, "pieces of {size}");
        }
    }

    fn error(stream: &[u8]) -> Option<FrameError> {
        let mut framer = StreamFramer::new();
        for piece in stream.chunks(4096) {
            if let Err(error) = framer.push(piece) {
                return Some(error);
            }
            loop {
                match framer.next_frame() {
                    Ok(Some(_)) => {}
                    Ok(None) => break,
                    Err(error) => return Some(error),
                }
            }
        }
        None
    }

    #[test]
    fn messages_and_keep_alives_are_cut_however_the_stream_is_sliced() {
        check(&format!("{ONE}{TWO}{THREE}"), &[Some(ONE), Some(TWO), Some(THREE)]);
        check(&format!("\r\n\r\n{ONE}\r\n\r\n\r\n\r\n{TWO}"), &[None, Some(ONE), None, None, Some(TWO)]);
        check(&format!("\r\n{TWO}\r\n{TWO}"), &[Some(TWO), Some(TWO)]);
        check("INFO sip:a SIP/2.0\nl: 1\n\nx", &[Some("INFO sip:a SIP/2.0\nl: 1\n\nx")]);
        check("INFO sip:a SIP/2.0\r\nl: 9\r\n\r\nx", &[]);
    }

    #[test]
    fn what_cannot_be_followed_is_an_error_at_once() {
        assert_eq!(error(b"\x16\x03\x01\x02\x00"), Some(FrameError("Not SIP")));
        assert_eq!(error(b"GET / HTTP/1.1\r\n"), Some(FrameError("Not SIP")));
        let with = |length: &str| error(format!("INFO sip:a SIP/2.0\r\nl: {length}\r\n\r\n").as_bytes());
        assert_eq!(with("x"), Some(FrameError("Malformed Content-Length")));
        assert_eq!(with("1\r\nContent-Length: 2"), Some(FrameError("Malformed Content-Length")));
        assert_eq!(with("70000"), Some(FrameError("Message too large")));
        assert_eq!(with("99999999999999999999"), Some(FrameError("Message too large")));
    }

    #[test]
    fn an_endless_message_is_not_kept() {
        let endless =
            |unit: &str| [b"INFO sip:a SIP/2.0\r\n".to_vec(), unit.repeat(80_000).into_bytes()].concat();
        assert_eq!(error(&endless("X: y\r\n")), Some(FrameError("Message too large")));
        assert_eq!(error(&endless("x")), Some(FrameError("Message too large")));
        assert_eq!(error(&[b'A'; 9000]), Some(FrameError("Not SIP")));
    }
}
