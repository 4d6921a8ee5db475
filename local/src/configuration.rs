//! The configuration for people: a check of what is set (`make config-check`), and the two documents that are written from
//! the schema. Must never show a secret, nor any part of one.

use std::collections::BTreeMap;
use std::fmt::Write;

use shared::config::{Checked, Config, Finding, Kind, NOT_YET, ReadBy, SCHEMA, Severity, Variable, redact};
use shared::edge::Function;

use crate::functions::{self, apis};
use crate::workspace::{Variables, variable};

/// What a report calls the commands of a developer's machine.
const LOCAL_RUN: &str = "the local run";

/// What a check prints, and whether every function would start.
pub struct Report {
    pub text: String,
    pub starts: bool,
}

/// The effective configuration, redacted, and every problem of every function.
pub fn check(variables: &Variables) -> Report {
    // A machine without a bucket has no backups, and nothing wrong with them.
    let has_bucket = variable(variables, "BACKUP_BUCKET").is_some();
    let all = apis().map(|(function, _)| function).chain(functions::jobs().filter(|_| has_bucket));
    let checked: Vec<(Function, Checked)> =
        all.map(|function| (function, Config::check(variables, function.needs))).collect();
    let mut text = String::new();
    let width = SCHEMA.iter().map(|variable| variable.name.len()).max().unwrap_or_default();
    for variable in SCHEMA {
        let _ = writeln!(text, "{:width$}  {}", variable.name, effective(variable, variables));
    }
    let of_the_local_run = of_the_local_run(variables);
    let all = checked.iter().map(|(function, checked)| (function.name, &checked.findings));
    let mut findings: BTreeMap<String, (&Finding, Vec<&str>)> = BTreeMap::new();
    for (whose, found) in all.chain([(LOCAL_RUN, &of_the_local_run)]) {
        for finding in found {
            findings.entry(finding.to_string()).or_insert_with(|| (finding, Vec::new())).1.push(whose);
        }
    }
    text.push('\n');
    for (finding, functions) in findings.values() {
        let word = match finding.severity {
            Severity::Fatal => "Error",
            Severity::Serious if is_production(&checked) => "Error",
            Severity::Serious => "Warning",
            Severity::Notice => "Notice",
        };
        let whose =
            if functions.len() == checked.len() { "every function".to_owned() } else { functions.join(", ") };
        let _ = writeln!(text, "{word}: {finding} ({whose})");
    }
    if findings.is_empty() {
        text.push_str("No problem found.\n");
    }
    let stopped = checked.iter().filter(|(_, checked)| checked.blocking().next().is_some());
    let mut stops: Vec<&str> = stopped.map(|(function, _)| function.name).collect();
    stops.extend((!of_the_local_run.is_empty()).then_some(LOCAL_RUN));
    if !stops.is_empty() {
        let _ = writeln!(text, "These would not start: {}", stops.join(", "));
    }
    Report { text, starts: stops.is_empty() }
}

/// What is wrong with the variables that only the commands of a developer's machine read.
fn of_the_local_run(variables: &Variables) -> Vec<Finding> {
    let ours = SCHEMA.iter().filter(|of| of.read_by == ReadBy::Local);
    ours.filter_map(|of| {
        let reason = of.kind.refuses(variable(variables, of.name)?)?;
        Some(Finding { variable: of.name, reason, severity: Severity::Fatal })
    })
    .collect()
}

fn is_production(checked: &[(Function, Checked)]) -> bool {
    checked.iter().any(|(_, checked)| checked.config.app_env == shared::config::AppEnv::Production)
}

/// What is in force, as may be shown.
fn effective(of: &Variable, variables: &Variables) -> String {
    let set = variable(variables, of.name).map(|value| (value, None));
    let set = set.or_else(|| Some((variable(variables, of.alias?)?, of.alias)));
    match set {
        Some((value, alias)) => {
            let from = alias.map(|alias| format!(" (from {alias})")).unwrap_or_default();
            format!("{}{from}", shown(of, value))
        }
        None => match default(of) {
            Some(default) => format!("{default} (default)"),
            None if of.required => "not set".to_owned(),
            None => "not set (optional)".to_owned(),
        },
    }
}

fn shown(of: &Variable, value: &str) -> String {
    match of.kind {
        // A URL that is none may hold the password in any place of it.
        Kind::Url { schemes, .. } if schemes.iter().any(|scheme| value.starts_with(scheme)) => redact(value),
        _ if of.secret => format!("set, {} characters", value.chars().count()),
        _ => value.to_owned(),
    }
}

/// The default, where there is one.
fn default(of: &Variable) -> Option<String> {
    match of.kind {
        Kind::Text { default: "" } | Kind::Secret | Kind::Keys { .. } | Kind::Bucket | Kind::List { .. } => {
            None
        }
        Kind::Endpoint | Kind::Headers | Kind::Dsn => None,
        Kind::Text { default }
        | Kind::Choice { default, .. }
        | Kind::Flag { default }
        | Kind::Share { default } => Some(default.to_owned()),
        Kind::Number { default, .. } => Some(default.to_string()),
        Kind::Url { development, .. } => Some(format!("{development} outside production")),
    }
}

