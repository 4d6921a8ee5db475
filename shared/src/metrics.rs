//! What CloudWatch counts of us, each as a line of the log in its embedded metric format (EMF), so that telling one costs no
//! call. Must never make a metric of a user, nor of anything that is not one of a small closed set.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::{Map, Value, json};

/// The target of metric events. They are written whatever the least level is: alarms watch them.
pub(crate) const TARGET: &str = "metrics";

/// The values that one EMF line may have of a metric.
/// Source: Amazon CloudWatch, *Specification: Embedded metric format*.
const VALUES_MAX: usize = 100;

const MINUTE_MS: i64 = 60_000;

/// A metric. Each is watched by an alarm or shown on the dashboard; a name here is a name there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Metric {
    /// A request was answered.
    Requests,
    /// What an answer took, from the event until it was ready. Telling its receivers of it comes after, where there are any.
    Duration,
    /// A request was the first of its execution environment.
    ColdStart,
    /// A request was answered 500: a bug of ours. A database that is away is no 500.
    ServerError,
    /// The schedule's health check ran, whatever it found.
    HealthCheck,
    /// A request's limits were this environment's own: Redis did not answer.
    LimiterDegraded,
    /// Redis answered an error: a replica, or a node that refuses our credentials or has no room.
    RedisRefused,
    /// A log-in was refused as wrong.
    LoginFailed,
    /// A refresh token came back after its rotation; its family has been ended.
    RefreshReuse,
    /// A database did not answer the health check in time.
    HealthFailure,
    /// Secrets Manager did not answer a refresh; the secrets of before are used.
    SecretsStale,
    /// A backup is whole: its manifest is written.
    BackupCompleted,
    /// A backup did not come to its end.
    BackupFailed,
}

impl Metric {
    /// Every metric.
    pub const ALL: &[Metric] = &[
        Metric::Requests,
        Metric::Duration,
        Metric::ColdStart,
        Metric::ServerError,
        Metric::HealthCheck,
        Metric::LimiterDegraded,
        Metric::RedisRefused,
        Metric::LoginFailed,
        Metric::RefreshReuse,
        Metric::HealthFailure,
        Metric::SecretsStale,
        Metric::BackupCompleted,
        Metric::BackupFailed,
    ];

    /// Its name in CloudWatch.
    pub fn name(self) -> &'static str {
        match self {
            Self::Requests => "Requests",
            Self::Duration => "Duration",
            Self::ColdStart => "ColdStart",
            Self::ServerError => "ServerError",
            Self::HealthCheck => "HealthCheck",
            Self::LimiterDegraded => "LimiterDegraded",
            Self::RedisRefused => "RedisRefused",
            Self::LoginFailed => "LoginFailed",
            Self::RefreshReuse => "RefreshReuse",
            Self::HealthFailure => "HealthFailure",
            Self::SecretsStale => "SecretsStale",
            Self::BackupCompleted => "BackupCompleted",
            Self::BackupFailed => "BackupFailed",
        }
    }

    /// The name of its first dimension: the function that tells it, or the service that it is about.
    pub fn dimension(self) -> &'static str {
        match self {
            Self::HealthFailure => "Service",
            Self::RedisRefused => "Service",
            _ => "Function",
        }
    }

    /// Its unit, as CloudWatch calls it.
    pub fn unit(self) -> &'static str {
        match self {
            Self::Duration => "Milliseconds",
            _ => "Count",
        }
    }
}

/// Counts one. `of` is the value of the metric's dimension, one of a small closed set.
pub fn count(metric: Metric, of: &'static str) {
    tell(&[(metric.dimension(), of)], None, vec![told(metric, json!(1))]);
}

/// Counts one of a function, and the same of the version of it that runs: a new version is judged by its own.
pub(crate) fn count_in_version(metric: Metric, function: &'static str, version: &str) {
    tell(&[(metric.dimension(), function), ("Version", version)], None, vec![told(metric, json!(1))]);
}

