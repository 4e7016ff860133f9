//! Brings the tables up to date, when somebody first misses one.

use crate::wicker::sql::database::{execute_script, query};
use crate::wicker::sql::types::{Error, Value};

/// Each is run once, in this order; a new version of the component adds one at the end. They are written so that every
/// database understands them.
const MIGRATIONS: [&str; 2] = [
    "CREATE TABLE notes (id UUID PRIMARY KEY, text TEXT NOT NULL, created TIMESTAMP WITH TIME ZONE NOT NULL)",
    "CREATE TABLE tags (note UUID NOT NULL REFERENCES notes (id) ON DELETE CASCADE, tag TEXT NOT NULL, \
     PRIMARY KEY (note, tag))",
];

/// Does `work`; if it misses a table, makes it and does `work` again.
pub fn with_tables<T>(work: impl Fn() -> Result<T, Error>) -> Result<T, Error> {
    match work() {
        Err(Error::Mistake(_)) => {
            migrate()?;
            work()
        }
        outcome => outcome,
    }
}

fn migrate() -> Result<(), Error> {
    execute_script("CREATE TABLE IF NOT EXISTS migrations (version BIGINT PRIMARY KEY)")?;
    let done = query("SELECT count(*) FROM migrations", &[])?;
    let done = match done.first.first().and_then(|row| row.first()) {
        Some(Value::Integer(count)) => usize::try_from(*count).unwrap_or(0),
        _ => 0,
    };
    for (at, migration) in MIGRATIONS.iter().enumerate().skip(done) {
        // A migration and its number are one transaction. Of two that do it at once, one violates the key.
        let numbered = format!("INSERT INTO migrations VALUES ({at}); {migration}");
        match execute_script(&numbered) {
            Ok(()) | Err(Error::Violation(_)) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
