//! Who is on stage: the lines of a script that come before its first moment.
//!
//! ```text
//! phone 1001 in lucheng, city       a lawyer's phone, registered before 0s; further: over tcp, by hand,
//!                                   unregistered, with a wrong password
//! shift 1001 in lucheng 09:00-10:01  every day, in China, where 0s is 10:00; if there is any, the pool has a roster;
//!                                   further: by mobile
//! mobile of 1003                    m1003, behind a trunk of its own, for while the lawyer's phone is not there
//! phone 9001                        a registered phone of somebody who only calls
//! caller by hand                    its messages are written one by one
//! callers are remembered             the queue goes by what the records tell
//! callers are told                   the position after 5s and every 10s; key 1 leads to voicemail, key 2 to a
//!                                   call-back within 60s, by the trunk that they came by
//! callers are asked                 after a talk of 10s that the lawyer ends: a survey of 4s, 5s for a key
//! callers are passed on             with key 3 to 12345 and then 057712345, each for 10s: one phone, `outside`,
//!                                   behind a trunk of its own
//! calls at most 1
//! session timers of 90s
//! ping every 10s
//! show Session-Expires, agents      headers of packets, To-tag, and states of agents: left out otherwise
//! show no copies                    leaves retransmissions out
//! ```

use crate::phone::Phone;
use dialplan::{Calendars, Context, Dialplan, Roster, RosterContext};
use domain::{AgentId, Override, Pii, PoolId, Timestamp};
use sip::{Flow, Transport};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use switch::{MediaPort, Node};

const HOTLINE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1)), 5060);
const TRUNK: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 2));
const STRANGER: IpAddr = IpAddr::V4(Ipv4Addr::new(203, 0, 113, 9));
const PROMPTS: [(&str, u64); 29] = [
    ("notice", 2_000),
    ("menu", 3_000),
    ("queue_wait", 1_000),
    ("hold_music", 60_000),
    ("voicemail_greeting", 2_000),
    ("beep", 500),
    ("goodbye", 1_000),
    ("closed", 1_000),
    ("press_1", 3_000),
    ("callback_kept", 2_000),
    ("wait_next", 1_000),
    ("wait_ahead", 1_000),
    ("wait_callers", 1_000),
    ("wait_about", 1_000),
    ("wait_minutes", 1_000),
    ("wait_long", 1_000),
    ("number_0", 300),
    ("number_1", 300),
    ("number_2", 300),
    ("number_2_of", 300),
    ("number_3", 300),
    ("number_4", 300),
    ("number_5", 300),
    ("number_6", 300),
    ("number_7", 300),
    ("number_8", 300),
    ("number_9", 300),
    ("number_10", 300),
    ("survey", 4_000),
];
const TEXT: &str = include_str!("dialplan.toml");
const PASS_ON: &str = "\n[targets.hotline_12345]\nname = { zh = \"政务服务热线\", en = \"12345\" }\n\
    numbers = [\"12345\", \"057712345\"]\ntrunk = \"outside\"\nring_timeout = \"10s\"\nkey = 1\n\
    [steps.pass_on]\nkind = \"transfer\"\nto = \"hotline_12345\"\nprompts = [\"beep\"]\n\
    music = \"hold_music\"\nfailed = \"message\"\n";
/// A-law.
const BYTES_PER_MS: u64 = 8;

#[derive(Default)]
pub(crate) struct Cast {
    phones: Vec<Part>,
    callers_by_hand: BTreeSet<String>,
    remembers_callers: bool,
    tells_callers: bool,
    asks_callers: bool,
    passes_on: bool,
    calls_max: Option<usize>,
    shifts: Vec<Shift>,
    session_expires: Option<Duration>,
    ping_interval: Option<Duration>,
    /// Pools that were closed by hand before a restart, and for how long from the beginning.
    closed_before: BTreeMap<PoolId, Duration>,
    pub(crate) shown: Vec<String>,
}

/// What the hotline is told when it starts, and again when it reloads.
#[derive(Clone)]
pub(crate) struct House {
    /// Accounts, and the pools of those who are lawyers.
    phones: BTreeMap<String, BTreeSet<PoolId>>,
    shifts: Vec<Shift>,
    dialplan: String,
}

#[derive(Clone)]
struct Shift {
    user: String,
    pool: String,
    hours: String,
    is_by_mobile: bool,
}

struct Part {
    user: String,
    pools: Vec<PoolId>,
    is_tcp: bool,
    is_by_hand: bool,
    is_registered: bool,
    is_password_right: bool,
    is_behind_trunk: bool,
}