/// Hands metrics to the log, which knows their namespace. `at_ms` is when they were, in milliseconds since the epoch, where
/// it is not now.
fn tell(dimensions: &[(&str, &str)], at_ms: Option<i64>, values: Vec<Value>) {
    let dimensions = json!(dimensions).to_string();
    let values = Value::from(values).to_string();
    tracing::info!(target: TARGET, message = "metric", dimensions, at_ms, values);
}

/// A metric and its value, as an event has it.
fn told(metric: Metric, value: Value) -> Value {
    json!([metric.name(), metric.unit(), value])
}

/// The members of an EMF line that make metrics of it: `_aws`, each dimension's value and each metric's. `dimensions` and
/// `values` are the texts of an event's fields; what is no event of this module has none. Where there are two dimensions, it
/// is counted by the first alone too.
pub(crate) fn embedded(
    namespace: &str,
    at_ms: i64,
    dimensions: &str,
    values: &str,
) -> Option<Map<String, Value>> {
    let dimensions: Vec<(String, Value)> = serde_json::from_str(dimensions).ok()?;
    let names: Vec<&str> = dimensions.iter().map(|(name, _)| name.as_str()).collect();
    let sets: Vec<&[&str]> = (1..=names.len()).filter_map(|count| names.get(..count)).collect();
    let values: Vec<(String, String, Value)> = serde_json::from_str(values).ok()?;
    let metrics: Vec<Value> =
        values.iter().map(|(name, unit, _)| json!({"Name": name, "Unit": unit})).collect();
    let directive = json!({"Namespace": namespace, "Dimensions": sets, "Metrics": metrics});
    let mut members = Map::new();
    members.insert("_aws".to_owned(), json!({"Timestamp": at_ms, "CloudWatchMetrics": [directive]}));
    members.extend(dimensions);
    members.extend(values.into_iter().map(|(name, _, value)| (name, value)));
    Some(members)
}

