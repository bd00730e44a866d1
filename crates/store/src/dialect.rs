//! What SQLite and PostgreSQL do differently: settings of a connection, making commits durable, and
//! which errors blame the data.

use crate::Error;
use sqlx::AnyConnection;
use sqlx::AnyPool;
use sqlx::{AssertSqlSafe, Executor, Row};
use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt;

/// How long a statement waits for another writer of the same SQLite file.
const BUSY_TIMEOUT_MS: u32 = 2_000;
/// A burst may grow the write-ahead log; after a checkpoint it is cut back to this.
const WAL_BYTES_KEPT: u32 = 64 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// A database in memory is refused: each connection of a pool would have its own.
    pub(crate) fn of(url: &str) -> Result<Self, Error> {
        match url.split_once(':') {
            Some(("sqlite", path)) if !path.contains(":memory:") && !path.contains("mode=memory") => {
                Ok(Self::Sqlite)
            }
            Some(("postgres" | "postgresql", _)) => Ok(Self::Postgres),
            _ => Err(Error::Address),
        }
    }

    /// Makes a SQLite file that is not there yet, so that only its owner reads it: it holds phone numbers.
    ///
    /// One that is there is not opened: closing it again would take away the locks that this process may
    /// already hold on it (POSIX locks belong to the process, not to the descriptor).
    pub(crate) fn create_file(self, url: &str) -> Result<(), Error> {
        if self == Self::Postgres {
            return Ok(());
        }
        let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
        let path = std::path::Path::new(path.split_once('?').map_or(path, |(path, _)| path));
        match OpenOptions::new().create_new(true).write(true).mode(0o600).open(path) {
            Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(Error::file(path)(error)),
            _ => Ok(()),
        }
    }

    pub(crate) async fn prepare(self, connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
        let settings = match self {
            // NORMAL loses no committed call to a crash of the server; to a power failure it may lose
            // those since the last checkpoint, which the journal still holds (see `make_durable`).
            Self::Sqlite => format!(
                "PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}; PRAGMA journal_mode = WAL; \
                 PRAGMA synchronous = NORMAL; PRAGMA journal_size_limit = {WAL_BYTES_KEPT}; \
                 PRAGMA foreign_keys = ON"
            ),
            Self::Postgres => format!("SET lock_timeout = {BUSY_TIMEOUT_MS}; SET statement_timeout = 30000"),
        };
        connection.execute(sqlx::raw_sql(AssertSqlSafe(settings))).await?;
        Ok(())
    }

    /// Whether everything committed so far now survives a power failure.
    pub(crate) async fn make_durable(self, pool: &AnyPool) -> Result<bool, sqlx::Error> {
        match self {
            Self::Sqlite => {
                let row = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(pool).await?;
                let (log, copied): (i32, i32) = (row.try_get(1)?, row.try_get(2)?);
                Ok(log == copied)
            }
            Self::Postgres => Ok(true),
        }
    }

    /// Whether the database refused what it was given, so that trying the same again is in vain. Every
    /// other error (busy, locked, full, unreachable) passes with time.
    pub(crate) fn blames_data(self, error: &sqlx::Error) -> bool {
        let Some(error) = error.as_database_error() else {
            return matches!(error, sqlx::Error::Encode(_));
        };
        let code = error.code().unwrap_or_default();
        match self {
            // TOOBIG, CONSTRAINT, MISMATCH, RANGE; the low byte of an extended code is its primary one.
            Self::Sqlite => code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 18 | 19 | 20 | 25)),
            // Data exception, integrity constraint violation, program limit exceeded.
            Self::Postgres => ["22", "23", "54"].iter().any(|class| code.starts_with(class)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_told_by_the_address() {
        let check = |url: &str, dialect| assert_eq!(Dialect::of(url).ok(), dialect, "{url}");
        check("sqlite:///var/lib/hotline/hotline.db", Some(Dialect::Sqlite));
        check("postgres://hotline@localhost/hotline", Some(Dialect::Postgres));
        check("postgresql://hotline@localhost/hotline", Some(Dialect::Postgres));
        check("mysql://localhost", None);
        check("sqlite::memory:", None);
        check("", None);
    }
}
