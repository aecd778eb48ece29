//! Every path but the endpoint's: probes, metrics, the contract, the site. One behaviour for both frameworks.

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, Ordering},
};

use bytes::{Buf, Bytes};
use fastcore_leads::{AuditEndpoint, Endpoint, INBOUND_EVENTS_PATH, INBOUND_LEADS_PATH};
use fastcore_leads_examples::{
    answer::{TEXT, answer, not_allowed},
    contract,
    database::Pool,
    metrics::{LOG_LINES_LOST, POOL_CONNECTIONS},
    site::{CONTACT_PATH, FORM_PATH, Site, THANKS_PATH},
};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE, LOCATION},
};
use http_body::Body;
use metrics::{counter, gauge};
use metrics_exporter_prometheus::PrometheusHandle;

use crate::{app::peer, database::Database, logs, options::StaffPath};

const HEALTHZ: &str = "/healthz";
const READYZ: &str = "/readyz";
const READYZ_SITE: &str = "/readyz/site";
const READYZ_INGEST: &str = "/readyz/ingest";
const METRICS: &str = "/metrics";
const OPENAPI: &str = "/openapi.json";
const DOCS: &str = "/docs";
/// The label of the staff's pages.
const STAFF: &str = "staff";
/// The label of whatever is the inbox's.
const INBOX: &str = "inbox";
const AUDIT: &str = "audit";

/// Answers whatever is not the endpoint's.
#[derive(Clone)]
pub(crate) struct Rest {
    shared: Arc<Shared>,
}

struct Shared {
    endpoint: Option<Endpoint>,
    site: Option<Site>,
    metrics: PrometheusHandle,
    database: Option<Database>,
    openapi: Bytes,
    /// Where the inbox tells its contract, and the contract.
    inbox: Option<(String, Bytes)>,
    reader: Arc<utoipa_swagger_ui::Config<'static>>,
    /// Whether metrics are told elsewhere.
    has_admin: bool,
    is_stopping: AtomicBool,
}

impl Rest {
    pub(crate) fn new(
        endpoint: Option<Endpoint>,
        site: Option<Site>,
        metrics: PrometheusHandle,
        database: Option<Database>,
        staff_path: Option<&StaffPath>,
        has_admin: bool,
    ) -> Self {
        if let Some(path) = staff_path {
            let _ = STAFF_PATH.set(path.to_string());
        }
        let openapi = contract::openapi().to_string().into();
        let inbox = staff_path
            .map(|path| (format!("{path}{OPENAPI}"), contract::inbox_openapi(path.as_str()).to_string().into()));
        // Nothing is sent to a validator elsewhere.
        let reader = utoipa_swagger_ui::Config::from(OPENAPI).validator_url("none");
        Self {
            shared: Arc::new(Shared {
                endpoint,
                site,
                metrics,
                database,
                openapi,
                inbox,
                reader: Arc::new(reader),
                has_admin,
                is_stopping: AtomicBool::new(false),
            }),
        }
    }

    /// Says from now on that this service is not ready: it is about to stop.
    pub(crate) fn stop(&self) {
        self.shared.is_stopping.store(true, Ordering::Relaxed);
    }

    /// Answers whoever runs this service: nothing but probes and metrics.
    pub(crate) async fn administer<B>(&self, request: Request<B>) -> Response<Bytes> {
        if !matches!(*request.method(), Method::GET | Method::HEAD) {
            return not_allowed("GET, HEAD");
        }
        match request.uri().path() {
            METRICS => self.metrics(),
            path => self.probed(path).await.unwrap_or_else(not_found),
        }
    }

