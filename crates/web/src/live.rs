//! The live feed: numbers the board's changes, keeps the last of them for clients that come back, and
//! sends them to everyone who watches.
//!
//! Deliberately absent: HTTP (`api.rs`) and the meaning of facts (`board.rs`).

use crate::board::Board;
use crate::directory::Directory;
use crate::view::{Beat, Change, Delta, PoolRow, Snapshot, Today};
use domain::{AgentId, CallId, Departure, FactRecord, PoolId, RegionId, Timestamp};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::sync::broadcast;

/// Deltas that a client may be behind before it is dropped, or may have missed and still resume.
pub const BACKLOG_DELTAS_MAX: usize = 1024;
/// Browsers that may watch at the same time.
pub const CLIENTS_MAX: usize = 64;
/// Between two signs of life.
pub const BEAT_INTERVAL: Duration = Duration::from_secs(5);

/// Shared by the thread that hands facts in and by the web server. Cheap to clone.
#[derive(Clone)]
pub struct Live(Arc<Mutex<Feed>>);

struct Feed {
    board: Board,
    /// Of the last delta. Starts at `ms of the start × 1000`, so it never repeats over restarts and
    /// stays below 2^53.
    seq: u64,
    /// The last deltas, oldest first, without gaps.
    backlog: VecDeque<Arc<Message>>,
    sender: broadcast::Sender<Arc<Message>>,
    clients: usize,
    departures: BTreeMap<Departure, u64>,
}

/// One server-sent event; rendered at most once, for all clients.
pub struct Message {
    body: Body,
    json: OnceLock<String>,
}

enum Body {
    Snapshot(Box<Snapshot>),
    Delta(Delta),
    Beat(Beat),
}

/// All places are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{CLIENTS_MAX} clients watch already")]
pub struct Full;

/// A client's place: first `catch_up`, then whatever `receiver` brings. Gives the place back when dropped.
pub struct Subscription {
    pub catch_up: Vec<Arc<Message>>,
    pub receiver: broadcast::Receiver<Arc<Message>>,
    pub place: Place,
}

pub struct Place(Live);

impl Live {
    #[must_use]
    pub fn new(directory: Directory, now: Timestamp) -> Self {
        let (sender, _) = broadcast::channel(BACKLOG_DELTAS_MAX);
        Self(Arc::new(Mutex::new(Feed {
            board: Board::new(directory, now),
            seq: u64::try_from(now.as_ms()).unwrap_or(0).saturating_mul(1000),
            backlog: VecDeque::with_capacity(BACKLOG_DELTAS_MAX),
            sender,
            clients: 0,
            departures: BTreeMap::new(),
        })))
    }

    /// Folds a fact into the board and tells everyone who watches. Never waits for a client.
    pub fn ingest(&self, record: &FactRecord) {
        let mut feed = self.lock();
        if let domain::Fact::CallDeparted { departure, .. } = &record.fact {
            *feed.departures.entry(*departure).or_default() += 1;
        }
        let changes = feed.board.apply(record);
        feed.publish(record.at, changes);
    }

    /// Replaces names, pools and lawyers; whoever watches gets a new snapshot.
    pub fn set_directory(&self, directory: Directory, now: Timestamp) {
        let mut feed = self.lock();
        feed.board.set_directory(directory);
        feed.seq += 1;
        feed.backlog.clear();
        let snapshot = feed.snapshot(now);
        feed.send(&snapshot);
    }

    /// Adds what was counted today before this process started.
    pub fn add_to_today(&self, before: Today, now: Timestamp) {
        let mut feed = self.lock();
        let changes = feed.board.add_to_today(before);
        feed.publish(now, changes);
    }

    /// A sign of life for every client; also turns the page at midnight. To be called every
    /// [`BEAT_INTERVAL`].
    pub fn beat(&self, now: Timestamp) {
        let mut feed = self.lock();
        let changes = feed.board.handle_time(now);
        feed.publish(now, changes);
        feed.send(&Message::new(Body::Beat(Beat { now })));
    }

    /// A place among the clients. A client that says which delta it saw last, and missed no more than
    /// the backlog holds, gets what it missed; every other a snapshot.
    pub fn subscribe(&self, last_seq: Option<u64>, now: Timestamp) -> Result<Subscription, Full> {
        let mut feed = self.lock();
        if feed.clients >= CLIENTS_MAX {
            return Err(Full);
        }
        feed.clients += 1;
        let catch_up = match last_seq.and_then(|seq| feed.missed_since(seq)) {
            Some(missed) => missed,
            None => vec![feed.snapshot(now)],
        };
        let receiver = feed.sender.subscribe();
        drop(feed);
        Ok(Subscription { catch_up, receiver, place: Place(self.clone()) })
    }

