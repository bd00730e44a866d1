//! Replaces (RFC 3891): which dialog of ours a peer means, in an INVITE or in the address of a REFER.
//!
//! Deliberately absent: Join (RFC 3911), and whether the peer may: that is the application's to judge.

use super::leg::{Leg, State};
use super::{Endpoint, LegId};
use crate::message::Message;
use crate::name_addr::Params;

/// Longest value read, in bytes: a Call-ID and two tags.
const REPLACES_BYTES_MAX: usize = 1024;

/// The dialog that a REFER wants replaced at the place that it names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// One of our legs. `early_only`: only as long as it is not answered.
    Leg { leg: LegId, early_only: bool },
    /// None of ours.
    Unknown,
}

/// The value of a Replaces header (RFC 3891 section 6.1).
pub(super) struct Replaces {
    call_id: String,
    /// The tag of whoever gets the header: ours.
    to_tag: String,
    from_tag: String,
    early_only: bool,
}

impl Replaces {
    /// `None` if there is not exactly one Call-ID, one `to-tag` and one `from-tag`.
    pub(super) fn parse(value: &str) -> Option<Self> {
        // No part may hold a comma, so one means a second value.
        if value.len() > REPLACES_BYTES_MAX || value.contains(',') {
            return None;
        }
        let (call_id, params) = value.split_at(value.find(';')?);
        let call_id = call_id.trim();
        let params = Params::parse(params).ok()?;
        if call_id.is_empty() || call_id.contains(char::is_whitespace) {
            return None;
        }
        Some(Self {
            call_id: call_id.to_owned(),
            to_tag: only(&params, "to-tag")?,
            from_tag: only(&params, "from-tag")?,
            early_only: params.get("early-only").is_some(),
        })
    }
}

impl Endpoint {
    /// What a Replaces means here, whatever the state of the leg.
    pub(super) fn replaced(&self, replaces: &Replaces) -> Replaced {
        match self.find_replaced(replaces) {
            Some((leg, found)) if !matches!(found.state, State::Leaving(_)) => {
                Replaced::Leg { leg, early_only: replaces.early_only }
            }
            Some(_) | None => Replaced::Unknown,
        }
    }

    /// The leg that a new INVITE wants to take the place of, if it has a Replaces header.
    ///
    /// # Errors
    /// The status that refuses the INVITE (section 3): 400 for what cannot be read, 481 for no dialog of
    /// ours or an early one that the peer began, 486 for an answered one with `early-only`, 603 for one
    /// that is over.
    pub(super) fn replaced_by(&self, invite: &Message) -> Result<Option<LegId>, u16> {
        let Some(value) = invite.header("Replaces") else { return Ok(None) };
        let replaces = Replaces::parse(value).ok_or(400_u16)?;
        let (leg, found) = self.find_replaced(&replaces).ok_or(481_u16)?;
        match &found.state {
            State::Incoming(_) => Err(481),
            State::Confirmed if replaces.early_only => Err(486),
            State::Calling(_) | State::Confirmed => Ok(Some(leg)),
            State::Leaving(_) => Err(603),
        }
    }

    fn find_replaced(&self, replaces: &Replaces) -> Option<(LegId, &Leg)> {
        let leg = self.legs.by_tag(&replaces.to_tag)?;
        let found = self.legs.get(leg)?;
        // Section 3: the tag 0 stands for a peer of RFC 2543 that has none.
        let remote_tag = Some(replaces.from_tag.as_str()).filter(|tag| *tag != "0");
        found.dialog_named(&replaces.call_id, remote_tag).map(|_| (leg, found))
    }
}

/// The value of a parameter that is there once and is not empty.
fn only(params: &Params, name: &str) -> Option<String> {
    let count = params.iter().filter(|(key, _)| key.eq_ignore_ascii_case(name)).count();
    params.get(name).filter(|value| count == 1 && !value.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_one_call_id_and_one_tag_of_each_side() {
        let replaces = Replaces::parse(" a@h ; from-tag=f;To-Tag=t;early-only").unwrap();
        assert_eq!((replaces.call_id.as_str(), replaces.early_only), ("a@h", true));
        assert_eq!((replaces.to_tag.as_str(), replaces.from_tag.as_str()), ("t", "f"));
        assert!(!Replaces::parse("a;to-tag=t;from-tag=f;x=y").unwrap().early_only);
        let long = format!("{};to-tag=t;from-tag=f", "a".repeat(REPLACES_BYTES_MAX));
        for bad in [
            "",
            "a",
            "a;to-tag=t",
            "a;from-tag=f",
            ";to-tag=t;from-tag=f",
            "a b;to-tag=t;from-tag=f",
            "a;to-tag=;from-tag=f",
            "a;to-tag=t;to-tag=u;from-tag=f",
            "a;to-tag=t;from-tag=f, b;to-tag=t;from-tag=f",
            "a;to-tag=\"t;from-tag=f",
            &long,
        ] {
            assert!(Replaces::parse(bad).is_none(), "{bad:?}");
        }
    }
}
