//! Transactions: all or nothing, whoever ends them and however.

use sql::database::Options;
use sql::types::{Error, Value};
use wicker_lattice::call::Status;
use wicker_lattice::value::{Handle, PinnedHandle};
use wicker_provider::testing::{Links, soon, until};

use crate::shop::{Shop, plain};

/// How many transactions come and go while connections are counted.
const CYCLES: usize = 200;

pub(crate) async fn keep_all(links: &Links) {
    let shop = Shop::new(links.open(&[]).await);
    shop.script("CREATE TABLE accounts (id BIGINT PRIMARY KEY, amount BIGINT)").await.unwrap();
    shop.run("INSERT INTO accounts VALUES (1, 100), (2, 0)", &[]).await;
    committed_is_seen_and_nothing_before(&shop).await;
    what_is_not_committed_never_was(&shop).await;
    cursor_goes_on_beside_other_statements(&shop).await;
    savepoints_undo_a_part(&shop).await;
    read_only_means_it(&shop).await;
    transaction_belongs_to_its_caller(links, &shop).await;
    transaction_left_alone_is_rolled_back(links).await;
    nothing_leaks_over_many_transactions(links).await;
}

async fn amount(shop: &Shop, id: i64) -> i64 {
    let statement = format!("SELECT amount FROM accounts WHERE id = {id}");
    match shop.value(&statement).await {
        Value::Integer(amount) => amount,
        other => panic!("{other:?}"),
    }
}

async fn committed_is_seen_and_nothing_before(shop: &Shop) {
    let transaction = shop.begin().await;
    let take = "UPDATE accounts SET amount = amount - 30 WHERE id = 1";
    assert_eq!(shop.in_run(&transaction, take).await.unwrap(), 1);
    let give = "UPDATE accounts SET amount = amount + 30 WHERE id = 2";
    assert_eq!(shop.in_run(&transaction, give).await.unwrap(), 1);
    let own =
        shop.in_query(&transaction, "SELECT amount FROM accounts WHERE id = 2").await.unwrap();
    assert_eq!(own.first, [[Value::Integer(30)]]);
    assert_eq!((amount(shop, 1).await, amount(shop, 2).await), (100, 0));
    shop.commit(transaction.clone()).await.unwrap();
    assert_eq!((amount(shop, 1).await, amount(shop, 2).await), (70, 30));
    // It has ended.
    let error = shop.sql.transaction_commit(transaction).await.unwrap_err();
    assert_eq!(error.status, Status::Gone);
}

async fn what_is_not_committed_never_was(shop: &Shop) {
    let change = "UPDATE accounts SET amount = 0";
    let rolled_back = shop.begin().await;
    shop.in_run(&rolled_back, change).await.unwrap();
    shop.sql.transaction_rollback(rolled_back).await.unwrap().unwrap();
    assert_eq!(amount(shop, 1).await, 70);
    let dropped = shop.begin().await;
    shop.in_run(&dropped, change).await.unwrap();
    shop.drop(dropped).await;
    // The next one that writes waits for what is left of the last one to be undone.
    let next = soon("the next transaction", shop.begin()).await;
    assert_eq!(shop.in_run(&next, "UPDATE accounts SET amount = amount").await.unwrap(), 2);
    shop.commit(next).await.unwrap();
    assert_eq!(amount(shop, 1).await, 70);
}

async fn cursor_goes_on_beside_other_statements(shop: &Shop) {
    let transaction = shop.begin().await;
    let all = "SELECT n FROM large ORDER BY n";
    let rest = shop.in_query(&transaction, all).await.unwrap().rest.unwrap().0;
    let mut count = 500;
    let change = "UPDATE accounts SET amount = amount + 1 WHERE id = 2";
    while count < 1_500 {
        shop.in_run(&transaction, change).await.unwrap();
        let small = shop.in_query(&transaction, "SELECT count(*) FROM accounts").await.unwrap();
        assert_eq!(small.first, [[Value::Integer(2)]]);
        count += shop.next(&rest).await.rows.len();
    }
    let second = shop.in_query(&transaction, all).await;
    assert!(matches!(second, Err(Error::Busy(_))), "{second:?}");
    shop.drop(rest).await;
    let third = shop.in_query(&transaction, all).await.unwrap().rest.unwrap();
    shop.commit(transaction).await.unwrap();
    let over = shop.try_next(&third.0).await.unwrap();
    assert!(matches!(over, Err(Error::Gone(_))), "{over:?}");
    assert_eq!(amount(shop, 2).await, 32);
}

async fn savepoints_undo_a_part(shop: &Shop) {
    let transaction = shop.begin().await;
    let run = async |statement| shop.in_run(&transaction, statement).await;
    run("UPDATE accounts SET amount = 1 WHERE id = 1").await.unwrap();
    run("SAVEPOINT before").await.unwrap();
    run("UPDATE accounts SET amount = 2 WHERE id = 1").await.unwrap();
    let error = run("INSERT INTO accounts VALUES (1, 5)").await.unwrap_err();
    assert!(matches!(error, Error::Violation(_)), "{error:?}");
    run("ROLLBACK TO before").await.unwrap();
    let error = run("COMMIT").await.unwrap_err();
    assert!(matches!(error, Error::Mistake(_)), "{error:?}");
    shop.commit(transaction).await.unwrap();
    assert_eq!(amount(shop, 1).await, 1);
}

