//! The days themselves: the real dialplan and the real distribution machine under virtual time.
//!
//! Callers walk through the dialplan as the switch leads them (`crates/switch/src/treatment.rs`): they listen to
//! prompts, press a key in a menu if it offers their language, wait, leave a message or not. Lawyers come on duty and
//! leave with their shifts, pick up or let it ring. The same dialplan, forecast, shifts and seed give the same days,
//! to the millisecond.
//!
//! Deliberately absent: a clock, sockets and audio; transfers and what happens after a talk; callers who hang up
//! before they wait; keys but those that choose a language.

use super::forecast::{Forecast, HOURS_OF_A_DAY, Shift};
use super::house::House;
use super::people::{Arrivals, Person, about, happens};
use super::tally::{ANSWER_TARGET, Cell, InLanguage};
use acd::{Acd, Agent, Config, Input, Membership, Output};
use dialplan::{Cursor, Outcome, Stage, Step, Wants};
use domain::{AgentId, CallId, Departure, Duty, SkillId, Skills, Timestamp};
use phones::Dice;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::time::Duration;

const HOUR: Duration = Duration::from_secs(3_600);
const HOUR_MS: u64 = 3_600_000;
/// A call's id is its number in order of arrival, then its place among those under way.
const PLACE_BITS: u32 = 24;

/// What was counted, by pool and hour of the day.
#[derive(Clone, Debug, PartialEq)]
pub struct Tallies {
    /// By pool in the order of [`House::pools`], then by hour; the last row is of calls that came to no queue.
    cells: Vec<Cell>,
    pools: usize,
    /// Calls by the pool that they first waited for, then by the pool whose lawyer answered.
    answered: Vec<u64>,
    /// In the order of [`House::languages`].
    pub languages: Vec<InLanguage>,
    /// Calls answered by the lawyers of each shift.
    pub taken: Vec<u64>,
}

impl Tallies {
    fn new(pools: usize, languages: usize, shifts: usize) -> Self {
        Self {
            cells: vec![Cell::default(); (pools + 1) * HOURS_OF_A_DAY],
            pools,
            answered: vec![0; pools * pools],
            languages: vec![InLanguage::default(); languages],
            taken: vec![0; shifts],
        }
    }

    /// Calls that first waited for pool `of` and were answered by a lawyer of pool `by`.
    #[must_use]
    pub fn answered(&self, of: usize, by: usize) -> u64 {
        self.answered[of * self.pools + by]
    }

    #[must_use]
    pub fn cell(&self, pool: usize, hour: usize) -> &Cell {
        &self.cells[pool * HOURS_OF_A_DAY + hour]
    }

    fn cell_mut(&mut self, pool: usize, hour: usize) -> &mut Cell {
        &mut self.cells[pool * HOURS_OF_A_DAY + hour]
    }

    #[must_use]
    pub fn of_pool(&self, pool: usize) -> Cell {
        let first = pool * HOURS_OF_A_DAY;
        sum(&self.cells[first..first + HOURS_OF_A_DAY])
    }

    #[must_use]
    pub fn of_hour(&self, hour: usize) -> Cell {
        sum(self.cells.iter().skip(hour).step_by(HOURS_OF_A_DAY))
    }

    #[must_use]
    pub fn total(&self) -> Cell {
        sum(&self.cells)
    }
}

fn sum<'c>(cells: impl IntoIterator<Item = &'c Cell>) -> Cell {
    let mut sum = Cell::default();
    cells.into_iter().for_each(|cell| sum.add(cell));
    sum
}

/// Lives through so many days from the forecast's first midnight, and on until the last caller has left.
#[must_use]
pub fn simulate(house: &House, forecast: &Forecast, shifts: &[Shift], seed: u64, days: u32) -> Tallies {
    let mut engine = Engine::new(house, forecast, shifts, seed, days);
    engine.play();
    engine.tallies
}

