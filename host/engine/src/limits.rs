//! What one instance may allocate.

use wasmtime::ResourceLimiter;

/// Elements of one table, at most.
const TABLE_ELEMENTS_MAX: usize = 100_000;

/// Core instances, memories and tables of one component instance, at most: composed components have several.
const PARTS_MAX: usize = 1000;

/// Counts the linear memory of one instance and refuses what goes past its limit.
///
/// A refused `memory.grow` answers -1, which allocators turn into a failure of their own; `exceeded` remembers it, so
/// that the trap that follows can be explained.
#[derive(Debug)]
pub(crate) struct Limiter {
    memory_bytes_max: usize,
    memory_bytes: usize,
    exceeded: bool,
}

impl Limiter {
    pub(crate) fn new(memory_bytes_max: usize) -> Self {
        Self { memory_bytes_max, memory_bytes: 0, exceeded: false }
    }

    /// The limit, if the instance ever asked for more.
    pub(crate) fn exceeded(&self) -> Option<usize> {
        self.exceeded.then_some(self.memory_bytes_max)
    }
}

impl ResourceLimiter for Limiter {
    fn memory_growing(
        &mut self,
        current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        let total = self.memory_bytes.saturating_sub(current).saturating_add(desired);
        if total > self.memory_bytes_max {
            self.exceeded = true;
            return Ok(false);
        }
        self.memory_bytes = total;
        Ok(true)
    }

    fn table_growing(
        &mut self,
        _current: usize,
        desired: usize,
        _maximum: Option<usize>,
    ) -> wasmtime::Result<bool> {
        Ok(desired <= TABLE_ELEMENTS_MAX)
    }

    fn instances(&self) -> usize {
        PARTS_MAX
    }

    fn tables(&self) -> usize {
        PARTS_MAX
    }

    fn memories(&self) -> usize {
        PARTS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_memories_of_an_instance_count_together() {
        let mut limiter = Limiter::new(300);
        assert!(limiter.memory_growing(0, 100, None).unwrap());
        assert!(limiter.memory_growing(0, 100, None).unwrap());
        assert!(limiter.memory_growing(100, 200, None).unwrap());
        assert_eq!(limiter.exceeded(), None);
        assert!(!limiter.memory_growing(100, 200, None).unwrap());
        assert_eq!(limiter.exceeded(), Some(300));
    }
}
