//! Agents and phones: who they are, where they serve, how their phones prove who they are.

use super::{Prompts, Trunk};
use acd::{Membership, Skills};
use dialplan::Dialplan;
use dialplan::doc::Section;
use domain::{AgentId, Pii, PoolId, RegionId, SkillId, TrunkId};
use sip::{Account, Transport, Uri};
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

#[derive(PartialEq)]
pub struct Agent {
    pub name: String,
    pub region: RegionId,
    pub pools: BTreeMap<PoolId, Membership>,
    pub skills: Skills,
    pub user: String,
    pub contact: Option<Contact>,
    /// Rung while the phone is not there, and on a shift that is done by mobile.
    pub mobile: Option<Mobile>,
}

/// A number in the telephone network, rung through a trunk.
#[derive(PartialEq)]
pub struct Mobile {
    pub number: Pii,
    pub trunk: TrunkId,
    pub caller_id: String,
}

/// A phone at a fixed address.
#[derive(PartialEq)]
pub struct Contact {
    pub uri: Uri,
    pub transport: Transport,
    pub remote: SocketAddr,
}

/// What ringing a mobile takes.
pub(super) struct Lines<'s> {
    pub trunks: &'s [Trunk],
    pub prompts: &'s Prompts,
}

/// `[[phone]]`: accounts that may call the hotline and are no agents.
pub(super) fn read_phones(root: &Section<'_>) -> BTreeMap<String, Account> {
    let mut accounts = BTreeMap::new();
    for section in root.tables("phone") {
        let user = section.str("user");
        match read_account(&section) {
            Some(account) => add_account(&section, &mut accounts, user, account),
            None => missing_account(&section),
        }
        section.finish();
    }
    accounts
}

/// `[[agent]]`, checked against the dialplans of their regions. Of a dialplan that is broken, if one is, not even
/// the region is known.
pub(super) fn read_agents(
    root: &Section<'_>,
    dialplans: &[Arc<Dialplan>],
    is_any_broken: bool,
    lines: &Lines<'_>,
    accounts: &mut BTreeMap<String, Account>,
) -> BTreeMap<AgentId, Agent> {
    let mut agents = BTreeMap::new();
    for section in root.tables("agent") {
        let id = AgentId(section.int("id", 1..=u32::MAX));
        let name = section.str("name");
        let (region, pools) = read_pools(&section);
        check_pools(&section, dialplans, is_any_broken, &region, pools.keys());
        let plan = dialplans.iter().find(|plan| *plan.region() == region);
        let skills = read_skills(&section, plan);
        let user = section.str_or("user", &id.to_string());
        let contact = section.opt_str("contact").and_then(|text| read_contact(&section, &text));
        let mobile = section.opt_table("mobile").and_then(|mobile| read_mobile(mobile, lines));
        match read_account(&section) {
            Some(account) => add_account(&section, accounts, user.clone(), account),
            None if contact.is_none() && mobile.is_none() => missing_account(&section),
            None => {}
        }
        let agent = Agent { name, region, pools, skills, user, contact, mobile };
        if agents.insert(id, agent).is_some() {
            section.problem("id", format!("two agents have the number {id}"), "give each their own");
        }
        section.finish();
    }
    warn_of_missing_skills(root, dialplans, &agents);
    warn_of_empty_pools(root, dialplans, &agents);
    agents
}

/// `pools = ["lucheng", "city"]`, and what differs in some: `membership = { city = { tier = 2 } }`.
fn read_pools(section: &Section<'_>) -> (RegionId, BTreeMap<PoolId, Membership>) {
    let region = RegionId::new(&section.str("region"));
    let pools = section.list("pools");
    let mut pools: BTreeMap<PoolId, Membership> =
        pools.iter().map(|pool| (PoolId::new(&pool.value), Membership::default())).collect();
    if let Some(memberships) = section.opt_table("membership") {
        for key in memberships.keys() {
            let section = memberships.table(key.value);
            match pools.get_mut(&PoolId::new(key.value)) {
                Some(membership) => *membership = read_membership(&section),
                None => memberships.problem(
                    key.value,
                    format!("this agent is not in \"{}\"", key.value),
                    "name it in `pools` too",
                ),
            }
            section.finish();
        }
    }
    (region, pools)
}

