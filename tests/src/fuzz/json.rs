//! The JSON reader: what it takes, every other reader takes and understands alike; what it refuses beyond them is a key
//! twice and nesting deeper than it allows.

use serde_json::Value;
use shared::edge::json::{DEPTH_MAX, Json, JsonError};

/// Whether two readings are one.
fn same(ours: &Json, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Json::Null, Value::Null) => true,
        (Json::Bool(ours), Value::Bool(theirs)) => ours == theirs,
        (Json::Integer(ours), Value::Number(theirs)) => theirs.as_i64() == Some(*ours),
        (Json::OtherNumber, Value::Number(theirs)) => theirs.as_i64().is_none(),
        (Json::Text(ours), Value::String(theirs)) => ours == theirs,
        (Json::List(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(ours, theirs)| same(ours, theirs))
        }
        (Json::Object(ours), Value::Object(theirs)) => {
            let known =
                |(name, ours): &(String, Json)| theirs.get(name).is_some_and(|theirs| same(ours, theirs));
            ours.len() == theirs.len() && ours.iter().all(known)
        }
        _ => false,
    }
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
        Value::Object(members) => 1 + members.values().map(depth).max().unwrap_or(0),
        _ => 0,
    }
}

pub(super) fn check(input: &[u8]) {
    let theirs = serde_json::from_slice::<Value>(input);
    match (Json::parse(input), theirs) {
        (Ok(ours), Ok(theirs)) => {
            assert!(same(&ours, &theirs), "{ours:?} is not {theirs}");
            assert!(depth(&theirs) <= DEPTH_MAX);
            // Written by another, it is read the same.
            let again = Json::parse(theirs.to_string().as_bytes()).expect("what was read is read again");
            assert!(same(&again, &theirs));
        }
        (Ok(ours), Err(error)) => panic!("{ours:?} is read, and is no JSON: {error}"),
        (Err(JsonError::Malformed(reason)), Ok(theirs)) => {
            let deep = depth(&theirs) > DEPTH_MAX;
            assert!(reason.contains("key twice") || (reason.contains("nested deeper") && deep), "{reason}");
        }
        (Err(error), Ok(_)) => panic!("{error:?} of a text that others read"),
        (Err(_), Err(_)) => {}
    }
}
