//! The event as API Gateway sends it, made fit to become a request. lambda_http ends the invocation, and API Gateway then
//! answers 500 without a word of ours, where the path, the query or the `Host` header make no URI, or where a body that is
//! said to be base64 is none; a client can write all but the last. Must never judge a request: the layers answer.

use std::task::{Context, Poll};

use base64::{Engine, engine::general_purpose::STANDARD};
use lambda_http::request::LambdaRequest;
use lambda_http::{LambdaEvent, Service};
use serde_json::{Value, json};

/// The longest path and query together, once escaped: a URI of the `http` crate ends at 64 KiB. API Gateway lets no more
/// than 10,240 bytes through, which escaping makes three times as long.
const TARGET_LENGTH_MAX: usize = 60 * 1024;
/// What a path may hold beside letters and digits (RFC 3986, 3.3), an escape's `%` among it.
const PATH_MARKS: &[u8] = b"-._~!$&'()*+,;=:@/%";
/// A query may also hold a `?` (RFC 3986, 3.4).
const QUERY_MARKS: &[u8] = b"-._~!$&'()*+,;=:@/%?";

/// Reads an event of any kind.
///
/// # Errors
/// What is no JSON.
pub fn read(text: &str) -> Result<lambda_http::Request, serde_json::Error> {
    serde_json::from_str(text).map(|event| fit(event).into())
}

/// The same event, from which a request can be made whatever a client wrote.
fn fit(event: LambdaRequest) -> LambdaRequest {
    let mut http = match event {
        LambdaRequest::ApiGatewayV2(http) => http,
        LambdaRequest::PassThrough(text) => return unread(&text).unwrap_or(LambdaRequest::PassThrough(text)),
        other => return other,
    };
    // The layers look at neither, and without them the URI is the path and the query alone.
    http.headers.remove(http::header::HOST);
    http.request_context.domain_name = None;
    let path = escaped(http.raw_path.as_deref().unwrap_or_default(), PATH_MARKS);
    let query = escaped(http.raw_query_string.as_deref().unwrap_or_default(), QUERY_MARKS);
    let fits = path.len().saturating_add(query.len()) <= TARGET_LENGTH_MAX;
    let routable = path.starts_with('/') && fits && !has_dot_segment(&path);
    http.raw_path = Some(if routable { path } else { "/".to_owned() });
    http.raw_query_string = Some(query).filter(|_| fits);
    if http.is_base64_encoded && http.body.as_deref().is_some_and(|body| STANDARD.decode(body).is_err()) {
        http.is_base64_encoded = false;
        // Not one JSON text, so that a route that takes a body refuses it.
        http.body = Some("?".to_owned());
    }
    LambdaRequest::ApiGatewayV2(http)
}

/// A request that lambda_http took for an event of another kind, since its method or a header's name is none: the same
/// client at no path, so that it is counted, answered 404 in a gateway's form, and never taken for the schedule.
fn unread(text: &str) -> Option<LambdaRequest> {
    let event: Value = serde_json::from_str(text).ok()?;
    event.get("rawPath")?;
    let client = event["requestContext"]["http"]["sourceIp"].as_str();
    let bare = json!({
        "version": "2.0",
        "rawPath": "/",
        "requestContext": {"http": {"method": "GET", "path": "/", "sourceIp": client}},
    });
    serde_json::from_str(&bare.to_string()).ok()
}

/// Whether a segment of an escaped path is `.` or `..`, with an escaped slash or backslash counted as a separator. The
/// library that builds the request resolves such segments and so turns one route's path into another's.
fn has_dot_segment(path: &str) -> bool {
    let path = path.to_ascii_lowercase().replace("%2f", "/").replace("%5c", "/").replace("%2e", ".");
    path.split('/').any(|segment| matches!(segment, "." | ".."))
}

/// Escapes what is neither a letter, a digit nor one of `marks`. What is escaped already stays as it is.
fn escaped(text: &str, marks: &[u8]) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || marks.contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// The door before the adapter that makes requests of events.
#[derive(Clone)]
pub struct EventSanitizer<S>(pub S);

impl<S: Service<LambdaEvent<LambdaRequest>>> Service<LambdaEvent<LambdaRequest>> for EventSanitizer<S> {
    type Response = S::Response;
    type Error = S::Error;
    type Future = S::Future;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, event: LambdaEvent<LambdaRequest>) -> S::Future {
        self.0.call(LambdaEvent { payload: fit(event.payload), context: event.context })
    }
}

