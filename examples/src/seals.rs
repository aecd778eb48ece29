//! What an audit log is sealed with, and where it is published to.

use std::path::Path;

use fastcore_leads::{
    LeadLog,
    proof::{Folder, NoteKey, Sealer, SealerBuilder},
};

use crate::keys::{read_keys, warn_of_readers};

/// Keys, the log's own first, and a folder.
#[derive(Debug)]
pub struct Seals {
    key: NoteKey,
    also: Vec<NoteKey>,
    folder: Option<Folder>,
}

impl Seals {
    /// Reads the keys from a file. The folder is not looked at yet: it may be there later.
    ///
    /// # Errors
    /// A sentence for the operator, without a key.
    pub fn read(file: &Path, publish: Option<&Path>) -> Result<Self, String> {
        let mut keys = read_keys::<NoteKey>(file)?.into_iter();
        let key = keys
            .next()
            .ok_or_else(|| format!("{}: there is no key in it; `leadctl audit key` makes one", file.display()))?;
        warn_of_readers(file);
        Ok(Self { key, also: keys.collect(), folder: publish.map(Folder::at) })
    }

    /// For the operator: what the log's signatures are verified with, and where it is published to.
    pub fn described(&self) -> String {
        let published = self.folder.as_ref().map(|folder| format!(", published to {}", folder.path().display()));
        format!("{}{}", self.key.verifier(), published.unwrap_or_default())
    }

    /// A sealer with these keys, over a store.
    pub fn sealer(self, store: impl LeadLog + 'static) -> SealerBuilder {
        let sealer = Sealer::builder(store, self.key);
        let sealer = self.also.into_iter().fold(sealer, SealerBuilder::also_signed_by);
        self.folder.into_iter().fold(sealer, SealerBuilder::publish)
    }
}
