//! A Redis that answers, but with errors: a primary that became a replica, changed credentials. Each test has servers of
//! its own.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use shared::metrics::Metric;
use tests::log::{Log, capture};
use tests::proxy::Proxy;
use tests::redis_server::{Operator, RedisServer};
use tests::{TestApp, event, random_ip};

/// A few times the breaker's time: a busy machine may miss Redis' 150 ms once it counts again.
const RECOVERY: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(100);
/// How long a connection that was refused is kept.
const REPLACED_EVERY: Duration = Duration::from_secs(5);

/// Whether Redis counts a request.
async fn is_counted(app: &TestApp, log: &Log, ip: &str) -> bool {
    let id = format!("{}-end", tests::random_name());
    let event = event("GET", "/api/v1/financial-health/method", ip, &[("x-request-id", &id)], None);
    app.send(&event).await.expect(200);
    !log.lines_with(&id).iter().any(|line| line.get(Metric::LimiterDegraded.name()).is_some())
}

/// Until Redis counts again, without a restart.
async fn recovered(app: &TestApp, log: &Log, what: &str) {
    let until = Instant::now() + RECOVERY;
    while !is_counted(app, log, &random_ip()).await {
        assert!(Instant::now() < until, "{what}: limits are still counted by the instance alone");
        tokio::time::sleep(RETRY).await;
    }
}

async fn assert_health(app: &TestApp, status: u16, redis: &str, what: &str) {
    let answer = app.anonymous("GET", "/health", None).await;
    assert_eq!((answer.status, answer.json["services"]["redis"].as_str()), (status, Some(redis)), "{what}");
}

/// How many requests of a client Redis knows of.
async fn count_of(redis: &mut Operator, app: &TestApp, ip: &str) -> u64 {
    redis.run(&format!("ZCARD {}rl:{{{ip}}}:general", app.variables()["REDIS_KEY_PREFIX"])).await
}

async fn until_replicated(replica: &mut Operator) {
    let until = Instant::now() + RECOVERY;
    while !replica.run::<String>("INFO replication").await.contains("master_link_status:up") {
        assert!(Instant::now() < until, "the replica does not reach its primary");
        tokio::time::sleep(RETRY).await;
    }
}

/// The connection to the demoted node was never replaced: limits were counted by each instance alone for ever, and
/// `/health` said connected.
#[tokio::test]
async fn a_demoted_redis_is_disconnected_in_health_and_the_promoted_one_counts_without_a_restart() {
    let app = TestApp::start().await;
    let (first, second) = (RedisServer::start(&app).await, RedisServer::start(&app).await);
    let (mut one, mut two) = (first.operator().await, second.operator().await);
    let proxy = Proxy::faulty(first.address()).await.unwrap();
    let url = format!("redis://127.0.0.1:{}", proxy.port);
    let limited = app.sibling_with(&[("REDIS_URL", &url), ("RATE_LIMIT_GENERAL_MAX", "1000")]);
    let log = capture();
    let ip = random_ip();
    assert!(is_counted(&limited, &log, &ip).await);
    assert_health(&limited, 200, "connected", "before").await;

    one.run::<()>("CONFIG SET repl-diskless-sync-delay 0").await;
    let replica_of = |server: &RedisServer| format!("REPLICAOF {}", server.address().replace(':', " "));
    two.run::<()>(&replica_of(&first)).await;
    until_replicated(&mut two).await;
    two.run::<()>("REPLICAOF NO ONE").await;
    one.run::<()>(&replica_of(&second)).await;

    // DNS still names the old primary.
    let (began, opened) = (Instant::now(), proxy.opened());
    for _ in 0..40 {
        assert!(!is_counted(&limited, &log, &ip).await, "a replica counts nothing");
        assert_health(&limited, 503, "disconnected", "a replica takes no writes").await;
    }
    let replaced = proxy.opened() - opened;
    let allowed = 1 + began.elapsed().as_secs() / REPLACED_EVERY.as_secs();
    assert!(replaced <= allowed, "{replaced} new connections in {:?}", began.elapsed());
    assert!(log.metric(Metric::RedisRefused) >= 40, "each check of the health at least");
    let warned = log.messages("redis does not answer; going on without it");
    assert_eq!(warned.len(), 1, "once an outage");
    assert_eq!(warned[0]["cause"], "redis refused: READONLY");

    proxy.lead_to(second.address());
    recovered(&limited, &log, "promoted").await;
    assert_health(&limited, 200, "connected", "the new primary").await;
    let before = count_of(&mut two, &limited, &ip).await;
    assert_eq!(before, 1, "what the old primary had counted was replicated");
    assert!(is_counted(&limited, &log, &ip).await);
    assert_eq!(count_of(&mut two, &limited, &ip).await, 2);
    assert_eq!(log.messages("redis answers again").len(), 1);
}