/// What will happen, unless what it is about is gone by then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    /// The next caller comes.
    Arrival,
    /// So many hours have passed: shifts change.
    Hour(u64),
    /// A prompt, a menu's silence or a message is over.
    StepEnds(CallId),
    GivesUp(CallId),
    /// The offer of that number is answered.
    PicksUp(AgentId, CallId, u64),
    TalkEnds(AgentId, CallId),
}

/// A caller who has neither spoken with a lawyer nor left.
struct Caller {
    id: CallId,
    cursor: Cursor,
    phase: Phase,
    /// Hour of the day.
    came_in_hour: usize,
    talk: Duration,
    patience: Option<Duration>,
    dice: Dice,
    /// The first pool, and since when.
    queued: Option<(usize, Timestamp)>,
    /// When the last queue gave up.
    left_queue: Option<Timestamp>,
    ringing: u32,
    overflowed: bool,
    /// To be chosen in a menu.
    language: Option<String>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Playing,
    /// Hears a menu, and then presses this key or nothing.
    Menu(Option<char>),
    Queued,
    Voicemail {
        leaves_message: bool,
    },
}

struct Lawyer {
    pool: usize,
    shift: usize,
    skills: Skills,
    /// Rises with every offer and its end, so that an answer that comes too late is known.
    offer: u64,
}

struct Engine<'a> {
    house: &'a House,
    forecast: &'a Forecast,
    shifts: &'a [Shift],
    hours: u64,
    arrivals: Arrivals<'a>,
    next_person: Option<Person<'a>>,
    acd: Acd,
    now: Timestamp,
    events: BinaryHeap<Reverse<(Timestamp, u64, Event)>>,
    /// Numbers events, so that those of one instant keep their order.
    scheduled: u64,
    callers: Vec<Option<Caller>>,
    /// Empty places in `callers`.
    places: Vec<usize>,
    under_way: usize,
    came: u64,
    /// By agent id, from 1; shift after shift.
    lawyers: Vec<Lawyer>,
    wrap_ups: Vec<Duration>,
    tallies: Tallies,
}

impl<'a> Engine<'a> {
    fn new(house: &'a House, forecast: &'a Forecast, shifts: &'a [Shift], seed: u64, days: u32) -> Self {
        let mut arrivals = Arrivals::new(forecast, seed, days);
        let next_person = arrivals.next();
        let mut engine = Self {
            house,
            forecast,
            shifts,
            hours: u64::from(days) * HOURS_OF_A_DAY as u64,
            arrivals,
            next_person,
            acd: Acd::new(),
            now: forecast.start,
            events: BinaryHeap::new(),
            scheduled: 0,
            callers: Vec::new(),
            places: Vec::new(),
            under_way: 0,
            came: 0,
            lawyers: Vec::new(),
            wrap_ups: house.pools().iter().map(|pool| house.wrap_up(pool)).collect(),
            tallies: Tallies::new(house.pools().len(), house.languages().count(), shifts.len()),
        };
        engine.hire();
        engine.schedule(Duration::ZERO, Event::Hour(0));
        engine.expect_next();
        engine
    }

    /// Everybody of every shift, none of them on duty yet.
    fn hire(&mut self) {
        let mut agents = BTreeMap::new();
        for (at, shift) in self.shifts.iter().enumerate() {
            let pool = self.house.index_of(&shift.pool).unwrap_or_default();
            for _ in 0..shift.lawyers {
                let skills = shift.skills.clone().unwrap_or_else(|| self.house.skills());
                self.lawyers.push(Lawyer { pool, shift: at, skills: skills.clone(), offer: 0 });
                let pools = BTreeMap::from([(shift.pool.clone(), Membership::default())]);
                let id = AgentId(self.lawyers.len() as u32);
                agents.insert(id, Agent { pools, skills });
            }
        }
        let config = Config { pools: self.house.distribution(), agents };
        self.acd.handle_input(self.now, Input::Configured(config));
    }

