//! What every component may import, whether it was granted anything or not: guests built by common tools import the
//! whole `wasi:cli` world and rarely use it.
//!
//! Versions: a definition at 0.2.12 serves every 0.2.x, so only the newest is linked.

use std::future::Future;
use std::sync::Arc;

use wasmtime::StoreContextMut;
use wasmtime::component::{HasData, Linker, Resource, ResourceTable};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::filesystem::types as files;
use wasmtime_wasi::p2::bindings::{LinkOptions, filesystem, io, sockets};
use wasmtime_wasi::sockets::WasiSocketsView as _;
use wasmtime_wasi::{p2, p3};
use wasmtime_wasi_http::p3::bindings::http::client;
use wasmtime_wasi_http::p3::bindings::http::types::ErrorCode;
use wasmtime_wasi_http::p3::{Request, Response};
use wasmtime_wasi_http::{WasiHttp, WasiHttpView as _};

use super::{Denial, config, logging, secrets};
use crate::blobstore;
use crate::flavor::Flavor;
use crate::instance::Guest;

/// The newest 0.2 and 0.3 that wasmtime knows.
const V2: &str = "0.2.12";
const V3: &str = "0.3.0";

/// Adds WASI 0.2, and 0.3 where the engine keeps track of concurrent tasks, without which 0.3 cannot be.
pub(crate) fn add_to_linker(linker: &mut Linker<Guest>, flavor: Flavor) -> wasmtime::Result<()> {
    let mut options = LinkOptions::default();
    options.network_error_code(true);
    // What follows replaces parts of what wasmtime brings.
    linker.allow_shadowing(true);
    p2::add_to_linker_with_options_async(linker, &options)?;
    wasmtime_wasi_http::p2::add_only_http_to_linker_async(linker)?;
    add_io(linker)?;
    deny_files(linker)?;
    deny_sockets(linker)?;
    config::add_to_linker(linker)?;
    logging::add_to_linker(linker)?;
    blobstore::add_to_linker(linker)?;
    secrets::add_to_linker(linker)?;
    if flavor == Flavor::Concurrent {
        p3::add_to_linker(linker)?;
        wasmtime_wasi_http::p3::add_to_linker(linker)?;
        add_handler(linker)?;
        deny_files_async(linker)?;
        deny_sockets_async(linker)?;
    }
    linker.allow_shadowing(false);
    Ok(())
}

/// Streams need the table only. Reached through wasmtime's own accessor, they would make the whole WASI context of an
/// instance that needs nothing else of it.
struct Io;

impl HasData for Io {
    type Data<'a> = &'a mut ResourceTable;
}

fn add_io(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    fn table(guest: &mut Guest) -> &mut ResourceTable {
        guest.wasi.table()
    }
    io::error::add_to_linker::<Guest, Io>(linker, table)?;
    io::poll::add_to_linker::<Guest, Io>(linker, table)?;
    io::streams::add_to_linker::<Guest, Io>(linker, table)
}

/// `wasi:http/handler`, imported: middleware hands requests on, to where the requests that it sends go as well.
fn add_handler(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut handler = linker.instance(&format!("wasi:http/handler@{V3}"))?;
    handler.func_wrap_concurrent("handle", |accessor, (request,): (Resource<Request>,)| {
        Box::pin(async move {
            let accessor = accessor.with_getter::<WasiHttp>(Guest::http);
            let response = match client::HostWithStore::send(&accessor, request).await {
                Ok(response) => Ok(response),
                Err(error) => Err(error.downcast()?),
            };
            let answer: (Result<Resource<Response>, ErrorCode>,) = (response,);
            Ok(answer)
        })
    })
}

fn deny(store: &StoreContextMut<'_, Guest>, denial: Denial<'_>) {
    store.data().template().deny(denial);
}

type Directories = Vec<(Resource<Descriptor>, String)>;

