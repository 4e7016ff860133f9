//! What went wrong in a guest, in the terms of the lattice.

use bytes::Bytes;
use wasmtime::{PoolConcurrencyLimitError, Trap};
use wicker_lattice::call::{CallError, Status};
use wicker_lattice::types::{FunctionType, Type};
use wicker_lattice::value::Writer;

use crate::config::ActorConfig;
use crate::limits::Limiter;
use crate::log::{Level, LogLine, Origin};

/// Turns the end of an instance into the answer to its call, and tells the actor's log what the caller is not told.
pub(crate) fn failed(
    actor: &ActorConfig,
    limiter: Option<&Limiter>,
    error: &wasmtime::Error,
) -> CallError {
    if let Some(failure) = error.downcast_ref::<CallError>() {
        return failure.clone();
    }
    if error.is::<PoolConcurrencyLimitError>() {
        return CallError::new(Status::Overloaded, "the host has no free instance");
    }
    let cause = cause(limiter, error);
    let text = format!("call failed: {cause}\n{error:?}");
    actor.log.write(LogLine { origin: Origin::Engine, level: Level::Error, text: &text });
    CallError::new(Status::Trapped, format!("{} trapped: {cause}", actor.id))
}

/// One line that says why, without backtrace.
fn cause(limiter: Option<&Limiter>, error: &wasmtime::Error) -> String {
    if let Some(bytes) = limiter.and_then(Limiter::exceeded) {
        let mebibytes = bytes >> 20;
        return format!("out of memory: it may use {mebibytes} MiB (limits.memory)");
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::StackOverflow) => "stack overflow: recursion too deep".to_owned(),
        Some(trap) => trap.to_string(),
        None => error.root_cause().to_string(),
    }
}

/// Cases by which interfaces say "something else went wrong", the likeliest first.
const OTHER_CASES: [&str; 5] = ["other", "unexpected", "internal", "internal-error", "io"];

/// The ways to fail that an interface may have a case of its own for, called like the status.
const NAMED: [Status; 7] = [
    Status::Gone,
    Status::Deadline,
    Status::Unavailable,
    Status::Lost,
    Status::Denied,
    Status::Overloaded,
    Status::Unsupported,
];

/// How a function behind a link tells its caller, in its own interface's terms, that the call failed in the lattice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// It cannot: the guest traps.
    Trap,
    /// Its result is `result<_, string>`.
    Text,
    /// Its result is a `result` whose error has cases for it: of the same name as some statuses, and for the others.
    Cases { named: Vec<(Status, Case)>, other: Option<Case> },
}

/// A case of an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Case {
    index: usize,
    payload: CasePayload,
}

/// What such a case carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum CasePayload {
    Nothing,
    Text,
    OptionalText,
}

impl Refusal {
    /// What `function` has room for.
    pub(crate) fn of(function: &FunctionType) -> Self {
        let Some(Type::Result { err: Some(error), .. }) = &function.result else {
            return Self::Trap;
        };
        let cases: Vec<(&str, Option<&Type>)> = match &**error {
            Type::String => return Self::Text,
            Type::Variant(cases) => {
                cases.iter().map(|(name, ty)| (name.as_str(), ty.as_ref())).collect()
            }
            Type::Enum(names) => names.iter().map(|name| (name.as_str(), None)).collect(),
            _ => return Self::Trap,
        };
        let case = |wanted: &str| {
            let index = cases.iter().position(|(name, _)| *name == wanted)?;
            let (_, payload) = cases.get(index)?;
            Some(Case { index, payload: case_payload(*payload)? })
        };
        let named = NAMED.iter().filter_map(|status| Some((*status, case(status.as_str())?)));
        let (named, other) = (named.collect(), OTHER_CASES.iter().find_map(|other| case(other)));
        Self::Cases { named, other }
    }

    /// The encoded results that say `error`; `None` if the guest must trap.
    pub(crate) fn results(&self, error: &CallError) -> Option<Bytes> {
        let text = error.to_string();
        let mut out = Writer::new();
        out.put_u8(1);
        match self {
            Self::Trap => return None,
            Self::Text => out.put_str(&text),
            Self::Cases { named, other } => {
                let is_meant = |named: &&(Status, Case)| named.0 == error.status;
                let found = named.iter().find(is_meant).map(|(_, case)| *case);
                let Case { index, payload } = found.or(*other)?;
                out.leb_u(index as u64);
                match payload {
                    CasePayload::Nothing => {}
                    CasePayload::Text => out.put_str(&text),
                    CasePayload::OptionalText => {
                        out.put_u8(1);
                        out.put_str(&text);
                    }
                }
            }
        }
        Some(out.finish())
    }
}

fn case_payload(ty: Option<&Type>) -> Option<CasePayload> {
    match ty {
        None => Some(CasePayload::Nothing),
        Some(Type::String) => Some(CasePayload::Text),
        Some(Type::Option(some)) if **some == Type::String => Some(CasePayload::OptionalText),
        Some(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn returning(err: Type) -> FunctionType {
        let result = Type::Result { ok: Some(Box::new(Type::U32)), err: Some(Box::new(err)) };
        FunctionType { params: Vec::new(), result: Some(result), is_async: false }
    }

    #[test]
    fn failures_reach_the_guest_as_its_interfaces_own_error() {
        let error = CallError::new(Status::Unavailable, "gone");
        let keyvalue = Type::Variant(vec![
            ("no-such-store".into(), None),
            ("access-denied".into(), None),
            ("other".into(), Some(Type::String)),
        ]);
        let results = Refusal::of(&returning(keyvalue)).results(&error).unwrap();
        assert_eq!(results, b"\x01\x02\x11unavailable: gone".as_slice());
        let results = Refusal::of(&returning(Type::String)).results(&error).unwrap();
        assert_eq!(results, b"\x01\x11unavailable: gone".as_slice());
        let plain = Type::Enum(vec!["io".into()]);
        assert_eq!(Refusal::of(&returning(plain)).results(&error).unwrap(), b"\x01\0".as_slice());
    }

    #[test]
    fn an_error_without_room_for_it_traps() {
        let no_room = Type::Variant(vec![("other".into(), Some(Type::U32))]);
        let error = CallError::new(Status::Trapped, "no");
        assert_eq!(Refusal::of(&returning(no_room)).results(&error), None);
    }

    #[test]
    fn a_case_called_like_the_status_is_preferred() {
        let error = |status| CallError::new(status, "x");
        let cases = ["other", "gone"].map(|name| (name.to_owned(), Some(Type::String)));
        let refusal = Refusal::of(&returning(Type::Variant(cases.to_vec())));
        let gone = refusal.results(&error(Status::Gone)).unwrap();
        assert_eq!(gone, b"\x01\x01\x07gone: x".as_slice());
        let lost = refusal.results(&error(Status::Lost)).unwrap();
        assert_eq!(lost, b"\x01\x00\x07lost: x".as_slice());
    }
}
