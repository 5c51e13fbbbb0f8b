#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| keyfold_fuzz::run("avro_console_customers", bytes));
