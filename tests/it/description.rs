//! The API's description by itself: whole, said once, with examples that hold.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};
use shared::edge::contract::{ERROR_CODES, reference};
use tests::openapi::{self, Described};

use crate::architecture::sources;

/// Everything below `value` that `wanted` takes, with its place.
fn walk<'a>(value: &'a Value, at: &str, visit: &mut impl FnMut(&str, &'a Value)) {
    visit(at, value);
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                walk(member, &format!("{at}/{}", name.replace('~', "~0").replace('/', "~1")), visit);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                walk(item, &format!("{at}/{index}"), visit);
            }
        }
        _ => {}
    }
}

/// Whether `value` stands in an example, which is data and no part of the description.
fn is_data(at: &str) -> bool {
    at.split('/').any(|part| matches!(part, "example" | "examples"))
}

#[test]
fn every_operation_parameter_schema_and_property_has_a_description() {
    let document = openapi::document().unwrap();
    let mut silent = Vec::new();
    let mut seen = 0;
    let mut must = |at: &str, value: &Value| {
        seen += 1;
        if value["description"].as_str().is_none_or(|text| text.len() < 3) {
            silent.push(at.to_owned());
        }
    };
    walk(&document, "", &mut |at, value| {
        if is_data(at) {
            return;
        }
        for (name, property) in value["properties"].as_object().into_iter().flatten() {
            must(&format!("{at}/properties/{name}"), property);
        }
        if value["operationId"].is_string() || (value["in"].is_string() && value["name"].is_string()) {
            must(at, value);
        }
    });
    for (name, schema) in document["components"]["schemas"].as_object().unwrap() {
        must(&format!("/components/schemas/{name}"), schema);
    }
    assert!(seen > 400, "{seen}");
    assert_eq!(silent, Vec::<String>::new());
}

#[test]
fn one_model_stands_for_every_error() {
    let document = openapi::document().unwrap();
    let mut schemas = BTreeSet::new();
    walk(&document, "", &mut |at, value| {
        if at.ends_with("/application~1problem+json") {
            schemas.insert(value["schema"].to_string());
        }
        assert!(
            !at.contains("/responses/") || !at.ends_with("/schema") || value["$ref"].is_string(),
            "{at}: {value}"
        );
    });
    assert_eq!(schemas.into_iter().collect::<Vec<_>>(), [r##"{"$ref":"#/components/schemas/Problem"}"##]);
}

/// A validator of the schema that `media` has.
fn validator(document: &Value, media: &Value) -> jsonschema::Validator {
    let mut schema = media["schema"].clone();
    schema["components"] = document["components"].clone();
    jsonschema::options().should_validate_formats(true).build(&schema).unwrap()
}

#[test]
fn every_body_and_answer_has_an_example_that_its_schema_takes() {
    let document = openapi::document().unwrap();
    let mut seen = 0;
    walk(&document, "", &mut |at, value| {
        if is_data(at) {
            return;
        }
        let media = at.rsplit('/').next().is_some_and(|part| part.starts_with("application~1"));
        // A parameter's example is of its schema too.
        let parameter = value["in"].is_string() && value["schema"].is_object();
        if !media && !parameter {
            return;
        }
        let named = value["examples"].as_object().into_iter().flat_map(Map::values);
        let named = named.map(|example| match example["$ref"].as_str() {
            Some(place) => &document.pointer(place.strip_prefix('#').unwrap()).unwrap()["value"],
            None => &example["value"],
        });
        let examples: Vec<&Value> = value.get("example").into_iter().chain(named).collect();
        assert!(!examples.is_empty(), "{at} has no example");
        let schema = validator(&document, value);
        for example in examples {
            let errors: Vec<String> = schema.iter_errors(example).map(|error| error.to_string()).collect();
            assert_eq!(errors, Vec::<String>::new(), "{at}: {example}");
            seen += 1;
        }
    });
    assert!(seen > 150, "{seen}");
}

#[test]
fn the_example_of_every_body_is_taken_by_its_parser() {
    for Described { operation, .. } in openapi::operations() {
        if let Some(body) = operation.body {
            let parsed = (body.parse)(body.example.to_string().as_bytes());
            assert!(parsed.is_ok(), "{}: {parsed:?}", operation.id);
        }
    }
}

/// A schema that takes what the parser refuses promises too much. What only a table knows (currencies, time zones,
/// common passwords), addresses, whose grammar is the parser's own, and rules between two fields are left out.
#[test]
fn what_the_schema_of_a_body_takes_its_parser_takes() {
    const BY_TABLE: [&str; 5] = ["currency", "originalCurrency", "timeZone", "password", "email"];
    let document = openapi::document().unwrap();
    let long = "x".repeat(5_000);
    let texts = [
        "",
        " ",
        "x",
        "\u{7}",
        "a\u{85}b",
        "a\tb",
        "a\nb",
        " x ",
        &long,
        "2026-02-30",
        "2026-2-3",
        "1899-12-31",
        "2199-12-31",
        "2200-01-01",
        "0",
        "-0",
        "-0.00",
        "-0.01",
        "00.1",
        "1.23456",
        "1e3",
        "12.34",
        "-5",
        "+5",
        "en",
        "en-",
        "e",
        "123456789012345678901",
        "01941F29-7C00-7000-8000-0000000000A1",
        "01941f297c0070008000000000000001",
        "01941f29-7c00-7000-8000-0000000000a1",
    ];
    let mut values: Vec<Value> = texts.into_iter().map(Value::from).collect();
    values.extend([json!(null), json!(true), json!(0), json!(-1), json!(100_001), json!(1.5), json!([])]);
    values.extend([
        json!(["x"]),
        json!([""]),
        vec!["x"; 21].into(),
        json!({"amount": "1"}),
        json!({"amount": "-0"}),
    ]);
    values.extend([json!({"amount": "1", "more": 1}), json!([{"categoryId": "x"}])]);
    let mut taken = 0;
    for Described { operation, .. } in openapi::operations() {
        let Some(body) = operation.body else { continue };
        let schema = validator(&document, &json!({"schema": reference(body.name)}));
        for name in body.fields.iter().filter(|name| !BY_TABLE.contains(name)) {
            for value in &values {
                let mut changed = body.example.clone();
                changed[*name] = value.clone();
                let parsed = (body.parse)(changed.to_string().as_bytes());
                assert!(parsed.is_ok() || !schema.is_valid(&changed), "{} {changed}: {parsed:?}", body.name);
                taken += usize::from(parsed.is_ok());
            }
        }
    }
    assert!(taken > 300, "{taken}");
}

/// The arguments of a call that begins after its opening bracket, in their text.
fn arguments(text: &str) -> Vec<&str> {
    let (mut depth, mut start, mut quoted, mut escaped) = (0, 0, false, false);
    let mut found = Vec::new();
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' if depth == 0 => {
                found.push(text[start..at].trim());
                return found;
            }
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(text[start..at].trim());
                start = at + 1;
            }
            _ => {}
        }
    }
    found
}

