//! Where traces and error reports go, as text: an OTLP base URL, its headers, a Sentry DSN, a share. Must never quote what it
//! refuses: a header or a DSN may be a vendor's key.

use http::{HeaderMap, HeaderName, HeaderValue, Uri};
use sentry_types::Dsn;

/// The address to which traces are sent: the base URL with OTLP's `/v1/traces` below it. Absent where the text is no
/// `http` or `https` URL, or holds credentials or a query.
pub(super) fn traces_endpoint(base: &str) -> Option<Uri> {
    let uri: Uri = format!("{}/v1/traces", base.trim_end_matches('/')).parse().ok()?;
    let plain = uri.query().is_none() && !base.contains('#') && !uri.authority()?.as_str().contains('@');
    let port = uri.authority()?.as_str().rsplit_once(':').is_none_or(|_| uri.port_u16() != Some(0));
    let named = uri.host().is_some_and(|host| !host.is_empty());
    (plain && port && named && matches!(uri.scheme_str()?, "http" | "https")).then_some(uri)
}

/// `name=value` pairs separated by commas, values percent-encoded where they hold a comma. Marked as secrets.
pub(super) fn headers(text: &str) -> Option<HeaderMap> {
    let mut headers = HeaderMap::new();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=')?;
        let name: HeaderName = name.trim().parse().ok()?;
        let mut value = HeaderValue::from_bytes(&decoded(value.trim())?).ok()?;
        value.set_sensitive(true);
        headers.append(name, value);
    }
    (!headers.is_empty()).then_some(headers)
}

/// A text whose `%XX` are bytes.
fn decoded(text: &str) -> Option<Vec<u8>> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len());
    while let Some(byte) = bytes.next() {
        let hex = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)?.checked_mul(16)?.checked_add(hex(bytes.next()?)?)?,
            other => other,
        });
    }
    Some(decoded)
}

pub(super) fn dsn(text: &str) -> Option<Dsn> {
    text.parse().ok()
}

/// A number from 0 to 1 with at most three decimals, in thousandths.
pub(super) fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if !matches!(whole, "0" | "1") || !digits(decimals) || decimals.len() > 3 {
        return None;
    }
    let share: u16 = format!("{whole}{decimals:0<3}").parse().ok()?;
    (share <= 1000).then_some(share)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_gets_the_path_of_traces() {
        for (base, whole) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://otlp.example.net/otlp/", "https://otlp.example.net/otlp/v1/traces"),
        ] {
            assert_eq!(traces_endpoint(base).unwrap().to_string(), whole);
        }
        for bad in [
            "127.0.0.1:4318",
            "ftp://a",
            "https://",
            "https://user:word@a",
            "https://a/?key=b",
            "https://a b",
            "https://a/#b",
            "https://a:0",
            "grpc://a",
        ] {
            assert!(traces_endpoint(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn headers_are_pairs_and_secret() {
        let found = headers("api-key = a%2Cb , x-team=c=d").unwrap();
        assert_eq!(found["api-key"], "a,b");
        assert_eq!(found["x-team"], "c=d");
        assert!(found.values().all(HeaderValue::is_sensitive));
        for bad in ["", "a", "a b=c", "a=%2", "a=%zz", "a=%0A", "=b"] {
            assert!(headers(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn a_share_is_a_decimal_from_0_to_1() {
        for (text, share) in
            [("0", 0), ("1", 1000), ("0.5", 500), ("0.25", 250), ("0.001", 1), ("1.000", 1000)]
        {
            assert_eq!(thousandths(text), Some(share), "{text}");
        }
        for bad in ["", ".5", "1.", "2", "1.001", "-0", "0.0001", "1e0", "0.5 ", "00", "0,5"] {
            assert_eq!(thousandths(bad), None, "{bad}");
        }
    }
}
