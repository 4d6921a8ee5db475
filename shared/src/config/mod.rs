//! The environment, read once and parsed into types. Reports every problem at once, by name and reason, never a value.
//! Must never be read elsewhere: clippy refuses `std::env::var` outside this file.

mod outlets;
mod read;
mod schema;
mod uri;

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use http::{HeaderMap, Uri};
use secrecy::{ExposeSecret, SecretString};
use sentry_types::Dsn;

pub use schema::{Kind, NOT_YET, ReadBy, SCHEMA, SECRET_LENGTH_MIN, Variable};

/// What a function uses; it requires no variable of the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// `MONGODB_URI`.
    Mongo,
    /// `REDIS_URL`.
    Redis,
    /// `JWT_SECRET` or `JWT_KEYS`: verifies access tokens, signs cursors.
    Jwt,
    /// `JWT_REFRESH_SECRET` and `PASSWORD_PEPPER`: issues tokens, checks passwords.
    Auth,
    /// `BACKUP_BUCKET`: writes backups.
    Backup,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppEnv {
    Development,
    Test,
    Production,
}

impl AppEnv {
    /// Its word in `APP_ENV`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Development => "development",
            Self::Test => "test",
            Self::Production => "production",
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Pretty,
}

/// One signing key.
#[derive(Clone)]
pub struct JwtKey {
    pub kid: String,
    pub key: SecretString,
}

#[derive(Clone)]
pub struct JwtConfig {
    /// Signs with the first; verifies with any.
    pub keys: Vec<JwtKey>,
    pub issuer: String,
    pub audience: String,
    pub access_ttl: Duration,
}

#[derive(Clone)]
pub struct AuthConfig {
    pub refresh_secret: SecretString,
    pub pepper: SecretString,
    pub refresh_ttl: Duration,
    pub argon2_memory_kib: u32,
    pub argon2_iterations: u32,
    pub secure_cookies: bool,
    pub default_currency: finance::currency::Currency,
}

#[derive(Clone)]
pub struct MongoConfig {
    pub uri: SecretString,
    pub database: String,
    pub pool_size: u32,
    pub connect_timeout: Duration,
    pub server_selection_timeout: Duration,
    /// All MongoDB work of one request, a retry included.
    pub operation_timeout: Duration,
    /// How often a start that needs MongoDB tries, and how long it pauses after the first time.
    pub connect_attempts: u32,
    pub connect_backoff: Duration,
}

#[derive(Clone)]
pub struct RedisConfig {
    pub url: SecretString,
    pub key_prefix: String,
    pub connect_timeout: Duration,
    /// All Redis work of one request.
    pub response_timeout: Duration,
}

/// Where backups go.
#[derive(Clone, Debug)]
pub struct BackupConfig {
    pub bucket: String,
    /// The key that seals them; absent: the bucket's own default.
    pub kms_key_id: Option<String>,
}

#[derive(Clone, Copy, Debug)]
pub struct LimitsConfig {
    pub window: Duration,
    pub general_max: u64,
    pub auth_max: u64,
    pub heavy_max: u64,
}

#[derive(Clone, Debug)]
pub struct LoggingConfig {
    /// The least level that is written: `trace`, `debug`, `info`, `warn` or `error`.
    pub level: String,
    pub format: LogFormat,
    /// CloudWatch's namespace of our metrics.
    pub metrics_namespace: String,
}

impl Default for LoggingConfig {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Json,
            metrics_namespace: "FinTrackPro".to_owned(),
        }
    }
}

/// Where traces go.
#[derive(Clone, PartialEq, Eq)]
pub struct TracesConfig {
    /// OTLP's whole address of traces.
    pub endpoint: Uri,
    /// Sent with them; secret.
    pub headers: HeaderMap,
}

/// Where error reports go.
#[derive(Clone, PartialEq, Eq)]
pub struct ReportsConfig {
    pub dsn: Dsn,
    /// Of a thousand answers with 5xx, how many are reported.
    pub thousandths: u16,
}

/// The parsed configuration. A part that the function does not need is `None`.
#[derive(Clone)]
pub struct Config {
    pub app_env: AppEnv,
    pub logging: LoggingConfig,
    pub jwt: Option<JwtConfig>,
    pub auth: Option<AuthConfig>,
    pub mongo: Option<MongoConfig>,
    pub redis: Option<RedisConfig>,
    pub backup: Option<BackupConfig>,
    pub cors_origins: Vec<String>,
    pub limits: LimitsConfig,
    /// Absent: no trace is made.
    pub traces: Option<TracesConfig>,
    /// Absent: nothing is reported.
    pub reports: Option<ReportsConfig>,
    pub deadline_margin: Duration,
    pub max_body_bytes: usize,
    /// How long secrets of Secrets Manager are used before they are read again; chance adds or takes a fifth.
    pub secrets_ttl: Duration,
    /// Problems that do not keep this environment from starting.
    pub warnings: Vec<Finding>,
}

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// There is no safe default: no environment starts.
    Fatal,
    /// Production does not start; elsewhere the documented default is used.
    Serious,
    /// Worth telling; every environment starts.
    Notice,
}

