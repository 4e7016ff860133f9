//! Values, in and out.

use sql::types::{Date, Datetime, Error, Time, Timestamp, Value};
use wicker_provider::testing::Links;

use crate::shop::{Shop, text};

pub(crate) async fn keep_all(links: &Links) {
    let shop = Shop::new(links.open(&[]).await);
    every_kind_comes_back_as_it_went(&shop).await;
    extremes_come_back(&shop).await;
    parameters_stand_where_they_are_named(&shop).await;
    columns_have_names(&shop).await;
}

async fn every_kind_comes_back_as_it_went(shop: &Shop) {
    shop.script(
        "CREATE TABLE kinds (a BOOLEAN, b BIGINT, c DOUBLE PRECISION, d NUMERIC, e TEXT, f BYTEA, g UUID, h DATE, \
         i TIME, j TIMESTAMP, k TIMESTAMP WITH TIME ZONE, l JSON)",
    )
    .await
    .unwrap();
    let date = Date { year: 2024, month: 2, day: 29 };
    let time = Time { hour: 23, minute: 59, second: 1, nanosecond: 123_456_000 };
    let row = vec![
        Value::Boolean(true),
        Value::Integer(-42),
        Value::Float(0.1),
        Value::Decimal("-12.5".to_owned()),
        text("it's \"ünïcode\"\n∎"),
        Value::Bytes(vec![0, 255, b'\'', 10].into()),
        Value::Uuid("123e4567-e89b-12d3-a456-426614174000".to_owned()),
        Value::Date(date.clone()),
        Value::Time(time.clone()),
        Value::Datetime(Datetime { date, time }),
        Value::Timestamp(Timestamp { seconds: 1_709_251_199, nanoseconds: 5_000 }),
        Value::Json("{\"a\":[1,null]}".to_owned()),
    ];
    let insert = "INSERT INTO kinds VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
    assert_eq!(shop.run(insert, &row).await, 1);
    assert_eq!(shop.rows("SELECT * FROM kinds", &[]).await, std::slice::from_ref(&row));
    shop.run("DELETE FROM kinds", &[]).await;
    let nulls = vec![Value::Null; row.len()];
    shop.run(insert, &nulls).await;
    assert_eq!(shop.rows("SELECT * FROM kinds", &[]).await, [nulls]);
}

async fn extremes_come_back(shop: &Shop) {
    shop.script("CREATE TABLE extremes (a BIGINT, b DOUBLE PRECISION, c TIMESTAMP WITH TIME ZONE)")
        .await
        .unwrap();
    let moment = |seconds| Value::Timestamp(Timestamp { seconds, nanoseconds: 999_999_000 });
    let rows = [
        vec![Value::Integer(i64::MIN), Value::Float(f64::MAX), moment(-62_135_596_800)],
        vec![Value::Integer(i64::MAX), Value::Float(f64::MIN_POSITIVE), moment(-1)],
        vec![Value::Integer(0), Value::Float(-0.5), moment(253_402_300_799)],
    ];
    for row in &rows {
        shop.run("INSERT INTO extremes VALUES ($1, $2, $3)", row).await;
    }
    let mut read = shop.rows("SELECT * FROM extremes", &[]).await;
    read.sort_by_key(|row| format!("{:?}", row[0]));
    let mut expected = rows.to_vec();
    expected.sort_by_key(|row| format!("{:?}", row[0]));
    assert_eq!(read, expected);
}

async fn parameters_stand_where_they_are_named(shop: &Shop) {
    shop.script("CREATE TABLE places (a TEXT, b TEXT)").await.unwrap();
    let insert = "INSERT INTO places (b, a) VALUES ($2, $1)";
    shop.run(insert, &[text("first"), text("second")]).await;
    let twice = "SELECT a, b FROM places WHERE a = $1 OR b = $1";
    let expected = [vec![text("first"), text("second")]];
    assert_eq!(shop.rows(twice, &[text("second")]).await, expected);
    for values in [vec![], vec![text("one")], vec![text("one"), text("two"), text("three")]] {
        let error = shop.try_run(insert, &values).await.unwrap_err();
        assert!(matches!(error, Error::Mistake(_)), "{error:?}");
    }
}

async fn columns_have_names(shop: &Shop) {
    let rows =
        shop.try_query("SELECT a AS one, b FROM places WHERE a = 'nobody'", &[]).await.unwrap();
    let names: Vec<&str> = rows.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!((names, rows.first.len()), (vec!["one", "b"], 0));
    assert!(rows.columns.iter().all(|column| column.type_name.eq_ignore_ascii_case("text")));
}
