//! Random types, random values of them, and the plainest possible encoder: docs/protocol.md in code, sharing nothing
//! with the library.

use proptest::collection::vec;
use proptest::prelude::*;
use wicker_lattice::types::Type;

/// A value of any type.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Tree {
    /// Everything whose bytes are decided by the number alone.
    Unsigned(u128),
    Signed(i128),
    Byte(u8),
    F32(f32),
    F64(f64),
    Text(String),
    Char(char),
    List(Vec<Tree>),
    /// Records and tuples.
    Fields(Vec<Tree>),
    /// Variants, enums, options and results.
    Case(usize, Option<Box<Tree>>),
    Flags(Vec<bool>),
}

impl Tree {
    /// The bytes of this value.
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Unsigned(value) => unsigned(*value, out),
            Self::Signed(value) => signed(*value, out),
            Self::Byte(byte) => out.push(*byte),
            Self::F32(value) if value.is_nan() => out.extend([0, 0, 0xc0, 0x7f]),
            Self::F32(value) => out.extend(value.to_le_bytes()),
            Self::F64(value) if value.is_nan() => out.extend([0, 0, 0, 0, 0, 0, 0xf8, 0x7f]),
            Self::F64(value) => out.extend(value.to_le_bytes()),
            Self::Text(text) => {
                unsigned(text.len() as u128, out);
                out.extend(text.as_bytes());
            }
            Self::Char(c) => out.extend(c.to_string().as_bytes()),
            Self::List(elements) => {
                unsigned(elements.len() as u128, out);
                elements.iter().for_each(|element| element.encode(out));
            }
            Self::Fields(fields) => fields.iter().for_each(|field| field.encode(out)),
            Self::Case(index, payload) => {
                unsigned(*index as u128, out);
                payload.iter().for_each(|payload| payload.encode(out));
            }
            Self::Flags(flags) => {
                for eight in flags.chunks(8) {
                    let bits = eight.iter().enumerate().map(|(bit, set)| u8::from(*set) << bit);
                    out.push(bits.sum());
                }
            }
        }
    }
}

fn unsigned(value: u128, out: &mut Vec<u8>) {
    let low = (value % 128).to_le_bytes()[0];
    if value < 128 {
        out.push(low);
    } else {
        out.push(low + 128);
        unsigned(value / 128, out);
    }
}

fn signed(value: i128, out: &mut Vec<u8>) {
    let low = value.rem_euclid(128).to_le_bytes()[0];
    if (-64..64).contains(&value) {
        out.push(low);
    } else {
        out.push(low + 128);
        signed(value.div_euclid(128), out);
    }
}

/// Types three levels deep, of everything that has a text.
pub(crate) fn types() -> impl Strategy<Value = Type> {
    let leaf = prop_oneof![
        proptest::sample::select(vec![
            Type::Bool,
            Type::U8,
            Type::U16,
            Type::U32,
            Type::U64,
            Type::S8,
            Type::S16,
            Type::S32,
            Type::S64,
            Type::F32,
            Type::F64,
            Type::Char,
            Type::String,
        ]),
        (1..200_usize).prop_map(|count| Type::Enum(names(count))),
        (1..40_usize).prop_map(|count| Type::Flags(names(count))),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        let payload = proptest::option::of(inner.clone());
        prop_oneof![
            inner.clone().prop_map(|ty| Type::List(Box::new(ty))),
            inner.clone().prop_map(|ty| Type::Option(Box::new(ty))),
            vec(inner.clone(), 1..4).prop_map(Type::Tuple),
            vec(inner.clone(), 1..4).prop_map(|types| Type::Record(
                names(types.len()).into_iter().zip(types).collect()
            )),
            vec(payload.clone(), 1..4).prop_map(|cases| Type::Variant(
                names(cases.len()).into_iter().zip(cases).collect()
            )),
            (payload.clone(), payload).prop_map(|(ok, err)| Type::Result {
                ok: ok.map(Box::new),
                err: err.map(Box::new)
            }),
        ]
    })
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|index| format!("n{index}")).collect()
}

/// Values of `ty`.
pub(crate) fn values(ty: &Type) -> BoxedStrategy<Tree> {
    match ty {
        Type::Bool => (0..2_u8).prop_map(Tree::Byte).boxed(),
        Type::U8 => any::<u8>().prop_map(Tree::Byte).boxed(),
        Type::S8 => any::<i8>().prop_map(|value| Tree::Byte(value.cast_unsigned())).boxed(),
        Type::U16 => any::<u16>().prop_map(|value| Tree::Unsigned(value.into())).boxed(),
        Type::U32 => any::<u32>().prop_map(|value| Tree::Unsigned(value.into())).boxed(),
        Type::U64 => any::<u64>().prop_map(|value| Tree::Unsigned(value.into())).boxed(),
        Type::S16 => any::<i16>().prop_map(|value| Tree::Signed(value.into())).boxed(),
        Type::S32 => any::<i32>().prop_map(|value| Tree::Signed(value.into())).boxed(),
        Type::S64 => any::<i64>().prop_map(|value| Tree::Signed(value.into())).boxed(),
        Type::F32 => any::<u32>().prop_map(|bits| Tree::F32(f32::from_bits(bits))).boxed(),
        Type::F64 => any::<u64>().prop_map(|bits| Tree::F64(f64::from_bits(bits))).boxed(),
        Type::Char => any::<char>().prop_map(Tree::Char).boxed(),
        Type::String => any::<String>().prop_map(Tree::Text).boxed(),
        Type::List(element) => vec(values(element), 0..5).prop_map(Tree::List).boxed(),
        Type::Record(fields) => all(fields.iter().map(|(_, ty)| ty)),
        Type::Tuple(types) => all(types.iter()),
        Type::Variant(cases) => one_of(cases.iter().map(|(_, ty)| ty.as_ref()).collect()),
        Type::Enum(names) => (0..names.len()).prop_map(|index| Tree::Case(index, None)).boxed(),
        Type::Flags(names) => vec(any::<bool>(), names.len()).prop_map(Tree::Flags).boxed(),
        Type::Option(some) => one_of(vec![None, Some(some)]),
        Type::Result { ok, err } => one_of(vec![ok.as_deref(), err.as_deref()]),
        other => panic!("no values of {other}"),
    }
}

fn all<'a>(types: impl Iterator<Item = &'a Type>) -> BoxedStrategy<Tree> {
    types.map(values).collect::<Vec<_>>().prop_map(Tree::Fields).boxed()
}

fn one_of(cases: Vec<Option<&Type>>) -> BoxedStrategy<Tree> {
    let case = |(index, ty): (usize, Option<&Type>)| match ty {
        None => Just(Tree::Case(index, None)).boxed(),
        Some(ty) => {
            values(ty).prop_map(move |payload| Tree::Case(index, Some(Box::new(payload)))).boxed()
        }
    };
    let cases: Vec<_> = cases.into_iter().enumerate().map(case).collect();
    proptest::strategy::Union::new(cases).boxed()
}
