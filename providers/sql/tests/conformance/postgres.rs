//! What PostgreSQL promises besides.

use sql::database::{Isolation, Options};
use sql::types::{Constraint, Error, Value};
use wicker_lattice::call::Status;
use wicker_provider::testing::{Links, PostgresServer, until};

use crate::laws::ENDLESS;
use crate::shop::{Shop, plain, text};

pub(crate) async fn keep_all(links: &Links, mut server: PostgresServer) {
    lists_come_back_as_they_went(links).await;
    exact_numbers_keep_every_digit(links).await;
    what_has_no_value_says_so(links).await;
    transactions_in_each_others_way_are_told(links).await;
    failed_transaction_is_not_committed(links).await;
    exclusions_are_named(links).await;
    nothing_runs_at_the_server_any_more(links).await;
    connections_are_bounded(links).await;
    wrong_password_is_told(links, &server).await;
    connection_that_is_reset_is_told_and_replaced(links).await;
    server_that_stops_and_comes_back_is_used_again(links, &mut server).await;
    what_was_acknowledged_is_there_after_every_stop(links, &mut server).await;
}

async fn lists_come_back_as_they_went(links: &Links) {
    let shop = Shop::new(links.open(&[]).await);
    shop.run(
        "CREATE TABLE lists (a BIGINT[], b TEXT[], c BOOLEAN[], d DOUBLE PRECISION[], e UUID[])",
        &[],
    )
    .await;
    let uuid = "123e4567-e89b-12d3-a456-426614174000".to_owned();
    let texts = ["a\"b\\", "", "NULL", "{,}"].map(|text| Some(text.to_owned()));
    let row = vec![
        Value::Integers(vec![Some(1), None, Some(i64::MIN)]),
        Value::Texts(texts.into_iter().chain([None]).collect()),
        Value::Booleans(vec![Some(true), None]),
        Value::Floats(vec![Some(1.5), Some(f64::INFINITY)]),
        Value::Texts(vec![Some(uuid)]),
    ];
    shop.run("INSERT INTO lists VALUES ($1, $2, $3, $4, $5)", &row).await;
    assert_eq!(shop.rows("SELECT * FROM lists", &[]).await, [row]);
    let empty = shop.rows("SELECT $1::text[]", &[Value::Texts(Vec::new())]).await;
    assert_eq!(empty, [[Value::Texts(Vec::new())]]);
}

async fn exact_numbers_keep_every_digit(links: &Links) {
    let shop = Shop::new(links.open(&[]).await);
    for number in
        ["0", "0.00", "-12.50", "123456789012345678901234567890.0000000001", "NaN", "10000"]
    {
        let rows = shop.rows("SELECT $1::numeric", &[Value::Decimal(number.to_owned())]).await;
        assert_eq!(rows, [[Value::Decimal(number.to_owned())]]);
    }
    let error = shop.try_query("SELECT $1::numeric", &[text("ten")]).await.unwrap_err();
    assert!(matches!(error, Error::Conversion(_)), "{error:?}");
}

async fn what_has_no_value_says_so(links: &Links) {
    let shop = Shop::new(links.open(&[]).await);
    for statement in ["SELECT interval '1 day'", "SELECT 'infinity'::date", "SELECT ARRAY[[1],[2]]"]
    {
        let error = shop.try_query(statement, &[]).await.unwrap_err();
        assert!(matches!(error, Error::Conversion(_)), "{error:?}");
    }
    assert_eq!(shop.value("SELECT interval '1 day'::text").await, text("1 day"));
}

async fn transactions_in_each_others_way_are_told(links: &Links) {
    let shop = Shop::new(links.open(&[]).await);
    let options = Options { isolation: Isolation::RepeatableRead, ..plain() };
    let begin = async || shop.sql.transaction_begin(options.clone()).await.unwrap().unwrap().0;
    let (one, other) = (begin().await, begin().await);
    let see = "SELECT amount FROM accounts WHERE id = 1";
    shop.in_query(&one, see).await.unwrap();
    shop.in_query(&other, see).await.unwrap();
    let change = "UPDATE accounts SET amount = amount + 1 WHERE id = 1";
    shop.in_run(&one, change).await.unwrap();
    shop.commit(one).await.unwrap();
    let error = shop.in_run(&other, change).await.unwrap_err();
    assert!(matches!(error, Error::Serialization(_)), "{error:?}");
    shop.drop(other).await;
}

