//! The check of what is kept beside the transactions: totals, balances and knowledge of one user or of all, recomputed and
//! compared, each difference named. Must never write anything.

use std::fmt::Display;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use finance::id::UserId;
use shared::boot::Boot;
use shared::store::audit::Audit;
use shared::store::users::Users;
use shared::store::{Store, StoreError};

/// How long the history of one user may take to read.
const PATIENCE: Duration = Duration::from_secs(600);
/// Users that are asked for at once.
const PAGE: i64 = 500;

/// Whom to check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    All,
    Id(UserId),
    Email(String),
}

impl Whom {
    /// `all`, a user's id, or an e-mail address.
    ///
    /// # Errors
    /// One line that says what it may be.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        match (text, UserId::parse(text)) {
            ("all", _) => Ok(Self::All),
            (_, Some(id)) => Ok(Self::Id(id)),
            _ if text.contains('@') => Ok(Self::Email(text.to_lowercase())),
            _ => bail!("whom? make doctor USER=<id or e-mail address>, or make doctor USER=all"),
        }
    }
}

/// What was found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Findings {
    pub users: u64,
    pub transactions: u64,
    pub differences: u64,
}

impl Display for Findings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { users, transactions, differences } = self;
        write!(f, "users checked: {users}, transactions read: {transactions}, differences: {differences}")
    }
}

/// Checks, and tells each user with a difference in one line.
///
/// # Errors
/// There is no such user or no such database, it is being restored, or MongoDB does not answer.
pub async fn check(boot: &Boot, whom: &Whom, mut tell: impl FnMut(String)) -> Result<Findings> {
    let mongo = boot.mongo().context("MONGODB_URI is missing")?;
    let store = || mongo.for_duration(PATIENCE);
    store().expect_whole().await.context("nothing can be checked")?;
    let mut findings = Findings::default();
    let users = Users::new(store());
    let (found, name) = match whom {
        Whom::All => {
            let mut after = None;
            loop {
                let page = store().users_after(after, PAGE).await.map_err(unavailable)?;
                let Some(last) = page.last() else { return Ok(findings) };
                after = Some(*last);
                for user in page {
                    check_one(&store(), user, &mut findings, &mut tell).await?;
                }
            }
        }
        Whom::Id(id) => (users.get(*id).await, id.to_string()),
        Whom::Email(email) => (users.find_by_email(email).await, email.clone()),
    };
    let user = found.map_err(unavailable)?.with_context(|| format!("there is no user {name}"))?;
    check_one(&store(), user.id, &mut findings, &mut tell).await?;
    Ok(findings)
}

async fn check_one(
    store: &Store,
    user: UserId,
    findings: &mut Findings,
    tell: &mut impl FnMut(String),
) -> Result<()> {
    findings.users = findings.users.saturating_add(1);
    let audit = match store.audit(user).await {
        Ok(audit) => audit,
        // What cannot be read is a difference itself, and no reason to leave the others unread.
        Err(StoreError::Corrupt(what)) => {
            Audit { differences: vec![format!("cannot be read: {what}")], ..Audit::default() }
        }
        Err(error) => return Err(unavailable(error)),
    };
    findings.transactions = findings.transactions.saturating_add(audit.transactions);
    let told = u64::try_from(audit.differences.len()).unwrap_or(u64::MAX);
    let count = told.saturating_add(audit.omitted);
    findings.differences = findings.differences.saturating_add(count);
    if count > 0 {
        let more = if audit.omitted > 0 { format!("; and {} more", audit.omitted) } else { String::new() };
        tell(format!("user {user}: {count} differences: {}{more}", audit.differences.join("; ")));
    }
    Ok(())
}

fn unavailable(error: StoreError) -> anyhow::Error {
    anyhow::Error::new(error).context("the check did not come to its end")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whom_to_check_is_all_an_id_or_an_address() {
        let id = "01936f6e-1111-7abc-8def-0123456789ab";
        assert_eq!(Whom::parse("all").unwrap(), Whom::All);
        assert_eq!(Whom::parse(id).unwrap(), Whom::Id(UserId::parse(id).unwrap()));
        assert_eq!(Whom::parse(" A@Example.com ").unwrap(), Whom::Email("a@example.com".to_owned()));
        for bad in ["", "root", "01936f6e"] {
            let said = Whom::parse(bad).unwrap_err().to_string();
            assert!(said.contains("make doctor USER=all"), "{said}");
        }
    }
}
