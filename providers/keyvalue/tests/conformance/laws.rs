//! What wasi:keyvalue promises, whatever is behind it.

use std::collections::BTreeSet;

use futures::future::join_all;
use keyvalue::draft::{atomics, batch, store};
use keyvalue::draft2;
use wicker_lattice::call::{CallError, Status};
use wicker_lattice::id::ObjectId;
use wicker_lattice::types::TypeHash;
use wicker_lattice::value::Writer;
use wicker_provider::client::Callee;
use wicker_provider::{Client, Handle, Own};

use crate::setting::Links;

/// A component with a link to a provider.
pub(crate) struct Shop {
    pub(crate) source: ObjectId,
    client: Client,
    store: store::Client,
    atomics: atomics::Client,
    batch: batch::Client,
    store2: draft2::store::Client,
    atomics2: draft2::atomics::Client,
    batch2: draft2::batch::Client,
}

impl Shop {
    pub(crate) fn new(source: ObjectId, client: Client) -> Self {
        Self {
            source,
            store: store::Client::new(client.clone()),
            atomics: atomics::Client::new(client.clone()),
            batch: batch::Client::new(client.clone()),
            store2: draft2::store::Client::new(client.clone()),
            atomics2: draft2::atomics::Client::new(client.clone()),
            batch2: draft2::batch::Client::new(client.clone()),
            client,
        }
    }

    async fn bucket(&self, name: &str) -> Handle {
        self.store.open(name.to_owned()).await.unwrap().unwrap().0
    }

    pub(crate) async fn try_get(
        &self,
        bucket: &str,
        key: &str,
    ) -> Result<Option<String>, CallError> {
        let bucket = self.store.open(bucket.to_owned()).await?.unwrap();
        let value = self.store.bucket_get(&bucket, key.to_owned()).await?.unwrap();
        Ok(value.map(|value| String::from_utf8(value.into()).unwrap()))
    }

    pub(crate) async fn try_set(
        &self,
        bucket: &str,
        key: &str,
        value: &str,
    ) -> Result<Result<(), store::Error>, CallError> {
        let bucket = match self.store.open(bucket.to_owned()).await? {
            Ok(Own(bucket)) => bucket,
            Err(error) => return Ok(Err(error)),
        };
        self.store.bucket_set(&bucket, key.to_owned(), value.to_owned().into()).await
    }

    pub(crate) async fn get(&self, bucket: &str, key: &str) -> Option<String> {
        self.try_get(bucket, key).await.unwrap()
    }

    pub(crate) async fn set(&self, bucket: &str, key: &str, value: &str) {
        let bucket = self.bucket(bucket).await;
        self.store
            .bucket_set(&bucket, key.to_owned(), value.to_owned().into())
            .await
            .unwrap()
            .unwrap();
    }

    pub(crate) async fn increment(&self, bucket: &str, key: &str, delta: u64) -> u64 {
        let bucket = self.bucket(bucket).await;
        self.atomics.increment(&bucket, key.to_owned(), delta).await.unwrap().unwrap()
    }

    async fn all_keys(&self, bucket: &str) -> Vec<String> {
        let bucket = self.bucket(bucket).await;
        let (mut keys, mut cursor) = (Vec::new(), None);
        loop {
            let page = self.store.bucket_list_keys(&bucket, cursor).await.unwrap().unwrap();
            keys.extend(page.keys);
            cursor = page.cursor;
            if cursor.is_none() {
                return keys;
            }
        }
    }
}

/// Checks every law through a link of its own.
pub(crate) async fn keep_all(links: &Links) {
    let shop = links.open(&[]).await;
    values_are_kept(&shop).await;
    any_name_and_any_bytes_will_do(&shop).await;
    large_values_are_kept(&shop).await;
    buckets_are_apart(&shop).await;
    both_drafts_see_the_same(&shop).await;
    keys_are_listed_page_by_page(&shop).await;
    batches_answer_in_order(&shop).await;
    increments_lose_nothing(&shop).await;
    what_is_no_number_is_not_incremented(&shop).await;
    stale_swaps_fail_and_can_go_on(&shop).await;
    swaps_lose_nothing(&shop).await;
    what_is_not_served_is_said(&shop).await;
    link_opens_only_its_buckets(&links.open(&[("buckets", "mine, ours")]).await).await;
}

async fn values_are_kept(shop: &Shop) {
    let bucket = shop.bucket("values").await;
    let exists = async || shop.store.bucket_exists(&bucket, "k".to_owned()).await.unwrap().unwrap();
    assert_eq!(shop.get("values", "k").await, None);
    assert!(!exists().await);
    shop.set("values", "k", "1").await;
    shop.set("values", "k", "2").await;
    assert_eq!(shop.get("values", "k").await.as_deref(), Some("2"));
    assert!(exists().await);
    for _ in 0..2 {
        shop.store.bucket_delete(&bucket, "k".to_owned()).await.unwrap().unwrap();
        assert_eq!(shop.get("values", "k").await, None);
        assert!(!exists().await);
    }
    shop.set("values", "k", "3").await;
    assert_eq!(shop.get("values", "k").await.as_deref(), Some("3"));
}

