//! The audit log's proofs over HTTP.

mod route;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::{
    Method, Request, Response,
    header::{ALLOW, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE},
};

use self::route::Route;
pub use self::route::audit_paths;
use super::{
    answer::{PROBLEM_JSON, RETRY_AFTER_SECONDS, challenge, finish, is_fault, or_bare},
    problem::AuditProblem,
    refusals::AuditRefusals,
};
use crate::{
    lead::{LeadId, RequestId},
    proof::{Receipt, ReceiptState, TileId},
    store::{LeadLog, StoreError},
    token::{Grant, Scope, TokenSet, Unauthorized},
};

/// The media type of notes and receipts.
const TEXT: &str = "text/plain; charset=utf-8";
/// The media type of tiles.
const BYTES: &str = "application/octet-stream";

/// The proofs of a sealed audit log, for those who hold it against its keeper.
///
/// | request | scope | answer |
/// | --- | --- | --- |
/// | `GET /audit/checkpoint` | any | the last checkpoint, a signed note ([tlog-checkpoint](https://c2sp.org/tlog-checkpoint)) |
/// | `GET /audit/tile/{level}/{number}[.p/{width}]` | any | hashes of the tree ([tlog-tiles](https://c2sp.org/tlog-tiles)) |
/// | `GET /inbound/leads/{id}/receipt` | ingest or read | a proof that the lead was received ([tlog-proof](https://c2sp.org/tlog-proof)) |
///
/// `{id}` is a lead's id, or the id of its request. A receipt is there some seconds after its lead; until then it is answered 503, and
/// can be asked for again. It holds the audit row, in which nothing of the person is but a masked address and hashes. A token that is
/// bound to sources gets receipts of their leads alone.
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
        match route {
            Route::Checkpoint => {
                let checkpoint = store.sealed().await?.checkpoint.ok_or(Refusal::NotSealed)?;
                Ok((TEXT, checkpoint.into()))
            }
            Route::Tile(id, width) => Ok((BYTES, self.tile(id, width).await?)),
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
        if !grant.allows(Scope::Ingest) && !grant.allows(Scope::Read) {
            return Err(Refusal::Scope);
        }
        let store = &*self.shared.store;
        let id: RequestId = id.parse().map_err(|_| Refusal::NotFound)?;
        let lead = match store.get(LeadId::from_uuid(id.as_uuid())).await? {
            Some(lead) => Some(lead),
            None => store.find(id).await?,
        };
        let lead = lead.filter(|lead| grant.allows_source(&lead.source)).ok_or(Refusal::NotFound)?;
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
    NotFound,
    NotSealed,
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
            Self::NotSealed => AuditProblem::NotSealed,
            Self::Redacted => AuditProblem::Redacted,
            Self::Store(error) if is_fault(error) => AuditProblem::Internal,
            Self::Store(_) => AuditProblem::Unavailable,
        }
    }
}