fn read_membership(section: &Section<'_>) -> Membership {
    Membership {
        tier: section.int_or("tier", 1, 1..=9),
        order: section.int_or("order", 0, 0..=u16::MAX),
        calls_per_day_max: section.opt_int("calls_per_day_max", 1..=1_000),
    }
}

/// `skills = { yi = 5, labour = 8 }`.
fn read_skills(section: &Section<'_>, plan: Option<&Arc<Dialplan>>) -> Skills {
    let Some(table) = section.opt_table("skills") else { return Skills::new() };
    let known = plan.map(|plan| plan.skills());
    let mut skills = Skills::new();
    for key in table.keys() {
        let skill = SkillId::new(key.value);
        if let Some(known) = known.as_ref().filter(|known| !known.contains_key(&skill)) {
            let remedy = dialplan::doc::did_you_mean(key.value, known.keys().map(SkillId::as_str));
            table.problem(key.value, format!("the dialplan knows no skill \"{skill}\""), remedy);
        }
        skills.insert(skill, table.int(key.value, 1..=10));
    }
    table.finish();
    skills
}

/// `mobile = { number = "13800000001", trunk = "telecom-1", caller_id = "057712348" }`.
fn read_mobile(section: Section<'_>, lines: &Lines<'_>) -> Option<Mobile> {
    let (number, trunk, caller_id) = (section.str("number"), section.str("trunk"), section.str("caller_id"));
    for (key, digits) in [("number", &number), ("caller_id", &caller_id)] {
        let is_number = (3..=20).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number && !digits.is_empty() {
            let what = format!("`{key}` is no number that a trunk takes");
            section.problem(key, what, "write digits only, as the operator wants them: \"13800000001\"");
        }
    }
    if let Some((what, remedy)) = why_no_way_out(&trunk, lines.trunks).filter(|_| !trunk.is_empty()) {
        section.problem("trunk", what, remedy);
    }
    if !lines.prompts.contains_key(switch::PRESS_PROMPT) {
        let what = format!("there is no recording \"{}\" that asks for the key", switch::PRESS_PROMPT);
        section.problem(
            "number",
            what,
            "make one with `cargo xtask prompts` or put one into a folder of prompts",
        );
    }
    section.finish();
    let is_whole = !number.is_empty() && !trunk.is_empty() && !caller_id.is_empty();
    is_whole.then(|| Mobile { number: Pii::new(number), trunk: TrunkId::new(&trunk), caller_id })
}

/// What is wrong with ringing somebody through this trunk, and what would be right.
pub(super) fn why_no_way_out(trunk: &str, trunks: &[Trunk]) -> Option<(String, String)> {
    match trunks.iter().find(|known| known.id.as_str() == trunk) {
        Some(known) if known.contact.is_some() => None,
        Some(_) => {
            let what = format!("nobody can be rung through \"{trunk}\", for it has no address");
            Some((what, "give the trunk a contact = \"sip:203.0.113.1:5060\"".to_owned()))
        }
        None => {
            let what = format!("there is no trunk \"{trunk}\"");
            let remedy = match trunks {
                [] => "add it to the settings as [[trunk]]".to_owned(),
                known => dialplan::doc::did_you_mean(trunk, known.iter().map(|trunk| trunk.id.as_str())),
            };
            Some((what, remedy))
        }
    }
}

/// A queue that insists on what no lawyer has is never served.
fn warn_of_missing_skills(
    root: &Section<'_>,
    dialplans: &[Arc<Dialplan>],
    agents: &BTreeMap<AgentId, Agent>,
) {
    for plan in dialplans {
        let lawyers = || agents.values().filter(|agent| agent.region == *plan.region());
        for (skill, level) in plan.needs() {
            let has = |agent: &Agent| agent.skills.get(&skill).is_some_and(|&own| own >= level);
            if !lawyers().any(has) {
                let what =
                    format!("a queue of {} needs {skill} {level}, and no lawyer has it", plan.region());
                let remedy =
                    format!("give an agent skills = {{ {skill} = {level} }}, or relax the queue to 0");
                root.doc().warning(root.line_of("agent"), what, remedy);
            }
        }
    }
}

