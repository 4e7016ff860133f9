//! Between a guest's memory and wire bytes in one step, without a value tree in between.
//!
//! [`Lifted`] and [`Lowered`] stand for whole parameter or result tuples where wasmtime expects a typed one. Wasmtime
//! hands them the runtime type, so one walker ([`lift`], [`lower`]) serves every signature. What wasmtime must know at
//! compile time is how many core values a tuple comes to: that is `N`.
//!
//! All unsafe code of the codec is in this file. It leans on parts of wasmtime that are hidden from its documentation
//! and may change with any release.

#![expect(unsafe_code, reason = "wasmtime's traits for typed values are unsafe to implement")]

mod lift;
mod lower;

use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use wasmtime::component::__internal::{
    CanonicalAbiInfo, InstanceType, InterfaceType, LiftContext, LowerContext,
};
use wasmtime::component::{
    Accessor, ComponentNamedList, ComponentType, Func, Lift, Lower, StreamReader,
};
use wasmtime::{AsContextMut, Store, ValRaw};
use wicker_lattice::call::{ByteStream, VALUE_BYTES_MAX};
use wicker_lattice::value::Writer;

use self::lift::Lifter;
use self::lower::Lowerer;
use super::shape::FLAT_PARAMS_MAX;
use super::{Payload, Side, put_handle, stream, too_large};
use crate::home::{Home, Pin};
use crate::instance::Guest;

/// A tuple from a guest, encoded but for its handles. `N` core values, when it is passed flat.
#[derive(Debug)]
pub(crate) struct Lifted<const N: usize>(pub(crate) Value);

/// A tuple on its way into a guest. `N` core values, when it is passed flat; more than it has is fine for parameters
/// of exports, for which wasmtime always has room for sixteen. A tuple of more than that is passed by its address.
#[derive(Debug)]
pub(crate) struct Lowered<const N: usize> {
    bytes: Bytes,
    streams: Mutex<Vec<Option<ByteStream>>>,
    side: Side,
    /// Where the pinned handles in it came from.
    home: Option<Arc<Home>>,
}

/// An encoded tuple that lacks the tokens of its handles: a lift cannot reach the store's data, where they are.
#[derive(Default)]
pub(crate) struct Value {
    writer: Writer,
    handles: Vec<HandleAt>,
    streams: Vec<StreamReader<u8>>,
}

/// A handle that is missing in a [`Value`].
#[derive(Debug, Clone, Copy)]
struct HandleAt {
    offset: usize,
    number: u32,
    is_owned: bool,
}

impl std::fmt::Debug for Value {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Value").field("handles", &self.handles).finish_non_exhaustive()
    }
}

impl Value {
    /// Puts tokens in place of handles, and opens the streams to the outside. An owned handle leaves the guest.
    pub(crate) fn finish(
        self,
        mut store: impl AsContextMut<Data = Guest>,
    ) -> wasmtime::Result<Payload> {
        let mut streams = Vec::with_capacity(self.streams.len());
        let mut endings = Vec::with_capacity(self.streams.len());
        for reader in self.streams {
            let (stream, ending) = stream::from_guest(store.as_context_mut(), reader)?;
            streams.push(stream);
            endings.push(ending);
        }
        let (mut bytes, mut pin) = (self.writer.finish(), None);
        if !self.handles.is_empty() {
            let mut store = store.as_context_mut();
            bytes = insert_tokens(&bytes, &self.handles, store.data_mut(), &mut pin)?;
        }
        if bytes.len() > VALUE_BYTES_MAX {
            return Err(too_large(bytes.len()));
        }
        Ok(Payload { bytes, streams, endings, pin, home: None })
    }
}

