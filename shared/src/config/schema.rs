//! Every variable of the product: its name, what it may be, its default, who reads it. The reader takes names, defaults and
//! ranges from here, and docs/configuration.md and .env.example are written from here, so that neither can say otherwise.
//! Must never hold a value of a deployment.

use envconfig::Envconfig;

use super::{Need, outlets};

/// The shortest secret that signs or keys anything, in characters.
pub const SECRET_LENGTH_MIN: usize = 32;

/// What a variable's text may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Text {
        default: &'static str,
    },
    /// A whole number, in `unit`.
    Number {
        default: u64,
        min: u64,
        max: u64,
        unit: &'static str,
    },
    /// One of some words.
    Choice {
        default: &'static str,
        words: &'static [&'static str],
    },
    /// `true` or `false`; the default, in words, where it is not the same everywhere.
    Flag {
        default: &'static str,
    },
    /// A URL of one of the schemes; `development` is what a development machine has.
    Url {
        schemes: &'static [&'static str],
        development: &'static str,
    },
    /// At least [`SECRET_LENGTH_MIN`] characters. No default: there is no safe one.
    Secret,
    /// A JSON document of this form, whose keys have at least [`SECRET_LENGTH_MIN`] characters.
    Keys {
        form: &'static str,
    },
    /// The name of an S3 bucket. No default.
    Bucket,
    /// Words separated by commas; none by default.
    List {
        of: &'static str,
    },
    /// An `http` or `https` base URL without credentials; none by default.
    Endpoint,
    /// `name=value` pairs separated by commas; none by default.
    Headers,
    /// A Sentry DSN; none by default.
    Dsn,
    /// A number from 0 to 1 with at most three decimals.
    Share {
        default: &'static str,
    },
}

impl Kind {
    /// Why a text is none of this kind, where the schema alone says what is. Never quotes the text.
    pub fn refuses(self, text: &str) -> Option<String> {
        match self {
            Self::Number { min, max, .. } => {
                let taken = text.parse().is_ok_and(|number: u64| (min..=max).contains(&number));
                (!taken).then(|| format!("must be a whole number from {min} to {max}"))
            }
            Self::Choice { words, .. } => {
                (!words.contains(&text)).then(|| format!("must be {}", one_of(words)))
            }
            Self::Flag { .. } => {
                (!matches!(text, "true" | "false")).then(|| "must be true or false".to_owned())
            }
            Self::Bucket => (!is_bucket(text)).then(|| "must be the name of an S3 bucket".to_owned()),
            Self::Endpoint => (outlets::traces_endpoint(text).is_none()).then(|| {
                "must be a URL that begins with http:// or https://, without credentials or a query"
                    .to_owned()
            }),
            Self::Headers => outlets::headers(text)
                .is_none()
                .then(|| "must list headers as name=value, separated by commas".to_owned()),
            Self::Dsn => outlets::dsn(text)
                .is_none()
                .then(|| "must be a Sentry DSN such as https://key@host/1".to_owned()),
            Self::Share { .. } => outlets::thousandths(text)
                .is_none()
                .then(|| "must be a number from 0 to 1 with at most three decimals".to_owned()),
            _ => None,
        }
    }
}

/// 3 to 63 small letters, digits, hyphens and dots, letters or digits at both ends.
fn is_bucket(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let ends = text.bytes().next().zip(text.bytes().next_back());
    (3..=63).contains(&text.len())
        && text.bytes().all(|byte| plain(byte) || b"-.".contains(&byte))
        && ends.is_some_and(|(first, last)| plain(first) && plain(last))
}

fn one_of(words: &[&str]) -> String {
    match words {
        [first @ .., last] if !first.is_empty() => format!("{} or {last}", first.join(", ")),
        words => words.concat(),
    }
}

/// Who reads a variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReadBy {
    /// Every function.
    Every,
    /// The functions that need this.
    With(Need),
    /// Only the commands of a developer's machine.
    Local,
    /// The AWS SDK itself.
    AwsSdk,
}

