//! The interface of `shout.py`, in Rust: what it answers, and how it is called.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::StreamExt as _;
use tokio::time::Instant;
use wicker_lattice::call::{
    ByteStream, Call, CallError, DEFAULT_LINK, Invocation, Invoke, LinkRef, Reply, Status,
};
use wicker_lattice::id::CallId;
use wicker_lattice::types::{FunctionType, Type};
use wicker_lattice::value::{StreamRef, Writer, decode_exact, encode};

pub(crate) const TARGET: &str = "default/sample/shout";
pub(crate) const INTERFACE: &str = "wicker:sample/shout@1";

/// The type of a function of the interface.
pub(crate) fn ty(function: &str) -> FunctionType {
    let bytes = || Type::List(Box::new(Type::U8));
    let stream = || Type::Stream(Some(Box::new(Type::U8)));
    let string = || Some(Box::new(Type::String));
    let (params, result) = match function {
        "shout" => (
            vec![("text", Type::String), ("times", Type::U8)],
            Type::Result { ok: string(), err: string() },
        ),
        "sum" => (vec![("data", stream())], Type::U64),
        "repeat" => (vec![("bytes", bytes()), ("times", Type::U32)], bytes()),
        "trickle" => (vec![("bytes", Type::U32)], stream()),
        "sleep" => (vec![("ms", Type::U32)], Type::U32),
        other => panic!("no function {other}"),
    };
    let params = params.into_iter().map(|(name, ty)| (name.to_owned(), ty)).collect();
    FunctionType { params, result: Some(result), is_async: false }
}

/// A call of `function`, with ten seconds to run.
pub(crate) fn call(function: &str, params: Bytes, streams: Vec<ByteStream>) -> Call {
    Call {
        id: CallId::generate(),
        target: TARGET.parse().unwrap(),
        source: "default/sample/rust".parse().unwrap(),
        link: LinkRef { name: DEFAULT_LINK.into(), revision: 0 },
        interface: INTERFACE.parse().unwrap(),
        function: function.into(),
        type_hash: ty(function).hash(),
        deadline: Instant::now() + Duration::from_secs(10),
        trace: None,
        fence: None,
        params,
        streams,
    }
}

/// All bytes of a stream.
pub(crate) async fn collect(mut stream: ByteStream) -> Bytes {
    let mut all = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        all.extend_from_slice(&chunk.unwrap());
    }
    all.freeze()
}

/// What `trickle` sends.
pub(crate) fn pattern(bytes: u32) -> Bytes {
    (0..bytes).map(|index| u8::try_from(index % 251).unwrap()).collect()
}

/// Serves the interface.
pub(crate) struct Shout;

impl Invoke for Shout {
    fn invoke(&self, call: Call) -> Invocation<'_> {
        Box::pin(answer(call))
    }
}

async fn answer(mut call: Call) -> Result<Reply, CallError> {
    let known = ["shout", "sum", "repeat", "trickle", "sleep"];
    if call.interface.as_str() != INTERFACE || !known.contains(&&*call.function) {
        return Err(CallError::new(Status::NotFound, call.function.as_ref()));
    }
    if call.type_hash != ty(&call.function).hash() {
        return Err(CallError::new(Status::TypeMismatch, ty(&call.function).to_string()));
    }
    let results = match &*call.function {
        "shout" => {
            let (text, times): (String, u8) = decode_exact(&call.params).unwrap();
            let shouted = text.to_uppercase().repeat(times.into());
            let nothing = "nothing to shout".to_owned();
            encode(&if times == 0 { Err(nothing) } else { Ok(shouted) })
        }
        "sum" => {
            let (StreamRef(index),) = decode_exact(&call.params).unwrap();
            assert_eq!(index, 0);
            let data = collect(call.streams.remove(0)).await;
            encode(&data.iter().map(|byte| u64::from(*byte)).sum::<u64>())
        }
        "repeat" => {
            let (bytes, times): (Bytes, u32) = decode_exact(&call.params).unwrap();
            encode(&bytes.repeat(times.try_into().unwrap()))
        }
        "trickle" => {
            let (bytes,) = decode_exact(&call.params).unwrap();
            let mut writer = Writer::new();
            writer.put_stream();
            let streams = vec![ByteStream::from_bytes(pattern(bytes))];
            return Ok(Reply { results: writer.finish(), streams });
        }
        _ => {
            let (ms,): (u32,) = decode_exact(&call.params).unwrap();
            tokio::time::sleep(Duration::from_millis(ms.into())).await;
            encode(&ms)
        }
    };
    Ok(Reply { results, streams: Vec::new() })
}
