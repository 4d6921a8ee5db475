//! Whether a line of the log that says it is one of metrics is one: CloudWatch drops what breaks its embedded metric format
//! and tells nobody. Judged by the specification alone (tests/emf.schema.json, and what a schema cannot say of the members
//! that it names). Must never know the service's own list of metrics.

use std::sync::LazyLock;

use jsonschema::Validator;
use serde_json::Value;

static SCHEMA: LazyLock<Validator> = LazyLock::new(|| {
    let schema = serde_json::from_str(include_str!("../emf.schema.json")).expect("the schema is JSON");
    jsonschema::validator_for(&schema).expect("the schema is one")
});

/// What is wrong with a line of metrics. A line without `_aws` is none.
pub fn wrong(line: &str) -> Option<String> {
    let line: Value = serde_json::from_str(line).ok()?;
    line.get("_aws")?;
    if let Some(error) = SCHEMA.iter_errors(&line).next() {
        return Some(format!("{error} at {}", error.instance_path()));
    }
    let directives = line["_aws"]["CloudWatchMetrics"].as_array()?;
    directives.iter().find_map(|directive| wrong_targets(&line, directive))
}

/// What is wrong with the root members that a directive names.
fn wrong_targets(line: &Value, directive: &Value) -> Option<String> {
    for name in
        directive["Dimensions"].as_array()?.iter().flat_map(|set| set.as_array().into_iter().flatten())
    {
        let value = line[name.as_str()?].as_str().unwrap_or_default();
        if value.is_empty() || value.len() > 1024 {
            return Some(format!("the dimension {name} has no value, or a long one"));
        }
    }
    for name in directive["Metrics"].as_array()?.iter().filter_map(|metric| metric["Name"].as_str()) {
        let is_value = match &line[name] {
            Value::Array(values) => (1..=100).contains(&values.len()) && values.iter().all(Value::is_number),
            value => value.is_number(),
        };
        if !is_value {
            return Some(format!("the metric {name} has no number, or more than a hundred"));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_cloudwatch_would_drop_is_found() {
        let good = json!({"_aws": {"Timestamp": 1, "CloudWatchMetrics": [{"Namespace": "N", "Dimensions": [["D"]],
            "Metrics": [{"Name": "M", "Unit": "Count"}]}]}, "D": "d", "M": [1, 2.5]});
        assert_eq!(wrong(&good.to_string()), None);
        assert_eq!(wrong(r#"{"message": "no metric"}"#), None);
        let spoils: &[(&str, Value)] = &[
            ("/_aws", json!({})),
            ("/_aws/Timestamp", json!("2026-11-24T00:00:00Z")),
            ("/_aws/CloudWatchMetrics", json!([])),
            ("/_aws/CloudWatchMetrics/0/Namespace", json!("")),
            ("/_aws/CloudWatchMetrics/0/Dimensions", json!(["D"])),
            ("/_aws/CloudWatchMetrics/0/Dimensions", json!([["Absent"]])),
            ("/_aws/CloudWatchMetrics/0/Metrics", json!([])),
            ("/_aws/CloudWatchMetrics/0/Metrics/0/Unit", json!("count")),
            ("/_aws/CloudWatchMetrics/0/Metrics/0/Name", json!("Absent")),
            ("/D", json!("")),
            ("/D", json!(1)),
            ("/M", json!("1")),
            ("/M", json!([])),
            ("/M", json!(vec![1; 101])),
        ];
        for (pointer, value) in spoils {
            let mut spoilt = good.clone();
            *spoilt.pointer_mut(pointer).unwrap() = value.clone();
            assert!(wrong(&spoilt.to_string()).is_some(), "{pointer} = {value}");
        }
    }
}
