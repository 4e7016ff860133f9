//! Tries what the path says and answers with the outcome: what a component may touch is seen from inside it.

wit_bindgen::generate!({ world: "probe", path: "../../../wit/wasi-0.2", generate_all });

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher as _, Hasher as _};
use std::net::{TcpListener, TcpStream, ToSocketAddrs as _, UdpSocket};
use std::sync::OnceLock;

use exports::wasi::http::incoming_handler::Guest;
use wasi::config::store;
use wasi::http::types::{
    Fields, IncomingRequest, OutgoingBody, OutgoingResponse, ResponseOutparam,
};
use wasi::logging::logging::{Level, log};

struct Probe;

/// What `/ready` answers where the component says that it is not.
const NOT_READY: &str = "not ready";

impl Guest for Probe {
    fn handle(request: IncomingRequest, out: ResponseOutparam) {
        let path = request.path_with_query().unwrap_or_default();
        let text = outcome(&path);
        let response = OutgoingResponse::new(Fields::new());
        if text == NOT_READY {
            response.set_status_code(503).unwrap();
        }
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
        "send" => format!("{:?}", send(argument)),
        "listen" => format!("{:?}", TcpListener::bind(argument).map(drop)),
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
        "ready" => ready().into(),
        "instance" => instance(),
        "random" => format!("{:?}", RandomState::new()),
        other => format!("unknown verb {other}"),
    }
}

/// Sends a datagram, and waits for the answer.
fn send(address: &str) -> std::io::Result<String> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    socket.send_to(b"ping", address)?;
    let mut answer = [0; 16];
    let (length, _) = socket.recv_from(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}

/// Not ready if its config says so; and once for each time that somebody makes the file `/state/unready`.
fn ready() -> &'static str {
    let is_told = matches!(store::get("ready"), Ok(Some(told)) if told == "no");
    let is_hit = || std::fs::rename("/state/unready", "/state/seen").is_ok();
    if is_told || is_hit() { NOT_READY } else { "ready" }
}

/// Differs from instance to instance, and stays the same in a warm one.
fn instance() -> String {
    static NAME: OnceLock<String> = OnceLock::new();
    let name = || format!("{:x}", RandomState::new().build_hasher().finish());
    NAME.get_or_init(name).clone()
}

export!(Probe);
