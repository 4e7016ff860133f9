//! Turns `GET /greet/NAME?morning` into a call of `example:greeter/greet`, wherever that is served.

use example::greeter::greet::{Person, Refusal, TimeOfDay, greet};
use wstd::http::{Body, Error, Request, Response, StatusCode};

wit_bindgen::generate!({
    path: "../greeter/wit",
    inline: "
        package example:gateway;

        world gateway {
            import example:greeter/greet@1.0.0;
        }
    ",
    world: "example:gateway/gateway",
    generate_all,
});

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let Some(name) = request.uri().path().strip_prefix("/greet/") else {
        return answer(StatusCode::NOT_FOUND, "try /greet/Ada?morning".to_owned());
    };
    let at = match request.uri().query() {
        Some("morning") => TimeOfDay::Morning,
        Some("evening") => TimeOfDay::Evening,
        _ => TimeOfDay::Afternoon,
    };
    match greet(&Person { name: name.to_owned(), titles: Vec::new() }, at) {
        Ok(greeting) => answer(StatusCode::OK, greeting),
        Err(Refusal::Nobody) => answer(StatusCode::BAD_REQUEST, "greet whom?".to_owned()),
        Err(Refusal::Unwelcome(name)) => answer(StatusCode::FORBIDDEN, format!("not {name}")),
    }
}

fn answer(status: StatusCode, text: String) -> Result<Response<Body>, Error> {
    Ok(Response::builder().status(status).body((text + "\n").into())?)
}
