"""The comparison of keyfold with Kafka Streams. Each part is a module: throughput, restore, latency, growth, soak."""
