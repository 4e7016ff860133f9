//! Applications as people name them: `shop`, or `team/shop` where two teams have one.

use anyhow::bail;
use wicker_lattice::store::record::Application;
use wicker_reconciler::inventory::Inventory;

/// `team/application`.
pub(super) fn name(application: &Application) -> String {
    format!("{}/{}", application.team, application.name)
}

/// The applications that `text` may mean.
pub(super) fn called<'a>(inventory: &'a Inventory, text: &str) -> Vec<&'a Application> {
    let all = inventory.applications.values().map(|stored| &stored.record);
    all.filter(|application| application.name == text || name(application) == text).collect()
}

/// The application that `text` means.
///
/// # Errors
/// None or several are called so.
pub(super) fn find<'a>(inventory: &'a Inventory, text: &str) -> anyhow::Result<&'a Application> {
    match called(inventory, text).as_slice() {
        [one] => Ok(one),
        [] => {
            let all = inventory.applications.values();
            let known: Vec<String> = all.map(|stored| name(&stored.record)).collect();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            bail!("no application is called `{text}`; there is {known}")
        }
        several => {
            let names: Vec<String> = several.iter().map(|each| name(each)).collect();
            bail!("`{text}` may mean {}: write the team too", names.join(" or "))
        }
    }
}
