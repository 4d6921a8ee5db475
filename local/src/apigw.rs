//! API Gateway's HTTP API, payload format 2.0: an HTTP request becomes the event that Lambda hands to a function, the
//! function's answer becomes an HTTP response. Only what API Gateway does: repeated headers and query parameters are
//! joined by commas, cookies travel apart, bodies that are not text are base64.
//!
//! Must never judge a request: that is the function's work.

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Response, StatusCode, Version};
use http_body_util::Full;
use serde_json::{Map, Value, json};

use crate::template::RouteMatch;

/// The most bytes of a function's answer that Lambda carries (6 MB and the envelope's allowance).
pub const ANSWER_MAX: usize = 6 * 1024 * 1024 + 100;

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Headers that belong to one connection and end at the gateway.
const HOP_BY_HOP: [&str; 8] = [
    "connection",
    "keep-alive",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Where a request comes from and when; what API Gateway knows beside the request itself.
#[derive(Clone, Debug)]
pub struct Envelope {
    pub source_ip: String,
    pub request_id: String,
    pub trace_id: String,
    pub now_ms: i64,
}

/// The event for one request.
pub fn event(
    request: &http::request::Parts,
    body: &[u8],
    route: &RouteMatch<'_>,
    envelope: &Envelope,
) -> Value {
    let path = request.uri.path();
    let query = request.uri.query().unwrap_or_default();
    let headers = headers_in(&request.headers, body, envelope);
    let host = text(headers.get("host"));
    let cookies = cookies_in(&request.headers);
    let mut event = json!({
        "version": "2.0",
        "routeKey": route.key,
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "accountId": "000000000000",
            "apiId": "local",
            "domainName": host,
            "domainPrefix": host.split(['.', ':']).next().unwrap_or_default(),
            "http": {
                "method": request.method.as_str(),
                "path": path,
                "protocol": protocol(request.version),
                "sourceIp": envelope.source_ip,
                "userAgent": text(headers.get("user-agent")),
            },
            "requestId": envelope.request_id,
            "routeKey": route.key,
            "stage": "$default",
            "time": log_time(envelope.now_ms),
            "timeEpoch": envelope.now_ms,
        },
        "isBase64Encoded": false,
    });
    if let Some(event) = event.as_object_mut() {
        if !cookies.is_empty() {
            event.insert("cookies".into(), cookies.into());
        }
        let parameters = query_parameters(query);
        if !parameters.is_empty() {
            event.insert("queryStringParameters".into(), parameters.into());
        }
        if let Some(proxy) = route.proxy {
            event.insert("pathParameters".into(), json!({ "proxy": percent_decode(proxy, false) }));
        }
        if !body.is_empty() {
            let (text, base64) = body_in(&request.headers, body);
            event.insert("body".into(), text.into());
            event.insert("isBase64Encoded".into(), base64.into());
        }
    }
    event
}

fn text(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}

/// Lower-case names, repeated ones joined by commas, plus what API Gateway adds.
fn headers_in(headers: &HeaderMap, body: &[u8], envelope: &Envelope) -> Map<String, Value> {
    let mut joined = Map::new();
    for name in headers.keys() {
        if HOP_BY_HOP.contains(&name.as_str()) || name == header::COOKIE {
            continue;
        }
        let values: Vec<_> =
            headers.get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        joined.insert(name.as_str().to_owned(), values.join(",").into());
    }
    if !body.is_empty() {
        // A chunked upload has a length once it has been read whole.
        joined.insert("content-length".to_owned(), body.len().to_string().into());
    }
    let forwarded = match text(joined.get("x-forwarded-for")) {
        "" => envelope.source_ip.clone(),
        claimed => format!("{claimed}, {}", envelope.source_ip),
    };
    joined.insert("x-forwarded-for".to_owned(), forwarded.into());
    joined.insert("x-forwarded-proto".to_owned(), "http".into());
    let port = text(joined.get("host")).rsplit_once(':').map_or("80", |(_, port)| port).to_owned();
    joined.insert("x-forwarded-port".to_owned(), port.into());
    joined.insert("x-amzn-trace-id".to_owned(), envelope.trace_id.as_str().into());
    joined
}

fn cookies_in(headers: &HeaderMap) -> Vec<Value> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|value| {
            let text = String::from_utf8_lossy(value.as_bytes()).into_owned();
            text.split(';').map(|cookie| cookie.trim().to_owned()).collect::<Vec<_>>()
        })
        .filter(|cookie| !cookie.is_empty())
        .map(Value::from)
        .collect()
}