    /// Ends every client's stream; they may come back.
    pub(crate) fn end_streams(&self) {
        self.lock().sender = broadcast::channel(BACKLOG_DELTAS_MAX).0;
    }

    #[must_use]
    pub fn snapshot(&self, now: Timestamp) -> Snapshot {
        let feed = self.lock();
        feed.board.snapshot(feed.seq, now)
    }

    #[must_use]
    pub fn knows_agent(&self, agent: AgentId) -> bool {
        self.lock().board.knows_agent(agent)
    }

    /// Whose pool it is.
    #[must_use]
    pub fn region_of(&self, pool: &PoolId) -> Option<RegionId> {
        self.lock().board.region_of(pool).cloned()
    }

    #[must_use]
    pub fn knows_region(&self, region: &RegionId) -> bool {
        self.lock().board.knows_region(region)
    }

    /// Whether the call waits for a lawyer.
    #[must_use]
    pub fn is_waiting(&self, call: CallId) -> bool {
        self.lock().board.is_waiting(call)
    }

    /// Whether the call has arrived and not departed.
    #[must_use]
    pub fn is_under_way(&self, call: CallId) -> bool {
        self.lock().board.is_under_way(call)
    }

    /// Of pools, clients and departures so far, for the metrics.
    pub(crate) fn gauges(&self) -> (Vec<PoolRow>, usize, BTreeMap<Departure, u64>) {
        let feed = self.lock();
        (feed.board.pools().to_vec(), feed.clients, feed.departures.clone())
    }

    fn lock(&self) -> MutexGuard<'_, Feed> {
        // A panic elsewhere leaves rows that are at worst one fact old.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Feed {
    fn publish(&mut self, at: Timestamp, changes: Vec<Change>) {
        if changes.is_empty() {
            return;
        }
        self.seq += 1;
        let message = Message::new(Body::Delta(Delta { seq: self.seq, at, changes }));
        if self.backlog.len() == BACKLOG_DELTAS_MAX {
            self.backlog.pop_front();
        }
        self.backlog.push_back(message.clone());
        self.send(&message);
    }

    fn send(&self, message: &Arc<Message>) {
        // An error means that nobody watches.
        let _ = self.sender.send(message.clone());
    }

    fn snapshot(&self, now: Timestamp) -> Arc<Message> {
        Message::new(Body::Snapshot(Box::new(self.board.snapshot(self.seq, now))))
    }

    /// None if there is a gap between `seq` and the backlog, or `seq` is not ours.
    fn missed_since(&self, seq: u64) -> Option<Vec<Arc<Message>>> {
        let count = usize::try_from(self.seq.checked_sub(seq)?).ok()?;
        let skip = self.backlog.len().checked_sub(count)?;
        Some(self.backlog.iter().skip(skip).cloned().collect())
    }
}

impl Message {
    fn new(body: Body) -> Arc<Self> {
        Arc::new(Self { body, json: OnceLock::new() })
    }

    /// The name of the server-sent event.
    #[must_use]
    pub fn event(&self) -> &'static str {
        match &self.body {
            Body::Snapshot(_) => "snapshot",
            Body::Delta(_) => "delta",
            Body::Beat(_) => "beat",
        }
    }

    /// Its id, for a later `Last-Event-ID`.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        match &self.body {
            Body::Snapshot(snapshot) => Some(snapshot.seq),
            Body::Delta(delta) => Some(delta.seq),
            Body::Beat(_) => None,
        }
    }

    #[must_use]
    pub fn json(&self) -> &str {
        self.json.get_or_init(|| match &self.body {
            Body::Snapshot(snapshot) => render(snapshot),
            Body::Delta(delta) => render(delta),
            Body::Beat(beat) => render(beat),
        })
    }
}

