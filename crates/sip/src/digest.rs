//! Digest authentication with SHA-256 and MD5, `qop=auth` (RFC 8760, RFC 7616; RFC 2617 for old phones).
//!
//! Passwords are never kept, only HA1. Nonces carry their own proof, so none is stored when it is issued;
//! once used, its count is remembered against replay, in a bounded table.
//!
//! The `uri` in the credentials is taken as written: phones behind proxies, and test tools, write another
//! one than that of the request line. Deliberately absent: `auth-int`, `-sess`, user hashing.

use crate::message::{Method, members};
use crate::name_addr::bare;
use domain::Timestamp;
use md5::{Digest as _, Md5};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Nonces whose count is remembered. When the table is full, the oldest are forgotten and become stale.
const NONCES_TRACKED_MAX: usize = 8192;

/// What is kept of a password: HA1 (RFC 7616 section 3.4.2) in lower-case hex, for the realm it was made for.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub ha1_md5: Option<String>,
    pub ha1_sha256: Option<String>,
}

impl Account {
    #[must_use]
    pub fn from_password(user: &str, realm: &str, password: &str) -> Self {
        let secret = [user, realm, password];
        Self {
            ha1_md5: Some(Algorithm::Md5.hash(&secret)),
            ha1_sha256: Some(Algorithm::Sha256.hash(&secret)),
        }
    }

    fn ha1(&self, algorithm: Algorithm) -> Option<&str> {
        match algorithm {
            Algorithm::Md5 => self.ha1_md5.as_deref(),
            Algorithm::Sha256 => self.ha1_sha256.as_deref(),
        }
    }
}

/// HA1 is as good as the password.
impl fmt::Debug for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Account(…)")
    }
}

/// What credentials are worth.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Ok {
        user: String,
    },
    /// Right password, but the nonce is used up or too old: challenge again with `stale`.
    Stale,
    /// Wrong password.
    Wrong {
        user: String,
    },
    /// No credentials for our realm that we can check: challenge.
    Missing,
    UnknownUser {
        user: String,
    },
}

/// The server side: issues nonces and checks credentials.
#[derive(Clone)]
pub struct Digest {
    realm: String,
    nonces: Nonces,
    /// The highest count seen with each nonce. Nonces begin with their time, so the oldest is first.
    counts: BTreeMap<String, u32>,
    /// Nonces up to this one may have been forgotten.
    forgotten: String,
}

impl Digest {
    #[must_use]
    pub fn new(realm: &str, secret: [u8; 32], nonce_lifetime: Duration) -> Self {
        let nonces = Nonces { secret, lifetime: nonce_lifetime, issued: 0 };
        Self { realm: realm.to_owned(), nonces, counts: BTreeMap::new(), forgotten: String::new() }
    }

    #[must_use]
    pub fn realm(&self) -> &str {
        &self.realm
    }

    /// Values for WWW-Authenticate, the stronger first (RFC 8760 section 2.4): of an account that we know,
    /// only what it can be proved by. Old phones give up when they see any algorithm but MD5.
    pub fn challenges(&mut self, now: Timestamp, stale: bool, account: Option<&Account>) -> Vec<String> {
        let nonce = self.nonces.issue(now);
        let challenge = rsip::typed::WwwAuthenticate {
            scheme: rsip::headers::auth::Scheme::Digest,
            realm: self.realm.clone(),
            nonce,
            stale: stale.then(|| "true".to_owned()),
            qop: Some(rsip::headers::auth::Qop::Auth),
            ..Default::default()
        };
        // rsip spells the algorithm SHA256, which no phone knows: it is added here.
        [Algorithm::Sha256, Algorithm::Md5]
            .into_iter()
            .filter(|algorithm| account.is_none_or(|account| account.ha1(*algorithm).is_some()))
            .map(|algorithm| format!("{challenge}, algorithm={}", algorithm.name()))
            .collect()
    }