async fn failed_transaction_is_not_committed(links: &Links) {
    let shop = Shop::new(links.open(&[]).await);
    let transaction = shop.begin().await;
    shop.in_run(&transaction, "UPDATE accounts SET amount = -1 WHERE id = 2").await.unwrap();
    shop.in_run(&transaction, "INSERT INTO accounts VALUES (1, 1)").await.unwrap_err();
    let after = shop.in_query(&transaction, "SELECT 1").await.unwrap_err();
    assert!(matches!(after, Error::Gone(_)), "{after:?}");
    let committed = shop.commit(transaction).await.unwrap_err();
    assert!(matches!(committed, Error::Gone(_)), "{committed:?}");
    let amount = shop.value("SELECT amount FROM accounts WHERE id = 2").await;
    assert_ne!(amount, Value::Integer(-1));
}

async fn exclusions_are_named(links: &Links) {
    let shop = Shop::new(links.open(&[]).await);
    shop.run("CREATE TABLE stays (during int4range, CONSTRAINT free EXCLUDE USING gist (during WITH &&))", &[])
        .await;
    shop.run("INSERT INTO stays VALUES ('[1,5)')", &[]).await;
    match shop.try_run("INSERT INTO stays VALUES ('[4,6)')", &[]).await {
        Err(Error::Violation(violation)) => {
            assert_eq!(violation.constraint, Constraint::Exclusion);
            assert_eq!(violation.name.as_deref(), Some("free"));
        }
        other => panic!("{other:?}"),
    }
}

/// What was cut off in the laws before is cancelled at the server, not only here.
async fn nothing_runs_at_the_server_any_more(links: &Links) {
    let shop = Shop::new(links.open(&[]).await);
    let running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = $1";
    until("the end of what was cut off", || async {
        shop.rows(running, &[text(ENDLESS)]).await == [[Value::Integer(0)]]
    })
    .await;
}

/// A link's connections are never more than it may have, and those of links before are gone with them.
async fn connections_are_bounded(links: &Links) {
    let source = "test/bounded/caller";
    let shop = Shop::new(links.open_as(source, &[("connections", "3")]).await);
    futures::future::join_all((0..30).map(|_| shop.run("UPDATE counts SET n = 1", &[]))).await;
    let open = "SELECT count(*) FROM pg_stat_activity WHERE application_name = $1";
    let count = shop.rows(open, &[text(source)]).await;
    assert!((1..=3).any(|few| count == [[Value::Integer(few)]]), "{count:?}");
}

async fn wrong_password_is_told(links: &Links, server: &PostgresServer) {
    let wrong = server.url_with("guess");
    let shop = Shop::new(links.open(&[("url", &wrong)]).await);
    let error = shop.sql.query("SELECT 1".to_owned(), Vec::new()).await.unwrap_err();
    assert_eq!(error.status, Status::Unavailable);
    assert!(error.message.contains("password authentication failed"), "{error}");
    assert!(!error.message.contains("guess"), "{error}");
}

async fn server_that_stops_and_comes_back_is_used_again(
    links: &Links,
    server: &mut PostgresServer,
) {
    let shop = Shop::new(links.open(&[]).await);
    let transaction = shop.begin().await;
    shop.in_run(&transaction, "UPDATE accounts SET amount = 0").await.unwrap();
    let under_way = shop.sql.query("SELECT pg_sleep(600)".to_owned(), Vec::new());
    let stop = async {
        let sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query = 'SELECT pg_sleep(600)'";
        until("the statement", || async { shop.value(sleeping).await != Value::Integer(0) }).await;
        server.stop();
    };
    let (broken, ()) = tokio::join!(under_way, stop);
    let broken = broken.unwrap().unwrap_err();
    assert!(matches!(broken, Error::Lost(_)), "{broken:?}");
    let away = shop.try_query("SELECT 1", &[]).await.unwrap_err();
    assert!(matches!(away, Error::Unavailable(_) | Error::Lost(_)), "{away:?}");
    server.run();
    until("an answer", || async { shop.try_query("SELECT 1", &[]).await.is_ok() }).await;
    let late = shop.in_query(&transaction, "SELECT 1").await.unwrap_err();
    assert!(matches!(late, Error::Gone(_) | Error::Lost(_)), "{late:?}");
}