    /// Whether this service is alive, or ready.
    async fn probed(&self, path: &str) -> Option<Response<Bytes>> {
        let is_stopping = self.shared.is_stopping.load(Ordering::Relaxed);
        Some(match path {
            HEALTHZ => answer(StatusCode::OK, TEXT, "ok\n"),
            READYZ | READYZ_SITE | READYZ_INGEST if is_stopping => {
                answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, "stopping\n")
            }
            // A site takes leads while the database is down, and keeps them: so visitors are to be sent here all the same.
            READYZ | READYZ_SITE if self.shared.site.is_some() => self.site_is_ready().await,
            READYZ | READYZ_INGEST if self.shared.endpoint.is_some() => self.ingest_is_ready().await,
            _ => return None,
        })
    }

    pub(crate) async fn answer<B>(&self, request: Request<B>) -> Response<Bytes>
    where
        B: Body,
        B::Data: Buf,
    {
        let path = request.uri().path();
        let is_known = matches!(path, METRICS | OPENAPI | DOCS) || docs_file(path).is_some();
        if is_known && !matches!(*request.method(), Method::GET | Method::HEAD) {
            return not_allowed("GET, HEAD");
        }
        if let Some((_, openapi)) = self.shared.inbox.as_ref().filter(|(at, _)| at == path) {
            return answer(StatusCode::OK, "application/json", openapi.clone());
        }
        if let Some(probed) = self.probed(path).await {
            return probed;
        }
        match path {
            METRICS if self.shared.has_admin => not_found(),
            METRICS => self.metrics(),
            OPENAPI | DOCS if self.shared.endpoint.is_none() => not_found(),
            OPENAPI => answer(StatusCode::OK, "application/json", self.shared.openapi.clone()),
            DOCS => {
                let mut response = answer(StatusCode::PERMANENT_REDIRECT, TEXT, "");
                response.headers_mut().insert(LOCATION, HeaderValue::from_static("/docs/"));
                response
            }
            _ if is_known && self.shared.endpoint.is_none() => not_found(),
            _ if is_known => self.docs(docs_file(path).unwrap_or_default()),
            _ => self.site(request).await.unwrap_or_else(not_found),
        }
    }

    /// The endpoint is ready: the store answers, and its tables are of this version.
    async fn ingest_is_ready(&self) -> Response<Bytes> {
        let Some(endpoint) = &self.shared.endpoint else { return not_found() };
        match endpoint.ready().await {
            Ok(()) => ready(),
            Err(error) => {
                tracing::warn!(%error, "not ready");
                answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, "the store does not answer\n")
            }
        }
    }

    /// The site is ready: a lead that comes now has where to go.
    async fn site_is_ready(&self) -> Response<Bytes> {
        let Some(site) = &self.shared.site else { return not_found() };
        if site.takes_leads().await {
            return ready();
        }
        tracing::warn!("the site is not ready: FASTCore does not answer, and the spool is full or cannot be written");
        answer(StatusCode::SERVICE_UNAVAILABLE, TEXT, "leads have nowhere to go\n")
    }

    #[allow(clippy::cast_precision_loss, reason = "no pool is that large")]
    fn metrics(&self) -> Response<Bytes> {
        if let Some(Pool { open, idle, max }) = self.shared.database.as_ref().and_then(Database::pool) {
            for (state, connections) in [("open", open), ("idle", idle), ("max", max)] {
                gauge!(POOL_CONNECTIONS, "state" => state).set(connections as f64);
            }
        }
        counter!(LOG_LINES_LOST).absolute(logs::lost());
        answer(StatusCode::OK, "text/plain; version=0.0.4; charset=utf-8", self.shared.metrics.render())
    }

    /// The reader of the contract. It sets styles of its own, so its policy is laxer than the site's.
    fn docs(&self, file: &str) -> Response<Bytes> {
        let Ok(Some(file)) = utoipa_swagger_ui::serve(file, Arc::clone(&self.shared.reader)) else {
            return not_found();
        };
        let mut response = answer(StatusCode::OK, "text/plain", file.bytes.into_owned());
        if let Ok(kind) = HeaderValue::try_from(file.content_type) {
            response.headers_mut().insert(CONTENT_TYPE, kind);
        }
        response.headers_mut().insert(
            CONTENT_SECURITY_POLICY,
            HeaderValue::from_static(
                "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'",
            ),
        );
        response
    }

    async fn site<B>(&self, request: Request<B>) -> Option<Response<Bytes>>
    where
        B: Body,
        B::Data: Buf,
    {
        let site = self.shared.site.as_ref()?;
        let peer = peer(request.extensions());
        site.handle(request, peer).await
    }
}

/// Labels of paths in metrics and traces. Paths that are nobody's share the last one.
pub(crate) const ROUTES: [&str; 15] = [
    INBOUND_LEADS_PATH,
    INBOUND_EVENTS_PATH,
    AUDIT,
    FORM_PATH,
    CONTACT_PATH,
    THANKS_PATH,
    HEALTHZ,
    READYZ,
    METRICS,
    OPENAPI,
    DOCS,
    "/assets",
    INBOX,
    STAFF,
    "other",
];

/// Where in [`ROUTES`] a path's label is.
pub(crate) fn route(path: &str) -> usize {
    let label = match path {
        READYZ_SITE | READYZ_INGEST => READYZ,
        _ if docs_file(path).is_some() => DOCS,
        _ if path.starts_with("/assets/") => "/assets",
        "/assets" => "other",
        _ if AuditEndpoint::serves(path) => AUDIT,
        // Under whatever path it is mounted.
        _ if path.ends_with(INBOUND_LEADS_PATH) && path != INBOUND_LEADS_PATH => INBOX,
        _ if ["/inbound/leads/", "/inbound/leads.", "/inbound/subjects/"].iter().any(|part| path.contains(part)) => {
            INBOX
        }
        _ if STAFF_PATH.get().is_some_and(|under| is_under(path, under)) => STAFF,
        _ => path,
    };
    ROUTES.iter().position(|route| *route == label).unwrap_or(ROUTES.len() - 1)
}

/// Where the staff's pages are: labels are for the whole process.
static STAFF_PATH: OnceLock<String> = OnceLock::new();

fn is_under(path: &str, under: &str) -> bool {
    path.strip_prefix(under).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

fn ready() -> Response<Bytes> {
    answer(StatusCode::OK, TEXT, "ready\n")
}

fn not_found() -> Response<Bytes> {
    answer(StatusCode::NOT_FOUND, TEXT, "not found\n")
}

fn docs_file(path: &str) -> Option<&str> {
    path.strip_prefix(DOCS)?.strip_prefix('/')
}
