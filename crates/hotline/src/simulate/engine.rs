//! The days themselves: the real dialplan and the real distribution machine under virtual time.
//!
//! Callers walk through the dialplan as the switch leads them (`crates/switch/src/treatment.rs`): they listen to
//! prompts, press a key in a menu if it offers their language, wait, leave a message or not. Lawyers come on duty and
//! leave with their shifts, pick up or let it ring. The same dialplan, forecast, shifts and seed give the same days,
//! to the millisecond.
//!
//! Deliberately absent: a clock, sockets and audio; transfers and what happens after a talk; callers who hang up
//! before they wait; keys but those that choose a language or a call-back.

mod callbacks;

use super::forecast::{Forecast, HOURS_OF_A_DAY, Shift};
use super::house::House;
use super::named::Named;
use super::people::{Arrivals, Person, about, happens};
use super::tally::{Cell, InLanguage, Worked};
use acd::{Acd, Agent, Change, Config, Input, Membership, Output, Request};
use callbacks::Away;
use dialplan::{Cursor, Outcome, Step};
use domain::{AgentId, CallId, Departure, Duty, OverflowReason, PoolId, SkillId, Timestamp};
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
    /// In the order of [`Named::lawyers`].
    pub worked: Vec<Worked>,
}

/// Who answers.
#[derive(Clone, Copy)]
pub struct Crew<'a> {
    /// So many on each.
    pub shifts: &'a [Shift],
    /// Each by name, where there is a roster.
    pub named: Option<&'a Named>,
}

#[cfg(test)]
impl<'a> Crew<'a> {
    pub fn of(shifts: &'a [Shift]) -> Self {
        Self { shifts, named: None }
    }
}

