//! From a guest to wire bytes.

use wasmtime::component::__internal::{ComponentTypes, InterfaceType, LiftContext};
use wasmtime::component::{Lift as _, StreamReader};
use wasmtime::{Result, ValRaw, bail};
use wasmtime_environ::component::{StringEncoding, VariantInfo};

use super::{HandleAt, Value};

/// Core values that have not been read yet.
type Flat<'f> = std::slice::Iter<'f, ValRaw>;

/// One lift under way.
pub(super) struct Lifter<'x, 'cx> {
    cx: &'x mut LiftContext<'cx>,
    types: &'cx ComponentTypes,
    value: Value,
}

impl<'x, 'cx> Lifter<'x, 'cx> {
    pub(super) fn new(cx: &'x mut LiftContext<'cx>) -> Self {
        let types = cx.types;
        Self { cx, types, value: Value::default() }
    }

    pub(super) fn finish(self) -> Value {
        self.value
    }

    /// Lifts a value that is passed flat.
    pub(super) fn flat(&mut self, ty: InterfaceType, src: &mut Flat<'_>) -> Result<()> {
        let types = self.types;
        match ty {
            InterfaceType::String => {
                let (pointer, len) = (next(src)?.get_u32(), next(src)?.get_u32());
                self.string(pointer, len)
            }
            InterfaceType::List(list) => {
                let (pointer, len) = (next(src)?.get_u32(), next(src)?.get_u32());
                self.list(types[list].element, pointer, len)
            }
            InterfaceType::Record(record) => {
                types[record].fields.iter().try_for_each(|field| self.flat(field.ty, src))
            }
            InterfaceType::Tuple(tuple) => {
                types[tuple].types.iter().try_for_each(|ty| self.flat(*ty, src))
            }
            InterfaceType::Flags(flags) => {
                let count = types[flags].names.len();
                let words: Vec<[u8; 4]> = (0..count.div_ceil(32))
                    .map(|_| next(src).map(|raw| raw.get_u32().to_le_bytes()))
                    .collect::<Result<_>>()?;
                self.flags(count, words.as_flattened());
                Ok(())
            }
            InterfaceType::Variant(_)
            | InterfaceType::Option(_)
            | InterfaceType::Result(_)
            | InterfaceType::Enum(_) => self.flat_variant(ty, src),
            InterfaceType::U64 | InterfaceType::S64 | InterfaceType::Float64 => {
                self.scalar(ty, next(src)?.get_u64())
            }
            _ => self.scalar(ty, next(src)?.get_u32().into()),
        }
    }

    fn flat_variant(&mut self, ty: InterfaceType, src: &mut Flat<'_>) -> Result<()> {
        let case = next(src)?.get_u32();
        let payload = self.case(ty, case)?;
        let all = self.flat_count(ty)?;
        let mut used = 1;
        if let Some(payload) = payload {
            self.flat(payload, src)?;
            used += self.flat_count(payload)?;
        }
        // The other cases may be wider than this one.
        (used..all).try_for_each(|_| next(src).map(|_| ()))
    }

    fn flat_count(&self, ty: InterfaceType) -> Result<usize> {
        let count = self.types.canonical_abi(&ty).flat_count(usize::MAX);
        count.ok_or_else(|| wasmtime::format_err!("a value that is too wide was passed flat"))
    }

    /// Lifts the value at `offset` of the guest's memory.
    pub(super) fn memory_at(&mut self, ty: InterfaceType, offset: usize) -> Result<()> {
        let abi = self.types.canonical_abi(&ty);
        if !offset.is_multiple_of(abi.align32 as usize) {
            bail!("pointer not aligned");
        }
        let bytes = self.slice(offset, abi.size32 as usize)?;
        self.memory(ty, bytes)
    }

