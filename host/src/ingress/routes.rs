//! The route table of one listener, from the records of the lattice: pure.

use std::collections::BTreeMap;
use std::sync::Arc;

use http_server::routes::Routes;
use wicker_lattice::id::{ObjectId, ProcessId};
use wicker_lattice::store::record::{Route, Share};
use wicker_lattice::weighted::Weighted;

/// Builds the table for the listener of `here`, each target as `bind` makes it, and names the claims that lost.
///
/// A route that is for this listener only wins over one of the same host and path for all: whoever typed it sees it
/// work. Else the claims are taken in the order of who made them, so that every host decides alike.
pub fn build<T>(
    records: &[Route],
    here: ProcessId,
    bind: impl Fn(&ObjectId) -> T,
) -> (Routes<Arc<Weighted<T>>>, Vec<&Route>) {
    let is_for_us = |route: &&Route| route.only_on.is_none_or(|only| only == here);
    let mut records: Vec<&Route> = records.iter().filter(is_for_us).collect();
    records.sort_by_key(|route| (route.only_on.is_none(), &route.claimed_by, &route.target));
    let mut routes = Routes::default();
    let mut refused = Vec::new();
    let mut targets = BTreeMap::new();
    for route in records {
        let Route { target, split, .. } = route;
        let target = targets.entry((target, split)).or_insert_with(|| {
            let shares = Share::all(target, split).into_iter();
            let shared = Weighted::new(shares.map(|share| (bind(&share.target), share.weight)));
            Arc::new(shared.unwrap_or_else(|| bind(target).into()))
        });
        if !routes.claim(route.host.as_deref(), &route.path, Arc::clone(target)) {
            refused.push(route);
        }
    }
    (routes, refused)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn route(path: &str, name: &str, only_on: Option<ProcessId>) -> Route {
        let target = ObjectId::bare(name).unwrap();
        let claimed_by = format!("default/{name}");
        let (path, split) = (path.to_owned(), Vec::new());
        Route { host: None, path, target, split, claimed_by, only_on }
    }

    fn found<'a>(routes: &'a Routes<Arc<Weighted<ObjectId>>>, path: &str) -> Option<&'a str> {
        routes.find_for(Some("a.example"), path).map(|target| target.pick().name())
    }

    #[test]
    fn bare_file_is_served_by_its_own_host_only() {
        let (here, there) = (ProcessId::generate(), ProcessId::generate());
        let records = [route("/", "mine", Some(here)), route("/", "theirs", Some(there))];
        let (routes, refused) = build(&records, here, Clone::clone);
        assert_eq!(found(&routes, "/"), Some("mine"));
        assert!(refused.is_empty());
    }

    #[test]
    fn route_of_this_listener_wins_over_one_for_all_and_the_loser_is_named() {
        let here = ProcessId::generate();
        let records = [route("/", "all", None), route("/", "mine", Some(here))];
        let (routes, refused) = build(&records, here, Clone::clone);
        assert_eq!(found(&routes, "/x"), Some("mine"));
        assert_eq!(refused, [&records[0]]);
    }

    #[test]
    fn every_host_decides_alike_about_two_claims() {
        let (one, two) = (route("/api", "a", None), route("/api/", "b", None));
        for records in [[one.clone(), two.clone()], [two, one]] {
            let (routes, refused) = build(&records, ProcessId::generate(), Clone::clone);
            assert_eq!(found(&routes, "/api"), Some("a"));
            assert_eq!(refused.len(), 1);
        }
    }
}
