//! What of a component can cross a link, decided once when it is loaded.

use wasmtime::component::ResourceType;
use wasmtime::component::types::{ComponentFunc, Type};

/// Parameters that the canonical ABI passes flat, at most.
pub(crate) const FLAT_PARAMS_MAX: usize = 16;

/// What the codecs must know of a function besides its type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Core values that its parameters come to.
    pub(crate) params_flat: usize,
    /// Core values that its results come to.
    pub(crate) results_flat: usize,
    /// Whether a stream crosses, either way.
    pub(crate) has_streams: bool,
    /// Whether WIT says `async func`.
    pub(crate) is_async: bool,
}

/// The resources that live behind links. Each has a number, under which wasmtime knows its type.
#[derive(Debug, Default)]
pub(crate) struct Resources(Vec<ResourceType>);

impl Resources {
    /// The number of `ty`, which is a resource behind a link. An alias has the number of what it stands for.
    pub(crate) fn number(&mut self, ty: ResourceType) -> wasmtime::Result<u32> {
        let known = self.0.iter().position(|known| *known == ty);
        let index = known.unwrap_or_else(|| {
            self.0.push(ty);
            self.0.len() - 1
        });
        Ok(u32::try_from(index)?)
    }

    /// How many there are.
    pub(crate) fn len(&self) -> u32 {
        u32::try_from(self.0.len()).unwrap_or(u32::MAX)
    }
}

/// The shape of `function`, or the reason why it cannot cross a link.
pub(crate) fn shape(function: &ComponentFunc, resources: &Resources) -> Result<Shape, String> {
    let mut walk = Walk { resources, has_streams: false };
    let mut params_flat = 0;
    for (name, ty) in function.params() {
        params_flat += walk.flat(&ty).map_err(|why| format!("parameter `{name}`: {why}"))?;
    }
    let mut results_flat = 0;
    for ty in function.results() {
        results_flat += walk.flat(&ty).map_err(|why| format!("result: {why}"))?;
    }
    let (has_streams, is_async) = (walk.has_streams, function.async_());
    Ok(Shape { params_flat, results_flat, has_streams, is_async })
}

struct Walk<'a> {
    resources: &'a Resources,
    has_streams: bool,
}

impl Walk<'_> {
    /// How many core values `ty` comes to.
    fn flat(&mut self, ty: &Type) -> Result<usize, String> {
        match ty {
            Type::Bool | Type::S8 | Type::U8 | Type::S16 | Type::U16 | Type::S32 | Type::U32 => {
                Ok(1)
            }
            Type::S64 | Type::U64 | Type::Float32 | Type::Float64 | Type::Char => Ok(1),
            Type::Enum(_) => Ok(1),
            Type::String => Ok(2),
            Type::List(list) => self.flat(&list.ty()).map(|_| 2),
            Type::Record(record) => self.sum(record.fields().map(|field| field.ty)),
            Type::Tuple(tuple) => self.sum(tuple.types()),
            Type::Variant(variant) => self.cases(variant.cases().map(|case| case.ty)),
            Type::Option(option) => self.cases([None, Some(option.ty())].into_iter()),
            Type::Result(result) => self.cases([result.ok(), result.err()].into_iter()),
            Type::Flags(flags) => Ok(flags.names().len().div_ceil(32)),
            Type::Own(resource) | Type::Borrow(resource) => self.handle(*resource),
            Type::Stream(stream) => match stream.ty() {
                Some(Type::U8) => {
                    self.has_streams = true;
                    Ok(1)
                }
                _ => Err("of all streams, only `stream<u8>` can cross a link".to_owned()),
            },
            Type::Future(_) => Err("a `future` cannot cross a link".to_owned()),
            Type::ErrorContext => Err("an `error-context` cannot cross a link".to_owned()),
            Type::Map(_) => Err("a `map` cannot cross a link".to_owned()),
            Type::FixedLengthList(_) => {
                Err("a list of fixed length cannot cross a link".to_owned())
            }
        }
    }

    fn sum(&mut self, types: impl Iterator<Item = Type>) -> Result<usize, String> {
        let mut sum = 0;
        for ty in types {
            sum += self.flat(&ty)?;
        }
        Ok(sum)
    }

    fn cases(&mut self, cases: impl Iterator<Item = Option<Type>>) -> Result<usize, String> {
        let mut largest = 0;
        for ty in cases.flatten() {
            largest = largest.max(self.flat(&ty)?);
        }
        Ok(1 + largest)
    }

    fn handle(&self, resource: ResourceType) -> Result<usize, String> {
        if self.resources.0.contains(&resource) {
            return Ok(1);
        }
        Err("a resource of this host or of the component itself cannot cross a link; only resources that the \
             component imports through a link can"
            .to_owned())
    }
}
