//! The erasure of users by hand: after a restore, of those who erased themselves since the backup. By the same steps as the
//! API's own. By id only: an address may be another person's by now. Must never erase anybody who was not named.

use std::fmt::Display;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use finance::id::UserId;
use shared::boot::Boot;
use shared::store::users::Users;

/// How long the erasure of one user may take.
const PATIENCE: Duration = Duration::from_secs(600);

/// What was done.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Erased {
    pub users: u64,
    /// Those who are not there: erased already, or made after the backup.
    pub unknown: u64,
}

impl Display for Erased {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "users erased: {}, not there: {}", self.users, self.unknown)
    }
}

/// Users' ids, with white space between them.
///
/// # Errors
/// There is none, or one is no id: nobody is erased then.
pub fn parse(text: &str) -> Result<Vec<UserId>> {
    let ids = text.split_whitespace().map(|word| {
        UserId::parse(word).with_context(|| format!("{word:?} is no user's id; nobody was erased"))
    });
    let ids: Vec<UserId> = ids.collect::<Result<_>>()?;
    ensure!(!ids.is_empty(), "whom? make erase USER=\"<id> <id>\"");
    Ok(ids)
}

/// Erases each, in order, and tells it. Safe to repeat. Who is told as erased is gone for everyone; where it was cut off, the
/// next migration removes what is left.
///
/// # Errors
/// MongoDB does not answer: those who were told are erased, those after the one that it failed at are not. That one may be
/// either; done again, it tells which.
pub async fn erase(boot: &Boot, users: &[UserId], mut tell: impl FnMut(String)) -> Result<Erased> {
    let mongo = boot.mongo().context("MONGODB_URI is missing")?;
    let mut erased = Erased::default();
    for user in users {
        let store = mongo.for_duration(PATIENCE);
        if Users::new(store.clone()).get(*user).await?.is_none() {
            erased.unknown = erased.unknown.saturating_add(1);
            tell(format!("user {user} is not there"));
            continue;
        }
        store.erase_user(*user).await?;
        erased.users = erased.users.saturating_add(1);
        tell(format!("user {user} is erased"));
    }
    Ok(erased)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_erased_by_anything_but_an_id() {
        let id = "01936f6e-1111-7abc-8def-0123456789ab";
        assert_eq!(parse(&format!(" {id}\n{id} ")).unwrap(), [UserId::parse(id).unwrap(); 2]);
        for bad in ["", " ", "all", "a@example.com", &format!("{id},{id}"), &format!("{id} all")] {
            parse(bad).unwrap_err();
        }
    }
}
