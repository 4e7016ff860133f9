//! Tries what the path says and answers with the outcome: what a component may touch is seen from inside it.

wit_bindgen::generate!({ world: "probe", path: "../../../wit/wasi-0.2", generate_all });

use std::net::{TcpStream, ToSocketAddrs as _, UdpSocket};

use exports::wasi::http::incoming_handler::Guest;
use wasi::config::store;
use wasi::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasi::logging::logging::{Level, log};

struct Probe;

impl Guest for Probe {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let text = outcome(&path);
        let response = OutgoingResponse::new(Fields::new());
        let body = response.body().unwrap();
        ResponseOutparam::set(out, Ok(response));
        let stream = body.write().unwrap();
        for chunk in text.as_bytes().chunks(4096) {
            stream.blocking_write_and_flush(chunk).unwrap();
        }
        drop(stream);
        OutgoingBody::finish(body, None).unwrap();
    }
}

/// `/verb?argument`
fn outcome(path: &str) -> String {
    let (verb, argument) = path.trim_start_matches('/').split_once('?').unwrap_or((&path[1..], ""));
    match verb {
        "environment" => format!("{:?}", std::env::vars().collect::<Vec<_>>()),
        "arguments" => format!("{:?}", std::env::args().collect::<Vec<_>>()),
        "read" => format!("{:?}", std::fs::read_to_string(argument)),
        "write" => format!("{:?}", std::fs::write(argument, "written by a guest")),
        "connect" => format!("{:?}", TcpStream::connect(argument).map(drop)),
        "bind" => format!("{:?}", UdpSocket::bind(argument).map(drop)),
        "resolve" => format!("{:?}", argument.to_socket_addrs().map(Iterator::count)),
        "print" => {
            println!("to stdout: {argument}");
            eprint!("to stderr: {argument}");
            "printed".into()
        }
        "flood" => {
            (0..100_000).for_each(|line| println!("line {line}"));
            print!("{}", "x".repeat(100_000));
            "flooded".into()
        }
        "config" => format!("{:?}", store::get(argument)),
        "configs" => format!("{:?}", store::get_all()),
        "log" => {
            log(Level::Warn, "probe", argument);
            "logged".into()
        }
        "random" => format!("{:?}", std::collections::hash_map::RandomState::new()),
        other => format!("unknown verb {other}"),
    }
}

export!(Probe);
