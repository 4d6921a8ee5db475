//! The environment, read once and parsed into types. Reports every problem at once, by name and reason, never a value.
//! Must never be read elsewhere: clippy refuses `std::env::var` outside this file.

use std::collections::HashMap;
use std::fmt;
use std::time::Duration;

use envconfig::Envconfig;
use secrecy::{ExposeSecret, SecretString};

/// The shortest secret that signs or keys anything, in characters.
pub const SECRET_LENGTH_MIN: usize = 32;
const METRICS_NAMESPACE: &str = "FinTrackPro";

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppEnv {
    Development,
    Test,
    Production,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    Json,
    Pretty,
}

macro_rules! raw_environment {
    ($($field:ident = $name:literal,)*) => {
        /// The environment as text. Every field is optional, so that deriving it cannot fail and one pass over it can
        /// report every problem.
        #[derive(Envconfig)]
        struct Raw { $(#[envconfig(from = $name)] $field: Option<String>,)* }

        /// Every variable that the functions read; `SECRETS_ID` says where init finds others of them.
        pub const VARIABLES: &[&str] = &[$($name,)* "SECRETS_ID"];
    };
}

raw_environment! {
    app_env = "APP_ENV",
    node_env = "NODE_ENV",
    log_level = "LOG_LEVEL",
    aws_lambda_log_level = "AWS_LAMBDA_LOG_LEVEL",
    log_format = "LOG_FORMAT",
    aws_lambda_log_format = "AWS_LAMBDA_LOG_FORMAT",
    metrics_namespace = "METRICS_NAMESPACE",
    jwt_secret = "JWT_SECRET",
    jwt_keys = "JWT_KEYS",
    jwt_refresh_secret = "JWT_REFRESH_SECRET",
    jwt_issuer = "JWT_ISSUER",
    jwt_audience = "JWT_AUDIENCE",
    jwt_access_ttl_seconds = "JWT_ACCESS_TTL_SECONDS",
    jwt_refresh_ttl_seconds = "JWT_REFRESH_TTL_SECONDS",
    password_pepper = "PASSWORD_PEPPER",
    mongodb_uri = "MONGODB_URI",
    mongodb_database = "MONGODB_DATABASE",
    mongo_pool_size = "MONGO_POOL_SIZE",
    mongo_connect_timeout_ms = "MONGO_CONNECT_TIMEOUT_MS",
    mongo_server_selection_timeout_ms = "MONGO_SERVER_SELECTION_TIMEOUT_MS",
    mongo_operation_timeout_ms = "MONGO_OPERATION_TIMEOUT_MS",
    redis_url = "REDIS_URL",
    redis_key_prefix = "REDIS_KEY_PREFIX",
    redis_connect_timeout_ms = "REDIS_CONNECT_TIMEOUT_MS",
    redis_response_timeout_ms = "REDIS_RESPONSE_TIMEOUT_MS",
    cors_origins = "CORS_ORIGINS",
    secure_cookies = "SECURE_COOKIES",
    rate_limit_window_seconds = "RATE_LIMIT_WINDOW_SECONDS",
    rate_limit_general_max = "RATE_LIMIT_GENERAL_MAX",
    rate_limit_auth_max = "RATE_LIMIT_AUTH_MAX",
    rate_limit_heavy_max = "RATE_LIMIT_HEAVY_MAX",
    argon2_memory_kib = "ARGON2_MEMORY_KIB",
    argon2_iterations = "ARGON2_ITERATIONS",
    request_deadline_margin_ms = "REQUEST_DEADLINE_MARGIN_MS",
    max_body_bytes = "MAX_BODY_BYTES",
    default_currency = "DEFAULT_CURRENCY",
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
}

#[derive(Clone)]
pub struct RedisConfig {
    pub url: SecretString,
    pub key_prefix: String,
    pub connect_timeout: Duration,
    /// All Redis work of one request.
    pub response_timeout: Duration,
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
            metrics_namespace: METRICS_NAMESPACE.to_owned(),
        }
    }
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
    pub cors_origins: Vec<String>,
    pub limits: LimitsConfig,
    pub deadline_margin: Duration,
    pub max_body_bytes: usize,
    /// Problems that development lives with; production refuses to start.
    pub warnings: Vec<Finding>,
}

/// One variable and what is wrong with it. Never its value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub variable: &'static str,
    pub reason: String,
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

impl Config {
    /// Parses the variables of `needs`.
    ///
    /// # Errors
    /// All findings at once. In production any finding is one; elsewhere only a variable without a safe default is.
    pub fn load(variables: &HashMap<String, String>, needs: &[Need]) -> Result<Self, ConfigError> {
        let variables: HashMap<String, String> = variables
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(k, v)| (k.clone(), v.clone()))
            .collect();
        match Raw::init_from_hashmap(&variables) {
            Ok(raw) => parse(raw, needs),
            Err(_) => Err(ConfigError {
                findings: vec![Finding { variable: "APP_ENV", reason: "could not be read".into() }],
            }),
        }
    }
}

