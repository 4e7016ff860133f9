//! wasmcloud:postgres, for components that were built for it.

use sql_postgres::wasmcloud::types::{
    Date, Offset, PgValue, PreparedStatementExecError, QueryError, Time, Timestamp, TimestampTz,
};
use sql_postgres::wasmcloud::{prepared, query};
use wicker_provider::testing::Links;

pub(crate) async fn keep_all(links: &Links) {
    let client = links.open(&[]).await;
    let (query, prepared) = (query::Client::new(client.clone()), prepared::Client::new(client));
    every_kind_comes_back_as_its_type_says(&query).await;
    results_are_whole(&query).await;
    prepared_statements_count_what_they_change(&query, &prepared).await;
    errors_say_whose_fault_it_is(&query, &prepared).await;
}

async fn every_kind_comes_back_as_its_type_says(query: &query::Client) {
    let batch = "CREATE TABLE kinds_too (a BOOLEAN, b SMALLINT, c INTEGER, d BIGINT, e REAL, f DOUBLE PRECISION, \
                 g NUMERIC, h TEXT, i VARCHAR, j BYTEA, k UUID, l JSONB, m DATE, n TIME, o TIMESTAMP, \
                 p TIMESTAMPTZ, q INTEGER[], r TEXT[]); CREATE TABLE counts_too (n BIGINT)";
    query.query_batch(batch.to_owned()).await.unwrap().unwrap();
    let date = Date::Ymd((2024, 2, 29));
    let time = Time { hour: 13, min: 5, sec: 9, micro: 250_000 };
    let timestamp = Timestamp { date: date.clone(), time: time.clone() };
    let offset = Offset::WesternHemisphereSecs(0);
    let values = vec![
        PgValue::Bool(true),
        PgValue::Int2(-2),
        PgValue::Int4(i32::MIN),
        PgValue::Int8(i64::MAX),
        // -0.75 and 0.1, in parts.
        PgValue::Float4((0x00c0_0000, -24, -1)),
        PgValue::Float8((7_205_759_403_792_794, -56, 1)),
        PgValue::Numeric("-12.50".to_owned()),
        PgValue::Text("it's".to_owned()),
        PgValue::Varchar((None, "ü".into())),
        PgValue::Bytea(vec![0, 255].into()),
        PgValue::Uuid("123e4567-e89b-12d3-a456-426614174000".to_owned()),
        PgValue::Json("{\"a\": 1}".to_owned()),
        PgValue::Date(date),
        PgValue::Time(time),
        PgValue::Timestamp(timestamp.clone()),
        PgValue::TimestampTz(TimestampTz { timestamp, offset }),
        PgValue::Int4Array(vec![1, -1]),
        PgValue::TextArray(vec!["a,b".to_owned()]),
    ];
    let places: Vec<String> = (1..=values.len()).map(|at| format!("${at}")).collect();
    let insert = format!("INSERT INTO kinds_too VALUES ({}) RETURNING *", places.join(", "));
    let rows = query.query(insert, values.clone()).await.unwrap().unwrap();
    let back: Vec<PgValue> = rows[0].iter().map(|entry| entry.value.clone()).collect();
    assert_eq!(back, values);
    assert_eq!(rows[0][0].column_name, "a");
}

async fn results_are_whole(query: &query::Client) {
    let fill = "INSERT INTO counts_too SELECT generate_series(1, 2000)";
    query.query_batch(fill.to_owned()).await.unwrap().unwrap();
    let all = "SELECT n FROM counts_too ORDER BY n".to_owned();
    let rows = query.query(all, Vec::new()).await.unwrap().unwrap();
    let expected = (1..=2_000).map(PgValue::Int8);
    assert!(rows.iter().map(|row| row[0].value.clone()).eq(expected), "{} rows", rows.len());
}

async fn prepared_statements_count_what_they_change(
    query: &query::Client,
    prepared: &prepared::Client,
) {
    let statement = "DELETE FROM counts_too WHERE n > $1".to_owned();
    let token = prepared.prepare(statement).await.unwrap().unwrap();
    let limit = |n| vec![PgValue::BigInt(n)];
    assert_eq!(prepared.exec(token.clone(), limit(1_990)).await.unwrap(), Ok(10));
    assert_eq!(prepared.exec(token, limit(0)).await.unwrap(), Ok(1_990));
    let count = "SELECT count(*) FROM counts_too".to_owned();
    let rows = query.query(count, Vec::new()).await.unwrap().unwrap();
    assert_eq!(rows[0][0].value, PgValue::Int8(0));
}

async fn errors_say_whose_fault_it_is(query: &query::Client, prepared: &prepared::Client) {
    let ask = async |text: &str, values| query.query(text.to_owned(), values).await.unwrap();
    let wrong = ask("SELECT FORM", Vec::new()).await.unwrap_err();
    assert!(matches!(wrong, QueryError::InvalidQuery(_)), "{wrong:?}");
    let point = PgValue::Point(((1, 0, 1), (1, 0, 1)));
    let kind = ask("SELECT $1::point", vec![point]).await.unwrap_err();
    assert!(matches!(kind, QueryError::InvalidParams(_)), "{kind:?}");
    let number = ask("SELECT $1::int", vec![PgValue::Text("x".to_owned())]).await.unwrap_err();
    assert!(matches!(number, QueryError::InvalidParams(_)), "{number:?}");
    let twice = "CREATE UNIQUE INDEX one ON counts_too (n); INSERT INTO counts_too VALUES (1), (1)";
    let violation = query.query_batch(twice.to_owned()).await.unwrap().unwrap_err();
    assert!(matches!(violation, QueryError::Unexpected(_)), "{violation:?}");
    let unknown = prepared.exec("no statement".to_owned(), Vec::new()).await.unwrap().unwrap_err();
    let is_query =
        matches!(unknown, PreparedStatementExecError::QueryError(QueryError::InvalidQuery(_)));
    assert!(is_query, "{unknown:?}");
}