async fn any_name_and_any_bytes_will_do(shop: &Shop) {
    let keys = ["", " ", "a.b", "a/b", "a:b*c>", "[x]?\\", "grün", "_", "\u{1F980}"];
    let bucket = shop.bucket("a bucket. of *names* >").await;
    for (at, key) in (0_u8..).zip(keys) {
        let value = vec![0, 255, at];
        shop.store.bucket_set(&bucket, key.to_owned(), value.into()).await.unwrap().unwrap();
    }
    for (at, key) in (0_u8..).zip(keys) {
        let value = shop.store.bucket_get(&bucket, key.to_owned()).await.unwrap().unwrap();
        assert_eq!(value.unwrap().as_ref(), [0, 255, at], "{key}");
    }
    let listed: BTreeSet<String> =
        shop.all_keys("a bucket. of *names* >").await.into_iter().collect();
    assert_eq!(listed, keys.map(str::to_owned).into());
    shop.store.bucket_set(&bucket, "empty".to_owned(), Vec::new().into()).await.unwrap().unwrap();
    assert_eq!(shop.get("a bucket. of *names* >", "empty").await.as_deref(), Some(""));
}

async fn large_values_are_kept(shop: &Shop) {
    let text = "0123456789".repeat(90_000);
    shop.set("large", "k", &text).await;
    assert!(shop.get("large", "k").await.unwrap() == text);
}

async fn buckets_are_apart(shop: &Shop) {
    shop.set("b1", "k", "1").await;
    shop.set("b2", "k", "2").await;
    shop.set("b", "1k", "3").await;
    assert_eq!(shop.get("b1", "k").await.as_deref(), Some("1"));
    assert_eq!(shop.get("b2", "k").await.as_deref(), Some("2"));
    assert_eq!(shop.all_keys("b").await, ["1k"]);
}

async fn both_drafts_see_the_same(shop: &Shop) {
    let bucket = shop.store2.open("both".to_owned()).await.unwrap().unwrap();
    shop.store2.bucket_set(&bucket, "n".to_owned(), "40".into()).await.unwrap().unwrap();
    assert_eq!(shop.increment("both", "n", 2).await, 42);
    let sum = shop.atomics2.increment(&bucket, "n".to_owned(), -43).await.unwrap();
    assert_eq!(sum, Ok(-1));
    assert_eq!(shop.get("both", "n").await.as_deref(), Some("-1"));
}

async fn keys_are_listed_page_by_page(shop: &Shop) {
    const COUNT: usize = 2_300;
    let bucket = shop.bucket("many").await;
    let name = |at: usize| format!("key-{at}");
    let pairs = (0..COUNT).map(|at| (name(at), "x".into())).collect();
    shop.batch.set_many(&bucket, pairs).await.unwrap().unwrap();
    shop.batch
        .delete_many(&bucket, vec![name(7), name(2_000), "none".to_owned()])
        .await
        .unwrap()
        .unwrap();
    let expected: BTreeSet<String> =
        (0..COUNT).filter(|at| ![7, 2_000].contains(at)).map(name).collect();
    let listed: BTreeSet<String> = shop.all_keys("many").await.into_iter().collect();
    assert!(listed == expected, "{} of {} keys listed", listed.len(), expected.len());

    let (mut listed, mut cursor) = (BTreeSet::new(), None);
    loop {
        let page = shop.store2.bucket_list_keys(&bucket, cursor).await.unwrap().unwrap();
        listed.extend(page.keys);
        cursor = page.cursor;
        if cursor.is_none() {
            break;
        }
    }
    assert!(listed == expected, "{} of {} keys listed", listed.len(), expected.len());
    let page = shop.store2.bucket_list_keys(&bucket, Some("no cursor".to_owned())).await.unwrap();
    assert!(matches!(page, Err(draft2::store::Error::Other(_))));
}

async fn batches_answer_in_order(shop: &Shop) {
    let bucket = shop.bucket("batch").await;
    let keys = ["b", "none", "a"].map(str::to_owned).to_vec();
    assert_eq!(shop.batch.get_many(&bucket, Vec::new()).await.unwrap(), Ok(Vec::new()));
    shop.batch.set_many(&bucket, Vec::new()).await.unwrap().unwrap();
    shop.batch.delete_many(&bucket, Vec::new()).await.unwrap().unwrap();
    let pairs = vec![("a".to_owned(), "1".into()), ("b".to_owned(), "2".into())];
    shop.batch.set_many(&bucket, pairs).await.unwrap().unwrap();
    let values = shop.batch.get_many(&bucket, keys.clone()).await.unwrap().unwrap();
    assert_eq!(
        values,
        [Some(("b".to_owned(), "2".into())), None, Some(("a".to_owned(), "1".into()))]
    );
    let values = shop.batch2.get_many(&bucket, keys).await.unwrap().unwrap();
    let expected = [("b", Some("2")), ("none", None), ("a", Some("1"))];
    assert_eq!(values, expected.map(|(key, value)| (key.to_owned(), value.map(Into::into))));
}

