//! Wire bytes to header fields: line ends, folding, compact names, blanks before the colon, lists,
//! Content-Length, duplicates, limits, and header values that are not UTF-8 (RFC 3261 sections 7.3, 18.3).
//!
//! It never gives up on the first fault: it remembers that and reads on, so that the request can still
//! be answered with what its other headers say.

use super::headers::{Headers, canonical};
use crate::charset;
use std::borrow::Cow;

/// Most header fields in one message; list members count one by one.
pub const HEADERS_MAX: usize = 128;
/// Longest header value, in bytes.
pub const HEADER_VALUE_BYTES_MAX: usize = 8 * 1024;

/// Why a message is refused, and with which status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) status: u16,
    pub(super) reason: &'static str,
}

impl Problem {
    pub(super) const fn bad(reason: &'static str) -> Self {
        Self { status: 400, reason }
    }
}

/// A message cut into its pieces.
pub(super) struct Lexed<'a> {
    pub(super) start_line: &'a [u8],
    pub(super) headers: Headers,
    pub(super) body: &'a [u8],
    /// The first fault found.
    pub(super) problem: Option<Problem>,
}

/// `bytes` starts with the start line.
pub(super) fn lex(bytes: &[u8]) -> Lexed<'_> {
    let mut lines = Lines { rest: bytes };
    let Some(start_line) = lines.next_line() else {
        let problem = Some(Problem::bad("Missing line end"));
        return Lexed { start_line: bytes, headers: Headers::default(), body: b"", problem };
    };
    let mut fields = Fields::new(bytes.len());
    loop {
        let Some(line) = lines.next_line() else {
            fields.fault("Missing empty line after headers");
            break;
        };
        if line.is_empty() {
            break;
        }
        if fields.headers.len() >= HEADERS_MAX {
            fields.fault("Too many headers");
            lines.rest = b"";
            break;
        }
        let line = lines.unfold(line);
        fields.take(&line);
    }
    let body = fields.body(lines.rest);
    Lexed { start_line, headers: fields.headers, body, problem: fields.problem }
}

/// RFC 3261 section 25.1.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty() && bytes.iter().all(|&byte| TOKEN[usize::from(byte)])
}

/// Which bytes may stand in a token.
static TOKEN: [bool; 256] = {
    let mut table = [false; 256];
    let mut byte = 0;
    while byte < table.len() {
        table[byte] = (byte as u8).is_ascii_alphanumeric();
        byte += 1;
    }
    let mut at = 0;
    while at < MARKS.len() {
        table[MARKS[at] as usize] = true;
        at += 1;
    }
    table
};
const MARKS: &[u8] = b"-.!%*_+`'~";

/// Decimal digits only; what exceeds `u32` is its maximum.
pub(crate) fn number(text: &str) -> Option<u32> {
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| text.parse().unwrap_or(u32::MAX))
}

/// The members of a comma-separated list; commas in quoted strings and angle brackets do not count.
pub(crate) fn members(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let (mut quoted, mut escaped, mut angled) = (false, false, false);
        let comma = text.bytes().position(|byte| {
            match byte {
                _ if escaped => escaped = false,
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'<' if !quoted => angled = true,
                b'>' if !quoted => angled = false,
                b',' if !quoted && !angled => return true,
                _ => {}
            }
            false
        });
        rest = comma.map(|at| &text[at + 1..]);
        Some(text[..comma.unwrap_or(text.len())].trim())
    })
    .filter(|member| !member.is_empty())
}

/// The Content-Length of a message head, for cutting a stream: `Err` if it is malformed or there are two
/// that differ.
pub(crate) fn content_length(head: &[u8]) -> Result<Option<usize>, ()> {
    let mut lines = Lines { rest: head };
    let mut found = None;
    while let Some(line) = lines.next_line() {
        let line = lines.unfold(line);
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { continue };
        if canonical(line[..colon].trim_ascii_end()) != Some("Content-Length") {
            continue;
        }
        let value = std::str::from_utf8(line[colon + 1..].trim_ascii()).map_err(drop)?;
        let length = number(value).and_then(|length| usize::try_from(length).ok()).ok_or(())?;
        if found.replace(length).is_some_and(|other| other != length) {
            return Err(());
        }
    }
    Ok(found)
}

struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Lines<'a> {
    /// Without its line end, which may lack the CR. `None` when no line end follows.
    fn next_line(&mut self) -> Option<&'a [u8]> {
        let end = self.rest.iter().position(|&byte| byte == b'\n')?;
        let line = &self.rest[..end];
        self.rest = &self.rest[end + 1..];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }

    /// Joins the lines that continue `line`, each fold becoming one blank.
    fn unfold(&mut self, line: &'a [u8]) -> Cow<'a, [u8]> {
        let mut line = Cow::Borrowed(line);
        while matches!(self.rest, [b' ' | b'\t', ..]) {
            let Some(more) = self.next_line() else { break };
            let joined = line.to_mut();
            joined.truncate(joined.trim_ascii_end().len());
            joined.push(b' ');
            joined.extend_from_slice(more.trim_ascii());
        }
        line
    }
}

/// The fields as they gather.
struct Fields {
    headers: Headers,
    content_length: Option<usize>,
    problem: Option<Problem>,
}

impl Fields {
    fn new(message_bytes: usize) -> Self {
        Self { headers: Headers::with_capacity(message_bytes, 24), content_length: None, problem: None }
    }

    fn fault(&mut self, reason: &'static str) {
        self.problem.get_or_insert(Problem::bad(reason));
    }

    fn take(&mut self, line: &[u8]) {
        let Some(colon) = line.iter().position(|&byte| byte == b':') else {
            return self.fault("Header line without a colon");
        };
        let name = line[..colon].trim_ascii_end();
        let value = line[colon + 1..].trim_ascii();
        if !is_token(name) {
            return self.fault("Malformed header name");
        }
        if value.len() > HEADER_VALUE_BYTES_MAX {
            return self.fault("Header value too long");
        }
        if value.contains(&b'\r') {
            return self.fault("CR inside a header value");
        }
        match canonical(name) {
            Some("Content-Length") => self.take_content_length(value),
            Some(name) => self.push_known(name, value),
            None => self.push_other(name, value),
        }
    }

    fn take_content_length(&mut self, value: &[u8]) {
        if self.content_length.is_some() {
            return self.fault("Duplicate Content-Length");
        }
        let length = std::str::from_utf8(value).ok().and_then(number).and_then(|n| usize::try_from(n).ok());
        match length {
            Some(length) => self.content_length = Some(length),
            None => self.fault("Malformed Content-Length"),
        }
    }

    fn push_known(&mut self, name: &'static str, value: &[u8]) {
        if let Some(reason) = only_once(name)
            && self.headers.get(name).is_some()
        {
            return self.fault(reason);
        }
        let text = charset::decode(value);
        if is_list(name) && text.contains(',') {
            for member in members(&text) {
                if self.headers.len() >= HEADERS_MAX {
                    return self.fault("Too many headers");
                }
                self.headers.push_known(name, member);
            }
            return;
        }
        match text {
            Cow::Borrowed(text) => self.headers.push_known(name, text),
            Cow::Owned(text) => self.headers.push_raw(name, &text, value),
        }
    }

    fn push_other(&mut self, name: &[u8], value: &[u8]) {
        // A token is ASCII, so nothing of the name is lost.
        let name = charset::decode(name);
        match charset::decode(value) {
            Cow::Borrowed(text) => self.headers.push(&name, text),
            Cow::Owned(text) => self.headers.push_raw(&name, &text, value),
        }
    }

    /// What follows Content-Length bytes in a datagram is dropped (RFC 3261 section 18.3).
    fn body<'a>(&mut self, rest: &'a [u8]) -> &'a [u8] {
        match self.content_length {
            None => rest,
            Some(length) if length <= rest.len() => &rest[..length],
            Some(_) => {
                self.fault("Content-Length exceeds message");
                b""
            }
        }
    }
}

/// Headers that a message may have once, and what to say when it has them twice.
fn only_once(name: &str) -> Option<&'static str> {
    Some(match name {
        "From" => "Duplicate From",
        "To" => "Duplicate To",
        "Call-ID" => "Duplicate Call-ID",
        "CSeq" => "Duplicate CSeq",
        "Max-Forwards" => "Duplicate Max-Forwards",
        "Content-Type" => "Duplicate Content-Type",
        "Expires" => "Duplicate Expires",
        "Session-Expires" => "Duplicate Session-Expires",
        "Min-SE" => "Duplicate Min-SE",
        "RSeq" => "Duplicate RSeq",
        "RAck" => "Duplicate RAck",
        "Event" => "Duplicate Event",
        "Refer-To" => "Duplicate Refer-To",
        "Referred-By" => "Duplicate Referred-By",
        "Replaces" => "Duplicate Replaces",
        _ => return None,
    })
}

