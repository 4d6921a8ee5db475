//! One binary for every test that needs the whole API or the whole workspace.

mod crash;
