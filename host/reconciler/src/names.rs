//! Ids as people type them: any ending that only one object has.

use wicker_lattice::id::ObjectId;

/// What a text turned out to mean.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resolved {
    /// This object.
    One(ObjectId),
    /// A full id of an object that is not there.
    Unknown(ObjectId),
    /// More than one object.
    Several(Vec<ObjectId>),
    /// No object, and not a full id.
    None,
}

/// Finds what `text` means: a full id, or an ending of one (`application/name`, `name`).
///
/// The application and its only object often share a name; `counter` means `default/counter/counter` even where
/// another application has a `counter` too.
#[must_use]
pub fn resolve<'a>(text: &str, objects: impl IntoIterator<Item = &'a ObjectId>) -> Resolved {
    let ending = format!("/{text}");
    let matches: Vec<&ObjectId> = objects
        .into_iter()
        .filter(|id| id.as_str() == text || id.as_str().ends_with(&ending))
        .collect();
    let bare = ObjectId::bare(text).ok();
    match matches.as_slice() {
        [one] => Resolved::One((*one).clone()),
        [] => text.parse().map_or(Resolved::None, Resolved::Unknown),
        several => match bare.filter(|bare| several.contains(&bare)) {
            Some(bare) => Resolved::One(bare),
            None => Resolved::Several(several.iter().map(|id| (*id).clone()).collect()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_unambiguous_ending_means_its_object() {
        let ids: Vec<ObjectId> = [
            "default/shop/cart",
            "default/shop/api",
            "acme/shop/api",
            "default/api/api",
            "acme/x/y",
        ]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
        let one = |text: &str| Resolved::One(text.parse().unwrap());
        assert_eq!(resolve("cart", &ids), one("default/shop/cart"));
        assert_eq!(resolve("acme/shop/api", &ids), one("acme/shop/api"));
        assert_eq!(resolve("api", &ids), one("default/api/api"));
        assert_eq!(resolve("x/y", &ids), one("acme/x/y"));
        assert!(matches!(resolve("shop/api", &ids), Resolved::Several(found) if found.len() == 2));
        assert_eq!(resolve("art", &ids), Resolved::None);
        assert_eq!(resolve("a/b/c", &ids), Resolved::Unknown("a/b/c".parse().unwrap()));
    }
}
