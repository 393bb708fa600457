#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringbearer::azure::fuzz::sign_in(bytes));
