//! Between a guest and the wire by way of wasmtime's dynamic values, along the lattice's own types.

use std::collections::HashMap;
use std::sync::Arc;

use wasmtime::component::{Accessor, Func, ResourceDynamic, StreamAny, StreamReader, Val};
use wasmtime::{AsContextMut as _, Result, Store, StoreContextMut, bail};
use wicker_lattice::call::{ByteStream, VALUE_BYTES_MAX};
use wicker_lattice::interface::InterfaceKey;
use wicker_lattice::types::{FunctionType, Type};
use wicker_lattice::value::{Decode as _, Fault, Handle, Reader, Writer};

use super::stream::{self, Ending, Reading};
use super::{Payload, Side, put_handle, too_large};
use crate::home::{Home, Pin};
use crate::instance::Guest;
use crate::tokens::{Held, Tokens};

/// The numbers under which wasmtime knows resources behind links, by the interface that defines them.
pub(crate) type Numbers = HashMap<(InterfaceKey, String), u32>;

/// Calls an export of type `ty`.
pub(crate) async fn call(
    store: &mut Store<Guest>,
    function: Func,
    (ty, numbers): (&FunctionType, &Numbers),
    params: Payload,
) -> Result<Payload> {
    let params = decode_params(store.as_context_mut(), (ty, numbers), params)?;
    let mut results = placeholders(ty);
    function.call_async(&mut *store, &params, &mut results).await?;
    encode(store.as_context_mut(), ty.result.iter(), &results)
}

/// Calls an export while its store runs other tasks too, which streams need in order to move.
pub(crate) async fn call_concurrent(
    accessor: &Accessor<Guest>,
    function: Func,
    types: (&FunctionType, &Numbers),
    params: Payload,
) -> Result<Payload> {
    let params =
        accessor.with(|mut access| decode_params(access.as_context_mut(), types, params))?;
    let (ty, _) = types;
    let mut results = placeholders(ty);
    function.call_concurrent(accessor, &params, &mut results).await?;
    accessor.with(|mut access| encode(access.as_context_mut(), ty.result.iter(), &results))
}

fn decode_params(
    store: StoreContextMut<'_, Guest>,
    (ty, numbers): (&FunctionType, &Numbers),
    params: Payload,
) -> Result<Vec<Val>> {
    let types = ty.params.iter().map(|(_, ty)| ty);
    decode(store, numbers, types, params).map_err(|error| Side::Params.blame(error))
}

fn placeholders(ty: &FunctionType) -> Vec<Val> {
    ty.result.iter().map(|_| Val::Bool(false)).collect()
}

/// Encodes `values` as one tuple.
pub(crate) fn encode<'t>(
    store: StoreContextMut<'_, Guest>,
    types: impl Iterator<Item = &'t Type>,
    values: &[Val],
) -> Result<Payload> {
    let mut encoder =
        Encoder { store, out: Writer::new(), streams: Vec::new(), endings: Vec::new(), pin: None };
    for (ty, value) in types.zip(values) {
        encoder.put(ty, value)?;
    }
    let Encoder { out, streams, endings, pin, .. } = encoder;
    let bytes = out.finish();
    if bytes.len() > VALUE_BYTES_MAX {
        return Err(too_large(bytes.len()));
    }
    Ok(Payload { bytes, streams, endings, pin, home: None })
}

/// Reads the tuple `payload`.
pub(crate) fn decode<'t>(
    store: StoreContextMut<'_, Guest>,
    numbers: &Numbers,
    types: impl Iterator<Item = &'t Type>,
    payload: Payload,
) -> Result<Vec<Val>> {
    let Payload { bytes, streams, home, .. } = payload;
    let streams = streams.into_iter().map(Some).collect();
    let mut decoder = Decoder { store, numbers, reader: Reader::new(&bytes)?, streams, home };
    let values = types.map(|ty| decoder.take(ty)).collect::<Result<Vec<_>>>()?;
    let Decoder { reader, streams, .. } = decoder;
    if reader.streams() as usize != streams.len() {
        return Err(reader.error(Fault::StreamOrder).into());
    }
    reader.finish()?;
    Ok(values)
}

struct Encoder<'a> {
    store: StoreContextMut<'a, Guest>,
    out: Writer,
    streams: Vec<ByteStream>,
    endings: Vec<Ending>,
    pin: Option<Pin>,
}

