//! Team `storefront`: `GET /buy/ITEM?ACCOUNT` finds the item at one team and charges the account at another.

use shop::inventory::stock::find;
use shop::payments::till::{Decline, charge};
use wstd::http::{Body, Error, Request, Response, StatusCode};

wit_bindgen::generate!({
    path: ["../wit/inventory.wit", "../wit/payments.wit"],
    inline: "
        package shop:storefront;

        world storefront {
            import shop:inventory/stock@1.0.0;
            import shop:payments/till@1.0.0;
        }
    ",
    world: "shop:storefront/storefront",
    generate_all,
});

#[wstd::http_server]
async fn main(request: Request<Body>) -> Result<Response<Body>, Error> {
    let Some(name) = request.uri().path().strip_prefix("/buy/") else {
        return answer(StatusCode::NOT_FOUND, "try /buy/teapot?ada".to_owned());
    };
    let account = request.uri().query().unwrap_or_default();
    let Some(item) = find(name).filter(|item| item.left > 0) else {
        return answer(StatusCode::NOT_FOUND, format!("there is no {name}"));
    };
    match charge(account, item.price_cents) {
        Ok(receipt) => answer(StatusCode::OK, format!("one {} for {receipt}", item.name)),
        Err(Decline::TooLittle(left)) => {
            answer(StatusCode::PAYMENT_REQUIRED, format!("{account} has {left} cents"))
        }
        Err(Decline::UnknownAccount) => {
            answer(StatusCode::FORBIDDEN, format!("who is `{account}`?"))
        }
    }
}

fn answer(status: StatusCode, text: String) -> Result<Response<Body>, Error> {
    Ok(Response::builder().status(status).body((text + "\n").into())?)
}