    fn play(&mut self) {
        loop {
            self.obey();
            let event_at = self.events.peek().map(|Reverse((at, ..))| *at);
            let timer_at = self.acd.poll_timeout().filter(|_| event_at.is_some() || self.under_way > 0);
            match (event_at, timer_at) {
                (None, None) => break,
                (event_at, Some(at)) if event_at.is_none_or(|event_at| at <= event_at) => {
                    self.now = self.now.max(at);
                    self.acd.handle_timeout(self.now);
                }
                _ => {
                    let Some(Reverse((at, _, event))) = self.events.pop() else { break };
                    self.now = at;
                    self.happen(event);
                }
            }
        }
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Arrival => self.arrive(),
            Event::Hour(hour) => self.change_shifts(hour),
            Event::StepEnds(call) => self.step_ends(call),
            Event::GivesUp(call) => self.give_up(call),
            Event::PicksUp(agent, call, offer) => {
                if self.lawyers[index(agent)].offer == offer {
                    self.acd.handle_input(self.now, Input::AgentAnswered { agent, call });
                }
            }
            Event::TalkEnds(agent, call) => {
                self.acd.handle_input(self.now, Input::TalkEnded { agent, call });
            }
        }
    }

    /// Carries out what the machine wants.
    fn obey(&mut self) {
        while let Some(output) = self.acd.poll_output() {
            match output {
                Output::Ring { agent, call, .. } => self.ring(agent, call),
                Output::StopRinging { agent, call, .. } => {
                    self.lawyers[index(agent)].offer += 1;
                    self.acd.handle_input(self.now, Input::OfferCleared { agent, call });
                }
                Output::OfferEnded { call, .. } => {
                    if let Some(caller) = self.caller(call) {
                        caller.ringing -= 1;
                    }
                }
                Output::Connect { agent, call, .. } => self.connect(agent, call),
                Output::Overflowed { call, .. } => {
                    if let Some(caller) = self.caller(call) {
                        caller.overflowed = true;
                    }
                }
                Output::Exhausted { call, reason } => {
                    let now = self.now;
                    if let Some(caller) = self.caller(call) {
                        caller.left_queue = Some(now);
                    }
                    self.advance(call, Outcome::Exhausted(reason));
                }
                Output::Queued { .. }
                | Output::Announce { .. }
                | Output::Release { .. }
                | Output::AgentChanged { .. }
                | Output::ClockSetBack { .. } => {}
            }
        }
    }

    fn schedule(&mut self, after: Duration, event: Event) {
        self.scheduled += 1;
        self.events.push(Reverse((self.now + after, self.scheduled, event)));
    }

    /// None if that call is over.
    fn caller(&mut self, call: CallId) -> Option<&mut Caller> {
        let place = (call.0 & ((1 << PLACE_BITS) - 1)) as usize;
        self.callers.get_mut(place)?.as_mut().filter(|caller| caller.id == call)
    }

    /// Counted from the first midnight.
    fn hour_now(&self) -> u64 {
        u64::try_from((self.now - self.forecast.start).as_millis()).unwrap_or(u64::MAX) / HOUR_MS
    }
}

fn index(agent: AgentId) -> usize {
    agent.0 as usize - 1
}

fn hour_of_day(hour: u64) -> usize {
    (hour % HOURS_OF_A_DAY as u64) as usize
}

/// Callers on their way.
impl<'a> Engine<'a> {
    fn expect_next(&mut self) {
        if let Some(person) = &self.next_person {
            let at = self.forecast.start + person.at;
            self.schedule(at - self.now, Event::Arrival);
        }
    }

