//! The rules of money: what an amount is, what a transaction moves, and what the financial-health score says.
//!
//! Owns every decision that can be made from values alone. It never does I/O, reads no clock, knows no protocol, no
//! database and no serialization: wire and storage shapes belong to those who speak them. All arithmetic is integer
//! and checked; a sum that does not fit is an error, never a wrapped number.

#![deny(
    clippy::float_arithmetic,
    clippy::arithmetic_side_effects,
    clippy::as_conversions,
    clippy::indexing_slicing,
    missing_docs
)]
#![cfg_attr(
    test,
    allow(
        clippy::arithmetic_side_effects,
        clippy::as_conversions,
        clippy::indexing_slicing,
        reason = "a test that overflows or indexes wrongly fails, which is what a test is for"
    )
)]

pub mod account;
pub mod calendar;
pub mod category;
pub mod currency;
pub mod curve;
pub mod id;
pub mod ledger;
pub mod money;
pub mod rejection;
pub mod score;
pub mod summary;
pub mod transaction;
pub mod words;
