//! The registrar's bindings (RFC 3261 section 10.3): which phone is where.
//!
//! Plain tables; digest and messages are the endpoint's. Deliberately absent: third-party registration,
//! q-values (the newest binding wins), paths.

use crate::flow::{Flow, Transport};
use crate::uri::Uri;
use domain::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// Contacts of one user; one more drops the one that was refreshed longest ago.
pub const MAX_BINDINGS: usize = 5;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BindingId(pub(crate) u64);

/// One contact of one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Binding {
    pub id: BindingId,
    pub contact: Uri,
    /// Where the REGISTER came from: requests to the contact take this way, NAT or not.
    pub flow: Flow,
    pub expires_at: Timestamp,
    call_id: String,
    cseq: u32,
}

impl Binding {
    /// Seconds left, rounded up.
    #[must_use]
    pub fn expires_s(&self, now: Timestamp) -> u32 {
        u32::try_from((self.expires_at - now).as_millis().div_ceil(1000)).unwrap_or(u32::MAX)
    }
}

/// What one REGISTER asks for.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    pub user: &'a str,
    pub flow: Flow,
    pub call_id: &'a str,
    pub cseq: u32,
}

/// Older than what is bound (section 10.3, step 7): nothing was changed, 500.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("REGISTER out of order")]
pub struct OutOfOrder;

#[derive(Default)]
pub struct Registrar {
    next: u64,
    /// Of each user, the binding refreshed last comes last. No user has an empty list.
    bindings: BTreeMap<String, Vec<Binding>>,
    users_by_id: BTreeMap<BindingId, String>,
    by_connection: BTreeSet<(Flow, BindingId)>,
}

impl Registrar {
    /// The user's bindings, the newest last.
    #[must_use]
    pub fn bindings(&self, user: &str) -> &[Binding] {
        self.bindings.get(user).map_or(&[], Vec::as_slice)
    }

    /// The user's newest binding.
    #[must_use]
    pub fn newest(&self, user: &str) -> Option<&Binding> {
        self.bindings(user).last()
    }

    /// Of users that `keep` does not want, the bindings.
    #[must_use]
    pub fn strangers(&self, keep: impl Fn(&str) -> bool) -> Vec<BindingId> {
        let strangers = self.bindings.iter().filter(|(user, _)| !keep(user));
        strangers.flat_map(|(_, bindings)| bindings).map(|binding| binding.id).collect()
    }

    /// Adds, refreshes and (0 s) removes contacts, all or none. Returns the bindings that ended and those
    /// whose deadline is new.
    ///
    /// # Errors
    /// [`OutOfOrder`] if any contact was bound by the same Call-ID with this or a higher CSeq.
    pub fn update(
        &mut self,
        now: Timestamp,
        request: Request<'_>,
        contacts: &[(Uri, u32)],
    ) -> Result<Change, OutOfOrder> {
        let known = self.bindings(request.user);
        let is_old = |binding: &Binding| binding.call_id == request.call_id && request.cseq <= binding.cseq;
        if contacts.iter().any(|(uri, _)| known.iter().any(|b| b.contact.equivalent(uri) && is_old(b))) {
            return Err(OutOfOrder);
        }
        let mut change = Change::default();
        for (contact, expires_s) in contacts {
            let id = self.bindings(request.user).iter().find(|b| b.contact.equivalent(contact)).map(|b| b.id);
            if let Some(id) = id {
                self.remove(id);
            }
            match (*expires_s, id) {
                (0, None) => {}
                (0, Some(id)) => change.ended.push(id),
                (expires_s, id) => {
                    let id = id.unwrap_or_else(|| self.next_id());
                    let expires_at = now + Duration::from_secs(u64::from(expires_s));
                    self.insert(id, request, contact, expires_at);
                    change.bound.push((id, expires_at));
                }
            }
        }
        while self.bindings(request.user).len() > MAX_BINDINGS {
            let oldest = self.bindings(request.user)[0].id;
            self.remove(oldest);
            change.bound.retain(|(id, _)| *id != oldest);
            change.ended.push(oldest);
        }
        Ok(change)
    }