fn insert_tokens(
    bytes: &[u8],
    handles: &[HandleAt],
    guest: &mut Guest,
    pin: &mut Option<Pin>,
) -> wasmtime::Result<Bytes> {
    let mut out = Writer::with_capacity(bytes.len() + handles.len() * 32);
    let mut done = 0;
    for handle in handles {
        let token = if handle.is_owned {
            guest.tokens.remove(handle.number)?
        } else {
            guest.tokens.get(handle.number)?
        };
        out.put_slice(bytes.get(done..handle.offset).unwrap_or_default());
        put_handle(token, &mut out, pin)?;
        done = handle.offset;
    }
    out.put_slice(bytes.get(done..).unwrap_or_default());
    Ok(out.finish())
}

impl<const N: usize> Lowered<N> {
    pub(crate) fn new(payload: Payload, side: Side) -> Self {
        let streams = payload.streams.into_iter().map(Some).collect();
        let Payload { bytes, home, .. } = payload;
        Self { bytes, streams: Mutex::new(streams), side, home }
    }

    fn lower<T: 'static>(
        &self,
        cx: &mut LowerContext<'_, T>,
        walk: impl FnOnce(&mut Lowerer<'_, '_, T>) -> wasmtime::Result<()>,
    ) -> wasmtime::Result<()> {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lowerer = Lowerer::new(cx, (&self.bytes, self.home.as_ref()), &mut streams)?;
        walk(&mut lowerer).and_then(|()| lowerer.finish()).map_err(|error| self.side.blame(error))
    }
}

/// Calls an export whose results come to `results_flat` core values.
pub(crate) async fn call(
    store: &mut Store<Guest>,
    function: Func,
    results_flat: usize,
    params: Payload,
) -> wasmtime::Result<Payload> {
    macro_rules! by_count {
        ($($count:literal)*) => {
            match results_flat {
                $($count => call_typed::<$count>(store, function, params).await,)*
                _ => call_typed::<17>(store, function, params).await,
            }
        };
    }
    by_count!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

async fn call_typed<const M: usize>(
    store: &mut Store<Guest>,
    function: Func,
    params: Payload,
) -> wasmtime::Result<Payload> {
    let function = function.typed::<Lowered<FLAT_PARAMS_MAX>, Lifted<M>>(&*store)?;
    let params = Lowered::new(params, Side::Params);
    let Lifted(value) = function.call_async(&mut *store, params).await?;
    value.finish(store)
}

/// Calls an export while its store runs other tasks too, which streams need in order to move.
pub(crate) async fn call_concurrent(
    accessor: &Accessor<Guest>,
    function: Func,
    results_flat: usize,
    params: Payload,
) -> wasmtime::Result<Payload> {
    macro_rules! by_count {
        ($($count:literal)*) => {
            match results_flat {
                $($count => call_concurrent_typed::<$count>(accessor, function, params).await,)*
                _ => call_concurrent_typed::<17>(accessor, function, params).await,
            }
        };
    }
    by_count!(0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16)
}

async fn call_concurrent_typed<const M: usize>(
    accessor: &Accessor<Guest>,
    function: Func,
    params: Payload,
) -> wasmtime::Result<Payload> {
    let typed = |access: wasmtime::component::Access<'_, Guest>| {
        function.typed::<Lowered<FLAT_PARAMS_MAX>, Lifted<M>>(access)
    };
    let function = accessor.with(typed)?;
    let params = Lowered::new(params, Side::Params);
    let Lifted(value) = function.call_concurrent(accessor, params).await?;
    accessor.with(|access| value.finish(access))
}

/// What wasmtime must know of a tuple of `flat` core values. Sizes in memory it takes from the runtime type; that ours
/// is 0 makes it hand over an empty slice at the right place, see `linear_lift_from_memory` below.
const fn abi(flat: usize) -> CanonicalAbiInfo {
    assert!(flat <= FLAT_PARAMS_MAX + 1);
    #[expect(clippy::cast_possible_truncation, reason = "17 at most")]
    let flat_count = Some(flat as u8);
    CanonicalAbiInfo { size32: 0, align32: 1, size64: 0, align64: 1, flat_count }
}

fn is_tuple(ty: &InterfaceType) -> wasmtime::Result<()> {
    match ty {
        InterfaceType::Tuple(_) => Ok(()),
        _ => wasmtime::bail!("expected the tuple of all parameters or results"),
    }
}

