#[tokio::main(flavor = "current_thread")] // below one vCPU a thread pool only costs start-up
async fn main() -> Result<(), lambda_http::Error> {
    shared::lambda::run_job(backup::FUNCTION, backup::work).await
}
