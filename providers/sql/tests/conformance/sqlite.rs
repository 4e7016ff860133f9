//! What SQLite promises besides.

use sql::types::{Error, Value};
use wicker_lattice::call::Status;
use wicker_provider::testing::Links;

use crate::shop::{Shop, text};

pub(crate) async fn keep_all(links: &Links) {
    applications_do_not_share_a_database(links).await;
    statements_reach_no_other_file(links).await;
    lists_are_json(links).await;
    database_is_a_name(links).await;
}

async fn applications_do_not_share_a_database(links: &Links) {
    let ours = Shop::new(links.open_as("test/ours/one", &[]).await);
    let too = Shop::new(links.open_as("test/ours/two", &[]).await);
    let theirs = Shop::new(links.open_as("test/theirs/one", &[]).await);
    ours.run("CREATE TABLE t (n BIGINT)", &[]).await;
    assert_eq!(too.value("SELECT count(*) FROM t").await, Value::Integer(0));
    let error = theirs.try_query("SELECT * FROM t", &[]).await.unwrap_err();
    assert!(matches!(error, Error::Mistake(_)), "{error:?}");
}

async fn statements_reach_no_other_file(links: &Links) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("stolen").display().to_string();
    let shop = Shop::new(links.open(&[]).await);
    for statement in [
        format!("ATTACH DATABASE '{file}' AS other"),
        format!("VACUUM INTO '{file}'"),
        "PRAGMA journal_mode = OFF".to_owned(),
        "PRAGMA writable_schema = ON".to_owned(),
    ] {
        assert!(shop.try_run(&statement, &[]).await.is_err(), "{statement}");
        assert!(shop.script(&statement).await.is_err(), "{statement}");
    }
    let error = shop.try_query("PRAGMA trusted_schema = ON", &[]).await.unwrap_err();
    assert!(matches!(error, Error::Denied(_)), "{error:?}");
    assert!(std::fs::read_dir(folder.path()).unwrap().next().is_none());
    shop.run("PRAGMA user_version = 7", &[]).await;
    assert_eq!(shop.value("PRAGMA user_version").await, Value::Integer(7));
}

async fn lists_are_json(links: &Links) {
    let shop = Shop::new(links.open(&[]).await);
    shop.run("CREATE TABLE lists (a JSON, b JSON)", &[]).await;
    let integers = Value::Integers(vec![Some(1), None]);
    let texts = Value::Texts(vec![Some("a\"b".to_owned()), None]);
    shop.run("INSERT INTO lists VALUES ($1, $2)", &[integers, texts]).await;
    let json = |text: &str| Value::Json(text.to_owned());
    let expected = [vec![json("[1,null]"), json("[\"a\\\"b\",null]")]];
    assert_eq!(shop.rows("SELECT * FROM lists", &[]).await, expected);
    let second =
        shop.rows("SELECT b ->> 0 FROM lists WHERE a ->> 0 = $1", &[Value::Integer(1)]).await;
    assert_eq!(second, [[text("a\"b")]]);
}

async fn database_is_a_name(links: &Links) {
    for name in ["../escape", "a/b", "", "x.y"] {
        let shop = Shop::new(links.open(&[("database", name)]).await);
        let error = shop.sql.query("SELECT 1".to_owned(), Vec::new()).await.unwrap_err();
        assert_eq!(error.status, Status::Denied, "{name}");
    }
}