/// Collects findings while reading; `fatal` ones stop every environment.
struct Reader {
    production: bool,
    findings: Vec<Finding>,
    fatal: bool,
}

impl Reader {
    fn note(&mut self, variable: &'static str, reason: impl Into<String>) {
        self.findings.push(Finding { variable, reason: reason.into() });
    }

    fn fail(&mut self, variable: &'static str, reason: impl Into<String>) {
        self.fatal = true;
        self.note(variable, reason);
    }

    fn number(
        &mut self,
        variable: &'static str,
        text: &Option<String>,
        default: u64,
        min: u64,
        max: u64,
    ) -> u64 {
        let Some(text) = text else { return default };
        match text.trim().parse::<u64>() {
            Ok(number) if (min..=max).contains(&number) => number,
            _ => {
                self.note(variable, format!("must be a whole number from {min} to {max}"));
                default
            }
        }
    }

    fn millis(&mut self, variable: &'static str, text: &Option<String>, default: u64) -> Duration {
        Duration::from_millis(self.number(variable, text, default, 1, 600_000))
    }

    fn boolean(&mut self, variable: &'static str, text: &Option<String>, default: bool) -> bool {
        match text.as_deref().map(str::trim) {
            None => default,
            Some("true") => true,
            Some("false") => false,
            Some(_) => {
                self.note(variable, "must be true or false");
                default
            }
        }
    }

    fn secret(&mut self, variable: &'static str, text: &Option<String>) -> SecretString {
        match text {
            None => self.fail(variable, "is required"),
            Some(text) if text.chars().count() < SECRET_LENGTH_MIN => {
                self.note(variable, format!("must have at least {SECRET_LENGTH_MIN} characters"));
            }
            Some(_) => {}
        }
        SecretString::from(text.clone().unwrap_or_default())
    }

    /// A URL of one of `schemes`; outside production a missing one has a safe default on this machine.
    fn url(
        &mut self,
        variable: &'static str,
        text: &Option<String>,
        schemes: &[&str],
        default: &str,
    ) -> SecretString {
        let text = match text {
            Some(text) => text.clone(),
            None => {
                if self.production {
                    self.note(variable, "is required");
                }
                default.to_owned()
            }
        };
        let known =
            schemes.iter().any(|scheme| text.strip_prefix(scheme).is_some_and(|rest| !rest.is_empty()));
        if !known {
            self.fail(variable, format!("must be a URL that begins with {}", schemes.join(" or ")));
        }
        SecretString::from(text)
    }
}

fn parse(raw: Raw, needs: &[Need]) -> Result<Config, ConfigError> {
    let mut reader = Reader { production: false, findings: Vec::new(), fatal: false };
    let app_env = match raw.app_env.as_deref().or(raw.node_env.as_deref()).map(str::trim) {
        None | Some("development") => AppEnv::Development,
        Some("test") => AppEnv::Test,
        Some("production") => AppEnv::Production,
        Some(_) => {
            reader.fail("APP_ENV", "must be development, test or production");
            AppEnv::Production
        }
    };
    reader.production = app_env == AppEnv::Production;
    let needed = |need: Need| needs.contains(&need);
    let config = Config {
        app_env,
        logging: LoggingConfig {
            level: log_level(&mut reader, &raw),
            format: log_format(&mut reader, &raw),
            metrics_namespace: raw.metrics_namespace.clone().unwrap_or_else(|| METRICS_NAMESPACE.to_owned()),
        },
        jwt: needed(Need::Jwt).then(|| jwt(&mut reader, &raw)),
        auth: needed(Need::Auth).then(|| auth(&mut reader, &raw)),
        mongo: needed(Need::Mongo).then(|| mongo(&mut reader, &raw)),
        redis: needed(Need::Redis).then(|| redis(&mut reader, &raw)),
        cors_origins: cors_origins(&mut reader, &raw),
        limits: limits(&mut reader, &raw),
        deadline_margin: reader.millis("REQUEST_DEADLINE_MARGIN_MS", &raw.request_deadline_margin_ms, 300),
        max_body_bytes: usize::try_from(reader.number(
            "MAX_BODY_BYTES",
            &raw.max_body_bytes,
            64 * 1024,
            1024,
            4 * 1024 * 1024,
        ))
        .unwrap_or(64 * 1024),
        warnings: Vec::new(),
    };
    if reader.fatal || (reader.production && !reader.findings.is_empty()) {
        return Err(ConfigError { findings: reader.findings });
    }
    Ok(Config { warnings: reader.findings, ..config })
}

