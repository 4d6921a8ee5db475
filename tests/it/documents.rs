//! Documents that are written from the code are what the code says. `UPDATE=1` (make docs) writes them.

use std::path::Path;

use local::configuration;
use tests::openapi;

fn hold(file: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    if shared::config::environment().contains_key("UPDATE") {
        return std::fs::write(path, text).unwrap();
    }
    let kept = std::fs::read_to_string(path).unwrap_or_default();
    let line = kept.lines().zip(text.lines()).position(|(kept, new)| kept != new);
    let line = line.unwrap_or_else(|| kept.lines().count().min(text.lines().count())) + 1;
    assert!(kept == text, "{file} is not what the code says, from line {line} on: make docs writes it");
}

#[test]
fn openapi_json_is_what_the_code_says() {
    hold("docs/openapi.json", &openapi::openapi_json().unwrap());
}

#[test]
fn problems_md_is_what_the_code_says() {
    hold("docs/problems.md", &openapi::problems_md());
}

#[test]
fn configuration_md_is_what_the_schema_says() {
    hold("docs/configuration.md", &configuration::document());
}

#[test]
fn env_example_is_what_the_schema_says() {
    hold(".env.example", &configuration::example());
}
