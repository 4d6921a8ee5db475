//! The totals that a transaction moves: by month and category, and by account and day.
//!
//! Owns the arithmetic that keeps stored totals equal to the transactions they came from: [`Effects::change`] is what a
//! write adds to them. Never stores anything; never interprets a total (whether income is a refund is for those who
//! read it, since a category's facts may change later).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use thiserror::Error;

use crate::calendar::{Date, Month};
use crate::currency::Currency;
use crate::id::{AccountId, CategoryId};
use crate::transaction::{Transaction, TransactionType};

/// Totals that cannot be added: the sum leaves 64 bits, or an account's totals are in two currencies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the totals cannot be added")]
pub struct Overflow;

/// Which monthly total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MonthKey {
    /// The month that the transaction is dated in.
    pub month: Month,
    /// The transaction's currency.
    pub currency: Currency,
    /// What it was for, if that is known.
    pub category: Option<CategoryId>,
}

/// A monthly total. As a difference its numbers may be negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct MonthTotal {
    /// The sum of what was typed `income`, refunds too.
    pub income: i64,
    /// The sum of what was typed `expense`.
    pub expense: i64,
    /// How many parts: each split is one.
    pub count: i64,
    /// How many transactions: counted with their first part only, so that a month's categories sum to its transactions.
    pub transactions: i64,
}

impl MonthTotal {
    fn plus(self, other: MonthTotal) -> Result<MonthTotal, Overflow> {
        Ok(MonthTotal {
            income: sum(self.income, other.income)?,
            expense: sum(self.expense, other.expense)?,
            count: sum(self.count, other.count)?,
            transactions: sum(self.transactions, other.transactions)?,
        })
    }

    fn negated(self) -> Result<MonthTotal, Overflow> {
        Ok(MonthTotal {
            income: opposite(self.income)?,
            expense: opposite(self.expense)?,
            count: opposite(self.count)?,
            transactions: opposite(self.transactions)?,
        })
    }

    /// Whether it says nothing.
    pub fn is_zero(&self) -> bool {
        *self == MonthTotal::default()
    }
}

/// Which daily total.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DayKey {
    /// The account.
    pub account: AccountId,
    /// The day.
    pub date: Date,
}

/// What a day did to an account. As a difference its numbers may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayTotal {
    /// The account's currency.
    pub currency: Currency,
    /// The signed effect on the balance.
    pub net: i64,
    /// How many transactions touched the account, transfers from both ends.
    pub count: i64,
    /// How many of them are income or expenses.
    pub flows: i64,
}

impl DayTotal {
    fn plus(self, other: DayTotal) -> Result<DayTotal, Overflow> {
        if self.currency != other.currency {
            return Err(Overflow);
        }
        Ok(DayTotal {
            currency: self.currency,
            net: sum(self.net, other.net)?,
            count: sum(self.count, other.count)?,
            flows: sum(self.flows, other.flows)?,
        })
    }

    fn negated(self) -> Result<DayTotal, Overflow> {
        Ok(DayTotal {
            currency: self.currency,
            net: opposite(self.net)?,
            count: opposite(self.count)?,
            flows: opposite(self.flows)?,
        })
    }

    /// Whether it says nothing.
    pub fn is_zero(&self) -> bool {
        self.net == 0 && self.count == 0 && self.flows == 0
    }
}

/// What a transaction, or a write, or a whole ledger, adds to the totals. No entry is zero.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Effects {
    /// On the monthly totals.
    pub months: BTreeMap<MonthKey, MonthTotal>,
    /// On the daily totals.
    pub days: BTreeMap<DayKey, DayTotal>,
}

