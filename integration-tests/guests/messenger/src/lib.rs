//! Tells of every message that it is given: to whoever waits for an answer, else on the subject `handled`. Refuses the
//! first delivery of those that ask for it.

wit_bindgen::generate!({
    path: ["../../../wit/wasmcloud-messaging-0.2", "../../../wit/wicker-messaging"],
    inline: "
        package test:messenger;

        world messenger {
            import wasmcloud:messaging/consumer@0.2.0;
            import wicker:messaging/consumer@0.1.0;
            export wasmcloud:messaging/handler@0.2.0;
            export wicker:messaging/handler@0.1.0;
        }
    ",
    world: "test:messenger/messenger",
    generate_all,
});

use exports::wasmcloud::messaging::handler as plain;
use exports::wicker::messaging::handler as counted;

struct Messenger;

impl plain::Guest for Messenger {
    fn handle_message(msg: plain::BrokerMessage) -> Result<(), String> {
        let subject = msg.reply_to.unwrap_or_else(|| "handled".to_owned());
        let answer =
            wasmcloud::messaging::types::BrokerMessage { subject, body: msg.body, reply_to: None };
        wasmcloud::messaging::consumer::publish(&answer)
    }
}

impl counted::Guest for Messenger {
    fn handle(delivery: counted::Delivery) -> Result<(), String> {
        let counted::Delivery { message, count, id } = delivery;
        if message.body.starts_with(b"twice") && count == 1 {
            return Err("once more".to_owned());
        }
        let headers = vec![
            ("count".to_owned(), count.to_string()),
            ("id".to_owned(), id.unwrap_or_default()),
        ];
        let subject = "handled".to_owned();
        let told = wicker::messaging::types::Message {
            subject,
            body: message.body,
            reply_to: None,
            headers,
        };
        wicker::messaging::consumer::publish(&told).map_err(|error| format!("{error:?}"))
    }
}

export!(Messenger);