async fn read_only_means_it(shop: &Shop) {
    let options = Options { read_only: true, ..plain() };
    let transaction = shop.sql.transaction_begin(options).await.unwrap().unwrap().0;
    let read =
        shop.in_query(&transaction, "SELECT amount FROM accounts WHERE id = 1").await.unwrap();
    assert_eq!(read.first, [[Value::Integer(1)]]);
    let error = shop.in_run(&transaction, "DELETE FROM accounts").await.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error:?}");
    shop.drop(transaction).await;
    let free = shop.begin().await;
    shop.in_run(&free, "UPDATE accounts SET amount = 70 WHERE id = 1").await.unwrap();
    shop.commit(free).await.unwrap();
}

async fn transaction_belongs_to_its_caller(links: &Links, shop: &Shop) {
    let transaction = shop.begin().await;
    let stranger = Shop::new(links.open(&[]).await);
    let select = || "SELECT 1".to_owned();
    let theirs = stranger.sql.transaction_query(&transaction, select(), Vec::new()).await;
    assert_eq!(theirs.unwrap_err().status, Status::Gone);
    let Handle::Pinned(pinned) = transaction.clone() else { panic!("{transaction:?}") };
    let forged = Handle::Pinned(PinnedHandle { nonce: [0; 16], ..pinned });
    let forged = shop.sql.transaction_query(&forged, select(), Vec::new()).await;
    assert_eq!(forged.unwrap_err().status, Status::Gone);
    shop.in_query(&transaction, "SELECT 1").await.unwrap();
    shop.drop(transaction).await;
}

/// A caller that died without a word, with its host.
async fn transaction_left_alone_is_rolled_back(links: &Links) {
    let lost = Shop::new(links.open(&[("idle-ms", "200")]).await);
    let transaction = lost.begin().await;
    lost.in_run(&transaction, "UPDATE accounts SET amount = 5 WHERE id = 1").await.unwrap();
    let other = Shop::new(links.open(&[]).await);
    let change = "UPDATE accounts SET amount = amount + 1 WHERE id = 1";
    soon("the end of the other transaction", other.run(change, &[])).await;
    assert_eq!(amount(&other, 1).await, 71);
    let statement = "SELECT 1".to_owned();
    let late = lost.sql.transaction_query(&transaction, statement, Vec::new()).await;
    assert_eq!(late.unwrap_err().status, Status::Gone);
}

async fn nothing_leaks_over_many_transactions(links: &Links) {
    let shop = Shop::new(links.open(&[("connections", "2"), ("queue", "0")]).await);
    for cycle in 0..CYCLES {
        let begun = until_begun(&shop).await;
        shop.in_run(&begun, "UPDATE accounts SET amount = amount + 1 WHERE id = 2").await.unwrap();
        if cycle % 2 == 0 {
            shop.drop(begun).await;
        } else {
            shop.sql.transaction_rollback(begun).await.unwrap().unwrap();
        }
    }
    assert_eq!(amount(&shop, 2).await, 32);
}

/// A connection that was given back is free a moment later.
async fn until_begun(shop: &Shop) -> Handle {
    let begun = std::sync::Mutex::new(None);
    until("a free connection", || async {
        match shop.sql.transaction_begin(plain()).await.unwrap() {
            Ok(transaction) => *begun.lock().unwrap() = Some(transaction.0),
            Err(Error::Overloaded(_)) => return false,
            Err(other) => panic!("{other:?}"),
        }
        true
    })
    .await;
    begun.into_inner().unwrap().unwrap()
}

/// What [`begin_for_good`] has begun.
pub(crate) struct Begun(Handle);

const SOURCE: &str = "test/bank/teller";

/// Begins what only the end of the provider will end.
pub(crate) async fn begin_for_good(links: &Links) -> Begun {
    let shop = Shop::new(links.open_as(SOURCE, &[("idle-ms", "3600000")]).await);
    shop.script("CREATE TABLE vault (n BIGINT); INSERT INTO vault VALUES (1)").await.unwrap();
    let transaction = shop.begin().await;
    shop.in_run(&transaction, "UPDATE vault SET n = 2").await.unwrap();
    Begun(transaction)
}

/// After the provider was killed.
pub(crate) async fn is_undone(links: &Links, begun: Begun) {
    let shop = Shop::new(links.open_as(SOURCE, &[]).await);
    soon("the end of the lock", shop.run("UPDATE vault SET n = n + 10", &[])).await;
    assert_eq!(shop.value("SELECT n FROM vault").await, Value::Integer(11));
    let late = shop.sql.transaction_commit(begun.0).await;
    assert_eq!(late.unwrap_err().status, Status::Gone);
}
