use super::lexer::is_token;
use crate::name_addr::{param_of, raw_params};
use crate::uri::split_host_port;
use std::net::{IpAddr, SocketAddr};

/// One Via value (RFC 3261 section 20.42), borrowed from its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Via<'a> {
    /// `UDP`, `TCP`…, as written.
    pub transport: &'a str,
    /// The sent-by host; IPv6 without brackets.
    pub host: &'a str,
    pub port: Option<u16>,
    params: &'a str,
}

impl<'a> Via<'a> {
    /// # Errors
    /// A text that says what is wrong. Unlike elsewhere, empty parameters are refused: responses are
    /// routed by this header.
    pub fn parse(value: &'a str) -> Result<Self, &'static str> {
        const MALFORMED: &str = "Malformed Via";
        let (name, rest) = value.split_once('/').ok_or(MALFORMED)?;
        let (version, rest) = rest.split_once('/').ok_or(MALFORMED)?;
        if !name.trim().eq_ignore_ascii_case("SIP") || version.trim() != "2.0" {
            return Err("Via of another protocol");
        }
        let rest = rest.trim_start();
        let (transport, rest) = rest.split_once([' ', '\t']).ok_or(MALFORMED)?;
        let (sent_by, params) = rest.split_at(rest.find(';').unwrap_or(rest.len()));
        let (host, port) = split_host_port(sent_by.trim()).map_err(|_| "Malformed sent-by in Via")?;
        if !is_token(transport.as_bytes()) {
            return Err(MALFORMED);
        }
        for param in raw_params(params) {
            let (name, _) = param.map_err(|_| MALFORMED)?;
            if !is_token(name.as_bytes()) {
                return Err("Malformed parameter in Via");
            }
        }
        Ok(Self { transport, host, port, params })
    }

    /// Empty when there is none: the peer speaks RFC 2543.
    #[must_use]
    pub fn branch(&self) -> &'a str {
        self.param("branch").unwrap_or("")
    }

    #[must_use]
    pub fn received(&self) -> Option<IpAddr> {
        let text = self.param("received")?;
        text.trim_start_matches('[').trim_end_matches(']').parse().ok()
    }

    /// `None`: not asked for. `Some(None)`: asked for and not filled in (RFC 3581).
    #[must_use]
    pub fn rport(&self) -> Option<Option<u16>> {
        self.param("rport").map(|port| port.parse().ok())
    }

    /// `Some("")` for a parameter without a value.
    #[must_use]
    pub fn param(&self, name: &str) -> Option<&'a str> {
        param_of(self.params, name)
    }
}

/// A Via value of our own, asking for `rport`.
#[must_use]
pub fn via_value(transport: &str, sent_by: SocketAddr, branch: &str) -> String {
    format!("SIP/2.0/{transport} {sent_by};branch={branch};rport")
}

/// The value with `received`, and `rport` if the peer asked for it, as seen on arrival (RFC 3261 section
/// 18.2.1, RFC 3581 section 4). `None` when nothing needs to be added.
pub(super) fn stamped(value: &str, source: SocketAddr) -> Option<String> {
    let via = Via::parse(value).ok()?;
    let asked = via.rport().is_some();
    let same_host = via.host.parse() == Ok(source.ip());
    if same_host && !asked && via.received().is_none() {
        return None;
    }
    let params_at = value.len() - via.params.len();
    let mut out = String::with_capacity(value.len() + 40);
    out.push_str(value[..params_at].trim_end());
    for (name, kept) in raw_params(via.params).filter_map(Result::ok) {
        if name.eq_ignore_ascii_case("received") || name.eq_ignore_ascii_case("rport") {
            continue;
        }
        out.push(';');
        out.push_str(name);
        if let Some(kept) = kept {
            out.push('=');
            out.push_str(kept);
        }
    }
    out.push_str(&format!(";received={}", source.ip()));
    if asked {
        out.push_str(&format!(";rport={}", source.port()));
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blanks_may_stand_between_all_parts() {
        let via =
            Via::parse("SIP  / 2.0  / TCP     spindle.example.com : 70  ;  branch  =   z9hG4bK9 ; rport")
                .unwrap();
        assert_eq!((via.transport, via.host, via.port), ("TCP", "spindle.example.com", Some(70)));
        assert_eq!((via.branch(), via.rport(), via.received()), ("z9hG4bK9", Some(None), None));
        let via = Via::parse("SIP/2.0/UDP [2001:db8::9:1];received=::1;rport=9;ttl=1").unwrap();
        assert_eq!((via.host, via.port, via.branch()), ("2001:db8::9:1", None, ""));
        assert_eq!((via.received(), via.rport()), (Some("::1".parse().unwrap()), Some(Some(9))));
        assert_eq!(via.param("TTL"), Some("1"));
    }

    #[test]
    fn what_cannot_route_a_response_is_refused() {
        for text in [
            "",
            "SIP/2.0/UDP",
            "SIP/2.0/UDP ",
            "SIP/2.0 h",
            "SIP/7.0/UDP h",
            "HTTP/2.0/UDP h",
            "SIP/2.0/UDP h;;",
            "SIP/2.0/UDP h:x",
            "SIP/2.0/UDP h:99999",
            "SIP/2.0/UDP a b",
            "SIP/2.0/UDP h;a b",
            "SIP/2.0/UDP [::1",
        ] {
            assert!(Via::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_source_is_stamped_where_the_peer_needs_it() {
        let check = |value: &str, expect: Option<&str>| {
            assert_eq!(stamped(value, "1.2.3.4:50".parse().unwrap()).as_deref(), expect, "{value}");
        };
        check("SIP/2.0/UDP 1.2.3.4:5060;branch=x", None);
        check("SIP/2.0/UDP h;branch=x", Some("SIP/2.0/UDP h;branch=x;received=1.2.3.4"));
        check(
            "SIP/2.0/UDP 1.2.3.4;rport;branch=x",
            Some("SIP/2.0/UDP 1.2.3.4;branch=x;received=1.2.3.4;rport=50"),
        );
        check("SIP/2.0/UDP h ;received=9.9.9.9;branch=x", Some("SIP/2.0/UDP h;branch=x;received=1.2.3.4"));
    }

    #[test]
    fn our_own_via_asks_for_rport() {
        let value = via_value("UDP", "[::1]:5060".parse().unwrap(), "z9hG4bKa");
        let via = Via::parse(&value).unwrap();
        assert_eq!(
            (via.host, via.port, via.branch(), via.rport()),
            ("::1", Some(5060), "z9hG4bKa", Some(None))
        );
    }
}