    /// Lifts a value that lies in memory: `bytes`, exactly as many as its type takes.
    fn memory(&mut self, ty: InterfaceType, bytes: &[u8]) -> Result<()> {
        let types = self.types;
        match ty {
            InterfaceType::String => self.string(word(bytes, 0)?, word(bytes, 4)?),
            InterfaceType::List(list) => {
                self.list(types[list].element, word(bytes, 0)?, word(bytes, 4)?)
            }
            InterfaceType::Record(record) => {
                self.fields(types[record].fields.iter().map(|field| field.ty), bytes)
            }
            InterfaceType::Tuple(tuple) => self.fields(types[tuple].types.iter().copied(), bytes),
            InterfaceType::Flags(flags) => {
                self.flags(types[flags].names.len(), bytes);
                Ok(())
            }
            InterfaceType::Variant(_)
            | InterfaceType::Option(_)
            | InterfaceType::Result(_)
            | InterfaceType::Enum(_) => {
                let info = variant_info(types, ty)?;
                let case = number(part(bytes, 0, info.size.byte_size() as usize)?)?;
                let payload = self.case(ty, u32::try_from(case)?)?;
                let Some(payload) = payload else { return Ok(()) };
                let size = types.canonical_abi(&payload).size32 as usize;
                self.memory(payload, part(bytes, info.payload_offset32 as usize, size)?)
            }
            _ => self.scalar(ty, number(bytes)?),
        }
    }

    fn fields(&mut self, types: impl Iterator<Item = InterfaceType>, bytes: &[u8]) -> Result<()> {
        let mut end = 0;
        for ty in types {
            let abi = self.types.canonical_abi(&ty);
            let at = abi.next_field32_size(&mut end);
            self.memory(ty, part(bytes, at, abi.size32 as usize)?)?;
        }
        Ok(())
    }

    /// Writes the index of a case, and says what its payload is.
    fn case(&mut self, ty: InterfaceType, case: u32) -> Result<Option<InterfaceType>> {
        let payload = case_payload(self.types, ty, case as usize);
        let Some(payload) = payload else { bail!("there is no case {case}") };
        self.value.writer.leb_u(case.into());
        Ok(payload)
    }

    fn flags(&mut self, count: usize, bytes: &[u8]) {
        let used = bytes.get(..count.div_ceil(8)).unwrap_or(bytes);
        let Some((last, whole)) = used.split_last() else { return };
        self.value.writer.put_slice(whole);
        // A guest may leave bits set that stand for no flag.
        let mask = if count.is_multiple_of(8) { 0xff } else { (1_u8 << (count % 8)) - 1 };
        self.value.writer.put_u8(last & mask);
    }

    fn string(&mut self, pointer: u32, len: u32) -> Result<()> {
        if self.cx.options().string_encoding != StringEncoding::Utf8 {
            let flat = [ValRaw::u32(pointer), ValRaw::u32(len)];
            let text = String::linear_lift_from_flat(self.cx, InterfaceType::String, &flat)?;
            self.value.writer.put_str(&text);
            return Ok(());
        }
        self.cx.consume_fuel(len as usize)?;
        let bytes = self.slice(pointer as usize, len as usize)?;
        self.value.writer.put_str(std::str::from_utf8(bytes)?);
        Ok(())
    }

    fn list(&mut self, element: InterfaceType, pointer: u32, len: u32) -> Result<()> {
        let abi = self.types.canonical_abi(&element);
        let (size, len) = (abi.size32 as usize, len as usize);
        self.cx.consume_fuel_array(len, size)?;
        if !pointer.is_multiple_of(abi.align32) {
            bail!("list not aligned");
        }
        let Some(bytes) = len.checked_mul(size) else { bail!("list out of bounds") };
        let bytes = self.slice(pointer as usize, bytes)?;
        self.value.writer.put_len(len);
        match element {
            InterfaceType::U8 | InterfaceType::S8 => {
                self.value.writer.put_slice(bytes);
                Ok(())
            }
            _ => bytes.chunks_exact(size).try_for_each(|each| self.memory(element, each)),
        }
    }