/// One variable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Variable {
    pub name: &'static str,
    /// A name that is read when this one is not set.
    pub alias: Option<&'static str>,
    pub kind: Kind,
    pub read_by: ReadBy,
    /// Required in production, also where a development machine has a default.
    pub required: bool,
    /// Its value is never shown.
    pub secret: bool,
    pub about: &'static str,
}

const fn variable(name: &'static str, read_by: ReadBy, kind: Kind, about: &'static str) -> Variable {
    let secret = matches!(kind, Kind::Secret | Kind::Keys { .. } | Kind::Headers | Kind::Dsn);
    let required = matches!(kind, Kind::Secret | Kind::Url { .. } | Kind::Bucket);
    Variable { name, alias: None, kind, read_by, required, secret, about }
}

const fn number(default: u64, min: u64, max: u64, unit: &'static str) -> Kind {
    Kind::Number { default, min, max, unit }
}

const fn text(default: &'static str) -> Kind {
    Kind::Text { default }
}

impl Variable {
    const fn or(mut self, alias: &'static str) -> Self {
        self.alias = Some(alias);
        self
    }

    /// Not required, or only instead of another.
    const fn optional(mut self) -> Self {
        self.required = false;
        self
    }

    const fn secret(mut self) -> Self {
        self.secret = true;
        self
    }
}

