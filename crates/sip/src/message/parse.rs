//! From the pieces of the lexer to a message whose mandatory headers can be relied on.

use super::headers::Headers;
use super::lexer::{Lexed, Problem, lex, number};
use super::status::{STATUSES, reason_phrase};
use super::via::Via;
use super::{Message, Method, Start};
use crate::charset;
use crate::name_addr;
use crate::uri::{Scheme, Uri};

/// Longest message taken, in bytes.
pub const MESSAGE_BYTES_MAX: usize = 64 * 1024;

/// CSeq numbers are below 2^31 (RFC 3261 section 8.1.1.5).
const CSEQ_MAX: u32 = (1 << 31) - 1;
const KEEP_ALIVE: &str = "Keep-alive";

/// Why bytes are no message that we take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct ParseError {
    /// Names the fault; also the reason phrase of a 400 (RFC 3261 section 21.4.1).
    pub reason: &'static str,
    /// The status that says so: 400, 416, 505 or 513.
    pub status: u16,
    /// What an answer is made of; `None`: stay silent.
    pub salvage: Option<Box<Salvage>>,
}

/// What could be read of a request that is refused. Headers may be missing or malformed, but for one Via.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Salvage {
    pub method: Method,
    pub headers: Headers,
}

impl ParseError {
    /// Nothing but line ends (RFC 5626 section 3.5.1): no message and no fault.
    #[must_use]
    pub fn is_keep_alive(&self) -> bool {
        self.reason == KEEP_ALIVE
    }

    /// The answer, without a To tag of ours; `None`: stay silent.
    #[must_use]
    pub fn response(&self) -> Option<Message> {
        let salvage = self.salvage.as_ref()?;
        let reason = if self.status == 400 { self.reason } else { reason_phrase(self.status) };
        Some(Message::response_from(&salvage.headers, self.status, reason))
    }

    fn silent(problem: Problem) -> Self {
        Self { reason: problem.reason, status: problem.status, salvage: None }
    }

    /// No answer to an ACK, nor where no Via says whose the answer is.
    fn answerable(problem: Problem, method: Method, headers: Headers) -> Self {
        let answer = method != Method::Ack && headers.get("Via").is_some();
        let salvage = answer.then(|| Box::new(Salvage { method, headers }));
        Self { reason: problem.reason, status: problem.status, salvage }
    }
}

pub(super) fn parse(bytes: &[u8]) -> Result<Message, ParseError> {
    if bytes.len() > MESSAGE_BYTES_MAX {
        return Err(ParseError::silent(Problem { status: 513, reason: "Message too large" }));
    }
    let Some(start) = bytes.iter().position(|byte| !matches!(byte, b'\r' | b'\n' | b' ' | 0)) else {
        return Err(ParseError::silent(Problem::bad(KEEP_ALIVE)));
    };
    let lexed = lex(&bytes[start..]);
    if lexed.start_line.len() >= 4 && lexed.start_line[..4].eq_ignore_ascii_case(b"SIP/") {
        parse_response(lexed).map_err(ParseError::silent)
    } else {
        parse_request(lexed)
    }
}

pub(super) fn parse_cseq(value: &str) -> Option<(u32, Method)> {
    let (digits, method) = value.split_once([' ', '\t'])?;
    let sequence = number(digits).filter(|sequence| *sequence <= CSEQ_MAX)?;
    Some((sequence, Method::parse(method.trim_start())?))
}

fn parse_response(lexed: Lexed<'_>) -> Result<Message, Problem> {
    const MALFORMED: Problem = Problem::bad("Malformed status line");
    let line = charset::decode(lexed.start_line);
    let (version, rest) = line.split_once(' ').ok_or(MALFORMED)?;
    let (status, reason) = rest.split_once(' ').unwrap_or((rest, ""));
    if !version.eq_ignore_ascii_case("SIP/2.0") || status.len() != 3 {
        return Err(MALFORMED);
    }
    let status = number(status).and_then(|status| u16::try_from(status).ok()).ok_or(MALFORMED)?;
    if !STATUSES.contains(&status) {
        return Err(MALFORMED);
    }
    if let Some(problem) = lexed.problem {
        return Err(problem);
    }
    check_headers(&lexed.headers, None)?;
    // As `encode` writes it: a control character in a phrase for people means nothing.
    let reason = reason.replace(|c: char| c.is_ascii_control(), " ").trim().to_owned();
    let start = Start::Response { status, reason };
    Ok(Message { start, headers: lexed.headers, body: lexed.body.to_vec() })
}