fn render(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("rows have text keys and no fallible serializer")
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.lock().clients -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{Fact, Pii};

    const START: Timestamp = Timestamp::from_ms(1_790_049_600_000);

    fn live() -> Live {
        Live::new(Directory::default(), START)
    }

    fn ingest(live: &Live, calls: std::ops::Range<u64>) {
        for call in calls {
            let fact = Fact::CallArrived {
                call: CallId(call),
                region: None,
                trunk: None,
                caller: Pii::new("13812345678"),
                caller_name: None,
                called: "12348".into(),
                plan: None,
            };
            live.ingest(&FactRecord { at: START, seq: call, fact });
        }
    }

    fn events(subscription: &Subscription) -> Vec<(&'static str, Option<u64>)> {
        subscription.catch_up.iter().map(|message| (message.event(), message.seq())).collect()
    }

    #[test]
    fn a_new_client_gets_a_snapshot_and_then_each_delta_once() {
        let live = live();
        ingest(&live, 0..3);
        let mut client = live.subscribe(None, START).unwrap();
        let first = live.snapshot(START).seq;
        assert_eq!(events(&client), [("snapshot", Some(first))]);
        ingest(&live, 3..5);
        assert_eq!(client.receiver.try_recv().unwrap().seq(), Some(first + 1));
        assert_eq!(client.receiver.try_recv().unwrap().seq(), Some(first + 2));
        assert!(client.receiver.try_recv().is_err());
    }

    #[test]
    fn a_client_that_comes_back_gets_exactly_what_it_missed() {
        let live = live();
        ingest(&live, 0..10);
        let seen = live.snapshot(START).seq;
        ingest(&live, 10..13);
        let client = live.subscribe(Some(seen), START).unwrap();
        let expect: Vec<_> = (seen + 1..=seen + 3).map(|seq| ("delta", Some(seq))).collect();
        assert_eq!(events(&client), expect);
        assert_eq!(events(&live.subscribe(Some(seen + 3), START).unwrap()), []);
    }

    #[test]
    fn a_gap_means_a_snapshot() {
        let live = live();
        ingest(&live, 0..1);
        let seen = live.snapshot(START).seq;
        ingest(&live, 0..BACKLOG_DELTAS_MAX as u64);
        assert_eq!(events(&live.subscribe(Some(seen), START).unwrap()).len(), BACKLOG_DELTAS_MAX);
        ingest(&live, 0..1);
        assert_eq!(events(&live.subscribe(Some(seen), START).unwrap())[0].0, "snapshot");
    }

    #[test]
    fn a_number_from_another_run_means_a_snapshot() {
        let live = live();
        ingest(&live, 0..1);
        let seq = live.snapshot(START).seq;
        for foreign in [0, 7, seq + 1, u64::MAX] {
            assert_eq!(events(&live.subscribe(Some(foreign), START).unwrap())[0].0, "snapshot");
        }
    }

    #[test]
    fn a_slow_client_loses_its_place_in_the_stream_and_nobody_waits_for_it() {
        let live = live();
        let mut slow = live.subscribe(None, START).unwrap();
        ingest(&live, 0..BACKLOG_DELTAS_MAX as u64 * 2);
        assert!(matches!(slow.receiver.try_recv(), Err(broadcast::error::TryRecvError::Lagged(_))));
    }

    #[test]
    fn a_new_directory_sends_a_snapshot_and_forbids_resuming_across_it() {
        let live = live();
        ingest(&live, 0..1);
        let seen = live.snapshot(START).seq;
        let mut client = live.subscribe(None, START).unwrap();
        live.set_directory(Directory::default(), START);
        assert_eq!(client.receiver.try_recv().unwrap().event(), "snapshot");
        assert_eq!(events(&live.subscribe(Some(seen), START).unwrap())[0].0, "snapshot");
    }

    #[test]
    fn clients_are_counted_and_bounded() {
        let live = live();
        let mut clients: Vec<_> = (0..CLIENTS_MAX).map(|_| live.subscribe(None, START).unwrap()).collect();
        assert_eq!(live.subscribe(None, START).err(), Some(Full));
        clients.pop();
        assert!(live.subscribe(None, START).is_ok());
    }

    #[test]
    fn a_beat_carries_the_clock_and_no_id() {
        let live = live();
        let mut client = live.subscribe(None, START).unwrap();
        live.beat(START + BEAT_INTERVAL);
        let beat = client.receiver.try_recv().unwrap();
        assert_eq!((beat.event(), beat.seq()), ("beat", None));
        assert_eq!(beat.json(), r#"{"now":1790049605000}"#);
    }

    #[test]
    fn sequence_numbers_stay_exact_in_javascript() {
        let live = Live::new(Directory::default(), Timestamp::from_ms(4_102_444_800_000));
        assert!(live.snapshot(START).seq < 1 << 53);
    }
}
