//! Accounts: what kinds there are, and the rules that depend on them.
//!
//! Owns the kinds. Never decides who may see an account.

crate::words! {
    /// What an account is.
    pub enum AccountKind {
        /// Money for every day, at a bank.
        Checking = "checking",
        /// Money put aside, at a bank.
        Savings = "savings",
        /// Notes and coins.
        Cash = "cash",
        /// A card that is paid later; owes when its balance is negative.
        CreditCard = "credit_card",
        /// Borrowed money; owes when its balance is negative.
        Loan = "loan",
        /// Securities and the like.
        Investment = "investment",
        /// Anything else.
        Other = "other",
    }
}
