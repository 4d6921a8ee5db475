//! The configuration as people meet it: the check of it, the template that sets it, the connections that it may open.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use local::configuration;
use serde_yaml_ng::Value;
use shared::boot::Boot;
use shared::config::{Config, Kind, Need, SCHEMA};

const SECRET: &str = "hunter2-hunter2-hunter2-hunter2-x";

fn variables(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn template() -> Value {
    let path = crate::root().join("template.yaml");
    // CloudFormation's short forms are tags; serde_yaml keeps them as tagged values.
    serde_yaml_ng::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn a_check_shows_what_is_in_force_and_no_secret() {
    let report = configuration::check(&variables(&[
        ("APP_ENV", "production"),
        ("JWT_SECRET", SECRET),
        ("JWT_REFRESH_SECRET", "hunter2"),
        ("MONGODB_URI", "mongodb://someone:hunter2@db.example.net/x"),
        ("REDIS_URL", "hunter2://:hunter2@cache.example.net"),
        ("AWS_LAMBDA_LOG_LEVEL", "WARN"),
        ("MONGO_POOL_SIZE", "2"),
    ]));
    assert!(!report.starts);
    assert!(!report.text.contains("hunter2"), "{}", report.text);
    let shows = |name: &str, value: &str| {
        let line = report.text.lines().find(|line| line.split_whitespace().next() == Some(name));
        let line = line.unwrap_or_else(|| panic!("no line of {name}"));
        assert!(line.ends_with(value), "{line}");
    };
    shows("JWT_SECRET", "set, 33 characters");
    shows("MONGODB_URI", "mongodb://***@db.example.net");
    shows("REDIS_URL", "set, 36 characters");
    shows("LOG_LEVEL", "WARN (from AWS_LAMBDA_LOG_LEVEL)");
    shows("MONGO_POOL_SIZE", "2");
    shows("RATE_LIMIT_GENERAL_MAX", "100 (default)");
    shows("PASSWORD_PEPPER", "not set");
    for problem in [
        "Error: JWT_REFRESH_SECRET must have at least 32 characters (auth)",
        "Error: PASSWORD_PEPPER is required (auth)",
        "Error: REDIS_URL must be a URL that begins with redis:// or rediss:// (every function)",
        "These would not start: health, auth, accounts, categories, transactions, financial-health",
    ] {
        assert!(report.text.lines().any(|line| line == problem), "{problem} is not in:\n{}", report.text);
    }
}

#[test]
fn a_check_finds_nothing_wrong_with_a_good_set() {
    let report = configuration::check(&variables(&[
        ("APP_ENV", "production"),
        ("JWT_SECRET", SECRET),
        ("JWT_REFRESH_SECRET", "another-secret-of-thirty-two-chars"),
        ("PASSWORD_PEPPER", "a-third-secret-of-thirty-two-chars"),
        ("MONGODB_URI", "mongodb+srv://db.example.net"),
        ("REDIS_URL", "rediss://cache.example.net"),
    ]));
    assert!(report.starts && report.text.contains("No problem found."), "{}", report.text);
}

#[test]
fn a_check_judges_what_only_the_local_run_reads() {
    let report =
        configuration::check(&variables(&[("JWT_SECRET", SECRET), ("PORT", "abc"), ("FRESH", "maybe")]));
    for problem in [
        "Error: PORT must be a whole number from 1 to 65535 (the local run)",
        "Error: FRESH must be 0 or 1 (the local run)",
    ] {
        assert!(report.text.lines().any(|line| line == problem), "{problem} is not in:\n{}", report.text);
    }
    assert!(!report.starts);
}

#[test]
fn the_templates_times_are_in_order_and_its_logs_end() {
    let template = template();
    let global = template["Globals"]["Function"]["Timeout"].as_u64();
    let (mut integrations, mut logs) = (0, 0);
    for (name, resource) in template["Resources"].as_mapping().unwrap() {
        let of = &resource["Properties"];
        match resource["Type"].as_str() {
            Some("AWS::Serverless::Function") => {
                let timeout_ms = of["Timeout"].as_u64().or(global).unwrap() * 1_000;
                assert!(timeout_ms >= 2_500 + 300, "{name:?}: MongoDB's time and the margin do not fit");
                for event in of["Events"].as_mapping().unwrap().values().filter(|e| e["Type"] == "HttpApi") {
                    let gateway_ms = event["Properties"]["TimeoutInMillis"].as_u64().unwrap();
                    assert!(timeout_ms < gateway_ms && gateway_ms <= 30_000, "{name:?}: {gateway_ms}");
                    integrations += 1;
                }
            }
            Some("AWS::Logs::LogGroup") => {
                assert!(number(&template, &of["RetentionInDays"]).is_some_and(|days| days >= 1), "{name:?}");
                logs += 1;
            }
            _ => {}
        }
    }
    assert!(integrations >= 25 && logs >= 7, "{integrations} integrations, {logs} log groups");
}

#[test]
fn the_template_sets_no_variable_that_the_schema_does_not_know() {
    let template = template();
    let known: BTreeSet<&str> = SCHEMA.iter().map(|variable| variable.name).collect();
    let mut sets = vec![&template["Globals"]["Function"]["Environment"]["Variables"]];
    let resources = template["Resources"].as_mapping().unwrap();
    let functions = resources.values().filter(|resource| resource["Type"] == "AWS::Serverless::Function");
    sets.extend(functions.map(|function| &function["Properties"]["Environment"]["Variables"]));
    let mut set = BTreeSet::new();
    for variables in sets.into_iter().filter_map(Value::as_mapping) {
        set.extend(variables.keys().map(|name| name.as_str().unwrap()));
    }
    assert!(set.len() > 10);
    let unknown: Vec<_> = set.difference(&known).collect();
    assert!(unknown.is_empty(), "template.yaml sets {unknown:?}");
}

/// The number that a template's property is, or the default of the parameter that it refers to.
fn number(template: &Value, value: &Value) -> Option<u64> {
    let value = match value {
        Value::Tagged(tagged) if tagged.tag == "Ref" => {
            &template["Parameters"][tagged.value.as_str()?]["Default"]
        }
        // A parameter of 0 means none; the budget is of the other branch.
        Value::Tagged(tagged) if tagged.tag == "If" => return number(template, &tagged.value[1]),
        value => value,
    };
    value.as_u64()
}

/// Connections of one execution environment beside its pool: under Lambda the driver's monitor polls on one.
const MONITORS: u64 = 1;
/// What an Atlas M10 takes on a node, of which a fifth is left for people and migrations.
const CONNECTIONS_MAX: u64 = 1_500 * 4 / 5;

#[test]
fn all_environments_together_stay_within_the_clusters_connections() {
    let template = template();
    let globals = &template["Globals"]["Function"]["Environment"]["Variables"];
    let pool = number(&template, &globals["MONGO_POOL_SIZE"]).unwrap();
    let mut environments = 0;
    let resources = template["Resources"].as_mapping().unwrap();
    let functions = resources.values().filter(|resource| resource["Type"] == "AWS::Serverless::Function");
    for function in functions {
        let name = function["Properties"]["CodeUri"].as_str().unwrap();
        let reserved = number(&template, &function["Properties"]["ReservedConcurrentExecutions"]);
        environments += reserved.unwrap_or_else(|| panic!("{name} has no reserved concurrency"));
    }
    let connections = environments * (pool + MONITORS);
    assert!(
        connections <= CONNECTIONS_MAX,
        "{environments} environments open {connections} connections, and {CONNECTIONS_MAX} are there"
    );
}

#[test]
fn numbers_of_the_template_are_in_the_schemas_ranges() {
    let template = template();
    for of in SCHEMA {
        let Kind::Number { min, max, .. } = of.kind else { continue };
        let globals = &template["Globals"]["Function"]["Environment"]["Variables"];
        if let Some(set) = number(&template, &globals[of.name]) {
            assert!((min..=max).contains(&set), "{} is {set}", of.name);
        }
    }
}

#[tokio::test]
async fn a_start_tries_to_reach_mongodb_three_times_and_longer_each_time() {
    let nothing_listens = "mongodb://someone:hunter2@127.0.0.1:1/?directConnection=true";
    let variables = variables(&[
        ("MONGODB_URI", nothing_listens),
        ("MONGO_CONNECT_BACKOFF_MS", "20"),
        ("MONGO_SERVER_SELECTION_TIMEOUT_MS", "50"),
    ]);
    let config = Config::load(&variables, &[Need::Mongo]).unwrap();
    let boot = Boot::new(config);
    let mut told = Vec::new();
    let reached = boot.mongo().unwrap().reach(|said, pause| told.push((said.to_owned(), pause))).await;
    assert!(reached.is_err());
    let pauses: Vec<Option<Duration>> = told.iter().map(|(_, pause)| *pause).collect();
    assert_eq!(told.len(), 3);
    for (pause, base) in pauses.iter().zip([20, 40]) {
        let pause = pause.unwrap().as_millis();
        assert!((base / 2..=base * 3 / 2).contains(&pause), "{pause} ms");
    }
    assert_eq!(pauses[2], None);
    for (said, _) in told {
        assert!(said.contains("mongodb://***@127.0.0.1:1") && !said.contains("hunter2"), "{said}");
    }
}
