/// `demo:streams/files`.
///
/// Files, at the pace of their readers.
#[allow(
    missing_docs,
    unused_imports,
    clippy::all,
    clippy::pedantic,
    reason = "the WIT says what things mean"
)]
pub mod files {
    use ::wicker_provider::codegen;
    /// The interface's full name.
    #[must_use]
    pub fn name() -> codegen::InterfaceName {
        codegen::name("demo:streams/files")
    }
    pub type Body = codegen::Stream;
    #[derive(Debug)]
    pub struct File {
        pub name: String,
        pub body: Body,
    }
    impl codegen::Encode for File {
        fn encode(&self, writer: &mut codegen::Writer) {
            codegen::Encode::encode(&self.name, writer);
            codegen::Encode::encode(&self.body, writer);
        }
    }
    impl codegen::Decode for File {
        fn decode(
            reader: &mut codegen::Reader<'_>,
        ) -> Result<Self, codegen::DecodeError> {
            Ok(Self {
                name: codegen::Decode::decode(reader)?,
                body: codegen::Decode::decode(reader)?,
            })
        }
    }
    #[derive(Debug)]
    pub enum Source {
        None,
        One(File),
    }
    impl codegen::Encode for Source {
        fn encode(&self, writer: &mut codegen::Writer) {
            match self {
                Self::None => writer.leb_u(0u64),
                Self::One(payload) => {
                    writer.leb_u(1u64);
                    codegen::Encode::encode(payload, writer);
                }
            }
        }
    }
    impl codegen::Decode for Source {
        fn decode(
            reader: &mut codegen::Reader<'_>,
        ) -> Result<Self, codegen::DecodeError> {
            Ok(
                match codegen::case(reader, 2usize)? {
                    0u64 => Self::None,
                    1u64 => Self::One(codegen::Decode::decode(reader)?),
                    _ => unreachable!("the reader checks the index of a case"),
                },
            )
        }
    }
    #[derive(Debug, Clone, PartialEq)]
    pub struct Place {
        pub name: String,
    }
    impl codegen::Encode for Place {
        fn encode(&self, writer: &mut codegen::Writer) {
            codegen::Encode::encode(&self.name, writer);
        }
    }
    impl codegen::Decode for Place {
        fn decode(
            reader: &mut codegen::Reader<'_>,
        ) -> Result<Self, codegen::DecodeError> {
            Ok(Self {
                name: codegen::Decode::decode(reader)?,
            })
        }
    }
    /// Files, at the pace of their readers.
    pub trait Files: Send + Sync + 'static {
        fn store(&self, file: File) -> impl Future<Output = Result<u64, String>> + Send;
        fn load(&self, at: Place) -> impl Future<Output = Option<File>> + Send;
        fn copy(
            &self,
            from: codegen::Stream,
        ) -> impl Future<Output = codegen::Stream> + Send;
        fn pick(&self, from: Source) -> impl Future<Output = Source> + Send;
    }
    /// The interface, served by `L`.
    #[must_use]
    pub fn serve<L: Files>() -> ::wicker_provider::Interface<L> {
        ::wicker_provider::Interface::new(name())
            .function(
                "store",
                codegen::function_type(
                    "{\"params\":[[\"file\",{\"record\":[[\"name\",\"string\"],[\"body\",{\"stream\":\"u8\"}]]}]],\"result\":{\"result\":{\"ok\":\"u64\",\"err\":\"string\"}},\"is_async\":false}",
                ),
                |link, mut call| Box::pin(async move {
                    let mut reader = codegen::params(&mut call)?;
                    let p0: File = codegen::param(&mut reader)?;
                    codegen::end(reader)?;
                    let result = <L as Files>::store(&link, p0).await;
                    Ok(codegen::answer(&result))
                }),
            )
            .function(
                "load",
                codegen::function_type(
                    "{\"params\":[[\"at\",{\"record\":[[\"name\",\"string\"]]}]],\"result\":{\"option\":{\"record\":[[\"name\",\"string\"],[\"body\",{\"stream\":\"u8\"}]]}},\"is_async\":false}",
                ),
                |link, mut call| Box::pin(async move {
                    let mut reader = codegen::params(&mut call)?;
                    let p0: Place = codegen::param(&mut reader)?;
                    codegen::end(reader)?;
                    let result = <L as Files>::load(&link, p0).await;
                    Ok(codegen::answer(&result))
                }),
            )
            .function(
                "copy",
                codegen::function_type(
                    "{\"params\":[[\"from\",{\"stream\":\"u8\"}]],\"result\":{\"stream\":\"u8\"},\"is_async\":false}",
                ),
                |link, mut call| Box::pin(async move {
                    let mut reader = codegen::params(&mut call)?;
                    let p0: codegen::Stream = codegen::param(&mut reader)?;
                    codegen::end(reader)?;
                    let result = <L as Files>::copy(&link, p0).await;
                    Ok(codegen::answer(&result))
                }),
            )
            .function(
                "pick",
                codegen::function_type(
                    "{\"params\":[[\"from\",{\"variant\":[[\"none\",null],[\"one\",{\"record\":[[\"name\",\"string\"],[\"body\",{\"stream\":\"u8\"}]]}]]}]],\"result\":{\"variant\":[[\"none\",null],[\"one\",{\"record\":[[\"name\",\"string\"],[\"body\",{\"stream\":\"u8\"}]]}]]},\"is_async\":false}",
                ),
                |link, mut call| Box::pin(async move {
                    let mut reader = codegen::params(&mut call)?;
                    let p0: Source = codegen::param(&mut reader)?;
                    codegen::end(reader)?;
                    let result = <L as Files>::pick(&link, p0).await;
                    Ok(codegen::answer(&result))
                }),
            )
    }
    /// The interface, as one that a provider calls.
    #[must_use]
    pub fn import() -> ::wicker_provider::interface::Import {
        ::wicker_provider::interface::Import::new(name())
            .function(
                "store",
                codegen::function_type(
                    "{\"params\":[[\"file\",{\"record\":[[\"name\",\"string\"],[\"body\",{\"stream\":\"u8\"}]]}]],\"result\":{\"result\":{\"ok\":\"u64\",\"err\":\"string\"}},\"is_async\":false}",
                ),
            )
            .function(
                "load",
                codegen::function_type(
                    "{\"params\":[[\"at\",{\"record\":[[\"name\",\"string\"]]}]],\"result\":{\"option\":{\"record\":[[\"name\",\"string\"],[\"body\",{\"stream\":\"u8\"}]]}},\"is_async\":false}",
                ),
            )
            .function(
                "copy",
                codegen::function_type(
                    "{\"params\":[[\"from\",{\"stream\":\"u8\"}]],\"result\":{\"stream\":\"u8\"},\"is_async\":false}",
                ),
            )
            .function(
                "pick",
                codegen::function_type(
                    "{\"params\":[[\"from\",{\"variant\":[[\"none\",null],[\"one\",{\"record\":[[\"name\",\"string\"],[\"body\",{\"stream\":\"u8\"}]]}]]}]],\"result\":{\"variant\":[[\"none\",null],[\"one\",{\"record\":[[\"name\",\"string\"],[\"body\",{\"stream\":\"u8\"}]]}]]},\"is_async\":false}",
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
        pub async fn store(
            &self,
            file: File,
        ) -> Result<Result<u64, String>, codegen::CallError> {
            let mut writer = codegen::Writer::new();
            codegen::Encode::encode(&file, &mut writer);
            let callee = codegen::Callee {
                interface: &self.interface,
                function: "store",
                type_hash: codegen::TypeHash([
                    71u8, 169u8, 33u8, 205u8, 251u8, 48u8, 35u8, 144u8,
                ]),
            };
            self.client.call(callee, writer).await
        }
        pub async fn load(&self, at: Place) -> Result<Option<File>, codegen::CallError> {
            let mut writer = codegen::Writer::new();
            codegen::Encode::encode(&at, &mut writer);
            let callee = codegen::Callee {
                interface: &self.interface,
                function: "load",
                type_hash: codegen::TypeHash([
                    207u8, 224u8, 230u8, 181u8, 1u8, 109u8, 228u8, 140u8,
                ]),
            };
            self.client.call(callee, writer).await
        }
        pub async fn copy(
            &self,
            from: codegen::Stream,
        ) -> Result<codegen::Stream, codegen::CallError> {
            let mut writer = codegen::Writer::new();
            codegen::Encode::encode(&from, &mut writer);
            let callee = codegen::Callee {
                interface: &self.interface,
                function: "copy",
                type_hash: codegen::TypeHash([
                    193u8, 70u8, 183u8, 189u8, 73u8, 183u8, 110u8, 80u8,
                ]),
            };
            self.client.call(callee, writer).await
        }
        pub async fn pick(&self, from: Source) -> Result<Source, codegen::CallError> {
            let mut writer = codegen::Writer::new();
            codegen::Encode::encode(&from, &mut writer);
            let callee = codegen::Callee {
                interface: &self.interface,
                function: "pick",
                type_hash: codegen::TypeHash([
                    222u8, 108u8, 234u8, 236u8, 82u8, 101u8, 51u8, 103u8,
                ]),
            };
            self.client.call(callee, writer).await
        }
    }
}
