use std::sync::LazyLock;

/// Statuses run from 100 to 699 (RFC 3261 section 7.2).
pub(crate) const STATUSES: std::ops::RangeInclusive<u16> = 100..=699;

static PHRASES: LazyLock<Vec<Box<str>>> = LazyLock::new(|| STATUSES.map(phrase).collect());

/// `404` → `Not Found` (RFC 3261 section 21); a status without a name of its own gets that of its class.
#[must_use]
pub fn reason_phrase(status: u16) -> &'static str {
    let index = usize::from(status.saturating_sub(*STATUSES.start()));
    PHRASES.get(index).map_or("Unknown", |phrase| phrase)
}

/// The vocabulary is rsip's; it names statuses in one word (`NotFound`), which is taken apart here.
fn phrase(status: u16) -> Box<str> {
    match rsip::StatusCode::from(status) {
        rsip::StatusCode::OK => "OK".into(),
        // RFC 3515 section 2.4.2; the word is not rsip's.
        _ if status == 202 => "Accepted".into(),
        rsip::StatusCode::UnsupportedUriScheme => "Unsupported URI Scheme".into(),
        rsip::StatusCode::RequestUriTooLong => "Request-URI Too Long".into(),
        rsip::StatusCode::ServerTimeOut => "Server Time-out".into(),
        rsip::StatusCode::Other(..) => class(status).into(),
        known => {
            let text = known.to_string();
            let name = text.split_once(' ').map_or("", |(_, name)| name);
            let mut words = String::with_capacity(name.len() + 4);
            for (at, c) in name.chars().enumerate() {
                if at > 0 && c.is_uppercase() {
                    words.push(' ');
                }
                words.push(c);
            }
            words.into()
        }
    }
}

fn class(status: u16) -> &'static str {
    match status / 100 {
        1 => "Progress",
        2 => "OK",
        3 => "Redirection",
        4 => "Request Failure",
        5 => "Server Failure",
        _ => "Global Failure",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phrases_are_those_of_the_rfc() {
        let check = |status, phrase| assert_eq!(reason_phrase(status), phrase);
        check(100, "Trying");
        check(183, "Session Progress");
        check(200, "OK");
        check(404, "Not Found");
        check(416, "Unsupported URI Scheme");
        check(422, "Session Interval Too Small");
        check(481, "Call Transaction Does Not Exist");
        check(503, "Service Unavailable");
        check(504, "Server Time-out");
        check(499, "Request Failure");
        check(99, "Trying");
        check(700, "Unknown");
    }
}
