//! One request, made by a process of its own so that a test can kill it: reads an API Gateway event on standard input,
//! runs it through the function of its path, configured by the environment, and prints the answer's status.

use std::io::Read;

use shared::config::environment;
use tests::TestApp;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut event = String::new();
    std::io::stdin().read_to_string(&mut event)?;
    let answer = TestApp::of_environment(environment()).send(&event).await;
    #[expect(clippy::print_stdout, reason = "its only output")]
    {
        println!("{}", answer.status);
    }
    Ok(())
}
