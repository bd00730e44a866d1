//! Session timers (RFC 4028): how long a dialog lives without a refresh, and who refreshes it.
//!
//! Only the arithmetic and the header values; the timers themselves run in the endpoint. A peer that does
//! not speak RFC 4028 gets no timer: its silence shows in the media.

use domain::Timestamp;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The smallest interval that RFC 4028 section 4 allows anybody to ask for.
pub const MIN_SE_S: u32 = 90;
/// Refused before it could make a deadline overflow; a day is more than any call lasts.
const MAX_SE_S: u32 = 86_400;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refresher {
    Us,
    Peer,
}

/// The `refresher` parameter: roles of the one request that carries it, not of the dialog.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Uac,
    Uas,
}

/// A Session-Expires header (RFC 4028 section 4).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionExpires {
    pub interval_s: u32,
    pub refresher: Option<Role>,
}

impl SessionExpires {
    /// `1800;refresher=uac`; `None` if it is not a number of seconds.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split(';').map(str::trim);
        let interval_s = parse_delta(parts.next()?)?;
        let mut refresher = None;
        for part in parts {
            let Some((name, role)) = part.split_once('=') else { continue };
            if name.trim().eq_ignore_ascii_case("refresher") {
                refresher = match role.trim() {
                    role if role.eq_ignore_ascii_case("uac") => Some(Role::Uac),
                    role if role.eq_ignore_ascii_case("uas") => Some(Role::Uas),
                    _ => None,
                };
            }
        }
        Some(Self { interval_s, refresher })
    }

    #[must_use]
    pub fn encode(self) -> String {
        match self.refresher {
            None => self.interval_s.to_string(),
            Some(Role::Uac) => format!("{};refresher=uac", self.interval_s),
            Some(Role::Uas) => format!("{};refresher=uas", self.interval_s),
        }
    }
}

/// Delta seconds, capped; also for Min-SE.
#[must_use]
pub fn parse_delta(value: &str) -> Option<u32> {
    let digits = value.split(';').next().unwrap_or_default().trim();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(digits.parse::<u32>().unwrap_or(MAX_SE_S).min(MAX_SE_S))
}

/// A running session timer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionTimer {
    pub interval_s: u32,
    pub refresher: Refresher,
    /// When the session was last refreshed, or began.
    pub refreshed_at: Timestamp,
}

impl SessionTimer {
    /// When we send the refresh, if that is ours to do: half-way (RFC 4028 section 7.2).
    #[must_use]
    pub fn refresh_at(&self) -> Option<Timestamp> {
        let half = Duration::from_millis(u64::from(self.interval_s) * 500);
        (self.refresher == Refresher::Us).then(|| self.refreshed_at + half)
    }

    /// When a dialog that nobody refreshed is hung up: a little early (RFC 4028 section 10).
    #[must_use]
    pub fn expires_at(&self) -> Timestamp {
        let early_s = (self.interval_s / 3).min(32);
        self.refreshed_at + Duration::from_secs(u64::from(self.interval_s - early_s))
    }

    /// The header of a refresh that we send.
    #[must_use]
    pub fn header_of_refresh(&self) -> SessionExpires {
        let refresher = match self.refresher {
            Refresher::Us => Role::Uac,
            Refresher::Peer => Role::Uas,
        };
        SessionExpires { interval_s: self.interval_s, refresher: Some(refresher) }
    }
}

/// What a request said about session timers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    pub session_expires: Option<SessionExpires>,
    pub min_se_s: Option<u32>,
    /// The request carries `Supported: timer`.
    pub supported: bool,
}

/// What the server of a request settles, and what its 2xx says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settled {
    pub timer: SessionTimer,
    pub header: SessionExpires,
    /// The 2xx carries `Require: timer` (the peer knows the extension).
    pub require: bool,
}

/// The interval asked for is below our minimum: 422 with Min-SE.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("session interval too small")]
pub struct TooSmall;

