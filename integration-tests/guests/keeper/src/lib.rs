//! Reveals secrets to whoever asks, as no component should: through Wicker's interface, and through wasmCloud's.

wit_bindgen::generate!({
    path: ["../../../wit/wicker-secrets", "../../../wit/wasmcloud-secrets-0.1.0-draft"],
    inline: "
        package test:keeper;

        interface keeper {
            reveal: func(name: string) -> result<string, string>;
            reveal-as-wasmcloud: func(name: string) -> result<string, string>;
            /// Opens and drops so many handles.
            forget: func(name: string, count: u32) -> result<_, string>;
        }

        world safe {
            import wicker:secrets/store@0.1.0;
            import wasmcloud:secrets/store@0.1.0-draft;
            import wasmcloud:secrets/reveal@0.1.0-draft;
            export keeper;
        }
    ",
    world: "test:keeper/safe",
    generate_all,
});

use exports::test::keeper::keeper::Guest;
use wasmcloud::secrets::{reveal, store as theirs};
use wicker::secrets::store;

struct Safe;

impl Guest for Safe {
    fn reveal(name: String) -> Result<String, String> {
        let explain = |error| format!("{error:?}");
        store::get(&name).map_err(explain)?.reveal_text().map_err(explain)
    }

    fn reveal_as_wasmcloud(name: String) -> Result<String, String> {
        let secret = theirs::get(&name).map_err(|error| format!("{error:?}"))?;
        match reveal::reveal(&secret) {
            theirs::SecretValue::String(text) => Ok(text),
            theirs::SecretValue::Bytes(bytes) => Ok(format!("{bytes:?}")),
        }
    }

    fn forget(name: String, count: u32) -> Result<(), String> {
        for _ in 0..count {
            drop(store::get(&name).map_err(|error| format!("{error:?}"))?);
            drop(theirs::get(&name).map_err(|error| format!("{error:?}"))?);
        }
        Ok(())
    }
}

export!(Safe);
