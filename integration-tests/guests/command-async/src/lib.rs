//! A `wasi:cli/run@0.3` component: ends as its first argument says.

wit_bindgen::generate!({ world: "command", path: "../../../wit/wasi-0.3", generate_all });

use exports::wasi::cli::run::Guest;
use wasi::cli::{environment, exit, stdout};

struct Command;

impl Guest for Command {
    async fn run() -> Result<(), ()> {
        match environment::get_arguments().get(1).map(String::as_str) {
            Some("fail") => return Err(()),
            Some("exit") => exit::exit_with_code(7),
            _ => {}
        }
        let (mut writer, reader) = wit_stream::new();
        let written = stdout::write_via_stream(reader);
        writer.write_all(b"hello\n".to_vec()).await;
        drop(writer);
        written.await.map_err(drop)
    }
}

export!(Command);
