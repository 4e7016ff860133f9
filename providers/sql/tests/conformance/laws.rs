//! Statements on their own: pages, counts, errors, deadlines.

use std::time::Duration;

use futures::future::join_all;
use sql::types::{Constraint, Error, Value, Violation};
use wicker_lattice::call::Status;
use wicker_provider::testing::{Links, soon, until};

use crate::shop::{Shop, text};

/// What never ends by itself, in any database.
pub(crate) const ENDLESS: &str =
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";

/// Rows of the large table.
const ROWS: i64 = 5_000;

pub(crate) async fn keep_all(links: &Links) {
    let shop = Shop::new(links.open(&[]).await);
    counts_are_of_the_rows_changed(&shop).await;
    violations_say_what_was_violated(&shop).await;
    mistakes_say_where(&shop).await;
    script_is_all_or_nothing(&shop).await;
    results_of_any_size_come_in_pages(&shop).await;
    pages_are_bounded_by_bytes(&shop).await;
    unread_rest_frees_its_connection(links).await;
    statement_ends_with_its_call(links).await;
    pool_is_bounded(links).await;
    many_at_once_are_each_answered(&shop).await;
    statement_survives_a_change_of_its_table(&shop).await;
}

async fn counts_are_of_the_rows_changed(shop: &Shop) {
    assert_eq!(shop.run("CREATE TABLE counts (n BIGINT)", &[]).await, 0);
    assert_eq!(shop.run("INSERT INTO counts VALUES (1), (2), (3)", &[]).await, 3);
    assert_eq!(shop.run("UPDATE counts SET n = n + 1 WHERE n > 1", &[]).await, 2);
    assert_eq!(shop.run("UPDATE counts SET n = 0 WHERE n > 100", &[]).await, 0);
    let given = shop.rows("INSERT INTO counts VALUES (9) RETURNING n", &[]).await;
    assert_eq!(given, [[Value::Integer(9)]]);
    assert_eq!(shop.run("DELETE FROM counts", &[]).await, 4);
}

async fn violations_say_what_was_violated(shop: &Shop) {
    shop.script(
        "CREATE TABLE parents (id BIGINT PRIMARY KEY);
         CREATE TABLE rules (a BIGINT UNIQUE, b BIGINT NOT NULL, c BIGINT CONSTRAINT small CHECK (c < 10), \
         d BIGINT REFERENCES parents (id));
         INSERT INTO rules VALUES (1, 1, 1, NULL)",
    )
    .await
    .unwrap();
    let violation = async |values: &str| match shop
        .try_run(&format!("INSERT INTO rules VALUES {values}"), &[])
        .await
    {
        Err(Error::Violation(violation)) => violation,
        other => panic!("{values}: {other:?}"),
    };
    assert_eq!(violation("(1, 1, 1, NULL)").await.constraint, Constraint::Unique);
    let Violation { constraint, table, column, .. } = violation("(2, NULL, 1, NULL)").await;
    let place = (table.as_deref(), column.as_deref());
    assert_eq!((constraint, place), (Constraint::NotNull, (Some("rules"), Some("b"))));
    let Violation { constraint, name, .. } = violation("(2, 1, 11, NULL)").await;
    assert_eq!((constraint, name.as_deref()), (Constraint::Check, Some("small")));
    assert_eq!(violation("(2, 1, 1, 77)").await.constraint, Constraint::ForeignKey);
    assert_eq!(shop.value("SELECT count(*) FROM rules").await, Value::Integer(1));
}

async fn mistakes_say_where(shop: &Shop) {
    let mistake = async |statement: &str| match shop.try_query(statement, &[]).await {
        Err(Error::Mistake(mistake)) => mistake,
        other => panic!("{statement}: {other:?}"),
    };
    assert_eq!(mistake("SELECT 'ü' FORM counts").await.position, Some(17));
    assert!(mistake("SELECT n FROM nowhere").await.message.contains("nowhere"));
    assert!(mistake("SELECT nothing FROM counts").await.message.contains("nothing"));
    mistake("SELECT 1; SELECT 2").await;
    for statement in ["COMMIT", "/* a */ begin", "ROLLBACK TO a"] {
        assert!(mistake(statement).await.message.contains("transaction.begin"));
    }
}

async fn script_is_all_or_nothing(shop: &Shop) {
    shop.script("CREATE TABLE steps (n BIGINT); INSERT INTO steps VALUES (1); INSERT INTO steps VALUES (2);")
        .await
        .unwrap();
    let failed =
        shop.script("INSERT INTO steps VALUES (3); CREATE TABLE more (n BIGINT); nonsense").await;
    assert!(matches!(failed, Err(Error::Mistake(_))), "{failed:?}");
    assert_eq!(shop.value("SELECT count(*) FROM steps").await, Value::Integer(2));
    shop.script("CREATE TABLE more (n BIGINT)").await.unwrap();
}

