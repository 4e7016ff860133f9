//! Opens a file, for callers who may do in it what they like and outside of it nothing.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures::future::BoxFuture;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use sql::types::Error;
use sql::{Connect, PageSize, Session};
use tokio::sync::oneshot;

use crate::error::error;
use crate::worker::Worker;

/// How long SQLite waits by itself for a lock; whoever waits longer looks whether it should.
const BUSY_TIMEOUT: Duration = Duration::from_millis(20);

/// Statements that a connection keeps prepared.
const PREPARED_MAX: usize = 64;

/// Pragmas that show something, or change only the file that is open.
const PRAGMAS: [&str; 14] = [
    "application_id",
    "data_version",
    "foreign_key_check",
    "foreign_key_list",
    "index_info",
    "index_list",
    "index_xinfo",
    "integrity_check",
    "optimize",
    "quick_check",
    "table_info",
    "table_list",
    "table_xinfo",
    "user_version",
];

/// One file: makes connections to it.
#[derive(Debug)]
pub(crate) struct Files {
    pub(crate) path: PathBuf,
    pub(crate) page: PageSize,
}

impl Connect for Files {
    fn connect(&self) -> BoxFuture<'_, Result<Session, Error>> {
        let (path, page) = (self.path.clone(), self.page);
        Box::pin(async move {
            let (session, commands) = Session::new();
            let (opened, is_open) = oneshot::channel();
            let work = move || {
                let connection = match open(&path) {
                    Ok(connection) => connection,
                    Err(failure) => return drop(opened.send(Err(error(&failure)))),
                };
                // Whoever asked may have gone; then there are no commands.
                let _ = opened.send(Ok(()));
                Worker::new(connection, commands, page).run();
            };
            let thread = std::thread::Builder::new().name("sql-sqlite".to_owned()).spawn(work);
            thread
                .map_err(|error| Error::Unavailable(format!("cannot start a thread: {error}")))?;
            let ended = |_| Error::Unavailable("the connection ended as it began".to_owned());
            is_open.await.map_err(ended)??;
            Ok(session)
        })
    }
}

/// A connection, and whether what it runs just now is the provider's own.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    pub(crate) is_own: Arc<AtomicBool>,
}

fn open(path: &Path) -> rusqlite::Result<Opened> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.execute_batch(
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF;",
    )?;
    connection.busy_timeout(BUSY_TIMEOUT)?;
    connection.set_limit(Limit::SQLITE_LIMIT_ATTACHED, 0)?;
    connection.set_prepared_statement_cache_capacity(PREPARED_MAX);
    let is_own = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&is_own);
    connection.authorizer(Some(move |context: AuthContext<'_>| {
        if flag.load(Ordering::Relaxed) { Authorization::Allow } else { allowed(context.action) }
    }));
    Ok(Opened { connection, is_own })
}

fn allowed(action: AuthAction<'_>) -> Authorization {
    match action {
        AuthAction::Attach { .. } | AuthAction::Detach { .. } | AuthAction::Transaction { .. } => {
            Authorization::Deny
        }
        AuthAction::Pragma { pragma_name, .. } if !PRAGMAS.contains(&pragma_name) => {
            Authorization::Deny
        }
        _ => Authorization::Allow,
    }
}