/// Settles the timer of a request that we serve (RFC 4028 section 9, table 2). `ours_s` is the interval
/// that we prefer.
///
/// # Errors
/// [`TooSmall`] if the peer speaks the extension and asked for less than [`MIN_SE_S`].
pub fn settle(asked: Asked, ours_s: u32, now: Timestamp) -> Result<Option<Settled>, TooSmall> {
    let floor_s = asked.min_se_s.unwrap_or(0).max(MIN_SE_S);
    let (interval_s, wish) = match asked.session_expires {
        None if !asked.supported => return Ok(None),
        None => (ours_s.max(floor_s), None),
        Some(se) if se.interval_s < MIN_SE_S && asked.supported => return Err(TooSmall),
        Some(se) => (se.interval_s.min(ours_s).max(floor_s), se.refresher),
    };
    // A client that does not know the extension cannot refresh.
    let role = if asked.supported { wish.unwrap_or(Role::Uas) } else { Role::Uas };
    let refresher = match role {
        Role::Uac => Refresher::Peer,
        Role::Uas => Refresher::Us,
    };
    Ok(Some(Settled {
        timer: SessionTimer { interval_s, refresher, refreshed_at: now },
        header: SessionExpires { interval_s, refresher: Some(role) },
        require: asked.supported,
    }))
}

/// The timer that a 2xx to our own request started; `None` if its server wants none.
#[must_use]
pub fn accepted(header: Option<SessionExpires>, now: Timestamp) -> Option<SessionTimer> {
    let header = header?;
    let refresher = match header.refresher {
        Some(Role::Uas) => Refresher::Peer,
        Some(Role::Uac) | None => Refresher::Us,
    };
    let interval_s = header.interval_s.max(MIN_SE_S);
    Some(SessionTimer { interval_s, refresher, refreshed_at: now })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_000_000);

    fn asked(session_expires: &str, supported: bool) -> Asked {
        Asked { session_expires: SessionExpires::parse(session_expires), min_se_s: None, supported }
    }

    #[test]
    fn headers_are_read_and_written() {
        let check = |text: &str, again: Option<&str>| {
            assert_eq!(SessionExpires::parse(text).map(SessionExpires::encode).as_deref(), again);
        };
        check("1800", Some("1800"));
        check(" 1800 ; refresher = UAS ;x=y", Some("1800;refresher=uas"));
        check("1800;refresher=proxy", Some("1800"));
        check("99999999999999999999", Some("86400"));
        check("soon", None);
        check("", None);
        check("-5", None);
    }

    #[test]
    fn the_server_settles_interval_and_refresher_by_table_2() {
        let check = |asked, expect: Result<Option<(&str, Refresher, bool)>, TooSmall>| {
            let settled =
                settle(asked, 900, NOW).map(|s| s.map(|s| (s.header.encode(), s.timer.refresher, s.require)));
            assert_eq!(
                settled,
                expect.map(|e| e.map(|(header, refresher, require)| (header.to_owned(), refresher, require)))
            );
        };
        check(asked("", false), Ok(None));
        check(asked("", true), Ok(Some(("900;refresher=uas", Refresher::Us, true))));
        check(asked("1800", false), Ok(Some(("900;refresher=uas", Refresher::Us, false))));
        check(asked("1800;refresher=uac", true), Ok(Some(("900;refresher=uac", Refresher::Peer, true))));
        check(asked("120;refresher=uas", true), Ok(Some(("120;refresher=uas", Refresher::Us, true))));
        check(asked("60", true), Err(TooSmall));
        check(asked("60", false), Ok(Some(("90;refresher=uas", Refresher::Us, false))));
        let with_floor = Asked { min_se_s: Some(1200), ..asked("1800", true) };
        check(with_floor, Ok(Some(("1200;refresher=uas", Refresher::Us, true))));
    }

    #[test]
    fn a_refresh_is_half_way_and_the_end_a_little_before_the_interval() {
        let timer = SessionTimer { interval_s: 90, refresher: Refresher::Us, refreshed_at: NOW };
        assert_eq!(timer.refresh_at(), Some(NOW + Duration::from_secs(45)));
        assert_eq!(timer.expires_at(), NOW + Duration::from_secs(60));
        let timer = SessionTimer { interval_s: 1800, refresher: Refresher::Peer, refreshed_at: NOW };
        assert_eq!(timer.refresh_at(), None);
        assert_eq!(timer.expires_at(), NOW + Duration::from_secs(1768));
    }
}
