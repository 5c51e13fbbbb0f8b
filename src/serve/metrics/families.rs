//! Metrics declared as a table: a row names the field, its kind, the metric with its labels or buckets, and its help.

use prometheus::core::Collector;
use prometheus::{
    Error, Gauge, GaugeVec, Histogram, HistogramOpts, HistogramVec, IntCounter, IntCounterVec,
    IntGauge, IntGaugeVec, Opts, Registry,
};

/// A kind of metric that a row can have.
pub(super) trait Family: Collector + Clone + 'static {
    fn new(opts: Opts, labels: &[&str], buckets: &[f64]) -> Result<Self, Error>;
}

macro_rules! kinds {
    ($($kind:ident = |$opts:pat_param, $labels:pat_param, $buckets:pat_param| $new:expr;)*) => {$(
        impl Family for $kind {
            fn new($opts: Opts, $labels: &[&str], $buckets: &[f64]) -> Result<$kind, Error> {
                $new
            }
        }
    )*};
}

kinds! {
    Gauge = |opts, _, _| Gauge::with_opts(opts);
    GaugeVec = |opts, labels, _| GaugeVec::new(opts, labels);
    IntGauge = |opts, _, _| IntGauge::with_opts(opts);
    IntGaugeVec = |opts, labels, _| IntGaugeVec::new(opts, labels);
    IntCounter = |opts, _, _| IntCounter::with_opts(opts);
    IntCounterVec = |opts, labels, _| IntCounterVec::new(opts, labels);
    Histogram = |opts, _, buckets| Histogram::with_opts(HistogramOpts::from(opts).buckets(buckets.to_vec()));
    HistogramVec = |opts, labels, buckets| HistogramVec::new(HistogramOpts::from(opts).buckets(buckets.to_vec()), labels);
}

/// Creates a metric and registers it.
pub(super) fn register<F: Family>(
    registry: &Registry,
    (name, help): (&str, &str),
    labels: &[&str],
    buckets: &[f64],
) -> Result<F, Error> {
    let family = F::new(Opts::new(name, help), labels, buckets)?;
    registry.register(Box::new(family.clone()))?;
    Ok(family)
}

/// Declares a struct of metrics, whose `register` creates and registers all of them.
macro_rules! families {
    ($name:ident { $(
        $field:ident: $kind:ident = $metric:literal $([$($label:literal),+])? $(in $buckets:ident)?,
        $help:literal;
    )+ }) => {
        struct $name {
            $($field: prometheus::$kind,)+
        }

        impl $name {
            fn register(registry: &prometheus::Registry) -> Result<$name, prometheus::Error> {
                use $crate::serve::metrics::families::register;
                Ok($name {$(
                    $field: register(
                        registry,
                        ($metric, $help),
                        &[$($($label),+)?],
                        families!(@buckets $($buckets)?),
                    )?,
                )+})
            }
        }
    };
    (@buckets) => { &[] };
    (@buckets $buckets:ident) => { $buckets };
}
pub(super) use families;
