//! What every operation that asks for a password shares: the guard on attempts, and the refusal. Must never look at a
//! password before the guard has granted the attempt.

use secrecy::SecretString;
use shared::edge::{Problem, ProblemType};
use shared::metrics::{self, Metric};
use shared::store::users::{Reservation, User, Users};

use crate::{FUNCTION, Parts};

/// Asks a signed-in user for the password again, under the same guard as a log-in.
pub(crate) async fn confirm_password(
    app: &Parts,
    users: &Users,
    user: &User,
    password: &SecretString,
) -> Result<(), Problem> {
    let guard = app.issuer.guard_id(&user.email);
    granted(users.reserve_log_in(guard).await?)?;
    if !app.passwords.verify(password, Some(&user.password_hash)).await {
        return Err(wrong_credentials());
    }
    Ok(users.log_in_succeeded(guard).await?)
}

/// Tells the log and the metric, and refuses.
pub(crate) fn wrong_credentials() -> Problem {
    tracing::warn!(message = "login failed", event = "login_failed");
    metrics::count(Metric::LoginFailed, FUNCTION.name);
    Problem::new(ProblemType::InvalidCredentials)
}

pub(crate) fn granted(reservation: Reservation) -> Result<(), Problem> {
    match reservation {
        Reservation::Granted => Ok(()),
        Reservation::Delayed { wait_ms } => {
            let seconds = wait_ms.unsigned_abs().div_ceil(1000).max(1);
            Err(Problem::new(ProblemType::LoginDelayed).retry_after(seconds))
        }
    }
}
