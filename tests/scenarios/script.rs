//! Plays a script through the distribution machine and writes down what it does. The transcript must be the
//! script.

use acd::{
    Acd, Agent, Announce, Change, Config, Input, Matching, Membership, Need, Output, Pool, Priority, Refuse,
    Request, Skills, Step, WrapUp,
};
use domain::{
    Activity, AgentId, CallId, Duty, LongerWait, OfferEnd, OverflowReason, PauseReason, PoolId, SkillId,
    Timestamp, WrapUpRule,
};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

/// Writes the transcripts where the scripts are. Read the difference.
const WRITE: &str = "HOTLINE_SCENARIOS_WRITE";

/// # Panics
/// When the machine does something else than the script says, or the script cannot be read.
pub(crate) fn check(name: &str, script: &str) {
    let script: Vec<String> = script.lines().map(|line| line.trim_end().to_owned()).collect();
    let played = Stagehand::default().play(&script);
    if std::env::var_os(WRITE).is_some() {
        let path = format!("{}/scenarios/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        return std::fs::write(path, played.join("\n") + "\n")
            .unwrap_or_else(|error| panic!("{name}: {error}"));
    }
    if let Some(line) = (0..script.len().max(played.len())).find(|&line| script.get(line) != played.get(line))
    {
        let show = |lines: &[String]| lines.get(line).cloned().unwrap_or_else(|| "(the end)".to_owned());
        let (said, did) = (show(&script), show(&played));
        let all = played.join("\n");
        panic!("line {}\n  script: {said}\n  played: {did}\n\nAll of it as played:\n{all}\n", line + 1);
    }
}

#[derive(Default)]
struct Stagehand {
    acd: Acd,
    config: Config,
    agents: Vec<String>,
    /// Configured and not yet told to the machine.
    cast: bool,
    registered: Vec<AgentId>,
    states: BTreeMap<AgentId, (bool, Duty, Activity)>,
    /// The time of the script, and what the machine's clock shows beyond it.
    now_ms: i64,
    clock_ahead_ms: i64,
    played: Vec<String>,
}

impl Stagehand {
    fn play(mut self, script: &[String]) -> Vec<String> {
        for line in script {
            if line.is_empty() || line.starts_with('#') {
                self.played.push(line.clone());
            } else if let Some(pool) = line.strip_prefix("pool ") {
                self.played.push(line.clone());
                let (id, settings) = pool.split_once(':').unwrap_or((pool, ""));
                self.config.pools.insert(PoolId::new(id), pool_of(settings));
            } else if let Some(agent) = line.strip_prefix("agent ") {
                self.played.push(line.clone());
                let registered = agent.strip_suffix(" (unregistered)");
                let (name, pools) = registered.unwrap_or(agent).split_once(':').unwrap_or_else(|| bad(line));
                let id = self.agent(name);
                self.config.agents.insert(id, agent_of(pools));
                if registered.is_none() {
                    self.registered.push(id);
                }
            } else {
                self.moment(line);
            }
        }
        self.played
    }

    fn moment(&mut self, line: &str) {
        if !self.cast {
            self.cast = true;
            self.say(Input::Configured(self.config.clone()));
            for agent in std::mem::take(&mut self.registered) {
                self.say(Input::AgentReachable { agent, reachable: true });
            }
        }
        let (time, what) = line.split_once(' ').unwrap_or_else(|| bad(line));
        self.wait_until(span(time).as_millis() as i64);
        if what.starts_with("-> ") {
            return;
        }
        if let Some(states) = what.strip_prefix("= ") {
            let states: Vec<String> = states.split("; ").map(|state| self.state(first_word(state))).collect();
            self.played.push(format!("{time} = {}", states.join("; ")));
            return;
        }
        self.played.push(line.to_owned());
        if what != "end" {
            self.happen(what).unwrap_or_else(|| bad(line));
        }
    }

    /// Fires every timer at its own instant.
    fn wait_until(&mut self, then_ms: i64) {
        while let Some(at) = self.acd.poll_timeout() {
            let at_ms = (at.as_ms() - self.clock_ahead_ms).max(self.now_ms);
            if at_ms > then_ms {
                break;
            }
            self.now_ms = at_ms;
            let clock = self.clock();
            self.acd.handle_timeout(clock);
            self.listen();
        }
        self.now_ms = then_ms;
    }

    fn happen(&mut self, what: &str) -> Option<()> {
        let (who, what) = what.split_once(' ')?;
        match who {
            "caller" => {
                let (call, what) = what.split_once(' ')?;
                let call = call_id(call);
                match what {
                    "hangs up" => self.say(Input::CallLeft { call }),
                    "becomes urgent" => {
                        let priority = Priority { urgent: true, ..Priority::default() };
                        self.say(Input::CallPrioritised { call, priority });
                    }
                    what if what.starts_with("wants a call-back within ") => {
                        let (_, within) = what.rsplit_once(' ')?;
                        let until = self.clock() + span(within);
                        self.say(Input::CallbackAsked { call, until });
                    }
                    what => {
                        let (what, arrived) = match what.split_once("; since ") {
                            Some((what, since)) => (what, Timestamp::from_ms(span(since).as_millis() as i64)),
                            None => (what, self.clock()),
                        };
                        let request = self.request(what.strip_prefix("enters ")?);
                        self.say(Input::CallArrived { call, arrived, request });
                    }
                }
            }
            "pool" => {
                let (id, what) = what.split_once(' ')?;
                match what {
                    "opens" => self.config.pools.insert(PoolId::new(id), pool_of("")),
                    "closes" => self.config.pools.remove(&PoolId::new(id)),
                    _ => return None,
                };
                self.say(Input::Configured(self.config.clone()));
            }
            "another" if what == "node takes over" => self.begin_anew(),
            "clock" => {
                let (direction, by) = what.strip_prefix("goes ")?.split_once(' ')?;
                let by_ms = span(by).as_millis() as i64;
                self.clock_ahead_ms += if direction == "back" { -by_ms } else { by_ms };
                let clock = self.clock();
                self.acd.handle_timeout(clock);
                self.listen();
            }
            "server" => {
                self.now_ms += span(what.strip_prefix("is down for ")?).as_millis() as i64;
                self.restart();
            }
            name => {
                let agent = self.agent(name);
                self.agent_does(agent, what)?;
            }
        }
        Some(())
    }

    /// Calls are gone; of agents there is what was last reported. Their phones have to register again.
    fn restart(&mut self) {
        let reported = std::mem::take(&mut self.states);
        self.acd = Acd::default();
        self.say(Input::Configured(self.config.clone()));
        for (agent, (_, duty, activity)) in reported {
            self.say(Input::AgentRestored { agent, duty, activity });
        }
        self.wait_until(self.now_ms);
    }

    /// `lucheng 30s, city; needs yi 5; after 20s needs yi 3; wishes labour 8; ahead 60s; urgent; knows li 10s; told
    /// 10s 30s`.
    fn request(&mut self, text: &str) -> Request {
        let mut parts = text.split("; ");
        let mut request = Request::in_turn(parts.next().unwrap_or("").split(", ").map(stage_of));
        for part in parts {
            let (word, rest) = part.split_once(' ').unwrap_or((part, ""));
            match word {
                "needs" => request.need.required = skills_of(rest),
                "wishes" => request.need.wished = skills_of(rest),
                "ahead" => request.priority.head_start = span(rest),
                "urgent" => request.priority.urgent = true,
                "told" => {
                    let (first, every) = rest.split_once(' ').unwrap_or_else(|| bad(text));
                    request.announce = Some(Announce { first: span(first), every: span(every) });
                }
                "knows" => {
                    let (name, time) = rest.split_once(' ').unwrap_or_else(|| bad(text));
                    request.acquainted = Some((self.agent(name), span(time)));
                }
                "after" => {
                    let (time, needs) = rest.split_once(" needs").unwrap_or_else(|| bad(text));
                    let required = skills_of(needs.trim());
                    let need = Need { required, wished: request.need.wished.clone() };
                    request.steps.push(Step { after: span(time), change: Change::Relax(need) });
                }
                _ => bad(text),
            }
        }
        request.steps.sort_by_key(|step| step.after);
        request
    }

    /// A machine that knows the configuration and whose phones are reachable, and nothing of what went before.
    fn begin_anew(&mut self) {
        self.acd = Acd::new();
        let reachable =
            std::mem::take(&mut self.states).into_iter().filter(|(_, (reachable, ..))| *reachable);
        let agents: Vec<AgentId> = reachable.map(|(agent, _)| agent).collect();
        self.say(Input::Configured(self.config.clone()));
        for agent in agents {
            self.say(Input::AgentReachable { agent, reachable: true });
        }
    }

    fn agent_does(&mut self, agent: AgentId, what: &str) -> Option<()> {
        let paused = |reason, until| Input::AgentDuty { agent, duty: Duty::Paused { reason, until } };
        let input = match what {
            "registers" => Input::AgentReachable { agent, reachable: true },
            "unregisters" => Input::AgentReachable { agent, reachable: false },
            "pauses" => paused(PauseReason::Other, None),
            "logs out" => Input::AgentDuty { agent, duty: Duty::LoggedOut },
            "is ready" => Input::AgentDuty { agent, duty: Duty::Ready },
            "is done" => Input::WrapUpDone { agent },
            "leaves" => {
                self.config.agents.remove(&agent);
                Input::Configured(self.config.clone())
            }
            what => {
                let (verb, object) = what.rsplit_once(' ')?;
                let call = call_id(object);
                match verb {
                    "answers" => Input::AgentAnswered { agent, call },
                    "rejects" => Input::OfferFailed { agent, call, end: OfferEnd::Rejected },
                    "cannot be reached for" => Input::OfferFailed { agent, call, end: OfferEnd::Unreachable },
                    "falls silent after" => Input::OfferCleared { agent, call },
                    "ends" => Input::TalkEnded { agent, call },
                    "pauses for" if object.starts_with(char::is_numeric) => {
                        paused(PauseReason::Other, Some(self.clock() + span(object)))
                    }
                    "pauses for" => paused(reason_called(object), None),
                    "writes on for" => Input::WrapUpExtended { agent, by: span(object) },
                    _ => {
                        self.config.agents.insert(agent, agent_of(what.strip_prefix("joins ")?));
                        Input::Configured(self.config.clone())
                    }
                }
            }
        };
        self.say(input);
        Some(())
    }

    fn say(&mut self, input: Input) {
        let clock = self.clock();
        self.acd.handle_input(clock, input);
        self.listen();
    }

    /// Writes down what the machine has just done.
    fn listen(&mut self) {
        let mut done = Vec::new();
        while let Some(output) = self.acd.poll_output() {
            match output {
                Output::Queued { call, pool, position } => {
                    done.push(format!("queue {} in {pool} at {position}", letter(call)));
                }
                Output::Announce { call, position, wait, longer } => {
                    let wait = seconds(wait.as_millis() as i64);
                    let why = longer.map_or("", |why| match why {
                        LongerWait::FewerAgents => " (fewer agents)",
                        LongerWait::Overtaken => " (overtaken)",
                    });
                    done.push(format!("tell {} at {position}: {wait}{why}", letter(call)));
                }
                Output::Ring { agent, call, .. } => {
                    done.push(format!("ring {} for {}", self.name(agent), letter(call)));
                }
                Output::StopRinging { agent, end, .. } => {
                    done.push(format!("stop {} ({})", self.name(agent), ended(end)));
                }
                Output::Connect { agent, call, waited, .. } => {
                    let waited = seconds(waited.as_millis() as i64);
                    done.push(format!("bridge {} with {} after {waited}", letter(call), self.name(agent)));
                }
                Output::Release { agent, call } => {
                    done.push(format!("release {} from {}", self.name(agent), letter(call)));
                }
                Output::Overflowed { call, to, reason, .. } => {
                    done.push(format!("overflow {} to {to} ({})", letter(call), reason_of(reason)));
                }
                Output::Exhausted { call, reason } => {
                    done.push(format!("give up {} ({})", letter(call), reason_of(reason)));
                }
                Output::OfferEnded { .. } => {}
                Output::ClockSetBack { by } => {
                    done.push(format!("clock set back {}", seconds(by.as_millis() as i64)));
                }
                Output::AgentChanged { agent, reachable, duty, activity } => {
                    self.states.insert(agent, (reachable, duty, activity));
                }
            }
        }
        if let Err(broken) = self.acd.check_invariants() {
            done.push(format!("BROKEN: {broken}"));
        }
        if !done.is_empty() {
            self.played.push(format!("{} -> {}", seconds(self.now_ms), done.join("; ")));
        }
    }

    fn state(&mut self, name: &str) -> String {
        let agent = self.agent(name);
        let Some(&(reachable, duty, activity)) = self.states.get(&agent) else {
            return format!("{name} is nobody");
        };
        let at = |at: Timestamp| seconds(at.as_ms() - self.clock_ahead_ms);
        let mut state = match activity {
            Activity::Idle { since } => format!("{name} idle since {}", at(since)),
            Activity::Ringing { call, until } => {
                format!("{name} rings for {} until {}", letter(call), at(until))
            }
            Activity::Clearing { until, .. } => format!("{name} falls silent until {}", at(until)),
            Activity::Talking { call, .. } => format!("{name} talks to {}", letter(call)),
            Activity::WrapUp { until, rule, .. } => match rule {
                WrapUpRule::Fixed => format!("{name} wraps up until {}", at(until)),
                WrapUpRule::Extendable { latest } => {
                    format!("{name} wraps up until {}, at most {}", at(until), at(latest))
                }
                WrapUpRule::UntilSaved => format!("{name} wraps up until saved, at most {}", at(until)),
            },
        };
        match duty {
            Duty::Ready => {}
            Duty::LoggedOut => state.push_str(", logged out"),
            Duty::Paused { reason, until } => {
                let _ = match pause_name(reason) {
                    "" => write!(state, ", paused"),
                    why => write!(state, ", paused for {why}"),
                };
                if let Some(until) = until {
                    let _ = write!(state, " until {}", at(until));
                }
            }
        }
        if !reachable {
            state.push_str(", unregistered");
        }
        state
    }

    fn clock(&self) -> Timestamp {
        Timestamp::from_ms(self.now_ms + self.clock_ahead_ms)
    }

    /// Agents are numbered as they appear.
    fn agent(&mut self, name: &str) -> AgentId {
        let known = self.agents.iter().position(|known| known == name);
        let index = known.unwrap_or_else(|| {
            self.agents.push(name.to_owned());
            self.agents.len() - 1
        });
        AgentId(index as u32)
    }

    fn name(&self, agent: AgentId) -> &str {
        &self.agents[agent.0 as usize]
    }
}

fn pool_of(settings: &str) -> Pool {
    let mut pool = Pool {
        matching: Matching::LongestIdle,
        ring_timeout: Duration::from_secs(20),
        wrap_up: WrapUp::Fixed(Duration::from_secs(30)),
        clear_timeout: Duration::from_secs(2),
        miss_limit: 2,
        miss_pause: Some(Duration::from_secs(60)),
        handling: Duration::from_secs(300),
        max_waiting: 100,
        refuse: Refuse::default(),
    };
    for setting in settings.split(',').map(str::trim).filter(|setting| !setting.is_empty()) {
        let (key, value) = setting.split_once(' ').unwrap_or_else(|| bad(settings));
        match key {
            "ring" => pool.ring_timeout = span(value),
            "wrap" => pool.wrap_up = wrap_up_of(value),
            "clear" => pool.clear_timeout = span(value),
            "misses" => pool.miss_limit = number(value),
            "pause" => pool.miss_pause = Some(span(value)),
            "match" => pool.matching = matching_of(value),
            "longest" => pool.refuse.longest_wait = Some(span(value)),
            "estimated" => pool.refuse.estimated_wait = Some(span(value)),
            "ready" => pool.refuse.unless_ready = value == "only",
            "max" => pool.max_waiting = number(value) as usize,
            "handling" => pool.handling = span(value),
            _ => bad(settings),
        }
    }
    pool
}

/// `30s`, `30s up to 120s` or `until saved in 600s`.
fn wrap_up_of(text: &str) -> WrapUp {
    if let Some(max) = text.strip_prefix("until saved in ") {
        return WrapUp::UntilSaved { max: span(max) };
    }
    match text.split_once(" up to ") {
        Some((usual, max)) => WrapUp::Extendable { span: span(usual), max: span(max) },
        None => WrapUp::Fixed(span(text)),
    }
}

/// Other reasons need no name.
fn pause_name(reason: PauseReason) -> &'static str {
    match reason {
        PauseReason::ShortBreak => "break",
        PauseReason::Meal => "meal",
        PauseReason::Meeting => "meeting",
        PauseReason::Training => "training",
        PauseReason::Fieldwork => "fieldwork",
        PauseReason::Other => "",
        PauseReason::NoAnswer => "no answer",
        PauseReason::FormUnsaved => "an unsaved form",
    }
}