fn log_level(reader: &mut Reader, raw: &Raw) -> String {
    let level =
        raw.log_level.as_deref().or(raw.aws_lambda_log_level.as_deref()).unwrap_or("info").to_lowercase();
    match level.as_str() {
        "trace" | "debug" | "info" | "warn" | "error" => level,
        "fatal" => "error".to_owned(),
        _ => {
            reader.note("LOG_LEVEL", "must be trace, debug, info, warn or error");
            "info".to_owned()
        }
    }
}

fn log_format(reader: &mut Reader, raw: &Raw) -> LogFormat {
    match raw.log_format.as_deref() {
        Some("pretty") => LogFormat::Pretty,
        Some("json") => LogFormat::Json,
        None => match raw.aws_lambda_log_format.as_deref() {
            Some("Text") => LogFormat::Pretty,
            _ => LogFormat::Json,
        },
        Some(_) => {
            reader.note("LOG_FORMAT", "must be json or pretty");
            LogFormat::Json
        }
    }
}

fn jwt(reader: &mut Reader, raw: &Raw) -> JwtConfig {
    let keys = match &raw.jwt_keys {
        Some(text) => jwt_keys(reader, text),
        None => vec![JwtKey { kid: "default".to_owned(), key: reader.secret("JWT_SECRET", &raw.jwt_secret) }],
    };
    JwtConfig {
        keys,
        issuer: raw.jwt_issuer.clone().unwrap_or_else(|| "fintrack-pro".to_owned()),
        audience: raw.jwt_audience.clone().unwrap_or_else(|| "fintrack-pro-api".to_owned()),
        access_ttl: Duration::from_secs(reader.number(
            "JWT_ACCESS_TTL_SECONDS",
            &raw.jwt_access_ttl_seconds,
            900,
            1,
            900,
        )),
    }
}

/// `{active, keys: [{kid, key}]}`; the active key comes first.
fn jwt_keys(reader: &mut Reader, text: &str) -> Vec<JwtKey> {
    #[derive(serde::Deserialize)]
    struct Keys {
        active: String,
        keys: Vec<Key>,
    }
    #[derive(serde::Deserialize)]
    struct Key {
        kid: String,
        key: String,
    }
    let Ok(parsed) = serde_json::from_str::<Keys>(text) else {
        reader.fail("JWT_KEYS", "must be JSON of the form {active, keys: [{kid, key}]}");
        return Vec::new();
    };
    if parsed.keys.iter().any(|key| key.key.chars().count() < SECRET_LENGTH_MIN) {
        reader.fail("JWT_KEYS", format!("must hold keys of at least {SECRET_LENGTH_MIN} characters"));
    }
    let (mut active, others): (Vec<_>, Vec<_>) = parsed
        .keys
        .into_iter()
        .map(|key| JwtKey { kid: key.kid, key: SecretString::from(key.key) })
        .partition(|key| key.kid == parsed.active);
    if active.len() != 1 {
        reader.fail("JWT_KEYS", "must hold the active kid exactly once");
    }
    active.extend(others);
    active
}

fn auth(reader: &mut Reader, raw: &Raw) -> AuthConfig {
    let currency = raw.default_currency.as_deref().unwrap_or("USD");
    let secure_cookies = reader.boolean("SECURE_COOKIES", &raw.secure_cookies, reader.production);
    if reader.production && !secure_cookies {
        reader.note("SECURE_COOKIES", "must be true in production");
    }
    let narrow = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    AuthConfig {
        refresh_secret: reader.secret("JWT_REFRESH_SECRET", &raw.jwt_refresh_secret),
        pepper: reader.secret("PASSWORD_PEPPER", &raw.password_pepper),
        refresh_ttl: Duration::from_secs(reader.number(
            "JWT_REFRESH_TTL_SECONDS",
            &raw.jwt_refresh_ttl_seconds,
            2_592_000,
            60,
            31_536_000,
        )),
        argon2_memory_kib: narrow(reader.number(
            "ARGON2_MEMORY_KIB",
            &raw.argon2_memory_kib,
            19_456,
            8_192,
            262_144,
        )),
        argon2_iterations: narrow(reader.number("ARGON2_ITERATIONS", &raw.argon2_iterations, 2, 1, 10)),
        secure_cookies,
        default_currency: finance::currency::Currency::parse(currency).unwrap_or_else(|| {
            reader.fail("DEFAULT_CURRENCY", "must be an ISO 4217 code");
            #[expect(clippy::expect_used, reason = "USD is in the table; a test of finance holds it")]
            finance::currency::Currency::parse("USD").expect("USD is an ISO 4217 code")
        }),
    }
}