#[cfg(test)]
mod tests {
    use lambda_http::RequestExt;
    use lambda_http::request::RequestContext;

    use super::*;

    fn event(change: impl FnOnce(&mut Value)) -> String {
        let mut event = json!({
            "version": "2.0", "rawPath": "/api/v1/health", "rawQueryString": "",
            "headers": {"host": "api.example.com"}, "isBase64Encoded": false,
            "requestContext": {"domainName": "api.example.com", "stage": "$default",
                               "http": {"method": "POST", "path": "/", "sourceIp": "192.0.2.1"}},
        });
        change(&mut event);
        event.to_string()
    }

    /// The path and the query of the request that is made.
    fn target(path: &str, query: &str) -> (String, String) {
        let text = event(|event| {
            event["rawPath"] = path.into();
            event["rawQueryString"] = query.into();
        });
        let uri = read(&text).unwrap().uri().clone();
        (uri.path().to_owned(), uri.query().unwrap_or_default().to_owned())
    }

    #[test]
    fn what_makes_no_uri_is_escaped_and_what_is_escaped_stays() {
        assert_eq!(target("/api/v1/a b", "q=a b"), ("/api/v1/a%20b".to_owned(), "q=a%20b".to_owned()));
        assert_eq!(target("/a%20b", "q=%C3%A9+%25"), ("/a%20b".to_owned(), "q=%C3%A9+%25".to_owned()));
        assert_eq!(
            target("/é\0|^`\\?#", "q=<\"#\n\u{7f}é>"),
            ("/%C3%A9%00%7C%5E%60%5C%3F%23".to_owned(), "q=%3C%22%23%0A%7F%C3%A9%3E".to_owned())
        );
        for path in ["", "x", "@evil:99999/", ":99999", "//x:y:z/", "\u{202e}"] {
            assert!(target(path, "").0.starts_with('/'), "{path:?}");
        }
        assert_eq!(target(&format!("/{}", "é".repeat(40_000)), "q=1"), ("/".to_owned(), String::new()));
    }

    #[test]
    fn a_path_with_dot_segments_is_no_path_and_dots_in_a_name_are_its_own() {
        for path in [
            "/api/v1/auth/x/../login",
            "/api/v1/auth/%2E%2e/login",
            "/api/v1/.%2e/login",
            "/.",
            "/..",
            "/a/./b",
            "/a/%2e/b",
            "/a%2f..%2fb",
            "/a%5C..%5Cb",
            "/a\\..\\b",
        ] {
            assert_eq!(target(path, "q=1"), ("/".to_owned(), "q=1".to_owned()), "{path}");
        }
        for path in ["/a..b", "/...", "/a.", "/.a", "/a/..b", "/%252e%252e/a"] {
            assert_eq!(target(path, "q=../x").0, path);
        }
    }

    #[test]
    fn a_host_that_is_no_host_ends_no_invocation() {
        for host in ["", "[", "a b", "x:99999", "http://", "%", "é"] {
            let text = event(|event| {
                event["headers"] = json!({"host": host, "x-forwarded-proto": "1"});
                event["requestContext"]["domainName"] = host.into();
            });
            assert_eq!(read(&text).unwrap().uri().path(), "/api/v1/health", "{host:?}");
        }
    }

    #[test]
    fn a_request_that_cannot_be_read_is_never_the_schedule() {
        let context = |text: &str| read(text).unwrap().request_context();
        for change in
            [json!({"headers": {"a b": "c"}}), json!({"requestContext": {"http": {"method": "G T"}}})]
        {
            let text = event(|event| {
                for (name, value) in change.as_object().into_iter().flatten() {
                    event[name] = value.clone();
                }
            });
            assert!(matches!(context(&text), RequestContext::ApiGatewayV2(_)), "{text}");
            assert_eq!(read(&text).unwrap().uri().path(), "/");
        }
        assert!(matches!(context("{\"detail-type\": \"Scheduled Event\"}"), RequestContext::PassThrough));
    }

    #[test]
    fn a_body_that_is_no_base64_is_no_json_either() {
        for body in ["{}", "a", "=", "e30", "{\"a\":1}"] {
            let text = event(|event| {
                event["body"] = body.into();
                event["isBase64Encoded"] = true.into();
            });
            assert_eq!(read(&text).unwrap().body().as_ref(), b"?", "{body:?}");
        }
        let text = event(|event| {
            event["body"] = "e30=".into();
            event["isBase64Encoded"] = true.into();
        });
        assert_eq!(read(&text).unwrap().body().as_ref(), b"{}");
    }
}
