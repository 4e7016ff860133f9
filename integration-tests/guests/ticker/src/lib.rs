//! Tells on the subject `ticks` of each tick, when it begins and when it is over. Schedules whose names begin with `slow` take
//! three seconds in between; those that begin with `bad` fail always, those that begin with `twice` the first time.

wit_bindgen::generate!({
    path: ["../../../wit/wicker-schedule", "../../../wit/wicker-messaging"],
    inline: "
        package test:ticker;

        world ticker {
            import wicker:messaging/consumer@0.1.0;
            export wicker:schedule/handler@0.1.0;
        }
    ",
    world: "test:ticker/ticker",
    generate_all,
});

use std::time::Duration;

use exports::wicker::schedule::handler::{Guest, Tick};
use wicker::messaging::consumer::publish;
use wicker::messaging::types::Message;

struct Ticker;

impl Guest for Ticker {
    async fn handle(tick: Tick) -> Result<(), String> {
        tell("begun", &tick)?;
        if tick.schedule.starts_with("slow") {
            std::thread::sleep(Duration::from_secs(3));
        }
        if tick.schedule.starts_with("bad")
            || (tick.schedule.starts_with("twice") && tick.attempt == 1)
        {
            return Err("asked to".to_owned());
        }
        tell("done", &tick)
    }
}

fn tell(what: &str, tick: &Tick) -> Result<(), String> {
    let headers = vec![
        ("id".to_owned(), tick.id.clone()),
        ("at".to_owned(), tick.at.clone()),
        ("at-ms".to_owned(), tick.at_ms.to_string()),
        ("attempt".to_owned(), tick.attempt.to_string()),
    ];
    let (subject, body) = ("ticks".to_owned(), what.as_bytes().to_vec());
    let message = Message { subject, body, reply_to: None, headers };
    publish(&message).map_err(|error| format!("{error:?}"))
}

export!(Ticker);
