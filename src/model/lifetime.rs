//! How long a topic keeps its records, as its settings say it.

/// The settings of a topic that remove records from it. All times are in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetime {
    /// `cleanup.policy` has `compact`.
    pub is_compacted: bool,
    /// `cleanup.policy` has `delete`.
    pub is_deleted: bool,
    /// `retention.ms`, where the policy deletes; none: for ever.
    pub retention: Option<i64>,
    /// `segment.ms`: a segment is closed when the next record is later than its first one by this.
    pub segment: i64,
    /// `max.compaction.lag.ms`; none: a record may stay uncompacted for ever.
    pub compaction_lag: Option<i64>,
    /// `delete.retention.ms`: how long a null value stays after it was compacted.
    pub null_retention: i64,
    /// `remote.storage.enable`.
    pub is_tiered: bool,
}

impl Lifetime {
    /// Reads settings by their names; none where one of them is not there. What the brokers do not know, because they are
    /// older, has Kafka's default.
    pub fn of<'s>(setting: impl Fn(&str) -> Option<&'s str>) -> Option<Lifetime> {
        let number = |name: &str| setting(name)?.parse::<i64>().ok();
        let policy = setting("cleanup.policy")?;
        let has = |name| policy.split(',').any(|one| one.trim() == name);
        let retention = number("retention.ms")?;
        let lag = number("max.compaction.lag.ms").unwrap_or(i64::MAX);
        Some(Lifetime {
            is_compacted: has("compact"),
            is_deleted: has("delete"),
            retention: (has("delete") && retention >= 0).then_some(retention),
            segment: number("segment.ms")?,
            compaction_lag: (lag < i64::MAX).then_some(lag),
            null_retention: number("delete.retention.ms")?,
            is_tiered: setting("remote.storage.enable") == Some("true"),
        })
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A lifetime of settings in one line.
    pub fn lifetime(settings: &str) -> Option<Lifetime> {
        let pairs = settings.split(' ').filter_map(|one| one.split_once('='));
        let pairs: Vec<(&str, &str)> = pairs.collect();
        Lifetime::of(|name| {
            let mut pairs = pairs.iter().rev();
            Some(pairs.find(|(known, _)| *known == name)?.1)
        })
    }

    /// Kafka's defaults.
    pub const DEFAULTS: &str = "cleanup.policy=delete retention.ms=604800000 segment.ms=604800000 delete.retention.ms=86400000 max.compaction.lag.ms=9223372036854775807 remote.storage.enable=false";

    #[test]
    fn settings_hold_where_the_policy_uses_them() {
        let of = |more: &str| lifetime(&format!("{DEFAULTS} {more}")).unwrap();
        let default = of("");
        assert_eq!(default.retention, Some(604_800_000));
        assert_eq!(default.compaction_lag, None);
        assert!(default.is_deleted && !default.is_compacted && !default.is_tiered);
        assert_eq!(of("retention.ms=-1").retention, None);
        assert_eq!(of("cleanup.policy=compact").retention, None);
        let both = of("cleanup.policy=compact,delete max.compaction.lag.ms=5");
        assert!(both.is_deleted && both.is_compacted);
        assert_eq!(both.compaction_lag, Some(5));
        assert_eq!(lifetime("cleanup.policy=delete"), None);
    }
}
