#[tokio::main(flavor = "current_thread")] // below one vCPU a thread pool only costs start-up
async fn main() -> Result<(), lambda_http::Error> {
    shared::lambda::run(accounts::FUNCTION, accounts::build).await
}