fn is_list(name: &str) -> bool {
    matches!(name, "Via" | "Route" | "Record-Route" | "Contact" | "Path" | "P-Asserted-Identity")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(head: &str, fields: &[(&str, &str)], problem: Option<&str>) {
        let bytes = format!("START\r\n{head}");
        let lexed = lex(bytes.as_bytes());
        assert_eq!(lexed.headers.iter().collect::<Vec<_>>(), fields, "{head:?}");
        assert_eq!(lexed.problem.map(|problem| problem.reason), problem, "{head:?}");
    }

    #[test]
    fn folds_compact_names_and_blanks_before_the_colon_are_undone() {
        check("s :\r\n\r\n", &[("Subject", "")], None);
        check("f\t: a\r\n  b \r\n\tc\r\nXy:\r\n y\r\n\r\n", &[("From", "a b c"), ("Xy", "y")], None);
        check("To: a\nFrom: b\n\n", &[("To", "a"), ("From", "b")], None);
    }

    #[test]
    fn lists_are_cut_at_commas_that_separate() {
        let fields = [("Contact", r#""a,\"b" <sip:c,d@e>"#), ("Contact", "<sip:f>"), ("Accept", "a, b")];
        check("m: \"a,\\\"b\" <sip:c,d@e> ,, <sip:f>\r\nAccept: a, b\r\n\r\n", &fields, None);
    }

    #[test]
    fn faults_are_named_and_the_rest_is_still_read() {
        check("To: a\r\nTo: b\r\nXy: y\r\n\r\n", &[("To", "a"), ("Xy", "y")], Some("Duplicate To"));
        check("nonsense\r\nXy: y\r\n\r\n", &[("Xy", "y")], Some("Header line without a colon"));
        check("a b: c\r\n\r\n", &[], Some("Malformed header name"));
        check(" a: b\r\n\r\n", &[], Some("Malformed header name"));
        check("Xy: y\r\n", &[("Xy", "y")], Some("Missing empty line after headers"));
        check("Xy: a\rb\r\n\r\n", &[], Some("CR inside a header value"));
        check("l: 1\r\nContent-Length: 1\r\n\r\nx", &[], Some("Duplicate Content-Length"));
        for bad in ["-1", "x", "", "1 1", "+1", "99999999999999999999"] {
            let problem = if bad.starts_with('9') {
                "Content-Length exceeds message"
            } else {
                "Malformed Content-Length"
            };
            check(&format!("l: {bad}\r\n\r\nx"), &[], Some(problem));
        }
    }

    #[test]
    fn limits_hold() {
        let many = "Xy: y\r\n".repeat(HEADERS_MAX + 1) + "\r\n";
        assert_eq!(lex(format!("S\r\n{many}").as_bytes()).problem, Some(Problem::bad("Too many headers")));
        let listed = format!("S\r\nVia: {}\r\n\r\n", "a,".repeat(HEADERS_MAX + 1));
        assert_eq!(lex(listed.as_bytes()).problem, Some(Problem::bad("Too many headers")));
        let long = format!("S\r\nXy: {}\r\n\r\n", "y".repeat(HEADER_VALUE_BYTES_MAX + 1));
        assert_eq!(lex(long.as_bytes()).problem, Some(Problem::bad("Header value too long")));
    }

    #[test]
    fn the_body_is_what_content_length_says() {
        let body = |message: &'static str| lex(message.as_bytes()).body;
        assert_eq!(body("S\r\nl: 2\r\n\r\nabcd"), b"ab");
        assert_eq!(body("S\r\nXy: y\r\n\r\nabcd"), b"abcd");
        assert_eq!(body("S\r\nl: 5\r\n\r\nabcd"), b"");
    }

    #[test]
    fn a_gbk_name_reads_as_text_and_leaves_as_it_came() {
        let bytes = b"S\r\nf: \"\xD5\xC5\xC8\xFD\" <sip:a@h>;tag=1\r\n\r\n";
        let headers = lex(bytes).headers;
        assert_eq!(headers.get("From"), Some("\"张三\" <sip:a@h>;tag=1"));
        let mut out = Vec::new();
        headers.encode_into(&mut out);
        assert_eq!(out, b"From: \"\xD5\xC5\xC8\xFD\" <sip:a@h>;tag=1\r\n");
    }
}
