//! The task that gives closed calls to the database, as often as it takes.

use crate::Error;
use crate::counters::Shared;
use crate::fold::CallFacts;
use crate::lasting::Lasting;
use crate::store::{Applied, Store};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::mpsc::SyncSender;
use std::time::Duration;
use tokio::sync::mpsc;

const RETRY_FIRST: Duration = Duration::from_millis(50);
const RETRY_MAX: Duration = Duration::from_secs(2);
/// A database that stays away is reported once in so many attempts: about once a minute.
const ATTEMPTS_PER_REPORT: u32 = 30;

/// What is to be stored; one job is under way at a time.
#[derive(Debug)]
pub(crate) struct Job {
    pub(crate) calls: Vec<CallFacts>,
    pub(crate) lasting: Vec<Lasting>,
    /// Also make everything stored so far survive a power failure.
    pub(crate) settle: bool,
}

#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) stored: usize,
    /// Calls that the database can never take, with the reason.
    pub(crate) refused: Vec<(CallFacts, String)>,
    pub(crate) durable: bool,
}

pub(crate) async fn run(
    store: Store,
    mut jobs: mpsc::Receiver<Job>,
    done: SyncSender<Done>,
    shared: Arc<Shared>,
) {
    while let Some(mut job) = jobs.recv().await {
        let Some(applied) = apply_until_stored(&store, &job, &shared).await else { return };
        let durable = job.settle && make_durable(&store).await;
        let refused = applied.refused.into_iter().filter_map(|(call, reason)| {
            let place = job.calls.iter().position(|facts| facts.call == call)?;
            Some((job.calls.swap_remove(place), reason))
        });
        let answer = Done { stored: applied.stored + applied.known, refused: refused.collect(), durable };
        // One job is under way at a time and the channel holds one answer: this never waits.
        if done.send(answer).is_err() {
            return;
        }
    }
}

/// None if the recorder ended meanwhile: the journal has the calls.
async fn apply_until_stored(store: &Store, job: &Job, shared: &Shared) -> Option<Applied> {
    let mut pause = RETRY_FIRST;
    let mut attempts: u32 = 0;
    loop {
        match apply(store, job).await {
            Ok(applied) => {
                if attempts > 0 {
                    tracing::info!(attempts, "the database takes calls again");
                }
                return Some(applied);
            }
            Err(error) if attempts.is_multiple_of(ATTEMPTS_PER_REPORT) => {
                tracing::error!(%error, "the database takes no calls; they wait on disk");
            }
            Err(error) => tracing::debug!(%error, attempts, "the database still takes no calls"),
        }
        if shared.ended.load(Relaxed) {
            return None;
        }
        attempts += 1;
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(RETRY_MAX);
    }
}

async fn apply(store: &Store, job: &Job) -> Result<Applied, Error> {
    store.keep(&job.lasting).await?;
    store.apply(&job.calls).await
}

async fn make_durable(store: &Store) -> bool {
    store.make_durable().await.unwrap_or_else(|error| {
        tracing::warn!(%error, "the database cannot be made durable yet");
        false
    })
}
