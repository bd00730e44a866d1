//! The accept loop: bounded connections, time limits for slow readers and writers, an orderly end.
//!
//! `axum::serve` has no limit on connections, on slow headers or on a reader that never reads.

use crate::app::App;
use crate::guard::{NotLoopback, check_listen};
use crate::live::BEAT_INTERVAL;
use crate::metrics::Metrics;
use crate::{api, records};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use std::io;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time::{Instant, Sleep};
use tokio_util::task::TaskTracker;

/// Connections at the same time; further ones wait in the kernel's backlog.
pub const CONNECTIONS_MAX: usize = 256;
/// Until the headers of a request must be complete; also how long an idle connection is kept.
const HEADERS_TIMEOUT: Duration = Duration::from_secs(20);
/// Until a client must have taken something of what it is sent.
const WRITE_TIMEOUT: Duration = Duration::from_secs(15);
/// How long requests under way may take to finish once the server shall stop.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(5);
/// After an error of `accept`, which is mostly a lack of file descriptors.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error(transparent)]
    NotLoopback(#[from] NotLoopback),
    #[error("the web server's socket: {0}")]
    Socket(#[from] io::Error),
    #[error("the web server's metrics: {0}")]
    Metrics(#[from] prometheus::Error),
}

/// Serves until `app.shutdown` is cancelled. Refuses a listener that is not on loopback.
pub async fn serve(listener: TcpListener, app: App) -> Result<(), ServeError> {
    check_listen(listener.local_addr()?)?;
    let metrics = Metrics::new(app.registry.clone())?;
    let router = api::router(app.clone(), metrics);
    let background = TaskTracker::new();
    background.spawn(beat(app.clone()));
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let place = tokio::select! {
            () = app.shutdown.cancelled() => break,
            place = places.clone().acquire_owned() => place,
        };
        let stream = tokio::select! {
            () = app.shutdown.cancelled() => break,
            stream = accept(&listener) => stream,
        };
        let connection = run_connection(stream, TowerToHyperService::new(router.clone()), app.clone());
        background.spawn(async move {
            connection.await;
            drop(place);
        });
    }
    app.live.end_streams();
    background.close();
    if tokio::time::timeout(SHUTDOWN_TIMEOUT, background.wait()).await.is_err() {
        tracing::warn!("some web clients were cut off");
    }
    Ok(())
}

/// The wall clock, for what leaves the house.
pub(crate) fn now() -> domain::Timestamp {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    domain::Timestamp::from_ms(i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX))
}

async fn beat(app: App) {
    records::add_what_was_before(&app, now()).await;
    let mut interval = tokio::time::interval(BEAT_INTERVAL);
    loop {
        tokio::select! {
            () = app.shutdown.cancelled() => return,
            _ = interval.tick() => app.live.beat(now()),
        }
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::warn!(%error, "a web client could not be accepted");
                tokio::time::sleep(ACCEPT_RETRY).await;
            }
        }
    }
}

async fn run_connection(stream: TcpStream, service: TowerToHyperService<axum::Router>, app: App) {
    // Deltas are small and should not wait for each other; without it they merely arrive later.
    let _ = stream.set_nodelay(true);
    let connection = hyper::server::conn::http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADERS_TIMEOUT)
        .serve_connection(TokioIo::new(Guarded::new(stream)), service);
    let mut connection = pin!(connection);
    let result = tokio::select! {
        result = connection.as_mut() => result,
        () = app.shutdown.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(error) = result {
        tracing::debug!(%error, "a web connection ended early");
    }
}

/// A stream that fails when its peer takes nothing for [`WRITE_TIMEOUT`], so that a browser which sleeps
/// or a client that never reads does not hold its place for ever.
struct Guarded {
    stream: TcpStream,
    /// Runs only while a write is blocked.
    deadline: Option<Pin<Box<Sleep>>>,
}

impl Guarded {
    fn new(stream: TcpStream) -> Self {
        Self { stream, deadline: None }
    }

    fn watch<T>(&mut self, context: &mut Context<'_>, poll: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if poll.is_ready() {
            self.deadline = None;
            return poll;
        }
        let deadline = self
            .deadline
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(Instant::now() + WRITE_TIMEOUT)));
        ready!(deadline.as_mut().poll(context));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Guarded {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.watch(context, poll)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let poll = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.watch(context, poll)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
