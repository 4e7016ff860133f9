//! The numbers of the streams of a call.

/// Streams of one value, at most.
pub const STREAMS_MAX: usize = 127;

/// The number of a stream within its call, and who writes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct StreamNumber(pub u8);
impl StreamNumber {
    const CALLEE: u8 = 0x80;

    /// The parameters themselves.
    pub const PARAMS: Self = Self(0);
    /// The results themselves.
    pub const RESULTS: Self = Self(Self::CALLEE);

    /// The stream to which the parameters refer as `index`.
    #[must_use]
    pub fn of_params(index: usize) -> Self {
        Self(narrow(index))
    }

    /// The stream to which the results refer as `index`.
    #[must_use]
    pub fn of_results(index: usize) -> Self {
        Self(narrow(index) | Self::CALLEE)
    }

    /// Whether the callee writes it.
    #[must_use]
    pub fn is_written_by_callee(self) -> bool {
        self.0 & Self::CALLEE != 0
    }
}

/// `index + 1`, of at most [`STREAMS_MAX`] streams.
fn narrow(index: usize) -> u8 {
    u8::try_from(index + 1).unwrap_or(u8::MAX) & !StreamNumber::CALLEE
}
