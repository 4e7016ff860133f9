//! Our types as WAVE's.

use super::{Type, WaveError, WaveType};

/// What a value of `ty` is in WAVE.
pub(super) fn to_wave(ty: &Type) -> Result<WaveType, WaveError> {
    let wave = match ty {
        Type::Bool => Some(WaveType::BOOL),
        Type::U8 => Some(WaveType::U8),
        Type::U16 => Some(WaveType::U16),
        Type::U32 => Some(WaveType::U32),
        Type::U64 => Some(WaveType::U64),
        Type::S8 => Some(WaveType::S8),
        Type::S16 => Some(WaveType::S16),
        Type::S32 => Some(WaveType::S32),
        Type::S64 => Some(WaveType::S64),
        Type::F32 => Some(WaveType::F32),
        Type::F64 => Some(WaveType::F64),
        Type::Char => Some(WaveType::CHAR),
        Type::String | Type::Own(..) | Type::Borrow(..) => Some(WaveType::STRING),
        Type::List(element) => Some(WaveType::list(to_wave(element)?)),
        Type::Record(fields) => {
            let field = |(name, ty): &(String, Type)| Ok((name.clone(), to_wave(ty)?));
            WaveType::record(fields.iter().map(field).collect::<Result<Vec<_>, WaveError>>()?)
        }
        Type::Tuple(types) => {
            WaveType::tuple(types.iter().map(to_wave).collect::<Result<Vec<_>, _>>()?)
        }
        Type::Variant(cases) => {
            let case =
                |(name, ty): &(String, Option<Type>)| Ok((name.clone(), payload(ty.as_ref())?));
            WaveType::variant(cases.iter().map(case).collect::<Result<Vec<_>, WaveError>>()?)
        }
        Type::Enum(names) => WaveType::enum_ty(names.iter().cloned()),
        Type::Flags(names) => WaveType::flags(names.iter().cloned()),
        Type::Option(some) => Some(WaveType::option(to_wave(some)?)),
        Type::Result { ok, err } => {
            Some(WaveType::result(payload(ok.as_deref())?, payload(err.as_deref())?))
        }
        Type::Stream(_) | Type::Future(_) => None,
    };
    wave.ok_or_else(|| WaveError::NoText(format!("{ty:#}")))
}

fn payload(ty: Option<&Type>) -> Result<Option<WaveType>, WaveError> {
    ty.map(to_wave).transpose()
}
