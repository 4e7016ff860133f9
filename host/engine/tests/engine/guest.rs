//! Small guests, from WIT and a core module in text form.

use std::fmt::Write as _;

use bytes::Bytes;
use wicker_lattice::types::Type;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::abi::{AbiVariant, WasmSignature, WasmType};
use wit_parser::{Resolve, SizeAlign, WorldId, WorldItem};

/// Memory, and an allocator that never frees.
const ALLOCATOR: &str = r#"
    (memory (export "memory") 1)
    (global $top (mut i32) (i32.const 1024))
    (func $alloc (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
        (local $start i32)
        (local.set $start
            (i32.and
                (i32.add (global.get $top) (i32.sub (local.get 2) (i32.const 1)))
                (i32.sub (i32.const 0) (local.get 2))))
        (global.set $top (i32.add (local.get $start) (local.get 3)))
        (block $done
            (loop $grow
                (br_if $done (i32.le_u
                    (global.get $top)
                    (i32.mul (memory.size) (i32.const 65536))))
                (br_if $grow (i32.ne (memory.grow (i32.const 16)) (i32.const -1)))
                unreachable))
        (local.get $start))
"#;

/// A component of the only world in `wit`, around a core module that has memory and `cabi_realloc`, and `core`.
pub(crate) fn component(wit: &str, core: &str) -> Bytes {
    let (resolve, world) = parse(wit);
    build(&resolve, world, core)
}

/// A component that exports `test:echo/outer` and serves each of its functions by the function of the same name that
/// it imports from `test:echo/inner`. `types` and `functions` are WIT, the same for both interfaces.
pub(crate) fn passthrough(types: &str, functions: &str) -> Bytes {
    let uses: Vec<&str> = types
        .lines()
        .filter_map(|line| line.trim().split_once(' ').map(|(_, rest)| rest))
        .map(|rest| rest.split([' ', '=', '{']).next().unwrap_or_default())
        .collect();
    let uses =
        if uses.is_empty() { String::new() } else { format!("use types.{{{}}};", uses.join(", ")) };
    let wit = format!(
        "package test:echo;
         interface types {{ {types} }}
         interface inner {{ {uses} {functions} }}
         interface outer {{ {uses} {functions} }}
         world w {{ import inner; export outer; }}"
    );
    let (resolve, world) = parse(&wit);
    let core = forward(&resolve, world);
    build(&resolve, world, &core)
}

fn parse(wit: &str) -> (Resolve, WorldId) {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("test.wit", wit).unwrap_or_else(|e| panic!("{e:?} in {wit}"));
    let world = resolve.select_world(&[package], None).unwrap();
    (resolve, world)
}

fn build(resolve: &Resolve, world: WorldId, core: &str) -> Bytes {
    let text = format!("(module {core} {ALLOCATOR})");
    let mut module = wat::parse_str(&text).unwrap_or_else(|error| panic!("{error} in {text}"));
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8).unwrap();
    let encoder = ComponentEncoder::default().validate(true).module(&module);
    encoder.unwrap().encode().unwrap_or_else(|error| panic!("{error:?} in {text}")).into()
}

/// Core functions that hand their parameters on as they came.
fn forward(resolve: &Resolve, world: WorldId) -> String {
    let mut sizes = SizeAlign::default();
    sizes.fill(resolve);
    let outer = resolve.worlds[world].exports.values().find_map(|item| match item {
        WorldItem::Interface { id, .. } => Some(*id),
        _ => None,
    });
    let (mut imports, mut functions) = (String::new(), String::new());
    for (name, function) in &resolve.interfaces[outer.unwrap()].functions {
        let import = resolve.wasm_signature(AbiVariant::GuestImport, function);
        let export = resolve.wasm_signature(AbiVariant::GuestExport, function);
        let index = imports.lines().count();
        writeln!(
            imports,
            "(import \"test:echo/inner\" \"{name}\" (func $import{index} {}))",
            core_type(&import)
        )
        .unwrap();
        let params: String = (0..export.params.len()).map(|n| format!("(local.get {n})")).collect();
        let body = if import.retptr {
            let size = sizes.size(function.result.as_ref().unwrap()).size_wasm32();
            format!(
                "(local $result i32)
                 (local.set $result (call $alloc
                    (i32.const 0) (i32.const 0) (i32.const 8) (i32.const {size})))
                 (call $import{index} {params} (local.get $result))
                 (local.get $result)"
            )
        } else {
            format!("(call $import{index} {params})")
        };
        writeln!(
            functions,
            "(func (export \"test:echo/outer#{name}\") {} {body})",
            core_type(&export)
        )
        .unwrap();
    }
    imports + &functions
}

fn core_type(signature: &WasmSignature) -> String {
    let list = |types: &[WasmType]| {
        let names = types.iter().map(|ty| match ty {
            WasmType::I64 | WasmType::PointerOrI64 => "i64",
            WasmType::F32 => "f32",
            WasmType::F64 => "f64",
            WasmType::I32 | WasmType::Pointer | WasmType::Length => "i32",
        });
        names.collect::<Vec<_>>().join(" ")
    };
    format!("(param {}) (result {})", list(&signature.params), list(&signature.results))
}

/// Writes `ty` as WIT; what needs a name is added to `types`.
pub(crate) fn wit(ty: &Type, types: &mut String) -> String {
    let optional = |ty: &Option<Box<Type>>, types: &mut String| match ty {
        Some(ty) => wit(ty, types),
        None => "_".to_owned(),
    };
    let body = match ty {
        Type::F32 | Type::F64 | Type::Bool | Type::Char | Type::String => return ty.to_string(),
        Type::List(element) => return format!("list<{}>", wit(element, types)),
        Type::Option(some) => return format!("option<{}>", wit(some, types)),
        Type::Result { ok: None, err: None } => return "result".to_owned(),
        Type::Result { ok: Some(ok), err: None } => return format!("result<{}>", wit(ok, types)),
        Type::Result { ok, err } => {
            return format!("result<{}, {}>", optional(ok, types), optional(err, types));
        }
        Type::Tuple(parts) => {
            let parts: Vec<String> = parts.iter().map(|ty| wit(ty, types)).collect();
            return format!("tuple<{}>", parts.join(", "));
        }
        Type::Record(fields) => {
            let fields = fields.iter().map(|(name, ty)| format!("{name}: {}", wit(ty, types)));
            ("record", fields.collect::<Vec<_>>())
        }
        Type::Variant(cases) => {
            let cases = cases.iter().map(|(name, ty)| match ty {
                Some(ty) => format!("{name}({})", wit(ty, types)),
                None => name.clone(),
            });
            ("variant", cases.collect())
        }
        Type::Enum(names) => ("enum", names.clone()),
        Type::Flags(names) => ("flags", names.clone()),
        other => return other.to_string(),
    };
    let name = format!("t{}", types.lines().count());
    let (kind, parts) = body;
    writeln!(types, "{kind} {name} {{ {} }}", parts.join(", ")).unwrap();
    name
}
