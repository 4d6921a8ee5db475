//! One pass over the variables: each is parsed as the schema says, every problem is noted, and a default stands in for what
//! cannot be used. Must never put a value into a finding.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use envconfig::Envconfig;
use finance::currency::Currency;
use secrecy::{ExposeSecret, SecretString};

use crate::config::uri;

use super::schema::{FIELDS, Kind, NOT_YET, Raw, SECRET_LENGTH_MIN, Variable};
use super::{
    AppEnv, AuthConfig, BackupConfig, Checked, Config, Finding, JwtConfig, JwtKey, LimitsConfig, LogFormat,
    LoggingConfig, MongoConfig, Need, RedisConfig, ReportsConfig, Severity, TracesConfig, outlets,
};

pub(super) fn check(variables: &HashMap<String, String>, needs: &[Need]) -> Checked {
    let set: HashMap<String, String> = variables
        .iter()
        .filter(|(_, value)| !value.trim().is_empty())
        .map(|(name, value)| (name.clone(), value.trim().to_owned()))
        .collect();
    let mut reader = Reader::default();
    let raw = Raw::init_from_hashmap(&set).unwrap_or_else(|_| {
        // Every field is optional text: there is nothing that could fail.
        reader.note(&FIELDS.app_env, Severity::Fatal, "could not be read");
        Raw::default()
    });
    let config = config(&mut reader, &raw, needs);
    for name in NOT_YET.iter().filter(|name| set.contains_key(**name)) {
        reader.findings.push(Finding {
            variable: name,
            reason: "is set, but this version does not read it".to_owned(),
            severity: Severity::Notice,
        });
    }
    Checked { config, findings: reader.findings }
}

/// Collects findings while reading.
#[derive(Default)]
struct Reader {
    production: bool,
    findings: Vec<Finding>,
}

impl Reader {
    fn note(&mut self, variable: &Variable, severity: Severity, reason: impl Into<String>) {
        self.findings.push(Finding { variable: variable.name, reason: reason.into(), severity });
    }

    /// The text where the schema takes it; a problem is noted where it does not.
    fn judged<'a>(
        &mut self,
        variable: &Variable,
        text: Option<&'a str>,
        severity: Severity,
    ) -> Option<&'a str> {
        let text = text?;
        match variable.kind.refuses(text) {
            None => Some(text),
            Some(reason) => {
                self.note(variable, severity, reason);
                None
            }
        }
    }

    /// The number, or the default of one that is not set or is none.
    fn number(&mut self, variable: &Variable, text: &Option<String>) -> u64 {
        let Kind::Number { default, .. } = variable.kind else { return 0 };
        let text = self.judged(variable, text.as_deref(), Severity::Serious);
        text.and_then(|text| text.parse().ok()).unwrap_or(default)
    }

    fn small(&mut self, variable: &Variable, text: &Option<String>) -> u32 {
        u32::try_from(self.number(variable, text)).unwrap_or(u32::MAX)
    }

    fn millis(&mut self, variable: &Variable, text: &Option<String>) -> Duration {
        Duration::from_millis(self.number(variable, text))
    }

    fn seconds(&mut self, variable: &Variable, text: &Option<String>) -> Duration {
        Duration::from_secs(self.number(variable, text))
    }

    fn text(&self, variable: &Variable, text: &Option<String>) -> String {
        let Kind::Text { default } = variable.kind else { return String::new() };
        text.as_deref().unwrap_or(default).to_owned()
    }

    /// The word, or the default.
    fn choice(&mut self, variable: &Variable, text: Option<&str>, severity: Severity) -> &'static str {
        let Kind::Choice { default, words } = variable.kind else { return "" };
        let text = self.judged(variable, text, severity);
        words.iter().find(|word| Some(**word) == text).unwrap_or(&default)
    }

    fn flag(&mut self, variable: &Variable, text: &Option<String>, default: bool) -> bool {
        self.judged(variable, text.as_deref(), Severity::Serious).map_or(default, |text| text == "true")
    }

    fn secret(&mut self, variable: &Variable, text: &Option<String>) -> SecretString {
        match text {
            None => self.note(variable, Severity::Fatal, "is required"),
            Some(text) if text.chars().count() < SECRET_LENGTH_MIN => {
                let reason = format!("must have at least {SECRET_LENGTH_MIN} characters");
                self.note(variable, Severity::Serious, reason);
            }
            Some(_) => {}
        }
        SecretString::from(text.clone().unwrap_or_default())
    }

    /// A URL; outside production a missing one has a safe default on this machine.
    fn url(&mut self, variable: &Variable, text: &Option<String>) -> SecretString {
        let Kind::Url { schemes, development } = variable.kind else { return SecretString::default() };
        match text {
            None => self.note_missing_url(variable),
            Some(text) if !is_url(text, schemes) || !is_taken(text) => {
                // Not the client's own words: they may quote the text.
                let reason = format!("must be a URL that begins with {}", schemes.join(" or "));
                self.note(variable, Severity::Fatal, reason);
            }
            Some(_) => {}
        }
        SecretString::from(text.clone().unwrap_or_else(|| development.to_owned()))
    }

    fn note_missing_url(&mut self, variable: &Variable) {
        if self.production {
            self.note(variable, Severity::Serious, "is required");
        }
    }
}

