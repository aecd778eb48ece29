use crate::proof::{TILE_WIDTH, TileId};

/// The paths that an [`AuditEndpoint`](super::AuditEndpoint) answers, for adapters to mount; `{id}` stands for one segment, `{*tile}` for
/// all that follows.
pub fn audit_paths() -> impl Iterator<Item = &'static str> {
    [CHECKPOINT, TILES, RECEIPT].into_iter()
}

const CHECKPOINT: &str = "/audit/checkpoint";
const TILES: &str = "/audit/tile/{*tile}";
const RECEIPT: &str = "/inbound/leads/{id}/receipt";

/// Digits of a number that a path may have: more are no tile of any log.
const MOST_GROUPS: usize = 6;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Route<'a> {
    Checkpoint,
    /// Which tile, and how many of its hashes. None where the path is no tile's.
    Tile(Option<(TileId, usize)>),
    /// Of which lead, or of which request.
    Receipt(&'a str),
}

impl<'a> Route<'a> {
    pub(super) fn of(path: &'a str) -> Option<Self> {
        if path == CHECKPOINT {
            return Some(Self::Checkpoint);
        }
        if let Some(tile) = path.strip_prefix("/audit/tile/").filter(|tile| !tile.is_empty()) {
            return Some(Self::Tile(tile_of(tile)));
        }
        let id = path.strip_prefix("/inbound/leads/")?.strip_suffix("/receipt")?;
        (!id.is_empty() && !id.contains('/')).then_some(Self::Receipt(id))
    }
}

/// `<L>/<N>[.p/<W>]`, as tlog-tiles has it, and nothing that means the same.
fn tile_of(path: &str) -> Option<(TileId, usize)> {
    let full = usize::try_from(TILE_WIDTH).ok()?;
    let (path, width) = match path.split_once(".p/") {
        Some((path, width)) => (path, plain(width).filter(|width| (1..full).contains(width))?),
        None => (path, full),
    };
    let (level, groups) = path.split_once('/')?;
    let level = u8::try_from(plain(level).filter(|level| *level < 64)?).ok()?;
    let groups: Vec<_> = groups.split('/').collect();
    let (last, before) = groups.split_last().filter(|_| groups.len() <= MOST_GROUPS)?;
    let mut number = 0;
    for group in before.iter().map(|group| group.strip_prefix('x')).chain([Some(*last)]) {
        let group = group.filter(|group| group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit()))?;
        number = number * 1000 + group.parse::<u64>().ok()?;
    }
    let id = TileId { level, number };
    // One path for each tile.
    (id.to_string() == format!("tile/{path}")).then_some((id, width))
}

fn plain(number: &str) -> Option<usize> {
    let is_plain = number.bytes().all(|byte| byte.is_ascii_digit()) && (number == "0" || !number.starts_with('0'));
    number.parse().ok().filter(|_| is_plain)
}
