//! Does what no component should, as the path says; `/` answers well, so that its neighbours can be counted.

wit_bindgen::generate!({ world: "http", path: "../../../wit/wasi-0.2", generate_all });

use std::hint::black_box;

use exports::wasi::http::incoming_handler::Guest;
use wasi::clocks::monotonic_clock;
use wasi::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};

/// Longer than the deadline of the test that asks for it.
const PAUSE_NS: u64 = 3_000_000_000;

struct Misbehave;

impl Guest for Misbehave {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        match path.as_str() {
            "/trap" => panic!("asked to"),
            "/spin" => spin(),
            "/allocate" => allocate(),
            "/recurse" => drop(black_box(recurse(1))),
            "/no-response" => return,
            "/sleep" => monotonic_clock::subscribe_duration(3_600_000_000_000).block(),
            _ => {}
        }
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().unwrap();
        ResponseOutparam::set(out, Ok(response));
        let stream = body.write().unwrap();
        stream.blocking_write_and_flush(b"first").unwrap();
        match path.as_str() {
            "/trap-after-head" => panic!("asked to"),
            "/spin-after-head" => spin(),
            "/sleep-after-head" => monotonic_clock::subscribe_duration(3_600_000_000_000).block(),
            "/pause-after-head" => {
                monotonic_clock::subscribe_duration(PAUSE_NS).block();
                stream.blocking_write_and_flush(b" and last").unwrap();
            }
            "/endless" => loop {
                if stream.blocking_write_and_flush(&[b'x'; 4096]).is_err() {
                    return;
                }
            },
            "/unfinished" => return,
            _ => {}
        }
        drop(stream);
        OutgoingBody::finish(body, None).unwrap();
        if path == "/late" {
            // Work after the response, which must not be cut off.
            monotonic_clock::subscribe_duration(50_000_000).block();
            println!("late work done");
        }
    }
}

fn spin() {
    loop {
        std::hint::spin_loop();
    }
}

fn allocate() {
    let mut all = Vec::new();
    loop {
        all.push(black_box(vec![1_u8; 1 << 20]));
    }
}

/// Deep enough for any stack, and nothing that a compiler turns into a loop.
fn recurse(depth: u64) -> u64 {
    if black_box(depth) == u64::MAX { 0 } else { recurse(depth + 1).wrapping_mul(3) ^ depth }
}

export!(Misbehave);
