//! Serves `example:greeter/greet`. Knows nothing of HTTP, nor of who calls.

use exports::example::greeter::greet::{Guest, Person, Refusal, TimeOfDay};

wit_bindgen::generate!({ path: "wit", world: "greeter" });

struct Greeter;

impl Guest for Greeter {
    fn greet(who: Person, at: TimeOfDay) -> Result<String, Refusal> {
        match who.name.as_str() {
            "" => return Err(Refusal::Nobody),
            "Mallory" => return Err(Refusal::Unwelcome(who.name)),
            _ => {}
        }
        let wish = match at {
            TimeOfDay::Morning => "Good morning",
            TimeOfDay::Afternoon => "Good afternoon",
            TimeOfDay::Evening => "Good evening",
        };
        let titles = who.titles.iter().fold(String::new(), |titles, title| titles + title + " ");
        Ok(format!("{wish}, {titles}{}!", who.name))
    }
}

export!(Greeter);
