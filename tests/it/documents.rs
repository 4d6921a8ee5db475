//! Documents that are written from the code are what the code says. `UPDATE=1` (make docs) writes them.

use std::collections::BTreeSet;

use local::configuration;
use tests::openapi;

use crate::root;

fn hold(file: &str, text: &str) {
    let path = root().join(file);
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
    hold("docs/problems.md", &openapi::problems_md().unwrap());
}

#[test]
fn degradation_md_is_what_the_fault_tests_hold() {
    hold("docs/degradation.md", &crate::faults::degradation_md());
}

#[test]
fn configuration_md_is_what_the_schema_says() {
    hold("docs/configuration.md", &configuration::document());
}

#[test]
fn env_example_is_what_the_schema_says() {
    hold(".env.example", &configuration::example());
}

/// The names of functions in every Rust file of the workspace.
fn functions() -> BTreeSet<String> {
    let root = root();
    let mut folders: Vec<_> =
        ["finance", "shared", "functions", "local", "tests"].map(|of| root.join(of)).into();
    let mut names = BTreeSet::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(path).unwrap();
                let named = text.split("fn ").skip(1).filter_map(|rest| rest.split(['(', '<']).next());
                names.extend(named.map(str::to_owned));
            }
        }
    }
    names
}

#[test]
fn a_test_that_a_document_names_exists() {
    let functions = functions();
    let docs = root().join("docs");
    let mut named = 0;
    for file in ["promises.md", "asvs.md", "degradation.md"] {
        let text =
            std::fs::read_to_string(docs.join(file)).unwrap_or_else(|error| panic!("docs/{file}: {error}"));
        let quoted = text.split('`').skip(1).step_by(2).filter_map(|quoted| quoted.rsplit_once("::"));
        // A sentence, not a type or a module.
        for (_, test) in quoted.filter(|(_, last)| last.matches('_').count() >= 2) {
            assert!(functions.contains(test), "docs/{file} names {test}, and there is no such test");
            named += 1;
        }
    }
    assert!(named > 100, "the documents name {named} tests");
}
