//! One connection's thread: takes commands, one by one.
//!
//! A statement that nobody waits for any more is interrupted: SQLite asks every few hundred steps whether it should go on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode};
use sql::database::Options;
use sql::types::Error;
use sql::worker::CursorId;
use sql::{Command, Fetched, PageSize, Reply, Statement};
use tokio::sync::mpsc;

use crate::error::error;
use crate::open::Opened;
use crate::run;

/// Steps of SQLite's machine between two looks at whether somebody still waits: some ten microseconds.
const STEPS: i32 = 1_000;

/// The longest pause between two attempts to become the writer.
const PAUSE_MAX: Duration = Duration::from_millis(10);

/// One connection.
pub(crate) struct Worker {
    connection: Connection,
    state: State,
}

/// What changes while the connection's statements are borrowed.
struct State {
    commands: mpsc::Receiver<Command>,
    /// What ended a cursor, and comes next.
    next: Option<Command>,
    page: PageSize,
    phase: Phase,
    is_own: Arc<AtomicBool>,
}

/// Where the connection stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Each statement is on its own.
    Alone,
    /// A transaction is open.
    Open,
    /// A transaction was open, and SQLite has rolled it back.
    Lost,
}

/// What a statement does to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Access {
    Reads,
    Writes,
}

impl Access {
    fn of(prepared: &rusqlite::Statement<'_>) -> Self {
        if prepared.readonly() { Self::Reads } else { Self::Writes }
    }
}

/// A transaction that was begun for one statement.
struct Own;

/// What becomes of what a statement did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Keep,
    Undo,
}

impl Fate {
    fn of<T>(outcome: &Result<T, Error>) -> Self {
        if outcome.is_ok() { Self::Keep } else { Self::Undo }
    }
}

impl Worker {
    pub(crate) fn new(opened: Opened, commands: mpsc::Receiver<Command>, page: PageSize) -> Self {
        let Opened { connection, is_own } = opened;
        Self {
            connection,
            state: State { commands, next: None, page, phase: Phase::Alone, is_own },
        }
    }

    /// Works until nobody can send a command any more.
    pub(crate) fn run(self) {
        let Self { connection, mut state } = self;
        while let Some(command) = state.next.take().or_else(|| state.commands.blocking_recv()) {
            state.obey(&connection, command);
        }
    }
}

impl State {
    fn obey(&mut self, connection: &Connection, command: Command) {
        match command {
            Command::Execute(statement, reply) => {
                watch(connection, reply.unwanted());
                let result = self.execute(connection, statement, &reply.unwanted());
                reply.send(result);
            }
            Command::Query(statement, id, reply) => self.query(connection, statement, id, reply),
            Command::Next(_, reply) => {
                reply.send(Err(Error::Gone("the cursor is not open any more".to_owned())));
            }
            Command::Close(_) => {}
            Command::Script(text, reply) => {
                watch(connection, reply.unwanted());
                let result = self.script(connection, &text, &reply.unwanted());
                reply.send(result);
            }
            Command::Begin(options, reply) => {
                let result = self.begin(connection, &options, &reply.unwanted());
                reply.send(result);
            }
            Command::Commit(reply) => {
                watch(connection, Arc::default());
                let result = self.commit(connection);
                reply.send(result);
            }
            Command::Rollback(reply) => {
                self.roll_back(connection);
                reply.send(Ok(()));
            }
            Command::Release(release) => {
                self.roll_back(connection);
                release.done();
            }
        }
    }

    fn execute(
        &mut self,
        connection: &Connection,
        statement: Statement,
        is_unwanted: &AtomicBool,
    ) -> Result<u64, Error> {
        self.check()?;
        let mut prepared = run::prepare(connection, statement)?;
        let own = self.wrap(connection, Access::of(&prepared), is_unwanted)?;
        let before = connection.total_changes();
        let mut rows = prepared.raw_query();
        let outcome = loop {
            match rows.next() {
                Ok(Some(_)) => {}
                Ok(None) => break Ok(()),
                Err(failure) => break Err(error(&failure)),
            }
        };
        drop(rows);
        drop(prepared);
        let changed = if connection.total_changes() == before { 0 } else { connection.changes() };
        self.unwrap(connection, own, Fate::of(&outcome))?;
        outcome.map(|()| changed)
    }

