//! The laws of secrets, on every backend: an env file, a file sealed with age, and the lattice's own.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod laws;
mod settings;

use settings::{EnvFile, Lattice, SealedFile};

macro_rules! backend {
    ($name:ident $setting:ty) => {
        mod $name {
            use super::*;

            #[tokio::test(flavor = "multi_thread")]
            async fn what_is_set_is_found_as_it_was_set() {
                laws::what_is_set_is_found_as_it_was_set(<$setting>::start().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn a_change_is_told_and_seen_without_a_restart() {
                laws::a_change_is_told_and_seen_without_a_restart(<$setting>::start().await).await;
            }

            #[tokio::test(flavor = "multi_thread")]
            async fn what_is_removed_is_unknown() {
                laws::what_is_removed_is_unknown(<$setting>::start().await).await;
            }
        }
    };
}

backend!(env_file EnvFile);
backend!(age_file SealedFile);
backend!(lattice Lattice);

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_cannot_be_read_leaves_what_was_there() {
    laws::a_file_that_cannot_be_read_leaves_what_was_there().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_not_the_key_reads_nothing_and_is_told_why() {
    laws::who_has_not_the_key_reads_nothing_and_is_told_why().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_record_under_another_name_opens_as_nothing() {
    Box::pin(laws::a_record_under_another_name_opens_as_nothing()).await;
}
