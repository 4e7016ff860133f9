//! Values as text that people type and read: WAVE, as `wicker call` takes and prints it.
//!
//! [`encode_params`] reads arguments, [`print_results`] writes what came back, both by the [`FunctionType`] that the
//! lattice stores. A stateless handle is a string: its token. Streams have no text.

use bytes::Bytes;
use wasm_wave::parser::ParserError;
use wasm_wave::value::{Type as WaveType, Value};

use crate::types::{FunctionType, Type};
use crate::value::{DecodeError, Reader, Writer};

mod read;
mod ty;
mod write;

/// Text is no argument of a function, or results have no text.
#[derive(Debug, thiserror::Error)]
pub enum WaveError {
    /// Too many arguments, or too few. The message shows the signature.
    #[error("{0}")]
    Count(String),
    /// An argument is no value of its type. The message shows the signature.
    #[error("{message}")]
    Argument {
        /// Which, and what it should be.
        message: String,
        /// Where the text goes wrong.
        #[source]
        source: Box<ParserError>,
    },
    /// A type that has no text.
    #[error("a `{0}` cannot be written as text")]
    NoText(String),
    /// The results are not of their type.
    #[error("cannot read the results")]
    Results(#[from] DecodeError),
    /// A value that WAVE cannot hold.
    #[error("cannot write the results: {0}")]
    Print(String),
}

/// The parameters of `function` from one text each.
///
/// # Errors
/// Another number of arguments than parameters, a text that is no value of its type, or a type without text. The
/// message shows the signature.
pub fn encode_params(
    function: &str,
    ty: &FunctionType,
    arguments: &[impl AsRef<str>],
) -> Result<Bytes, WaveError> {
    let (expected, given) = (ty.params.len(), arguments.len());
    if expected != given {
        let message = format!("{function} takes {expected} arguments, not {given}");
        return Err(WaveError::Count(format!("{message}: {function}: {ty:#}")));
    }
    let mut writer = Writer::new();
    for ((name, param), text) in ty.params.iter().zip(arguments) {
        let text = text.as_ref();
        let value: Value = wasm_wave::from_str(&ty::to_wave(param)?, text).map_err(|source| {
            let slip = hint(param, text);
            let message =
                format!("`{text}` is no {param:#} for `{name}`{slip}: {function}: {ty:#}");
            WaveError::Argument { message, source: Box::new(source) }
        })?;
        write::value(&value, param, &mut writer);
    }
    Ok(writer.finish())
}

/// The commonest slip: shells take the quotes away.
fn hint(ty: &Type, text: &str) -> &'static str {
    let is_text = matches!(ty, Type::String | Type::Own(..) | Type::Borrow(..));
    if is_text && !text.starts_with('"') { " (a string needs quotes: '\"...\"')" } else { "" }
}

/// The results as text; empty for a function without one.
///
/// # Errors
/// The bytes are not of this type, or the type has no text.
pub fn print_results(ty: &FunctionType, results: &Bytes) -> Result<String, WaveError> {
    let mut reader = Reader::new(results)?;
    let Some(ty) = &ty.result else {
        reader.finish()?;
        return Ok(String::new());
    };
    let value = read::value(&mut reader, ty, &ty::to_wave(ty)?)?;
    reader.finish()?;
    wasm_wave::to_string(&value).map_err(|error| WaveError::Print(error.to_string()))
}

#[cfg(test)]
mod tests;
