//! How often a client may call: an exact sliding log per policy and client address, kept in Redis by one atomic script,
//! on Redis' own clock, so that all environments share one count; never more than N admitted in any window. A refused
//! request is not counted, so that it does not extend a window.
//!
//! When Redis is away, each environment goes on with a log of its own (at most N × environments are then admitted).
//! Must never fail a request because of Redis, and never read the address from a header.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::config::LimitsConfig;
use crate::crypto;
use crate::store::redis::Redis;

/// Which policies count a request. Every class counts in `general` too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LimitClass {
    General,
    Auth,
    Heavy,
}

/// The most client logs that one environment keeps while Redis is away.
const LOCAL_CLIENTS_MAX: usize = 10_000;

/// A health check's count stays this long. Its quota is out of reach, so that each check writes.
const PROBE_WINDOW: Duration = Duration::from_secs(1);
const PROBES_MAX: u64 = 1_000_000;

/// One policy and what is left of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PolicyState {
    pub name: &'static str,
    pub quota: u64,
    pub window_seconds: u64,
    pub remaining: u64,
    /// Whole seconds, rounded up, until the next unit comes back; a client that waits so long is admitted.
    pub reset_seconds: u64,
}

/// What the limiter says of one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub policies: Vec<PolicyState>,
    /// Seconds to wait, when refused.
    pub retry_after: Option<u64>,
    /// Redis did not answer, or refused; the count is this environment's own.
    pub degraded: bool,
}

impl Verdict {
    /// `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers-11).
    pub fn policy_header(&self) -> String {
        let items =
            self.policies.iter().map(|p| format!("\"{}\";q={};w={}", p.name, p.quota, p.window_seconds));
        items.collect::<Vec<_>>().join(", ")
    }

    /// `RateLimit` (same draft).
    pub fn limit_header(&self) -> String {
        let items =
            self.policies.iter().map(|p| format!("\"{}\";r={};t={}", p.name, p.remaining, p.reset_seconds));
        items.collect::<Vec<_>>().join(", ")
    }
}

/// KEYS: one sorted set per policy. ARGV: window in µs, a unique member, then the quota of each key.
/// A member that is there already is a request whose answer was lost on a closed connection: it is not counted again.
/// Answers `admitted`, then per key `count` after this request and the µs until the next unit comes back.
const SCRIPT: &str = r"
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local window = tonumber(ARGV[1])
local admitted = 1
local counted = redis.call('ZSCORE', KEYS[1], ARGV[2])
for i, key in ipairs(KEYS) do
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now - window)
  if not counted and redis.call('ZCARD', key) >= tonumber(ARGV[i + 2]) then admitted = 0 end
