//! A Redis server of one test's own, for what must never be done to the server that all tests share: to demote it, or to
//! change its users.

use local::servers::{Purpose, Servers};
use local::workspace::Workspace;
use redis::FromRedisValue;

use crate::TestApp;
use crate::scratch::Scratch;

/// A server that is gone when the test ends.
pub struct RedisServer {
    /// `redis://host:port`.
    pub url: String,
    _servers: Servers,
    _folder: Scratch,
}

impl RedisServer {
    /// Starts one, as `make run` does.
    pub async fn start(app: &TestApp) -> Self {
        let mut variables = shared::config::environment();
        // Named, so that no MongoDB is started beside it.
        variables.insert("MONGODB_URI".to_owned(), app.variables()["MONGODB_URI"].clone());
        variables.remove("REDIS_URL");
        let workspace = Workspace::find().expect("tests run inside the repository");
        let folder = Scratch::make();
        let servers = Servers::start(&workspace, &variables, folder.path(), Purpose::Test)
            .await
            .unwrap_or_else(|error| panic!("{error:#}"));
        Self { url: servers.redis_url.clone(), _servers: servers, _folder: folder }
    }

    /// Where it listens, as host:port.
    pub fn address(&self) -> String {
        self.url.trim_start_matches("redis://").to_owned()
    }

    /// Its URL with these credentials.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        format!("redis://{user}:{password}@{}", self.address())
    }

    /// Opens a connection that no later change of the credentials touches.
    pub async fn operator(&self) -> Operator {
        let client = redis::Client::open(self.url.as_str()).expect("a URL");
        Operator(client.get_multiplexed_async_connection().await.expect("it answers"))
    }
}

/// Who changes a server while it runs.
pub struct Operator(redis::aio::MultiplexedConnection);

impl Operator {
    /// Runs a command, given as its words.
    ///
    /// # Panics
    /// It is refused.
    pub async fn run<T: FromRedisValue>(&mut self, command: &str) -> T {
        let mut words = redis::Cmd::new();
        for word in command.split(' ') {
            words.arg(word);
        }
        words.query_async(&mut self.0).await.unwrap_or_else(|error| panic!("{command}: {error}"))
    }
}
