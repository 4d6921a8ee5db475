//! Which addresses the clients of the databases take. Must never connect to one.

use redis::IntoConnectionInfo;

/// Whether MongoDB's driver takes a connection string.
pub(crate) fn is_of_mongodb(uri: &str) -> bool {
    mongodb::options::ConnectionString::parse(uri).is_ok()
}

/// Whether Redis' client takes a URL.
pub(crate) fn is_of_redis(url: &str) -> bool {
    url.into_connection_info().is_ok()
}
