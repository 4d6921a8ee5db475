//! What an operation is beyond its route: its words, body, answers, problems and examples. Each function exports its own
//! (`contract()`), and nothing that ships calls it, so that the linker drops it. An example is a sample too: the tests put
//! ids of their own in the place of those of [`example`] and send it. Must never repeat what the route table says.

use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::body::{FieldValue, JsonBody, TEXT_PATTERNS, parse};
use super::problem::{ERRORS_MAX, Problem, ProblemType};
use super::query::{PAGE_SIZE_DEFAULT, PAGE_SIZE_MAX};
use super::respond::Page;
use super::route::{Access, RouteInfo};
use crate::edge::Rejection;

/// What stands in examples: what differs from one deployment or user to the next.
pub mod example {
    pub const USER: &str = "01941f29-7c00-7000-8000-000000000001";
    pub const ACCOUNT: &str = "01941f29-7c00-7000-8000-0000000000a1";
    pub const OTHER_ACCOUNT: &str = "01941f29-7c00-7000-8000-0000000000a2";
    pub const CATEGORY: &str = "01941f29-7c00-7000-8000-0000000000c1";
    pub const OTHER_CATEGORY: &str = "01941f29-7c00-7000-8000-0000000000c2";
    pub const TRANSACTION: &str = "01941f29-7c00-7000-8000-0000000000e1";
    pub const SESSION: &str = "01941f29-7c00-7000-8000-0000000000f1";
    pub const REQUEST: &str = "01941f29-7c00-7000-8000-00000000beef";
    pub const EMAIL: &str = "ada@example.com";
    pub const PASSWORD: &str = "correct horse battery staple";
    pub const ACCESS_TOKEN: &str = "header.claims.signature";
    pub const REFRESH_TOKEN: &str = "example-refresh-token-example-refresh-token";
    pub const CURSOR: &str = "bm90LXJlYWxseS1hLWN1cnNvcg";
    pub const INSTANT: &str = "2026-03-05T09:30:00.000Z";
}

/// A named schema of the document's components.
#[derive(Clone, Debug, PartialEq)]
pub struct Named {
    pub name: String,
    pub schema: Value,
}

impl Named {
    pub fn new(name: impl Into<String>, schema: Value) -> Self {
        Self { name: name.into(), schema }
    }
}

/// A reference to a named schema.
pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

/// The body that an operation takes.
#[derive(Clone, Debug)]
pub struct BodyContract {
    pub name: &'static str,
    pub schema: Value,
    /// False where the request may come without one.
    pub required: bool,
    pub example: Value,
    /// The names of its fields.
    pub fields: &'static [&'static str],
    /// The parser of the operation, its value left away.
    pub parse: fn(&[u8]) -> Result<(), Problem>,
}

impl BodyContract {
    /// A body that must be there.
    pub fn of<T: JsonBody>(example: Value) -> Self {
        Self {
            name: T::NAME,
            schema: T::schema(),
            required: true,
            example,
            fields: T::FIELDS,
            parse: |bytes| parse::<T>(bytes).map(drop),
        }
    }
}

/// A query parameter.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    pub name: &'static str,
    pub description: &'static str,
    pub schema: Value,
    pub example: Value,
}

impl Parameter {
    pub fn new(name: &'static str, description: &'static str, schema: Value, example: Value) -> Self {
        Self { name, description, schema, example }
    }

    /// One that is parsed as a body's field of type `T` is.
    pub fn of<T: FieldValue>(name: &'static str, description: &'static str, example: &str) -> Self {
        Self::new(name, description, T::schema(), example.into())
    }

    /// `limit` and `cursor`, of every list that has pages.
    pub fn paging() -> Vec<Self> {
        let limit = json!({
            "type": "integer", "minimum": 1, "maximum": PAGE_SIZE_MAX, "default": PAGE_SIZE_DEFAULT,
        });
        let cursor = json!({"type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9_-]+$"});
        vec![
            Self::new("limit", "The most items of the page.", limit, 50.into()),
            Self::new(
                "cursor",
                "`nextCursor` of the page before, with the same filters. Without it, the first page.",
                cursor,
                example::CURSOR.into(),
            ),
        ]
    }
}

