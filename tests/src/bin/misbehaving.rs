//! A function whose handlers panic, in the whole life of a real one (`shared::lambda::run`), so that a test can see what
//! Lambda and CloudWatch would.

use shared::boot::Boot;
use shared::lambda;
use tests::misbehaving;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_http::Error> {
    lambda::run(misbehaving::FUNCTION, |boot: &Boot| {
        if misbehaving::panics_at_start() {
            // A task that nobody waits for, outside of any request.
            drop(tokio::spawn(misbehaving::panic_alone()));
        }
        misbehaving::build(boot)
    })
    .await
}
