//! Who may: digest of REGISTERs and of INVITEs that claim to be from an account.

use super::wire::response;
use super::{Endpoint, Event, Flow};
use crate::digest::Verdict;
use crate::message::Message;
use crate::transaction::ServerId;
use domain::Pii;

impl Endpoint {
    /// The user, once proved to be `expected`; else `None`, and the request has been answered: 401 without
    /// usable credentials, 403 with wrong ones.
    pub(super) fn authenticate(
        &mut self,
        flow: Flow,
        tx: ServerId,
        request: &Message,
        expected: &str,
    ) -> Option<String> {
        let method = request.method()?;
        let credentials = request.headers_named("Authorization");
        match self.digest.verify(self.wire.now(), method, credentials, &self.accounts) {
            Verdict::Ok { user } if user == expected => Some(user),
            Verdict::Ok { user } | Verdict::Wrong { user } | Verdict::UnknownUser { user } => {
                self.counters.auth_failed += 1;
                self.refuse(tx, request, 403);
                self.wire.event(Event::AuthFailed { user: Pii::new(user), flow });
                None
            }
            Verdict::Missing => self.challenge(tx, request, expected, false),
            Verdict::Stale => self.challenge(tx, request, expected, true),
        }
    }

    fn challenge(&mut self, tx: ServerId, request: &Message, expected: &str, stale: bool) -> Option<String> {
        self.counters.challenged += 1;
        let mut challenge = response(request, 401, &self.wire.ids.tag_of(request.call_id()));
        for value in self.digest.challenges(self.wire.now(), stale, self.accounts.get(expected)) {
            challenge.push_header("WWW-Authenticate", &value);
        }
        self.wire.respond(tx, &challenge);
        None
    }
}
