//! How busy this machine is, as the kernel counts it. Placement prefers the less busy.

use std::fs;

use wicker_lattice::store::record::Load;

/// Reads the kernel's counters again and again.
#[derive(Debug, Default)]
pub(super) struct Meter {
    /// Ticks of all cores when it was read last.
    last: Option<Ticks>,
}

/// Time of all cores since the machine started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Ticks {
    busy: u64,
    all: u64,
}

impl Meter {
    /// The load since it was read last; `None` where the kernel does not tell, and the first time.
    pub(super) fn read(&mut self) -> Option<Load> {
        let now = ticks(&fs::read_to_string("/proc/stat").ok()?)?;
        let before = self.last.replace(now)?;
        let (memory_bytes, available) = memory(&fs::read_to_string("/proc/meminfo").ok()?)?;
        let (memory_bytes, memory_used_bytes) = match group() {
            Some((limit, used)) if limit < memory_bytes => (limit, used),
            _ => (memory_bytes, memory_bytes.saturating_sub(available)),
        };
        Some(Load { cpu_percent: now.percent_since(before), memory_used_bytes, memory_bytes })
    }
}

impl Ticks {
    fn percent_since(self, before: Self) -> u8 {
        let all = self.all.saturating_sub(before.all);
        let busy = self.busy.saturating_sub(before.busy);
        let percent = (busy * 100).checked_div(all).unwrap_or_default();
        u8::try_from(percent.min(100)).unwrap_or(100)
    }
}

/// The first line of `/proc/stat`: user, nice, system, idle, iowait, irq, softirq, steal, and what is in user already.
fn ticks(stat: &str) -> Option<Ticks> {
    let line = stat.lines().next()?.strip_prefix("cpu ")?;
    let fields: Vec<u64> =
        line.split_whitespace().take(8).filter_map(|field| field.parse().ok()).collect();
    let idle = fields.get(3)? + fields.get(4)?;
    let all = fields.iter().sum();
    Some(Ticks { busy: all - idle, all })
}

/// Bytes in all, and those that could be had.
fn memory(meminfo: &str) -> Option<(u64, u64)> {
    let kib = |name: &str| {
        let line = meminfo.lines().find_map(|line| line.strip_prefix(name))?;
        line.split_whitespace().next()?.parse::<u64>().ok()
    };
    Some((kib("MemTotal:")? * 1024, kib("MemAvailable:")? * 1024))
}

/// Limit and use of the container that this process is in, if it is in one with a limit.
fn group() -> Option<(u64, u64)> {
    let read = |name: &str| -> Option<u64> {
        let text = fs::read_to_string(format!("/sys/fs/cgroup/{name}")).ok()?;
        text.trim().parse().ok()
    };
    Some((read("memory.max")?, read("memory.current")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn share_of_busy_time_is_told() {
        let before = ticks("cpu  100 0 50 800 50 0 0 0 0 0\ncpu0 1 2 3").unwrap();
        let after = ticks("cpu  160 0 70 900 70 0 0 0 0 0\ncpu0 1 2 3").unwrap();
        assert_eq!(after.percent_since(before), 40);
    }

    #[test]
    fn memory_is_told_in_bytes() {
        let text = "MemTotal:       1000 kB\nMemFree: 1 kB\nMemAvailable:    400 kB\n";
        assert_eq!(memory(text), Some((1_024_000, 409_600)));
    }

    #[test]
    fn second_reading_tells_of_this_machine() {
        let mut meter = Meter::default();
        assert!(meter.read().is_none());
        let load = meter.read().unwrap();
        assert!(load.memory_used_bytes > 0 && load.memory_used_bytes <= load.memory_bytes);
    }
}
