//! Which files are meant: those that are named, and the manifests of directories that are; and which belong together.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use wicker_reconciler::diagnostic::Source;
use wicker_reconciler::manifest::application_of;

/// The files, with each directory in place of which its manifests stand, in the order of their names.
///
/// # Errors
/// A directory cannot be read or has no manifest, or a file is meant twice.
pub(super) fn expand(paths: &[PathBuf]) -> anyhow::Result<Vec<PathBuf>> {
    let mut files: Vec<PathBuf> = Vec::with_capacity(paths.len());
    for path in paths {
        let found = if path.is_dir() { manifests_in(path)? } else { vec![path.clone()] };
        for file in found {
            let is_new = !files.iter().any(|other| is_same(other, &file));
            ensure!(is_new, "{} is given twice", file.display());
            files.push(file);
        }
    }
    Ok(files)
}

/// The files of each application, the first apart, in the order in which the applications come.
pub(super) fn of_applications(files: Vec<Source>) -> Vec<(Source, Vec<Source>)> {
    let mut applications: Vec<(Source, Vec<Source>)> = Vec::with_capacity(files.len());
    let mut known: HashMap<(String, String), usize> = HashMap::new();
    for file in files {
        let name = application_of(&file);
        let first = name.as_ref().and_then(|name| known.get(name)).copied();
        match first.and_then(|index| applications.get_mut(index)) {
            Some((_, parts)) => parts.push(file),
            None => {
                known.extend(name.map(|name| (name, applications.len())));
                applications.push((file, Vec::new()));
            }
        }
    }
    applications
}

fn manifests_in(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let cannot = || format!("cannot read the directory {}", folder.display());
    let entries = std::fs::read_dir(folder).with_context(cannot)?;
    let paths: Result<Vec<PathBuf>, _> =
        entries.map(|entry| Ok::<_, std::io::Error>(entry?.path())).collect();
    let is_manifest = |path: &PathBuf| {
        let is_yaml =
            path.extension().is_some_and(|extension| extension == "yaml" || extension == "yml");
        is_yaml && path.is_file()
    };
    let mut found: Vec<PathBuf> =
        paths.with_context(cannot)?.into_iter().filter(is_manifest).collect();
    ensure!(
        !found.is_empty(),
        "{} holds no manifest: no file there ends in .yaml or .yml",
        folder.display()
    );
    found.sort();
    Ok(found)
}

fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one == other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[&str]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for file in files {
            std::fs::write(folder.path().join(file), "").unwrap();
        }
        folder
    }

    #[test]
    fn directory_stands_for_its_manifests_in_order() {
        let folder = folder(&["b.yaml", "a.yml", "api.wasm", "notes.txt"]);
        std::fs::create_dir(folder.path().join("more.yaml")).unwrap();
        let found = expand(&[folder.path().to_owned()]).unwrap();
        assert_eq!(found, ["a.yml", "b.yaml"].map(|name| folder.path().join(name)));
    }

    #[test]
    fn files_that_name_one_application_belong_together() {
        let file = |name: &str, text: &str| Source::new(name, text);
        let found = of_applications(vec![
            file("a.yaml", "application: shop"),
            file("b.yaml", "application: shop\nteam: words"),
            file("c.yaml", "team: default\napplication: shop"),
            file("d.yaml", "components: {}"),
            file("e.yaml", "components: {}"),
        ]);
        let names = found.iter().map(|(first, parts)| {
            (first.file(), parts.iter().map(Source::file).collect::<Vec<_>>())
        });
        let names: Vec<_> = names.collect();
        let (alone, none) = (Vec::new(), Vec::new);
        assert_eq!(
            names,
            [("a.yaml", vec!["c.yaml"]), ("b.yaml", alone), ("d.yaml", none()), ("e.yaml", none())]
        );
    }

    #[test]
    fn directory_without_manifests_and_a_file_twice_are_errors() {
        let folder = folder(&["a.yaml"]);
        let empty = folder.path().join("empty");
        std::fs::create_dir(&empty).unwrap();
        assert!(expand(&[empty]).unwrap_err().to_string().contains("holds no manifest"));
        let twice = [folder.path().to_owned(), folder.path().join("a.yaml")];
        assert!(expand(&twice).unwrap_err().to_string().contains("given twice"));
    }
}