impl Encoder<'_> {
    fn put(&mut self, ty: &Type, value: &Val) -> Result<()> {
        match (ty, value) {
            (Type::String, Val::String(text)) => self.out.put_str(text),
            (Type::List(element), Val::List(values)) => {
                self.out.put_len(values.len());
                return values.iter().try_for_each(|value| self.put(element, value));
            }
            (Type::Record(fields), Val::Record(values)) => {
                let mut pairs = fields.iter().zip(values);
                return pairs.try_for_each(|((_, ty), (_, value))| self.put(ty, value));
            }
            (Type::Tuple(types), Val::Tuple(values)) => {
                return types.iter().zip(values).try_for_each(|(ty, value)| self.put(ty, value));
            }
            (Type::Variant(cases), Val::Variant(name, value)) => {
                let case = position(cases.iter().map(|(name, _)| name), name)?;
                let payload = cases.get(case).and_then(|(_, ty)| ty.as_ref());
                return self.case(case, payload, value.as_deref());
            }
            (Type::Enum(names), Val::Enum(name)) => {
                self.out.leb_u(position(names.iter(), name)? as u64);
            }
            (Type::Option(some), Val::Option(value)) => {
                return self.case(value.is_some().into(), Some(some), value.as_deref());
            }
            (Type::Result { ok, .. }, Val::Result(Ok(value))) => {
                return self.case(0, ok.as_deref(), value.as_deref());
            }
            (Type::Result { err, .. }, Val::Result(Err(value))) => {
                return self.case(1, err.as_deref(), value.as_deref());
            }
            (Type::Flags(names), Val::Flags(set)) => {
                let mut bytes = vec![0_u8; names.len().div_ceil(8)];
                for name in set {
                    let bit = position(names.iter(), name)?;
                    if let Some(byte) = bytes.get_mut(bit / 8) {
                        *byte |= 1 << (bit % 8);
                    }
                }
                self.out.put_slice(&bytes);
            }
            (Type::Own(..) | Type::Borrow(..), Val::Resource(resource)) => {
                let resource = ResourceDynamic::try_from_resource_any(*resource, &mut self.store)?;
                let tokens = &mut self.store.data_mut().tokens;
                let token = match ty {
                    Type::Own(..) => tokens.remove(resource.rep())?,
                    _ => tokens.get(resource.rep())?,
                };
                put_handle(token, &mut self.out, &mut self.pin)?;
            }
            (Type::Stream(_), Val::Stream(stream)) => {
                let reader = stream.clone().try_into_stream_reader()?;
                let (stream, ending) = stream::from_guest(&mut self.store, reader)?;
                self.out.put_stream();
                self.streams.push(stream);
                self.endings.push(ending);
            }
            _ => return self.scalar(ty, value),
        }
        Ok(())
    }

    fn case(&mut self, case: usize, ty: Option<&Type>, value: Option<&Val>) -> Result<()> {
        self.out.leb_u(case as u64);
        match (ty, value) {
            (Some(ty), Some(value)) => self.put(ty, value),
            _ => Ok(()),
        }
    }

    fn scalar(&mut self, ty: &Type, value: &Val) -> Result<()> {
        let out = &mut self.out;
        match (ty, value) {
            (Type::Bool, Val::Bool(value)) => out.put_u8((*value).into()),
            (Type::U8, Val::U8(value)) => out.put_u8(*value),
            (Type::S8, Val::S8(value)) => out.put_u8(value.cast_unsigned()),
            (Type::U16, Val::U16(value)) => out.leb_u((*value).into()),
            (Type::U32, Val::U32(value)) => out.leb_u((*value).into()),
            (Type::U64, Val::U64(value)) => out.leb_u(*value),
            (Type::S16, Val::S16(value)) => out.leb_s((*value).into()),
            (Type::S32, Val::S32(value)) => out.leb_s((*value).into()),
            (Type::S64, Val::S64(value)) => out.leb_s(*value),
            (Type::F32, Val::Float32(value)) => out.put_f32(*value),
            (Type::F64, Val::Float64(value)) => out.put_f64(*value),
            (Type::Char, Val::Char(value)) => out.put_char(*value),
            _ => bail!("expected a value of type `{ty}`"),
        }
        Ok(())
    }
}

struct Decoder<'a, 'b> {
    store: StoreContextMut<'a, Guest>,
    numbers: &'a Numbers,
    reader: Reader<'b>,
    streams: Vec<Option<ByteStream>>,
    home: Option<Arc<Home>>,
}

