#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringbearer::fuzz::codeartifact_sections(bytes));