    /// Writes a value that is one core value; `bits` holds it in its lowest bits, what is above means nothing.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "what is above the value's own bits means nothing"
    )]
    fn scalar(&mut self, ty: InterfaceType, bits: u64) -> Result<()> {
        let out = &mut self.value.writer;
        match ty {
            InterfaceType::Bool => out.put_u8(u8::from(bits as u32 != 0)),
            InterfaceType::U8 | InterfaceType::S8 => out.put_u8(bits as u8),
            InterfaceType::U16 => out.leb_u((bits as u16).into()),
            InterfaceType::U32 => out.leb_u((bits as u32).into()),
            InterfaceType::U64 => out.leb_u(bits),
            InterfaceType::S16 => out.leb_s((bits as u16).cast_signed().into()),
            InterfaceType::S32 => out.leb_s((bits as u32).cast_signed().into()),
            InterfaceType::S64 => out.leb_s(bits.cast_signed()),
            InterfaceType::Float32 => out.put_f32(f32::from_bits(bits as u32)),
            InterfaceType::Float64 => out.put_f64(f64::from_bits(bits)),
            InterfaceType::Char => match char::from_u32(bits as u32) {
                Some(c) => out.put_char(c),
                None => bail!("{bits:#x} is no char"),
            },
            InterfaceType::Own(resource) => {
                let (number, ..) = self.cx.guest_resource_lift_own(resource, bits as u32)?;
                let offset = self.value.writer.len();
                self.value.handles.push(HandleAt { offset, number, is_owned: true });
            }
            InterfaceType::Borrow(resource) => {
                let number = self.cx.guest_resource_lift_borrow(resource, bits as u32)?;
                let offset = self.value.writer.len();
                self.value.handles.push(HandleAt { offset, number, is_owned: false });
            }
            InterfaceType::Stream(_) => {
                let index = ValRaw::u32(bits as u32);
                let stream = StreamReader::linear_lift_from_flat(self.cx, ty, &index)?;
                self.value.writer.put_stream();
                self.value.streams.push(stream);
            }
            _ => bail!("a value of this type cannot cross a link"),
        }
        Ok(())
    }

    fn slice(&self, offset: usize, len: usize) -> Result<&'cx [u8]> {
        let memory: &'cx [u8] = self.cx.memory();
        let slice = memory.get(offset..).and_then(|rest| rest.get(..len));
        slice.ok_or_else(|| wasmtime::format_err!("pointer out of bounds of memory"))
    }
}

/// What the payload of case number `case` is; `None` if there is no such case.
pub(super) fn case_payload(
    types: &ComponentTypes,
    ty: InterfaceType,
    case: usize,
) -> Option<Option<InterfaceType>> {
    match (ty, case) {
        (InterfaceType::Variant(variant), _) => {
            types[variant].cases.get_index(case).map(|(_, payload)| *payload)
        }
        (InterfaceType::Enum(names), _) => (case < types[names].names.len()).then_some(None),
        (InterfaceType::Option(_), 0) => Some(None),
        (InterfaceType::Option(option), 1) => Some(Some(types[option].ty)),
        (InterfaceType::Result(result), 0) => Some(types[result].ok),
        (InterfaceType::Result(result), 1) => Some(types[result].err),
        _ => None,
    }
}

/// Where a variant's case and payload lie in memory.
pub(super) fn variant_info(types: &ComponentTypes, ty: InterfaceType) -> Result<&VariantInfo> {
    match ty {
        InterfaceType::Variant(variant) => Ok(&types[variant].info),
        InterfaceType::Enum(names) => Ok(&types[names].info),
        InterfaceType::Option(option) => Ok(&types[option].info),
        InterfaceType::Result(result) => Ok(&types[result].info),
        _ => bail!("expected a type with cases"),
    }
}

fn next<'f>(src: &mut Flat<'f>) -> Result<&'f ValRaw> {
    src.next().ok_or_else(|| wasmtime::format_err!("fewer core values than the type has"))
}

fn part(bytes: &[u8], at: usize, len: usize) -> Result<&[u8]> {
    let part = bytes.get(at..).and_then(|rest| rest.get(..len));
    part.ok_or_else(|| wasmtime::format_err!("a value is smaller than its type"))
}

fn word(bytes: &[u8], at: usize) -> Result<u32> {
    Ok(u32::try_from(number(part(bytes, at, 4)?)?)?)
}

/// A little-endian number of one, two, four or eight bytes.
fn number(bytes: &[u8]) -> Result<u64> {
    match *bytes {
        [a] => Ok(a.into()),
        [a, b] => Ok(u16::from_le_bytes([a, b]).into()),
        [a, b, c, d] => Ok(u32::from_le_bytes([a, b, c, d]).into()),
        [a, b, c, d, e, f, g, h] => Ok(u64::from_le_bytes([a, b, c, d, e, f, g, h])),
        _ => bail!("expected a number"),
    }
}
