//! The files that a test deploys: examples with their manifests, guests, and manifests of its own.

use std::path::PathBuf;

use crate::TestLattice;

impl TestLattice {
    /// An example's manifest with its component beside it, in the test's own folder.
    ///
    /// # Panics
    /// There is no such example, or it does not build.
    pub fn example(&self, name: &str) -> String {
        self.example_of(name, &[name])
    }

    /// [`TestLattice::example`] of several packages.
    ///
    /// # Panics
    /// As there.
    #[expect(clippy::expect_used, reason = "a test without its files cannot go on")]
    pub fn example_of(&self, name: &str, packages: &[&str]) -> String {
        let folder = self.folder().join(name);
        std::fs::create_dir_all(&folder).expect("a folder for the example");
        for package in packages {
            let built = artifacts::example(package);
            let file = built.file_name().expect("a component has a name");
            std::fs::copy(&built, folder.join(file)).expect("the component");
        }
        let manifest = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
            .join(format!("../examples/{name}/wicker.yaml"));
        std::fs::copy(manifest, folder.join("wicker.yaml")).expect("the manifest");
        folder.join("wicker.yaml").display().to_string()
    }

    /// As [`TestLattice::example`], placed on hosts that carry the label `role=<role>`.
    ///
    /// # Panics
    /// As [`TestLattice::example`].
    #[expect(clippy::expect_used, reason = "a test without its files cannot go on")]
    pub fn example_on(&self, name: &str, role: &str) -> String {
        let manifest = self.example(name);
        let text = std::fs::read_to_string(&manifest).expect("the manifest");
        let plain = format!("  {name}: {name}.wasm\n");
        assert!(
            text.contains(&plain),
            "examples/{name}/wicker.yaml declares its component in one line"
        );
        let placed = format!(
            "  {name}:\n    image: {name}.wasm\n    placement: {{ labels: {{ role: {role} }} }}\n"
        );
        std::fs::write(&manifest, text.replace(&plain, &placed)).expect("the manifest is written");
        manifest
    }

    /// A manifest of the test's own. `{guests}` in it becomes the folder of the built guests.
    ///
    /// # Panics
    /// The file cannot be written.
    #[expect(clippy::expect_used, reason = "a test without its files cannot go on")]
    pub fn manifest(&self, name: &str, text: &str) -> String {
        let guests = artifacts::guest("http-hello");
        let guests = guests.parent().expect("a component lies in a folder").display().to_string();
        let file = self.folder().join(format!("{name}.yaml"));
        std::fs::write(&file, text.replace("{guests}", &guests)).expect("the manifest is written");
        file.display().to_string()
    }
}
