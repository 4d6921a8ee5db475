//! `tests::fuzz` has the check; this hands it the fuzzer's inputs.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tests::fuzz::run("manifest", input));