/// Decoded, repeated names joined by commas: lossy, as API Gateway's are. A function reads `rawQueryString`.
fn query_parameters(query: &str) -> Map<String, Value> {
    let mut parameters: Map<String, Value> = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (percent_decode(name, true), percent_decode(value, true));
        let joined = match parameters.get(&name) {
            Some(before) => format!("{},{value}", text(Some(before))),
            None => value,
        };
        parameters.insert(name, joined.into());
    }
    parameters
}

fn percent_decode(text: &str, plus_is_space: bool) -> String {
    let hex = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let bytes = text.as_bytes();
    let mut decoded = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while let Some(&byte) = bytes.get(at) {
        match (byte, hex(bytes.get(at + 1)), hex(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(u8::try_from(high * 16 + low).unwrap_or(b'?'));
                at += 3;
            }
            (b'+', ..) if plus_is_space => {
                decoded.push(b' ');
                at += 1;
            }
            _ => {
                decoded.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Text of a text type goes as it is, everything else as base64.
fn body_in(headers: &HeaderMap, body: &[u8]) -> (String, bool) {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let is_text = kind.starts_with("text/")
        || matches!(kind.as_str(), "application/json" | "application/javascript" | "application/xml")
        || kind.ends_with("+json")
        || kind.ends_with("+xml");
    match std::str::from_utf8(body) {
        Ok(text) if is_text && !headers.contains_key(header::CONTENT_ENCODING) => (text.to_owned(), false),
        _ => (STANDARD.encode(body), true),
    }
}

fn protocol(version: Version) -> &'static str {
    match version {
        Version::HTTP_10 => "HTTP/1.0",
        Version::HTTP_2 => "HTTP/2.0",
        _ => "HTTP/1.1",
    }
}

/// `12/Mar/2020:19:03:58 +0000`.
fn log_time(now_ms: i64) -> String {
    let at = jiff::Timestamp::from_millisecond(now_ms).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let at = jiff::tz::TimeZone::UTC.to_datetime(at);
    let month = usize::try_from(at.month())
        .ok()
        .and_then(|month| MONTHS.get(month.wrapping_sub(1)))
        .unwrap_or(&"Jan");
    format!(
        "{:02}/{month}/{}:{:02}:{:02}:{:02} +0000",
        at.day(),
        at.year(),
        at.hour(),
        at.minute(),
        at.second()
    )
}

/// An answer by the gateway itself, in API Gateway's own shape.
pub fn own_answer(status: StatusCode, message: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(json!({ "message": message }).to_string())));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}

/// A function that failed, answered wrongly or ran out of time.
pub fn function_failed() -> Response<Full<Bytes>> {
    own_answer(StatusCode::INTERNAL_SERVER_ERROR, "Internal Server Error")
}

/// The HTTP response for a function's answer; `Err` says why it is none.
pub fn response(answer: &[u8]) -> Result<Response<Full<Bytes>>, String> {
    if answer.len() > ANSWER_MAX {
        return Err(format!("its answer has {} bytes, and Lambda carries {ANSWER_MAX}", answer.len()));
    }
    let value: Value = serde_json::from_slice(answer).map_err(|_| {
        format!(
            "its answer is not JSON: {}",
            String::from_utf8_lossy(answer).chars().take(200).collect::<String>()
        )
    })?;
    if let Some(kind) = value.get("errorType").filter(|_| value.get("statusCode").is_none()) {
        let message = value.get("errorMessage").and_then(Value::as_str).unwrap_or_default();
        return Err(format!("{}: {message}", kind.as_str().unwrap_or("error")));
    }
    let Some(status) = value.get("statusCode") else {
        // Without a status code API Gateway takes the whole answer for the body of a 200.
        let mut response = Response::new(Full::new(Bytes::copy_from_slice(answer)));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        return Ok(response);
    };
    let status = status
        .as_u64()
        .and_then(|status| u16::try_from(status).ok())
        .and_then(|status| StatusCode::from_u16(status).ok())
        .ok_or_else(|| format!("its statusCode is {status}"))?;
    let body = match value.get("body") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::String(text)) if value.get("isBase64Encoded") == Some(&Value::Bool(true)) => {
            STANDARD.decode(text).map_err(|_| "its body is not base64".to_owned())?
        }
        Some(Value::String(text)) => text.clone().into_bytes(),
        Some(_) => return Err("its body is not a string".to_owned()),
    };
    let has_body = !body.is_empty();
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    for (name, value) in value.get("headers").and_then(Value::as_object).into_iter().flatten() {
        let (name, value) = header_out(name, value)?;
        // The length is the transport's to say, once the body is decoded.
        if name != header::CONTENT_LENGTH && !HOP_BY_HOP.contains(&name.as_str()) {
            headers.insert(name, value);
        }
    }
    for cookie in value.get("cookies").and_then(Value::as_array).into_iter().flatten() {
        let (name, value) = header_out("set-cookie", cookie)?;
        headers.append(name, value);
    }
    if has_body && !headers.contains_key(header::CONTENT_TYPE) {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    }
    Ok(response)
}