/// Calls come to a pool in which nobody can ever be on duty. A region without any lawyers is not asked: they are
/// still to be entered.
fn warn_of_empty_pools(root: &Section<'_>, dialplans: &[Arc<Dialplan>], agents: &BTreeMap<AgentId, Agent>) {
    for plan in dialplans {
        let lawyers = agents.values().filter(|agent| agent.region == *plan.region());
        let served: BTreeSet<&PoolId> = lawyers.flat_map(|agent| agent.pools.keys()).collect();
        let empty: Vec<&str> =
            plan.pools().keys().filter(|pool| !served.contains(pool)).map(PoolId::as_str).collect();
        if !served.is_empty() && !empty.is_empty() {
            let what = format!("no lawyer of {} is in {}: calls go past", plan.region(), empty.join(", "));
            root.doc().warning(root.line_of("agent"), what, "name these pools in the `pools` of an agent");
        }
    }
}

fn check_pools<'p>(
    section: &Section<'_>,
    dialplans: &[Arc<Dialplan>],
    is_any_broken: bool,
    region: &RegionId,
    pools: impl Iterator<Item = &'p PoolId>,
) {
    match dialplans.iter().find(|plan| plan.region() == region) {
        Some(plan) => {
            for pool in pools.filter(|pool| !plan.pools().contains_key(*pool)) {
                let remedy =
                    dialplan::doc::did_you_mean(pool.as_str(), plan.pools().keys().map(PoolId::as_str));
                section.problem("pools", format!("{region} has no pool \"{pool}\""), remedy);
            }
        }
        None if dialplans.is_empty() || is_any_broken => {}
        None => {
            let regions = dialplans.iter().map(|plan| plan.region().as_str());
            let remedy = dialplan::doc::did_you_mean(region.as_str(), regions);
            section.problem("region", format!("no dialplan serves \"{region}\""), remedy);
        }
    }
}

pub(super) fn read_contact(section: &Section<'_>, text: &str) -> Option<Contact> {
    let parsed = text.parse::<Uri>().ok().and_then(|uri| {
        let remote = uri.socket_addr()?;
        let transport = match uri.param("transport") {
            None => Transport::Udp,
            Some(word) if word.eq_ignore_ascii_case("udp") => Transport::Udp,
            Some(word) if word.eq_ignore_ascii_case("tcp") => Transport::Tcp,
            Some(_) => return None,
        };
        Some(Contact { uri, transport, remote })
    });
    if parsed.is_none() {
        let what = format!("`contact` cannot be used: \"{text}\"");
        section.problem("contact", what, "write it like \"sip:1001@192.0.2.7:5060;transport=udp\"");
    }
    parsed
}

fn read_account(section: &Section<'_>) -> Option<Account> {
    let ha1_md5 = read_digest(section, "ha1_md5", 32);
    let ha1_sha256 = read_digest(section, "ha1_sha256", 64);
    (ha1_md5.is_some() || ha1_sha256.is_some()).then_some(Account { ha1_md5, ha1_sha256 })
}

fn read_digest(section: &Section<'_>, key: &str, digits: usize) -> Option<String> {
    let text = section.opt_str(key)?;
    if text.len() != digits || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let what = format!("`{key}` is not {digits} hexadecimal digits");
        section.problem(key, what, "make it with `hotline ha1 --user USER --realm REALM`");
    }
    Some(text.to_ascii_lowercase())
}

fn add_account(
    section: &Section<'_>,
    accounts: &mut BTreeMap<String, Account>,
    user: String,
    account: Account,
) {
    if accounts.contains_key(&user) {
        section.problem("user", format!("two phones have the user name \"{user}\""), "give each their own");
    }
    accounts.insert(user, account);
}

fn missing_account(section: &Section<'_>) {
    section.problem(
        "user",
        "this phone has no credentials",
        "add ha1_sha256 and ha1_md5, made with `hotline ha1 --user USER --realm REALM`",
    );
}
