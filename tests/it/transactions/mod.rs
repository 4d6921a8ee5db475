//! `/transactions`.

mod create;
mod get_update_delete;
mod idempotency;
mod list;
mod restore;
mod summary;
