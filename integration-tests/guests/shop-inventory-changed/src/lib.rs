//! Serves `shop:inventory/stock` with another type than `examples/shop`: an upgrade that would break the storefront.

use exports::shop::inventory::stock::{Guest, Item};

wit_bindgen::generate!({ path: "wit", world: "keeper" });

struct Keeper;

impl Guest for Keeper {
    fn find(name: String) -> Option<Item> {
        Some(Item { name, price_cents: 1, left: 1 })
    }
}

export!(Keeper);
