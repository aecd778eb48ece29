//! What lies in a site's spool.

use std::path::{Path, PathBuf};

/// The files of leads that wait.
pub(crate) fn waiting(spool: &Path) -> Vec<PathBuf> {
    leads_in(spool).into_iter().filter(|path| !path.starts_with(spool.join("refused"))).collect()
}

/// The files of leads that were put aside.
pub(crate) fn aside(spool: &Path) -> Vec<PathBuf> {
    leads_in(&spool.join("refused"))
}

/// Every file and folder in it.
pub(crate) fn everything(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    let entries = entries.map(|entry| entry.unwrap().path());
    entries.flat_map(|path| [vec![path.clone()], everything(&path)].concat()).collect()
}

fn leads_in(folder: &Path) -> Vec<PathBuf> {
    let is_lead = |path: &PathBuf| path.extension().is_some_and(|kind| kind == "json" || kind == "sealed");
    everything(folder).into_iter().filter(|path| is_lead(path) && path.is_file()).collect()
}
