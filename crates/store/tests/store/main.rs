//! The store on a real SQLite file, and the recorder with everything that can go wrong around it; what outlives a
//! restart on a real PostgreSQL, too.

mod apply;
mod facts;
mod kill;
mod lasting;
mod postgres;
mod query;
mod recorder;
mod trouble;

use sqlx::{AssertSqlSafe, Column, Row, ValueRef};
use std::future::Future;
use std::path::Path;
use std::time::Duration;
use store::Store;
use tempfile::TempDir;

/// Longer than anything here takes on a busy machine; only a failing test waits for it.
const DEADLINE: Duration = Duration::from_secs(60);

async fn open(dir: &Path) -> Store {
    open_at(&url(dir)).await
}

async fn open_at(url: &str) -> Store {
    let prefixes = [("wenzhou".into(), "WZ".to_owned())].into();
    Store::open(url).await.expect("a store").with_ticket_prefixes(prefixes)
}

fn url(dir: &Path) -> String {
    format!("sqlite://{}/hotline.db", dir.display())
}

fn folder() -> TempDir {
    tempfile::tempdir().expect("a folder")
}

async fn in_time<T>(what: &str, work: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, work).await.unwrap_or_else(|_| panic!("waited in vain: {what}"))
}

/// Waits until something that only counters tell is so.
async fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let poll = async {
        let mut pace = tokio::time::interval(Duration::from_millis(5));
        while !is_so() {
            pace.tick().await;
        }
    };
    in_time(what, poll).await;
}

/// Everything in the database, a line per row, so that two moments can be compared.
async fn dump(dir: &Path) -> Vec<String> {
    let pool = sqlx::AnyPool::connect(&url(dir)).await.expect("a second connection");
    let mut lines = Vec::new();
    for table in ["calls", "legs", "recordings", "segments", "tickets", "ticket_counters", "agent_states"] {
        let sql = AssertSqlSafe(format!("SELECT * FROM {table} ORDER BY 1, 2, 3"));
        for row in sqlx::query(sql).fetch_all(&pool).await.expect("rows") {
            let cells = row.columns().iter().map(|column| {
                let cell = row.try_get_raw(column.ordinal()).expect("a cell");
                let text = || row.try_get::<String, _>(column.ordinal());
                let number = || row.try_get::<i64, _>(column.ordinal()).map(|number| number.to_string());
                if cell.is_null() { "-".to_owned() } else { text().or_else(|_| number()).expect("a value") }
            });
            lines.push(format!("{table} {}", cells.collect::<Vec<_>>().join(" ")));
        }
    }
    pool.close().await;
    lines
}

/// How many calls and how many tickets there are.
async fn count(dir: &Path) -> (usize, usize) {
    let lines = dump(dir).await;
    let of = |table: &str| lines.iter().filter(|line| line.starts_with(table)).count();
    (of("calls "), of("tickets "))
}
