//! One binary for every test that needs the whole API or the whole workspace.

mod architecture;
mod crash;
mod matrix;