async fn increments_lose_nothing(shop: &Shop) {
    const CALLERS: u64 = 40;
    const EACH: u64 = 10;
    let callers = (0..CALLERS).map(|_| async {
        let mut sums = Vec::new();
        for _ in 0..EACH {
            sums.push(shop.increment("counters", "n", 1).await);
        }
        sums
    });
    let sums: BTreeSet<u64> = join_all(callers).await.into_iter().flatten().collect();
    assert_eq!(sums, (1..=CALLERS * EACH).collect());
    assert_eq!(shop.get("counters", "n").await, Some((CALLERS * EACH).to_string()));
}

async fn what_is_no_number_is_not_incremented(shop: &Shop) {
    let bucket = shop.bucket("numbers").await;
    for text in ["", "many", "1.5", "9223372036854775807"] {
        shop.set("numbers", "n", text).await;
        let sum = shop.atomics.increment(&bucket, "n".to_owned(), 1).await.unwrap();
        assert!(matches!(sum, Err(store::Error::Other(_))), "{text}");
        assert_eq!(shop.get("numbers", "n").await.as_deref(), Some(text));
    }
    let sum = shop.atomics.increment(&bucket, "n".to_owned(), u64::MAX).await.unwrap();
    assert!(matches!(sum, Err(store::Error::Other(_))));
}

async fn stale_swaps_fail_and_can_go_on(shop: &Shop) {
    let bucket = shop.bucket("swaps").await;
    let new = async || shop.atomics2.cas_new(&bucket, "k".to_owned()).await.unwrap().unwrap().0;
    let swap = async |cas: Handle, value: &'static str| {
        shop.atomics2.swap(cas, value.into()).await.unwrap()
    };
    let (first, second) = (new().await, new().await);
    assert_eq!(swap(first, "1").await, Ok(()));
    let Err(draft2::atomics::CasError::CasFailed(Own(again))) = swap(second, "2").await else {
        panic!("a swap based on nothing went over a value");
    };
    assert_eq!(shop.atomics2.cas_current(&again).await.unwrap(), Ok(Some("1".into())));
    assert_eq!(swap(again, "2").await, Ok(()));
    // A value that is gone is not the value that was there.
    let stale = new().await;
    shop.store.bucket_delete(&bucket, "k".to_owned()).await.unwrap().unwrap();
    let Err(draft2::atomics::CasError::CasFailed(Own(again))) = swap(stale, "3").await else {
        panic!("a swap brought a deleted value back");
    };
    assert_eq!(shop.atomics2.cas_current(&again).await.unwrap(), Ok(None));
    assert_eq!(swap(again, "3").await, Ok(()));
    assert_eq!(shop.get("swaps", "k").await.as_deref(), Some("3"));
}

async fn swaps_lose_nothing(shop: &Shop) {
    const LETTERS: &[u8] = b"abcdefgh";
    let bucket = shop.bucket("swaps").await;
    let callers = LETTERS.iter().map(|letter| {
        let bucket = &bucket;
        async move {
            let mut cas =
                shop.atomics2.cas_new(bucket, "list".to_owned()).await.unwrap().unwrap().0;
            loop {
                let current = shop.atomics2.cas_current(&cas).await.unwrap().unwrap();
                let mut list = current.map(|list| list.to_vec()).unwrap_or_default();
                list.push(*letter);
                match shop.atomics2.swap(cas, list.into()).await.unwrap() {
                    Ok(()) => return,
                    Err(draft2::atomics::CasError::CasFailed(Own(again))) => cas = again,
                    Err(error) => panic!("{error:?}"),
                }
            }
        }
    });
    join_all(callers).await;
    let mut list: Vec<char> = shop.get("swaps", "list").await.unwrap().chars().collect();
    list.sort_unstable();
    assert_eq!(list.iter().collect::<String>(), "abcdefgh");
}

async fn what_is_not_served_is_said(shop: &Shop) {
    let call = async |interface: &str, function: &str| {
        let interface = interface.parse().unwrap();
        let callee = Callee { interface: &interface, function, type_hash: TypeHash([0; 8]) };
        shop.client.call::<()>(callee, Writer::new()).await.unwrap_err().status
    };
    assert_eq!(call("wasi:keyvalue/watcher@0.2.0-draft2", "on-set").await, Status::NotFound);
    assert_eq!(call("wasi:keyvalue/store@0.2.0-draft2", "close").await, Status::NotFound);
    assert_eq!(call("wasi:keyvalue/store@0.2.0-draft2", "open").await, Status::TypeMismatch);
}

async fn link_opens_only_its_buckets(shop: &Shop) {
    shop.set("ours", "k", "1").await;
    assert_eq!(shop.get("ours", "k").await.as_deref(), Some("1"));
    let denied = shop.store.open("theirs".to_owned()).await.unwrap();
    assert_eq!(denied, Err(store::Error::AccessDenied));
    // A handle that was made up opens nothing either.
    let forged = Handle::stateless("theirs");
    let denied = shop.store.bucket_get(&forged, "k".to_owned()).await.unwrap();
    assert_eq!(denied, Err(store::Error::AccessDenied));
}