macro_rules! schema {
    ($($field:ident: $name:literal $(or $alias_field:ident: $alias:literal)?, $read_by:expr, $kind:expr,
       $about:literal $(, $modifier:ident)*;)*) => {
        /// The variables by field, so that the reader cannot ask for one that is not described.
        pub(super) struct Fields { $(pub(super) $field: Variable,)* }

        pub(super) const FIELDS: Fields = Fields {
            $($field: variable($name, $read_by, $kind, $about)$(.or($alias))?$(.$modifier())*,)*
        };

        /// Every variable, in the order of the documentation.
        pub const SCHEMA: &[Variable] = &[$(FIELDS.$field,)*];

        /// The environment as text. Every field is optional, so that deriving it cannot fail and one pass over it can
        /// report every problem.
        #[derive(Default, Envconfig)]
        #[expect(dead_code, reason = "SECRETS_ID is read before there is a configuration; others by the SDK and the local run")]
        pub(super) struct Raw {
            $(#[envconfig(from = $name)] pub(super) $field: Option<String>,
              $(#[envconfig(from = $alias)] pub(super) $alias_field: Option<String>,)?)*
        }
    };
}

const DAY: u64 = 86_400;
/// No limit that is kept is larger: the log of a client's requests is in memory.
const LIMIT_MAX: u64 = 100_000_000;
/// Ten minutes: no call waits longer.
const TIME_MAX_MS: u64 = 600_000;

use ReadBy::{AwsSdk, Every, Local, With};

schema! {
    app_env: "APP_ENV" or node_env: "NODE_ENV", Every,
        Kind::Choice { default: "development", words: &["development", "test", "production"] },
        "Which rules hold: production refuses to start on any problem but a notice, the others warn where a default is safe.";
    log_level: "LOG_LEVEL" or aws_lambda_log_level: "AWS_LAMBDA_LOG_LEVEL", Every,
        Kind::Choice { default: "info", words: &["trace", "debug", "info", "warn", "error"] },
        "The least level that is logged. Metrics are always written.";
    log_format: "LOG_FORMAT" or aws_lambda_log_format: "AWS_LAMBDA_LOG_FORMAT", Every,
        Kind::Choice { default: "json", words: &["json", "pretty"] },
        "Lines for CloudWatch or for a terminal; Lambda's `Text` means pretty.";
    metrics_namespace: "METRICS_NAMESPACE", Every, text("FinTrackPro"),
        "CloudWatch's namespace of the metrics.";
    request_deadline_margin_ms: "REQUEST_DEADLINE_MARGIN_MS", Every, number(300, 1, 5_000, "ms"),
        "How long before Lambda's time-out the answer is out.";
    max_body_bytes: "MAX_BODY_BYTES", Every, number(65_536, 1_024, 4_194_304, "bytes"),
        "The largest request body, where a route has no limit of its own.";
    cors_origins: "CORS_ORIGINS", Every, Kind::List { of: "origins" },
        "The browsers' origins that may call, exact: `https://app.example.com`.";
    rate_limit_window_seconds: "RATE_LIMIT_WINDOW_SECONDS", Every, number(900, 1, DAY, "s"),
        "The window of all rate limits.";
    rate_limit_general_max: "RATE_LIMIT_GENERAL_MAX", Every, number(100, 1, LIMIT_MAX, "requests"),
        "Requests of one address in a window.";
    rate_limit_auth_max: "RATE_LIMIT_AUTH_MAX", Every, number(5, 1, LIMIT_MAX, "requests"),
        "Log-in and registration attempts of one address in a window.";
    rate_limit_heavy_max: "RATE_LIMIT_HEAVY_MAX", Every, number(20, 1, LIMIT_MAX, "requests"),
        "Expensive requests of one address in a window. No route is of this class yet.";

    otel_exporter_otlp_endpoint: "OTEL_EXPORTER_OTLP_ENDPOINT", Every, Kind::Endpoint,
        "Where traces are sent (OTLP over HTTP, `/v1/traces` is added). Unset: none are made.";
    otel_exporter_otlp_headers: "OTEL_EXPORTER_OTLP_HEADERS", Every, Kind::Headers,
        "What a vendor wants to see with them, such as its key.";
    sentry_dsn: "SENTRY_DSN", Every, Kind::Dsn,
        "Where every 5xx, panic, failed start and failed job is reported. Unset: nowhere.";
    sentry_sample_rate: "SENTRY_SAMPLE_RATE", Every, Kind::Share { default: "1" },
        "The share of answers with 5xx that is reported, by chance. Panics, failed starts and failed jobs always are.";

    secrets_id: "SECRETS_ID", Every, Kind::List { of: "ids or ARNs" },
        "Secrets of AWS Secrets Manager, each a flat JSON object of variable names; a later one wins, and all win over the environment. Unset: the environment holds them.";
    secrets_ttl_seconds: "SECRETS_TTL_SECONDS", Every, number(300, 1, 3_600, "s"),
        "How long secrets are used before they are read again, give or take 20 % by chance.";
    aws_region: "AWS_REGION", AwsSdk, text(""), "The region of Secrets Manager; Lambda sets it.", optional;
    aws_endpoint_url: "AWS_ENDPOINT_URL", AwsSdk, text(""), "Another endpoint for the AWS APIs, for tests.", optional;

    mongodb_uri: "MONGODB_URI", With(Need::Mongo),
        Kind::Url { schemes: &["mongodb://", "mongodb+srv://"], development: "mongodb://127.0.0.1:27017" },
        "The cluster, a replica set, with its credentials.", secret;
    mongodb_database: "MONGODB_DATABASE", With(Need::Mongo), text("fintrack"),
        "The database's name in the cluster.";
    mongo_pool_size: "MONGO_POOL_SIZE", With(Need::Mongo), number(10, 1, 100, "connections"),
        "The most connections of one process, monitors apart. The template sets 2: a function serves one request at a time.";
    mongo_connect_timeout_ms: "MONGO_CONNECT_TIMEOUT_MS", With(Need::Mongo), number(1_500, 1, TIME_MAX_MS, "ms"),
        "How long opening one connection may take.";
    mongo_server_selection_timeout_ms: "MONGO_SERVER_SELECTION_TIMEOUT_MS", With(Need::Mongo),
        number(2_000, 1, TIME_MAX_MS, "ms"), "How long a primary is waited for.";
    mongo_operation_timeout_ms: "MONGO_OPERATION_TIMEOUT_MS", With(Need::Mongo), number(2_500, 1, TIME_MAX_MS, "ms"),
        "All MongoDB work of one request, a retry included.";
    mongo_connect_attempts: "MONGO_CONNECT_ATTEMPTS", With(Need::Mongo), number(3, 1, 20, "attempts"),
        "How often a start that needs MongoDB tries to reach it (the local server, the migration). A function waits for no database.";
    mongo_connect_backoff_ms: "MONGO_CONNECT_BACKOFF_MS", With(Need::Mongo), number(5_000, 1, 60_000, "ms"),
        "The pause after the first of those attempts; it doubles after each, give or take half by chance.";

    redis_url: "REDIS_URL", With(Need::Redis),
        Kind::Url { schemes: &["redis://", "rediss://"], development: "redis://127.0.0.1:6379" },
        "Redis, with its credentials. The service goes on while it is away.", secret;
    redis_key_prefix: "REDIS_KEY_PREFIX", With(Need::Redis), text("fintrack:"),
        "What every key begins with.";
    redis_connect_timeout_ms: "REDIS_CONNECT_TIMEOUT_MS", With(Need::Redis), number(150, 1, TIME_MAX_MS, "ms"),
        "How long opening the connection may take.";
    redis_response_timeout_ms: "REDIS_RESPONSE_TIMEOUT_MS", With(Need::Redis), number(150, 1, TIME_MAX_MS, "ms"),
        "All Redis work of one request.";

    jwt_secret: "JWT_SECRET", With(Need::Jwt), Kind::Secret,
        "Signs access tokens; cursor keys are derived from it.";
    jwt_keys: "JWT_KEYS", With(Need::Jwt), Kind::Keys { form: "{active, keys: [{kid, key}]}" },
        "Instead of JWT_SECRET, for rotation: signs with the active key, verifies with any.", optional;
    jwt_issuer: "JWT_ISSUER", With(Need::Jwt), text("fintrack-pro"), "The `iss` of access tokens.";
    jwt_audience: "JWT_AUDIENCE", With(Need::Jwt), text("fintrack-pro-api"), "The `aud` of access tokens.";
    jwt_access_ttl_seconds: "JWT_ACCESS_TTL_SECONDS", With(Need::Jwt), number(900, 1, 900, "s"),
        "How long an access token is good for.";

    jwt_refresh_secret: "JWT_REFRESH_SECRET", With(Need::Auth), Kind::Secret,
        "Keys the HMAC that is kept of refresh tokens. Another one ends every session.";
    jwt_refresh_ttl_seconds: "JWT_REFRESH_TTL_SECONDS", With(Need::Auth), number(2_592_000, 60, 365 * DAY, "s"),
        "How long a session lasts, whatever is refreshed.";
    password_pepper: "PASSWORD_PEPPER", With(Need::Auth), Kind::Secret,
        "Is mixed into every password's hash. Another one makes every password wrong.";
    argon2_memory_kib: "ARGON2_MEMORY_KIB", With(Need::Auth), number(19_456, 8_192, 262_144, "KiB"),
        "Memory of one password hash (Argon2id).";
    argon2_iterations: "ARGON2_ITERATIONS", With(Need::Auth), number(2, 1, 10, "passes"),
        "Passes of one password hash.";
    secure_cookies: "SECURE_COOKIES", With(Need::Auth), Kind::Flag { default: "true in production, else false" },
        "The refresh cookie is `__Host-refresh`, over HTTPS only. Must be true in production.";
    default_currency: "DEFAULT_CURRENCY", With(Need::Auth), text("USD"),
        "The currency (ISO 4217) of a user who registers without one.";

    backup_bucket: "BACKUP_BUCKET", With(Need::Backup), Kind::Bucket,
        "The S3 bucket of the backups.";
    backup_kms_key_id: "BACKUP_KMS_KEY_ID", With(Need::Backup), text(""),
        "The KMS key that seals a backup, by id or ARN. Unset: the bucket's own default.", optional;

    port: "PORT", Local, number(3_000, 1, 65_535, "port"), "Where `make run` listens.";
    fresh: "FRESH", Local, Kind::Choice { default: "0", words: &["0", "1"] },
        "`FRESH=1 make run` begins with empty databases.";
}

/// Names of the product's configuration whose feature this version does not have. Setting one is told, so that nobody
/// believes that it works.
pub const NOT_YET: &[&str] = &[
    "DATA_KEYS",
    "CACHE_TTL_SECONDS",
    "IMPORT_MAX_BYTES",
    "IMPORT_MAX_ROWS",
    "MAIL_TRANSPORT",
    "MAIL_FROM",
    "SMTP_URL",
    "FRONTEND_URL",
];
