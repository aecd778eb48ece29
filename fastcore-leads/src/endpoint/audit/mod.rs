//! The audit log's proofs over HTTP.

mod route;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{
    Method, Request, Response,
    header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};
use uuid::Uuid;

use self::route::Route;
pub use self::route::audit_paths;
use super::{
    answer::{PROBLEM_JSON, RETRY_AFTER_SECONDS, challenge, finish, is_fault, or_bare},
    problem::AuditProblem,
    refusals::AuditRefusals,
};
use crate::{
    inbox::InboxExt,
    proof::{Receipt, ReceiptState, TileId},
    store::{LeadLog, StoreError},
    token::{Grant, Scope, TokenSet, Unauthorized},
};

/// The media type of notes and receipts.
const TEXT: &str = "text/plain; charset=utf-8";
/// The media type of tiles.
const BYTES: &str = "application/octet-stream";

/// The proofs of a sealed audit log, for those who check its keeper.
///
/// | request | scope | answer |
/// | --- | --- | --- |
/// | `GET /audit/checkpoint` | audit, ingest or read | the last checkpoint, a signed note ([tlog-checkpoint](https://c2sp.org/tlog-checkpoint)) |
/// | `GET /audit/tile/{level}/{number}[.p/{width}]` | audit, ingest or read | hashes of the tree ([tlog-tiles](https://c2sp.org/tlog-tiles)) |
/// | `GET /inbound/leads/{id}/receipt` | ingest or read | a proof that the lead was received ([tlog-proof](https://c2sp.org/tlog-proof)) |
///
/// `{id}` is a lead's id, or the id of its request. A receipt is there some seconds after its lead; until then it is answered 409, and
/// can be asked for again. It holds the audit row, in which nothing of the person is but a masked address and hashes, and which says
/// whether the lead was put into quarantine. Of a lead that was erased there is none. A token that is bound to sources gets receipts of
/// their leads alone. A checkpoint tells how many rows the log has.
///
/// ```
/// use fastcore_leads::{
///     Actor, AuditEndpoint, Ingest, Lead, MemoryLeadStore, SAMPLE_LEAD, TokenSet,
///     proof::{NoteKey, Receipt, Sealer},
/// };
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build()?.block_on(async {
/// let (store, key) = (MemoryLeadStore::new(), NoteKey::generate("example.com/audit")?);
/// let lead = Lead::parse(SAMPLE_LEAD.as_bytes(), Default::default())?;
/// let id = Ingest::builder(store.clone()).start().ingest(lead, Actor::SITE_INGEST).await?.receipt.lead_id;
/// Sealer::builder(store.clone(), key.clone()).seal_all().await?;
///
/// let proofs = AuditEndpoint::new(store, TokenSet::parse("a-token-of-32-random-characters!")?);
/// let request = http::Request::get(format!("/inbound/leads/{id}/receipt"))
///     .header("authorization", "Bearer a-token-of-32-random-characters!")
///     .body(())?;
/// let answer = proofs.handle(request).await;
/// let receipt: Receipt = std::str::from_utf8(answer.body())?.parse()?;
/// assert_eq!(receipt.verify(&[key.verifier()])?.size, 1);
/// # Ok::<(), Box<dyn std::error::Error>>(()) }).map_err(|error| error.to_string())?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct AuditEndpoint {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn LeadLog>,
    tokens: TokenSet,
    refusals: AuditRefusals,
}

impl AuditEndpoint {
    /// The proofs of a store's log.
    pub fn new(store: impl LeadLog + 'static, tokens: TokenSet) -> Self {
        Self { shared: Arc::new(Shared { store: Arc::new(store), tokens, refusals: AuditRefusals::default() }) }
    }

    /// Whether a path is one of [`audit_paths`]: any other is the host's.
    pub fn serves(path: &str) -> bool {
        Route::of(path).is_some()
    }

    /// Answers one request. Path, method, token and scope are checked in this order, and the first that fails answers. The body is
    /// not looked at.
    pub async fn handle<B>(&self, request: Request<B>) -> Response<Bytes> {
        let (head, _) = request.into_parts();
        or_bare(match self.answered(&head).await {
            Ok((media_type, body)) => finish(Response::builder().header(CONTENT_TYPE, media_type), body),
            Err(refusal) => {
                let problem = refusal.problem();
                self.shared.refusals.tell(problem, refusal.store_error());
                let mut response = Response::builder().status(problem.status()).header(CONTENT_TYPE, PROBLEM_JSON);
                response = match (problem, &refusal) {
                    (_, Refusal::Token(unauthorized)) => response.header(WWW_AUTHENTICATE, challenge(*unauthorized)),
                    (AuditProblem::MethodNotAllowed, _) => response.header(ALLOW, "GET"),
                    (AuditProblem::NotSealed | AuditProblem::Unavailable, _) => {
                        response.header(RETRY_AFTER, RETRY_AFTER_SECONDS)
                    }
                    _ => response,
                };
                finish(response, problem.to_json())
            }
        })
    }

    async fn answered(&self, head: &http::request::Parts) -> Result<(&'static str, Bytes), Refusal> {
        let Shared { store, tokens, .. } = &*self.shared;
        let route = Route::of(head.uri.path()).ok_or(Refusal::NotFound)?;
        if head.method != Method::GET {
            return Err(Refusal::Method);
        }
        let grant = tokens.authenticate(&head.headers).map_err(Refusal::Token)?;
        let scopes: &[Scope] = match route {
            Route::Receipt(_) => &[Scope::Ingest, Scope::Read],
            Route::Checkpoint | Route::Tile(_) => &[Scope::Audit, Scope::Ingest, Scope::Read],
        };
        if !scopes.iter().any(|scope| grant.allows(*scope)) {
            return Err(Refusal::Scope);
        }
        match route {
            Route::Checkpoint => {
                let checkpoint = store.sealed().await?.checkpoint.ok_or(Refusal::NotFound)?;
                Ok((TEXT, checkpoint.into()))
            }
            Route::Tile(tile) => {
                let (id, width) = tile.ok_or(Refusal::NotFound)?;
                Ok((BYTES, self.tile(id, width).await?))
            }
            Route::Receipt(id) => Ok((TEXT, self.receipt(&grant, id).await?)),
        }
    }

    /// So many hashes of a tile.
    async fn tile(&self, id: TileId, width: usize) -> Result<Bytes, Refusal> {
        let mut tile = self.shared.store.tiles(&[id]).await?.pop().ok_or(Refusal::NotFound)?;
        if tile.hashes.len() < width {
            return Err(Refusal::NotFound);
        }
        tile.hashes.truncate(width);
        Ok(tile.hash_bytes().into())
    }

    async fn receipt(&self, grant: &Grant, id: &str) -> Result<Bytes, Refusal> {
        let store = &*self.shared.store;
        let lead = store.look_up(Uuid::try_parse(id).map_err(|_| Refusal::LeadNotFound)?).await?;
        let lead = lead.filter(|lead| grant.allows_source(&lead.source)).ok_or(Refusal::LeadNotFound)?;
        if lead.erased_at_utc.is_some() {
            return Err(Refusal::LeadErased);
        }
        match Receipt::of(store, lead.id).await? {
            ReceiptState::Sealed(receipt) => Ok(receipt.to_string().into()),
            ReceiptState::NotSealed => Err(Refusal::NotSealed),
            ReceiptState::Redacted => Err(Refusal::Redacted),
        }
    }
}

impl fmt::Debug for AuditEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditEndpoint").field("tokens", &self.shared.tokens).finish_non_exhaustive()
    }
}

/// Why a request is not answered 200.
enum Refusal {
    Method,
    Token(Unauthorized),
    Scope,
    LeadNotFound,
    NotFound,
    NotSealed,
    LeadErased,
    Redacted,
    Store(StoreError),
}

impl From<StoreError> for Refusal {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Refusal {
    fn store_error(&self) -> Option<&StoreError> {
        if let Self::Store(error) = self { Some(error) } else { None }
    }

    fn problem(&self) -> AuditProblem {
        match self {
            Self::Method => AuditProblem::MethodNotAllowed,
            Self::Token(_) => AuditProblem::Unauthorized,
            Self::Scope => AuditProblem::ScopeMissing,
            Self::NotFound => AuditProblem::NotFound,
            Self::LeadNotFound => AuditProblem::LeadNotFound,
            Self::LeadErased => AuditProblem::LeadErased,
            Self::NotSealed => AuditProblem::NotSealed,
            Self::Redacted => AuditProblem::Redacted,
            Self::Store(error) if is_fault(error) => AuditProblem::Internal,
            Self::Store(_) => AuditProblem::Unavailable,
        }
    }
}