fn reason_called(name: &str) -> PauseReason {
    PauseReason::ASKED.into_iter().find(|reason| pause_name(*reason) == name).unwrap_or_else(|| bad(name))
}

fn matching_of(word: &str) -> Matching {
    match word {
        "longest-idle" => Matching::LongestIdle,
        "fewest-calls" => Matching::FewestCalls,
        "best-skill" => Matching::BestSkill,
        "in-order" => Matching::InOrder,
        "all-at-once" => Matching::AllAtOnce,
        "round-robin" => Matching::RoundRobin,
        _ => bad(word),
    }
}

/// `lucheng, city tier 2 order 1 max 5; yi 5, labour 3`.
fn agent_of(text: &str) -> Agent {
    let (pools, skills) = text.split_once("; ").unwrap_or((text, ""));
    Agent { pools: pools.split(',').map(place_of).collect(), skills: skills_of(skills) }
}

fn place_of(text: &str) -> (PoolId, Membership) {
    let mut words = text.split_whitespace();
    let pool = PoolId::new(words.next().unwrap_or_else(|| bad(text)));
    let mut membership = Membership::default();
    while let (Some(word), Some(value)) = (words.next(), words.next()) {
        match word {
            "tier" => membership.tier = number(value) as u8,
            "order" => membership.order = number(value) as u16,
            "max" => membership.calls_per_day_max = Some(number(value)),
            _ => bad(text),
        }
    }
    (pool, membership)
}