/// Notices who looks for files without any, and who writes where it may only read.
fn deny_files(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut preopens = linker.instance(&format!("wasi:filesystem/preopens@{V2}"))?;
    preopens.func_wrap("get-directories", |mut store: StoreContextMut<'_, Guest>, (): ()| {
        use filesystem::preopens::Host as _;
        let directories: Directories = store.data_mut().filesystem().get_directories()?;
        if directories.is_empty() {
            deny(&store, Denial::Files);
        }
        Ok((directories,))
    })?;
    let mut types = linker.instance(&format!("wasi:filesystem/types@{V2}"))?;
    types.func_wrap_async("[method]descriptor.open-at", |store, params| {
        Box::new(open_at(store, params))
    })
}

type OpenAt =
    (Resource<Descriptor>, files::PathFlags, String, files::OpenFlags, files::DescriptorFlags);

type Opened = (Result<Resource<Descriptor>, files::ErrorCode>,);

fn open_at(
    mut store: StoreContextMut<'_, Guest>,
    (directory, path_flags, path, open_flags, flags): OpenAt,
) -> impl Future<Output = wasmtime::Result<Opened>> + Send {
    use files::HostDescriptor as _;
    async move {
        let mut files = store.data_mut().filesystem();
        let opened = files.open_at(directory, path_flags, path, open_flags, flags).await;
        let error = match opened {
            Ok(file) => return Ok((Ok(file),)),
            Err(error) => error.downcast()?,
        };
        if matches!(error, files::ErrorCode::NotPermitted | files::ErrorCode::ReadOnly) {
            deny(&store, Denial::Write);
        }
        Ok((Err(error),))
    }
}

/// Whether the component of this store has sockets at all; where it has none that is said.
fn has_sockets(store: &StoreContextMut<'_, Guest>, denial: Denial<'_>) -> bool {
    let is_any = store.data().template().network().is_any();
    if !is_any {
        deny(store, denial);
    }
    is_any
}

/// Refuses before a socket of the host is made, where none is granted.
fn deny_sockets(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    use sockets::network::{ErrorCode, IpAddressFamily, Network};
    use sockets::tcp_create_socket::Host as _;
    use sockets::udp_create_socket::Host as _;
    type Made<T> = (Result<Resource<T>, ErrorCode>,);

    let mut tcp = linker.instance(&format!("wasi:sockets/tcp-create-socket@{V2}"))?;
    tcp.func_wrap(
        "create-tcp-socket",
        |mut store: StoreContextMut<'_, Guest>, (family,): (IpAddressFamily,)| {
            if !has_sockets(&store, Denial::Socket) {
                return Ok::<Made<p2::TcpSocket>, _>((Err(ErrorCode::AccessDenied),));
            }
            match store.data_mut().sockets().create_tcp_socket(family) {
                Ok(socket) => Ok((Ok(socket),)),
                Err(error) => Ok((Err(error.downcast()?),)),
            }
        },
    )?;
    let mut udp = linker.instance(&format!("wasi:sockets/udp-create-socket@{V2}"))?;
    udp.func_wrap_async(
        "create-udp-socket",
        |mut store: StoreContextMut<'_, Guest>, (family,): (IpAddressFamily,)| {
            Box::new(async move {
                if !has_sockets(&store, Denial::Socket) {
                    return Ok::<Made<p2::UdpSocket>, _>((Err(ErrorCode::AccessDenied),));
                }
                match store.data_mut().sockets().create_udp_socket(family).await {
                    Ok(socket) => Ok((Ok(socket),)),
                    Err(error) => Ok((Err(error.downcast()?),)),
                }
            })
        },
    )?;
    let mut lookup = linker.instance(&format!("wasi:sockets/ip-name-lookup@{V2}"))?;
    lookup.func_wrap_async(
        "resolve-addresses",
        |store: StoreContextMut<'_, Guest>, (network, name): (Resource<Network>, String)| {
            Box::new(resolve(store, network, name))
        },
    )
}

type Resolved = (
    Result<Resource<sockets::ip_name_lookup::ResolveAddressStream>, sockets::network::ErrorCode>,
);