    fn arrive(&mut self) {
        let Some(person) = self.next_person.take() else { return };
        self.next_person = self.arrivals.next();
        self.expect_next();
        let (cursor, step) = self.house.begin(person.county, person.exchange, self.now);
        let place = self.places.pop().unwrap_or(self.callers.len());
        self.came += 1;
        let id = CallId(self.came << PLACE_BITS | place as u64);
        let caller = Caller {
            id,
            cursor,
            phase: Phase::Playing,
            came_in_hour: hour_of_day(self.hour_now()),
            talk: person.talk,
            patience: person.patience,
            dice: person.dice,
            queued: None,
            left_queue: None,
            ringing: 0,
            overflowed: false,
            language: person.language.map(str::to_owned),
        };
        if place == self.callers.len() {
            self.callers.push(None);
        }
        self.callers[place] = Some(caller);
        self.under_way += 1;
        self.run_step(id, step);
    }

    fn run_step(&mut self, call: CallId, step: Step) {
        match step {
            Step::Play { prompts, .. } => self.stay(call, Phase::Playing, self.house.length(&prompts)),
            Step::Menu { prompts, timeout, keys } => {
                let key = self.key_in_mind(call, &keys);
                let heard = self.house.length(&prompts);
                let span = if key.is_some() { heard } else { heard + timeout };
                self.stay(call, Phase::Menu(key), span);
            }
            Step::Queue { stages, wants, .. } => self.wait(call, stages, wants),
            // No key is pressed here, so none is asked for; and a call ends with its talk.
            Step::Callback { prompts, .. } | Step::Survey { prompts, .. } => {
                self.stay(call, Phase::Playing, self.house.length(&prompts));
            }
            Step::Voicemail { prompts, max, .. } => {
                let part = self.forecast.leaves_message.of_one();
                let Some(caller) = self.caller(call) else { return };
                let leaves_message = happens(&mut caller.dice, part);
                let message = if leaves_message { self.forecast.message.min(max) } else { Duration::ZERO };
                let span = self.house.length(&prompts) + message;
                self.stay(call, Phase::Voicemail { leaves_message }, span);
            }
            // What a caller still hears after that changes no figure.
            Step::HangUp { departure, .. } => self.depart(call, departure, None),
        }
    }

    /// Of the caller who hears a menu with these keys.
    fn key_in_mind(&mut self, call: CallId, keys: &BTreeSet<char>) -> Option<char> {
        let (house, now) = (self.house, self.now);
        let caller = self.caller(call)?;
        house.key_of(caller.language.as_deref()?, keys, &caller.cursor, now)
    }

    fn stay(&mut self, call: CallId, phase: Phase, span: Duration) {
        if let Some(caller) = self.caller(call) {
            caller.phase = phase;
            self.schedule(span, Event::StepEnds(call));
        }
    }

    fn wait(&mut self, call: CallId, stages: Vec<Stage>, wants: Wants) {
        let now = self.now;
        let pool = stages.first().and_then(|stage| self.house.index_of(&stage.pool)).unwrap_or_default();
        let Some(caller) = self.caller(call) else { return };
        caller.phase = Phase::Queued;
        caller.left_queue = None;
        let patience = caller.patience.filter(|_| caller.queued.is_none());
        // A second queue of the same call keeps the place that the first one gave it.
        let (_, arrived) = *caller.queued.get_or_insert((pool, now));
        if let Some(patience) = patience {
            self.schedule(patience, Event::GivesUp(call));
        }
        let request = switch::words::request(stages, wants, None);
        self.acd.handle_input(now, Input::CallArrived { call, arrived, request });
    }

    fn step_ends(&mut self, call: CallId) {
        let Some(caller) = self.caller(call) else { return };
        match caller.phase {
            Phase::Playing => self.advance(call, Outcome::Played),
            Phase::Menu(Some(key)) => self.advance(call, Outcome::Digit(key)),
            Phase::Menu(None) => self.advance(call, Outcome::TimedOut),
            Phase::Voicemail { leaves_message: true } => self.advance(call, Outcome::MessageLeft),
            Phase::Voicemail { leaves_message: false } => {
                let departure = self.hang_up_at_the_machine(call);
                self.depart(call, departure, None);
            }
            Phase::Queued => {}
        }
    }