/// One variable and what is wrong with it. Never its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub variable: &'static str,
    pub reason: String,
    pub severity: Severity,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.variable, self.reason)
    }
}

/// Every problem of a configuration that cannot be used.
#[derive(Debug)]
pub struct ConfigError {
    pub findings: Vec<Finding>,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid configuration: ")?;
        for (index, finding) in self.findings.iter().enumerate() {
            write!(f, "{}{finding}", if index == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

/// The process's environment; the one place that reads it.
#[expect(clippy::disallowed_methods, reason = "the one place that reads the environment")]
pub fn environment() -> HashMap<String, String> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// What a look at the variables found.
pub struct Checked {
    /// What would be used, with defaults in place of what cannot be.
    pub config: Config,
    /// Every problem, in the order of the schema's groups.
    pub findings: Vec<Finding>,
}

impl Checked {
    /// The findings that keep this environment from starting.
    pub fn blocking(&self) -> impl Iterator<Item = &Finding> {
        let production = self.config.app_env == AppEnv::Production;
        self.findings.iter().filter(move |finding| match finding.severity {
            Severity::Fatal => true,
            Severity::Serious => production,
            Severity::Notice => false,
        })
    }
}

impl Config {
    /// Parses the variables of `needs`.
    ///
    /// # Errors
    /// All findings at once. In production any serious one is one; elsewhere only a variable without a safe default is.
    pub fn load(variables: &HashMap<String, String>, needs: &[Need]) -> Result<Self, ConfigError> {
        let checked = Self::check(variables, needs);
        if checked.blocking().next().is_some() {
            let told = |finding: &Finding| finding.severity != Severity::Notice;
            return Err(ConfigError { findings: checked.findings.into_iter().filter(told).collect() });
        }
        Ok(Config { warnings: checked.findings, ..checked.config })
    }

    /// Looks at the variables of `needs`, whatever is wrong with them. An empty variable counts as one that is not set.
    pub fn check(variables: &HashMap<String, String>, needs: &[Need]) -> Checked {
        read::check(variables, needs)
    }
}

impl MongoConfig {
    /// Whether a client of one would do for the other.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let settings = |config: &Self| {
            (
                config.uri.expose_secret().to_owned(),
                config.database.clone(),
                config.pool_size,
                (config.connect_timeout, config.server_selection_timeout, config.operation_timeout),
            )
        };
        settings(self) == settings(other)
    }

    /// The URI without its credentials, for messages.
    pub fn redacted_uri(&self) -> String {
        redact(self.uri.expose_secret())
    }
}

impl RedisConfig {
    /// Whether a client of one would do for the other.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        let settings = |config: &Self| {
            (
                config.url.expose_secret().to_owned(),
                config.key_prefix.clone(),
                (config.connect_timeout, config.response_timeout),
            )
        };
        settings(self) == settings(other)
    }
}

