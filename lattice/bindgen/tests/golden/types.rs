/// `demo:types/all@1.2.3`.
///
/// Every kind of type.
#[allow(
    missing_docs,
    unused_imports,
    clippy::all,
    clippy::pedantic,
    reason = "the WIT says what things mean"
)]
pub mod all {
    use ::wicker_provider::codegen;
    /// The interface's full name.
    #[must_use]
    pub fn name() -> codegen::InterfaceName {
        codegen::name("demo:types/all@1.2.3")
    }
    pub type Name = String;
    pub type Payload = codegen::Bytes;
    /// A point.
    #[derive(Debug, Clone, PartialEq)]
    pub struct Point {
        /// Across.
        pub x: i32,
        pub r#type: f64,
    }
    impl codegen::Encode for Point {
        fn encode(&self, writer: &mut codegen::Writer) {
            codegen::Encode::encode(&self.x, writer);
            codegen::Encode::encode(&self.r#type, writer);
        }
    }
    impl codegen::Decode for Point {
        fn decode(
            reader: &mut codegen::Reader<'_>,
        ) -> Result<Self, codegen::DecodeError> {
            Ok(Self {
                x: codegen::Decode::decode(reader)?,
                r#type: codegen::Decode::decode(reader)?,
            })
        }
    }
    #[derive(Debug, Clone, PartialEq)]
    pub enum Shape {
        None,
        Circle(f32),
        Path(Vec<Point>),
    }
    impl codegen::Encode for Shape {
        fn encode(&self, writer: &mut codegen::Writer) {
            match self {
                Self::None => writer.leb_u(0u64),
                Self::Circle(payload) => {
                    writer.leb_u(1u64);
                    codegen::Encode::encode(payload, writer);
                }
                Self::Path(payload) => {
                    writer.leb_u(2u64);
                    codegen::Encode::encode(payload, writer);
                }
            }
        }
    }
    impl codegen::Decode for Shape {
        fn decode(
            reader: &mut codegen::Reader<'_>,
        ) -> Result<Self, codegen::DecodeError> {
            Ok(
                match codegen::case(reader, 3usize)? {
                    0u64 => Self::None,
                    1u64 => Self::Circle(codegen::Decode::decode(reader)?),
                    2u64 => Self::Path(codegen::Decode::decode(reader)?),
                    _ => unreachable!("the reader checks the index of a case"),
                },
            )
        }
    }
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
    pub enum Colour {
        Red,
        LightBlue,
    }
    impl codegen::Encode for Colour {
        fn encode(&self, writer: &mut codegen::Writer) {
            match self {
                Self::Red => writer.leb_u(0u64),
                Self::LightBlue => writer.leb_u(1u64),
            }
        }
    }
    impl codegen::Decode for Colour {
        fn decode(
            reader: &mut codegen::Reader<'_>,
        ) -> Result<Self, codegen::DecodeError> {
            Ok(
                match codegen::case(reader, 2usize)? {
                    0u64 => Self::Red,
                    1u64 => Self::LightBlue,
                    _ => unreachable!("the reader checks the index of a case"),
                },
            )
        }
    }
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
    pub struct Rights {
        pub read: bool,
        pub write: bool,
        pub exec_all: bool,
    }
    impl codegen::Encode for Rights {
        fn encode(&self, writer: &mut codegen::Writer) {
            codegen::put_flags(writer, &[self.read, self.write, self.exec_all]);
        }
    }
    impl codegen::Decode for Rights {
        fn decode(
            reader: &mut codegen::Reader<'_>,
        ) -> Result<Self, codegen::DecodeError> {
            let flags = codegen::flags::<3usize>(reader)?;
            Ok(Self {
                read: flags[0usize],
                write: flags[1usize],
                exec_all: flags[2usize],
            })
        }
    }
    #[derive(Debug, Clone, PartialEq)]
    pub struct Everything {
        pub name: Name,
        pub payload: codegen::Bytes,
        pub shape: Option<Shape>,
        pub colour: Colour,
        pub rights: Rights,
        pub pair: (char, u16),
        pub outcome: Result<(), Name>,
    }
    impl codegen::Encode for Everything {
        fn encode(&self, writer: &mut codegen::Writer) {
            codegen::Encode::encode(&self.name, writer);
            codegen::Encode::encode(&self.payload, writer);
            codegen::Encode::encode(&self.shape, writer);
            codegen::Encode::encode(&self.colour, writer);
            codegen::Encode::encode(&self.rights, writer);
            codegen::Encode::encode(&self.pair, writer);
            codegen::Encode::encode(&self.outcome, writer);
        }
    }
    impl codegen::Decode for Everything {
        fn decode(
            reader: &mut codegen::Reader<'_>,
        ) -> Result<Self, codegen::DecodeError> {
            Ok(Self {
                name: codegen::Decode::decode(reader)?,
                payload: codegen::Decode::decode(reader)?,
                shape: codegen::Decode::decode(reader)?,
                colour: codegen::Decode::decode(reader)?,
                rights: codegen::Decode::decode(reader)?,
                pair: codegen::Decode::decode(reader)?,
                outcome: codegen::Decode::decode(reader)?,
            })
        }
    }
    /// Every kind of type.
    pub trait All: Send + Sync + 'static {
        /// Gives it back.
        fn echo(&self, value: Everything) -> impl Future<Output = Everything> + Send;
        fn nothing(&self) -> impl Future<Output = ()> + Send;
        fn many(
            &self,
            a: bool,
            b: u8,
            c: u64,
            d: i8,
            e: i64,
            f: Vec<String>,
        ) -> impl Future<Output = Result<codegen::Bytes, ()>> + Send;
    }
    /// The interface, served by `L`.
    #[must_use]
    pub fn serve<L: All>() -> ::wicker_provider::Interface<L> {
        ::wicker_provider::Interface::new(name())
            .function(
                "echo",
                codegen::function_type(
                    "{\"params\":[[\"value\",{\"record\":[[\"name\",\"string\"],[\"payload\",{\"list\":\"u8\"}],[\"shape\",{\"option\":{\"variant\":[[\"none\",null],[\"circle\",\"f32\"],[\"path\",{\"list\":{\"record\":[[\"x\",\"s32\"],[\"type\",\"f64\"]]}}]]}}],[\"colour\",{\"enum\":[\"red\",\"light-blue\"]}],[\"rights\",{\"flags\":[\"read\",\"write\",\"exec-all\"]}],[\"pair\",{\"tuple\":[\"char\",\"u16\"]}],[\"outcome\",{\"result\":{\"ok\":null,\"err\":\"string\"}}]]}]],\"result\":{\"record\":[[\"name\",\"string\"],[\"payload\",{\"list\":\"u8\"}],[\"shape\",{\"option\":{\"variant\":[[\"none\",null],[\"circle\",\"f32\"],[\"path\",{\"list\":{\"record\":[[\"x\",\"s32\"],[\"type\",\"f64\"]]}}]]}}],[\"colour\",{\"enum\":[\"red\",\"light-blue\"]}],[\"rights\",{\"flags\":[\"read\",\"write\",\"exec-all\"]}],[\"pair\",{\"tuple\":[\"char\",\"u16\"]}],[\"outcome\",{\"result\":{\"ok\":null,\"err\":\"string\"}}]]},\"is_async\":false}",
                ),
                |link, mut call| Box::pin(async move {
                    let mut reader = codegen::params(&mut call)?;
                    let p0: Everything = codegen::param(&mut reader)?;
                    codegen::end(reader)?;
                    let result = <L as All>::echo(&link, p0).await;
                    Ok(codegen::answer(&result))
                }),
            )
            .function(
                "nothing",
                codegen::function_type(
                    "{\"params\":[],\"result\":null,\"is_async\":false}",
                ),
                |link, mut call| Box::pin(async move {
                    let mut reader = codegen::params(&mut call)?;
                    codegen::end(reader)?;
                    let result = <L as All>::nothing(&link).await;
                    Ok(codegen::answer(&result))
                }),
            )
            .function(
                "many",
                codegen::function_type(
                    "{\"params\":[[\"a\",\"bool\"],[\"b\",\"u8\"],[\"c\",\"u64\"],[\"d\",\"s8\"],[\"e\",\"s64\"],[\"f\",{\"list\":\"string\"}]],\"result\":{\"result\":{\"ok\":{\"list\":\"u8\"},\"err\":null}},\"is_async\":true}",
                ),
                |link, mut call| Box::pin(async move {
                    let mut reader = codegen::params(&mut call)?;
                    let p0: bool = codegen::param(&mut reader)?;
                    let p1: u8 = codegen::param(&mut reader)?;
                    let p2: u64 = codegen::param(&mut reader)?;
                    let p3: i8 = codegen::param(&mut reader)?;
                    let p4: i64 = codegen::param(&mut reader)?;
                    let p5: Vec<String> = codegen::param(&mut reader)?;
                    codegen::end(reader)?;
                    let result = <L as All>::many(&link, p0, p1, p2, p3, p4, p5).await;
                    Ok(codegen::answer(&result))
                }),
            )
    }
    /// The interface, as one that a provider calls.
    #[must_use]
    pub fn import() -> ::wicker_provider::interface::Import {
        ::wicker_provider::interface::Import::new(name())
            .function(
                "echo",
                codegen::function_type(
                    "{\"params\":[[\"value\",{\"record\":[[\"name\",\"string\"],[\"payload\",{\"list\":\"u8\"}],[\"shape\",{\"option\":{\"variant\":[[\"none\",null],[\"circle\",\"f32\"],[\"path\",{\"list\":{\"record\":[[\"x\",\"s32\"],[\"type\",\"f64\"]]}}]]}}],[\"colour\",{\"enum\":[\"red\",\"light-blue\"]}],[\"rights\",{\"flags\":[\"read\",\"write\",\"exec-all\"]}],[\"pair\",{\"tuple\":[\"char\",\"u16\"]}],[\"outcome\",{\"result\":{\"ok\":null,\"err\":\"string\"}}]]}]],\"result\":{\"record\":[[\"name\",\"string\"],[\"payload\",{\"list\":\"u8\"}],[\"shape\",{\"option\":{\"variant\":[[\"none\",null],[\"circle\",\"f32\"],[\"path\",{\"list\":{\"record\":[[\"x\",\"s32\"],[\"type\",\"f64\"]]}}]]}}],[\"colour\",{\"enum\":[\"red\",\"light-blue\"]}],[\"rights\",{\"flags\":[\"read\",\"write\",\"exec-all\"]}],[\"pair\",{\"tuple\":[\"char\",\"u16\"]}],[\"outcome\",{\"result\":{\"ok\":null,\"err\":\"string\"}}]]},\"is_async\":false}",
                ),
            )
            .function(
                "nothing",
                codegen::function_type(
                    "{\"params\":[],\"result\":null,\"is_async\":false}",
                ),
            )
            .function(
                "many",
                codegen::function_type(
                    "{\"params\":[[\"a\",\"bool\"],[\"b\",\"u8\"],[\"c\",\"u64\"],[\"d\",\"s8\"],[\"e\",\"s64\"],[\"f\",{\"list\":\"string\"}]],\"result\":{\"result\":{\"ok\":{\"list\":\"u8\"},\"err\":null}},\"is_async\":true}",
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
        /// Gives it back.
        pub async fn echo(
            &self,
            value: Everything,
        ) -> Result<Everything, codegen::CallError> {
            let mut writer = codegen::Writer::new();
            codegen::Encode::encode(&value, &mut writer);
            let callee = codegen::Callee {
                interface: &self.interface,
                function: "echo",
                type_hash: codegen::TypeHash([
                    93u8, 162u8, 230u8, 54u8, 119u8, 151u8, 83u8, 250u8,
                ]),
            };
            self.client.call(callee, writer).await
        }
        pub async fn nothing(&self) -> Result<(), codegen::CallError> {
            let mut writer = codegen::Writer::new();
            let callee = codegen::Callee {
                interface: &self.interface,
                function: "nothing",
                type_hash: codegen::TypeHash([
                    1u8, 5u8, 70u8, 127u8, 43u8, 239u8, 161u8, 6u8,
                ]),
            };
            self.client.call(callee, writer).await
        }
        pub async fn many(
            &self,
            a: bool,
            b: u8,
            c: u64,
            d: i8,
            e: i64,
            f: Vec<String>,
        ) -> Result<Result<codegen::Bytes, ()>, codegen::CallError> {
            let mut writer = codegen::Writer::new();
            codegen::Encode::encode(&a, &mut writer);
            codegen::Encode::encode(&b, &mut writer);
            codegen::Encode::encode(&c, &mut writer);
            codegen::Encode::encode(&d, &mut writer);
            codegen::Encode::encode(&e, &mut writer);
            codegen::Encode::encode(&f, &mut writer);
            let callee = codegen::Callee {
                interface: &self.interface,
                function: "many",
                type_hash: codegen::TypeHash([
                    141u8, 106u8, 156u8, 194u8, 61u8, 240u8, 53u8, 236u8,
                ]),
            };
            self.client.call(callee, writer).await
        }
    }
}
