//! `/auth`: registration, log-in, the rotation of tokens, log-out, the user, the sessions.

mod end_other_sessions;
mod end_session;
mod erase_me;
mod get_me;
mod list_sessions;
mod log_in;
mod log_out;
mod refresh;
mod register;
mod update_me;

use shared::clock::Clock;
use tests::TestApp;

/// The API on a clock that stands at now, so that MongoDB's own clock takes nothing for expired.
async fn app_with_clock() -> TestApp {
    TestApp::with_clock(&[], Clock::manual(Clock::system().now())).await
}

/// The value that an answer sets its only cookie to, with what follows it.
fn cookie(answer: &tests::Answer) -> (String, Vec<String>) {
    let lines: Vec<_> = answer.headers.get_all("set-cookie").iter().collect();
    assert_eq!(lines.len(), 1, "one cookie");
    let mut parts = lines[0].to_str().unwrap().split(';').map(|part| part.trim().to_owned());
    let pair = parts.next().unwrap();
    (pair, parts.collect())
}
