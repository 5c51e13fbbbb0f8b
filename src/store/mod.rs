//! What a worker knows of the customers of one state partition: what is committed in Kafka, and nothing else.

pub mod memory;
