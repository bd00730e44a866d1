//! Outside any dialog: OPTIONS both ways (RFC 3261 section 11), and our own registrations.

use super::uac::{authorize, is_stale};
use super::wire::{SDP_TYPE, response};
use super::{Credentials, Endpoint, Event, PingId, Register, RegistrationId, Target, Timer};
use crate::message::{Message, Method};
use crate::name_addr::NameAddr;
use crate::registration::{Next, Registration};
use crate::transaction::{Purpose, ServerId};
use crate::uri::Uri;
use domain::Timestamp;

impl Endpoint {
    /// Asks whether somebody is there. `Pong` follows, after 64·T1 at the latest.
    pub fn ping(&mut self, now: Timestamp, target: Target) -> PingId {
        self.wire.io.now = now;
        self.last_ping += 1;
        let ping = PingId(self.last_ping);
        let from = NameAddr::new(Uri::from_socket(None, self.wire.our_address(target.flow)));
        let mut request = Message::request(Method::Options, target.uri.for_request_line());
        request.push_header("From", &from.with_tag(&self.wire.ids.token()).to_string());
        request.push_header("To", &NameAddr::new(target.uri).to_string());
        request.push_header("Call-ID", &self.wire.ids.token());
        request.push_header("CSeq", "1 OPTIONS");
        request.push_header("Accept", SDP_TYPE);
        self.wire.send_request(request, target.flow, Purpose::Ping(ping));
        ping
    }

    pub(super) fn hear_pong(&mut self, ping: PingId, response: Option<&Message>) {
        let status = response.and_then(Message::status);
        if status.is_none_or(|status| status >= 200) {
            self.wire.event(Event::Pong { ping, status });
        }
    }

    pub(super) fn take_options(&mut self, tx: ServerId, request: &Message) {
        let mut able = response(request, 200, &self.wire.ids.tag_of(request.call_id()));
        able.push_header("Accept", SDP_TYPE);
        able.push_header("Accept-Encoding", "identity");
        self.wire.describe(&mut able);
        self.wire.respond(tx, &able);
    }

    /// Registers and keeps registered, until [`Endpoint::unregister`]. `RegisterDone` follows.
    pub fn register(&mut self, now: Timestamp, register: Register) -> RegistrationId {
        self.wire.io.now = now;
        self.last_registration += 1;
        let id = RegistrationId(self.last_registration);
        let Register { target, user, password, expires_s } = register;
        let contact = self.wire.contact(Some(&user), target.flow);
        let (call_id, tag) = (self.wire.ids.token(), self.wire.ids.token());
        let credentials = Credentials { user, password };
        let registration = Registration::new(target, credentials, expires_s, contact, call_id, tag);
        self.registrations.insert(id, registration);
        self.send_register(id);
        id
    }

    /// Gives a registration up. `RegisterDone` follows.
    pub fn unregister(&mut self, now: Timestamp, id: RegistrationId) {
        self.wire.io.now = now;
        if let Some(registration) = self.registrations.get_mut(&id) {
            registration.give_up();
            self.wire.io.timers.cancel(Timer::Registration(id));
            self.send_register(id);
        }
    }

    pub(super) fn send_register(&mut self, id: RegistrationId) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        let request = registration.request(None);
        self.wire.send_request(request, registration.target.flow, Purpose::Register(id));
    }

    pub(super) fn hear_register(&mut self, id: RegistrationId, response: Option<&Message>) {
        let Some(registration) = self.registrations.get_mut(&id) else { return };
        let stale = response.is_some_and(|response| is_stale(response, response.status().unwrap_or(0)));
        match registration.hear(response, stale) {
            Next::Wait => {}
            Next::Again => {
                let uri = registration.target.uri.for_request_line();
                let cnonce = self.wire.ids.token();
                let known = &registration.credentials;
                let authorization = response.and_then(|response| {
                    authorize(response, &Method::Register, uri.as_str(), known, &cnonce)
                });
                let request = registration.request(authorization);
                self.wire.send_request(request, registration.target.flow, Purpose::Register(id));
            }
            Next::Done { report, again_after } => {
                if let Some(status) = report {
                    let user = registration.credentials.user.clone();
                    self.wire.event(Event::RegisterDone { user, status });
                }
                match again_after {
                    Some(span) => self.wire.io.after(Timer::Registration(id), span),
                    None => {
                        self.registrations.remove(&id);
                    }
                }
            }
        }
    }
}
