//! Asks the records who calls, for the switch, which does not wait for the answer.
//!
//! A question that cannot be answered in time is dropped, as is one more than may wait: the call goes on as if
//! nobody knew its caller.

use crate::switch_thread::Inbound;
use dialplan::{History, REPEAT_CALLS_MAX, REPEAT_WITHIN_MAX};
use domain::{CallId, Pii, Timestamp};
use net::sip::{Post, now};
use std::sync::Arc;
use std::time::Duration;
use store::{CallerHistory, Store};
use switch::Input;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::{Instant, timeout_at};
use tracing::warn;

/// Questions that may wait for the database.
pub const QUESTIONS_MAX: usize = 256;
/// Of the store's connections for reading; the others are the consoles'.
const AT_ONCE_MAX: usize = 2;
/// From the call's arrival: later its queue has been reached anyway.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

pub struct Question {
    pub call: CallId,
    pub number: Pii,
    pub asked: Instant,
}

/// Answers until nobody asks any more.
pub async fn answer(store: Store, mut questions: mpsc::Receiver<Question>, inbound: Post<Inbound>) {
    let places = Arc::new(Semaphore::new(AT_ONCE_MAX));
    while let Some(question) = questions.recv().await {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
        let (store, inbound) = (store.clone(), inbound.clone());
        tokio::spawn(async move {
            let known = look_up(&store, &question).await;
            drop(place);
            if let Some(history) = known {
                let input = Input::CallerKnown { call: question.call, history };
                let _ = tokio::task::spawn_blocking(move || inbound.send(Inbound::Input(input))).await;
            }
        });
    }
}

async fn look_up(store: &Store, question: &Question) -> Option<History> {
    let deadline = question.asked + ANSWER_TIMEOUT;
    if Instant::now() >= deadline {
        return None;
    }
    let since = Timestamp::from_ms(now().as_ms() - REPEAT_WITHIN_MAX.as_millis() as i64);
    let query = store.caller_history(&question.number, since, REPEAT_CALLS_MAX);
    match timeout_at(deadline, query).await.ok()? {
        Ok(CallerHistory { last_talk, arrivals }) => Some(History { last_talk, arrivals }),
        Err(error) => {
            warn!(%error, "the records do not tell who calls");
            None
        }
    }
}
