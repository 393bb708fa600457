#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringbearer::chainguard::fuzz::printed(bytes));