fn parse_request(lexed: Lexed<'_>) -> Result<Message, ParseError> {
    let line = charset::decode(lexed.start_line);
    let Some((method, uri, version)) = split_request_line(&line) else {
        return Err(ParseError::silent(Problem::bad("Not a SIP message")));
    };
    let checked = check_request(&method, uri, version, &lexed);
    match checked {
        Ok(uri) => Ok(Message {
            start: Start::Request { method, uri },
            headers: lexed.headers,
            body: lexed.body.to_vec(),
        }),
        Err(problem) => Err(ParseError::answerable(problem, method, lexed.headers)),
    }
}

/// The method up to the first blank, the version after the last one, the address between.
fn split_request_line(line: &str) -> Option<(Method, &str, &str)> {
    let (method, rest) = line.trim_end().split_once(' ')?;
    let (uri, version) = rest.rsplit_once(' ')?;
    let is_sip = version.get(..4).is_some_and(|name| name.eq_ignore_ascii_case("SIP/"));
    is_sip.then_some((Method::parse(method)?, uri.trim(), version))
}

fn check_request(method: &Method, uri: &str, version: &str, lexed: &Lexed<'_>) -> Result<Uri, Problem> {
    if !version.eq_ignore_ascii_case("SIP/2.0") {
        return Err(Problem { status: 505, reason: "Version not supported" });
    }
    if let Some(problem) = lexed.problem {
        return Err(problem);
    }
    check_headers(&lexed.headers, Some(method))?;
    let uri = Uri::parse(uri).map_err(|error| Problem::bad(error.0))?;
    match uri.scheme() {
        Scheme::Sip | Scheme::Sips | Scheme::Tel => Ok(uri),
        Scheme::Other => Err(Problem { status: 416, reason: "Unsupported URI scheme" }),
    }
}

/// `method` is that of a request, which must be the one in CSeq (RFC 3261 section 8.1.1.5).
fn check_headers(headers: &Headers, method: Option<&Method>) -> Result<(), Problem> {
    let mut seen = Seen::default();
    for (name, value) in headers.iter() {
        match name {
            "Via" => {
                Via::parse(value).map_err(Problem::bad)?;
                seen.via = true;
            }
            "From" => {
                check_address(value, "Malformed From")?;
                seen.from = true;
            }
            "To" => {
                check_address(value, "Malformed To")?;
                seen.to = true;
            }
            "Contact" if value != "*" => check_address(value, "Malformed Contact")?,
            "Route" => check_address(value, "Malformed Route")?,
            "Record-Route" => check_address(value, "Malformed Record-Route")?,
            "Call-ID" => {
                seen.call_id = !value.is_empty() && !value.bytes().any(|byte| byte.is_ascii_whitespace());
            }
            "CSeq" => {
                let (_, named) = parse_cseq(value).ok_or(Problem::bad("Malformed CSeq"))?;
                if method.is_some_and(|method| *method != named) {
                    return Err(Problem::bad("CSeq names another method"));
                }
                seen.cseq = true;
            }
            // 0 to 255 (RFC 3261 section 20.22).
            "Max-Forwards" if number(value).is_none_or(|hops| hops > 255) => {
                return Err(Problem::bad("Malformed Max-Forwards"));
            }
            _ => {}
        }
    }
    seen.check()
}

fn check_address(value: &str, reason: &'static str) -> Result<(), Problem> {
    name_addr::check(value).map_err(|_| Problem::bad(reason))
}

/// The headers that every message must have (RFC 3261 section 8.1.1). Max-Forwards is not among them:
/// RFC 2543 did not know it.
#[derive(Default)]
struct Seen {
    via: bool,
    from: bool,
    to: bool,
    call_id: bool,
    cseq: bool,
}

