//! What can go wrong with the store. No text here carries personal data or a database password.

use std::path::{Path, PathBuf};

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    #[error("database migration: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    /// The address names no engine that we speak, or a SQLite database in memory.
    #[error("the database address must be sqlite://PATH or postgres://HOST/NAME")]
    Address,
    /// A row holds a word that this version does not know: it was written by a later one.
    #[error("the database holds an unknown {what}: {word}")]
    UnknownWord { what: &'static str, word: String },
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("the spool folder {path} is in use by another server")]
    SpoolInUse { path: PathBuf },
}

impl Error {
    pub(crate) fn file(path: &Path) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::File { path: path.to_owned(), source }
    }
}