/// The requests of an execution environment, told by the minute: a line for each would cost more than its request's own.
///
/// A minute is told with its own time, by the first request of a later one, once it has as many values as a line may have,
/// and at the end of the process. A cold start is told at once. A process that is killed takes what it has not told with it.
#[derive(Default)]
pub struct RequestCounts(Mutex<HashMap<&'static str, Minute>>);

#[derive(Default)]
struct Minute {
    /// When its last request was answered, in milliseconds since the epoch.
    at_ms: i64,
    durations_ms: Vec<u64>,
    is_cold: bool,
}

impl RequestCounts {
    /// Counts an answered request of a function.
    pub(crate) fn count(&self, function: &'static str, at_ms: i64, duration_ms: u64, is_cold: bool) {
        let mut complete = Vec::new();
        {
            let mut minutes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let minute = minutes.entry(function).or_default();
            if minute.at_ms.div_euclid(MINUTE_MS) != at_ms.div_euclid(MINUTE_MS) {
                complete.push(std::mem::take(minute));
            }
            minute.at_ms = at_ms;
            minute.durations_ms.push(duration_ms);
            minute.is_cold |= is_cold;
            if is_cold || minute.durations_ms.len() >= VALUES_MAX {
                complete.push(std::mem::take(minute));
            }
        }
        for minute in complete {
            minute.tell(function);
        }
    }

    /// Tells what was not told.
    pub(crate) fn flush(&self) {
        let minutes = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for (function, minute) in minutes {
            minute.tell(function);
        }
    }
}

impl Minute {
    fn tell(self, function: &'static str) {
        if self.durations_ms.is_empty() {
            return;
        }
        let mut values = vec![
            told(Metric::Requests, self.durations_ms.len().into()),
            told(Metric::Duration, self.durations_ms.into()),
        ];
        if self.is_cold {
            values.push(told(Metric::ColdStart, json!(1)));
        }
        tell(&[(Metric::Requests.dimension(), function)], Some(self.at_ms), values);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::telemetry::tests::logged;

    #[test]
    fn a_metric_is_a_line_in_the_embedded_format_at_every_level() {
        for level in ["trace", "error"] {
            let lines = logged(level, || count(Metric::LimiterDegraded, "auth"));
            assert_eq!(lines.len(), 1, "{level}");
            let line = &lines[0];
            assert_eq!(
                line["_aws"]["CloudWatchMetrics"],
                json!([{"Namespace": "Ours", "Dimensions": [["Function"]],
                    "Metrics": [{"Name": "LimiterDegraded", "Unit": "Count"}]}])
            );
            assert!(line["_aws"]["Timestamp"].is_i64());
            assert_eq!((&line["Function"], &line["LimiterDegraded"]), (&json!("auth"), &json!(1)));
            assert!(line.get("values").is_none() && line.get("dimensions").is_none());
        }
    }

    #[test]
    fn what_is_counted_of_a_version_is_counted_of_its_function_too() {
        let lines = logged("error", || count_in_version(Metric::ServerError, "auth", "7"));
        let directive = &lines[0]["_aws"]["CloudWatchMetrics"][0];
        assert_eq!(directive["Dimensions"], json!([["Function"], ["Function", "Version"]]));
        assert_eq!((&lines[0]["Function"], &lines[0]["Version"]), (&json!("auth"), &json!("7")));
        assert_eq!(lines[0]["ServerError"], 1);
    }

    /// What is told of requests, each answered in a millisecond of its own time: what took how long, and whether it was cold.
    fn told_of(requests: &[(i64, u64, bool)]) -> Vec<Value> {
        let counts = RequestCounts::default();
        logged("error", || {
            for (at_ms, duration_ms, is_cold) in requests {
                counts.count("auth", *at_ms, *duration_ms, *is_cold);
            }
        })
    }

    #[test]
    fn a_minute_is_told_with_its_own_time_by_the_first_request_of_a_later_one() {
        let first = [(60_000, 3, false), (119_999, 5, false)];
        assert_eq!(told_of(&first), Vec::<Value>::new(), "it is not over");
        let lines = told_of(&[first[0], first[1], (500_000, 7, false)]);
        assert_eq!(lines.len(), 1);
        assert_eq!(lines[0]["_aws"]["Timestamp"], 119_999);
        assert_eq!(
            (&lines[0]["Function"], &lines[0]["Requests"], &lines[0]["Duration"]),
            (&json!("auth"), &json!(2), &json!([3, 5]))
        );
        let metrics = &lines[0]["_aws"]["CloudWatchMetrics"][0]["Metrics"];
        let duration = json!({"Name": "Duration", "Unit": "Milliseconds"});
        assert_eq!(*metrics, json!([{"Name": "Requests", "Unit": "Count"}, duration]));
    }

    #[test]
    fn a_cold_start_is_told_at_once_and_once() {
        let lines = told_of(&[(0, 9, true), (1, 2, false), (60_000, 2, false)]);
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["ColdStart"], &lines[0]["Duration"]), (&json!(1), &json!([9])));
        assert_eq!((lines[1].get("ColdStart"), &lines[1]["Requests"]), (None, &json!(1)));
    }

    #[test]
    fn a_line_has_no_more_values_than_it_may_and_none_is_lost_or_told_twice() {
        let counts = RequestCounts::default();
        let lines = logged("error", || {
            for at in 0..250u64 {
                counts.count("auth", 1, at, false);
            }
            counts.flush();
            counts.flush();
        });
        let told: Vec<u64> = lines
            .iter()
            .flat_map(|line| line["Duration"].as_array().unwrap())
            .filter_map(Value::as_u64)
            .collect();
        assert_eq!(told, (0..250).collect::<Vec<u64>>());
        let sizes: Vec<u64> = lines.iter().filter_map(|line| line["Requests"].as_u64()).collect();
        assert_eq!(sizes, [100, 100, 50]);
    }
}
