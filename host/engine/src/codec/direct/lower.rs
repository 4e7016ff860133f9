//! From wire bytes into a guest.

use std::any::Any;
use std::mem::MaybeUninit;
use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::__internal::{ComponentTypes, InterfaceType, LowerContext};
use wasmtime::component::{Lower as _, StreamReader};
use wasmtime::{AsContextMut as _, Result, ValRaw, bail};
use wasmtime_environ::component::StringEncoding;
use wicker_lattice::call::ByteStream;
use wicker_lattice::value::{Decode as _, Fault, Handle, Reader};

use super::lift::{case_payload, variant_info};
use super::lower_text;
use crate::codec::shape::FLAT_PARAMS_MAX;
use crate::codec::stream::Reading;
use crate::home::Home;
use crate::instance::Guest;
use crate::tokens::{Held, Tokens};

/// Core values that have not been written yet.
type Flat<'f> = std::slice::IterMut<'f, MaybeUninit<ValRaw>>;

/// One lowering under way.
pub(super) struct Lowerer<'x, 'cx, T: 'static> {
    cx: &'x mut LowerContext<'cx, T>,
    types: &'cx ComponentTypes,
    reader: Reader<'x>,
    streams: &'x mut [Option<ByteStream>],
    home: Option<&'x Arc<Home>>,
}

