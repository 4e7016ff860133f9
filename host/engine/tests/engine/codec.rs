//! Random types and values through a guest: in by its export, out by its import, back the same way. Bytes that come
//! back as they went have been lowered and lifted twice; the plain encoder of the wire tests is the third opinion.

use bytes::Bytes;
use proptest::prelude::*;
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{Config, TestRunner};
use wicker_engine::{Actor, Codec};
use wicker_lattice::call::{CallError, Invoke as _, Status};
use wicker_lattice::types::Type;

use crate::guest::{passthrough, wit};
use crate::harness::{actor, call, echo, engine, links};
use crate::tree::{types, values};

/// Values of each type.
const VALUES: usize = 6;

/// As many core values as are passed flat, so that one more is too many.
const WIDE: usize = 16;

/// Random bytes for each type.
const HOSTILE: usize = 12;

/// A guest that hands on: one value, three values, and more values than fit into flat parameters whatever their type.
fn guest(ty: &Type) -> Bytes {
    let mut types = String::new();
    let name = wit(ty, &mut types);
    let parameters: String = (0..WIDE).map(|n| format!("p{n}: u8, ")).collect();
    let results = "u8, ".repeat(WIDE);
    let functions = format!(
        "same: func(value: {name}) -> {name};
         many: func(a: {name}, b: u8, c: {name}, d: s64, e: {name})
            -> tuple<{name}, u8, {name}, s64, {name}>;
         wide: func({parameters} last: {name}) -> tuple<{results} {name}>;"
    );
    passthrough(&types, &functions)
}

fn bytes_of(trees: &[crate::tree::Tree]) -> Bytes {
    let mut out = Vec::new();
    trees.iter().for_each(|tree| tree.encode(&mut out));
    out.into()
}

async fn send(actor: &Actor, function: &str, params: &Bytes) -> Result<Bytes, CallError> {
    let call = call(actor, "test:echo/outer", function, params.clone());
    actor.invoke(call).await.map(|reply| reply.results)
}

/// The component model has no more than 32 flags in one type.
fn fits(ty: &Type) -> bool {
    match ty {
        Type::Flags(names) => names.len() <= 32,
        Type::List(inner) | Type::Option(inner) => fits(inner),
        Type::Record(fields) => fields.iter().all(|(_, ty)| fits(ty)),
        Type::Tuple(types) => types.iter().all(fits),
        Type::Variant(cases) => cases.iter().all(|(_, ty)| ty.as_ref().is_none_or(fits)),
        Type::Result { ok, err } => ok.iter().chain(err).all(|ty| fits(ty)),
        _ => true,
    }
}

fn sample<T: std::fmt::Debug>(runner: &mut TestRunner, strategy: &impl Strategy<Value = T>) -> T {
    strategy.new_tree(runner).unwrap().current()
}

async fn check(runner: &mut TestRunner, ty: &Type) {
    let wasm = guest(ty);
    let links = || links(&["test:echo/inner"], echo());
    let (direct, _) = actor(engine(Codec::Direct), wasm.clone(), links(), |c| c.warm = 1).await;
    let (val, _) = actor(engine(Codec::Val), wasm, links(), |c| c.warm = 1).await;
    let value = values(ty);
    for _ in 0..VALUES {
        let [a, b, c] = [0; 3].map(|_| sample(runner, &value));
        let one = bytes_of(std::slice::from_ref(&a));
        assert_eq!(send(&direct, "same", &one).await.unwrap(), one, "direct, {ty}");
        assert_eq!(send(&val, "same", &one).await.unwrap(), one, "val, {ty}");
        let wide = (0..WIDE as u8).map(crate::tree::Tree::Byte).chain([b.clone()]);
        let wide = bytes_of(&wide.collect::<Vec<_>>());
        assert_eq!(send(&direct, "wide", &wide).await.unwrap(), wide, "direct, {ty}");
        assert_eq!(send(&val, "wide", &wide).await.unwrap(), wide, "val, {ty}");
        let (number, signed) = (crate::tree::Tree::Byte(7), crate::tree::Tree::Signed(-300));
        let many = bytes_of(&[a, number, b, signed, c]);
        assert_eq!(send(&direct, "many", &many).await.unwrap(), many, "direct, {ty}");
        assert_eq!(send(&val, "many", &many).await.unwrap(), many, "val, {ty}");
    }
    let noise = proptest::collection::vec(prop_oneof![0..12_u8, any::<u8>()], 0..64);
    for _ in 0..HOSTILE {
        let bytes = Bytes::from(sample(runner, &noise));
        agree(&direct, &val, ("same", ty), &bytes).await;
        let wide = Bytes::from([&[7; WIDE][..], &bytes].concat());
        agree(&direct, &val, ("wide", ty), &wide).await;
    }
}

/// Either codec takes `bytes`, and hands on the same, or neither does.
async fn agree(direct: &Actor, val: &Actor, (function, ty): (&str, &Type), bytes: &Bytes) {
    match (&send(direct, function, bytes).await, &send(val, function, bytes).await) {
        (Ok(direct), Ok(val)) => assert_eq!(direct, val, "{ty} from {bytes:?}"),
        (Err(direct), Err(val)) => {
            assert_eq!(direct.status, Status::BadFrame, "{direct}, {ty} from {bytes:?}");
            assert_eq!(direct.status, val.status);
        }
        _ => panic!("the codecs disagree on {ty} from {bytes:?}: {direct:?}, {val:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_codecs_carry_random_values_and_refuse_random_bytes() {
    let mut runner = TestRunner::new(Config::default());
    let types = types().prop_filter("component model", fits);
    for _ in 0..40 {
        let ty = sample(&mut runner, &types);
        check(&mut runner, &ty).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wide_variants_fit_what_they_join() {
    // Cases that share core values of different kinds: i32 with f32, i64 with f64, and pointers.
    let cases =
        [Type::F32, Type::U64, Type::String, Type::F64, Type::Tuple(vec![Type::S8, Type::F32])];
    let named = cases.into_iter().enumerate().map(|(n, ty)| (format!("n{n}"), Some(ty)));
    check(&mut TestRunner::deterministic(), &Type::Variant(named.collect())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_large_list_crosses_whole() {
    let wasm = passthrough("", "same: func(value: list<u8>) -> list<u8>;");
    let inner = links(&["test:echo/inner"], echo());
    let (direct, _) = actor(engine(Codec::Direct), wasm, inner, |_| {}).await;
    let mut params = wicker_lattice::value::Writer::new();
    params.put_bytes(&vec![7; 12 << 20]);
    let params = params.finish();
    assert_eq!(send(&direct, "same", &params).await.unwrap(), params);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn async_functions_cross_as_others_do() {
    let wasm =
        passthrough("", "same: async func(value: tuple<string, u8>) -> result<string, u64>;");
    for codec in [Codec::Direct, Codec::Val] {
        let inner = links(&["test:echo/inner"], crate::harness::answers(b"\x00\x02ok"));
        let (actor, _) = actor(engine(codec), wasm.clone(), inner, |_| {}).await;
        let results = send(&actor, "same", &Bytes::from_static(b"\x01a\x07")).await.unwrap();
        assert_eq!(results, b"\x00\x02ok".as_slice());
    }
}
