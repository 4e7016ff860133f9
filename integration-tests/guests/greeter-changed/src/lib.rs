//! Serves `example:greeter/greet` with another signature than `examples/greeter`: a deployment that breaks its callers.

use exports::example::greeter::greet::Guest;

wit_bindgen::generate!({ path: "wit", world: "greeter" });

struct Greeter;

impl Guest for Greeter {
    fn greet(who: String, at: u32) -> String {
        format!("{at}: {who}")
    }
}

export!(Greeter);