impl<'x, 'cx, T: 'static> Lowerer<'x, 'cx, T> {
    pub(super) fn new(
        cx: &'x mut LowerContext<'cx, T>,
        (bytes, home): (&'x Bytes, Option<&'x Arc<Home>>),
        streams: &'x mut [Option<ByteStream>],
    ) -> Result<Self> {
        let types = cx.types;
        Ok(Self { cx, types, reader: Reader::new(bytes)?, streams, home })
    }

    /// Checks that nothing is left over.
    pub(super) fn finish(self) -> Result<()> {
        if self.reader.streams() as usize != self.streams.len() {
            return Err(self.reader.error(Fault::StreamOrder).into());
        }
        Ok(self.reader.finish()?)
    }

    /// Lowers the tuple of all parameters or results: flat, or into memory of its own where it is too wide for that.
    pub(super) fn tuple(&mut self, ty: InterfaceType, dst: &mut Flat<'_>) -> Result<()> {
        let abi = self.types.canonical_abi(&ty);
        if abi.flat_count(FLAT_PARAMS_MAX).is_some() {
            return self.flat(ty, dst);
        }
        let pointer = self.allocate(abi.align32, abi.size32 as usize)?;
        self.memory(ty, pointer)?;
        put(dst, ValRaw::u64(u64::try_from(pointer)?))
    }

    /// Lowers a value that is passed flat.
    pub(super) fn flat(&mut self, ty: InterfaceType, dst: &mut Flat<'_>) -> Result<()> {
        let types = self.types;
        match ty {
            InterfaceType::String => {
                let (pointer, len) = self.string()?;
                put(dst, pointer)?;
                put(dst, len)
            }
            InterfaceType::List(list) => {
                let (pointer, len) = self.list(types[list].element)?;
                put(dst, ValRaw::u32(pointer))?;
                put(dst, ValRaw::u32(len))
            }
            InterfaceType::Record(record) => {
                types[record].fields.iter().try_for_each(|field| self.flat(field.ty, dst))
            }
            InterfaceType::Tuple(tuple) => {
                types[tuple].types.iter().try_for_each(|ty| self.flat(*ty, dst))
            }
            InterfaceType::Flags(flags) => {
                let bytes = self.reader.flags(types[flags].names.len())?;
                bytes.chunks(4).try_for_each(|chunk| {
                    let mut word = [0; 4];
                    word.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
                    put(dst, ValRaw::u32(u32::from_le_bytes(word)))
                })
            }
            InterfaceType::Variant(_)
            | InterfaceType::Option(_)
            | InterfaceType::Result(_)
            | InterfaceType::Enum(_) => self.flat_variant(ty, dst),
            _ => {
                let bits = self.scalar(ty)?;
                put(dst, ValRaw::u64(bits))
            }
        }
    }

    fn flat_variant(&mut self, ty: InterfaceType, dst: &mut Flat<'_>) -> Result<()> {
        let (case, payload) = self.case(ty)?;
        put(dst, ValRaw::u32(case))?;
        let all = self.flat_count(ty)?;
        let mut used = 1;
        if let Some(payload) = payload {
            self.flat(payload, dst)?;
            used += self.flat_count(payload)?;
        }
        // The other cases may be wider than this one.
        (used..all).try_for_each(|_| put(dst, ValRaw::u64(0)))
    }

    fn flat_count(&self, ty: InterfaceType) -> Result<usize> {
        let count = self.types.canonical_abi(&ty).flat_count(usize::MAX);
        count.ok_or_else(|| wasmtime::format_err!("a value that is too wide is passed flat"))
    }

    /// Lowers a value into memory at `offset`, where there is room for it.
    pub(super) fn memory(&mut self, ty: InterfaceType, offset: usize) -> Result<()> {
        let types = self.types;
        match ty {
            InterfaceType::String => {
                let (pointer, len) = self.string()?;
                self.write(offset, &pointer.get_u32().to_le_bytes())?;
                self.write(offset + 4, &len.get_u32().to_le_bytes())
            }
            InterfaceType::List(list) => {
                let (pointer, len) = self.list(types[list].element)?;
                self.write(offset, &pointer.to_le_bytes())?;
                self.write(offset + 4, &len.to_le_bytes())
            }
            InterfaceType::Record(record) => {
                self.fields(types[record].fields.iter().map(|field| field.ty), offset)
            }
            InterfaceType::Tuple(tuple) => self.fields(types[tuple].types.iter().copied(), offset),
            InterfaceType::Flags(flags) => {
                let bytes = self.reader.flags(types[flags].names.len())?;
                let mut padded = bytes.to_vec();
                padded.resize(types.canonical_abi(&ty).size32 as usize, 0);
                self.write(offset, &padded)
            }
            InterfaceType::Variant(_)
            | InterfaceType::Option(_)
            | InterfaceType::Result(_)
            | InterfaceType::Enum(_) => {
                let info = variant_info(types, ty)?;
                let (case, payload) = self.case(ty)?;
                let size = info.size.byte_size() as usize;
                self.write(offset, case.to_le_bytes().get(..size).unwrap_or_default())?;
                let Some(payload) = payload else { return Ok(()) };
                self.memory(payload, offset + info.payload_offset32 as usize)
            }
            _ => {
                let bits = self.scalar(ty)?.to_le_bytes();
                let size = types.canonical_abi(&ty).size32 as usize;
                self.write(offset, bits.get(..size).unwrap_or_default())
            }
        }
    }

    fn fields(
        &mut self,
        types: impl Iterator<Item = InterfaceType>,
        mut offset: usize,
    ) -> Result<()> {
        for ty in types {
            let at = self.types.canonical_abi(&ty).next_field32_size(&mut offset);
            self.memory(ty, at)?;
        }
        Ok(())
    }

    /// Reads the index of a case, and says what its payload is.
    fn case(&mut self, ty: InterfaceType) -> Result<(u32, Option<InterfaceType>)> {
        let case = self.reader.leb_u()?;
        let payload =
            usize::try_from(case).ok().and_then(|index| case_payload(self.types, ty, index));
        match payload {
            Some(payload) => Ok((u32::try_from(case)?, payload)),
            None => Err(self.reader.error(Fault::NoSuchCase(case)).into()),
        }
    }

    fn string(&mut self) -> Result<(ValRaw, ValRaw)> {
        let text = self.reader.str()?;
        if self.cx.options().string_encoding != StringEncoding::Utf8 {
            return lower_text(self.cx, text);
        }
        let pointer = self.allocate(1, text.len())?;
        self.write(pointer, text.as_bytes())?;
        Ok((ValRaw::u32(u32::try_from(pointer)?), ValRaw::u32(u32::try_from(text.len())?)))
    }

    fn list(&mut self, element: InterfaceType) -> Result<(u32, u32)> {
        let len = self.reader.list_len()?;
        let abi = self.types.canonical_abi(&element);
        let size = abi.size32 as usize;
        let Some(bytes) = len.checked_mul(size) else { bail!("list too large") };
        let pointer = self.allocate(abi.align32, bytes)?;
        match element {
            InterfaceType::U8 | InterfaceType::S8 => {
                let bytes = self.reader.take(len)?;
                self.write(pointer, bytes)?;
            }
            _ => {
                for index in 0..len {
                    self.memory(element, pointer + index * size)?;
                }
            }
        }
        Ok((u32::try_from(pointer)?, u32::try_from(len)?))
    }

    fn allocate(&mut self, align: u32, bytes: usize) -> Result<usize> {
        self.cx.realloc(0, 0, align, bytes)
    }

    fn write(&mut self, offset: usize, bytes: &[u8]) -> Result<()> {
        let memory = self.cx.as_slice_mut().get_mut(offset..);
        let Some(room) = memory.and_then(|rest| rest.get_mut(..bytes.len())) else {
            bail!("pointer out of bounds of memory");
        };
        room.copy_from_slice(bytes);
        Ok(())
    }

    /// Reads a value that is one core value: its bits, sign-extended to 32 and then zero-extended.
    fn scalar(&mut self, ty: InterfaceType) -> Result<u64> {
        let reader = &mut self.reader;
        let small = |signed: i32| u64::from(signed.cast_unsigned());
        Ok(match ty {
            InterfaceType::Bool => reader.bool()?.into(),
            InterfaceType::U8 => reader.u8()?.into(),
            InterfaceType::S8 => small(reader.u8()?.cast_signed().into()),
            InterfaceType::U16 => reader.uint::<u16>()?.into(),
            InterfaceType::S16 => small(reader.sint::<i16>()?.into()),
            InterfaceType::U32 => reader.uint::<u32>()?.into(),
            InterfaceType::S32 => small(reader.sint::<i32>()?),
            InterfaceType::U64 => reader.leb_u()?,
            InterfaceType::S64 => reader.leb_s()?.cast_unsigned(),
            InterfaceType::Float32 => reader.f32()?.to_bits().into(),
            InterfaceType::Float64 => reader.f64()?.to_bits(),
            InterfaceType::Char => u32::from(reader.char()?).into(),
            InterfaceType::Own(resource) => {
                let number = self.token(Tokens::insert)?;
                self.cx.guest_resource_lower_own(resource, number)?.into()
            }
            InterfaceType::Borrow(resource) => {
                let number = self.token(Tokens::lend)?;
                self.cx.guest_resource_lower_borrow(resource, number)?.into()
            }
            InterfaceType::Stream(_) => self.stream(ty)?,
            _ => bail!("a value of this type cannot cross a link"),
        })
    }

    /// Reads a handle and keeps its token for the guest.
    fn token(&mut self, keep: fn(&mut Tokens, Held) -> Result<u32>) -> Result<u32> {
        let held = Held::new(Handle::decode(&mut self.reader)?, self.home)?;
        let data: &mut dyn Any = self.cx.store.data_mut();
        match data.downcast_mut::<Guest>() {
            Some(guest) => keep(&mut guest.tokens, held),
            None => bail!("this store keeps no handles"),
        }
    }

    fn stream(&mut self, ty: InterfaceType) -> Result<u64> {
        let index = self.reader.stream()? as usize;
        let Some(stream) = self.streams.get_mut(index).and_then(Option::take) else {
            return Err(self.reader.error(Fault::StreamOrder).into());
        };
        let reader = StreamReader::<u8>::new(self.cx.store.as_context_mut(), Reading(stream))?;
        let mut index = MaybeUninit::new(ValRaw::u32(0));
        reader.linear_lower_to_flat(self.cx, ty, &mut index)?;
        Ok(super::core_value(index).get_u32().into())
    }
}

fn put(dst: &mut Flat<'_>, value: ValRaw) -> Result<()> {
    let Some(slot) = dst.next() else { bail!("the type has more core values than there is room") };
    slot.write(value);
    Ok(())
}
