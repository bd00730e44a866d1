//! Leases as hashes in Redis, granted, renewed and given back by scripts that run whole or not at all.

use crate::lease::{Epoch, Lease};
use domain::RegionId;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, Script};
use std::time::{Duration, Instant};

/// Every question to Redis is over by then.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(2);

/// KEYS: lease, epoch counter. ARGV: owner, term in ms. Returns the new epoch, or 0 if another holds it.
const ACQUIRE: &str = r"
local owner = redis.call('HGET', KEYS[1], 'owner')
if owner and owner ~= ARGV[1] then return 0 end
local time = redis.call('TIME')
local now_ms = time[1] * 1000 + math.floor(time[2] / 1000)
local epoch = math.max((tonumber(redis.call('GET', KEYS[2])) or 0) + 1, now_ms)
redis.call('SET', KEYS[2], string.format('%.0f', epoch))
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'epoch', string.format('%.0f', epoch))
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return epoch
";

/// KEYS: lease. ARGV: owner, epoch, term in ms. Returns 1 if the lease was still ours.
const RENEW: &str = r"
local held = redis.call('HMGET', KEYS[1], 'owner', 'epoch')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
return redis.call('PEXPIRE', KEYS[1], ARGV[3])
";

/// KEYS: lease. ARGV: owner, epoch.
const RELEASE: &str = r"
local held = redis.call('HMGET', KEYS[1], 'owner', 'epoch')
if held[1] ~= ARGV[1] or held[2] ~= ARGV[2] then return 0 end
return redis.call('DEL', KEYS[1])
";

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error("Redis: {0}")]
    Redis(#[from] redis::RedisError),
}

/// Asks for leases in the name of one node.
pub struct RedisLeases {
    client: Client,
    node: String,
    term: Duration,
}

impl RedisLeases {
    /// `node` names this process: no two that run may share it. No connection is made yet.
    ///
    /// # Errors
    /// An address that is none.
    pub fn new(url: &str, node: &str, term: Duration) -> Result<Self, Error> {
        Ok(Self { client: Client::open(url)?, node: node.to_owned(), term })
    }

    /// The lease of `region`; `None` while another node holds it.
    ///
    /// # Errors
    /// Redis did not answer in time, or with an error.
    pub async fn acquire(&self, region: &RegionId) -> Result<Option<Lease>, Error> {
        let asked = Instant::now();
        let mut redis = self.connect().await?;
        let number: i64 = Script::new(ACQUIRE)
            .key(lease_key(region))
            .key(format!("hotline:epoch:{region}"))
            .arg(&self.node)
            .arg(self.term.as_millis() as u64)
            .invoke_async(&mut redis)
            .await?;
        let epoch = Epoch { number, owner: self.node.clone() };
        Ok((number > 0).then(|| Lease::new(region.clone(), epoch, self.term, asked)))
    }

    /// Extends a lease by a whole term; false if it is no longer ours.
    ///
    /// # Errors
    /// Redis did not answer in time, or with an error: the lease runs on until it ends by itself.
    pub async fn renew(&self, lease: &mut Lease) -> Result<bool, Error> {
        let asked = Instant::now();
        let mut redis = self.connect().await?;
        let renewed: i64 = Script::new(RENEW)
            .key(lease_key(&lease.region))
            .arg(&lease.epoch.owner)
            .arg(lease.epoch.number)
            .arg(self.term.as_millis() as u64)
            .invoke_async(&mut redis)
            .await?;
        if renewed == 1 {
            lease.extend(asked);
        }
        Ok(renewed == 1)
    }

    /// Gives the region back at once. A lease that is no longer ours is left alone.
    ///
    /// # Errors
    /// Redis did not answer in time, or with an error: the lease then ends by itself.
    pub async fn release(&self, lease: Lease) -> Result<(), Error> {
        let mut redis = self.connect().await?;
        let _: i64 = Script::new(RELEASE)
            .key(lease_key(&lease.region))
            .arg(&lease.epoch.owner)
            .arg(lease.epoch.number)
            .invoke_async(&mut redis)
            .await?;
        Ok(())
    }

    /// A connection for each question: one in seconds, and none that is half dead.
    async fn connect(&self) -> Result<MultiplexedConnection, Error> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER_TIMEOUT))
            .set_response_timeout(Some(ANSWER_TIMEOUT));
        Ok(self.client.get_multiplexed_async_connection_with_config(&config).await?)
    }
}

fn lease_key(region: &RegionId) -> String {
    format!("hotline:lease:{region}")
}
