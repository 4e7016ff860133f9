//! Runs one statement: prepares it, gives it its parameters, reads its rows.

use rusqlite::{CachedStatement, Connection, Rows, Statement as Prepared};
use sql::types::{Column, Error, Page, Value};
use sql::{PageSize, Statement};

use crate::error::{error, mistake};
use crate::value::{self, Declared};

/// What a value takes besides its own bytes.
const VALUE_BYTES: usize = 8;

/// A statement, ready to run.
pub(crate) fn prepare<'c>(
    connection: &'c Connection,
    statement: Statement,
) -> Result<CachedStatement<'c>, Error> {
    let prepared = connection.prepare_cached(&statement.text);
    let mut prepared = prepared.map_err(|failure| error(&failure))?;
    bind(&mut prepared, statement.parameters)?;
    Ok(prepared)
}

/// SQLite numbers parameters as they occur; `$2` is the second that was given wherever it stands.
fn bind(prepared: &mut CachedStatement<'_>, parameters: Vec<Value>) -> Result<(), Error> {
    let mut places = Vec::new();
    for at in 1..=prepared.parameter_count() {
        let place = match prepared.parameter_name(at) {
            None => at,
            Some(name) => {
                let number = name.strip_prefix(['$', '?']).and_then(|digits| digits.parse().ok());
                let wrong =
                    || mistake(format!("`{name}` is no parameter: they are $1, $2 and so on"));
                number.filter(|number| *number > 0).ok_or_else(wrong)?
            }
        };
        places.push((at, place));
    }
    let (wanted, given) =
        (places.iter().map(|(_, place)| *place).max().unwrap_or_default(), parameters.len());
    if wanted != given {
        return Err(mistake(format!(
            "the statement has {wanted} parameters, and {given} were given"
        )));
    }
    let stored = parameters.into_iter().map(value::write).collect::<Result<Vec<_>, _>>()?;
    for (at, place) in places {
        let Some(stored) = stored.get(place - 1) else { continue };
        prepared.raw_bind_parameter(at, stored).map_err(|failure| error(&failure))?;
    }
    Ok(())
}

/// The columns of a result, and as what each is read.
pub(crate) type Columns = Vec<(Column, Declared)>;

/// The columns of a statement's rows. They are known for certain once it has been stepped: if a table was changed since it
/// was prepared, that is when SQLite notices.
pub(crate) fn columns(prepared: &Prepared<'_>) -> Columns {
    let columns = prepared.columns();
    let column = columns.iter().map(|column| {
        let type_name = column.decl_type().unwrap_or_default().to_owned();
        let declared = Declared::of(&type_name);
        (Column { name: column.name().to_owned(), type_name }, declared)
    });
    column.collect()
}

/// The next rows, up to the size of a page. The first row says what the columns are.
pub(crate) fn page(
    rows: &mut Rows<'_>,
    known: &mut Option<Columns>,
    size: PageSize,
) -> Result<Page, Error> {
    let (mut page, mut bytes) = (Page { rows: Vec::new(), is_last: false }, 0);
    while page.rows.len() < size.rows && bytes < size.bytes {
        let Some(row) = rows.next().map_err(|failure| error(&failure))? else {
            page.is_last = true;
            break;
        };
        let columns = known.get_or_insert_with(|| columns(row.as_ref()));
        let mut values = Vec::with_capacity(columns.len());
        for (at, (_, declared)) in columns.iter().enumerate() {
            let stored = row.get_ref(at).map_err(|failure| error(&failure))?;
            bytes += VALUE_BYTES + stored.as_bytes_or_null().ok().flatten().map_or(0, <[u8]>::len);
            values.push(value::read(stored, *declared)?);
        }
        page.rows.push(values);
    }
    Ok(page)
}

/// The columns alone.
pub(crate) fn names(columns: Columns) -> Vec<Column> {
    columns.into_iter().map(|(column, _)| column).collect()
}
