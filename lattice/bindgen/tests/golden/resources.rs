/// `demo:shelf/store`.
#[allow(
    missing_docs,
    unused_imports,
    clippy::all,
    clippy::pedantic,
    reason = "the WIT says what things mean"
)]
pub mod store {
    use ::wicker_provider::codegen;
    /// The interface's full name.
    #[must_use]
    pub fn name() -> codegen::InterfaceName {
        codegen::name("demo:shelf/store")
    }
    #[derive(Debug, Clone, PartialEq)]
    pub enum Error {
        Gone,
        Other(String),
    }
    impl codegen::Encode for Error {
        fn encode(&self, writer: &mut codegen::Writer) {
            match self {
                Self::Gone => writer.leb_u(0u64),
                Self::Other(payload) => {
                    writer.leb_u(1u64);
                    codegen::Encode::encode(payload, writer);
                }
            }
        }
    }
    impl codegen::Decode for Error {
        fn decode(
            reader: &mut codegen::Reader<'_>,
        ) -> Result<Self, codegen::DecodeError> {
            Ok(
                match codegen::case(reader, 2usize)? {
                    0u64 => Self::Gone,
                    1u64 => Self::Other(codegen::Decode::decode(reader)?),
                    _ => unreachable!("the reader checks the index of a case"),
                },
            )
        }
    }
    pub trait Store: Send + Sync + 'static {
        /// What a `shelf` handle says.
        type Shelf: codegen::Resource;
        fn open(
            &self,
            name: String,
        ) -> impl Future<Output = Result<codegen::Own<Self::Shelf>, Error>> + Send;
        fn shelf_new(
            &self,
            size: u32,
        ) -> impl Future<Output = codegen::Own<Self::Shelf>> + Send;
        fn shelf_get(
            &self,
            this: &Self::Shelf,
            key: String,
        ) -> impl Future<Output = Option<codegen::Bytes>> + Send;
        fn shelf_both(
            &self,
            a: Self::Shelf,
            b: &Self::Shelf,
        ) -> impl Future<Output = Vec<codegen::Own<Self::Shelf>>> + Send;
    }
    /// The interface, served by `L`.
    #[must_use]
    pub fn serve<L: Store>() -> ::wicker_provider::Interface<L> {
        ::wicker_provider::Interface::new(name())
            .function(
                "open",
                codegen::function_type(
                    "{\"params\":[[\"name\",\"string\"]],\"result\":{\"result\":{\"ok\":{\"own\":[\"demo:shelf/store\",\"shelf\"]},\"err\":{\"variant\":[[\"gone\",null],[\"other\",\"string\"]]}}},\"is_async\":false}",
                ),
                |link, mut call| Box::pin(async move {
                    let mut reader = codegen::params(&mut call)?;
                    let p0: String = codegen::param(&mut reader)?;
                    codegen::end(reader)?;
                    let result = <L as Store>::open(&link, p0).await;
                    Ok(codegen::answer(&result))
                }),
            )
            .function(
                "[constructor]shelf",
                codegen::function_type(
                    "{\"params\":[[\"size\",\"u32\"]],\"result\":{\"own\":[\"demo:shelf/store\",\"shelf\"]},\"is_async\":false}",
                ),
                |link, mut call| Box::pin(async move {
                    let mut reader = codegen::params(&mut call)?;
                    let p0: u32 = codegen::param(&mut reader)?;
                    codegen::end(reader)?;
                    let result = <L as Store>::shelf_new(&link, p0).await;
                    Ok(codegen::answer(&result))
                }),
            )
            .function(
                "[method]shelf.get",
                codegen::function_type(
                    "{\"params\":[[\"self\",{\"borrow\":[\"demo:shelf/store\",\"shelf\"]}],[\"key\",\"string\"]],\"result\":{\"option\":{\"list\":\"u8\"}},\"is_async\":false}",
                ),
                |link, mut call| Box::pin(async move {
                    let mut reader = codegen::params(&mut call)?;
                    let p0: codegen::Lent<L::Shelf> = codegen::param(&mut reader)?;
                    let p1: String = codegen::param(&mut reader)?;
                    codegen::end(reader)?;
                    let result = <L as Store>::shelf_get(&link, &p0.0, p1).await;
                    Ok(codegen::answer(&result))
                }),
            )
            .function(
                "[static]shelf.both",
                codegen::function_type(
                    "{\"params\":[[\"a\",{\"own\":[\"demo:shelf/store\",\"shelf\"]}],[\"b\",{\"borrow\":[\"demo:shelf/store\",\"shelf\"]}]],\"result\":{\"list\":{\"own\":[\"demo:shelf/store\",\"shelf\"]}},\"is_async\":false}",
                ),
                |link, mut call| Box::pin(async move {
                    let mut reader = codegen::params(&mut call)?;
                    let p0: codegen::Own<L::Shelf> = codegen::param(&mut reader)?;
                    let p1: codegen::Lent<L::Shelf> = codegen::param(&mut reader)?;
                    codegen::end(reader)?;
                    let result = <L as Store>::shelf_both(&link, p0.0, &p1.0).await;
                    Ok(codegen::answer(&result))
                }),
            )
    }
    /// The interface, as one that a provider calls.
    #[must_use]
    pub fn import() -> ::wicker_provider::interface::Import {
        ::wicker_provider::interface::Import::new(name())
            .function(
                "open",
                codegen::function_type(
                    "{\"params\":[[\"name\",\"string\"]],\"result\":{\"result\":{\"ok\":{\"own\":[\"demo:shelf/store\",\"shelf\"]},\"err\":{\"variant\":[[\"gone\",null],[\"other\",\"string\"]]}}},\"is_async\":false}",
                ),
            )
            .function(
                "[constructor]shelf",
                codegen::function_type(
                    "{\"params\":[[\"size\",\"u32\"]],\"result\":{\"own\":[\"demo:shelf/store\",\"shelf\"]},\"is_async\":false}",
                ),
            )
            .function(
                "[method]shelf.get",
                codegen::function_type(
                    "{\"params\":[[\"self\",{\"borrow\":[\"demo:shelf/store\",\"shelf\"]}],[\"key\",\"string\"]],\"result\":{\"option\":{\"list\":\"u8\"}},\"is_async\":false}",
                ),
            )
            .function(
                "[static]shelf.both",
                codegen::function_type(
                    "{\"params\":[[\"a\",{\"own\":[\"demo:shelf/store\",\"shelf\"]}],[\"b\",{\"borrow\":[\"demo:shelf/store\",\"shelf\"]}]],\"result\":{\"list\":{\"own\":[\"demo:shelf/store\",\"shelf\"]}},\"is_async\":false}",
                ),
            )
    }
    /// Calls the interface over a link.
    #[derive(Debug, Clone)]
    pub struct Client {
        client: ::wicker_provider::Client,
        interface: codegen::InterfaceKey,
    }
    impl Client {
        /// Calls by way of `client`.
        #[must_use]
        pub fn new(client: ::wicker_provider::Client) -> Self {
            Self {
                client,
                interface: name().key(),
            }
        }
        pub async fn open(
            &self,
            name: String,
        ) -> Result<Result<codegen::Own<codegen::Handle>, Error>, codegen::CallError> {
            let mut writer = codegen::Writer::new();
            codegen::Encode::encode(&name, &mut writer);
            let callee = codegen::Callee {
                interface: &self.interface,
                function: "open",
                type_hash: codegen::TypeHash([
                    116u8, 12u8, 83u8, 85u8, 108u8, 214u8, 112u8, 51u8,
                ]),
            };
            self.client.call(callee, writer).await
        }
        pub async fn shelf_new(
            &self,
            size: u32,
        ) -> Result<codegen::Own<codegen::Handle>, codegen::CallError> {
            let mut writer = codegen::Writer::new();
            codegen::Encode::encode(&size, &mut writer);
            let callee = codegen::Callee {
                interface: &self.interface,
                function: "[constructor]shelf",
                type_hash: codegen::TypeHash([
                    249u8, 236u8, 88u8, 5u8, 190u8, 239u8, 181u8, 194u8,
                ]),
            };
            self.client.call(callee, writer).await
        }
        pub async fn shelf_get(
            &self,
            this: &codegen::Handle,
            key: String,
        ) -> Result<Option<codegen::Bytes>, codegen::CallError> {
            let mut writer = codegen::Writer::new();
            codegen::Encode::encode(&this, &mut writer);
            codegen::Encode::encode(&key, &mut writer);
            let callee = codegen::Callee {
                interface: &self.interface,
                function: "[method]shelf.get",
                type_hash: codegen::TypeHash([
                    166u8, 250u8, 73u8, 84u8, 155u8, 240u8, 9u8, 49u8,
                ]),
            };
            self.client.call(callee, writer).await
        }
        pub async fn shelf_both(
            &self,
            a: codegen::Handle,
            b: &codegen::Handle,
        ) -> Result<Vec<codegen::Own<codegen::Handle>>, codegen::CallError> {
            let mut writer = codegen::Writer::new();
            codegen::Encode::encode(&a, &mut writer);
            codegen::Encode::encode(&b, &mut writer);
            let callee = codegen::Callee {
                interface: &self.interface,
                function: "[static]shelf.both",
                type_hash: codegen::TypeHash([
                    43u8, 178u8, 210u8, 65u8, 201u8, 50u8, 157u8, 40u8,
                ]),
            };
            self.client.call(callee, writer).await
        }
    }
}
/// `demo:shelf/swap`.
#[allow(
    missing_docs,
    unused_imports,
    clippy::all,
    clippy::pedantic,
    reason = "the WIT says what things mean"
)]
pub mod swap {
    use ::wicker_provider::codegen;
    /// The interface's full name.
    #[must_use]
    pub fn name() -> codegen::InterfaceName {
        codegen::name("demo:shelf/swap")
    }
    pub use super::store::Error as Problem;
    #[derive(Debug, Clone, PartialEq)]
    pub enum Failure<Attempt> {
        Problem(Problem),
        Lost(codegen::Own<Attempt>),
    }
    impl<Attempt: codegen::Resource> codegen::Encode for Failure<Attempt> {
        fn encode(&self, writer: &mut codegen::Writer) {
            match self {
                Self::Problem(payload) => {
                    writer.leb_u(0u64);
                    codegen::Encode::encode(payload, writer);
                }
                Self::Lost(payload) => {
                    writer.leb_u(1u64);
                    codegen::Encode::encode(payload, writer);
                }
            }
        }
    }
    impl<Attempt: codegen::Resource> codegen::Decode for Failure<Attempt> {
        fn decode(
            reader: &mut codegen::Reader<'_>,
        ) -> Result<Self, codegen::DecodeError> {
            Ok(
                match codegen::case(reader, 2usize)? {
                    0u64 => Self::Problem(codegen::Decode::decode(reader)?),
                    1u64 => Self::Lost(codegen::Decode::decode(reader)?),
                    _ => unreachable!("the reader checks the index of a case"),
                },
            )
        }
    }
    pub trait Swap: super::store::Store + Send + Sync + 'static {
        /// What a `attempt` handle says.
        type Attempt: codegen::Resource;
        fn attempt_new(
            &self,
            shelf: &Self::Shelf,
        ) -> impl Future<Output = Result<codegen::Own<Self::Attempt>, Problem>> + Send;
        fn commit(
            &self,
            attempt: Self::Attempt,
        ) -> impl Future<Output = Result<(), Failure<Self::Attempt>>> + Send;
    }
    /// The interface, served by `L`.
    #[must_use]
    pub fn serve<L: Swap>() -> ::wicker_provider::Interface<L> {
        ::wicker_provider::Interface::new(name())
            .function(
                "[static]attempt.new",
                codegen::function_type(
                    "{\"params\":[[\"shelf\",{\"borrow\":[\"demo:shelf/store\",\"shelf\"]}]],\"result\":{\"result\":{\"ok\":{\"own\":[\"demo:shelf/swap\",\"attempt\"]},\"err\":{\"variant\":[[\"gone\",null],[\"other\",\"string\"]]}}},\"is_async\":false}",
                ),
                |link, mut call| Box::pin(async move {
                    let mut reader = codegen::params(&mut call)?;
                    let p0: codegen::Lent<L::Shelf> = codegen::param(&mut reader)?;
                    codegen::end(reader)?;
                    let result = <L as Swap>::attempt_new(&link, &p0.0).await;
                    Ok(codegen::answer(&result))
                }),
            )
            .function(
                "commit",
                codegen::function_type(
                    "{\"params\":[[\"attempt\",{\"own\":[\"demo:shelf/swap\",\"attempt\"]}]],\"result\":{\"result\":{\"ok\":null,\"err\":{\"variant\":[[\"problem\",{\"variant\":[[\"gone\",null],[\"other\",\"string\"]]}],[\"lost\",{\"own\":[\"demo:shelf/swap\",\"attempt\"]}]]}}},\"is_async\":false}",
                ),
                |link, mut call| Box::pin(async move {
                    let mut reader = codegen::params(&mut call)?;
                    let p0: codegen::Own<L::Attempt> = codegen::param(&mut reader)?;
                    codegen::end(reader)?;
                    let result = <L as Swap>::commit(&link, p0.0).await;
                    Ok(codegen::answer(&result))
                }),
            )
    }
    /// The interface, as one that a provider calls.
    #[must_use]
    pub fn import() -> ::wicker_provider::interface::Import {
        ::wicker_provider::interface::Import::new(name())
            .function(
                "[static]attempt.new",
                codegen::function_type(
                    "{\"params\":[[\"shelf\",{\"borrow\":[\"demo:shelf/store\",\"shelf\"]}]],\"result\":{\"result\":{\"ok\":{\"own\":[\"demo:shelf/swap\",\"attempt\"]},\"err\":{\"variant\":[[\"gone\",null],[\"other\",\"string\"]]}}},\"is_async\":false}",
                ),
            )
            .function(
                "commit",
                codegen::function_type(
                    "{\"params\":[[\"attempt\",{\"own\":[\"demo:shelf/swap\",\"attempt\"]}]],\"result\":{\"result\":{\"ok\":null,\"err\":{\"variant\":[[\"problem\",{\"variant\":[[\"gone\",null],[\"other\",\"string\"]]}],[\"lost\",{\"own\":[\"demo:shelf/swap\",\"attempt\"]}]]}}},\"is_async\":false}",
                ),
            )
    }
    /// Calls the interface over a link.
    #[derive(Debug, Clone)]
    pub struct Client {
        client: ::wicker_provider::Client,
        interface: codegen::InterfaceKey,
    }
    impl Client {
        /// Calls by way of `client`.
        #[must_use]
        pub fn new(client: ::wicker_provider::Client) -> Self {
            Self {
                client,
                interface: name().key(),
            }
        }
        pub async fn attempt_new(
            &self,
            shelf: &codegen::Handle,
        ) -> Result<Result<codegen::Own<codegen::Handle>, Problem>, codegen::CallError> {
            let mut writer = codegen::Writer::new();
            codegen::Encode::encode(&shelf, &mut writer);
            let callee = codegen::Callee {
                interface: &self.interface,
                function: "[static]attempt.new",
                type_hash: codegen::TypeHash([
                    203u8, 106u8, 45u8, 56u8, 142u8, 48u8, 241u8, 141u8,
                ]),
            };
            self.client.call(callee, writer).await
        }
        pub async fn commit(
            &self,
            attempt: codegen::Handle,
        ) -> Result<Result<(), Failure<codegen::Handle>>, codegen::CallError> {
            let mut writer = codegen::Writer::new();
            codegen::Encode::encode(&attempt, &mut writer);
            let callee = codegen::Callee {
                interface: &self.interface,
                function: "commit",
                type_hash: codegen::TypeHash([
                    9u8, 71u8, 216u8, 59u8, 73u8, 241u8, 136u8, 40u8,
                ]),
            };
            self.client.call(callee, writer).await
        }
    }
}
