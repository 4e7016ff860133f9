//! WAVE's values to bytes.

use wasm_wave::value::Value;
use wasm_wave::wasm::WasmValue as _;

use super::Type;
use crate::value::{Encode as _, Handle, Writer};

/// Appends `value`, which WAVE has checked to be of type `ty`.
pub(super) fn value(value: &Value, ty: &Type, writer: &mut Writer) {
    match ty {
        Type::Bool => writer.put_u8(value.unwrap_bool().into()),
        Type::U8 => writer.put_u8(value.unwrap_u8()),
        Type::U16 => writer.leb_u(value.unwrap_u16().into()),
        Type::U32 => writer.leb_u(value.unwrap_u32().into()),
        Type::U64 => writer.leb_u(value.unwrap_u64()),
        Type::S8 => writer.put_u8(value.unwrap_s8().cast_unsigned()),
        Type::S16 => writer.leb_s(value.unwrap_s16().into()),
        Type::S32 => writer.leb_s(value.unwrap_s32().into()),
        Type::S64 => writer.leb_s(value.unwrap_s64()),
        Type::F32 => writer.put_f32(value.unwrap_f32()),
        Type::F64 => writer.put_f64(value.unwrap_f64()),
        Type::Char => writer.put_char(value.unwrap_char()),
        Type::String => writer.put_str(&value.unwrap_string()),
        Type::Own(..) | Type::Borrow(..) => {
            Handle::stateless(value.unwrap_string().into_owned()).encode(writer);
        }
        Type::List(element) => {
            let elements: Vec<_> = value.unwrap_list().collect();
            writer.put_len(elements.len());
            elements.iter().for_each(|each| self::value(each, element, writer));
        }
        Type::Record(fields) => {
            for ((_, field), (_, ty)) in value.unwrap_record().zip(fields) {
                self::value(&field, ty, writer);
            }
        }
        Type::Tuple(types) => {
            for (each, ty) in value.unwrap_tuple().zip(types) {
                self::value(&each, ty, writer);
            }
        }
        Type::Variant(cases) => {
            let (name, payload) = value.unwrap_variant();
            let (index, ty) = find(cases, |(case, _)| *case == name);
            writer.leb_u(index);
            put_payload(payload.as_deref(), ty.and_then(|(_, ty)| ty.as_ref()), writer);
        }
        Type::Enum(names) => {
            let name = value.unwrap_enum();
            writer.leb_u(find(names, |case| *case == name).0);
        }
        Type::Flags(names) => put_flags(value, names, writer),
        Type::Option(some) => {
            let payload = value.unwrap_option();
            writer.put_u8(payload.is_some().into());
            put_payload(payload.as_deref(), Some(some), writer);
        }
        Type::Result { ok, err } => {
            let result = value.unwrap_result();
            writer.put_u8(result.is_err().into());
            let ty = if result.is_ok() { ok } else { err };
            let (Ok(payload) | Err(payload)) = result;
            put_payload(payload.as_deref(), ty.as_deref(), writer);
        }
        // WAVE has no such values, so none arrives here.
        Type::Stream(_) | Type::Future(_) => {}
    }
}

fn put_payload(payload: Option<&Value>, ty: Option<&Type>, writer: &mut Writer) {
    if let (Some(payload), Some(ty)) = (payload, ty) {
        value(payload, ty, writer);
    }
}

fn put_flags(value: &Value, names: &[String], writer: &mut Writer) {
    let set: Vec<_> = value.unwrap_flags().collect();
    for eight in names.chunks(8) {
        let is_set = |name: &String| set.iter().any(|set| set == name);
        let bits = eight.iter().rev().fold(0, |bits, name| bits << 1 | u8::from(is_set(name)));
        writer.put_u8(bits);
    }
}

/// A case and its index. WAVE lets no unknown case through.
fn find<T>(cases: &[T], is_it: impl Fn(&T) -> bool) -> (u64, Option<&T>) {
    let index = cases.iter().position(is_it).unwrap_or_default();
    (index as u64, cases.get(index))
}
