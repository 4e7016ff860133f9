//! What the machine lets the engine do.

use std::fmt;

use wasmtime::PoolingAllocationConfig;

use crate::config::EngineConfig;

/// What was chosen at start, for the host's log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Whether the kernel finds dirty pages. Needs Linux 6.7, and no swap: a page that is swapped out would not be
    /// cleared, and the next instance could read it (wasmtime #14357).
    pub pagemap_scan: bool,
    /// Why not, if not.
    pub pagemap_scan_refused: Option<&'static str>,
    /// `vm.max_map_count`: the first limit that many components meet, at some 3 mappings each.
    pub map_count_max: Option<u64>,
    /// Instances alive at once, in each wasmtime engine.
    pub instances: u32,
}

impl Report {
    pub(crate) fn find(config: &EngineConfig) -> Self {
        let swaps = std::fs::read_to_string("/proc/swaps").ok();
        let pagemap_scan_refused = if config.pagemap_scan {
            missing().or_else(|| unsafe_by(swaps.as_deref()))
        } else {
            Some("it is switched off")
        };
        let map_count = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
        Self {
            pagemap_scan: pagemap_scan_refused.is_none(),
            pagemap_scan_refused,
            map_count_max: map_count.and_then(|text| text.trim().parse().ok()),
            instances: config.instances,
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} instances, pagemap scan ", self.instances)?;
        match self.pagemap_scan_refused {
            None => f.write_str("on")?,
            Some(why) => write!(f, "off: {why}")?,
        }
        match self.map_count_max {
            Some(count) => write!(f, ", vm.max_map_count {count}"),
            None => Ok(()),
        }
    }
}

fn missing() -> Option<&'static str> {
    let is_there = PoolingAllocationConfig::is_pagemap_scan_available();
    (!is_there).then_some("the kernel has no PAGEMAP_SCAN (Linux 6.7)")
}

/// Why it would not be safe to ask the kernel; `swaps` is `/proc/swaps`, which has a line for each place to swap to
/// under its head.
fn unsafe_by(swaps: Option<&str>) -> Option<&'static str> {
    match swaps {
        None => Some("it cannot be told whether the machine swaps"),
        Some(swaps) if swaps.lines().count() > 1 => Some("the machine swaps"),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";

    #[test]
    fn machine_that_swaps_or_may_takes_the_safe_path_and_says_so() {
        let swaps = format!("{HEAD}/dev/vda2  partition\t8388604\t0\t-2\n");
        assert_eq!(unsafe_by(Some(HEAD)), None);
        assert_eq!(unsafe_by(Some(&swaps)), Some("the machine swaps"));
        assert!(unsafe_by(None).is_some());
        let report = Report {
            pagemap_scan: false,
            pagemap_scan_refused: unsafe_by(Some(&swaps)),
            map_count_max: None,
            instances: 1000,
        };
        assert_eq!(report.to_string(), "1000 instances, pagemap scan off: the machine swaps");
    }
}
