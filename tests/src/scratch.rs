//! A folder for one test. Must never be shared by two, nor be left behind.

use std::path::{Path, PathBuf};

use crate::random_name;

/// A folder that is gone when the test ends.
pub struct Scratch(PathBuf);

impl Scratch {
    pub fn make() -> Self {
        let path = std::env::temp_dir().join(format!("fintrack-test-{}", random_name()));
        std::fs::create_dir(&path).expect("a folder");
        Self(path)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        drop(std::fs::remove_dir_all(&self.0));
    }
}