/// An answer that is no problem.
#[derive(Clone, Debug, PartialEq)]
pub struct AnswerContract {
    pub status: u16,
    pub description: &'static str,
    /// The name of its schema and an example; none where there is no body.
    pub view: Option<(String, Value)>,
    /// Headers beyond those of every answer.
    pub headers: Vec<&'static str>,
}

/// How a request may say who asks, beside a bearer token on a private route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    RefreshCookie,
    Bearer,
}

/// One operation. [`RouteInfo`] says its method, path, access, limits and the names of its query parameters.
#[derive(Clone, Debug)]
pub struct Operation {
    pub id: &'static str,
    pub summary: &'static str,
    pub description: &'static str,
    pub body: Option<BodyContract>,
    pub answer: AnswerContract,
    /// Another answer that is no problem.
    pub other: Option<AnswerContract>,
    pub schemas: Vec<Named>,
    pub idempotent: bool,
    pub conditional: bool,
    /// Of a public route: what it may read all the same.
    pub credentials: &'static [Credential],
    /// Beyond those that follow from the rest.
    pub problems: Vec<ProblemType>,
    pub query: Vec<Parameter>,
    /// The query of a valid request, with its `?`; empty for none.
    pub sample_query: String,
    /// What `{id}` of the path is, and one of [`example`].
    pub path_id: Option<(&'static str, &'static str)>,
}

impl Operation {
    pub fn new(id: &'static str, summary: &'static str, description: &'static str) -> Self {
        let answer = AnswerContract {
            status: 204,
            description: "Done; there is no body.",
            view: None,
            headers: Vec::new(),
        };
        Self {
            id,
            summary,
            description,
            body: None,
            answer,
            other: None,
            schemas: Vec::new(),
            idempotent: false,
            conditional: false,
            credentials: &[],
            problems: Vec::new(),
            query: Vec::new(),
            sample_query: String::new(),
            path_id: None,
        }
    }

    /// `{id}` of the path: what it names, and one of [`example`].
    pub fn id(mut self, description: &'static str, example: &'static str) -> Self {
        self.path_id = Some((description, example));
        self
    }

    pub fn body<T: JsonBody>(mut self, example: Value) -> Self {
        T::named(&mut self.schemas);
        self.body = Some(BodyContract::of::<T>(example));
        self
    }

    /// A body that may be left out.
    pub fn optional_body<T: JsonBody>(self, example: Value) -> Self {
        let mut operation = self.body::<T>(example);
        if let Some(body) = &mut operation.body {
            body.required = false;
        }
        operation
    }

    fn view<V: ToSchema + Serialize>(
        &mut self,
        status: u16,
        description: &'static str,
        example: &V,
    ) -> AnswerContract {
        let name = self.add::<V>();
        // A view that could not be written would be null here, which no schema allows.
        let example = serde_json::to_value(example).unwrap_or_default();
        AnswerContract { status, description, view: Some((name, example)), headers: Vec::new() }
    }

    /// The answer of success.
    pub fn answers<V: ToSchema + Serialize>(
        mut self,
        status: u16,
        description: &'static str,
        example: V,
    ) -> Self {
        self.answer = self.view(status, description, &example);
        self
    }

    /// Another answer that is no problem.
    pub fn or_answers<V: ToSchema + Serialize>(
        mut self,
        status: u16,
        description: &'static str,
        example: V,
    ) -> Self {
        self.other = Some(self.view(status, description, &example));
        self
    }

    /// One page of `V`, and the paging parameters.
    pub fn pages<V: ToSchema + Serialize>(mut self, page: &str, items: Vec<V>) -> Self {
        let item = self.add::<V>();
        let schema = json!({
            "type": "object",
            "description": "One page of a list.",
            "required": ["items", "nextCursor"],
            "properties": {
                "items": {"type": "array", "items": reference(&item), "description": "In the list's order."},
                "nextCursor": {
                    "type": ["string", "null"],
                    "description": "`cursor` of the next page; `null` on the last.",
                },
            },
        });
        self.schemas.push(Named::new(page, schema));
        let example = serde_json::to_value(&Page { items, next_cursor: None }).unwrap_or_default();
        self.answer = AnswerContract {
            status: 200,
            description: "One page.",
            view: Some((page.to_owned(), example)),
            headers: Vec::new(),
        };
        self.query.extend(Parameter::paging());
        self
    }