impl Seen {
    fn check(&self) -> Result<(), Problem> {
        let all = [
            (self.via, "Missing Via"),
            (self.from, "Missing From"),
            (self.to, "Missing To"),
            (self.call_id, "Missing or malformed Call-ID"),
            (self.cseq, "Missing CSeq"),
        ];
        all.into_iter().try_for_each(|(seen, reason)| if seen { Ok(()) } else { Err(Problem::bad(reason)) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "Via: SIP/2.0/UDP h;branch=z9hG4bK1\r\nFrom: <sip:a@h>;tag=1\r\nTo: <sip:b@h>\r\nCall-ID: c\r\n";

    fn refusal(start_line: &str, headers: &str) -> (u16, &'static str, bool) {
        let error = parse(format!("{start_line}\r\n{headers}\r\n").as_bytes()).unwrap_err();
        (error.status, error.reason, error.response().is_some())
    }

    fn check(start_line: &str, headers: &str, expect: (u16, &'static str, bool)) {
        assert_eq!(refusal(start_line, headers), expect, "{start_line} {headers}");
    }

    #[test]
    fn each_fault_has_its_status_and_an_answer_where_one_is_possible() {
        let invite = format!("{HEAD}CSeq: 1 INVITE\r\n");
        check("INVITE sip:b@h SIP/3.0", &invite, (505, "Version not supported", true));
        check("INVITE soap://h SIP/2.0", &invite, (416, "Unsupported URI scheme", true));
        check("INVITE sip:b@h; lr SIP/2.0", &invite, (400, "Forbidden character in URI", true));
        check("BYE sip:b@h SIP/2.0", &invite, (400, "CSeq names another method", true));
        check("INVITE sip:b@h SIP/2.0", HEAD, (400, "Missing CSeq", true));
        check("INVITE sip:b@h SIP/2.0", "CSeq: 1 INVITE\r\n", (400, "Missing Via", false));
        let cseq_too_high = format!("{HEAD}CSeq: 2147483648 INVITE\r\n");
        check("INVITE sip:b@h SIP/2.0", &cseq_too_high, (400, "Malformed CSeq", true));
        let to_open = invite.replace("<sip:b@h>", "\"<sip:b@h>");
        check("INVITE sip:b@h SIP/2.0", &to_open, (400, "Malformed To", true));
        for hops in ["x", "256"] {
            let invite = format!("{invite}Max-Forwards: {hops}\r\n");
            check("INVITE sip:b@h SIP/2.0", &invite, (400, "Malformed Max-Forwards", true));
        }
    }

    #[test]
    fn an_ack_a_response_and_noise_are_refused_in_silence() {
        check("ACK sip:b@h SIP/2.0", HEAD, (400, "Missing CSeq", false));
        check("SIP/2.0 200 OK", HEAD, (400, "Missing CSeq", false));
        check("SIP/2.0 4294967301 no", HEAD, (400, "Malformed status line", false));
        check("SIP/2.0 099 no", HEAD, (400, "Malformed status line", false));
        check("GET / HTTP/1.1", HEAD, (400, "Not a SIP message", false));
        check("hello", "", (400, "Not a SIP message", false));
    }

    #[test]
    fn line_ends_alone_are_a_keep_alive() {
        for bytes in [&b"\r\n\r\n"[..], b"\r\n", b"", b"\0\0\0\0"] {
            assert!(parse(bytes).unwrap_err().is_keep_alive());
        }
    }

    #[test]
    fn a_leading_line_end_is_skipped_and_what_is_too_large_is_dropped() {
        let message = format!("\r\n\r\nINVITE tel:110 SIP/2.0\r\n{HEAD}CSeq: 1 INVITE\r\n\r\n");
        assert!(parse(message.as_bytes()).is_ok());
        assert_eq!(parse(&vec![b'x'; MESSAGE_BYTES_MAX + 1]).unwrap_err().status, 513);
    }

    #[test]
    fn the_answer_to_a_fault_says_what_is_wrong() {
        let error = parse(format!("INVITE sip:b@h SIP/2.0\r\n{HEAD}\r\n").as_bytes()).unwrap_err();
        let text = String::from_utf8(error.response().unwrap().encode()).unwrap();
        assert!(
            text.starts_with("SIP/2.0 400 Missing CSeq\r\nVia: SIP/2.0/UDP h;branch=z9hG4bK1\r\n"),
            "{text}"
        );
    }
}