    /// `authorizations`: the values of every Authorization header of the request. Compares in constant time.
    pub fn verify<'a>(
        &mut self,
        now: Timestamp,
        method: &Method,
        authorizations: impl Iterator<Item = &'a str>,
        accounts: &BTreeMap<String, Account>,
    ) -> Verdict {
        let ours =
            authorizations.filter_map(Fields::parse).find(|fields| fields.get("realm") == Some(&self.realm));
        let Some(credentials) = ours.as_ref().and_then(Credentials::read) else {
            return Verdict::Missing;
        };
        let user = credentials.user.to_owned();
        let Some(account) = accounts.get(&user) else {
            return Verdict::UnknownUser { user };
        };
        let freshness = self.nonces.check(credentials.nonce, now);
        let right = account.ha1(credentials.algorithm).is_some_and(|ha1| credentials.is_right(method, ha1));
        match (right, freshness) {
            (true, Freshness::Fresh) if self.count(now, &credentials) => Verdict::Ok { user },
            (true, Freshness::Fresh | Freshness::Stale | Freshness::Invalid) => Verdict::Stale,
            (false, Freshness::Fresh) => Verdict::Wrong { user },
            (false, Freshness::Stale | Freshness::Invalid) => Verdict::Missing,
        }
    }

    /// Whether this use of the nonce is new. Without `qop` there is no count: such a nonce serves once.
    fn count(&mut self, now: Timestamp, credentials: &Credentials<'_>) -> bool {
        let count = credentials.auth.map_or(u32::MAX, |auth| auth.count);
        if credentials.nonce <= self.forgotten.as_str() {
            return false;
        }
        if let Some(last) = self.counts.get_mut(credentials.nonce) {
            let rises = count > *last;
            *last = count.max(*last);
            return rises;
        }
        while let Some(oldest) = self.counts.first_entry() {
            let is_old = self.nonces.check(oldest.key(), now) != Freshness::Fresh;
            if !is_old && self.counts.len() < NONCES_TRACKED_MAX {
                break;
            }
            if let Some((nonce, _)) = self.counts.pop_first() {
                self.forgotten = nonce;
            }
        }
        self.counts.insert(credentials.nonce.to_owned(), count);
        true
    }
}

/// Without the secret.
impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({:?}, {} nonces in use)", self.realm, self.counts.len())
    }
}

/// The client side: an Authorization value for the strongest challenge that we speak, `None` if there is
/// none. It is the first use of the challenge's nonce: the count is 1.
#[must_use]
pub fn authorize<'a>(
    challenges: impl Iterator<Item = &'a str>,
    method: &Method,
    uri: &str,
    user: &str,
    password: &str,
    cnonce: &str,
) -> Option<String> {
    let offers = challenges.filter_map(Fields::parse);
    let (algorithm, challenge) = offers
        .filter_map(|fields| Some((fields.algorithm()?, fields)))
        .max_by_key(|(algorithm, _)| *algorithm == Algorithm::Sha256)?;
    let (realm, nonce) = (challenge.get("realm")?, challenge.get("nonce")?);
    let has_auth = |qop: &str| qop.split(',').any(|option| option.trim().eq_ignore_ascii_case("auth"));
    let auth = match challenge.get("qop") {
        Some(qop) if has_auth(qop) => Some(Auth { nc: "00000001", count: 1, cnonce }),
        Some(_) => return None,
        None => None,
    };
    let ha1 = algorithm.hash(&[user, realm, password]);
    let response = response(algorithm, &ha1, nonce, auth, method, uri);
    let user = user.replace('\\', "\\\\").replace('"', "\\\"");
    let mut value = format!(
        "Digest username=\"{user}\", realm=\"{realm}\", nonce=\"{nonce}\", uri=\"{uri}\", \
         response=\"{response}\", algorithm={}",
        algorithm.name()
    );
    if let Some(auth) = auth {
        value.push_str(&format!(", qop=auth, nc={}, cnonce=\"{}\"", auth.nc, auth.cnonce));
    }
    if let Some(opaque) = challenge.get("opaque") {
        value.push_str(&format!(", opaque=\"{opaque}\""));
    }
    Some(value)
}

