//! Who may ask, and what browsers may do with the answer: loopback only, `Host` and `Origin` checks,
//! security headers, a time limit.
//!
//! Deliberately absent: logins. When there are some, [`check_listen`] is where other addresses open up.

use crate::problem::Problem;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

/// Until a handler must have begun its answer. A live stream may then go on.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(15);

/// Everything from ourselves, nothing inline. `data:` is for the icon in the page's head.
const CONTENT_SECURITY_POLICY: &str = "default-src 'self'; img-src 'self' data:; object-src 'none'; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

const SECURITY_HEADERS: [(HeaderName, HeaderValue); 5] = [
    (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(CONTENT_SECURITY_POLICY)),
    (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
    (HeaderName::from_static("cross-origin-resource-policy"), HeaderValue::from_static("same-origin")),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "the console has no logins yet, so it listens on loopback only: {0} is not; use 127.0.0.1 or [::1] and reach it through an SSH tunnel"
)]
pub struct NotLoopback(pub SocketAddr);

/// Whether the console may listen on `address`: to be asked before binding.
pub fn check_listen(address: SocketAddr) -> Result<(), NotLoopback> {
    if address.ip().to_canonical().is_loopback() { Ok(()) } else { Err(NotLoopback(address)) }
}

/// Refuses requests that a foreign page could have made: one whose `Host` is not ours (a rebound DNS
/// name), and one that would change something and comes from another `Origin`.
pub(crate) async fn check_host(request: Request, next: Next) -> Response {
    match refusal(request.method(), request.headers()) {
        None => next.run(request).await,
        Some(problem) => problem.into_response(),
    }
}

pub(crate) async fn limit_time(request: Request, next: Next) -> Response {
    tokio::time::timeout(ANSWER_TIMEOUT, next.run(request)).await.unwrap_or_else(|_| {
        Problem::new(StatusCode::GATEWAY_TIMEOUT, "no answer in time; try again").into_response()
    })
}

pub(crate) async fn add_security_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    response.headers_mut().extend(SECURITY_HEADERS);
    response
}

fn refusal(method: &Method, headers: &HeaderMap) -> Option<Problem> {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    let Some(host) = host else {
        return Some(Problem::new(StatusCode::BAD_REQUEST, "a Host header is required"));
    };
    if !is_loopback_name(host) {
        let detail = "use localhost, 127.0.0.1 or [::1] as the name of this server";
        return Some(Problem::new(StatusCode::MISDIRECTED_REQUEST, detail));
    }
    let origin = headers.get(header::ORIGIN)?;
    let is_safe = method.is_safe();
    let is_ours = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://")) == Some(host);
    if is_safe || is_ours {
        None
    } else {
        Some(Problem::new(StatusCode::FORBIDDEN, "a page of another origin may not change anything here"))
    }
}

/// `localhost`, `127.0.0.1:8080`, `[::1]:8080`.
fn is_loopback_name(host: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    };
    if name.eq_ignore_ascii_case("localhost") {
        return true;
    }
    let address = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_addresses_may_be_listened_on() {
        let check = |address: &str, ok: bool| {
            let address = address.parse().unwrap();
            assert_eq!(check_listen(address), if ok { Ok(()) } else { Err(NotLoopback(address)) });
        };
        check("127.0.0.1:8080", true);
        check("127.8.8.8:8080", true);
        check("[::1]:8080", true);
        check("[::ffff:127.0.0.1]:8080", true);
        check("0.0.0.0:8080", false);
        check("[::]:8080", false);
        check("192.168.1.5:8080", false);
    }

    #[test]
    fn only_loopback_names_are_served() {
        let check = |host: &str, ok: bool| assert_eq!(is_loopback_name(host), ok, "{host}");
        check("localhost", true);
        check("LocalHost:8080", true);
        check("127.0.0.1", true);
        check("127.0.0.1:8080", true);
        check("[::1]", true);
        check("[::1]:8080", true);
        check("evil.example", false);
        check("evil.example:8080", false);
        check("localhost.evil.example", false);
        check("127.0.0.1.evil.example:80", false);
        check("localhost:80@evil.example", false);
        check("10.0.0.1", false);
        check("", false);
    }

    #[test]
    fn another_origin_may_change_nothing() {
        let check = |method: Method, origin: Option<&'static str>, status: Option<u16>| {
            let mut headers = HeaderMap::new();
            headers.insert(header::HOST, HeaderValue::from_static("localhost:8080"));
            headers.extend(origin.map(|origin| (header::ORIGIN, HeaderValue::from_static(origin))));
            assert_eq!(refusal(&method, &headers).map(|problem| problem.status), status);
        };
        check(Method::POST, None, None);
        check(Method::POST, Some("http://localhost:8080"), None);
        check(Method::POST, Some("http://localhost:9090"), Some(403));
        check(Method::POST, Some("http://evil.example"), Some(403));
        check(Method::POST, Some("null"), Some(403));
        check(Method::GET, Some("http://evil.example"), None);
    }

    #[test]
    fn a_request_without_a_host_is_refused() {
        assert_eq!(refusal(&Method::GET, &HeaderMap::new()).map(|problem| problem.status), Some(400));
    }
}