/// How Redis comes to refuse, and how that is repaired.
struct Trouble {
    name: &'static str,
    begin: &'static [&'static str],
    end: &'static [&'static str],
}

/// The user is `api`, its password `right`.
const TROUBLES: [Trouble; 6] = [
    Trouble { name: "READONLY", begin: &["REPLICAOF 127.0.0.1 1"], end: &["REPLICAOF NO ONE"] },
    Trouble {
        name: "MASTERDOWN",
        begin: &["CONFIG SET replica-serve-stale-data no", "REPLICAOF 127.0.0.1 1"],
        end: &["REPLICAOF NO ONE"],
    },
    // A primary that lost its replicas.
    Trouble {
        name: "NOREPLICAS",
        begin: &["CONFIG SET min-replicas-to-write 1"],
        end: &["CONFIG SET min-replicas-to-write 0"],
    },
    Trouble {
        name: "NOPERM",
        begin: &["ACL SETUSER api -@scripting"],
        end: &["ACL SETUSER api +@scripting"],
    },
    // Redis refuses a command inside a script with an error of its own.
    Trouble { name: "ERR", begin: &["ACL SETUSER api -zadd"], end: &["ACL SETUSER api +zadd"] },
    // A connection that failed to authenticate was kept for ever.
    Trouble {
        name: "WRONGPASS",
        begin: &["ACL SETUSER api resetpass >other", "CLIENT KILL USER api"],
        end: &["ACL SETUSER api resetpass >right"],
    },
];

#[tokio::test]
async fn a_redis_that_refuses_is_disconnected_in_health_and_counts_again_once_repaired() {
    let app = TestApp::start().await;
    let (app, log) = (&app, &capture());
    join_all(TROUBLES.iter().map(|trouble| async move {
        let name = trouble.name;
        let server = RedisServer::start(app).await;
        let mut operator = server.operator().await;
        operator.run::<()>("ACL SETUSER api on >right ~* +@all").await;
        let limited = app.sibling_with(&[("REDIS_URL", &server.url_as("api", "right"))]);
        assert!(is_counted(&limited, log, &random_ip()).await, "{name}");
        assert_health(&limited, 200, "connected", name).await;
        for command in trouble.begin {
            operator.run::<redis::Value>(command).await;
        }
        assert!(!is_counted(&limited, log, &random_ip()).await, "{name}");
        assert_health(&limited, 503, "disconnected", name).await;
        for command in trouble.end {
            operator.run::<redis::Value>(command).await;
        }
        recovered(&limited, log, name).await;
        assert_health(&limited, 200, "connected", name).await;
    }))
    .await;
    let mut causes: Vec<_> = log
        .messages("redis does not answer; going on without it")
        .iter()
        .map(|line| line["cause"].as_str().unwrap().to_owned())
        .collect();
    causes.sort();
    let mut wanted: Vec<_> = TROUBLES.iter().map(|it| format!("redis refused: {}", it.name)).collect();
    wanted.sort();
    assert_eq!(causes, wanted, "{}", log.text());
}