fn mongo(reader: &mut Reader, raw: &Raw) -> MongoConfig {
    MongoConfig {
        uri: reader.url(
            "MONGODB_URI",
            &raw.mongodb_uri,
            &["mongodb://", "mongodb+srv://"],
            "mongodb://127.0.0.1:27017",
        ),
        database: raw.mongodb_database.clone().unwrap_or_else(|| "fintrack".to_owned()),
        pool_size: u32::try_from(reader.number("MONGO_POOL_SIZE", &raw.mongo_pool_size, 10, 1, 100))
            .unwrap_or(10),
        connect_timeout: reader.millis("MONGO_CONNECT_TIMEOUT_MS", &raw.mongo_connect_timeout_ms, 1_500),
        server_selection_timeout: reader.millis(
            "MONGO_SERVER_SELECTION_TIMEOUT_MS",
            &raw.mongo_server_selection_timeout_ms,
            2_000,
        ),
        operation_timeout: reader.millis(
            "MONGO_OPERATION_TIMEOUT_MS",
            &raw.mongo_operation_timeout_ms,
            2_500,
        ),
    }
}

fn redis(reader: &mut Reader, raw: &Raw) -> RedisConfig {
    RedisConfig {
        url: reader.url("REDIS_URL", &raw.redis_url, &["redis://", "rediss://"], "redis://127.0.0.1:6379"),
        key_prefix: raw.redis_key_prefix.clone().unwrap_or_else(|| "fintrack:".to_owned()),
        connect_timeout: reader.millis("REDIS_CONNECT_TIMEOUT_MS", &raw.redis_connect_timeout_ms, 150),
        response_timeout: reader.millis("REDIS_RESPONSE_TIMEOUT_MS", &raw.redis_response_timeout_ms, 150),
    }
}

fn cors_origins(reader: &mut Reader, raw: &Raw) -> Vec<String> {
    let text = raw.cors_origins.as_deref().unwrap_or_default();
    let origins: Vec<String> =
        text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(str::to_owned).collect();
    let exact = |origin: &String| {
        let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        rest.is_some_and(|host| !host.is_empty() && !host.contains(['/', '*', ' ']))
    };
    if !origins.iter().all(exact) {
        reader.note("CORS_ORIGINS", "must list origins such as https://app.example.com, without a path or *");
    }
    origins.into_iter().filter(exact).collect()
}

fn limits(reader: &mut Reader, raw: &Raw) -> LimitsConfig {
    const MAX: u64 = 100_000_000;
    let window = reader.number("RATE_LIMIT_WINDOW_SECONDS", &raw.rate_limit_window_seconds, 900, 1, 86_400);
    LimitsConfig {
        window: Duration::from_secs(window),
        general_max: reader.number("RATE_LIMIT_GENERAL_MAX", &raw.rate_limit_general_max, 100, 1, MAX),
        auth_max: reader.number("RATE_LIMIT_AUTH_MAX", &raw.rate_limit_auth_max, 5, 1, MAX),
        heavy_max: reader.number("RATE_LIMIT_HEAVY_MAX", &raw.rate_limit_heavy_max, 20, 1, MAX),
    }
}

impl MongoConfig {
    /// The URI without its credentials, for messages.
    pub fn redacted_uri(&self) -> String {
        redact(self.uri.expose_secret())
    }
}

/// A URI with whatever stands before its `@` replaced.
pub fn redact(uri: &str) -> String {
    match (uri.find("://"), uri.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => format!("{}***{}", &uri[..scheme + 3], &uri[at..]),
        _ => uri.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: &[Need] = &[Need::Mongo, Need::Redis, Need::Jwt, Need::Auth];

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
        ] {
            assert!(text.contains(name), "{name} is missing in: {text}");
        }
        assert!(!text.contains("hunter2"), "a value is printed: {text}");
    }

    #[test]
    fn development_warns_and_takes_the_documented_default() {
        let secret = "s".repeat(SECRET_LENGTH_MIN);
        let config =
            load(&[("RATE_LIMIT_GENERAL_MAX", "many"), ("JWT_SECRET", &secret)], &[Need::Jwt, Need::Mongo])
                .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.limits.general_max, 100);
        assert_eq!(config.warnings.len(), 1);
    }

    #[test]
    fn a_function_requires_only_what_it_uses() {
        assert!(load(&[], &[Need::Mongo, Need::Redis]).is_ok());
        assert!(load(&[], &[Need::Jwt]).is_err(), "there is no safe default for a signing key");
    }

    #[test]
    fn a_redacted_uri_keeps_the_host_only() {
        assert_eq!(redact("mongodb://user:p%40ss@db.example:27017/x"), "mongodb://***@db.example:27017/x");
        assert_eq!(redact("redis://127.0.0.1:6379"), "redis://127.0.0.1:6379");
    }
}
