//! The pool of connections, the migrations, and the way in for whole calls.

use crate::Error;
use crate::dialect::Dialect;
use crate::fold::{CallFacts, fold};
use crate::insert;
use crate::lasting::Lasting;
use crate::record::WholeCall;
use crate::ticket::Prefixes;
use domain::{CallId, RegionId};
use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::{Migration, MigrationType, Migrator};
use sqlx::{AnyPool, ConnectOptions, SqlSafeStr};
use std::collections::BTreeMap;
use std::str::FromStr;
use std::time::Duration;

/// One connection writes. SQLite has one writer at a time anyway, and while nobody else writes, what that
/// connection keeps of the tables stays valid.
const WRITERS: u32 = 1;
/// These serve the consoles.
const READERS_MAX: u32 = 3;
/// How long anybody waits for a free connection.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(5);
/// No query gives more rows than this; ask again from the last one on.
pub const QUERY_ROWS_MAX: u32 = 500;

const MIGRATIONS: [(i64, &str, &str); 7] = [
    (1, "calls and tickets", include_str!("../migrations/0001_calls_and_tickets.sql")),
    (2, "calls of a caller", include_str!("../migrations/0002_calls_of_a_caller.sql")),
    (3, "agent states", include_str!("../migrations/0003_agent_states.sql")),
    (4, "pool overrides", include_str!("../migrations/0004_pool_overrides.sql")),
    (5, "dialplan version", include_str!("../migrations/0005_dialplan_version.sql")),
    (6, "satisfaction", include_str!("../migrations/0006_satisfaction.sql")),
    (7, "segments of third parties", include_str!("../migrations/0007_segments_of_third_parties.sql")),
];

/// The database of calls and tickets. Clones share its connections.
#[derive(Clone, Debug)]
pub struct Store {
    writer: AnyPool,
    pub(crate) readers: AnyPool,
    dialect: Dialect,
    prefixes: Prefixes,
}

/// What became of the calls given to [`Store::apply`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Calls that were not yet in the database.
    pub stored: usize,
    /// Calls that were; nothing of them changed.
    pub known: usize,
    /// Calls that can never be stored, and why.
    pub refused: Vec<(CallId, String)>,
}

impl Store {
    /// Opens `sqlite://PATH` (made if it does not exist) or `postgres://…` and brings its tables up to
    /// date.
    pub async fn open(url: &str) -> Result<Self, Error> {
        sqlx::any::install_default_drivers();
        let dialect = Dialect::of(url)?;
        dialect.create_file(url)?;
        let options = AnyConnectOptions::from_str(url)?.disable_statement_logging();
        let connections = |most| {
            AnyPoolOptions::new()
                .max_connections(most)
                .acquire_timeout(ACQUIRE_TIMEOUT)
                .after_connect(move |connection, _| Box::pin(dialect.prepare(connection)))
        };
        let writer = connections(WRITERS).connect_with(options.clone()).await?;
        migrator().run(&writer).await?;
        let readers = connections(READERS_MAX).connect_lazy_with(options);
        Ok(Self { writer, readers, dialect, prefixes: Prefixes::default() })
    }

    /// Names the prefix of each region's ticket numbers (`wenzhou` → `WZ`); a region without one uses
    /// its key in capitals.
    #[must_use]
    pub fn with_ticket_prefixes(mut self, prefixes: BTreeMap<RegionId, String>) -> Self {
        self.prefixes = Prefixes(prefixes);
        self
    }

    /// Stores whole calls: record, legs, recordings and ticket of each, all or nothing. Calls that are
    /// stored already stay as they are.
    ///
    /// All calls share a transaction; if the database refuses it because of one of them, each is tried
    /// alone, so that a bad one harms no other.
    ///
    /// # Errors
    /// Only what passes with time: then some of the calls may be stored, and all may be given again.
    pub async fn apply(&self, calls: &[CallFacts]) -> Result<Applied, Error> {
        let mut applied = Applied::default();
        let mut whole = BTreeMap::new();
        for call in calls {
            match fold(&call.facts) {
                Ok(folded) => {
                    whole.entry((folded.record.arrived, folded.record.id)).or_insert(folded);
                }
                Err(error) => applied.refused.push((call.call, error.to_string())),
            }
        }
        let whole: Vec<WholeCall> = whole.into_values().collect();
        match self.insert(&whole).await {
            Ok(stored) => {
                applied.stored = stored;
                applied.known = whole.len() - stored;
            }
            Err(error) if self.dialect.blames_data(&error) => self.apply_each(&whole, &mut applied).await?,
            Err(error) => return Err(error.into()),
        }
        Ok(applied)
    }

    /// Keeps the latest of each agent and pool, at most one of each; what is older than that which is kept changes
    /// nothing.
    ///
    /// # Errors
    /// If the database does not take them. They may be given again.
    pub async fn keep(&self, lasting: &[Lasting]) -> Result<(), Error> {
        if lasting.is_empty() {
            return Ok(());
        }
        let mut transaction = self.writer.begin().await?;
        insert::lasting(&mut transaction, lasting).await?;
        transaction.commit().await?;
        Ok(())
    }

    /// Asks the database for nothing, to see whether it answers.
    pub async fn ping(&self) -> Result<(), Error> {
        sqlx::query("SELECT 1").execute(&self.readers).await?;
        Ok(())
    }

    /// Closes every connection, those in use after they are done.
    pub async fn close(&self) {
        self.readers.close().await;
        self.writer.close().await;
    }

    /// Whether everything stored so far now survives a power failure.
    pub(crate) async fn make_durable(&self) -> Result<bool, Error> {
        Ok(self.dialect.make_durable(&self.writer).await?)
    }

    async fn apply_each(&self, calls: &[WholeCall], applied: &mut Applied) -> Result<(), Error> {
        for call in calls {
            match self.insert(std::slice::from_ref(call)).await {
                Ok(0) => applied.known += 1,
                Ok(_) => applied.stored += 1,
                Err(error) if self.dialect.blames_data(&error) => {
                    applied.refused.push((call.record.id, error.to_string()));
                }
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// How many of the calls were new.
    async fn insert(&self, calls: &[WholeCall]) -> Result<usize, sqlx::Error> {
        if calls.is_empty() {
            return Ok(0);
        }
        let mut transaction = self.writer.begin().await?;
        let stored = insert::calls(&mut transaction, calls, &self.prefixes).await?;
        transaction.commit().await?;
        Ok(stored)
    }
}

fn migrator() -> Migrator {
    let migration = |(version, name, sql): (i64, &'static str, &'static str)| {
        Migration::new(version, name.into(), MigrationType::Simple, sql.into_sql_str(), false)
    };
    Migrator::with_migrations(MIGRATIONS.into_iter().map(migration).collect())
}
