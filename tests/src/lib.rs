//! What the tests share: the whole API in one process ([`app`]), and a proxy that stops a process in the midst of a write
//! ([`proxy`]). Must never be a dependency of what ships.

pub mod app;
pub mod proxy;

pub use app::{Answer, Mounted, PASSWORD, TestApp, User, event, random_ip, random_name};
