//! Another machine, which cosigns what continues what it saw.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::ErrorKind,
    path::Path,
    time::Duration,
};

use fastcore_leads::{
    Transport,
    bytes::Bytes,
    chrono::Utc,
    http::{Request, Uri, header::AUTHORIZATION},
    proof::{
        Checkpoint, Folder, NoteKey, NoteVerifier, SignedNote, Tile, TileId, WitnessError, cosign,
        tiles_of_consistency, tiles_of_root,
    },
    transport::{ReqwestTransport, is_loopback},
};
use fastcore_leads_examples::{environment, keys::read_keys};

use super::failed;
use crate::{
    outcome::{Failure, Outcome},
    shown,
};

/// How long it may take to connect, and to be answered.
const CONNECT: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(30);

/// What holds the token for a URL.
const TOKEN: &str = "FASTCORE_AUDIT_TOKEN";

/// Cosigns the log's checkpoint, if it continues what was seen.
pub(crate) async fn witness(log: &str, known: &Path, key: &Path, seen: &Path, is_first: bool) -> Outcome {
    let known: Vec<NoteVerifier> = read_keys(known).map_err(Failure::BadInput)?;
    let keys: Vec<NoteKey> = read_keys(key).map_err(Failure::BadInput)?;
    let [key] = &keys[..] else {
        return Err(Failure::BadInput(format!("{}: it must hold exactly one private key", key.display())));
    };
    let before = seen_before(seen, &known, key)?;
    // A file that was lost, or misspelt, is no reason to begin with what it is told.
    match (&before, is_first) {
        (None, false) => {
            let missing = format!("{}: it is not there. If this witness saw nothing yet, say --first", seen.display());
            return Err(Failure::BadInput(missing));
        }
        (Some(_), true) => {
            return Err(Failure::BadInput(format!(
                "{}: this witness saw a checkpoint before: without --first",
                seen.display()
            )));
        }
        _ => {}
    }
    let source = Source::of(log)?;
    let note = source.checkpoint().await?;
    let size = note.text().parse::<Checkpoint>().map_err(failed)?.size;
    let from = before.as_ref().map_or(0, |head| head.size);
    let ids: BTreeSet<_> = tiles_of_root(size).into_iter().chain(tiles_of_consistency(from, size)).collect();
    let mut tiles = BTreeMap::new();
    for id in ids {
        tiles.extend(source.tile(id, size).await?.map(|tile| (id, tile)));
    }
    let now = u64::try_from(Utc::now().timestamp()).unwrap_or_default();
    let cosigned = cosign(&note, &known, before.as_ref(), &tiles, key, now).map_err(|error| match error {
        WitnessError::NoTiles => failed(error),
        // Both together show what was done: neither is replaced.
        _ => Failure::Unsound(format!("not cosigned: {error}. Keep {} and this checkpoint:\n{note}", seen.display())),
    })?;
    write(seen, &cosigned.note).map_err(|error| Failure::Failed(format!("{}: {error}", seen.display())))?;
    shown::say(cosigned.note.to_string().trim_end());
    shown::note(format!("cosigned: a log of {} entries, of which {from} were seen before", cosigned.head.size));
    Ok(())
}

/// What this witness cosigned last. It has to be its own.
fn seen_before(file: &Path, known: &[NoteVerifier], key: &NoteKey) -> Result<Option<Checkpoint>, Failure> {
    let bad = |error: &dyn std::fmt::Display| Failure::BadInput(format!("{}: {error}", file.display()));
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(bad(&error)),
    };
    let note: SignedNote = text.parse().map_err(|error| bad(&error))?;
    note.verify(&[key.cosigner()]).map_err(|error| bad(&error))?;
    Checkpoint::open(&note, known).map(Some).map_err(|error| bad(&error))
}

/// Whole, or not at all.
fn write(file: &Path, note: &SignedNote) -> std::io::Result<()> {
    let beside = file.with_added_extension("new");
    let mut written = fs::File::create(&beside)?;
    std::io::Write::write_all(&mut written, note.to_string().as_bytes())?;
    written.sync_all()?;
    fs::rename(&beside, file)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// Where a log is published.
enum Source {
    Folder(Folder),
    Url { transport: ReqwestTransport, url: String, token: Option<String> },
}

impl Source {
    fn of(log: &str) -> Result<Self, Failure> {
        if log.starts_with("https://") || log.starts_with("http://") {
            let transport = ReqwestTransport::new(CONNECT).map_err(failed)?;
            let token = environment::secret(TOKEN).map_err(Failure::BadInput)?;
            let uri: Uri = log.parse().map_err(|_| Failure::BadInput(format!("{log}: this is no URL")))?;
            let is_here = uri.host().is_some_and(is_loopback);
            if token.is_some() && uri.scheme_str() != Some("https") && !is_here {
                return Err(Failure::BadInput(format!("{log}: {TOKEN} would be sent in clear: use https")));
            }
            return Ok(Self::Url { transport, url: log.trim_end_matches('/').to_owned(), token });
        }
        Ok(Self::Folder(Folder::at(log)))
    }

    async fn checkpoint(&self) -> Result<SignedNote, Failure> {
        let nothing = || Failure::Refused("nothing was published yet".to_owned());
        match self {
            Self::Folder(folder) => folder.last().map_err(failed)?.ok_or_else(nothing),
            Self::Url { url, .. } => {
                let nothing =
                    || Failure::Refused(format!("{url}/checkpoint: there is nothing yet, or no log is served there"));
                let body = self.get("checkpoint").await?.ok_or_else(nothing)?;
                String::from_utf8_lossy(&body).parse().map_err(failed)
            }
        }
    }

    async fn tile(&self, id: TileId, size: u64) -> Result<Option<Tile>, Failure> {
        if let Self::Folder(folder) = self {
            return folder.tile(id, size).map_err(failed);
        }
        let width = id.width(size);
        let part = if width < fastcore_leads::proof::TILE_WIDTH { format!(".p/{width}") } else { String::new() };
        let body = self.get(&format!("{id}{part}")).await?;
        Ok(body.and_then(|body| Tile::from_bytes(id, &body, &[])))
    }

    /// None where there is nothing.
    async fn get(&self, path: &str) -> Result<Option<Bytes>, Failure> {
        let Self::Url { transport, url, token } = self else { return Ok(None) };
        let mut request = Request::get(format!("{url}/{path}"));
        if let Some(token) = token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let request = request.body(Bytes::new()).map_err(failed)?;
        let answer = tokio::time::timeout(ANSWER, transport.send(request)).await;
        let answer = answer.map_err(|_| Failure::Failed(format!("{url}: no answer in {} s", ANSWER.as_secs())))?;
        let answer = answer.map_err(|error| Failure::Failed(format!("{url}: {error}")))?;
        match answer.status().as_u16() {
            200 => Ok(Some(answer.into_body())),
            404 => Ok(None),
            status => Err(Failure::Failed(format!("{url}/{path}: answered {status}"))),
        }
    }
}