/// Whether the client itself takes the URL: one that it does not would fail every request, and no start.
fn is_taken(url: &str) -> bool {
    if url.starts_with("mongodb") { uri::is_of_mongodb(url) } else { uri::is_of_redis(url) }
}

/// Whether the text is a URL of one of the schemes, with one host or more.
fn is_url(text: &str, schemes: &[&str]) -> bool {
    let Some(rest) = schemes.iter().find_map(|scheme| text.strip_prefix(scheme)) else { return false };
    let authority = rest.split(['/', '?']).next().unwrap_or_default();
    let hosts = authority.rsplit('@').next().unwrap_or_default();
    !text.contains(|c: char| c.is_whitespace() || c.is_control()) && hosts.split(',').all(is_host)
}

/// `name`, `name:port`, `[ipv6]` or `[ipv6]:port`.
fn is_host(text: &str) -> bool {
    let (host, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, rest)) if address.parse::<std::net::Ipv6Addr>().is_ok() => {
            ("ipv6", rest.strip_prefix(':').or(if rest.is_empty() { None } else { Some(rest) }))
        }
        Some(_) => return false,
        None => text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port))),
    };
    let named = !host.is_empty() && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-_%".contains(&b));
    named && port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port > 0))
}

fn config(reader: &mut Reader, raw: &Raw, needs: &[Need]) -> Config {
    let app_env = app_env(reader, raw);
    reader.production = app_env == AppEnv::Production;
    let needed = |need: Need| needs.contains(&need);
    let config = Config {
        app_env,
        logging: logging(reader, raw),
        jwt: needed(Need::Jwt).then(|| jwt(reader, raw)),
        auth: needed(Need::Auth).then(|| auth(reader, raw)),
        mongo: needed(Need::Mongo).then(|| mongo(reader, raw)),
        redis: needed(Need::Redis).then(|| redis(reader, raw)),
        backup: needed(Need::Backup).then(|| backup(reader, raw)),
        cors_origins: cors_origins(reader, raw),
        limits: limits(reader, raw),
        traces: traces(reader, raw),
        reports: reports(reader, raw),
        deadline_margin: reader.millis(&FIELDS.request_deadline_margin_ms, &raw.request_deadline_margin_ms),
        max_body_bytes: usize::try_from(reader.number(&FIELDS.max_body_bytes, &raw.max_body_bytes))
            .unwrap_or(usize::MAX),
        secrets_ttl: reader.seconds(&FIELDS.secrets_ttl_seconds, &raw.secrets_ttl_seconds),
        warnings: Vec::new(),
    };
    each_another(reader, &config);
    if reader.production {
        weaknesses(reader, raw, &config);
    }
    config
}

