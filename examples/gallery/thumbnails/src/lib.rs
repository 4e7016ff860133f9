//! Makes a thumbnail of every picture that a message names. A message that is delivered again makes the same one again.

wit_bindgen::generate!({
    path: ["../../../wit/wasi-0.2", "../../../wit/wicker-messaging"],
    inline: "
        package example:gallery;

        world thumbnails {
            import wasi:blobstore/blobstore@0.2.0-draft;
            import wasi:blobstore/container@0.2.0-draft;
            import wasi:blobstore/types@0.2.0-draft;
            export wicker:messaging/handler@0.1.0;
        }
    ",
    world: "example:gallery/thumbnails",
    generate_all,
});

use std::io::Cursor;

use exports::wicker::messaging::handler::{Delivery, Guest};
use image::{ImageFormat, ImageReader, Limits};
use wasi::blobstore::blobstore::{create_container, get_container};
use wasi::blobstore::types::{IncomingValue, OutgoingValue};

/// The longer side of a thumbnail, pixels.
const SIDE: u32 = 128;

/// What a picture may take in memory, unpacked: a small file may say that it is a huge picture.
const UNPACKED_BYTES_MAX: u64 = 96 << 20;

struct Thumbnails;

impl Guest for Thumbnails {
    fn handle(delivery: Delivery) -> Result<(), String> {
        let name = String::from_utf8(delivery.message.body).map_err(|error| error.to_string())?;
        let picture = get_container("photos")?.get_data(&name, 0, u64::MAX)?;
        let picture = IncomingValue::incoming_value_consume_sync(picture)?;
        match thumbnail(&picture) {
            Ok(thumbnail) => keep(&name, &thumbnail),
            // No other attempt would go better: it has no thumbnail.
            Err(error) => {
                eprintln!("{name} is no picture: {error}");
                Ok(())
            }
        }
    }
}

fn thumbnail(picture: &[u8]) -> Result<Vec<u8>, image::ImageError> {
    let mut reader = ImageReader::new(Cursor::new(picture)).with_guessed_format()?;
    let mut limits = Limits::default();
    limits.max_alloc = Some(UNPACKED_BYTES_MAX);
    reader.limits(limits);
    let small = reader.decode()?.thumbnail(SIDE, SIDE);
    let mut bytes = Cursor::new(Vec::new());
    small.write_to(&mut bytes, ImageFormat::Png)?;
    Ok(bytes.into_inner())
}

fn keep(name: &str, thumbnail: &[u8]) -> Result<(), String> {
    let value = OutgoingValue::new_outgoing_value();
    let output = value.outgoing_value_write_body().map_err(|()| "the value has no stream")?;
    for part in thumbnail.chunks(4096) {
        output.blocking_write_and_flush(part).map_err(|error| error.to_string())?;
    }
    drop(output);
    let container = get_container("thumbnails").or_else(|_| create_container("thumbnails"))?;
    container.write_data(name, &value)?;
    OutgoingValue::finish(value)
}

export!(Thumbnails);