// SAFETY: `Lower` is `N` adjacent `ValRaw`s and nothing else. The callers choose `N` by the function's own type
// (`Shape`), so that it is what wasmtime passes flat; every access to memory is bounds-checked against the runtime type.
unsafe impl<const N: usize> ComponentType for Lifted<N> {
    type Lower = [ValRaw; N];
    const ABI: CanonicalAbiInfo = abi(N);

    fn typecheck(ty: &InterfaceType, _types: &InstanceType<'_>) -> wasmtime::Result<()> {
        is_tuple(ty)
    }
}

// SAFETY: `typecheck` accepts what the walker handles: the tuple of all parameters or results, whatever is in it.
unsafe impl<const N: usize> ComponentNamedList for Lifted<N> {}

// SAFETY: reads `src`, and memory inside its bounds only.
unsafe impl<const N: usize> Lift for Lifted<N> {
    fn linear_lift_from_flat(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        src: &[ValRaw; N],
    ) -> wasmtime::Result<Self> {
        let mut lifter = Lifter::new(cx);
        lifter.flat(ty, &mut src.iter())?;
        Ok(Self(lifter.finish()))
    }

    fn linear_lift_from_memory(
        cx: &mut LiftContext<'_>,
        ty: InterfaceType,
        bytes: &[u8],
    ) -> wasmtime::Result<Self> {
        let offset = bytes.as_ptr().addr().checked_sub(cx.memory().as_ptr().addr());
        let mut lifter = Lifter::new(cx);
        lifter.memory_at(ty, offset.unwrap_or(usize::MAX))?;
        Ok(Self(lifter.finish()))
    }
}

// SAFETY: as for `Lifted`.
unsafe impl<const N: usize> ComponentType for Lowered<N> {
    type Lower = [ValRaw; N];
    const ABI: CanonicalAbiInfo = abi(N);

    fn typecheck(ty: &InterfaceType, _types: &InstanceType<'_>) -> wasmtime::Result<()> {
        is_tuple(ty)
    }
}

// SAFETY: as for `Lifted`.
unsafe impl<const N: usize> ComponentNamedList for Lowered<N> {}

// SAFETY: the walker writes every core value that the runtime type has, in order, or fails; wasmtime's trampolines
// read no more than those. Memory is written inside its bounds only.
unsafe impl<const N: usize> Lower for Lowered<N> {
    fn linear_lower_to_flat<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        dst: &mut MaybeUninit<[ValRaw; N]>,
    ) -> wasmtime::Result<()> {
        // SAFETY: an array of uninitialised values is laid out like an uninitialised array.
        let dst = unsafe { &mut *std::ptr::from_mut(dst).cast::<[MaybeUninit<ValRaw>; N]>() };
        self.lower(cx, |lowerer| lowerer.tuple(ty, &mut dst.iter_mut()))
    }

    fn linear_lower_to_memory<T>(
        &self,
        cx: &mut LowerContext<'_, T>,
        ty: InterfaceType,
        offset: usize,
    ) -> wasmtime::Result<()> {
        self.lower(cx, |lowerer| lowerer.memory(ty, offset))
    }
}

/// Lowers text into a guest whose strings are not UTF-8: pointer and length, as it wants them.
fn lower_text<T: 'static>(
    cx: &mut LowerContext<'_, T>,
    text: &str,
) -> wasmtime::Result<(ValRaw, ValRaw)> {
    let mut flat = MaybeUninit::<[ValRaw; 2]>::uninit();
    text.linear_lower_to_flat(cx, InterfaceType::String, &mut flat)?;
    // SAFETY: `Lower` promises that both values are there when it succeeds.
    let [pointer, length] = unsafe { flat.assume_init() };
    Ok((pointer, length))
}

/// A core value that was initialized before wasmtime lowered something into it.
fn core_value(value: MaybeUninit<ValRaw>) -> ValRaw {
    // SAFETY: the only caller makes it of a `ValRaw`.
    unsafe { value.assume_init() }
}