/// What production should not do, and may have reasons to: told, and nothing more, but for certificates that nobody checks.
fn weaknesses(reader: &mut Reader, raw: &Raw, config: &Config) {
    if let Some(uri) = raw.mongodb_uri.as_deref().filter(|_| config.mongo.is_some()) {
        let options = uri.split_once('?').map_or("", |(_, options)| options).to_lowercase();
        let says = |word: &str| options.split('&').any(|option| option == word);
        if ["tlsinsecure=true", "tlsallowinvalidcertificates=true", "tlsallowinvalidhostnames=true"]
            .iter()
            .any(|word| says(word))
        {
            let reason = "must check the certificate of the cluster in production";
            reader.note(&FIELDS.mongodb_uri, Severity::Serious, reason);
        }
        let plain = says("tls=false") || says("ssl=false");
        let encrypted = says("tls=true") || says("ssl=true") || uri.starts_with("mongodb+srv://") && !plain;
        note_plain(reader, &FIELDS.mongodb_uri, uri, encrypted, "mongodb+srv://, or tls=true");
    }
    if let Some(url) = raw.redis_url.as_deref().filter(|_| config.redis.is_some()) {
        note_plain(reader, &FIELDS.redis_url, url, url.starts_with("rediss://"), "rediss://");
    }
    if let Some(endpoint) = raw.otel_exporter_otlp_endpoint.as_deref().filter(|_| config.traces.is_some()) {
        let encrypted = endpoint.starts_with("https://");
        note_plain(reader, &FIELDS.otel_exporter_otlp_endpoint, endpoint, encrypted, "https://");
    }
    if let Some(dsn) = raw.sentry_dsn.as_deref().filter(|_| config.reports.is_some()) {
        note_plain(reader, &FIELDS.sentry_dsn, dsn, dsn.starts_with("https://"), "https://");
    }
    if let Some(auth) = &config.auth {
        let cost = u64::from(auth.argon2_memory_kib).saturating_mul(u64::from(auth.argon2_iterations));
        if cost < ARGON2_COST_MIN {
            let reason = "makes password hashes cheaper to guess than 19456 KiB and 2 passes do";
            reader.note(&FIELDS.argon2_memory_kib, Severity::Notice, reason);
        }
    }
}

/// OWASP's least for Argon2id: 19 MiB and 2 passes.
const ARGON2_COST_MIN: u64 = 19_456 * 2;

/// A connection beyond this machine that anyone between can read.
fn note_plain(reader: &mut Reader, variable: &Variable, url: &str, encrypted: bool, instead: &str) {
    let hosts = url.split_once("://").map_or("", |(_, rest)| rest);
    let hosts = hosts.split(['/', '?']).next().unwrap_or_default().rsplit('@').next().unwrap_or_default();
    let name = |host: &str| host.rsplit_once(':').map_or(host, |(name, _)| name).to_owned();
    let here = |host: &str| ["127.0.0.1", "localhost", "[::1]"].contains(&name(host).as_str());
    if !encrypted && !hosts.split(',').all(here) {
        reader.note(variable, Severity::Notice, format!("is not encrypted: use {instead}"));
    }
}

fn app_env(reader: &mut Reader, raw: &Raw) -> AppEnv {
    let text = raw.app_env.as_deref().or(raw.node_env.as_deref());
    let noted = reader.findings.len();
    let word = reader.choice(&FIELDS.app_env, text, Severity::Fatal);
    match word {
        // The strictest rules hold where nobody knows which were meant.
        _ if reader.findings.len() > noted => AppEnv::Production,
        "production" => AppEnv::Production,
        "test" => AppEnv::Test,
        _ => AppEnv::Development,
    }
}

fn logging(reader: &mut Reader, raw: &Raw) -> LoggingConfig {
    let level = raw.log_level.as_ref().or(raw.aws_lambda_log_level.as_ref()).map(|text| text.to_lowercase());
    // Lambda has one word more.
    let level = level.map(|text| if text == "fatal" { "error".to_owned() } else { text });
    let format = raw.log_format.as_deref().or_else(|| match raw.aws_lambda_log_format.as_deref()? {
        "Text" => Some("pretty"),
        "JSON" => Some("json"),
        other => Some(other),
    });
    let format = match reader.choice(&FIELDS.log_format, format, Severity::Serious) {
        "pretty" => LogFormat::Pretty,
        _ => LogFormat::Json,
    };
    LoggingConfig {
        level: reader.choice(&FIELDS.log_level, level.as_deref(), Severity::Serious).to_owned(),
        format,
        metrics_namespace: reader.text(&FIELDS.metrics_namespace, &raw.metrics_namespace),
    }
}