impl Cast {
    /// Takes a line; false if it is not about the cast.
    pub(crate) fn take(&mut self, line: &str) -> bool {
        if let Some(phone) = line.strip_prefix("phone ") {
            self.phones.push(Part::read(phone));
        } else if let Some(lawyer) = line.strip_prefix("mobile of ") {
            self.phones.push(Part { is_behind_trunk: true, ..Part::read(&format!("m{lawyer}")) });
        } else if let Some(caller) = line.strip_suffix(" by hand") {
            self.callers_by_hand.insert(caller.to_owned());
        } else if let Some(shift) = line.strip_prefix("shift ") {
            let (shift, is_not) = take_off(shift, " by mobile");
            let words: Vec<String> = shift.replace(" in ", " ").split(' ').map(str::to_owned).collect();
            let [user, pool, hours] = words.try_into().expect("1001 in lucheng 09:00-10:01");
            self.shifts.push(Shift { user, pool, hours, is_by_mobile: !is_not });
        } else if let Some((pool, span_left)) = line.split_once(" was closed for another ") {
            self.closed_before.insert(PoolId::new(pool), span(span_left));
        } else if line == "callers are remembered" {
            self.remembers_callers = true;
        } else if line == "callers are told" {
            self.tells_callers = true;
        } else if line == "callers are asked" {
            self.asks_callers = true;
        } else if line == "callers are passed on" {
            self.passes_on = true;
            self.phones.push(Part { is_behind_trunk: true, ..Part::read("outside") });
        } else if let Some(most) = line.strip_prefix("calls at most ") {
            self.calls_max = most.parse().ok();
        } else if let Some(interval) = line.strip_prefix("session timers of ") {
            self.session_expires = Some(span(interval));
        } else if let Some(interval) = line.strip_prefix("ping every ") {
            self.ping_interval = Some(span(interval));
        } else if let Some(headers) = line.strip_prefix("show ") {
            self.shown.extend(headers.split(", ").map(str::to_owned));
        } else {
            return false;
        }
        true
    }

    /// All phones by name; `caller` and `caller2` are behind the trunk, `stranger` is not.
    pub(crate) fn phones(&self) -> BTreeMap<String, Phone> {
        let mut phones = BTreeMap::new();
        let others = [("caller", TRUNK, 5060), ("caller2", TRUNK, 5062), ("stranger", STRANGER, 5060)];
        for (index, (name, ip, port)) in others.into_iter().enumerate() {
            let flow = flow(Transport::Udp, SocketAddr::new(ip, port));
            let mut phone = Phone::new(flow, name, None, 200 + index as u8);
            phone.is_by_hand = self.callers_by_hand.contains(name);
            phones.insert(name.to_owned(), phone);
        }
        for (index, part) in self.phones.iter().enumerate() {
            let (transport, port) =
                if part.is_tcp { (Transport::Tcp, 41_000) } else { (Transport::Udp, 5060) };
            let flow = flow(transport, SocketAddr::new(ip_of(index), port));
            let password = if part.is_password_right { password(&part.user) } else { "guess".to_owned() };
            let mut phone = Phone::new(flow, &part.user, Some(&password), 1 + index as u8);
            phone.is_by_hand = part.is_by_hand;
            phones.insert(part.user.clone(), phone);
        }
        phones
    }

    /// Those that are registered when the script begins.
    pub(crate) fn registered(&self) -> impl Iterator<Item = &str> {
        self.phones
            .iter()
            .filter(|part| part.is_registered && !part.is_behind_trunk)
            .map(|part| part.user.as_str())
    }

    /// The callers' own, and one for each phone outside.
    fn trunks(&self) -> Vec<switch::Trunk> {
        let network = SocketAddr::new(TRUNK, 5060);
        let back = Flow { transport: Transport::Udp, local: HOTLINE, remote: network };
        let back = sip::Target { flow: back, uri: sip::Uri::from_socket(None, network) };
        let contact = self.tells_callers.then_some(back);
        let callers = switch::Trunk { id: "trunk".into(), peers: [TRUNK].into(), contact };
        let outside = self.phones.iter().enumerate().filter(|(_, part)| part.is_behind_trunk);
        let outside = outside.map(|(index, part)| {
            let network = SocketAddr::new(ip_of(index), 5060);
            let flow = Flow { transport: Transport::Udp, local: HOTLINE, remote: network };
            let contact = Some(sip::Target { flow, uri: sip::Uri::from_socket(None, network) });
            switch::Trunk { id: part.user.as_str().into(), peers: [network.ip()].into(), contact }
        });
        std::iter::once(callers).chain(outside).collect()
    }

