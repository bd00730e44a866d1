//! Against a real Redis, started here on a free port and ended with the test.

use cluster::RedisLeases;
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const TERM: Duration = Duration::from_secs(5);
const START_DEADLINE: Duration = Duration::from_secs(20);

struct Redis {
    process: Child,
    url: String,
}

impl Redis {
    async fn start() -> Self {
        let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port();
        let process = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .expect("redis-server is installed by `cargo xtask test`");
        let redis = Self { process, url: format!("redis://127.0.0.1:{port}") };
        let deadline = Instant::now() + START_DEADLINE;
        let probe = redis.leases("probe");
        while probe.acquire(&"probe".into()).await.is_err() {
            assert!(Instant::now() < deadline, "redis-server does not answer");
            tokio::task::yield_now().await;
        }
        redis
    }

    fn leases(&self, node: &str) -> RedisLeases {
        RedisLeases::new(&self.url, node, TERM).expect("the address is well formed")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn one_node_holds_a_region_until_it_gives_it_back() {
    let redis = Redis::start().await;
    let (a, b) = (redis.leases("a"), redis.leases("b"));
    let region = "wenzhou".into();
    let mut first = a.acquire(&region).await.expect("answered").expect("free");
    assert!(b.acquire(&region).await.expect("answered").is_none());
    assert!(a.renew(&mut first).await.expect("answered"));
    assert!(first.is_valid(Instant::now()));
    let old = first.clone();
    a.release(first).await.expect("answered");

    let second = b.acquire(&region).await.expect("answered").expect("given back");
    assert!(second.epoch > old.epoch, "epochs rise from owner to owner");
}

#[tokio::test]
async fn an_old_owner_can_neither_renew_nor_give_back_what_a_new_one_holds() {
    let redis = Redis::start().await;
    let (a, b) = (redis.leases("a"), redis.leases("b"));
    let region = "wenzhou".into();
    let mut old = a.acquire(&region).await.expect("answered").expect("free");
    a.release(old.clone()).await.expect("answered");
    let mut new = b.acquire(&region).await.expect("answered").expect("free again");

    assert!(!a.renew(&mut old).await.expect("answered"));
    a.release(old).await.expect("answered");
    assert!(b.renew(&mut new).await.expect("answered"), "the new owner still holds it");
}

#[tokio::test]
async fn a_node_that_restarts_gets_its_own_region_back_with_a_higher_epoch() {
    let redis = Redis::start().await;
    let region = "wenzhou".into();
    let before = redis.leases("a").acquire(&region).await.expect("answered").expect("free");
    let after = redis.leases("a").acquire(&region).await.expect("answered").expect("its own");
    assert!(after.epoch > before.epoch);
}

#[tokio::test]
async fn a_redis_that_is_not_there_is_an_error_and_not_a_hang() {
    let port = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound").port();
    let leases = RedisLeases::new(&format!("redis://127.0.0.1:{port}"), "a", TERM).expect("well formed");
    assert!(leases.acquire(&"wenzhou".into()).await.is_err());
}