    fn add<V: ToSchema>(&mut self) -> String {
        let mut found = Vec::new();
        V::schemas(&mut found);
        found.push((V::name().into_owned(), V::schema()));
        // A schema that cannot be written is missing, and the document's check says so.
        let named = found
            .into_iter()
            .filter_map(|(name, schema)| Some(Named::new(name, serde_json::to_value(schema).ok()?)));
        self.schemas.extend(named);
        V::name().into_owned()
    }

    /// Headers of the successful answer beyond those of every answer.
    pub fn headers(mut self, names: &[&'static str]) -> Self {
        self.answer.headers.extend(names);
        self
    }

    /// A query parameter.
    pub fn parameter(mut self, parameter: Parameter) -> Self {
        self.query.push(parameter);
        self
    }

    /// The query of a valid request, with its `?`.
    pub fn sample_query(mut self, query: impl Into<String>) -> Self {
        self.sample_query = query.into();
        self
    }

    /// Takes `Idempotency-Key`.
    pub fn idempotent(mut self) -> Self {
        self.idempotent = true;
        self.headers(&["Idempotency-Replayed"])
    }

    /// Takes `If-Match`.
    pub fn conditional(mut self) -> Self {
        self.conditional = true;
        self
    }

    /// What a public route reads all the same.
    pub fn reads(mut self, credentials: &'static [Credential]) -> Self {
        self.credentials = credentials;
        self
    }

    /// What it may be refused for beyond what follows from its route, body and headers.
    pub fn problems(mut self, own: &[ProblemType]) -> Self {
        self.problems.extend(own);
        self
    }

    /// Every problem that the operation may answer with, in the order of their statuses.
    pub fn refusals(&self, route: &RouteInfo) -> Vec<ProblemType> {
        use ProblemType::*;
        let mut all = vec![InvalidQuery, RateLimited, Internal, Unavailable, DeadlineExceeded];
        let mut when = |holds: bool, problems: &[ProblemType]| {
            if holds {
                all.extend(problems);
            }
        };
        when(route.access != Access::Public, &[Unauthenticated]);
        when(route.access == Access::Write, &[InsufficientScope]);
        when(route.method != http::Method::GET, &[WriteContention]);
        when(route.path.contains("{id}"), &[NotFound]);
        when(route.query.contains(&"cursor"), &[InvalidCursor]);
        when(!route.query.is_empty(), &[InvalidFields]);
        when(
            self.body.is_some(),
            &[InvalidJson, UnknownField, BodyTooLarge, UnsupportedMediaType, InvalidFields],
        );
        let mut schemas: Vec<&Value> = self.schemas.iter().map(|named| &named.schema).collect();
        schemas.retain(|schema| schema["additionalProperties"] == false);
        schemas.extend(self.body.iter().map(|body| &body.schema));
        schemas.extend(self.query.iter().map(|parameter| &parameter.schema));
        let (dates, texts) =
            (schemas.iter().any(|schema| has_date(schema)), schemas.iter().any(|schema| has_text(schema)));
        when(dates, &[DateOutOfRange]);
        when(texts && self.body.is_some(), &[InvalidText]);
        when(self.idempotent, &[InvalidHeader, IdempotencyInProgress, IdempotencyKeyReused]);
        when(self.conditional, &[InvalidHeader, StaleVersion]);
        all.extend(&self.problems);
        ProblemType::ALL.iter().copied().filter(|kind| all.contains(kind)).collect()
    }
}

/// Whether a schema, or one in it, has a property that this holds of.
fn any_in(schema: &Value, holds: &impl Fn(&Value) -> bool) -> bool {
    holds(schema)
        || match schema {
            Value::Object(members) => members.values().any(|member| any_in(member, holds)),
            Value::Array(items) => items.iter().any(|item| any_in(item, holds)),
            _ => false,
        }
}

fn has_date(schema: &Value) -> bool {
    any_in(schema, &|schema| schema["format"] == "date")
}

fn has_text(schema: &Value) -> bool {
    any_in(schema, &|schema| TEXT_PATTERNS.iter().any(|pattern| schema["pattern"] == *pattern))
}

/// A closed set of words that a view holds as text.
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    pub view: &'static str,
    pub member: &'static str,
    pub words: Vec<String>,
}