    /// Who hears a machine in place of a lawyer and leaves was not served, rather than impatient.
    fn hang_up_at_the_machine(&mut self, call: CallId) -> Departure {
        let house = self.house;
        let Some(caller) = self.caller(call) else { return Departure::Failed };
        match house.ending(&caller.cursor) {
            ending @ (Departure::NobodyOnDuty | Departure::PatienceExpired) => ending,
            _ if caller.queued.is_some() => Departure::AbandonedQueue,
            ending => ending,
        }
    }

    fn advance(&mut self, call: CallId, outcome: Outcome) {
        let (house, now) = (self.house, self.now);
        let Some(caller) = self.caller(call) else { return };
        let step = house.next(&mut caller.cursor, now, outcome);
        self.run_step(call, step);
    }

    fn give_up(&mut self, call: CallId) {
        let Some(caller) = self.caller(call) else { return };
        let departure =
            if caller.ringing > 0 { Departure::AbandonedRinging } else { Departure::AbandonedQueue };
        match caller.phase {
            Phase::Queued => {
                self.depart(call, departure, None);
                self.acd.handle_input(self.now, Input::CallLeft { call });
            }
            Phase::Playing | Phase::Menu(_) => self.depart(call, departure, None),
            // Hears what to do instead of waiting.
            Phase::Voicemail { .. } => {}
        }
    }

    /// The call is over, or its talk begins with the lawyer `by`.
    fn depart(&mut self, call: CallId, departure: Departure, by: Option<AgentId>) {
        let place = (call.0 & ((1 << PLACE_BITS) - 1)) as usize;
        let Some(caller) = self.callers.get_mut(place).and_then(Option::take) else { return };
        self.places.push(place);
        self.under_way -= 1;
        let (now, no_pool) = (self.now, self.house.pools().len());
        let pool = caller.queued.map_or(no_pool, |(pool, _)| pool);
        let cell = self.tallies.cell_mut(pool, caller.came_in_hour);
        cell.calls += 1;
        cell.overflowed += u64::from(caller.overflowed);
        let wait = caller.queued.map(|(_, since)| caller.left_queue.unwrap_or(now) - since);
        if let Some(wait) = wait {
            cell.queued += 1;
            cell.waits.note(wait);
        }
        match departure {
            Departure::Answered => {
                let wait = wait.unwrap_or_default();
                cell.answered += 1;
                cell.answered_in_time += u64::from(wait <= ANSWER_TARGET);
                cell.answer_ms_sum += wait.as_millis() as u64;
                if let Some(by) = by.map(|by| &self.lawyers[index(by)]) {
                    cell.answered_elsewhere += u64::from(by.pool != pool);
                    self.tallies.answered[pool * no_pool + by.pool] += 1;
                    self.tallies.taken[by.shift] += 1;
                }
            }
            Departure::AbandonedQueue => cell.abandoned += 1,
            Departure::AbandonedRinging => {
                cell.abandoned += 1;
                cell.abandoned_ringing += 1;
            }
            Departure::Voicemail => cell.voicemail += 1,
            Departure::AbandonedMenu
            | Departure::CallbackUnanswered
            | Departure::CallbackExpired
            | Departure::CallbackMerged
            | Departure::PatienceExpired
            | Departure::NobodyOnDuty
            | Departure::Closed
            | Departure::CallerLost
            | Departure::NotAllowed
            | Departure::NoSuchNumber
            | Departure::NoCodec
            | Departure::Overload
            | Departure::Failed => {
                let count = if wait.is_some() { &mut cell.unserved } else { &mut cell.closed };
                *count += 1;
            }
        }
        if wait.is_some() {
            self.note_language(&caller, by.filter(|_| departure == Departure::Answered));
        }
    }