impl Tallies {
    fn new(pools: usize, languages: usize, shifts: usize, named: usize) -> Self {
        Self {
            cells: vec![Cell::default(); (pools + 1) * HOURS_OF_A_DAY],
            pools,
            answered: vec![0; pools * pools],
            languages: vec![InLanguage::default(); languages],
            taken: vec![0; shifts],
            worked: vec![Worked::default(); named],
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
pub fn simulate(house: &House, forecast: &Forecast, crew: Crew<'_>, seed: u64, days: u32) -> Tallies {
    let mut engine = Engine::new(house, forecast, crew, seed, days);
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
    /// Somebody comes or goes by the roster.
    Roster,
    /// A prompt, a menu's silence or a message is over.
    StepEnds(CallId),
    GivesUp(CallId),
    /// The offer of that number is answered.
    PicksUp(AgentId, CallId, u64),
    /// With that key.
    AsksToBeCalled(CallId, char),
    /// The caller has picked up, or will not.
    DialEnds(CallId),
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
    wants_callback: bool,
    /// What will be pressed when the caller is next told of the wait.
    callback_key: Option<char>,
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
    Away(Away),
}

struct Lawyer {
    /// Where the lawyer serves; who is off shift: where they served last.
    pools: Vec<usize>,
    on_duty: bool,
    post: Post,
    /// Rises with every offer and its end, so that an answer that comes too late is known.
    offer: u64,
}

/// What a lawyer was hired by.
#[derive(Clone, Copy)]
enum Post {
    /// One of those on the shift at this place.
    Shift(usize),
    /// The one at this place in [`Named::lawyers`].
    Named(usize),
}

struct Engine<'a> {
    house: &'a House,
    forecast: &'a Forecast,
    crew: Crew<'a>,
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
    /// By agent id, from 1; shift after shift, and then those with names.
    lawyers: Vec<Lawyer>,
    /// What the machine knows of them.
    agents: BTreeMap<AgentId, Agent>,
    /// When somebody next comes or goes by the roster.
    next_turn: Timestamp,
    /// Until when time on duty by the roster is counted.
    noted_to: Timestamp,
    wrap_ups: Vec<Duration>,
    tallies: Tallies,
}

impl<'a> Engine<'a> {
    fn new(house: &'a House, forecast: &'a Forecast, crew: Crew<'a>, seed: u64, days: u32) -> Self {
        let named = crew.named.map_or(0, |named| named.lawyers().len());
        let mut arrivals = Arrivals::new(forecast, seed, days);
        let next_person = arrivals.next();
        let mut engine = Self {
            house,
            forecast,
            crew,
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
            agents: BTreeMap::new(),
            next_turn: forecast.start,
            noted_to: forecast.start,
            wrap_ups: house.pools().iter().map(|pool| house.wrap_up(pool)).collect(),
            tallies: Tallies::new(house.pools().len(), house.languages().count(), crew.shifts.len(), named),
        };
        engine.hire();
        engine.schedule(Duration::ZERO, Event::Hour(0));
        if crew.named.is_some() {
            engine.schedule(Duration::ZERO, Event::Roster);
        }
        engine.expect_next();
        engine
    }

    /// Everybody of every shift, none of them on duty yet; and everybody of the roster, each at the phone and in no
    /// pool yet.
    fn hire(&mut self) {
        for (at, shift) in self.crew.shifts.iter().enumerate() {
            let pool = self.house.index_of(&shift.pool).unwrap_or_default();
            for _ in 0..shift.lawyers {
                let skills = shift.skills.clone().unwrap_or_else(|| self.house.skills());
                let pools = BTreeMap::from([(shift.pool.clone(), Membership::default())]);
                self.hire_one(Post::Shift(at), vec![pool], Agent { pools, skills });
            }
        }
        let named = self.crew.named.map_or(&[][..], Named::lawyers);
        for (at, lawyer) in named.iter().enumerate() {
            let agent = Agent { pools: BTreeMap::new(), skills: lawyer.skills.clone() };
            self.hire_one(Post::Named(at), Vec::new(), agent);
        }
        self.configure();
        for id in 1..=self.lawyers.len() as u32 {
            if let Post::Named(_) = self.lawyers[index(AgentId(id))].post {
                self.be_at_the_phone(AgentId(id), true);
            }
        }
    }

    fn hire_one(&mut self, post: Post, pools: Vec<usize>, agent: Agent) {
        self.lawyers.push(Lawyer { pools, on_duty: false, post, offer: 0 });
        self.agents.insert(AgentId(self.lawyers.len() as u32), agent);
    }

    fn configure(&mut self) {
        let config = Config { pools: self.house.distribution(), agents: self.agents.clone() };
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
            Event::Roster => self.follow_roster(),
            Event::StepEnds(call) => self.step_ends(call),
            Event::GivesUp(call) => self.give_up(call),
            Event::PicksUp(agent, call, offer) => {
                if self.lawyers[index(agent)].offer == offer {
                    self.acd.handle_input(self.now, Input::AgentAnswered { agent, call });
                }
            }
            Event::AsksToBeCalled(call, key) => self.ask_to_be_called(call, key),
            Event::DialEnds(call) => self.dial_ends(call),
            Event::TalkEnds(agent, call) => {
                self.acd.handle_input(self.now, Input::TalkEnded { agent, call });
            }
        }
    }

    /// Carries out what the machine wants.
    fn obey(&mut self) {
        while let Some(output) = self.acd.poll_output() {
            match output {
                Output::Ring { agent, call, pool, .. } => self.ring(agent, call, &pool),
                Output::StopRinging { agent, call, .. } => {
                    self.lawyers[index(agent)].offer += 1;
                    self.acd.handle_input(self.now, Input::OfferCleared { agent, call });
                }
                Output::OfferEnded { call, .. } => {
                    if let Some(caller) = self.caller(call) {
                        caller.ringing -= 1;
                    }
                }
                Output::Connect { agent, call, pool, .. } => self.connect(agent, call, &pool),
                Output::Overflowed { call, .. } => {
                    if let Some(caller) = self.caller(call) {
                        caller.overflowed = true;
                    }
                }
                Output::Exhausted { call, reason } => self.exhausted(call, reason),
                Output::Announce { call, position, wait, .. } => self.was_told(call, position, wait),
                Output::Queued { .. }
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
        let mut dice = person.dice;
        let part = self.forecast.callback.of_one();
        // Where nobody asks nothing is drawn, so that such a forecast brings the days that it always did.
        let wants_callback = part > 0.0 && happens(&mut dice, part);
        let caller = Caller {
            id,
            cursor,
            phase: Phase::Playing,
            came_in_hour: hour_of_day(self.hour_now()),
            talk: person.talk,
            patience: person.patience,
            dice,
            queued: None,
            left_queue: None,
            ringing: 0,
            overflowed: false,
            language: person.language.map(str::to_owned),
            wants_callback,
            callback_key: None,
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
            Step::Queue { stages, wants, prompts, announce, keys, .. } => {
                let callback_key = self.callback_key(call, &keys);
                let announce = announce.filter(|_| callback_key.is_some());
                let request = switch::words::request(stages, wants, announce);
                self.wait(call, request, callback_key);
                if let Some(key) = callback_key.filter(|_| announce.is_none()) {
                    self.schedule(self.house.length(&prompts), Event::AsksToBeCalled(call, key));
                }
            }
            // Only a key of a queue leads here, which `callbacks` sees to; and a call ends with its talk.
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
            // Whoever is outside answers at once.
            Step::Transfer { .. } => self.depart(call, Departure::Transferred, None),
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

    fn wait(&mut self, call: CallId, request: Request, callback_key: Option<char>) {
        let now = self.now;
        let first = request.steps.iter().find_map(|step| match &step.change {
            Change::AddPool(pool) => Some(pool),
            Change::Relax(_) | Change::GiveUp => None,
        });
        let pool = first.and_then(|pool| self.house.index_of(pool)).unwrap_or_default();
        let Some(caller) = self.caller(call) else { return };
        caller.phase = Phase::Queued;
        caller.callback_key = callback_key;
        caller.left_queue = None;
        let patience = caller.patience.filter(|_| caller.queued.is_none());
        // A second queue of the same call keeps the place that the first one gave it.
        let (_, arrived) = *caller.queued.get_or_insert((pool, now));
        if let Some(patience) = patience {
            self.schedule(patience, Event::GivesUp(call));
        }
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
            Phase::Queued | Phase::Away(_) => {}
        }
    }

    /// No lawyer was found in time.
    fn exhausted(&mut self, call: CallId, reason: OverflowReason) {
        let now = self.now;
        let Some(caller) = self.caller(call) else { return };
        if let Phase::Away(_) = caller.phase {
            return self.depart(call, Departure::CallbackExpired, None);
        }
        caller.left_queue = Some(now);
        self.advance(call, Outcome::Exhausted(reason));
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
            // Hears what to do instead of waiting, or need not wait on the line.
            Phase::Voicemail { .. } | Phase::Away(_) => {}
        }
    }

    /// The call is over, or its talk begins with the lawyer `by` of that pool.
    fn depart(&mut self, call: CallId, departure: Departure, by: Option<(AgentId, usize)>) {
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
        let away = caller.left_queue.filter(|_| matches!(caller.phase, Phase::Away(_)));
        cell.callbacks += u64::from(away.is_some());
        match departure {
            Departure::Answered => {
                let waited = caller.queued.map(|(_, since)| now - since);
                cell.note_answer(waited.unwrap_or_default(), away.map(|since| now - since));
                if let Some((by, of)) = by {
                    cell.answered_elsewhere += u64::from(of != pool);
                    self.tallies.answered[pool * no_pool + of] += 1;
                    match self.lawyers[index(by)].post {
                        Post::Shift(at) => self.tallies.taken[at] += 1,
                        Post::Named(at) => self.tallies.worked[at].answered += 1,
                    }
                }
            }
            Departure::AbandonedQueue => cell.abandoned += 1,
            Departure::AbandonedRinging => {
                cell.abandoned += 1;
                cell.abandoned_ringing += 1;
            }
            Departure::Voicemail => cell.voicemail += 1,
            Departure::CallbackUnanswered => {
                cell.unserved += 1;
                cell.callbacks_unanswered += 1;
            }
            Departure::AbandonedMenu
            | Departure::Transferred
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
            self.note_language(&caller, by.map(|(by, _)| by));
        }
    }

    fn note_language(&mut self, caller: &Caller, by: Option<AgentId>) {
        let Some(language) = caller.cursor.language() else { return };
        let Some(place) = self.house.languages().position(|known| known == language) else { return };
        let tally = &mut self.tallies.languages[place];
        tally.queued += 1;
        tally.answered += u64::from(by.is_some());
        let skill = SkillId::new(language);
        let is_speaker = |by| self.agents.get(&by).is_some_and(|agent| agent.skills.contains_key(&skill));
        tally.answered_by_speakers += u64::from(by.is_some_and(is_speaker));
    }
}

/// Lawyers and their phones.
impl Engine<'_> {
    fn change_shifts(&mut self, hour: u64) {
        self.note_duty();
        let (of_day, before) = (hour_of_day(hour), hour.checked_sub(1).map(hour_of_day));
        let shifts = self.crew.shifts;
        let is_on = |shift: &Shift| shift.hours.contains(of_day);
        let was_on = |shift: &Shift| before.is_some_and(|before| shift.hours.contains(before));
        // First who comes, so that nobody who waits is without a lawyer in between.
        for is_coming in [true, false] {
            let mut last = 0;
            for shift in shifts {
                let first = last + 1;
                last += shift.lawyers;
                if is_on(shift) == is_coming && was_on(shift) != is_coming {
                    (first..=last).for_each(|id| self.be_at_the_phone(AgentId(id), is_coming));
                }
            }
            if is_coming && self.next_turn <= self.now {
                self.take_turns();
            }
        }
        if hour < self.hours {
            for shift in shifts.iter().filter(|shift| is_on(shift)) {
                let pool = self.house.index_of(&shift.pool).unwrap_or_default();
                self.tallies.cell_mut(pool, of_day).staffed_ms += u64::from(shift.lawyers) * HOUR_MS;
            }
        }
        if hour < self.hours || self.under_way > 0 {
            self.schedule(HOUR, Event::Hour(hour + 1));
        }
    }

    /// Who leaves takes no further call, and finishes the talk that is going on.
    fn be_at_the_phone(&mut self, agent: AgentId, is_coming: bool) {
        let now = self.now;
        let duty = match is_coming {
            true => Duty::Ready,
            false => Duty::LoggedOut,
        };
        self.acd.handle_input(now, Input::AgentDuty { agent, duty });
        self.acd.handle_input(now, Input::AgentReachable { agent, reachable: is_coming });
    }

    fn follow_roster(&mut self) {
        let Some(named) = self.crew.named else { return };
        self.note_duty();
        self.take_turns();
        self.next_turn = named.next_change(self.now);
        if self.hour_now() < self.hours || self.under_way > 0 {
            self.schedule(self.next_turn - self.now, Event::Roster);
        }
    }

    /// As `crates/switch/src/shifts.rs` does: everybody is in the pools in which the roster has them now.
    fn take_turns(&mut self) {
        let Some(named) = self.crew.named else { return };
        let on_shift = named.on_shift(self.now);
        let mut has_changed = false;
        for (&id, agent) in &mut self.agents {
            let lawyer = &mut self.lawyers[index(id)];
            let Post::Named(at) = lawyer.post else { continue };
            let pools = named.pools_of(at, &on_shift);
            has_changed |= agent.pools != pools;
            lawyer.on_duty = !pools.is_empty();
            if lawyer.on_duty {
                lawyer.pools = pools.keys().filter_map(|pool| self.house.index_of(pool)).collect();
            }
            agent.pools = pools;
        }
        if has_changed {
            self.configure();
        }
    }

    /// The time on duty by the roster since this was last done; every hour it is. Who is in several pools at once
    /// is an equal part of a lawyer in each.
    fn note_duty(&mut self) {
        let end = self.forecast.start + HOUR * u32::try_from(self.hours).unwrap_or(u32::MAX);
        let (from, to) = (self.noted_to, self.now.min(end));
        self.noted_to = to;
        let ms = (to - from).as_millis() as u64;
        let hour = hour_of_day((from - self.forecast.start).as_millis() as u64 / HOUR_MS);
        for lawyer in self.lawyers.iter().filter(|lawyer| lawyer.on_duty) {
            let Post::Named(at) = lawyer.post else { continue };
            self.tallies.worked[at].on_shift_ms += ms;
            for &pool in &lawyer.pools {
                self.tallies.cell_mut(pool, hour).staffed_ms += ms / lawyer.pools.len() as u64;
            }
        }
    }

    fn ring(&mut self, agent: AgentId, call: CallId, pool: &PoolId) {
        let (delay, unanswered) = (self.forecast.answer_delay, self.forecast.unanswered.of_one());
        let lawyer = &mut self.lawyers[index(agent)];
        lawyer.offer += 1;
        let offer = lawyer.offer;
        let (pool, hour) = (self.house.index_of(pool).unwrap_or_default(), hour_of_day(self.hour_now()));
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

    fn connect(&mut self, agent: AgentId, call: CallId, pool: &PoolId) {
        let pool = self.house.index_of(pool).unwrap_or_default();
        let now = self.now;
        let Some(caller) = self.caller(call) else { return };
        match caller.phase {
            Phase::Away(Away::Kept { on_the_line_until }) if on_the_line_until <= now => {
                self.dial_back(agent, call, pool);
            }
            Phase::Playing
            | Phase::Menu(_)
            | Phase::Queued
            | Phase::Voicemail { .. }
            | Phase::Away(Away::Kept { .. } | Away::Dialled { .. }) => self.talk(agent, call, pool),
        }
    }

    fn talk(&mut self, agent: AgentId, call: CallId, pool: usize) {
        let Some(caller) = self.caller(call) else { return };
        let talk = caller.talk;
        self.depart(call, Departure::Answered, Some((agent, pool)));
        self.schedule(talk, Event::TalkEnds(agent, call));
        self.note_work(agent, talk + self.wrap_ups[pool]);
    }

    /// From now on, hour by hour, as far as the days go; in the lawyer's pools, as time on duty is.
    fn note_work(&mut self, agent: AgentId, span: Duration) {
        let mut from = u64::try_from((self.now - self.forecast.start).as_millis()).unwrap_or(u64::MAX);
        let to = from.saturating_add(span.as_millis() as u64).min(self.hours * HOUR_MS);
        let Lawyer { pools, post, .. } = &self.lawyers[index(agent)];
        if let Post::Named(at) = *post {
            self.tallies.worked[at].busy_ms += to.saturating_sub(from);
        }
        while from < to {
            let hour = from / HOUR_MS;
            let end = to.min((hour + 1) * HOUR_MS);
            for &pool in pools {
                self.tallies.cell_mut(pool, hour_of_day(hour)).busy_ms += (end - from) / pools.len() as u64;
            }
            from = end;
        }
    }
}
