//! `/metrics`: what the binary registered, and the board's own figures.

use crate::live::Live;
use crate::problem::Problem;
use crate::view::PoolRow;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use domain::Departure;
use prometheus::{Encoder, IntCounterVec, IntGauge, IntGaugeVec, Opts, Registry, TextEncoder};

#[derive(Clone)]
pub(crate) struct Metrics {
    registry: Registry,
    waiting: IntGaugeVec,
    agents: IntGaugeVec,
    departures: IntCounterVec,
    clients: IntGauge,
}

impl Metrics {
    /// Registers the web server's metrics. Fails if their names are taken.
    pub(crate) fn new(registry: Registry) -> Result<Self, prometheus::Error> {
        let metrics = Self {
            waiting: IntGaugeVec::new(
                Opts::new("hotline_pool_waiting", "Calls that wait in the pool."),
                &["pool"],
            )?,
            agents: IntGaugeVec::new(
                Opts::new("hotline_pool_agents", "Lawyers of the pool by standing."),
                &["pool", "standing"],
            )?,
            departures: IntCounterVec::new(
                Opts::new("hotline_departures_total", "Calls that left, by reason."),
                &["departure"],
            )?,
            clients: IntGauge::new("hotline_live_clients", "Browsers that watch the live board.")?,
            registry,
        };
        metrics.registry.register(Box::new(metrics.waiting.clone()))?;
        metrics.registry.register(Box::new(metrics.agents.clone()))?;
        metrics.registry.register(Box::new(metrics.departures.clone()))?;
        metrics.registry.register(Box::new(metrics.clients.clone()))?;
        for departure in Departure::ALL {
            metrics.departures.with_label_values(&[departure.as_str()]);
        }
        Ok(metrics)
    }

    fn update(&self, live: &Live) {
        let (pools, clients, departures) = live.gauges();
        // Pools that a new directory removed shall not linger.
        self.waiting.reset();
        self.agents.reset();
        for pool in &pools {
            self.update_pool(pool);
        }
        for (departure, total) in departures {
            let counter = self.departures.with_label_values(&[departure.as_str()]);
            counter.inc_by(total.saturating_sub(counter.get()));
        }
        self.clients.set(i64::try_from(clients).unwrap_or(i64::MAX));
    }

    fn update_pool(&self, pool: &PoolRow) {
        let id = pool.id.as_str();
        self.waiting.with_label_values(&[id]).set(i64::from(pool.waiting));
        let columns = [
            ("ready", pool.ready),
            ("ringing", pool.ringing),
            ("talking", pool.talking),
            ("wrap_up", pool.wrap_up),
            ("paused", pool.paused),
            ("offline", pool.offline),
            ("logged_out", pool.logged_out),
        ];
        for (standing, count) in columns {
            self.agents.with_label_values(&[id, standing]).set(i64::from(count));
        }
    }
}

pub(crate) async fn show(
    State((metrics, live)): State<(Metrics, Live)>,
) -> Result<impl IntoResponse, Problem> {
    metrics.update(&live);
    let encoder = TextEncoder::new();
    let mut text = Vec::new();
    encoder.encode(&metrics.registry.gather(), &mut text).map_err(|error| {
        tracing::error!(%error, "metrics cannot be rendered");
        Problem::new(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be rendered")
    })?;
    Ok(([(header::CONTENT_TYPE, encoder.format_type().to_owned())], text))
}