/// A URI's scheme and hosts. Its credentials are replaced; its path and options, which may hold others, are left out.
pub fn redact(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else { return "***".to_owned() };
    // A password may hold an `@` or a `/` that should have been escaped: the last `@` ends it.
    let (credentials, hosts) = rest.rsplit_once('@').map_or(("", rest), |(_, hosts)| ("***@", hosts));
    let hosts = hosts.split(['/', '?', '#']).next().unwrap_or_default();
    format!("{scheme}://{credentials}{hosts}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const ALL: &[Need] = &[Need::Mongo, Need::Redis, Need::Jwt, Need::Auth, Need::Backup];

    fn load(pairs: &[(&str, &str)], needs: &[Need]) -> Result<Config, ConfigError> {
        let map = pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
        Config::load(&map, needs)
    }

    #[test]
    fn production_reports_every_problem_at_once_and_no_value() {
        let Err(error) = load(
            &[
                ("APP_ENV", "production"),
                ("JWT_SECRET", "hunter2"),
                ("MONGODB_URI", "postgres://u:hunter2@h"),
                ("RATE_LIMIT_AUTH_MAX", "hunter2"),
                ("SECURE_COOKIES", "false"),
                ("BACKUP_BUCKET", "hunter2/"),
            ],
            ALL,
        ) else {
            panic!("a bad production set must not load");
        };
        let text = error.to_string();
        for name in [
            "JWT_SECRET",
            "JWT_REFRESH_SECRET",
            "PASSWORD_PEPPER",
            "MONGODB_URI",
            "REDIS_URL",
            "RATE_LIMIT_AUTH_MAX",
            "SECURE_COOKIES",
            "BACKUP_BUCKET",
        ] {
            assert!(text.contains(name), "{name} is missing in: {text}");
        }
        assert!(!text.contains("hunter2"), "a value is printed: {text}");
    }

    #[test]
    fn development_warns_and_takes_the_documented_default() {
        let config =
            load(&[("RATE_LIMIT_GENERAL_MAX", "many"), ("JWT_SECRET", SECRET)], &[Need::Jwt, Need::Mongo])
                .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.limits.general_max, 100);
        assert_eq!(config.warnings.len(), 1);
    }

    #[test]
    fn a_function_requires_only_what_it_uses() {
        assert!(load(&[], &[Need::Mongo, Need::Redis]).is_ok());
        assert!(load(&[], &[Need::Jwt]).is_err(), "there is no safe default for a signing key");
    }

    /// A production set that starts.
    const GOOD: &[(&str, &str)] = &[
        ("APP_ENV", "production"),
        ("JWT_SECRET", SECRET),
        ("JWT_REFRESH_SECRET", "another-0123456789abcdef0123456789"),
        ("PASSWORD_PEPPER", "a-third-0123456789abcdef0123456789"),
        ("MONGODB_URI", "mongodb+srv://user:word@cluster.example.net/?retryWrites=true"),
        ("REDIS_URL", "rediss://:word@cache.example.net:6380/0"),
        ("BACKUP_BUCKET", "fintrack-backups"),
    ];

    /// What production says of the good set with one variable changed.
    fn findings_with(name: &str, value: &str) -> Vec<String> {
        let mut pairs: Vec<_> = GOOD.iter().copied().filter(|(known, _)| *known != name).collect();
        pairs.push((name, value));
        match load(&pairs, ALL) {
            Ok(config) => config.warnings.iter().map(|finding| format!("notice: {finding}")).collect(),
            Err(error) => error.findings.iter().map(ToString::to_string).collect(),
        }
    }

    #[test]
    fn every_range_is_held_at_both_ends() {
        assert!(load(GOOD, ALL).is_ok_and(|config| config.warnings.is_empty()));
        for variable in SCHEMA.iter().filter(|variable| !matches!(variable.read_by, ReadBy::Local)) {
            let Kind::Number { default, min, max, .. } = variable.kind else { continue };
            assert!((min..=max).contains(&default), "{}", variable.name);
            for good in [min, default, max] {
                let mut found = findings_with(variable.name, &format!(" {good} "));
                found.retain(|said| !said.contains("cheaper to guess"));
                assert_eq!(found, Vec::<String>::new(), "{}={good}", variable.name);
            }
            for bad in
                [(min - 1).to_string(), (max + 1).to_string(), "-1".into(), "1.5".into(), "many".into()]
            {
                let found = findings_with(variable.name, &bad);
                let said = format!("{} must be a whole number from {min} to {max}", variable.name);
                assert_eq!(found, [said], "{bad}");
            }
        }
    }

    #[test]
    fn every_choice_takes_its_words_only() {
        for variable in SCHEMA {
            let Kind::Choice { words, default } = variable.kind else { continue };
            assert!(words.contains(&default), "{}", variable.name);
            if variable.read_by == ReadBy::Local {
                continue;
            }
            for word in words.iter().filter(|_| variable.name != "APP_ENV") {
                assert_eq!(
                    findings_with(variable.name, word),
                    Vec::<String>::new(),
                    "{}={word}",
                    variable.name
                );
            }
            let found = findings_with(variable.name, "hunter2");
            assert!(found.iter().any(|said| said.starts_with(variable.name)), "{found:?}");
        }
    }

    #[test]
    fn a_secret_is_long_and_each_another() {
        for name in ["JWT_SECRET", "JWT_REFRESH_SECRET", "PASSWORD_PEPPER"] {
            assert_eq!(
                findings_with(name, &SECRET[1..]),
                [format!("{name} must have at least 32 characters")]
            );
        }
        let shared = findings_with("PASSWORD_PEPPER", SECRET);
        assert_eq!(shared, ["PASSWORD_PEPPER must not be the same as JWT_SECRET"]);
    }

    #[test]
    fn a_backup_needs_a_bucket_that_can_be_one() {
        let said = ["BACKUP_BUCKET must be the name of an S3 bucket"];
        for bad in ["s3://fintrack", "Fintrack", "fi", "-fintrack", "fintrack.", "a_b_c", &"a".repeat(64)] {
            assert_eq!(findings_with("BACKUP_BUCKET", bad), said, "{bad}");
        }
        assert_eq!(findings_with("BACKUP_BUCKET", " "), ["BACKUP_BUCKET is required"]);
        assert_eq!(findings_with("BACKUP_BUCKET", "a.b-3"), Vec::<String>::new());
        let error = load(&[], &[Need::Backup]).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(error.contains("BACKUP_BUCKET is required"), "there is no safe default: {error}");
    }

    #[test]
    fn urls_are_urls() {
        let mongo = "MONGODB_URI must be a URL that begins with mongodb:// or mongodb+srv://";
        for bad in [
            "postgres://h",
            "mongodb://",
            "mongodb://user@",
            "mongodb://h:port",
            "mongodb://h:0",
            "mongodb://h:70000",
            "mongodb://a b",
            "mongodb://h,,i",
            "mongodb:h",
            "mongodb://h/?retryWrites=maybe",
            "://h",
        ] {
            assert_eq!(findings_with("MONGODB_URI", bad), [mongo], "{bad}");
        }
        for good in
            ["mongodb://a,b:27018,c.example.net:1/?replicaSet=rs0&tls=true", "mongodb://u:p@[::1]:27017/db"]
        {
            assert_eq!(findings_with("MONGODB_URI", good), Vec::<String>::new(), "{good}");
        }
        for bad in ["http://h", "redis://", "redis://h:x", "redis://h/x", "rediss://h/#x"] {
            assert_eq!(findings_with("REDIS_URL", bad).len(), 1, "{bad}");
        }
        for bad in
            ["*", "https://*.example.com", "https://a.example.com/", "app.example.com", "ftp://a", "https://"]
        {
            assert_eq!(findings_with("CORS_ORIGINS", bad).len(), 1, "{bad}");
        }
        let good = "https://a.example.com, http://127.0.0.1:5173";
        assert_eq!(findings_with("CORS_ORIGINS", good), Vec::<String>::new());
    }

    #[test]
    fn production_is_told_of_connections_that_others_can_read_and_checks_certificates() {
        let plain = "notice: MONGODB_URI is not encrypted: use mongodb+srv://, or tls=true";
        assert_eq!(findings_with("MONGODB_URI", "mongodb://db.example.net"), [plain]);
        for good in ["mongodb://a.example.net/?tls=true", "mongodb://127.0.0.1:27017,localhost:1"] {
            assert_eq!(findings_with("MONGODB_URI", good), Vec::<String>::new(), "{good}");
        }
        let unchecked =
            findings_with("MONGODB_URI", "mongodb://a/?tls=true&tlsAllowInvalidCertificates=true");
        assert_eq!(unchecked, ["MONGODB_URI must check the certificate of the cluster in production"]);
        let redis = findings_with("REDIS_URL", "redis://:word@cache.example.net");
        assert_eq!(redis, ["notice: REDIS_URL is not encrypted: use rediss://"]);
        assert_eq!(findings_with("REDIS_URL", "redis://127.0.0.1"), Vec::<String>::new());
        assert_eq!(findings_with("ARGON2_ITERATIONS", "1").len(), 1);
    }

    #[test]
    fn who_is_told_is_an_address_or_nobody() {
        let none = load(GOOD, ALL).ok().map(|config| (config.traces.is_none(), config.reports.is_none()));
        assert_eq!(none, Some((true, true)));
        for (name, bad, said) in [
            (
                "OTEL_EXPORTER_OTLP_ENDPOINT",
                "hunter2:4318",
                "must be a URL that begins with http:// or https://, without credentials or a query",
            ),
            ("OTEL_EXPORTER_OTLP_HEADERS", "hunter2", "must list headers as name=value, separated by commas"),
            ("SENTRY_DSN", "https://hunter2/1", "must be a Sentry DSN such as https://key@host/1"),
            ("SENTRY_SAMPLE_RATE", "2", "must be a number from 0 to 1 with at most three decimals"),
        ] {
            assert_eq!(findings_with(name, bad), [format!("{name} {said}")]);
        }
        let plain = findings_with("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector.example.net:4318");
        assert_eq!(plain, ["notice: OTEL_EXPORTER_OTLP_ENDPOINT is not encrypted: use https://"]);
        let plain = findings_with("SENTRY_DSN", "http://hunter2@sentry.example.net/1");
        assert_eq!(plain, ["notice: SENTRY_DSN is not encrypted: use https://"]);
        for (name, good) in [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318"),
            ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=hunter2"),
            ("SENTRY_DSN", "https://hunter2@sentry.example.net/1"),
            ("SENTRY_SAMPLE_RATE", "0.25"),
        ] {
            assert_eq!(findings_with(name, good), Vec::<String>::new(), "{name}");
        }
    }

    #[test]
    fn signing_keys_have_one_active_kid_and_no_kid_twice() {
        let key = |kid: &str| format!(r#"{{"kid":"{kid}","key":"{SECRET}"}}"#);
        let keys =
            |active: &str, keys: &[String]| format!(r#"{{"active":"{active}","keys":[{}]}}"#, keys.join(","));
        let good = keys("b", &[key("a"), key("b")]);
        assert_eq!(findings_with("JWT_KEYS", &good), Vec::<String>::new());
        let short = keys("a", &[r#"{"kid":"a","key":"hunter2"}"#.to_owned()]);
        for bad in ["hunter2", "{}", &keys("c", &[key("a")]), &keys("a", &[key("a"), key("a")]), &short] {
            let found = findings_with("JWT_KEYS", bad);
            assert!(
                !found.is_empty() && found.iter().all(|said| said.starts_with("JWT_KEYS")),
                "{bad}: {found:?}"
            );
            assert!(!found.concat().contains("hunter2"));
        }
        let twice = keys("a", &[key("a"), key("b"), key("b")]);
        assert_eq!(findings_with("JWT_KEYS", &twice), ["JWT_KEYS must not hold a kid twice"]);
    }

    #[test]
    fn what_this_version_does_not_read_is_told_and_stops_nobody() {
        for name in NOT_YET {
            assert!(SCHEMA.iter().all(|variable| variable.name != *name), "{name} is read");
            let said = format!("notice: {name} is set, but this version does not read it");
            assert_eq!(findings_with(name, "hunter2"), [said]);
        }
    }

    #[test]
    fn an_alias_is_read_and_its_name_wins() {
        let level =
            |pairs: &[(&str, &str)]| load(pairs, &[]).map(|config| config.logging.level).unwrap_or_default();
        assert_eq!(level(&[("AWS_LAMBDA_LOG_LEVEL", "WARN")]), "warn");
        assert_eq!(level(&[("AWS_LAMBDA_LOG_LEVEL", "FATAL")]), "error", "Lambda's own word");
        assert_eq!(level(&[("AWS_LAMBDA_LOG_LEVEL", "WARN"), ("LOG_LEVEL", "debug")]), "debug");
        let env = |pairs: &[(&str, &str)]| load(pairs, &[]).map(|config| config.app_env).ok();
        assert_eq!(env(&[("NODE_ENV", "test")]), Some(AppEnv::Test));
        assert_eq!(env(&[("NODE_ENV", "test"), ("APP_ENV", "production")]), Some(AppEnv::Production));
        assert_eq!(env(&[("NODE_ENV", "staging")]), None, "no rules are known for it");
    }

    #[test]
    fn each_variable_is_read() {
        const ELSEWHERE: [&str; 5] = ["SECRETS_ID", "AWS_REGION", "AWS_ENDPOINT_URL", "PORT", "FRESH"];
        let reader = include_str!("read.rs");
        for variable in SCHEMA {
            let is_read = reader.contains(&format!("raw.{}", variable.name.to_lowercase()));
            assert_ne!(is_read, ELSEWHERE.contains(&variable.name), "{}", variable.name);
        }
    }

    #[test]
    fn the_names_are_the_products_and_each_is_described() {
        let mut names: Vec<_> = SCHEMA.iter().flat_map(|v| [Some(v.name), v.alias]).flatten().collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "no name twice");
        assert!(SCHEMA.len() >= 35);
        for variable in SCHEMA {
            assert!(variable.about.ends_with('.'), "{}", variable.name);
        }
    }

    #[test]
    fn a_redacted_uri_keeps_the_host_only() {
        assert_eq!(redact("mongodb://user:p%40ss@db.example:27017/x"), "mongodb://***@db.example:27017");
        assert_eq!(redact("mongodb://u:p@s/s?@a,b/x?tlsCertificateKeyFilePassword=y"), "mongodb://***@a,b");
        assert_eq!(redact("mongodb://a/?authMechanismProperties=AWS_SESSION_TOKEN:x"), "mongodb://a");
        assert_eq!(redact("no address at all"), "***");
        assert_eq!(redact("redis://127.0.0.1:6379"), "redis://127.0.0.1:6379");
    }
}
