//! The provider implementations that are linked into `wicker`: the one place that names them.

use wicker_provider::Builtin;
use wicker_reconciler::inventory::{Builtin as Facts, Builtins};

/// By name, as manifests and the command line know them.
static BUILTINS: &[Builtin] = &[
    Builtin::of::<blobstore_fs::Files>(),
    Builtin::of::<blobstore_nats::Nats>(),
    Builtin::of::<blobstore_s3::S3>(),
    Builtin::of::<keyvalue_redb::Redb>(),
    Builtin::of::<keyvalue_redis::Redis>(),
    Builtin::of::<keyvalue_nats::Nats>(),
    Builtin::of::<keyvalue_postgres::Postgres>(),
    Builtin::of::<messaging_memory::Memory>(),
    Builtin::of::<messaging_mqtt::Mqtt>(),
    Builtin::of::<messaging_nats::Nats>(),
    Builtin::of::<sql_postgres::Postgres>(),
    Builtin::of::<sql_sqlite::Sqlite>(),
    Builtin::of::<static_files::StaticFiles>(),
    Builtin::of::<tcp_listener::TcpListener>(),
    Builtin::of::<http_client::HttpClient>(),
    Builtin::of::<http_server::HttpServer>(),
];

/// Every implementation.
#[must_use]
pub fn builtins() -> &'static [Builtin] {
    BUILTINS
}

/// The same, as validation sees them.
#[must_use]
pub fn facts() -> Builtins {
    let entry = |builtin: &Builtin| {
        let facts = Facts { sharing: builtin.sharing(), world: builtin.world() };
        (builtin.name().to_owned(), facts)
    };
    BUILTINS.iter().map(entry).collect()
}