fn jwt(reader: &mut Reader, raw: &Raw) -> JwtConfig {
    let keys = match &raw.jwt_keys {
        Some(text) => jwt_keys(reader, text),
        None => {
            let key = reader.secret(&FIELDS.jwt_secret, &raw.jwt_secret);
            vec![JwtKey { kid: "default".to_owned(), key }]
        }
    };
    JwtConfig {
        keys,
        issuer: reader.text(&FIELDS.jwt_issuer, &raw.jwt_issuer),
        audience: reader.text(&FIELDS.jwt_audience, &raw.jwt_audience),
        access_ttl: reader.seconds(&FIELDS.jwt_access_ttl_seconds, &raw.jwt_access_ttl_seconds),
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
    let variable = &FIELDS.jwt_keys;
    let Kind::Keys { form } = variable.kind else { return Vec::new() };
    let Ok(parsed) = serde_json::from_str::<Keys>(text) else {
        reader.note(variable, Severity::Fatal, format!("must be JSON of the form {form}"));
        return Vec::new();
    };
    if parsed.keys.iter().any(|key| key.key.chars().count() < SECRET_LENGTH_MIN) {
        let reason = format!("must hold keys of at least {SECRET_LENGTH_MIN} characters");
        reader.note(variable, Severity::Fatal, reason);
    }
    let kids: BTreeSet<&String> = parsed.keys.iter().map(|key| &key.kid).collect();
    if kids.len() < parsed.keys.len() {
        reader.note(variable, Severity::Fatal, "must not hold a kid twice");
    }
    if !kids.contains(&parsed.active) {
        reader.note(variable, Severity::Fatal, "must hold the active kid");
    }
    let (mut active, others): (Vec<_>, Vec<_>) = parsed
        .keys
        .into_iter()
        .map(|key| JwtKey { kid: key.kid, key: SecretString::from(key.key) })
        .partition(|key| key.kid == parsed.active);
    active.extend(others);
    active
}

fn auth(reader: &mut Reader, raw: &Raw) -> AuthConfig {
    let secure_cookies = reader.flag(&FIELDS.secure_cookies, &raw.secure_cookies, reader.production);
    if reader.production && !secure_cookies {
        reader.note(&FIELDS.secure_cookies, Severity::Serious, "must be true in production");
    }
    AuthConfig {
        refresh_secret: reader.secret(&FIELDS.jwt_refresh_secret, &raw.jwt_refresh_secret),
        pepper: reader.secret(&FIELDS.password_pepper, &raw.password_pepper),
        refresh_ttl: reader.seconds(&FIELDS.jwt_refresh_ttl_seconds, &raw.jwt_refresh_ttl_seconds),
        argon2_memory_kib: reader.small(&FIELDS.argon2_memory_kib, &raw.argon2_memory_kib),
        argon2_iterations: reader.small(&FIELDS.argon2_iterations, &raw.argon2_iterations),
        secure_cookies,
        default_currency: default_currency(reader, raw),
    }
}

fn default_currency(reader: &mut Reader, raw: &Raw) -> Currency {
    let text = reader.text(&FIELDS.default_currency, &raw.default_currency);
    Currency::parse(&text).unwrap_or_else(|| {
        reader.note(&FIELDS.default_currency, Severity::Fatal, "must be an ISO 4217 code");
        #[expect(clippy::expect_used, reason = "USD is in the table; a test of finance holds it")]
        Currency::parse("USD").expect("USD is an ISO 4217 code")
    })
}

fn mongo(reader: &mut Reader, raw: &Raw) -> MongoConfig {
    MongoConfig {
        uri: reader.url(&FIELDS.mongodb_uri, &raw.mongodb_uri),
        database: reader.text(&FIELDS.mongodb_database, &raw.mongodb_database),
        pool_size: reader.small(&FIELDS.mongo_pool_size, &raw.mongo_pool_size),
        connect_timeout: reader.millis(&FIELDS.mongo_connect_timeout_ms, &raw.mongo_connect_timeout_ms),
        server_selection_timeout: reader
            .millis(&FIELDS.mongo_server_selection_timeout_ms, &raw.mongo_server_selection_timeout_ms),
        operation_timeout: reader.millis(&FIELDS.mongo_operation_timeout_ms, &raw.mongo_operation_timeout_ms),
        connect_attempts: reader.small(&FIELDS.mongo_connect_attempts, &raw.mongo_connect_attempts),
        connect_backoff: reader.millis(&FIELDS.mongo_connect_backoff_ms, &raw.mongo_connect_backoff_ms),
    }
}

fn redis(reader: &mut Reader, raw: &Raw) -> RedisConfig {
    RedisConfig {
        url: reader.url(&FIELDS.redis_url, &raw.redis_url),
        key_prefix: reader.text(&FIELDS.redis_key_prefix, &raw.redis_key_prefix),
        connect_timeout: reader.millis(&FIELDS.redis_connect_timeout_ms, &raw.redis_connect_timeout_ms),
        response_timeout: reader.millis(&FIELDS.redis_response_timeout_ms, &raw.redis_response_timeout_ms),
    }
}

fn backup(reader: &mut Reader, raw: &Raw) -> BackupConfig {
    let bucket = reader.judged(&FIELDS.backup_bucket, raw.backup_bucket.as_deref(), Severity::Fatal);
    let bucket = bucket.unwrap_or_default().to_owned();
    if raw.backup_bucket.is_none() {
        reader.note(&FIELDS.backup_bucket, Severity::Fatal, "is required");
    }
    BackupConfig { bucket, kms_key_id: raw.backup_kms_key_id.clone() }
}

fn cors_origins(reader: &mut Reader, raw: &Raw) -> Vec<String> {
    let text = raw.cors_origins.as_deref().unwrap_or_default();
    let origins: Vec<String> =
        text.split(',').map(str::trim).filter(|origin| !origin.is_empty()).map(str::to_owned).collect();
    let exact = |origin: &String| {
        let rest = origin.strip_prefix("https://").or_else(|| origin.strip_prefix("http://"));
        rest.is_some_and(is_host)
    };
    if !origins.iter().all(exact) {
        let reason = "must list origins such as https://app.example.com, without a path or *";
        reader.note(&FIELDS.cors_origins, Severity::Serious, reason);
    }
    origins.into_iter().filter(exact).collect()
}

fn limits(reader: &mut Reader, raw: &Raw) -> LimitsConfig {
    LimitsConfig {
        window: reader.seconds(&FIELDS.rate_limit_window_seconds, &raw.rate_limit_window_seconds),
        general_max: reader.number(&FIELDS.rate_limit_general_max, &raw.rate_limit_general_max),
        auth_max: reader.number(&FIELDS.rate_limit_auth_max, &raw.rate_limit_auth_max),
        heavy_max: reader.number(&FIELDS.rate_limit_heavy_max, &raw.rate_limit_heavy_max),
    }
}

fn traces(reader: &mut Reader, raw: &Raw) -> Option<TracesConfig> {
    let (endpoint, headers) =
        (raw.otel_exporter_otlp_endpoint.as_deref(), raw.otel_exporter_otlp_headers.as_deref());
    let headers = reader.judged(&FIELDS.otel_exporter_otlp_headers, headers, Severity::Serious);
    let endpoint = reader.judged(&FIELDS.otel_exporter_otlp_endpoint, endpoint, Severity::Serious)?;
    Some(TracesConfig {
        endpoint: outlets::traces_endpoint(endpoint)?,
        headers: headers.and_then(outlets::headers).unwrap_or_default(),
    })
}

fn reports(reader: &mut Reader, raw: &Raw) -> Option<ReportsConfig> {
    let share = raw.sentry_sample_rate.as_deref();
    let share = reader.judged(&FIELDS.sentry_sample_rate, share, Severity::Serious);
    let dsn = reader.judged(&FIELDS.sentry_dsn, raw.sentry_dsn.as_deref(), Severity::Serious)?;
    let Kind::Share { default } = FIELDS.sentry_sample_rate.kind else { return None };
    let thousandths = outlets::thousandths(share.unwrap_or(default))?;
    Some(ReportsConfig { dsn: outlets::dsn(dsn)?, thousandths })
}

/// One secret in two places would fall in both.
fn each_another(reader: &mut Reader, config: &Config) {
    let mut known: Vec<(&Variable, &SecretString)> = Vec::new();
    if let Some(jwt) = &config.jwt {
        known.extend(jwt.keys.iter().map(|key| (&FIELDS.jwt_secret, &key.key)));
    }
    let Some(auth) = &config.auth else { return };
    for next in [(&FIELDS.jwt_refresh_secret, &auth.refresh_secret), (&FIELDS.password_pepper, &auth.pepper)]
    {
        let same = known.iter().find(|(_, secret)| secret.expose_secret() == next.1.expose_secret());
        if let Some((other, secret)) = same
            && !secret.expose_secret().is_empty()
        {
            let reason = format!("must not be the same as {}", other.name);
            reader.note(next.0, Severity::Serious, reason);
        }
        known.push(next);
    }
}
