//! The environment, as lines `NAME=value`: whatever it holds, loading ends, with every finding by name and none with a
//! value.

use std::collections::HashMap;

use shared::config::{AppEnv, Config, NOT_YET, Need, SCHEMA, Severity, redact};

/// No text of the service contains it; an input that does shows nothing.
const CANARY: &str = "q7x9canary";

/// What each function needs, and all together.
const NEEDS: &[&[Need]] = &[
    &[],
    &[Need::Mongo, Need::Redis],
    &[Need::Mongo, Need::Backup],
    &[Need::Mongo, Need::Redis, Need::Jwt],
    &[Need::Mongo, Need::Redis, Need::Jwt, Need::Auth],
];

fn is_known(variable: &str) -> bool {
    let described = SCHEMA.iter().any(|known| known.name == variable || known.alias == Some(variable));
    described || NOT_YET.contains(&variable)
}

pub(super) fn check(input: &[u8]) {
    let Some(text) = super::text(input).filter(|text| !text.contains(CANARY)) else { return };
    let pairs = text.lines().filter_map(|line| line.split_once('='));
    let given: HashMap<String, String> =
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    let marked: HashMap<String, String> =
        given.iter().map(|(name, value)| (name.clone(), format!("{value}{CANARY}"))).collect();
    for needs in NEEDS {
        for variables in [&given, &marked] {
            let findings = match Config::load(variables, needs) {
                Ok(config) => {
                    let noticed = config.warnings.iter().all(|finding| finding.severity == Severity::Notice);
                    assert!(
                        noticed || config.app_env != AppEnv::Production,
                        "production lives with a problem"
                    );
                    assert_eq!(config.jwt.is_some(), needs.contains(&Need::Jwt));
                    let keys = config.jwt.iter().all(|jwt| !jwt.keys.is_empty());
                    assert!(keys, "there is no key to sign with");
                    assert!(config.max_body_bytes <= 4 * 1024 * 1024);
                    config.warnings
                }
                Err(error) => {
                    assert!(!error.findings.is_empty(), "it failed for no reason");
                    let said = error.to_string();
                    assert!(error.findings.iter().all(|finding| said.contains(finding.variable)), "{said}");
                    error.findings
                }
            };
            for finding in findings {
                assert!(is_known(finding.variable), "{finding}");
                assert!(!finding.to_string().contains(CANARY), "a value is told: {finding}");
            }
        }
    }
    for value in given.values() {
        let secret = format!("mongodb://user:{CANARY}@{value}");
        assert!(!redact(&secret).contains(CANARY), "{secret}");
    }
}