impl Decoder<'_, '_> {
    fn take(&mut self, ty: &Type) -> Result<Val> {
        Ok(match ty {
            Type::Bool => Val::Bool(self.reader.bool()?),
            Type::U8 => Val::U8(self.reader.u8()?),
            Type::S8 => Val::S8(self.reader.u8()?.cast_signed()),
            Type::U16 => Val::U16(self.reader.uint()?),
            Type::U32 => Val::U32(self.reader.uint()?),
            Type::U64 => Val::U64(self.reader.leb_u()?),
            Type::S16 => Val::S16(self.reader.sint()?),
            Type::S32 => Val::S32(self.reader.sint()?),
            Type::S64 => Val::S64(self.reader.leb_s()?),
            Type::F32 => Val::Float32(self.reader.f32()?),
            Type::F64 => Val::Float64(self.reader.f64()?),
            Type::Char => Val::Char(self.reader.char()?),
            Type::String => Val::String(self.reader.str()?.to_owned()),
            Type::List(element) => {
                let len = self.reader.list_len()?;
                Val::List((0..len).map(|_| self.take(element)).collect::<Result<_>>()?)
            }
            Type::Record(fields) => {
                let fields = fields.iter().map(|(name, ty)| Ok((name.clone(), self.take(ty)?)));
                Val::Record(fields.collect::<Result<_>>()?)
            }
            Type::Tuple(types) => {
                Val::Tuple(types.iter().map(|ty| self.take(ty)).collect::<Result<_>>()?)
            }
            Type::Variant(cases) => {
                let case = self.reader.case(cases.len())?;
                let Some((name, ty)) = cases.get(case) else { bail!("there is no case {case}") };
                Val::Variant(name.clone(), self.payload(ty.as_ref())?)
            }
            Type::Enum(names) => {
                let case = self.reader.case(names.len())?;
                Val::Enum(names.get(case).cloned().unwrap_or_default())
            }
            Type::Option(some) => match self.reader.bool()? {
                true => Val::Option(self.payload(Some(some))?),
                false => Val::Option(None),
            },
            Type::Result { ok, err } => Val::Result(match self.reader.bool()? {
                false => Ok(self.payload(ok.as_deref())?),
                true => Err(self.payload(err.as_deref())?),
            }),
            Type::Flags(names) => Val::Flags(self.flags(names)?),
            Type::Own(interface, name) | Type::Borrow(interface, name) => {
                let keep = if matches!(ty, Type::Own(..)) { Tokens::insert } else { Tokens::lend };
                self.resource((interface.clone(), name.clone()), keep)?
            }
            Type::Stream(_) => self.stream()?,
            Type::Future(_) => bail!("a `future` cannot cross a link"),
        })
    }

    fn payload(&mut self, ty: Option<&Type>) -> Result<Option<Box<Val>>> {
        ty.map(|ty| self.take(ty).map(Box::new)).transpose()
    }

    fn flags(&mut self, names: &[String]) -> Result<Vec<String>> {
        let bytes = self.reader.flags(names.len())?;
        let is_set = |bit: usize| bytes.get(bit / 8).is_some_and(|byte| byte >> (bit % 8) & 1 == 1);
        let set = names.iter().enumerate().filter(|(bit, _)| is_set(*bit));
        Ok(set.map(|(_, name)| name.clone()).collect())
    }

    fn resource(
        &mut self,
        resource: (InterfaceKey, String),
        keep: fn(&mut Tokens, Held) -> Result<u32>,
    ) -> Result<Val> {
        let Some(ty) = self.numbers.get(&resource) else {
            bail!("resource `{}` of {} is behind no link", resource.1, resource.0);
        };
        let held = Held::new(Handle::decode(&mut self.reader)?, self.home.as_ref())?;
        let number = keep(&mut self.store.data_mut().tokens, held)?;
        let resource = ResourceDynamic::new_own(number, *ty);
        Ok(Val::Resource(resource.try_into_resource_any(&mut self.store)?))
    }

    fn stream(&mut self) -> Result<Val> {
        let index = self.reader.stream()? as usize;
        let Some(stream) = self.streams.get_mut(index).and_then(Option::take) else {
            return Err(self.reader.error(Fault::StreamOrder).into());
        };
        let reader = StreamReader::<u8>::new(&mut self.store, Reading(stream))?;
        Ok(Val::Stream(StreamAny::try_from_stream_reader(&mut self.store, reader)?))
    }
}

fn position<'a>(mut names: impl Iterator<Item = &'a String>, name: &str) -> Result<usize> {
    let position = names.position(|known| known == name);
    position.ok_or_else(|| wasmtime::format_err!("there is no case or flag `{name}`"))
}
