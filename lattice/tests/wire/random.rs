//! Every decoder meets random bytes: it refuses them or reads something that it would write. The fuzz targets of
//! `lattice/fuzz` run the same for longer.

use bytes::Bytes;
use proptest::prelude::*;
use wicker_lattice::escape;
use wicker_lattice::frame::{Frame, Request};
use wicker_lattice::http;
use wicker_lattice::subject::{self, Callee};
use wicker_lattice::types::Type;
use wicker_lattice::wave;

use crate::tree::types;
use crate::values::same;

/// Mostly small numbers, so that lengths, indices and kinds are often plausible.
fn noise() -> impl Strategy<Value = Bytes> {
    let byte = prop_oneof![0..12_u8, any::<u8>()];
    proptest::collection::vec(byte, 0..96).prop_map(Bytes::from)
}

fn holds_floats(ty: &Type) -> bool {
    let text = ty.to_string();
    text.contains("f32") || text.contains("f64")
}

proptest! {
    #[test]
    fn random_bytes_are_refused_or_a_value_with_this_one_encoding(ty in types(), bytes in noise()) {
        let function = same(&ty);
        if let Ok(text) = wave::print_results(&function, &bytes) {
            let again = wave::encode_params("same", &function, &[&text]).unwrap();
            // A NaN may have come in another form.
            prop_assert!(again == bytes || holds_floats(&ty), "{} as {}", text, ty);
        }
    }

    #[test]
    fn random_bytes_are_refused_or_a_frame(kind in 0..12_u8, rest in noise()) {
        let message = Bytes::from([&[1, kind], &rest[..]].concat());
        if let Ok(request) = Request::decode(message.clone()) {
            prop_assert_eq!(Request::decode(request.encode()), Ok(request));
        }
        if let Ok(frame) = Frame::decode(message) {
            prop_assert_eq!(Frame::decode(frame.encode()), Ok(frame));
        }
    }

    #[test]
    fn random_bytes_are_refused_or_http(bytes in noise()) {
        if let Ok(head) = http::decode_request(&bytes) {
            prop_assert_eq!(http::decode_request(&http::encode_request(&head)), Ok(head));
        }
        if let Ok(answer) = http::decode_response(&bytes) {
            prop_assert_eq!(http::decode_response(&http::encode_response(&answer)), Ok(answer));
        }
    }

    #[test]
    fn escape_is_injective(name in any::<String>(), token in "[a-z0-9_-]{0,16}") {
        let printed = escape::print(&name);
        prop_assert!(printed.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
        prop_assert_eq!(escape::parse(&printed), Some(name));
        if let Some(name) = escape::parse(&token) {
            prop_assert_eq!(escape::print(&name), token);
        }
    }

    #[test]
    fn random_subjects_are_refused_or_read_back(subject in "wicker\\.a\\.[cr](\\.[A-Z0-9a-z_*>]{1,26}){2,6}") {
        if let Some((_, tokens)) = subject::parse_request(&subject)
            && let Some(callee) = Callee::from_tokens(tokens)
        {
            prop_assert_eq!(callee.to_tokens(), tokens);
        }
        let _ = (subject::parse_reply(&subject), subject::parse_attempt(&subject));
    }

    #[test]
    fn callee_survives_its_subject(
        names in proptest::array::uniform3("[a-z0-9]([a-z0-9-]{0,9}[a-z0-9])?"),
        package in "[a-z]{1,8}:[a-z]{1,8}/[a-z]{1,8}(@0\\.[1-9]|@[1-9]|@0\\.0\\.7|@0\\.2\\.0-draft2)?",
        function in "(\\[(method|static)\\][a-z]{1,8}\\.)?[a-z]{1,8}",
    ) {
        let callee = Callee {
            target: names.join("/").parse().unwrap(),
            interface: package.parse().unwrap(),
            function: function.into(),
        };
        let tokens = callee.to_tokens();
        prop_assert_eq!(tokens.split('.').count(), 3);
        prop_assert_eq!(Callee::from_tokens(&tokens), Some(callee));
    }
}
