//! The metrics of the process itself (`process_*`), on Linux.

use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;

/// What the library's collector calls the time that the process had of the processors.
const CPU: &str = "process_cpu_seconds_total";
/// Ticks a second in `/proc`. The kernel counts so for programs on every architecture that keyfold is built for.
const TICKS: f64 = 100.0;

/// The library's collector, but for the time of the processors: that one it cuts to whole seconds, so that a rate over a
/// short window would be 0 in one window and a whole processor in the next.
pub(super) struct Process(ProcessCollector);

impl Process {
    pub(super) fn new() -> Process {
        Process(ProcessCollector::for_self())
    }
}

impl Collector for Process {
    fn desc(&self) -> Vec<&Desc> {
        self.0.desc()
    }

    fn collect(&self) -> Vec<MetricFamily> {
        let mut families = self.0.collect();
        let stat = std::fs::read_to_string("/proc/self/stat").ok();
        let Some(seconds) = stat.as_deref().and_then(cpu_seconds) else {
            return families;
        };
        let cpu = families.iter_mut().filter(|family| family.name() == CPU);
        for metric in cpu.flat_map(MetricFamily::mut_metric) {
            let mut counter = prometheus::proto::Counter::default();
            counter.set_value(seconds);
            metric.set_counter(counter);
        }
        families
    }
}

/// The user and the system time in what `/proc/self/stat` says.
fn cpu_seconds(stat: &str) -> Option<f64> {
    // the name of the program comes second, in brackets, and may hold spaces and brackets
    let (_, behind) = stat.rsplit_once(')')?;
    let mut numbers = behind.split_ascii_whitespace().skip(11);
    let user: f64 = numbers.next()?.parse().ok()?;
    let system: f64 = numbers.next()?.parse().ok()?;
    Some((user + system) / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_of_a_second_are_kept() {
        let stat = "7 (a ) b) S 1 7 7 0 -1 4194560 500 0 0 0 123 45 0 0 20 0 4 0 100 1000 200 18446744073709551615";
        assert_eq!(cpu_seconds(stat), Some(1.68));
        assert_eq!(cpu_seconds("7 (a) S 1"), None);
    }

    #[test]
    fn the_collector_tells_the_time_of_this_process() {
        let told = || {
            let families = Process::new().collect();
            let cpu = families.iter().find(|family| family.name() == CPU);
            cpu.map(|family| family.get_metric()[0].get_counter().get_value())
        };
        let before = told().unwrap();
        // until a part of a second has passed that is no whole one
        while told().is_some_and(|now| now - before < 0.05) {
            std::hint::black_box((0..100_000_u64).sum::<u64>());
        }
        let now = told().unwrap();
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        assert!(cpu_seconds(&stat).is_some_and(|later| later >= now));
        assert!(now < before + 1.0 || now.fract() > 0.0);
    }
}