end
local answer = { admitted }
for i, key in ipairs(KEYS) do
  if admitted == 1 and not counted then
    redis.call('ZADD', key, now, ARGV[2])
    redis.call('PEXPIRE', key, math.ceil(window / 1000))
  end
  local count = redis.call('ZCARD', key)
  local first = math.max(0, count - tonumber(ARGV[i + 2]))
  local oldest = redis.call('ZRANGE', key, first, first, 'WITHSCORES')[2]
  answer[#answer + 1] = count
  answer[#answer + 1] = oldest and (oldest + window - now) or 0
end
return answer
";

/// The policies of a service, over Redis where it has one.
pub struct RateLimiter {
    limits: LimitsConfig,
    redis: Option<Redis>,
    script: ::redis::Script,
    local: Arc<Mutex<LocalLogs>>,
}

impl RateLimiter {
    /// `local` is what counts while Redis is away; all limiters of an environment share it.
    pub(crate) fn new(limits: LimitsConfig, redis: Option<Redis>, local: Arc<Mutex<LocalLogs>>) -> Self {
        Self { limits, redis, script: ::redis::Script::new(SCRIPT), local }
    }

    fn policies(&self, class: LimitClass) -> Vec<(&'static str, u64)> {
        let general = ("general", self.limits.general_max);
        match class {
            LimitClass::General => vec![general],
            LimitClass::Auth => vec![("auth", self.limits.auth_max), general],
            LimitClass::Heavy => vec![("heavy", self.limits.heavy_max), general],
        }
    }

    /// Counts a request of `client`, or refuses it. Waits at most the configured time for Redis.
    pub async fn check(&self, class: LimitClass, client: &str) -> Verdict {
        let policies = self.policies(class);
        let verdict = match self.ask_redis(&policies, client).await {
            Some(answer) => verdict(&policies, &answer, self.limits.window, false),
            None => {
                let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
                let answer = local.count(&policies, client, self.limits.window, Instant::now());
                verdict(&policies, &answer, self.limits.window, self.redis.is_some())
            }
        };
        self.log_first_refusal(&verdict, client);
        verdict
    }

    /// Logs the first refusal of a client by a policy within a window; a flood must not fill the log.
    fn log_first_refusal(&self, verdict: &Verdict, client: &str) {
        let tripped = verdict.policies.iter().find(|policy| policy.remaining == 0);
        let Some(tripped) = tripped.filter(|_| verdict.retry_after.is_some()) else { return };
        let mut local = self.local.lock().unwrap_or_else(PoisonError::into_inner);
        if local.is_first_refusal(tripped.name, client, self.limits.window, Instant::now()) {
            tracing::warn!(message = "client rate limited", event = "rate_limited", policy = tripped.name);
        }
    }

    async fn ask_redis(&self, policies: &[(&'static str, u64)], client: &str) -> Option<Vec<i64>> {
        let redis = self.redis.as_ref()?;
        let invocation = &invocation(&self.script, redis, policies, client, self.limits.window);
        redis
            .run("EVALSHA", |mut connection| async move {
                invocation.invoke_async::<Vec<i64>>(&mut connection).await
            })
            .await
            .ok()
    }
}

fn invocation<'a>(
    script: &'a ::redis::Script,
    redis: &Redis,
    policies: &[(&'static str, u64)],
    client: &str,
    window: Duration,
) -> ::redis::ScriptInvocation<'a> {
    let mut member = [0u8; 12];
    crypto::fill_random(&mut member);
    let mut invocation = script.prepare_invoke();
    for (name, _) in policies {
        // The braces put a client's keys on one cluster slot.
        invocation.key(format!("{}rl:{{{client}}}:{name}", redis.key_prefix()));
    }
    invocation.arg(u64::try_from(window.as_micros()).unwrap_or(u64::MAX));
    invocation.arg(&member[..]);
    for (_, quota) in policies {
        invocation.arg(*quota);
    }
    invocation
}

/// Whether Redis counts within `limit`: the limiter's script is run on a key that no client has. A PING would not show it: a
/// replica answers one, and so does a server that refuses the script.
pub async fn redis_counts(redis: &Redis, limit: Duration) -> bool {
    let script = ::redis::Script::new(SCRIPT);
    let invocation = &invocation(&script, redis, &[("health", PROBES_MAX)], "health", PROBE_WINDOW);
    let probe = redis.probe("EVALSHA", limit, |mut connection| async move {
        invocation.invoke_async::<Vec<i64>>(&mut connection).await
    });
    probe.await.is_ok()
}

/// Turns the script's answer into the state of each policy.
fn verdict(policies: &[(&'static str, u64)], answer: &[i64], window: Duration, degraded: bool) -> Verdict {
    let admitted = answer.first() == Some(&1);
    let mut states = Vec::new();
    let mut retry_after = None;
    for (index, (name, quota)) in policies.iter().enumerate() {
        let count = answer.get(1 + 2 * index).copied().unwrap_or(0).unsigned_abs();
        let wait_us = answer.get(2 + 2 * index).copied().unwrap_or(0).max(0).unsigned_abs();
        let reset_seconds = wait_us.div_ceil(1_000_000);
        let remaining = quota.saturating_sub(count);
        if !admitted && remaining == 0 {
            retry_after = retry_after.max(Some(reset_seconds.max(1)));
        }
        states.push(PolicyState {
            name,
            quota: *quota,
            window_seconds: window.as_secs(),
            remaining,
            reset_seconds,
        });
    }
    if !admitted && retry_after.is_none() {
        retry_after = Some(1);
    }
    Verdict { policies: states, retry_after, degraded }
}

/// The same log, in memory.
#[derive(Default)]
pub(crate) struct LocalLogs {
    logs: HashMap<(String, &'static str), VecDeque<Instant>>,
    /// When a client's refusal by a policy was logged, wherever it was counted.
    refused: HashMap<(String, &'static str), Instant>,
}

impl LocalLogs {
    /// Whether a client's refusal by a policy has not been logged within the window; it is from now on.
    fn is_first_refusal(
        &mut self,
        policy: &'static str,
        client: &str,
        window: Duration,
        now: Instant,
    ) -> bool {
        if self.refused.len() >= LOCAL_CLIENTS_MAX {
            self.refused.retain(|_, at| now.duration_since(*at) < window);
        }
        if self.refused.len() >= LOCAL_CLIENTS_MAX {
            // A flood of addresses: the log has ten thousand lines of it.
            return false;
        }
        match self.refused.entry((client.to_owned(), policy)) {
            Entry::Occupied(entry) if now.duration_since(*entry.get()) < window => false,
            Entry::Occupied(mut entry) => {
                entry.insert(now);
                true
            }
            Entry::Vacant(entry) => {
                entry.insert(now);
                true
            }
        }
    }

    fn count(
        &mut self,
        policies: &[(&'static str, u64)],
        client: &str,
        window: Duration,
        now: Instant,
    ) -> Vec<i64> {
        if self.logs.len() >= LOCAL_CLIENTS_MAX {
            self.logs.retain(|_, log| log.back().is_some_and(|last| now.duration_since(*last) < window));
        }
        if self.logs.len() >= LOCAL_CLIENTS_MAX {
            // A flood of addresses: forget one rather than grow.
            if let Some(key) = self.logs.keys().next().cloned() {
                self.logs.remove(&key);
            }
        }
        let mut admitted = true;
        for (name, quota) in policies {
            let log = self.logs.entry((client.to_owned(), name)).or_default();
            while log.front().is_some_and(|first| now.duration_since(*first) >= window) {
                log.pop_front();
            }
            admitted &= u64::try_from(log.len()).unwrap_or(u64::MAX) < *quota;
        }
        let mut answer = vec![i64::from(admitted)];
        for (name, quota) in policies {
            let log = self.logs.entry((client.to_owned(), name)).or_default();
            if admitted {
                log.push_back(now);
            }
            let first = log.len().saturating_sub(usize::try_from(*quota).unwrap_or(usize::MAX));
            let wait =
                log.get(first).map_or(Duration::ZERO, |at| window.saturating_sub(now.duration_since(*at)));
            answer.push(i64::try_from(log.len()).unwrap_or(i64::MAX));
            answer.push(i64::try_from(wait.as_micros()).unwrap_or(i64::MAX));
        }
        answer
    }
}

/// The key of a client's address: IPv6 by its /64 network, an IPv4-mapped address as IPv4.
pub fn client_key(source_ip: &str) -> String {
    match source_ip.parse::<IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(IpAddr::V4(ip)) => ip.to_string(),
        Ok(IpAddr::V6(ip)) => {
            let [a, b, c, d, ..] = ip.segments();
            format!("{a:x}:{b:x}:{c:x}:{d:x}::/64")
        }
        Err(_) => "unknown".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_client_share_a_key() {
        assert_eq!(client_key("2001:db8:1:2:3::4"), client_key("2001:db8:1:2:ffff::1"));
        assert_ne!(client_key("2001:db8:1:2::"), client_key("2001:db8:1:3::"));
        assert_eq!(client_key("::ffff:192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn no_window_ever_admits_more_than_the_quota() {
        let mut logs = LocalLogs::default();
        let window = Duration::from_secs(10);
        let start = Instant::now();
        let mut admitted: Vec<u64> = Vec::new();
        for step in 0..400u64 {
            let at = start + Duration::from_millis(step * 137);
            if logs.count(&[("general", 7)], "c", window, at)[0] == 1 {
                admitted.push(step * 137);
            }
        }
        assert!(admitted.len() > 7, "the window slides");
        for (index, first) in admitted.iter().enumerate() {
            let inside = admitted[index..].iter().filter(|at| **at - first < 10_000).count();
            assert!(inside <= 7, "{inside} admitted in one window");
        }
    }

    #[test]
    fn a_refusal_is_first_once_per_client_policy_and_window() {
        let mut logs = LocalLogs::default();
        let (window, start) = (Duration::from_secs(10), Instant::now());
        let later = start + window;
        for (policy, client, at, first) in [
            ("auth", "a", start, true),
            ("auth", "a", start + Duration::from_secs(9), false),
            ("general", "a", start, true),
            ("auth", "b", start, true),
            ("auth", "a", later, true),
            ("auth", "a", later, false),
        ] {
            assert_eq!(logs.is_first_refusal(policy, client, window, at), first, "{policy} {client}");
        }
        for client in 0..2 * LOCAL_CLIENTS_MAX {
            logs.is_first_refusal("auth", &client.to_string(), window, later);
        }
        assert!(logs.refused.len() <= LOCAL_CLIENTS_MAX, "a flood of addresses takes no more memory");
    }

    #[test]
    fn who_waits_exactly_as_told_is_admitted_and_refusals_extend_nothing() {
        let mut logs = LocalLogs::default();
        let window = Duration::from_secs(10);
        let start = Instant::now();
        for _ in 0..2 {
            assert_eq!(logs.count(&[("auth", 2), ("general", 9)], "c", window, start)[0], 1);
        }
        let later = start + Duration::from_millis(2500);
        let refused = logs.count(&[("auth", 2), ("general", 9)], "c", window, later);
        assert_eq!(refused[0], 0);
        assert_eq!(refused[3], 2, "a refused request counts nowhere");
        let verdict = verdict(&[("auth", 2), ("general", 9)], &refused, window, false);
        assert_eq!(verdict.retry_after, Some(8), "7.5 s rounded up");
        assert_eq!(verdict.policy_header(), "\"auth\";q=2;w=10, \"general\";q=9;w=10");
        let again = later + Duration::from_secs(8);
        assert_eq!(logs.count(&[("auth", 2), ("general", 9)], "c", window, again)[0], 1);
    }
}
