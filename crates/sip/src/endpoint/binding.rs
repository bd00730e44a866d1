//! The registrar's side of REGISTER (RFC 3261 section 10.3).

use super::wire::response;
use super::{BindingId, Endpoint, Event, Flow, RegistrationLimits, Target, Timer};
use crate::message::Message;
use crate::name_addr::NameAddr;
use crate::registrar::{Binding, Change, Request};
use crate::transaction::ServerId;
use crate::uri::{Scheme, Uri};

impl Endpoint {
    /// Where a registered user's newest phone is.
    #[must_use]
    pub fn target_of(&self, user: &str) -> Option<Target> {
        self.registrar.newest(user).map(target)
    }

    pub(super) fn take_register(&mut self, flow: Flow, tx: ServerId, request: &Message) {
        let Some(user) = request.to().uri.user() else { return self.refuse(tx, request, 404) };
        if self.authenticate(flow, tx, request, &user).is_none() {
            return;
        }
        let contacts = match self.contacts(&user, request) {
            Ok(contacts) => contacts,
            Err(423) => {
                let mut refusal = response(request, 423, &self.wire.ids.tag_of(request.call_id()));
                refusal.push_header("Min-Expires", &self.registration_limits.expires_min_s.to_string());
                return self.wire.respond(tx, &refusal);
            }
            Err(status) => return self.refuse(tx, request, status),
        };
        let (cseq, _) = request.cseq();
        let update = Request { user: &user, flow, call_id: request.call_id(), cseq };
        match self.registrar.update(self.wire.now(), update, &contacts) {
            Err(_) => self.refuse(tx, request, 500),
            Ok(change) => {
                self.confirm_bindings(tx, request, &user);
                self.report(&user, change);
            }
        }
    }

    /// The contacts of a REGISTER with the seconds granted to each; or the status that refuses it.
    fn contacts(&self, user: &str, request: &Message) -> Result<Vec<(Uri, u32)>, u16> {
        let contacts = request.contacts();
        if request.has_star_contact() {
            // Section 10.2.2: alone, and only to remove.
            let removes_all = contacts.is_empty() && request.expires() == Some(0);
            let bindings = self.registrar.bindings(user).iter();
            return removes_all.then(|| bindings.map(|b| (b.contact.clone(), 0)).collect()).ok_or(400);
        }
        contacts.into_iter().map(|contact| grant(contact, request, self.registration_limits)).collect()
    }

    /// 200 with all bindings (section 10.3, step 8).
    fn confirm_bindings(&mut self, tx: ServerId, request: &Message, user: &str) {
        let now = self.wire.now();
        let mut confirmed = response(request, 200, &self.wire.ids.tag_of(request.call_id()));
        for binding in self.registrar.bindings(user) {
            let value = format!("<{}>;expires={}", binding.contact, binding.expires_s(now));
            confirmed.push_header("Contact", &value);
        }
        self.wire.respond(tx, &confirmed);
    }

    fn report(&mut self, user: &str, change: Change) {
        let ended = !change.ended.is_empty();
        for binding in change.ended {
            self.wire.io.timers.cancel(Timer::Binding(binding));
        }
        for (binding, expires_at) in &change.bound {
            self.wire.io.timers.set(Timer::Binding(*binding), *expires_at);
        }
        if ended || !change.bound.is_empty() {
            self.report_newest(user);
        }
    }

    /// What is true of the user now.
    fn report_newest(&mut self, user: &str) {
        let event = match self.registrar.newest(user) {
            None => Event::Unregistered { user: user.to_owned() },
            Some(binding) => Event::Registered {
                user: user.to_owned(),
                target: target(binding),
                expires_s: binding.expires_s(self.wire.now()),
            },
        };
        self.wire.event(event);
    }

    pub(super) fn drop_binding(&mut self, binding: BindingId) {
        self.wire.io.timers.cancel(Timer::Binding(binding));
        if let Some(user) = self.registrar.remove(binding) {
            self.report_newest(&user);
        }
    }

    pub(super) fn drop_bindings_on(&mut self, flow: Flow) {
        for binding in self.registrar.on_connection(flow) {
            self.drop_binding(binding);
        }
    }
}

fn target(binding: &Binding) -> Target {
    Target { flow: binding.flow, uri: binding.contact.clone() }
}

/// Seconds for one contact (section 10.3, step 7).
fn grant(contact: NameAddr, request: &Message, limits: RegistrationLimits) -> Result<(Uri, u32), u16> {
    let wish_s = contact.params.get("expires").and_then(|value| value.trim().parse().ok());
    let wish_s = wish_s.or(request.expires()).unwrap_or(limits.expires_default_s);
    match contact.uri.scheme() {
        Scheme::Sip | Scheme::Sips => {}
        Scheme::Tel | Scheme::Other => return Err(400),
    }
    if wish_s > 0 && wish_s < limits.expires_min_s {
        return Err(423);
    }
    Ok((contact.uri, wish_s.min(limits.expires_max_s)))
}
