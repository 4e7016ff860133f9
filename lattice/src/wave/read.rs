//! Bytes to WAVE's values.

use wasm_wave::value::Value;
use wasm_wave::wasm::{WasmType as _, WasmValue as _, WasmValueError};

use super::{Type, WaveError, WaveType};
use crate::value::{Decode as _, DecodeError, Fault, Handle, Reader};

/// Takes a value of type `ty`, which is `wave` in WAVE, from the front.
pub(super) fn value(
    reader: &mut Reader<'_>,
    ty: &Type,
    wave: &WaveType,
) -> Result<Value, WaveError> {
    Ok(match ty {
        Type::Bool => Value::make_bool(reader.bool()?),
        Type::U8 => Value::make_u8(reader.u8()?),
        Type::U16 => Value::make_u16(reader.uint()?),
        Type::U32 => Value::make_u32(reader.uint()?),
        Type::U64 => Value::make_u64(reader.leb_u()?),
        Type::S8 => Value::make_s8(reader.u8()?.cast_signed()),
        Type::S16 => Value::make_s16(reader.sint()?),
        Type::S32 => Value::make_s32(reader.sint()?),
        Type::S64 => Value::make_s64(reader.leb_s()?),
        Type::F32 => Value::make_f32(reader.f32()?),
        Type::F64 => Value::make_f64(reader.f64()?),
        Type::Char => Value::make_char(reader.char()?),
        Type::String => Value::make_string(reader.str()?.into()),
        Type::Own(..) | Type::Borrow(..) => {
            let Handle::Stateless(token) = Handle::decode(reader)? else {
                return Err(WaveError::NoText("pinned handle".to_owned()));
            };
            let text = std::str::from_utf8(&token).map_err(|_| reader.error(Fault::NotUtf8))?;
            Value::make_string(text.into())
        }
        _ => reader.nested(|reader| nested(reader, ty, wave))?,
    })
}

/// The kinds that hold other values. `wave` was made from `ty`, so what it lacks is not there.
fn nested(reader: &mut Reader<'_>, ty: &Type, wave: &WaveType) -> Result<Value, WaveError> {
    let value = match ty {
        Type::List(element) => {
            let inner = wave.list_element_type().ok_or_else(|| no_text(ty))?;
            let count = reader.list_len()?;
            let values = (0..count).map(|_| self::value(reader, element, &inner));
            Value::make_list(wave, values.collect::<Result<Vec<_>, _>>()?)
        }
        Type::Record(fields) => {
            let inner: Vec<_> = wave.record_fields().collect();
            let values = fields.iter().zip(&inner);
            let values = values
                .map(|((name, ty), (_, wave))| Ok((name.as_str(), self::value(reader, ty, wave)?)));
            Value::make_record(wave, values.collect::<Result<Vec<_>, WaveError>>()?)
        }
        Type::Tuple(types) => {
            let inner: Vec<_> = wave.tuple_element_types().collect();
            let values = types.iter().zip(&inner).map(|(ty, wave)| self::value(reader, ty, wave));
            Value::make_tuple(wave, values.collect::<Result<Vec<_>, _>>()?)
        }
        Type::Variant(cases) => {
            let index = reader.case(cases.len())?;
            let (name, ty) = cases.get(index).ok_or_else(|| no_case(reader, index))?;
            let inner = wave.variant_cases().nth(index).and_then(|(_, wave)| wave);
            let payload = payload(reader, ty.as_ref(), inner.as_ref())?;
            Value::make_variant(wave, name, payload)
        }
        Type::Enum(names) => {
            let index = reader.case(names.len())?;
            Value::make_enum(wave, names.get(index).ok_or_else(|| no_case(reader, index))?)
        }
        Type::Flags(names) => {
            let bits = reader.flags(names.len())?;
            let is_set =
                |index: usize| bits.get(index / 8).is_some_and(|b| b >> (index % 8) & 1 == 1);
            let set = names.iter().enumerate().filter(|(index, _)| is_set(*index));
            Value::make_flags(wave, set.map(|(_, name)| name.as_str()))
        }
        Type::Option(some) => {
            let inner = wave.option_some_type();
            let some = reader.bool()?.then_some(some.as_ref());
            Value::make_option(wave, payload(reader, some, inner.as_ref())?)
        }
        Type::Result { ok, err } => {
            let (inner_ok, inner_err) = wave.result_types().unwrap_or_default();
            let value = if reader.bool()? {
                Err(payload(reader, err.as_deref(), inner_err.as_ref())?)
            } else {
                Ok(payload(reader, ok.as_deref(), inner_ok.as_ref())?)
            };
            Value::make_result(wave, value)
        }
        _ => return Err(no_text(ty)),
    };
    value.map_err(|error: WasmValueError| WaveError::Print(error.to_string()))
}

fn payload(
    reader: &mut Reader<'_>,
    ty: Option<&Type>,
    wave: Option<&WaveType>,
) -> Result<Option<Value>, WaveError> {
    let (Some(ty), Some(wave)) = (ty, wave) else { return Ok(None) };
    value(reader, ty, wave).map(Some)
}

fn no_case(reader: &Reader<'_>, index: usize) -> DecodeError {
    reader.error(Fault::NoSuchCase(index as u64))
}

fn no_text(ty: &Type) -> WaveError {
    WaveError::NoText(format!("{ty:#}"))
}
