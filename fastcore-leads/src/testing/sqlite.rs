use std::{
    env, fs,
    path::{Path, PathBuf},
};

use uuid::Uuid;

/// A directory of one test's own, removed with everything in it when dropped.
#[derive(Debug)]
pub struct TempDir(PathBuf);

impl TempDir {
    /// Makes one.
    #[allow(clippy::new_without_default, reason = "touches the disk")]
    pub fn new() -> Self {
        let path = env::temp_dir().join(format!("fastcore-leads-{}", Uuid::now_v7()));
        fs::create_dir(&path).expect("the temporary directory can be written");
        Self(path)
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The URL of a SQLite file in it.
    pub fn sqlite_url(&self) -> String {
        format!("sqlite:{}", self.0.join("leads.db").display())
    }
}

impl Drop for TempDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