/// What one function says of its operations.
#[derive(Clone, Debug)]
pub struct Contract {
    /// What the function is for.
    pub description: &'static str,
    pub operations: Vec<Operation>,
    pub words: Vec<Words>,
}

impl Contract {
    pub fn new(description: &'static str, operations: Vec<Operation>) -> Self {
        Self { description, operations, words: Vec::new() }
    }

    /// The words that `member` of `view` can be.
    pub fn words<W: Into<String>>(
        mut self,
        view: &'static str,
        member: &'static str,
        words: impl IntoIterator<Item = W>,
    ) -> Self {
        self.words.push(Words { view, member, words: words.into_iter().map(Into::into).collect() });
        self
    }

    /// The same, of the words that a body's field of type `T` takes.
    pub fn words_of<T: FieldValue>(self, view: &'static str, member: &'static str) -> Self {
        let schema = T::schema();
        let words = schema["enum"].as_array().into_iter().flatten();
        self.words(view, member, words.filter_map(Value::as_str))
    }
}

/// Every code of a problem's `errors`, with its meaning.
pub const ERROR_CODES: &[(&str, &str)] = &[
    ("account_required", "There is no account that is not archived; name one, or make one."),
    ("ambiguous_amount", "The amount is given twice: as a decimal and in minor units."),
    ("amount_out_of_range", "The amount is below one minor unit or above 10,000,000,000,000."),
    ("category_forbidden", "A transfer has no category."),
    ("category_kind", "The category is of the other kind."),
    ("category_with_splits", "A split transaction has its categories in the splits."),
    ("currency_mismatch", "The currency is not the account's."),
    ("date_out_of_range", "The date is before 1900 or after 2199."),
    ("invalid_amount", "It is no decimal amount such as `12.34`."),
    ("invalid_date", "It is no date `YYYY-MM-DD`."),
    ("invalid_email", "It is no e-mail address."),
    ("invalid_id", "It is no id in its canonical form."),
    ("invalid_locale", "It is no language tag such as `en-US`."),
    ("invalid_parameter", "The query parameter is not in its form."),
    ("invalid_target", "`moveTo` must be another resource of the same kind."),
    ("invalid_text", "The text holds control characters, or nothing to see."),
    ("invalid_value", "It is none of the words that the field takes."),
    ("out_of_range", "The value is outside of the field's range."),
    ("password_too_common", "The password is among those that are tried first."),
    ("repeated_parameter", "The query parameter is given more than once."),
    ("required", "The field is required, or cannot be removed."),
    ("same_account", "The two accounts must differ."),
    ("splits_forbidden", "A transfer has no splits."),
    ("splits_sum", "The splits do not sum to the amount."),
    ("too_deep", "A subcategory has no subcategories."),
    ("too_long", "The text is too long."),
    ("too_many", "The list has too many items."),
    ("too_many_decimals", "The amount has more decimals than its currency."),
    ("too_many_groups", "There are too many groups; take fewer days."),
    ("too_many_splits", "There are too many splits."),
    ("too_short", "The text is too short."),
    ("transfer_account_forbidden", "Only a transfer has another account."),
    ("transfer_account_required", "A transfer needs another account."),
    ("transfer_amount_forbidden", "Only a transfer between two currencies has a second amount."),
    ("transfer_amount_required", "A transfer between two currencies needs a second amount."),
    ("unknown_account", "There is no such account, or it is archived."),
    ("unknown_category", "There is no such category."),
    ("unknown_currency", "It is no ISO 4217 code."),
    ("unknown_field", "The body has no such field."),
    ("unknown_parameter", "The route has no such query parameter."),
    ("unknown_time_zone", "It is no IANA time zone."),
    ("wrong_type", "The value is of another JSON type."),
];