    fn query(
        &mut self,
        connection: &Connection,
        statement: Statement,
        id: CursorId,
        reply: Reply<Fetched>,
    ) {
        watch(connection, reply.unwanted());
        let is_unwanted = reply.unwanted();
        let prepared = self.check().and_then(|()| run::prepare(connection, statement));
        let mut prepared = match prepared {
            Ok(prepared) => prepared,
            Err(error) => return reply.send(Err(error)),
        };
        let own = match self.wrap(connection, Access::of(&prepared), &is_unwanted) {
            Ok(own) => own,
            Err(error) => return reply.send(Err(error)),
        };
        let mut columns = None;
        let mut rows = prepared.raw_query();
        let first = run::page(&mut rows, &mut columns, self.page);
        let fate = match first {
            Ok(page) if page.is_last => {
                drop(rows);
                let columns = run::names(columns.unwrap_or_else(|| run::columns(&prepared)));
                drop(prepared);
                let ended = self.unwrap(connection, own, Fate::Keep);
                return reply.send(ended.map(|()| Fetched { columns, page }));
            }
            Ok(page) => {
                let names = run::names(columns.clone().unwrap_or_default());
                reply.send(Ok(Fetched { columns: names, page }));
                self.cursor(connection, id, &mut |size| run::page(&mut rows, &mut columns, size))
            }
            Err(error) => {
                reply.send(Err(error));
                Fate::Undo
            }
        };
        drop(rows);
        drop(prepared);
        // Whoever read the last page has been answered; a failure to commit shows as the loss of the connection's work.
        if let Err(failure) = self.unwrap(connection, own, fate) {
            tracing::warn!(error = ?failure, "the rest of a query did not end well");
        }
    }

    /// Gives out the rest of a result, page by page, until its end or until something else is wanted. What is to become
    /// of what it did: it counts once it was read to its end.
    fn cursor(
        &mut self,
        connection: &Connection,
        id: CursorId,
        page: &mut dyn FnMut(PageSize) -> Result<sql::types::Page, Error>,
    ) -> Fate {
        while let Some(command) = self.commands.blocking_recv() {
            match command {
                Command::Next(wanted, reply) if wanted == id => {
                    watch(connection, reply.unwanted());
                    let next = page(self.page);
                    let is_last = next.as_ref().is_ok_and(|page| page.is_last);
                    let is_over = is_last || next.is_err();
                    reply.send(next);
                    if is_over {
                        return if is_last { Fate::Keep } else { Fate::Undo };
                    }
                }
                Command::Close(closed) if closed == id => return Fate::Undo,
                Command::Execute(..) => self.obey(connection, command),
                Command::Query(statement, _, reply) => self.beside(connection, statement, reply),
                other => {
                    self.next = Some(other);
                    return Fate::Undo;
                }
            }
        }
        Fate::Undo
    }

    /// A query while a cursor is open: there is room for one page of it.
    fn beside(&mut self, connection: &Connection, statement: Statement, reply: Reply<Fetched>) {
        watch(connection, reply.unwanted());
        let result = self.check().and_then(|()| {
            let mut prepared = run::prepare(connection, statement)?;
            let mut columns = None;
            let page = run::page(&mut prepared.raw_query(), &mut columns, self.page)?;
            if !page.is_last {
                return Err(Error::Busy("a cursor of the transaction is open".to_owned()));
            }
            let columns = run::names(columns.unwrap_or_else(|| run::columns(&prepared)));
            Ok(Fetched { columns, page })
        });
        reply.send(result);
    }

