//! On duty or in reserve: of two servers that share a Redis, the one that holds the leases of its regions
//! opens its lines, the other waits until it can have them.

use crate::config::Cluster;
use anyhow::Result;
use cluster::{Lease, RENEWALS_PER_TERM, RedisLeases};
use domain::RegionId;
use std::time::{Duration, Instant};
use tracing::{info, warn};

/// How long the other server waits after this one has fallen silent.
const TERM: Duration = Duration::from_secs(9);
/// Between two attempts to get on duty.
const RESERVE_POLL: Duration = Duration::from_secs(1);

pub struct Duty {
    leases: RedisLeases,
    held: Vec<Lease>,
}

impl Duty {
    /// Waits until every region is ours.
    pub async fn wait(cluster: &Cluster, regions: &[RegionId]) -> Result<Self> {
        let mut duty =
            Self { leases: RedisLeases::new(&cluster.redis, &cluster.node, TERM)?, held: Vec::new() };
        info!(node = cluster.node, "in reserve until the regions are free");
        while !duty.try_hold(regions).await {
            tokio::time::sleep(RESERVE_POLL).await;
        }
        Ok(duty)
    }

    /// All or nothing: two servers that each hold half would both wait for ever.
    async fn try_hold(&mut self, regions: &[RegionId]) -> bool {
        for region in regions {
            match self.leases.acquire(region).await {
                Ok(Some(lease)) => self.held.push(lease),
                Ok(None) => {
                    self.give_back().await;
                    return false;
                }
                Err(error) => {
                    warn!(%region, %error, "no lease");
                    self.give_back().await;
                    return false;
                }
            }
        }
        true
    }

    /// Renews until a lease is lost, by Redis' word or by our own clock. From then on we must be silent.
    pub async fn until_lost(&mut self) -> RegionId {
        loop {
            tokio::time::sleep(TERM / RENEWALS_PER_TERM).await;
            for lease in &mut self.held {
                match self.leases.renew(lease).await {
                    Ok(true) => {}
                    Ok(false) => return lease.region.clone(),
                    Err(error) => warn!(region = %lease.region, %error, "a lease could not be renewed"),
                }
                if !lease.is_valid(Instant::now()) {
                    return lease.region.clone();
                }
            }
        }
    }

    /// So that the other server need not wait for the end of the term.
    pub async fn give_back(&mut self) {
        for lease in self.held.drain(..) {
            if let Err(error) = self.leases.release(lease).await {
                warn!(%error, "a lease could not be given back; it ends by itself");
            }
        }
    }
}
