//! What every operation that asks for a password shares: the guard on attempts, and the refusal. Must never look at a
//! password before the guard has granted the attempt.

use secrecy::SecretString;
use shared::edge::{Problem, ProblemType, Scope};
use shared::store::users::{Reservation, User, Users};

use crate::Parts;

/// Asks a signed-in user for the password again, under the same guard as a log-in.
pub(crate) async fn confirm_password(
    app: &Parts,
    users: &Users,
    scope: &Scope,
    user: &User,
    password: &SecretString,
) -> Result<(), Problem> {
    let guard = app.issuer.guard_id(&user.email);
    granted(app, scope, &user.email, users.reserve_log_in(guard).await?)?;
    if !app.passwords.verify(password, Some(&user.password_hash)).await {
        return Err(wrong_credentials(app, users, scope, &user.email, guard).await);
    }
    Ok(users.log_in_succeeded(guard).await?)
}

/// Releases who waits for the attempt's outcome, logs it, and refuses.
pub(crate) async fn wrong_credentials(
    app: &Parts,
    users: &Users,
    scope: &Scope,
    email: &str,
    guard: [u8; 32],
) -> Problem {
    app.events.login_failed(scope, email);
    match users.log_in_failed(guard).await {
        Ok(()) => Problem::new(ProblemType::InvalidCredentials),
        Err(error) => error.into(),
    }
}

pub(crate) fn granted(
    app: &Parts,
    scope: &Scope,
    email: &str,
    reservation: Reservation,
) -> Result<(), Problem> {
    match reservation {
        Reservation::Granted => Ok(()),
        Reservation::Delayed { wait_ms } => {
            app.events.login_delayed(scope, email);
            let seconds = wait_ms.unsigned_abs().div_ceil(1000).max(1);
            Err(Problem::new(ProblemType::LoginDelayed).retry_after(seconds))
        }
    }
}