/// Issues nonces that prove their own age: 12 hex digits of milliseconds, 8 of a counter, 32 of a keyed
/// SHA-256 over both.
#[derive(Clone)]
struct Nonces {
    secret: [u8; 32],
    lifetime: Duration,
    /// Two nonces of one millisecond must differ, for each has its own count.
    issued: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Freshness {
    Fresh,
    Stale,
    /// Not ours, or of an earlier run.
    Invalid,
}

impl Nonces {
    const STAMP_DIGITS: usize = 20;

    fn issue(&mut self, now: Timestamp) -> String {
        self.issued = self.issued.wrapping_add(1);
        let stamp = format!("{:012x}{:08x}", now.as_ms().clamp(0, (1 << 48) - 1), self.issued);
        let proof = self.proof(&stamp);
        stamp + &proof
    }

    fn check(&self, nonce: &str, now: Timestamp) -> Freshness {
        let Some((stamp, proof)) = nonce.split_at_checked(Self::STAMP_DIGITS) else {
            return Freshness::Invalid;
        };
        let issued = stamp.get(..12).and_then(|digits| i64::from_str_radix(digits, 16).ok());
        match issued {
            Some(issued) if is_same(proof, &self.proof(stamp)) => {
                let age = now - Timestamp::from_ms(issued);
                if age <= self.lifetime { Freshness::Fresh } else { Freshness::Stale }
            }
            _ => Freshness::Invalid,
        }
    }

    fn proof(&self, stamp: &str) -> String {
        let hash = Sha256::new().chain_update(self.secret).chain_update(stamp).finalize();
        hex(&hash[..16])
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    fn name(self) -> &'static str {
        match self {
            Self::Md5 => "MD5",
            Self::Sha256 => "SHA-256",
        }
    }

    /// Of the parts joined by colons, in lower-case hex.
    fn hash(self, parts: &[&str]) -> String {
        let text = parts.join(":");
        match self {
            Self::Md5 => hex(&Md5::digest(text)),
            Self::Sha256 => hex(&Sha256::digest(text)),
        }
    }
}

/// The client's part of `qop=auth`.
#[derive(Clone, Copy)]
struct Auth<'a> {
    /// As it is written, for the hash.
    nc: &'a str,
    count: u32,
    cnonce: &'a str,
}

/// RFC 7616 section 3.4.1; without `auth`, RFC 2069.
fn response(
    algorithm: Algorithm,
    ha1: &str,
    nonce: &str,
    auth: Option<Auth<'_>>,
    method: &Method,
    uri: &str,
) -> String {
    let ha2 = algorithm.hash(&[method.as_str(), uri]);
    match auth {
        Some(auth) => algorithm.hash(&[ha1, nonce, auth.nc, auth.cnonce, "auth", &ha2]),
        None => algorithm.hash(&[ha1, nonce, &ha2]),
    }
}

struct Credentials<'a> {
    user: &'a str,
    nonce: &'a str,
    uri: &'a str,
    response: &'a str,
    algorithm: Algorithm,
    auth: Option<Auth<'a>>,
}

impl<'a> Credentials<'a> {
    fn read(fields: &Fields<'a>) -> Option<Self> {
        let auth = match fields.get("qop") {
            Some(qop) if qop.eq_ignore_ascii_case("auth") => {
                let nc = fields.get("nc")?;
                let count = u32::from_str_radix(nc, 16).ok()?;
                Some(Auth { nc, count, cnonce: fields.get("cnonce")? })
            }
            Some(_) => return None,
            None => None,
        };
        Some(Self {
            user: fields.get("username")?,
            nonce: fields.get("nonce")?,
            uri: fields.get("uri")?,
            response: fields.get("response")?,
            algorithm: fields.algorithm()?,
            auth,
        })
    }

    fn is_right(&self, method: &Method, ha1: &str) -> bool {
        let expected = response(self.algorithm, ha1, self.nonce, self.auth, method, self.uri);
        is_same(&self.response.to_ascii_lowercase(), &expected)
    }
}

