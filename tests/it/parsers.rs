//! The parsers of `tests::fuzz` on their reviewed inputs, as they are and mutated; and that none is without inputs or
//! without a fuzz target. What the fuzzer finds is added to the corpus, and is a test from then on.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use tests::fuzz::{self, TARGETS};

/// The largest input of a corpus: one that a reader can take in.
const INPUT_BYTES_MAX: u64 = 4096;
/// How often each corpus is mutated.
const MUTANTS: usize = 3000;
/// An event goes through a whole function.
const EVENT_MUTANTS: usize = 400;

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

fn inputs(parser: &str) -> Vec<(String, Vec<u8>)> {
    let folder = corpus().join(parser);
    names(&folder).into_iter().map(|name| (name.clone(), fs::read(folder.join(name)).unwrap())).collect()
}

/// Runs a check, and says on which input a law broke.
#[track_caller]
fn hold(parser: &str, input: &[u8], what: &str) {
    let checked = catch_unwind(AssertUnwindSafe(|| fuzz::run(parser, input)));
    assert!(checked.is_ok(), "{parser} breaks a law on {what}: b\"{}\"", input.escape_ascii());
}

#[test]
fn every_input_of_a_corpus_keeps_its_parsers_laws() {
    let known: BTreeSet<String> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names(&corpus()), known, "a parser has no corpus, or a corpus has no parser");
    for parser in known {
        let inputs = inputs(&parser);
        assert!(inputs.len() >= 3, "{parser} has {} inputs", inputs.len());
        for (name, input) in inputs {
            let size = u64::try_from(input.len()).unwrap();
            assert!(size <= INPUT_BYTES_MAX, "{parser}/{name} has {size} bytes");
            hold(&parser, &input, &name);
        }
    }
}

/// Changes inputs, always in the same way.
struct Mutator(u64);

impl Mutator {
    /// Xorshift (Marsaglia 2003): the next number below `end`.
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn mutant(&mut self, inputs: &[(String, Vec<u8>)]) -> Vec<u8> {
        let mut bytes = inputs[self.below(inputs.len())].1.clone();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            let until = at + self.below(bytes.len() - at + 1);
            match self.below(6) {
                0 => bytes.insert(at, u8::try_from(self.below(256)).unwrap()),
                1 => drop(bytes.drain(at..until.min(at + 8))),
                2 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                3 => {
                    let token = TOKENS[self.below(TOKENS.len())];
                    bytes.splice(at..at, token.iter().copied());
                }
                4 if bytes.len() < 4000 => {
                    let again = bytes[at..until].to_vec();
                    bytes.splice(until..until, again);
                }
                _ => {
                    let other = &inputs[self.below(inputs.len())].1;
                    let from = self.below(other.len() + 1);
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[from..]);
                }
            }
        }
        bytes
    }
}

/// What breaks parsers.
#[rustfmt::skip]
const TOKENS: &[&[u8]] = &[
    b"\0", b"\n", b"\n\n", b"\"", b"\\", b"\\u0000", b"\\ud800", b"\xff", b"\xc3\x28", b"\xef\xbb\xbf",
    b"\xe2\x80\xae", b"%", b"%00", b"%ff", b"%25", b"&", b"=", b"+", b"-", b"-0", b".", b"/", b"..", b"~", b"*", b",",
    b";", b" ", b"[", b"{", b"}", b"]", b"1e400", b"9223372036854775808", b"-9223372036854775808",
    b"99999999999999999999999999999999", b"null", b"true", b"W/", b"${TOKEN}", b"2026-02-29", b"$ne", b"__proto__",
    b"0x10", b"NaN",
];

fn mutate(parser: &str, count: usize) {
    let inputs = inputs(parser);
    // Any seed but zero; another for each parser.
    let seed =
        parser.bytes().fold(0x9E37_79B9_7F4A_7C15, |seed: u64, byte| seed.rotate_left(5) ^ u64::from(byte));
    let mut mutator = Mutator(seed);
    for _ in 0..count {
        let mutant = mutator.mutant(&inputs);
        hold(parser, &mutant, "a mutant");
    }
}

#[test]
fn three_thousand_mutants_of_each_corpus_keep_its_parsers_laws() {
    for (parser, _) in TARGETS.iter().filter(|(parser, _)| *parser != "event") {
        mutate(parser, MUTANTS);
    }
}

#[test]
fn four_hundred_mutated_events_are_answered_by_the_contract() {
    mutate("event", EVENT_MUTANTS);
}

#[test]
fn every_parser_has_a_fuzz_target_of_its_name() {
    let fuzz = crate::root().join("fuzz");
    let files: BTreeSet<String> = TARGETS.iter().map(|(name, _)| format!("{name}.rs")).collect();
    assert_eq!(names(&fuzz.join("fuzz_targets")), files);
    let manifest = fs::read_to_string(fuzz.join("Cargo.toml")).unwrap();
    for (name, _) in TARGETS {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name} is not built");
        let text = fs::read_to_string(fuzz.join(format!("fuzz_targets/{name}.rs"))).unwrap();
        assert!(text.contains(&format!("run(\"{name}\", input)")), "{name}.rs runs another parser");
    }
}

/// A lock's packages, each by its first two lines (name and version), with all of its text.
fn locked(path: &str) -> BTreeMap<String, String> {
    let text = fs::read_to_string(crate::root().join(path)).unwrap();
    let packages = text.split("[[package]]\n").skip(1).map(str::trim);
    packages.map(|text| (text.lines().take(2).collect::<Vec<_>>().join(" "), text.to_owned())).collect()
}

/// What is fuzzed is what ships: `fuzz/Cargo.lock` is the workspace's, and the fuzzer's own two.
#[test]
fn the_fuzzers_lock_has_the_workspaces_versions_and_lacks_none_of_them() {
    let (ours, theirs) = (locked("Cargo.lock"), locked("fuzz/Cargo.lock"));
    let own = |name: &str| ["fuzz", "libfuzzer-sys", "arbitrary"].contains(&name);
    let name = |key: &str| key.split('"').nth(1).unwrap().to_owned();
    let others: Vec<_> = theirs.keys().filter(|key| !own(&name(key)) && !ours.contains_key(*key)).collect();
    assert!(others.is_empty(), "{others:?}");
    for package in crate::architecture::metadata().workspace_packages() {
        let Some(text) = theirs.iter().find(|(key, _)| name(key) == *package.name).map(|(_, text)| text)
        else {
            panic!("{} is not in it", package.name)
        };
        // With its version too, where there are two of the name.
        let listed: BTreeSet<String> = text
            .lines()
            .filter_map(|line| line.trim().strip_prefix('"')?.split(['"', ' ']).next().map(str::to_owned))
            .collect();
        let missing: Vec<_> =
            crate::architecture::dependencies(package).difference(&listed).cloned().collect();
        assert!(missing.is_empty(), "{} lacks {missing:?}", package.name);
    }
}