fn values(of: &Variable) -> String {
    match of.kind {
        Kind::Text { .. } => "text".to_owned(),
        Kind::Number { min, max, unit, .. } => format!("{min} to {max} {unit}"),
        Kind::Choice { words, .. } => {
            words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
        }
        Kind::Flag { .. } => "`true`, `false`".to_owned(),
        Kind::Url { schemes, .. } => {
            schemes.iter().map(|scheme| format!("`{scheme}…`")).collect::<Vec<_>>().join(", ")
        }
        Kind::Secret => format!("{} characters or more", shared::config::SECRET_LENGTH_MIN),
        Kind::Keys { form } => {
            format!("JSON `{form}`, keys of {} characters or more", shared::config::SECRET_LENGTH_MIN)
        }
        Kind::Bucket => "a bucket's name".to_owned(),
        Kind::List { of } => format!("{of}, separated by commas"),
        Kind::Endpoint => "`http://…`, `https://…`".to_owned(),
        Kind::Headers => "`name=value`, separated by commas".to_owned(),
        Kind::Dsn => "`https://key@host/project`".to_owned(),
        Kind::Share { .. } => "0 to 1, at most three decimals".to_owned(),
    }
}

/// The functions that read a variable, in words.
fn readers(of: &Variable) -> String {
    match of.read_by {
        ReadBy::Every => "every function".to_owned(),
        ReadBy::Local => LOCAL_RUN.to_owned(),
        ReadBy::AwsSdk => "the AWS SDK".to_owned(),
        ReadBy::With(need) => {
            let all = functions::ALL.iter().map(|registered| &registered.function);
            let (with, without): (Vec<_>, Vec<_>) = all.partition(|of| of.needs.contains(&need));
            let names = |of: Vec<&Function>| of.iter().map(|of| of.name).collect::<Vec<_>>();
            match names(without)[..] {
                [] => "every function".to_owned(),
                [one] => format!("every function but {one}"),
                [one, other] => format!("every function but {one} and {other}"),
                _ => names(with).join(", "),
            }
        }
    }
}

/// docs/configuration.md.
pub fn document() -> String {
    let mut text = String::from(
        "# Configuration\n\n\
         Written from the schema in `shared/src/config/schema.rs` by `make docs`; a test holds them in step. Every problem is\n\
         reported at once, by name and reason, never with a value. In production any problem but a notice keeps a function from starting;\n\
         elsewhere it warns, and the default is used, unless there is no safe one. An empty variable counts as one that is not\n\
         set. `make config-check` prints what is in force and every problem.\n\n\
         | Variable | Values | Default | Read by | What |\n|---|---|---|---|---|\n",
    );
    for of in SCHEMA {
        let alias = of.alias.map(|alias| format!(" (alias `{alias}`)")).unwrap_or_default();
        let default = match (of.kind, default(of)) {
            (Kind::Url { development, .. }, _) => format!("required in production; else `{development}`"),
            (_, Some(default)) if default.contains(' ') => default,
            (_, Some(default)) => format!("`{default}`"),
            (_, None) if of.required => "required".to_owned(),
            (_, None) => "none".to_owned(),
        };
        let secret = if of.secret { "Secret. " } else { "" };
        let _ = writeln!(
            text,
            "| `{}`{alias} | {} | {default} | {} | {secret}{} |",
            of.name,
            values(of),
            readers(of),
            of.about
        );
    }
    text.push_str(
        "\n## Names of features that are not there yet\n\n\
         Setting one of these is told in the log and by `make config-check`, and changes nothing:\n",
    );
    let names: Vec<String> = NOT_YET.iter().map(|name| format!("`{name}`")).collect();
    let _ = writeln!(text, "{}.", names.join(", "));
    text.push_str(
        "\n## In AWS\n\n\
         The template sets what differs between environments; secrets come from Secrets Manager (`SECRETS_ID`): `db`\n\
         (`MONGODB_URI`, `REDIS_URL`) for every function, `jwt` (`JWT_SECRET` or `JWT_KEYS`) for all but health and backup, and two for auth\n\
         alone (`JWT_REFRESH_SECRET`; `PASSWORD_PEPPER`). They are read again every `SECRETS_TTL_SECONDS`, at once when a token is\n\
         signed with a key that is not known, and with the next request after MongoDB refused the credentials, these two once a\n\
         minute at most. While Secrets Manager does not answer, what was read before is used for an hour beyond its time; after that every request is 503.\n\n\
         To rotate signing keys without a failed request: add the new key to `JWT_KEYS` (the `kid` of `JWT_SECRET` is `default`), wait 1.2 × `SECRETS_TTL_SECONDS`, make\n\
         it `active`, wait `JWT_ACCESS_TTL_SECONDS` more, take the old one away.\n",
    );
    text
}

/// .env.example.
pub fn example() -> String {
    let mut text = String::from(
        "# Every variable, with its default. Written from shared/src/config/schema.rs by `make docs`.\n\
         # `make run` needs none of them. To use a copy of your own: set -a; . ./.env; set +a; make run\n",
    );
    for of in SCHEMA.iter().filter(|of| of.read_by != ReadBy::AwsSdk) {
        let value = match of.kind {
            Kind::Url { development, .. } => development.to_owned(),
            Kind::Flag { default } if !["true", "false"].contains(&default) => String::new(),
            _ => default(of).unwrap_or_default(),
        };
        let values = match of.kind {
            Kind::Choice { words, .. } => format!("One of: {}", words.join(", ")),
            _ => capital(&values(of)),
        };
        let _ = write!(text, "\n# {} {values}.\n#{}={value}\n", of.about, of.name);
    }
    text
}

fn capital(text: &str) -> String {
    let mut letters = text.replace('`', "").chars().collect::<Vec<_>>();
    // What is to be typed as it is keeps its letters.
    if let Some(first) = letters.first_mut().filter(|_| !text.starts_with('`')) {
        *first = first.to_ascii_uppercase();
    }
    letters.into_iter().collect()
}