fn is_code(text: &str) -> Option<&str> {
    let word = text.strip_prefix('"')?.strip_suffix('"')?;
    word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_').then_some(word)
}

#[test]
fn the_codes_of_refused_values_in_the_code_are_the_listed_ones() {
    // The call, and which of its arguments is the code.
    const CALLS: [(&str, usize); 7] = [
        ("Rejection::new(", 1),
        ("Problem::field(", 1),
        ("self.add(", 1),
        ("parse_text(", 2),
        ("refuse(", 0),
        ("refuse(", 1),
        ("parsed_field! {", usize::MAX),
    ];
    let mut used = BTreeMap::new();
    let mut all = String::new();
    for (name, text) in ["finance/src", "shared/src", "functions"].into_iter().flat_map(sources) {
        let text = text.split("#[cfg(test)]").next().unwrap();
        if name.ends_with("edge/contract.rs") {
            continue;
        }
        all.push_str(text);
        for (call, which) in CALLS {
            for after in text.split(call).skip(1) {
                let arguments = arguments(after);
                let codes: Vec<&str> = match which {
                    usize::MAX => arguments.iter().filter_map(|text| is_code(text)).collect(),
                    which => arguments.get(which).and_then(|text| is_code(text)).into_iter().collect(),
                };
                used.extend(codes.into_iter().map(|code| (code.to_owned(), name.clone())));
            }
        }
    }
    let listed: BTreeSet<&str> = ERROR_CODES.iter().map(|(code, _)| *code).collect();
    let unlisted: Vec<_> = used.iter().filter(|(code, _)| !listed.contains(&***code)).collect();
    assert_eq!(unlisted, Vec::<(&String, &String)>::new(), "shared::edge::contract::ERROR_CODES lacks them");
    assert!(used.len() >= 30, "{used:?}");
    let unused: Vec<_> = listed.iter().filter(|code| !all.contains(&format!("\"{code}\""))).collect();
    assert_eq!(unused, Vec::<&&str>::new(), "no code uses them");
}