impl Effects {
    /// What one transaction adds.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn of(transaction: &Transaction) -> Result<Effects, Overflow> {
        let mut effects = Effects::default();
        effects.post_months(transaction)?;
        effects.post_days(transaction)?;
        Ok(effects)
    }

    /// What a write adds: all of `after`, less all of `before`. An insertion has no `before`, a deletion no `after`.
    ///
    /// # Errors
    /// [`Overflow`].
    pub fn change(before: Option<&Transaction>, after: Option<&Transaction>) -> Result<Effects, Overflow> {
        let mut effects = after.map_or_else(|| Ok(Effects::default()), Effects::of)?;
        if let Some(before) = before {
            effects.add(&Effects::of(before)?.negated()?)?;
        }
        Ok(effects)
    }

    /// Adds what another write adds.
    ///
    /// # Errors
    /// [`Overflow`]; the effects are then as before.
    pub fn add(&mut self, other: &Effects) -> Result<(), Overflow> {
        let months = sums(&self.months, &other.months, MonthTotal::plus)?;
        let days = sums(&self.days, &other.days, DayTotal::plus)?;
        store(&mut self.months, months, MonthTotal::is_zero);
        store(&mut self.days, days, DayTotal::is_zero);
        Ok(())
    }

    /// Whether nothing moves.
    pub fn is_zero(&self) -> bool {
        self.months.is_empty() && self.days.is_empty()
    }

    fn negated(self) -> Result<Effects, Overflow> {
        let months = self.months.into_iter().map(|(key, total)| Ok((key, total.negated()?)));
        let days = self.days.into_iter().map(|(key, total)| Ok((key, total.negated()?)));
        Ok(Effects { months: months.collect::<Result<_, _>>()?, days: days.collect::<Result<_, _>>()? })
    }

    fn post_months(&mut self, transaction: &Transaction) -> Result<(), Overflow> {
        let month = Month::of(transaction.date);
        for (index, (category, amount)) in transaction.parts().into_iter().enumerate() {
            let (income, expense) = match transaction.kind {
                TransactionType::Income => (amount, 0),
                TransactionType::Expense => (0, amount),
                TransactionType::Transfer => (0, 0),
            };
            let part = MonthTotal { income, expense, count: 1, transactions: i64::from(index == 0) };
            let key = MonthKey { month, currency: transaction.currency, category };
            let total = self.months.entry(key).or_default();
            *total = total.plus(part)?;
        }
        Ok(())
    }

    fn post_days(&mut self, transaction: &Transaction) -> Result<(), Overflow> {
        let (net, flows) = match transaction.kind {
            TransactionType::Income => (transaction.amount_minor, 1),
            TransactionType::Expense => (opposite(transaction.amount_minor)?, 1),
            TransactionType::Transfer => (opposite(transaction.amount_minor)?, 0),
        };
        let leaving = DayTotal { currency: transaction.currency, net, count: 1, flows };
        self.post_day(transaction.account_id, transaction.date, leaving)?;
        if let Some(leg) = transaction.transfer {
            let arriving = DayTotal { currency: leg.currency, net: leg.amount_minor, count: 1, flows: 0 };
            self.post_day(leg.account_id, transaction.date, arriving)?;
        }
        Ok(())
    }

    fn post_day(&mut self, account: AccountId, date: Date, moved: DayTotal) -> Result<(), Overflow> {
        match self.days.entry(DayKey { account, date }) {
            Entry::Vacant(entry) => {
                entry.insert(moved);
            }
            Entry::Occupied(mut entry) => {
                let total = entry.get().plus(moved)?;
                entry.insert(total);
            }
        }
        Ok(())
    }
}

/// How far the effects move an account's balance. `opening` is the day that its opening balance stands for: what is dated
/// before is already in it. Without one, everything counts.
///
/// # Errors
/// [`Overflow`].
pub fn account_movement(
    effects: &Effects,
    account: AccountId,
    opening: Option<Date>,
) -> Result<i64, Overflow> {
    let from = DayKey { account, date: opening.unwrap_or(Date::MIN) };
    let to = DayKey { account, date: Date::MAX };
    effects.days.range(from..=to).try_fold(0, |moved, (_, day)| sum(moved, day.net))
}

fn sum(a: i64, b: i64) -> Result<i64, Overflow> {
    a.checked_add(b).ok_or(Overflow)
}

fn opposite(a: i64) -> Result<i64, Overflow> {
    a.checked_neg().ok_or(Overflow)
}

/// The new values of every key of `other`, made before any is stored.
fn sums<K: Ord + Copy, T: Copy>(
    totals: &BTreeMap<K, T>,
    other: &BTreeMap<K, T>,
    plus: impl Fn(T, T) -> Result<T, Overflow>,
) -> Result<Vec<(K, T)>, Overflow> {
    let sum = |(key, added): (&K, &T)| {
        Ok((*key, totals.get(key).map_or(Ok(*added), |total| plus(*total, *added))?))
    };
    other.iter().map(sum).collect()
}

fn store<K: Ord, T>(totals: &mut BTreeMap<K, T>, values: Vec<(K, T)>, is_zero: impl Fn(&T) -> bool) {
    for (key, value) in values {
        if is_zero(&value) {
            totals.remove(&key);
        } else {
            totals.insert(key, value);
        }
    }
}

#[cfg(test)]
mod tests;
