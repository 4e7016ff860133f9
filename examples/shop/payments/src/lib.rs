//! Team `payments`: takes money from accounts.

use exports::shop::payments::till::{Decline, Guest};

wit_bindgen::generate!({ path: "../wit/payments.wit", world: "cashier" });

const ACCOUNTS: [(&str, u32); 2] = [("ada", 100_000), ("bob", 500)];

struct Cashier;

impl Guest for Cashier {
    fn charge(account: String, cents: u32) -> Result<String, Decline> {
        let known = ACCOUNTS.into_iter().find(|(name, _)| *name == account);
        let (_, balance) = known.ok_or(Decline::UnknownAccount)?;
        if cents > balance {
            return Err(Decline::TooLittle(balance));
        }
        Ok(format!("{account}-{cents}"))
    }
}

export!(Cashier);
