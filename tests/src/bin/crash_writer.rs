//! One write, made by a process of its own so that a test can kill it: reads an API Gateway event on standard input and
//! runs it through the function of its path, or, where the input is `batch USER ACCOUNT COUNT KEY`, posts that many
//! transactions at once. Configured by the environment; prints the answer's status.

use std::io::Read;
use std::time::Duration;

use finance::id::{AccountId, UserId};
use shared::config::environment;
use shared::store::UserStore;
use tests::{TestApp, batch};

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut input = String::new();
    std::io::stdin().read_to_string(&mut input)?;
    let app = TestApp::of_environment(environment());
    let words: Vec<&str> = input.split_whitespace().collect();
    let status = match words[..] {
        ["batch", user, account, count, key] => {
            let user = UserId::parse(user).ok_or(anyhow::anyhow!("no user id"))?;
            let account = AccountId::parse(account).ok_or(anyhow::anyhow!("no account id"))?;
            let store = UserStore::new(app.store(Duration::from_secs(10)), user);
            batch::post(&store, batch::expenses(account, count.parse()?), Some(key)).await?.status
        }
        _ => app.send(&input).await.status,
    };
    #[expect(clippy::print_stdout, reason = "its only output")]
    {
        println!("{status}");
    }
    Ok(())
}