async fn results_of_any_size_come_in_pages(shop: &Shop) {
    shop.run("CREATE TABLE large (n BIGINT)", &[]).await;
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < $1) \
                INSERT INTO large SELECT i FROM n";
    assert_eq!(shop.run(fill, &[Value::Integer(ROWS)]).await, ROWS.unsigned_abs());
    let rows = shop.try_query("SELECT n FROM large ORDER BY n", &[]).await.unwrap();
    let rest = rows.rest.unwrap().0;
    let mut all = rows.first;
    assert!(all.len() <= 500, "{} rows in a page", all.len());
    loop {
        let page = shop.next(&rest).await;
        assert!(page.rows.len() <= 500, "{} rows in a page", page.rows.len());
        all.extend(page.rows);
        if page.is_last {
            break;
        }
    }
    let expected: Vec<Vec<Value>> = (1..=ROWS).map(|n| vec![Value::Integer(n)]).collect();
    assert!(all == expected, "{} rows of {ROWS}", all.len());
    // It stays at its end.
    let end = shop.next(&rest).await;
    assert!(end.is_last && end.rows.is_empty());
    shop.drop(rest).await;
}

async fn pages_are_bounded_by_bytes(shop: &Shop) {
    shop.run("CREATE TABLE wide (t TEXT)", &[]).await;
    let wide = text(&"x".repeat(200_000));
    for _ in 0..12 {
        shop.run("INSERT INTO wide VALUES ($1)", std::slice::from_ref(&wide)).await;
    }
    let rows = shop.try_query("SELECT t FROM wide", &[]).await.unwrap();
    assert!(rows.first.len() < 6, "{} rows of 200 kB in a page", rows.first.len());
    let rest = rows.rest.unwrap().0;
    let mut count = rows.first.len();
    loop {
        let page = shop.next(&rest).await;
        assert!(page.rows.iter().all(|row| row[0] == wide));
        count += page.rows.len();
        if page.is_last {
            break;
        }
    }
    assert_eq!(count, 12);
}

async fn unread_rest_frees_its_connection(links: &Links) {
    let shop = Shop::new(links.open(&[("connections", "1")]).await);
    for _ in 0..3 {
        let rest = shop.try_query("SELECT n FROM large", &[]).await.unwrap().rest.unwrap();
        shop.drop(rest.0).await;
        soon("a free connection", shop.run("UPDATE counts SET n = 1", &[])).await;
    }
    let short = Shop::new(links.open(&[("connections", "1"), ("idle-ms", "100")]).await);
    let rest = short.try_query("SELECT n FROM large", &[]).await.unwrap().rest.unwrap();
    soon("a free connection", short.run("UPDATE counts SET n = 1", &[])).await;
    assert_eq!(short.try_next(&rest.0).await.unwrap_err().status, Status::Gone);
}

/// The call's deadline ends the statement where it runs: the one connection is free again.
async fn statement_ends_with_its_call(links: &Links) {
    let client = links.open(&[("connections", "1")]).await;
    let (hasty, shop) =
        (Shop::new(client.clone().with_timeout(Duration::from_millis(300))), Shop::new(client));
    let ended = hasty.sql.query(ENDLESS.to_owned(), Vec::new()).await;
    assert_eq!(ended.unwrap_err().status, Status::Deadline);
    soon("a free connection", shop.run("UPDATE counts SET n = 1", &[])).await;
    let transaction = shop.begin().await;
    let ended = hasty.sql.transaction_query(&transaction, ENDLESS.to_owned(), Vec::new()).await;
    assert_eq!(ended.unwrap_err().status, Status::Deadline);
    shop.drop(transaction).await;
    soon("a free connection", shop.run("UPDATE counts SET n = 1", &[])).await;
}

async fn pool_is_bounded(links: &Links) {
    let shop = Shop::new(links.open(&[("connections", "2"), ("queue", "1")]).await);
    let readers = sql::database::Options { read_only: true, ..crate::shop::plain() };
    let begin = || shop.sql.transaction_begin(readers.clone());
    let (one, other) = (begin().await.unwrap().unwrap(), begin().await.unwrap().unwrap());
    let (first, second) = tokio::join!(biased_overload(&shop), async {
        until("an overload", || async {
            matches!(shop.try_query("SELECT 1", &[]).await, Err(Error::Overloaded(_)))
        })
        .await;
        shop.drop(one.0).await;
    });
    first.unwrap();
    let () = second;
    shop.drop(other.0).await;
    assert_eq!(shop.value("SELECT 1 + 1").await, Value::Integer(2));
}

/// The one that may wait: it keeps waiting until there is a connection.
async fn biased_overload(shop: &Shop) -> Result<(), Error> {
    loop {
        match shop.try_query("SELECT 1", &[]).await {
            Err(Error::Overloaded(_)) => tokio::task::yield_now().await,
            outcome => return outcome.map(drop),
        }
    }
}

async fn many_at_once_are_each_answered(shop: &Shop) {
    shop.run("CREATE TABLE many (n BIGINT PRIMARY KEY)", &[]).await;
    let insert = |n| async move {
        shop.run("INSERT INTO many VALUES ($1)", &[Value::Integer(n)]).await;
    };
    join_all((0..100).map(insert)).await;
    assert_eq!(shop.value("SELECT count(*) FROM many").await, Value::Integer(100));
}

async fn statement_survives_a_change_of_its_table(shop: &Shop) {
    shop.run("CREATE TABLE shapes (a BIGINT)", &[]).await;
    shop.run("INSERT INTO shapes VALUES (1)", &[]).await;
    let select = "SELECT * FROM shapes";
    assert_eq!(shop.rows(select, &[]).await[0].len(), 1);
    shop.run("ALTER TABLE shapes ADD COLUMN b BIGINT", &[]).await;
    // Each connection has prepared it; all of them are asked.
    for rows in join_all((0..20).map(|_| shop.rows(select, &[]))).await {
        assert_eq!(rows[0].len(), 2);
    }
}
