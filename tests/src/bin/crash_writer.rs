//! One request, made by a process of its own so that a test can kill it: reads an API Gateway event on standard input,
//! runs it through the transactions function configured by the environment, prints the answer's status.

use std::io::Read;

use lambda_http::tower::ServiceExt;
use shared::boot::Boot;
use shared::config::{Config, environment};
use shared::edge::event;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    let mut event = String::new();
    std::io::stdin().read_to_string(&mut event)?;
    let boot = Boot::new(Config::load(&environment(), transactions::FUNCTION.needs)?);
    let request = event::read(&event)?;
    let response = transactions::build(&boot).oneshot(request).await?;
    #[expect(clippy::print_stdout, reason = "its only output")]
    {
        println!("{}", response.status().as_u16());
    }
    Ok(())
}