    /// Ends one binding; its user, if it was there.
    pub fn remove(&mut self, id: BindingId) -> Option<String> {
        let user = self.users_by_id.remove(&id)?;
        if let Some(bindings) = self.bindings.get_mut(&user) {
            if let Some(binding) = bindings.iter().find(|binding| binding.id == id) {
                self.by_connection.remove(&(binding.flow, id));
            }
            bindings.retain(|binding| binding.id != id);
            if bindings.is_empty() {
                self.bindings.remove(&user);
            }
        }
        Some(user)
    }

    /// The bindings whose phone is behind a TCP connection.
    #[must_use]
    pub fn on_connection(&self, flow: Flow) -> Vec<BindingId> {
        let range = (flow, BindingId(0))..=(flow, BindingId(u64::MAX));
        self.by_connection.range(range).map(|(_, id)| *id).collect()
    }

    #[must_use]
    pub fn len(&self) -> usize {
        self.users_by_id.len()
    }

    fn next_id(&mut self) -> BindingId {
        self.next += 1;
        BindingId(self.next)
    }

    fn insert(&mut self, id: BindingId, request: Request<'_>, contact: &Uri, expires_at: Timestamp) {
        let binding = Binding {
            id,
            contact: contact.clone(),
            flow: request.flow,
            expires_at,
            call_id: request.call_id.to_owned(),
            cseq: request.cseq,
        };
        self.users_by_id.insert(id, request.user.to_owned());
        if request.flow.transport == Transport::Tcp {
            self.by_connection.insert((request.flow, id));
        }
        self.bindings.entry(request.user.to_owned()).or_default().push(binding);
    }
}

/// What an update did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub ended: Vec<BindingId>,
    pub bound: Vec<(BindingId, Timestamp)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::SocketAddr;

    const NOW: Timestamp = Timestamp::from_ms(0);

    fn flow(transport: Transport, port: u16) -> Flow {
        let local = SocketAddr::from(([127, 0, 0, 1], 5060));
        Flow { transport, local, remote: SocketAddr::from(([127, 0, 0, 1], port)) }
    }

    fn contact(port: u16, expires_s: u32) -> (Uri, u32) {
        (Uri::from_socket(Some("li"), SocketAddr::from(([10, 0, 0, 1], port))), expires_s)
    }

    fn update(registrar: &mut Registrar, cseq: u32, contacts: &[(Uri, u32)]) -> Result<Change, OutOfOrder> {
        let request = Request { user: "li", flow: flow(Transport::Tcp, 7000), call_id: "c", cseq };
        registrar.update(NOW, request, contacts)
    }

    #[test]
    fn the_contact_bound_last_is_the_newest_and_a_sixth_drops_the_first() {
        let mut registrar = Registrar::default();
        for port in 1..=6 {
            update(&mut registrar, u32::from(port), &[contact(port, 60)]).unwrap();
        }
        assert_eq!(registrar.bindings("li").len(), MAX_BINDINGS);
        assert_eq!(registrar.newest("li").unwrap().contact, contact(6, 0).0);
        update(&mut registrar, 7, &[contact(3, 60)]).unwrap();
        assert_eq!(registrar.newest("li").unwrap().contact, contact(3, 0).0);
        assert!(registrar.bindings("li").iter().all(|b| b.contact != contact(1, 0).0));
    }

    #[test]
    fn an_old_cseq_changes_nothing() {
        let mut registrar = Registrar::default();
        update(&mut registrar, 5, &[contact(1, 60)]).unwrap();
        assert_eq!(update(&mut registrar, 5, &[contact(2, 60), contact(1, 0)]), Err(OutOfOrder));
        assert_eq!(registrar.len(), 1);
        let change = update(&mut registrar, 6, &[contact(1, 0)]).unwrap();
        assert_eq!((change.ended.len(), registrar.len()), (1, 0));
    }

    #[test]
    fn bindings_are_found_by_their_connection() {
        let mut registrar = Registrar::default();
        update(&mut registrar, 1, &[contact(1, 60)]).unwrap();
        let ids = registrar.on_connection(flow(Transport::Tcp, 7000));
        assert_eq!(ids.len(), 1);
        assert!(registrar.on_connection(flow(Transport::Tcp, 7001)).is_empty());
        assert_eq!(registrar.remove(ids[0]).as_deref(), Some("li"));
        assert!(registrar.on_connection(flow(Transport::Tcp, 7000)).is_empty());
    }
}
