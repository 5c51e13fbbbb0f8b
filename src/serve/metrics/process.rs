//! The metrics of the process itself (`process_*`), on Linux.

use prometheus::core::{Collector, Desc};
use prometheus::process_collector::ProcessCollector;
use prometheus::proto::MetricFamily;

/// The library's name of the metric of the CPU time.
const CPU: &str = "process_cpu_seconds_total";
/// Ticks in a second in `/proc`. The kernel uses this unit for programs on every architecture that keyfold is built
/// for.
const TICKS: f64 = 100.0;

/// The library's collector, except for the CPU time. The library cuts it to whole seconds, so that a rate over a short
/// window would be 0 in one window and a whole processor in the next.
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

/// The user and system time in the text of `/proc/self/stat`.
fn cpu_seconds(stat: &str) -> Option<f64> {
    // the name of the program is the second field, in brackets, and may contain spaces and brackets
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut numbers = after_name.split_ascii_whitespace().skip(11);
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
    fn the_collector_reports_the_cpu_time_of_this_process() {
        let cpu_time = || {
            let families = Process::new().collect();
            let cpu = families.iter().find(|family| family.name() == CPU);
            cpu.map(|family| family.get_metric()[0].get_counter().get_value())
        };
        let before = cpu_time().unwrap();
        // until a fraction of a second has passed
        while cpu_time().is_some_and(|now| now - before < 0.05) {
            std::hint::black_box((0..100_000_u64).sum::<u64>());
        }
        let now = cpu_time().unwrap();
        let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
        assert!(cpu_seconds(&stat).is_some_and(|later| later >= now));
        assert!(now < before + 1.0 || now.fract() > 0.0);
    }
}