    fn note_language(&mut self, caller: &Caller, by: Option<AgentId>) {
        let Some(language) = caller.cursor.language() else { return };
        let Some(place) = self.house.languages().position(|known| known == language) else { return };
        let tally = &mut self.tallies.languages[place];
        tally.queued += 1;
        tally.answered += u64::from(by.is_some());
        let is_speaker = |by| self.lawyers[index(by)].skills.contains_key(&SkillId::new(language));
        tally.answered_by_speakers += u64::from(by.is_some_and(is_speaker));
    }
}

/// Lawyers and their phones.
impl Engine<'_> {
    fn change_shifts(&mut self, hour: u64) {
        let (of_day, before) = (hour_of_day(hour), hour.checked_sub(1).map(hour_of_day));
        let is_on = |shift: &Shift| shift.hours.contains(of_day);
        let was_on = |shift: &Shift| before.is_some_and(|before| shift.hours.contains(before));
        // First who comes, so that nobody who waits is without a lawyer in between.
        for is_coming in [true, false] {
            let mut last = 0;
            for shift in self.shifts {
                let first = last + 1;
                last += shift.lawyers;
                if is_on(shift) == is_coming && was_on(shift) != is_coming {
                    (first..=last).for_each(|id| self.change_duty(AgentId(id), is_coming));
                }
            }
        }
        if hour < self.hours {
            for shift in self.shifts.iter().filter(|shift| is_on(shift)) {
                let pool = self.house.index_of(&shift.pool).unwrap_or_default();
                self.tallies.cell_mut(pool, of_day).staffed_ms += u64::from(shift.lawyers) * HOUR_MS;
            }
        }
        if hour < self.hours || self.under_way > 0 {
            self.schedule(HOUR, Event::Hour(hour + 1));
        }
    }

    /// Who leaves takes no further call, and finishes the talk that is going on.
    fn change_duty(&mut self, agent: AgentId, is_coming: bool) {
        let now = self.now;
        let duty = match is_coming {
            true => Duty::Ready,
            false => Duty::LoggedOut,
        };
        self.acd.handle_input(now, Input::AgentDuty { agent, duty });
        self.acd.handle_input(now, Input::AgentReachable { agent, reachable: is_coming });
    }

    fn ring(&mut self, agent: AgentId, call: CallId) {
        let (delay, unanswered) = (self.forecast.answer_delay, self.forecast.unanswered.of_one());
        let lawyer = &mut self.lawyers[index(agent)];
        lawyer.offer += 1;
        let (offer, pool) = (lawyer.offer, lawyer.pool);
        let hour = hour_of_day(self.hour_now());
        self.tallies.cell_mut(pool, hour).rings += 1;
        let Some(caller) = self.caller(call) else { return };
        caller.ringing += 1;
        if happens(&mut caller.dice, unanswered) {
            return;
        }
        if delay.is_zero() {
            self.acd.handle_input(self.now, Input::AgentAnswered { agent, call });
        } else {
            let delay = about(&mut caller.dice, delay);
            self.schedule(delay, Event::PicksUp(agent, call, offer));
        }
    }

    fn connect(&mut self, agent: AgentId, call: CallId) {
        let Some(caller) = self.caller(call) else { return };
        let talk = caller.talk;
        let lawyer = self.lawyers[index(agent)].pool;
        self.depart(call, Departure::Answered, Some(agent));
        self.schedule(talk, Event::TalkEnds(agent, call));
        self.note_work(lawyer, talk + self.wrap_ups[lawyer]);
    }

    /// From now on, hour by hour, as far as the days go.
    fn note_work(&mut self, pool: usize, span: Duration) {
        let mut from = u64::try_from((self.now - self.forecast.start).as_millis()).unwrap_or(u64::MAX);
        let to = from.saturating_add(span.as_millis() as u64).min(self.hours * HOUR_MS);
        while from < to {
            let hour = from / HOUR_MS;
            let end = to.min((hour + 1) * HOUR_MS);
            self.tallies.cell_mut(pool, hour_of_day(hour)).busy_ms += end - from;
            from = end;
        }
    }
}
