#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringbearer::store::fuzz::store_file(bytes));