    fn script(
        &mut self,
        connection: &Connection,
        text: &str,
        is_unwanted: &AtomicBool,
    ) -> Result<(), Error> {
        let own = self.wrap(connection, Access::Writes, is_unwanted)?;
        let outcome = connection.execute_batch(text).map_err(|failure| error(&failure));
        self.unwrap(connection, own, Fate::of(&outcome))?;
        outcome
    }

    fn begin(
        &mut self,
        connection: &Connection,
        options: &Options,
        is_unwanted: &AtomicBool,
    ) -> Result<(), Error> {
        if options.read_only {
            self.own(connection, "BEGIN DEFERRED; PRAGMA query_only = ON")?;
        } else {
            self.begin_writing(connection, is_unwanted)?;
        }
        self.phase = Phase::Open;
        Ok(())
    }

    fn commit(&mut self, connection: &Connection) -> Result<(), Error> {
        self.check()?;
        let outcome = self.own(connection, "COMMIT");
        self.roll_back(connection);
        outcome
    }

    /// Whatever there is, is over.
    fn roll_back(&mut self, connection: &Connection) {
        watch(connection, Arc::default());
        if !connection.is_autocommit() {
            // Where it fails there is nothing left to roll back.
            let _ = self.own(connection, "ROLLBACK");
        }
        let _ = self.own(connection, "PRAGMA query_only = OFF");
        self.phase = Phase::Alone;
    }

    /// Sees what the last statement did to the transaction.
    fn check(&mut self) -> Result<(), Error> {
        match self.phase {
            Phase::Lost => Err(Error::Gone("the transaction was rolled back".to_owned())),
            Phase::Alone | Phase::Open => Ok(()),
        }
    }

    /// A statement that writes and is on its own becomes a transaction: so it waits for its turn to write before it
    /// begins.
    fn wrap(
        &mut self,
        connection: &Connection,
        access: Access,
        is_unwanted: &AtomicBool,
    ) -> Result<Option<Own>, Error> {
        if self.phase != Phase::Alone || access == Access::Reads {
            return Ok(None);
        }
        self.begin_writing(connection, is_unwanted)?;
        Ok(Some(Own))
    }

    fn unwrap(
        &mut self,
        connection: &Connection,
        own: Option<Own>,
        fate: Fate,
    ) -> Result<(), Error> {
        if let Some(Own) = own {
            let outcome = match fate {
                Fate::Keep => self.own(connection, "COMMIT"),
                Fate::Undo => Ok(()),
            };
            self.roll_back(connection);
            return outcome;
        }
        if self.phase == Phase::Open && connection.is_autocommit() {
            self.phase = Phase::Lost;
        }
        Ok(())
    }

    /// Waits to be the one that writes, for as long as somebody waits for that.
    fn begin_writing(
        &self,
        connection: &Connection,
        is_unwanted: &AtomicBool,
    ) -> Result<(), Error> {
        let mut pause = Duration::from_micros(200);
        loop {
            match self.try_own(connection, "BEGIN IMMEDIATE") {
                Err(failure) if is_busy(&failure) && !is_unwanted.load(Ordering::Acquire) => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(PAUSE_MAX);
                }
                outcome => return outcome.map_err(|failure| error(&failure)),
            }
        }
    }

    fn own(&self, connection: &Connection, text: &str) -> Result<(), Error> {
        self.try_own(connection, text).map_err(|failure| error(&failure))
    }

    /// Runs a statement of the provider's own, which may what others may not.
    fn try_own(&self, connection: &Connection, text: &str) -> rusqlite::Result<()> {
        self.is_own.store(true, Ordering::Relaxed);
        let outcome = connection.execute_batch(text);
        self.is_own.store(false, Ordering::Relaxed);
        outcome
    }
}

fn is_busy(failure: &rusqlite::Error) -> bool {
    failure.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
}

/// From now on statements go on only while `is_unwanted` is not set.
fn watch(connection: &Connection, is_unwanted: Arc<AtomicBool>) {
    connection.progress_handler(STEPS, Some(move || is_unwanted.load(Ordering::Acquire)));
}
