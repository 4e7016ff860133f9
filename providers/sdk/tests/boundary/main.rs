//! The laws of a call, the same wherever its target is: in a provider of this process, and in one behind NATS.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test that cannot go on fails"
)]

mod handles;
mod laws;
mod places;

wicker_provider::bindgen!({
    inline: "package demo:laws;
        /// What a call can carry, and how it can end.
        interface trial {
            record letter { title: string, count: s64, page: list<u8>, mark: option<char> }
            /// Gives it back.
            echo: func(letter: letter) -> letter;
            /// Fails in the interface's own terms.
            refuse: func(why: string) -> result<u32, string>;
            break-down: func();
            /// Does not answer until the test lets it.
            hold: func();
            /// Gives the stream back, chunk by chunk.
            pipe: func(%in: stream<u8>) -> stream<u8>;
            /// So many chunks of 64 KiB.
            pour: func(chunks: u32) -> stream<u8>;
            /// A stream that breaks off.
            tear: func() -> stream<u8>;
            /// Kept by the callee for this caller.
            resource locker { put: func(n: u32) -> u32; }
            /// A locker that nobody may leave alone for longer than `lease` milliseconds.
            open: func(lease: u32) -> result<locker, string>;
            /// Gives it up; its sum.
            close: func(locker: locker) -> u32;
        }",
    interfaces: ["demo:laws/trial"],
});

use places::Place;

/// Every law, at `place`.
async fn check(place: &Place) {
    laws::values_come_back_as_they_were(place).await;
    laws::failures_keep_their_class(place).await;
    laws::signature_that_differs_is_refused(place).await;
    laws::deadline_ends_a_call(place).await;
    laws::dropped_call_is_dropped_at_its_callee(place).await;
    laws::many_calls_at_once_are_each_answered(place).await;
    laws::streams_flow_both_ways(place).await;
    laws::writer_waits_for_its_reader(place).await;
    laws::dropped_reader_stops_its_writer(place).await;
    laws::stream_that_breaks_off_says_why(place).await;
    handles::pinned_handle_keeps_what_it_stands_for(place).await;
    handles::forged_foreign_and_spent_handles_are_refused(place).await;
    handles::dropped_handle_ends_what_it_stands_for(place).await;
    handles::handle_left_alone_expires(place).await;
    handles::nothing_leaks_however_many_handles_come_and_go(place).await;
    laws::drain_finishes_what_runs_and_takes_no_more(place).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn laws_hold_in_a_provider_of_this_process() {
    places::bounded(Box::pin(async { check(&Place::in_process().await).await })).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn laws_hold_in_a_provider_behind_nats() {
    places::bounded(Box::pin(async { check(&Place::behind_nats().await).await })).await;
}
