//! Begins transactions and ends them in every way there is: well, by a trap, never, by forgetting them.

wit_bindgen::generate!({
    path: "../../../wit/wicker-sql",
    inline: "
        package test:teller;

        interface teller {
            /// Makes the table, with one account that holds nothing.
            open: func() -> result<_, string>;
            amount: func() -> result<s64, string>;
            pay: func() -> result<_, string>;
            /// Pays, and traps before it commits.
            trap: func() -> result<_, string>;
            /// Pays, and does not come to commit.
            hang: func() -> result<_, string>;
            /// Begins so many transactions, one after the other, and drops each.
            forget: func(count: u32) -> result<_, string>;
        }

        world bank {
            import wicker:sql/database@0.1.0;
            export teller;
        }
    ",
    world: "test:teller/bank",
    generate_all,
});

use exports::test::teller::teller::Guest;
use wicker::sql::database::{self, Isolation, Options, Transaction};
use wicker::sql::types::{Error, Value};

struct Bank;

fn explain(error: Error) -> String {
    format!("{error:?}")
}

/// A transaction that has paid.
fn paying() -> Result<Transaction, Error> {
    let options = Options { isolation: Isolation::Unspecified, read_only: false };
    let transaction = Transaction::begin(options)?;
    transaction.execute("UPDATE accounts SET amount = amount + $1", &[Value::Integer(1)])?;
    Ok(transaction)
}

impl Guest for Bank {
    fn open() -> Result<(), String> {
        let script = "CREATE TABLE accounts (amount BIGINT); INSERT INTO accounts VALUES (0)";
        database::execute_script(script).map_err(explain)
    }

    fn amount() -> Result<i64, String> {
        let rows = database::query("SELECT amount FROM accounts", &[]).map_err(explain)?;
        match rows.first.first().map(Vec::as_slice) {
            Some([Value::Integer(amount)]) => Ok(*amount),
            other => Err(format!("{other:?}")),
        }
    }

    fn pay() -> Result<(), String> {
        Transaction::commit(paying().map_err(explain)?).map_err(explain)
    }

    fn trap() -> Result<(), String> {
        let _open = paying().map_err(explain)?;
        panic!("asked to");
    }

    fn hang() -> Result<(), String> {
        let _open = paying().map_err(explain)?;
        loop {
            std::hint::black_box(());
        }
    }

    fn forget(count: u32) -> Result<(), String> {
        for _ in 0..count {
            drop(paying().map_err(explain)?);
        }
        Ok(())
    }
}

export!(Bank);