/// A problem as it is answered (RFC 9457).
pub fn problem_example(kind: ProblemType) -> Value {
    let errors = match kind {
        ProblemType::UnknownField => {
            vec![Rejection::new("/nmae", "unknown_field", "is not a field of this body")]
        }
        ProblemType::InvalidQuery => {
            vec![Rejection::new("/query/lmit", "unknown_parameter", "is not a parameter of this route")]
        }
        ProblemType::InvalidFields => vec![Rejection::new("/name", "required", "is required")],
        kind if kind.status() == 422 && ERROR_CODES.iter().any(|(code, _)| *code == kind.code()) => {
            let pointer = match kind {
                ProblemType::DateOutOfRange => "/date",
                ProblemType::PasswordTooCommon => "/password",
                ProblemType::CurrencyMismatch => "/currency",
                ProblemType::CategoryKindMismatch => "/categoryId",
                ProblemType::AccountRequired => "/accountId",
                _ => "/name",
            };
            vec![Rejection::new(pointer, kind.code(), kind.title())]
        }
        _ => Vec::new(),
    };
    let problem = Problem { errors, ..Problem::new(kind) };
    serde_json::from_slice(&problem.document(example::REQUEST)).unwrap_or_default()
}

/// The schemas of a problem and of one of its errors.
pub fn problem_schemas() -> Vec<Named> {
    let codes: Vec<&str> = ProblemType::ALL.iter().map(|kind| kind.code()).collect();
    let error_codes: Vec<&str> = ERROR_CODES.iter().map(|(code, _)| *code).collect();
    let error = json!({
        "type": "object",
        "description": "One value that is refused.",
        "required": ["pointer", "code", "detail"],
        "properties": {
            "pointer": {
                "type": "string",
                "description": "A JSON pointer (RFC 6901) into the body, or `/query/` and a parameter's name. An unknown name too long to be one of ours is left out of it.",
            },
            "code": {"type": "string", "enum": error_codes, "description": "The rule; does not change."},
            "detail": {"type": "string", "description": "The rule in words, to be shown to people."},
        },
    });
    let problem = json!({
        "type": "object",
        "description": "An error (RFC 9457). `code` says which; an operation's responses list the codes of each status.",
        "required": ["type", "title", "status", "detail", "instance", "code"],
        "properties": {
            "type": {"type": "string", "pattern": "^/problems/[a-z_]+$", "description": "`/problems/` and the code."},
            "title": {"type": "string", "description": "The kind of problem in words."},
            "status": {"type": "integer", "minimum": 400, "maximum": 599, "description": "The HTTP status."},
            "detail": {"type": "string", "description": "This problem in words, to be shown to people."},
            "instance": {"type": "string", "description": "The request's id, as in `X-Request-Id`."},
            "code": {"type": "string", "enum": codes, "description": "What a client switches on; does not change."},
            "errors": {
                "type": "array",
                "minItems": 1,
                "maxItems": ERRORS_MAX,
                "description": "Every refused value at once, up to a limit; only where values are refused.",
                "items": reference("ProblemError"),
            },
            "errorsOmitted": {
                "type": "integer",
                "minimum": 1,
                "description": "How many errors were left out of `errors`, where there are more than it lists.",
            },
        },
    });
    vec![Named::new("Problem", problem), Named::new("ProblemError", error)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_codes_are_unique_snake_case_and_sorted() {
        assert!(ERROR_CODES.is_sorted_by(|(a, _), (b, _)| a < b));
        for (code, meaning) in ERROR_CODES {
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{code}");
            assert!(meaning.ends_with('.'), "{code}: {meaning}");
        }
    }

    #[test]
    fn a_problem_of_refused_values_has_an_example_with_one() {
        for kind in ProblemType::ALL {
            let example = problem_example(*kind);
            assert_eq!(example["code"], kind.code());
            let listed = ERROR_CODES.iter().any(|(code, _)| *code == kind.code());
            assert!(!listed || example["errors"][0]["code"] == kind.code(), "{example}");
        }
    }
}