    pub(crate) fn house(&self) -> House {
        let pools = |part: &Part| part.pools.iter().cloned().collect();
        House {
            phones: self.phones.iter().map(|part| (part.user.clone(), pools(part))).collect(),
            shifts: self.shifts.clone(),
            dialplan: self.dialplan(),
        }
    }

    fn dialplan(&self) -> String {
        let mut text = TEXT.to_owned();
        let mut add = |more: &str| {
            text = text.replace("music = \"hold_music\"", &format!("{more}\nmusic = \"hold_music\""));
        };
        if self.remembers_callers {
            add("acquainted = { within = \"30d\", wait = \"8s\" }\nhead_start_repeat = \"60s\"");
        }
        if self.passes_on {
            add("keys = { 3 = \"pass_on\" }");
        }
        if self.tells_callers {
            add(
                "announce = { first = \"5s\", every = \"10s\" }\nkeys = { 1 = \"message\", 2 = \"call_back\" }",
            );
            text += "\n[steps.call_back]\nkind = \"callback\"\nprompts = [\"callback_kept\"]\nwithin = \"60s\"\n\
                     then = \"goodbye\"\n";
        }
        if self.asks_callers {
            text = text.replace("exhausted = \"message\"", "exhausted = \"message\"\nanswered = \"rate\"");
            text += "\n[steps.rate]\nkind = \"survey\"\nprompts = [\"survey\"]\ntimeout = \"5s\"\nmin_talk = \"10s\"\n\
                     then = \"goodbye\"\n";
        }
        if self.passes_on {
            let menu = "then = \"wait\"\n";
            text = text.replace(menu, &format!("{menu}steps = {{ 3 = \"pass_on\" }}\n"));
            text += PASS_ON;
        }
        text
    }

    fn restored(&self) -> switch::Restored {
        let closed = self.closed_before.iter().map(|(pool, left)| {
            let set = Override { open: false, until: Some(crate::stage::OPENING + *left) };
            (("wenzhou".into(), pool.clone()), (set, "board".to_owned()))
        });
        switch::Restored { overrides: closed.collect(), ..switch::Restored::default() }
    }

    pub(crate) fn node(&self, now: Timestamp) -> Node {
        let mut sip = sip::Config::new([77; 32]);
        sip.session_expires = self.session_expires.unwrap_or(sip.session_expires);
        let limits = switch::Limits::default();
        let config = switch::Config {
            sip,
            snapshot: self.house().snapshot(),
            restored: self.restored(),
            trunks: self.trunks(),
            media_ip: HOTLINE.ip(),
            media_ports: (0..20).map(|pair| MediaPort { shard: 0, port: 20_000 + pair * 2 }).collect(),
            limits: switch::Limits {
                calls_max: self.calls_max.unwrap_or(limits.calls_max),
                // Out of the way of ladders that are not about it.
                ping_interval: self.ping_interval.unwrap_or(Duration::from_secs(3_600)),
                ..limits
            },
        };
        Node::new(now, config)
    }
}

impl House {
    /// `1002 in ouhai, city`, `without 1001`, `closed for menu`: that text of the dialplan instead of the other.
    pub(crate) fn change(&mut self, what: &str) {
        if let Some(user) = what.strip_prefix("without ") {
            self.phones.remove(user).unwrap_or_else(|| panic!("who is {user}?"));
        } else if let Some((user, pools)) = what.split_once(" in ") {
            self.phones.insert(user.to_owned(), pools.split(", ").map(PoolId::new).collect());
        } else if let Some((new, old)) = what.split_once(" for ") {
            assert!(self.dialplan.contains(old), "the dialplan has no {old}");
            self.dialplan = self.dialplan.replace(old, new);
        } else {
            panic!("what is {what}?");
        }
    }

    pub(crate) fn snapshot(&self) -> switch::Snapshot {
        let plan = Arc::new(dialplan(&self.dialplan));
        let lawyers = self.phones.iter().filter(|(_, pools)| !pools.is_empty());
        let agents = lawyers.map(|(user, pools)| {
            let pools = pools.iter().map(|pool| (pool.clone(), acd::Membership::default())).collect();
            let (region, skills) = (plan.region().clone(), acd::Skills::new());
            let trunk = format!("m{user}");
            let mobile = self.phones.contains_key(&trunk).then(|| switch::Mobile {
                number: Pii::new(format!("1390000{user}")),
                trunk: trunk.as_str().into(),
                caller_id: "057712348".to_owned(),
            });
            let agent = switch::Agent { region, pools, skills, user: user.clone(), contact: None, mobile };
            (AgentId(user.parse().expect("a lawyer's name is a number")), agent)
        });
        let realm = sip::Config::new([0; 32]).realm;
        let account = |user: &str| sip::Account::from_password(user, &realm, &password(user));
        switch::Snapshot {
            agents: agents.collect(),
            accounts: self.phones.keys().map(|user| (user.clone(), account(user))).collect(),
            prompts: Arc::new(prompts()),
            rosters: self.roster(&plan).into_iter().collect(),
            dialplans: vec![plan],
        }
    }

