//! Takes TCP connections. What comes in goes out, until a line says otherwise: `bye` ends the output, `drop` both ways,
//! `flood` sends without end; who begins with `refuse` is not taken.

wit_bindgen::generate!({
    path: ["../../../wit/wicker-tcp"],
    inline: "
        package test:tcp-echo;

        world tcp-echo {
            export wicker:tcp/handler@0.1.0;
        }
    ",
    world: "test:tcp-echo/tcp-echo",
    generate_all,
});

use exports::wicker::tcp::handler::{Connection, Guest};
use wit_bindgen::{StreamReader, StreamResult, StreamWriter};

const CHUNK_BYTES: usize = 64 << 10;

struct Echo;

impl Guest for Echo {
    async fn handle(
        connection: Connection,
        mut input: StreamReader<u8>,
    ) -> Result<StreamReader<u8>, String> {
        let (_, first) = input.read(Vec::with_capacity(CHUNK_BYTES)).await;
        if first.starts_with(b"refuse") {
            return Err(format!("{} is not welcome", connection.peer));
        }
        let (writer, reader) = wit_stream::new();
        wit_bindgen::spawn_local(talk(first, input, writer));
        Ok(reader)
    }
}

async fn talk(first: Vec<u8>, mut input: StreamReader<u8>, mut output: StreamWriter<u8>) {
    let mut bytes = first;
    loop {
        match bytes.as_slice() {
            b"bye\n" | b"drop\n" => return,
            b"flood\n" => {
                drop(input);
                while output.write_all(vec![b'x'; CHUNK_BYTES]).await.is_empty() {}
                return;
            }
            _ => {}
        }
        // What could not be written is given back: nobody reads any more.
        if !output.write_all(std::mem::take(&mut bytes)).await.is_empty() {
            return;
        }
        let (result, read) = input.read(Vec::with_capacity(CHUNK_BYTES)).await;
        if read.is_empty() && !matches!(result, StreamResult::Complete(_)) {
            return;
        }
        bytes = read;
    }
}

export!(Echo);