/// The fields of a challenge or of credentials whose scheme is Digest.
struct Fields<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Fields<'a> {
    fn parse(value: &'a str) -> Option<Self> {
        let (scheme, fields) = value.trim().split_once([' ', '\t'])?;
        let fields = members(fields).filter_map(|field| field.split_once('='));
        scheme
            .eq_ignore_ascii_case("Digest")
            .then(|| Self(fields.map(|(name, value)| (name.trim(), bare(value.trim()))).collect()))
    }

    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
    }

    /// MD5 when none is named (RFC 7616 section 3.3).
    fn algorithm(&self) -> Option<Algorithm> {
        match self.get("algorithm") {
            None => Some(Algorithm::Md5),
            Some(name) => [Algorithm::Md5, Algorithm::Sha256]
                .into_iter()
                .find(|algorithm| algorithm.name().eq_ignore_ascii_case(name)),
        }
    }
}

/// Takes the same time wherever the first difference lies.
fn is_same(one: &str, two: &str) -> bool {
    one.len() == two.len() && one.bytes().zip(two.bytes()).fold(0, |diff, (a, b)| diff | (a ^ b)) == 0
}

fn hex(bytes: &[u8]) -> String {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits.map(|digit| char::from(HEX[usize::from(digit)])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_ms(1_790_000_000_000);
    const LIFETIME: Duration = Duration::from_secs(60);

    fn server() -> (Digest, BTreeMap<String, Account>) {
        let accounts =
            BTreeMap::from([("1001".to_owned(), Account::from_password("1001", "12348", "secret"))]);
        (Digest::new("12348", [7; 32], LIFETIME), accounts)
    }

    fn login(challenge: &str, user: &str, password: &str) -> String {
        authorize([challenge].into_iter(), &Method::Register, "sip:h", user, password, "c0ffee").unwrap()
    }

    fn verify(server: &mut (Digest, BTreeMap<String, Account>), now: Timestamp, value: &str) -> Verdict {
        server.0.verify(now, &Method::Register, [value].into_iter(), &server.1)
    }

    fn challenges(digest: &mut Digest, stale: bool) -> [String; 2] {
        digest.challenges(NOW, stale, None).try_into().expect("one of each algorithm")
    }

    #[test]
    fn the_example_of_rfc_7616_section_3_9_1_comes_out() {
        let challenge = |algorithm: &str| {
            format!(
                "Digest realm=\"http-auth@example.org\", qop=\"auth, auth-int\", algorithm={algorithm}, \
                 nonce=\"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v\", opaque=\"FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS\""
            )
        };
        let check = |algorithm: &str, response: &str| {
            let challenge = challenge(algorithm);
            let value = authorize(
                [challenge.as_str()].into_iter(),
                &Method::Other("GET".into()),
                "/dir/index.html",
                "Mufasa",
                "Circle of Life",
                "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ",
            );
            assert_eq!(Fields::parse(&value.unwrap()).unwrap().get("response"), Some(response));
        };
        check("MD5", "8ca523f5e9506fed4657c9700eebdbec");
        check("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
    }

    #[test]
    fn both_algorithms_are_offered_and_accepted_the_stronger_first() {
        let mut server = server();
        let [sha256, md5] = challenges(&mut server.0, false);
        assert!(
            sha256.starts_with("Digest realm=\"12348\", nonce=\"")
                && sha256.ends_with(", qop=\"auth\", algorithm=SHA-256")
        );
        assert!(md5.ends_with("algorithm=MD5") && !md5.contains("stale"));
        let best =
            authorize([&*md5, &*sha256].into_iter(), &Method::Register, "sip:h", "1001", "secret", "c");
        assert!(best.unwrap().contains("algorithm=SHA-256"));
        for challenge in [sha256, challenges(&mut server.0, false)[1].clone()] {
            let value = login(&challenge, "1001", "secret");
            assert_eq!(verify(&mut server, NOW, &value), Verdict::Ok { user: "1001".into() });
        }
        assert!(challenges(&mut server.0, true)[0].contains("stale=true"));
    }

    #[test]
    fn an_account_is_challenged_only_for_what_it_can_be_proved_by() {
        let (mut digest, accounts) = server();
        let old_phone = Account { ha1_sha256: None, ..accounts["1001"].clone() };
        let asked = digest.challenges(NOW, false, Some(&old_phone));
        assert!(matches!(asked.as_slice(), [md5] if md5.ends_with("algorithm=MD5")), "{asked:?}");
    }

    #[test]
    fn wrong_passwords_unknown_users_and_foreign_credentials_are_told_apart() {
        let mut server = server();
        let [challenge, _] = challenges(&mut server.0, false);
        let mut check =
            |value: &str, verdict: Verdict| assert_eq!(verify(&mut server, NOW, value), verdict, "{value}");
        check(&login(&challenge, "1001", "guess"), Verdict::Wrong { user: "1001".into() });
        check(&login(&challenge, "1002", "secret"), Verdict::UnknownUser { user: "1002".into() });
        check(&login(&challenge, "1001", "secret").replace("12348", "other"), Verdict::Missing);
        check("NoOneKnowsThisScheme opaque-data=here", Verdict::Missing);
        check("Digest", Verdict::Missing);
        check(&login(&challenge, "1001", "secret").replace("qop=auth", "qop=auth-int"), Verdict::Missing);
    }

    #[test]
    fn a_nonce_ages_and_a_foreign_one_is_no_proof() {
        let mut server = server();
        let [challenge, _] = challenges(&mut server.0, false);
        let late = NOW + LIFETIME + Duration::from_millis(1);
        assert_eq!(verify(&mut server, late, &login(&challenge, "1001", "secret")), Verdict::Stale);
        assert_eq!(verify(&mut server, late, &login(&challenge, "1001", "guess")), Verdict::Missing);
        let foreign = challenges(&mut Digest::new("12348", [8; 32], LIFETIME), false)[0].clone();
        assert_eq!(verify(&mut server, NOW, &login(&foreign, "1001", "secret")), Verdict::Stale);
        let short = "Digest realm=\"12348\", nonce=\"é\"";
        assert_eq!(verify(&mut server, NOW, &login(short, "1001", "guess")), Verdict::Missing);
    }

    #[test]
    fn a_count_must_rise_and_without_a_count_a_nonce_serves_once() {
        let mut server = server();
        let [challenge, _] = challenges(&mut server.0, false);
        let first = login(&challenge, "1001", "secret");
        assert_eq!(verify(&mut server, NOW, &first), Verdict::Ok { user: "1001".into() });
        assert_eq!(verify(&mut server, NOW, &first), Verdict::Stale);
        let plain = challenges(&mut server.0, false)[1].replace(", qop=\"auth\"", "");
        let old_style = login(&plain, "1001", "secret");
        assert!(!old_style.contains("qop"));
        assert_eq!(verify(&mut server, NOW, &old_style), Verdict::Ok { user: "1001".into() });
        assert_eq!(verify(&mut server, NOW, &old_style), Verdict::Stale);
    }

    #[test]
    fn the_table_of_counts_is_bounded_and_what_it_forgot_is_stale() {
        let mut server = server();
        let first = challenges(&mut server.0, false)[1].clone();
        verify(&mut server, NOW, &login(&first, "1001", "secret"));
        for _ in 0..NONCES_TRACKED_MAX {
            let [_, challenge] = challenges(&mut server.0, false);
            assert!(matches!(
                verify(&mut server, NOW, &login(&challenge, "1001", "secret")),
                Verdict::Ok { .. }
            ));
        }
        assert_eq!(server.0.counts.len(), NONCES_TRACKED_MAX);
        assert_eq!(verify(&mut server, NOW, &login(&first, "1001", "secret")), Verdict::Stale);
    }

    #[test]
    fn secrets_do_not_print() {
        let (digest, accounts) = server();
        let text = format!("{digest:?} {accounts:?}");
        assert!(!text.contains(accounts["1001"].ha1_md5.as_deref().unwrap()) && !text.contains("7, 7"));
    }
}