fn header_out(name: &str, value: &Value) -> Result<(HeaderName, HeaderValue), String> {
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let parsed = HeaderName::try_from(name).ok().zip(HeaderValue::try_from(text).ok());
    parsed.ok_or_else(|| format!("its header {name} cannot be sent"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http_body_util::BodyExt;
    use lambda_http::RequestExt;
    use lambda_http::request::RequestContext;

    fn envelope() -> Envelope {
        Envelope {
            source_ip: "203.0.113.7".into(),
            request_id: "JKJaXmPLvHcESHA=".into(),
            trace_id: "Root=1-5e6722a7-cc56xmpl46db7ae02d4da47e".into(),
            now_ms: 1_583_348_638_390,
        }
    }

    fn event_of(request: http::Request<&[u8]>) -> Value {
        let (parts, body) = request.into_parts();
        let route = RouteMatch { key: "ANY /api/v1/auth/{proxy+}", function: "auth", proxy: Some("a%20b/c") };
        event(&parts, body, &route, &envelope())
    }

    #[test]
    fn an_event_has_the_shape_of_payload_version_two() {
        let request = http::Request::post("/api/v1/auth/a%20b/c?tag=x&tag=y%2Bz+1&empty&e=")
            .header("Host", "127.0.0.1:3000")
            .header("User-Agent", "curl/8")
            .header("X-Twice", "one")
            .header("X-Twice", "two")
            .header("Cookie", "refresh=abc; theme=dark")
            .header("Connection", "keep-alive")
            .header("X-Forwarded-For", "198.51.100.1")
            .header("Content-Type", "application/json; charset=utf-8")
            .body(b"{\"a\":1}".as_slice())
            .unwrap();
        let event = event_of(request);
        assert_eq!(event["version"], "2.0");
        assert_eq!(event["routeKey"], "ANY /api/v1/auth/{proxy+}");
        assert_eq!(event["rawPath"], "/api/v1/auth/a%20b/c");
        assert_eq!(event["rawQueryString"], "tag=x&tag=y%2Bz+1&empty&e=");
        assert_eq!(event["queryStringParameters"], json!({"tag": "x,y+z 1", "empty": "", "e": ""}));
        assert_eq!(event["pathParameters"], json!({"proxy": "a b/c"}));
        assert_eq!(event["cookies"], json!(["refresh=abc", "theme=dark"]));
        assert_eq!(event["headers"]["x-twice"], "one,two");
        assert_eq!(event["headers"]["x-forwarded-for"], "198.51.100.1, 203.0.113.7");
        assert_eq!(event["headers"]["x-forwarded-port"], "3000");
        assert_eq!(event["headers"].get("connection"), None);
        assert_eq!(event["headers"].get("cookie"), None, "cookies travel apart");
        let context = &event["requestContext"];
        assert_eq!(context["http"]["sourceIp"], "203.0.113.7", "never what a header claims");
        assert_eq!(context["http"]["method"], "POST");
        assert_eq!(context["http"]["userAgent"], "curl/8");
        assert_eq!(context["stage"], "$default");
        assert_eq!(context["time"], "04/Mar/2020:19:03:58 +0000");
        assert_eq!(context["timeEpoch"], 1_583_348_638_390_i64);
        assert_eq!(event["body"], "{\"a\":1}");
        assert_eq!(event["isBase64Encoded"], false);
    }

    #[test]
    fn lambda_http_gives_a_function_the_request_that_was_sent() {
        let body = "{\"description\":\"Café\"}";
        for kind in ["application/json", "application/merge-patch+json", "application/octet-stream", ""] {
            let mut builder = http::Request::patch("/api/v1/auth/x?limit=2&limit=3")
                .header("Host", "127.0.0.1:3000")
                .header("Cookie", "a=1")
                .header("Cookie", "b=2");
            if !kind.is_empty() {
                builder = builder.header("Content-Type", kind);
            }
            let event = event_of(builder.body(body.as_bytes()).unwrap());
            let request = lambda_http::request::from_str(&event.to_string()).unwrap();
            assert_eq!(request.method(), "PATCH");
            assert_eq!(request.uri().path(), "/api/v1/auth/x");
            assert_eq!(request.uri().query(), Some("limit=2&limit=3"));
            assert_eq!(request.headers()["cookie"], "a=1; b=2");
            assert_eq!(&**request.body(), body.as_bytes(), "content type {kind:?}");
            let Some(RequestContext::ApiGatewayV2(context)) = request.request_context_ref() else {
                panic!("the context is API Gateway's");
            };
            assert_eq!(context.http.source_ip.as_deref(), Some("203.0.113.7"));
        }
    }

    #[test]
    fn bytes_that_are_not_text_arrive_unchanged() {
        let bytes = [0xff, 0x00, 0x80, b'{'];
        let request =
            http::Request::post("/x").header("Content-Type", "application/json").body(&bytes[..]).unwrap();
        let event = event_of(request);
        assert_eq!(event["isBase64Encoded"], true);
        let request = lambda_http::request::from_str(&event.to_string()).unwrap();
        assert_eq!(&**request.body(), bytes);
    }

    #[test]
    fn a_request_without_a_body_has_none() {
        let event = event_of(http::Request::get("/x").body(b"".as_slice()).unwrap());
        assert_eq!(event.get("body"), None);
        assert_eq!(event.get("cookies"), None);
        assert_eq!(event.get("queryStringParameters"), None);
        assert!(lambda_http::request::from_str(&event.to_string()).unwrap().body().is_empty());
    }

    async fn answered(answer: Value) -> (StatusCode, HeaderMap, Vec<u8>) {
        let (parts, body) = response(answer.to_string().as_bytes()).unwrap().into_parts();
        (parts.status, parts.headers, body.collect().await.unwrap().to_bytes().to_vec())
    }

    #[tokio::test(flavor = "current_thread")]
    async fn an_answer_becomes_the_response() {
        let (status, headers, body) = answered(json!({
            "statusCode": 201,
            "headers": {"Content-Type": "application/json", "location": "/x", "content-length": "99"},
            "multiValueHeaders": {"x-ignored": ["1"]},
            "cookies": ["refresh=1; Path=/", "theme=2"],
            "body": "{}",
            "isBase64Encoded": false
        }))
        .await;
        assert_eq!(status, 201);
        assert_eq!(headers["location"], "/x");
        assert_eq!(headers.get_all("set-cookie").iter().count(), 2);
        assert!(!headers.contains_key("content-length") && !headers.contains_key("x-ignored"));
        assert_eq!(body, b"{}");

        let (status, headers, body) =
            answered(json!({"statusCode": 200, "body": "/wA=", "isBase64Encoded": true})).await;
        assert_eq!((status.as_u16(), body), (200, vec![0xff, 0x00]));
        assert_eq!(headers["content-type"], "text/plain; charset=utf-8");

        let (status, headers, body) = answered(json!({"statusCode": 204, "headers": {}, "body": null})).await;
        assert_eq!((status.as_u16(), body.len(), headers.len()), (204, 0, 0));

        let (status, headers, body) = answered(json!({"hello": "world"})).await;
        assert_eq!((status.as_u16(), body), (200, b"{\"hello\":\"world\"}".to_vec()));
        assert_eq!(headers["content-type"], "application/json");
    }

    #[test]
    fn a_failed_function_is_no_answer() {
        for (answer, reason) in [
            (
                r#"{"errorType":"Runtime.ExitError","errorMessage":"exit status 1"}"#,
                "Runtime.ExitError: exit status 1",
            ),
            ("Task timed out after 3.00 seconds", "not JSON"),
            (r#"{"statusCode":"many"}"#, "statusCode"),
            (r#"{"statusCode":200,"body":{}}"#, "not a string"),
            (r#"{"statusCode":200,"body":"%","isBase64Encoded":true}"#, "not base64"),
            (r#"{"statusCode":200,"headers":{"a b":"c"}}"#, "header a b"),
        ] {
            let error = response(answer.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{answer}: {error}");
        }
    }
}
