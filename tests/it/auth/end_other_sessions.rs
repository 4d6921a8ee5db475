//! `DELETE /auth/sessions`.

use tests::TestApp;

#[tokio::test]
async fn ending_all_others_keeps_the_one_that_asks() {
    let app = TestApp::start().await;
    let user = app.register().await;
    let others = [app.log_in(&user).await, app.log_in(&user).await];
    app.delete(&user, "/auth/sessions").await.expect(204);
    for other in &others {
        app.get(other, "/auth/me").await.expect_problem(401, "unauthenticated");
    }
    assert_eq!(app.get(&user, "/auth/sessions").await.items().len(), 1);
}