/// `yi 5, labour 3`; none is also a choice.
fn skills_of(text: &str) -> Skills {
    let skills = text.split(", ").filter(|skill| !skill.is_empty()).map(|skill| {
        let (name, level) = skill.split_once(' ').unwrap_or_else(|| bad(text));
        (SkillId::new(name), number(level) as u8)
    });
    skills.collect()
}

fn stage_of(stage: &str) -> (PoolId, Duration) {
    let (pool, patience) =
        stage.split_once(' ').map_or((stage, Duration::MAX), |(id, time)| (id, span(time)));
    (pool.into(), patience)
}

/// Callers are single letters.
fn call_id(name: &str) -> CallId {
    CallId(u64::from(name.as_bytes()[0]))
}

fn letter(call: CallId) -> char {
    char::from(call.0 as u8)
}

fn ended(end: OfferEnd) -> &'static str {
    match end {
        OfferEnd::Answered => "answered",
        OfferEnd::NoAnswer => "no answer",
        OfferEnd::Rejected => "rejected",
        OfferEnd::Unreachable => "unreachable",
        OfferEnd::Withdrawn => "withdrawn",
    }
}

fn reason_of(reason: OverflowReason) -> &'static str {
    match reason {
        OverflowReason::PatienceExpired => "patience expired",
        OverflowReason::NobodyOnDuty => "nobody on duty",
        OverflowReason::PoolFull => "pool full",
        OverflowReason::NobodyReady => "nobody ready",
        OverflowReason::LongestWait => "longest wait",
        OverflowReason::EstimatedWait => "estimated wait",
    }
}

/// `90s`, `1.5s` or `1h`.
fn span(text: &str) -> Duration {
    let (number, unit_s) = match text.strip_suffix('h') {
        Some(hours) => (hours, 3600.0),
        None => (text.strip_suffix('s').unwrap_or_else(|| bad(text)), 1.0),
    };
    let number: f64 = number.parse().unwrap_or_else(|_| bad(text));
    Duration::from_secs_f64(number * unit_s)
}

fn seconds(ms: i64) -> String {
    format!("{}s", ms as f64 / 1000.0)
}

fn number(text: &str) -> u32 {
    text.parse().unwrap_or_else(|_| bad(text))
}

fn first_word(text: &str) -> &str {
    text.split(' ').next().unwrap_or(text)
}

fn bad<T>(line: &str) -> T {
    panic!("cannot be read: {line}")
}
