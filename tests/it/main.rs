//! One binary for every test that needs the whole API or the whole workspace. Names are sentences; a test has a database of
//! its own and waits for nothing but answers.

mod accounts;
mod architecture;
mod auth;
mod categories;
mod crash;
mod matrix;
mod transactions;
