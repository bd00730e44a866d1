//! Where facts go when they leave the switch: to the recorder, to the live board, into the metrics.

use domain::{Fact, FactRecord};
use prometheus::{IntCounter, IntCounterVec, IntGauge, Opts, Registry};
use std::sync::mpsc::SyncSender;
use store::FactSink;
use switch::Node;

/// Facts that may wait for the live board; beyond it the board misses some and says so.
pub const LIVE_FACTS_MAX: usize = 65_536;

pub struct Outlet {
    recorder: FactSink,
    live: SyncSender<FactRecord>,
    metrics: Metrics,
}

struct Metrics {
    calls: IntGauge,
    offers: IntCounterVec,
    refused: IntCounterVec,
    sip_malformed: IntCounter,
    live_missed: IntCounter,
    unasked: IntCounter,
    /// What the gauges and counters were last set from: they are touched only when it changed.
    seen: switch::Counters,
}

impl Outlet {
    /// # Errors
    /// Only if a metric of the same name is registered already.
    pub fn new(
        recorder: FactSink,
        live: SyncSender<FactRecord>,
        registry: &Registry,
    ) -> prometheus::Result<Self> {
        Ok(Self { recorder, live, metrics: Metrics::new(registry)? })
    }

    pub fn publish(&mut self, record: FactRecord) {
        if let Fact::OfferEnded { end, .. } = &record.fact {
            self.metrics.offers.with_label_values(&[offer_label(*end)]).inc();
        }
        if self.live.try_send(record.clone()).is_err() {
            self.metrics.live_missed.inc();
        }
        self.recorder.push(record);
    }

    /// A call came of whose caller the records could not be asked.
    pub fn count_unasked(&self) {
        self.metrics.unasked.inc();
    }

    /// Takes over what the node counts by itself.
    pub fn count(&mut self, node: &Node) {
        self.metrics.calls.set(node.call_count() as i64);
        let (now, seen) = (node.counters(), self.metrics.seen);
        if now != seen {
            let refused =
                |reason: &str, more: u64| self.metrics.refused.with_label_values(&[reason]).inc_by(more);
            refused("not_allowed", now.refused_not_allowed - seen.refused_not_allowed);
            refused("no_such_number", now.refused_no_such_number - seen.refused_no_such_number);
            refused("no_codec", now.refused_no_codec - seen.refused_no_codec);
            refused("full", now.refused_overload - seen.refused_overload);
            self.metrics.seen = now;
        }
        let sip = node.sip_counters();
        let malformed = sip.malformed_answered + sip.malformed_dropped;
        self.metrics.sip_malformed.inc_by(malformed.saturating_sub(self.metrics.sip_malformed.get()));
    }
}

impl Metrics {
    fn new(registry: &Registry) -> prometheus::Result<Self> {
        let metrics = Self {
            calls: IntGauge::new("hotline_calls", "Calls that are not yet closed")?,
            offers: labelled("hotline_offers_total", "Offers to agents that ended, by how", "end")?,
            refused: labelled("hotline_refused_total", "INVITEs refused before they became calls", "reason")?,
            sip_malformed: IntCounter::new(
                "hotline_sip_malformed_total",
                "SIP messages that could not be read",
            )?,
            live_missed: IntCounter::new(
                "hotline_live_missed_total",
                "Facts that the live board had no room for",
            )?,
            unasked: IntCounter::new(
                "hotline_callers_unasked_total",
                "Calls of whose callers the records could not be asked, for too many were",
            )?,
            seen: switch::Counters::default(),
        };
        registry.register(Box::new(metrics.calls.clone()))?;
        registry.register(Box::new(metrics.offers.clone()))?;
        registry.register(Box::new(metrics.refused.clone()))?;
        registry.register(Box::new(metrics.sip_malformed.clone()))?;
        registry.register(Box::new(metrics.live_missed.clone()))?;
        registry.register(Box::new(metrics.unasked.clone()))?;
        Ok(metrics)
    }
}

fn labelled(name: &str, help: &str, label: &str) -> prometheus::Result<IntCounterVec> {
    IntCounterVec::new(Opts::new(name, help), &[label])
}

fn offer_label(end: domain::OfferEnd) -> &'static str {
    match end {
        domain::OfferEnd::Answered => "answered",
        domain::OfferEnd::NoAnswer => "no_answer",
        domain::OfferEnd::Rejected => "rejected",
        domain::OfferEnd::Unreachable => "unreachable",
        domain::OfferEnd::Withdrawn => "withdrawn",
    }
}
