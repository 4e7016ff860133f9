//! What the machine lets the engine do.

use std::fmt;

use wasmtime::PoolingAllocationConfig;

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
    pub(crate) fn find(instances: u32) -> Self {
        let pagemap_scan_refused = if !PoolingAllocationConfig::is_pagemap_scan_available() {
            Some("the kernel has no PAGEMAP_SCAN (Linux 6.7)")
        } else if has_swap() {
            Some("the machine swaps")
        } else {
            None
        };
        let map_count = std::fs::read_to_string("/proc/sys/vm/max_map_count").ok();
        Self {
            pagemap_scan: pagemap_scan_refused.is_none(),
            pagemap_scan_refused,
            map_count_max: map_count.and_then(|text| text.trim().parse().ok()),
            instances,
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

/// Whether memory may be swapped out; `true` if that cannot be told.
fn has_swap() -> bool {
    std::fs::read_to_string("/proc/swaps").map_or(true, |text| text.lines().count() > 1)
}
