#[tokio::main(flavor = "current_thread")] // below one vCPU a thread pool only costs start-up
async fn main() -> Result<(), lambda_http::Error> {
    shared::lambda::run(financial_health::FUNCTION, financial_health::build).await
}