/// Resolves a name that is granted, and no other.
async fn resolve(
    mut store: StoreContextMut<'_, Guest>,
    network: Resource<sockets::network::Network>,
    name: String,
) -> wasmtime::Result<Resolved> {
    use sockets::ip_name_lookup::Host as _;
    let template = Arc::clone(store.data().template());
    if !template.network().is_any() || template.network().resolve(&name).await.is_none() {
        template.deny(Denial::Lookup);
        return Ok((Err(sockets::network::ErrorCode::AccessDenied),));
    }
    match store.data_mut().sockets().resolve_addresses(network, name) {
        Ok(stream) => Ok((Ok(stream),)),
        Err(error) => Ok((Err(error.downcast()?),)),
    }
}

/// [`deny_files`] for WASI 0.3.
fn deny_files_async(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    let mut preopens = linker.instance(&format!("wasi:filesystem/preopens@{V3}"))?;
    preopens.func_wrap("get-directories", |mut store: StoreContextMut<'_, Guest>, (): ()| {
        use p3::bindings::filesystem::preopens::Host as _;
        let directories: Directories = store.data_mut().filesystem().get_directories()?;
        if directories.is_empty() {
            deny(&store, Denial::Files);
        }
        Ok((directories,))
    })
}

/// [`deny_sockets`] for WASI 0.3.
fn deny_sockets_async(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    use p3::bindings::sockets::ip_name_lookup;
    use p3::bindings::sockets::types::{ErrorCode, IpAddress, IpAddressFamily};
    use wasmtime_wasi::sockets::{TcpSocket, UdpSocket};
    type Made<T> = (Result<Resource<T>, ErrorCode>,);
    type Found = (Result<Vec<IpAddress>, ip_name_lookup::ErrorCode>,);

    let mut types = linker.instance(&format!("wasi:sockets/types@{V3}"))?;
    types.func_wrap(
        "[static]tcp-socket.create",
        |mut store: StoreContextMut<'_, Guest>, (family,): (IpAddressFamily,)| {
            if !has_sockets(&store, Denial::Socket) {
                return Ok::<Made<TcpSocket>, _>((Err(ErrorCode::AccessDenied),));
            }
            match p3::bindings::sockets::types::HostTcpSocket::create(
                &mut store.data_mut().sockets(),
                family,
            ) {
                Ok(socket) => Ok((Ok(socket),)),
                Err(error) => Ok((Err(error.downcast()?),)),
            }
        },
    )?;
    types.func_wrap_async(
        "[static]udp-socket.create",
        |mut store: StoreContextMut<'_, Guest>, (family,): (IpAddressFamily,)| {
            Box::new(async move {
                if !has_sockets(&store, Denial::Socket) {
                    return Ok::<Made<UdpSocket>, _>((Err(ErrorCode::AccessDenied),));
                }
                let mut sockets = store.data_mut().sockets();
                match p3::bindings::sockets::types::HostUdpSocket::create(&mut sockets, family)
                    .await
                {
                    Ok(socket) => Ok((Ok(socket),)),
                    Err(error) => Ok((Err(error.downcast()?),)),
                }
            })
        },
    )?;
    let mut lookup = linker.instance(&format!("wasi:sockets/ip-name-lookup@{V3}"))?;
    lookup.func_wrap_concurrent("resolve-addresses", |accessor, (name,): (String,)| {
        Box::pin(async move {
            let template = accessor.with(|mut access| Arc::clone(access.data_mut().template()));
            let found = match template.network().is_any() {
                true => template.network().resolve(&name).await,
                false => None,
            };
            let found: Found = match found {
                Some(found) if !found.is_empty() => {
                    (Ok(found.into_iter().map(IpAddress::from).collect()),)
                }
                Some(_) => (Err(ip_name_lookup::ErrorCode::NameUnresolvable),),
                None => {
                    template.deny(Denial::Lookup);
                    (Err(ip_name_lookup::ErrorCode::AccessDenied),)
                }
            };
            Ok(found)
        })
    })
}
