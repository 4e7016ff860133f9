//! Where things may run: labels that hosts carry, neighbours that are there.

use wicker_lattice::id::ObjectId;
use wicker_lattice::store::record::{Affinity, Spread};

use super::Batch;
use crate::diagnostic::Problems;
use crate::manifest::{Manifest, Neighbour, Placement};

impl Batch<'_> {
    /// What the record of `id` says of where it runs. Without any host nothing can be told of labels.
    pub(super) fn spread(
        &self,
        manifest: &Manifest,
        id: &ObjectId,
        placement: &Placement,
        problems: &mut Problems,
    ) -> Spread {
        self.check_labels(manifest, placement, problems);
        let mut known = |neighbours: &[Neighbour]| -> Vec<Affinity> {
            let each = |neighbour: &Neighbour| self.neighbour(manifest, id, neighbour, problems);
            neighbours.iter().filter_map(each).collect()
        };
        let (near, apart) = (known(&placement.near), known(&placement.apart));
        for neighbour in &placement.apart {
            let mut near = placement.near.iter().filter(|near| near.is_required);
            let both = near.find(|near| near.to.value == neighbour.to.value);
            if let Some(both) = both.filter(|_| neighbour.is_required) {
                let message = format!("`{}` is required to be near and apart", neighbour.to.value);
                let help = format!("see line {}; remove one", both.to.span.line);
                problems.error(&manifest.source, neighbour.to.span, message, help);
            }
        }
        Spread { near, apart, ..placement.spread.clone() }
    }

    fn neighbour(
        &self,
        manifest: &Manifest,
        id: &ObjectId,
        neighbour: &Neighbour,
        problems: &mut Problems,
    ) -> Option<Affinity> {
        let until = "it counts once it is deployed";
        let to = self.target(manifest, &neighbour.to, until, problems)?;
        if to == *id {
            let message = format!("`{}` is its own neighbour", neighbour.to.value);
            let help = "name another; replicas of one object never share a host";
            problems.error(&manifest.source, neighbour.to.span, message, help);
            return None;
        }
        Some(Affinity { to, is_required: neighbour.is_required })
    }

    /// Notes labels that no host carries.
    fn check_labels(&self, manifest: &Manifest, placement: &Placement, problems: &mut Problems) {
        let (spread, hosts) = (&placement.spread, &self.facts.inventory.hosts);
        if hosts.is_empty() {
            return;
        }
        if !hosts.iter().any(|host| crate::placement::carries(&host.labels, spread)) {
            let labels: Vec<String> =
                spread.labels.iter().map(|(key, value)| format!("{key}: {value}")).collect();
            let names: Vec<&str> = hosts.iter().map(|host| host.name.as_str()).collect();
            let message = format!("no host carries {{{}}}", labels.join(", "));
            let help = format!(
                "hosts: {}; a host gets labels by `wicker up --label KEY=VALUE`",
                names.join(", ")
            );
            problems.error(&manifest.source, placement.span, message, help);
        }
        let is_carried = |label: &String| hosts.iter().any(|host| host.labels.contains_key(label));
        if let Some(label) = spread.over.as_ref().filter(|label| !is_carried(label)) {
            let message = format!("no host carries a label `{label}` to spread over");
            let help = format!("a host gets one by `wicker up --label {label}=VALUE`");
            problems.warning(&manifest.source, placement.span, message, help);
        }
    }
}