/// As a network that drops connections looks: the statement under way says that it may have run, the next one runs.
async fn connection_that_is_reset_is_told_and_replaced(links: &Links) {
    let source = "test/reset/caller";
    let shop = Shop::new(links.open_as(source, &[("connections", "1")]).await);
    let other = Shop::new(links.open(&[]).await);
    for _ in 0..5 {
        let under_way = shop.sql.query("SELECT pg_sleep(600)".to_owned(), Vec::new());
        let reset = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                     WHERE application_name = $1 AND query = 'SELECT pg_sleep(600)' AND state = 'active'";
        let cut = until("the reset", || async {
            other.rows(reset, &[text(source)]).await == [[Value::Integer(1)]]
        });
        let (broken, ()) = tokio::join!(under_way, cut);
        let broken = broken.unwrap().unwrap_err();
        assert!(matches!(broken, Error::Lost(_)), "{broken:?}");
        until("an answer", || async { shop.try_query("SELECT 1", &[]).await.is_ok() }).await;
    }
}

/// Writes go on while the server is stopped at once, again and again: each ends as done, or with an error that says that it
/// may not have been.
async fn what_was_acknowledged_is_there_after_every_stop(
    links: &Links,
    server: &mut PostgresServer,
) {
    const ROUNDS: i64 = 3;
    const EACH: i64 = 50;
    let shop = Shop::new(links.open(&[]).await);
    shop.run("CREATE TABLE written (n BIGINT PRIMARY KEY)", &[]).await;
    let mut acknowledged = Vec::new();
    for round in 0..ROUNDS {
        let (count, counted) = tokio::sync::watch::channel(0);
        let write = async {
            let mut done = Vec::new();
            for n in round * 1000.. {
                match shop.try_run("INSERT INTO written VALUES ($1)", &[Value::Integer(n)]).await {
                    Ok(_) => done.push(n),
                    Err(Error::Lost(_) | Error::Unavailable(_)) => break,
                    Err(other) => panic!("{other:?}"),
                }
                count.send_replace(done.len() as i64);
            }
            done
        };
        let mut counted = counted;
        let stop = async {
            counted.wait_for(|count| *count >= EACH).await.unwrap();
            server.stop();
        };
        let (done, ()) = tokio::join!(write, stop);
        acknowledged.extend(done.into_iter().map(Value::Integer));
        server.run();
        until("an answer", || async { shop.try_query("SELECT 1", &[]).await.is_ok() }).await;
    }
    let there: Vec<Value> =
        shop.rows("SELECT n FROM written ORDER BY n", &[]).await.into_iter().flatten().collect();
    let lost: Vec<&Value> = acknowledged.iter().filter(|n| !there.contains(n)).collect();
    assert!(lost.is_empty(), "{} acknowledged, lost {lost:?}", acknowledged.len());
}

/// With TLS: encrypted, and only to a server whose certificate is trusted.
pub(crate) async fn tls_is_for_servers_that_are_trusted(links: &Links, server: &PostgresServer) {
    let url = format!("{}?sslmode=require", server.url());
    let stranger = Shop::new(links.open(&[("url", &url)]).await);
    let error = stranger.sql.query("SELECT 1".to_owned(), Vec::new()).await.unwrap_err();
    assert_eq!(error.status, Status::Unavailable);
    assert!(error.message.contains("certificate"), "{error}");
    let certificate = server.certificate().unwrap();
    let trusting = [("url", url.as_str()), ("root-certificates", certificate)];
    let shop = Shop::new(links.open(&trusting).await);
    let encrypted = "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()";
    assert_eq!(shop.value(encrypted).await, Value::Boolean(true));
    let nonsense = Shop::new(links.open(&[("url", &url), ("root-certificates", "none")]).await);
    let error = nonsense.sql.query("SELECT 1".to_owned(), Vec::new()).await.unwrap_err();
    assert_eq!(error.status, Status::Denied, "{error}");
}
