//! The manifest of a backup: what it takes it writes again as the same, and no file that it names is outside its folder.

use std::collections::BTreeSet;
use std::path::{Component, Path};

use backup::manifest::{FORMAT, Manifest};

pub(super) fn check(input: &[u8]) {
    let Ok(manifest) = Manifest::parse(input) else { return };
    assert_eq!(manifest.format, FORMAT);
    for file in manifest.files() {
        let path = Path::new(&file.path);
        assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{}", file.path);
        assert!(!file.path.contains(['\\', '\0', ':']), "{}", file.path);
    }
    let paths: BTreeSet<&str> = manifest.files().map(|file| file.path.as_str()).collect();
    assert_eq!(paths.len(), 2 * manifest.collections.len(), "two collections share a file");
    let again = serde_json::to_vec(&manifest).expect("a manifest is JSON");
    assert_eq!(Manifest::parse(&again).expect("it was one"), manifest);
}
