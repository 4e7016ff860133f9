//! Canonical forms and hashes of types.

use wit_parser::Resolve;

use super::{World, from_wit};

const WIT: &str = "
package wicker:sample@1.2.3;

interface types {
    resource bucket { constructor(name: string); get: func(key: string) -> result<option<blob>, error>; }
    record blob { mime: option<string>, body: list<u8> }
    variant error { not-found, other(string) }
}

interface store {
    use types.{bucket, error};
    type id = u64;
    open: func(id: id) -> result<bucket, error>;
    list-all: async func(of: borrow<bucket>) -> tuple<list<string>, stream<u8>>;
    ping: func();
}

world app {
    import store;
    import free: func();
    import inline: interface { f: func(); }
    export types;
}
";

fn sample() -> World {
    let mut resolve = Resolve::default();
    let package = resolve.push_source("sample.wit", WIT).unwrap();
    let world = resolve.select_world(&[package], None).unwrap();
    from_wit::world(&resolve, world).unwrap()
}

#[test]
fn wit_becomes_the_canonical_form() {
    let world = sample();
    let form = |interface: &str, function: &str| {
        let name = interface.parse().unwrap();
        let functions = world.imports.get(&name).or_else(|| world.exports.get(&name));
        functions.unwrap()[function].to_string()
    };
    let error = "variant{not-found,other(string),}";
    for (interface, function, expected) in [
        ("wicker:sample/store@1.2.3", "ping", "func()".to_owned()),
        (
            "wicker:sample/store@1.2.3",
            "open",
            format!("func(id:u64,)->result<own<wicker:sample/types#bucket>,{error}>"),
        ),
        (
            "wicker:sample/store@1.2.3",
            "list-all",
            "func(of:borrow<wicker:sample/types#bucket>,)->tuple{list<string>,stream<u8>,}"
                .to_owned(),
        ),
        (
            "wicker:sample/types@1.2.3",
            "[constructor]bucket",
            "func(name:string,)->own<wicker:sample/types#bucket>".to_owned(),
        ),
        (
            "wicker:sample/types@1.2.3",
            "[method]bucket.get",
            format!(
                "func(self:borrow<wicker:sample/types#bucket>,key:string,)\
                 ->result<option<record{{mime:option<string>,body:list<u8>,}}>,{error}>"
            ),
        ),
    ] {
        assert_eq!(form(interface, function), expected);
    }
}

#[test]
fn world_holds_what_a_link_can_lead_to() {
    let world = sample();
    let names = |side: &super::BTreeMap<_, _>| {
        side.keys().map(|name: &super::InterfaceName| name.to_string()).collect::<Vec<_>>()
    };
    // `types` is imported for its resource, so its functions are; inline interfaces and free functions are not.
    assert_eq!(names(&world.imports), ["wicker:sample/store@1.2.3", "wicker:sample/types@1.2.3"]);
    assert_eq!(names(&world.exports), ["wicker:sample/types@1.2.3"]);
    assert!(
        world
            .imports
            .values()
            .any(|functions| functions.get("list-all").is_some_and(|f| f.is_async))
    );
}
