use serde::{Deserialize, Serialize};

/// Why a call left the hotline: the one enum that SIP status, call-record cause and metric label
/// derive from. Each call departs exactly once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Departure {
    /// A lawyer spoke with the caller, and one of them hung up.
    Answered,
    /// The caller hung up during the notice or the menu.
    AbandonedMenu,
    /// The caller hung up while waiting and no lawyer was ringing.
    AbandonedQueue,
    /// The caller hung up while a lawyer's phone rang.
    AbandonedRinging,
    /// The caller left a message.
    Voicemail,
    /// Passed on to somebody outside, who answered: the caller spoke with them and with no lawyer.
    Transferred,
    /// The caller asked to be called back, and when a lawyer was found did not answer.
    CallbackUnanswered,
    /// The caller asked to be called back, and no lawyer was found in time.
    CallbackExpired,
    /// The caller asked to be called back, and another call of the same number stands for this one.
    CallbackMerged,
    /// Patience of the last queue step ran out and the dialplan had nothing more to offer.
    PatienceExpired,
    /// Nobody was on duty in any pool of the call, and the dialplan had nothing more to offer.
    NobodyOnDuty,
    /// Outside opening hours, without voicemail.
    Closed,
    /// The caller's leg died without a word: session timer, transport or media time-out.
    CallerLost,
    /// The source is neither a trunk on the list nor a registered phone.
    NotAllowed,
    /// The dialled number belongs to no dialplan.
    NoSuchNumber,
    /// The caller offered no codec that we speak.
    NoCodec,
    /// The house is full.
    Overload,
    /// Our own failure, or the server was stopped under the call.
    Failed,
}

impl Departure {
    pub const ALL: [Self; 18] = [
        Self::Answered,
        Self::AbandonedMenu,
        Self::AbandonedQueue,
        Self::AbandonedRinging,
        Self::Voicemail,
        Self::Transferred,
        Self::CallbackUnanswered,
        Self::CallbackExpired,
        Self::CallbackMerged,
        Self::PatienceExpired,
        Self::NobodyOnDuty,
        Self::Closed,
        Self::CallerLost,
        Self::NotAllowed,
        Self::NoSuchNumber,
        Self::NoCodec,
        Self::Overload,
        Self::Failed,
    ];

    /// Call-record cause and metric label.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::AbandonedMenu => "abandoned_menu",
            Self::AbandonedQueue => "abandoned_queue",
            Self::AbandonedRinging => "abandoned_ringing",
            Self::Voicemail => "voicemail",
            Self::Transferred => "transferred",
            Self::CallbackUnanswered => "callback_unanswered",
            Self::CallbackExpired => "callback_expired",
            Self::CallbackMerged => "callback_merged",
            Self::PatienceExpired => "patience_expired",
            Self::NobodyOnDuty => "nobody_on_duty",
            Self::Closed => "closed",
            Self::CallerLost => "caller_lost",
            Self::NotAllowed => "not_allowed",
            Self::NoSuchNumber => "no_such_number",
            Self::NoCodec => "no_codec",
            Self::Overload => "overload",
            Self::Failed => "failed",
        }
    }

    /// The final status of an INVITE that was never answered (RFC 3261 section 21).
    #[must_use]
    pub const fn sip_status(self) -> u16 {
        match self {
            Self::Answered
            | Self::Voicemail
            | Self::Transferred
            | Self::CallbackUnanswered
            | Self::CallbackExpired
            | Self::CallbackMerged => 200,
            Self::AbandonedMenu | Self::AbandonedQueue | Self::AbandonedRinging => 487,
            Self::PatienceExpired | Self::NobodyOnDuty | Self::Closed => 480,
            Self::CallerLost => 408,
            Self::NotAllowed => 403,
            Self::NoSuchNumber => 404,
            Self::NoCodec => 488,
            Self::Overload => 503,
            Self::Failed => 500,
        }
    }
}

/// Who ended a call or a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Party {
    Caller,
    Agent,
    /// Whom the call was passed on to.
    Outside,
    System,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_departure_has_its_own_label() {
        let labels: std::collections::BTreeSet<_> = Departure::ALL.iter().map(|d| d.as_str()).collect();
        assert_eq!(labels.len(), Departure::ALL.len());
    }
}
