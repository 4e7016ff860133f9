//! A component without what does not change what it does: names, debug information, notes about the tools that made it.

use std::error::Error;

use wasmparser::{Encoding, Parser, Payload};

use super::component::adapt;
use crate::load_error::{Cause, LoadError};

/// The headers of modules and components, and the ids of the sections that hold them in a component.
const MODULE: ([u8; 8], u8) = (*b"\0asm\x01\0\0\0", 1);
const COMPONENT: ([u8; 8], u8) = (*b"\0asm\x0d\0\x01\0", 4);

/// The component that `wasm` is, or becomes: a core module for WASI preview 1 is adapted first.
///
/// # Errors
/// `wasm` is neither.
pub fn component_of(wasm: &[u8]) -> Result<Vec<u8>, LoadError> {
    Ok(adapt(wasm)?.unwrap_or_else(|| wasm.to_vec()))
}

/// A component without custom sections, at any depth: the same code and types under another digest. Traps name functions by number then.
///
/// # Errors
/// `component` cannot be parsed.
pub fn slim(component: &[u8]) -> Result<Vec<u8>, LoadError> {
    let mut outer: Vec<Vec<u8>> = Vec::new();
    let mut this = Vec::new();
    for payload in Parser::new(0).parse_all(component) {
        let payload = payload
            .map_err(|error| LoadError::Wit(Cause::from(&error as &(dyn Error + 'static))))?;
        match &payload {
            Payload::Version { encoding, .. } => this.extend(match encoding {
                Encoding::Module => MODULE.0,
                Encoding::Component => COMPONENT.0,
            }),
            // Its own header comes next, and its end.
            Payload::ModuleSection { .. } | Payload::ComponentSection { .. } => {
                outer.push(std::mem::take(&mut this));
            }
            Payload::End(_) => {
                if let Some(mut around) = outer.pop() {
                    let id = if this.starts_with(&MODULE.0) { MODULE.1 } else { COMPONENT.1 };
                    section(&mut around, id, &this);
                    this = around;
                }
            }
            Payload::CustomSection(_) => {}
            other => {
                if let Some((id, range)) = other.as_section() {
                    section(&mut this, id, component.get(range).unwrap_or_default());
                }
            }
        }
    }
    Ok(this)
}

/// Appends a section: its id, how long it is as LEB128, and what it holds.
fn section(to: &mut Vec<u8>, id: u8, content: &[u8]) {
    to.push(id);
    let mut rest = content.len();
    loop {
        let low = u8::try_from(rest & 0x7f).unwrap_or_default();
        rest >>= 7;
        if rest == 0 {
            to.push(low);
            break;
        }
        to.push(low | 0x80);
    }
    to.extend_from_slice(content);
}
