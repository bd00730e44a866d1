//! Finds the session description in a body, also inside `multipart/mixed` (RFC 5621).

use crate::name_addr::param_of;

pub(super) fn sdp<'a>(content_type: Option<&str>, body: &'a [u8]) -> Option<&'a [u8]> {
    let Some(content_type) = content_type else {
        return body.starts_with(b"v=").then_some(body);
    };
    if is_sdp(content_type) {
        return (!body.is_empty()).then_some(body);
    }
    let (media_type, params) = content_type.split_at(content_type.find(';')?);
    let is_multipart = media_type.get(..10).is_some_and(|name| name.eq_ignore_ascii_case("multipart/"));
    let boundary = param_of(params, "boundary").filter(|boundary| is_multipart && !boundary.is_empty())?;
    parts(body, boundary).find(|(head, _)| part_is_sdp(head)).map(|(_, content)| content)
}

fn is_sdp(content_type: &str) -> bool {
    content_type.split(';').next().is_some_and(|name| name.trim().eq_ignore_ascii_case("application/sdp"))
}

fn part_is_sdp(head: &[u8]) -> bool {
    String::from_utf8_lossy(head).lines().any(|line| match line.split_once(':') {
        Some((name, value)) if name.trim().eq_ignore_ascii_case("Content-Type") => is_sdp(value),
        _ => false,
    })
}

/// Head and content of each part (RFC 2046 section 5.1.1).
fn parts<'a>(body: &'a [u8], boundary: &str) -> impl Iterator<Item = (&'a [u8], &'a [u8])> {
    let delimiter = format!("--{boundary}").into_bytes();
    let mut rest = find(body, &delimiter).map(|at| &body[at + delimiter.len()..]);
    std::iter::from_fn(move || {
        let part = rest?;
        let end = find(part, &delimiter)?;
        rest = Some(&part[end + delimiter.len()..]);
        let part = &part[..end];
        let part = part.strip_suffix(b"\r\n").unwrap_or(part);
        let head_end = find(part, b"\r\n\r\n").map_or(part.len(), |at| at + 4);
        Some(part.split_at(head_end))
    })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_session_description_is_found_wherever_it_lies() {
        let check = |content_type: Option<&str>, body: &'static [u8], expect: Option<&[u8]>| {
            assert_eq!(sdp(content_type, body), expect);
        };
        check(Some("Application/SDP; charset=utf-8"), b"v=0", Some(b"v=0"));
        check(None, b"v=0", Some(b"v=0"));
        check(None, b"hello", None);
        check(Some("text/plain"), b"v=0", None);
        check(Some("application/sdp"), b"", None);
        let mixed = b"--7a\r\nContent-Type: text/plain\r\n\r\nhi\r\n--7a\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--7a--\r\n";
        check(Some("multipart/mixed; boundary=\"7a\""), mixed, Some(b"v=0\r\n"));
        check(Some("multipart/mixed; boundary=zz"), mixed, None);
        check(Some("multipart/mixed"), mixed, None);
    }
}
