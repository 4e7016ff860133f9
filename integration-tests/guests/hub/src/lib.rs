//! Sells, with the help of components in three other languages.

wit_bindgen::generate!({
    path: ["../../../examples/shop/wit/inventory.wit", "../../../examples/shop/wit/payments.wit", "../c/tally.wit"],
    inline: "
        package test:hub;

        interface hub {
            /// What was sold, for how much, and the number of the receipt.
            sell: func(item: string, account: string) -> result<string, string>;
        }

        world market {
            import shop:inventory/stock@1.0.0;
            import shop:payments/till@1.0.0;
            import test:tally/tally@1.0.0;
            export hub;
        }
    ",
    world: "test:hub/market",
    generate_all,
});

use exports::test::hub::hub::Guest;
use shop::inventory::stock;
use shop::payments::till;
use test::tally::tally;

struct Market;

impl Guest for Market {
    fn sell(item: String, account: String) -> Result<String, String> {
        let found = stock::find(&item).ok_or("there is none")?;
        let total = tally::total(&[found.price_cents]);
        let receipt = till::charge(&account, found.price_cents);
        let receipt = receipt.map_err(|decline| format!("{decline:?}"))?;
        let label = tally::label(u32::try_from(total).map_err(|error| error.to_string())?);
        Ok(format!("{} for {label}: {receipt}", found.name))
    }
}

export!(Market);
