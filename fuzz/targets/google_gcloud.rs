#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| ringbearer::fuzz::google_gcloud(bytes));