    fn roster(&self, plan: &Arc<Dialplan>) -> Option<Arc<Roster>> {
        let mut text = format!("region = \"{}\"\n", plan.region());
        for (index, Shift { user, pool, hours, is_by_mobile }) in self.shifts.iter().enumerate() {
            let reach = if *is_by_mobile { "mobile" } else { "phone" };
            let _ = writeln!(
                text,
                "[shifts.s{index}]\npools = [\"{pool}\"]\nlawyers = [{user}]\ndays = [\"daily\"]\nhours = \"{hours}\"\n\
                 reach = \"{reach}\""
            );
        }
        let plans = [Arc::clone(plan)];
        let today = dialplan::china_day(crate::stage::OPENING);
        let context = RosterContext { dialplans: &plans, staff: None, today };
        let roster = || Roster::parse("script", &text, &context);
        let read = (!self.shifts.is_empty()).then(roster)?;
        Some(Arc::new(read.unwrap_or_else(|problems| panic!("{problems:#?}")).value))
    }
}

fn ip_of(phone: usize) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1 + phone as u8))
}

impl Part {
    fn read(line: &str) -> Self {
        let (line, is_password_right) = take_off(line, " with a wrong password");
        let (line, is_registered) = take_off(line, " unregistered");
        let (line, is_udp) = take_off(line, " over tcp");
        let (line, is_machine) = take_off(line, " by hand");
        let (user, pools) = line.split_once(" in ").unwrap_or((line, ""));
        let pools = pools.split(", ").filter(|pool| !pool.is_empty()).map(PoolId::new).collect();
        let (is_tcp, is_by_hand, is_behind_trunk) = (!is_udp, !is_machine, false);
        let user = user.to_owned();
        Self { user, pools, is_tcp, is_by_hand, is_registered, is_password_right, is_behind_trunk }
    }
}

/// The line without its ending, and whether the ending was absent.
fn take_off<'a>(line: &'a str, ending: &str) -> (&'a str, bool) {
    line.strip_suffix(ending).map_or((line, true), |line| (line, false))
}

fn password(user: &str) -> String {
    format!("secret-{user}")
}

fn flow(transport: Transport, phone: SocketAddr) -> Flow {
    Flow { transport, local: phone, remote: HOTLINE }
}

fn dialplan(text: &str) -> Dialplan {
    let names = PROMPTS.iter().map(|(name, _)| (*name).to_owned()).collect();
    let calendars = Calendars::default();
    let context = Context::new(&names, &calendars, 2026);
    let plan = Dialplan::parse("dialplan.toml", text, &context);
    plan.unwrap_or_else(|problems| panic!("{problems:#?}")).value
}

/// Every prompt has its own sample value, by which [`prompt_name`] knows it.
fn prompts() -> BTreeMap<String, Arc<[u8]>> {
    let samples = |index: usize, ms: u64| Arc::from(vec![index as u8; (ms * BYTES_PER_MS) as usize]);
    PROMPTS.iter().enumerate().map(|(index, (name, ms))| ((*name).to_owned(), samples(index, *ms))).collect()
}

pub(crate) fn prompt_name(samples: &[u8]) -> &'static str {
    // The node's own tones begin with silence.
    match (samples.first(), samples.len()) {
        (Some(0xD5), 40_000) => return "ringback",
        (Some(0xD5), _) => return "busy tone",
        _ => {}
    }
    samples.first().and_then(|index| PROMPTS.get(usize::from(*index))).map_or("?", |(name, _)| name)
}

pub(crate) fn prompt_length(samples: &[u8]) -> Duration {
    Duration::from_millis(samples.len() as u64 / BYTES_PER_MS)
}

/// `5s`, `0.5s`, `300ms`.
pub(crate) fn span(text: &str) -> Duration {
    let ms = match text.strip_suffix("ms") {
        Some(ms) => ms.parse().ok(),
        None => {
            text.strip_suffix('s').and_then(|s| s.parse::<f64>().ok()).map(|s| (s * 1_000.0).round() as u64)
        }
    };
    Duration::from_millis(ms.unwrap_or_else(|| panic!("{text} is no span of time")))
}
