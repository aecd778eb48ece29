//! The staff's pages: leads are found, read and worked, in a browser. French and English, with and without JavaScript.
//!
//! Whatever is shown or changed goes through an [`InboxEndpoint`], so that its scopes, masks and audit rows hold here too.

mod answer;
mod api;
mod counted;
mod dashboard;
mod export;
mod form;
mod lead;
mod list;
mod live;
mod pages;
mod search;
mod session;
mod texts;

use std::{net::IpAddr, sync::Arc};

use bytes::Buf;
use chrono::Utc;
use chrono_tz::Tz;
use fastcore_leads::{
    InboxEndpoint, LeadOutbox, TokenSet,
    endpoint::InboxBody,
    pseudonym::{Pepper, Proxies},
    token::{Scope, generate},
};
use http::{
    HeaderValue, Method, Request, Response, StatusCode,
    header::{HeaderMap, ORIGIN, RETRY_AFTER, SET_COOKIE},
    request::Parts,
};
use http_body::Body;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use self::{
    answer::{Pieces, StaffBody},
    session::Lifetime,
};
use self::{
    api::{Api, Refused},
    counted::Counted,
    form::Form,
    pages::{Frame, Message, SignIn},
    session::{Sessions, Visit, Wish},
};
use crate::web::{Language, Limiter, is_same_site};

/// Sign-ins that are tried from one address in a minute; one more is told to wait.
const SIGN_INS_PER_MINUTE: u32 = 10;

/// How the pages behave.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The path that they are under, such as `/staff`.
    pub path: String,
    /// The time zone of days and hours.
    pub time_zone: Tz,
    /// How long a session lasts.
    pub lifetime: Lifetime,
    /// Whose word on a browser's address is taken.
    pub proxies: Proxies,
}

/// The staff's pages. Clones share everything.
#[derive(Clone)]
pub struct Staff {
    shared: Arc<Shared>,
}

struct Shared {
    settings: Settings,
    inbox: InboxEndpoint,
    outbox: Arc<dyn LeadOutbox>,
    tokens: TokenSet,
    sessions: Sessions,
    /// Hashes addresses for the limiter alone: another one in each run.
    pepper: Pepper,
    limiter: Limiter,
    counted: Counted,
    listeners: Arc<Semaphore>,
    closed: CancellationToken,
}

/// A request of somebody who is signed in.
struct Turn<'a> {
    staff: &'a Arc<Shared>,
    visit: Visit,
    language: Language,
}

impl Staff {
    /// The pages of an inbox; whoever has one of `tokens` that may read can sign in.
    ///
    /// # Errors
    /// A sentence for the operator, if the system gives no random numbers.
    pub fn new(
        settings: Settings,
        inbox: InboxEndpoint,
        outbox: Arc<dyn LeadOutbox>,
        tokens: TokenSet,
    ) -> Result<Self, String> {
        let secret = generate().map_err(|error| error.to_string())?;
        let pepper = Pepper::parse(&secret).map_err(|error| error.to_string())?;
        let sessions = Sessions::new(settings.lifetime)?;
        let (limiter, closed) = (Limiter::new(SIGN_INS_PER_MINUTE), CancellationToken::new());
        Ok(Self {
            shared: Arc::new(Shared {
                settings,
                inbox,
                outbox,
                tokens,
                sessions,
                pepper,
                limiter,
                counted: Counted::default(),
                listeners: Arc::new(Semaphore::new(live::MAX_LISTENERS)),
                closed,
            }),
        })
    }

    /// Whether a path is one of the pages'.
    pub fn serves(&self, path: &str) -> bool {
        self.shared.route(path).is_some()
    }

    /// Ends what is sent to those who wait for news, so that nothing holds up a stop.
    pub fn close(&self) {
        self.shared.closed.cancel();
    }

    /// Answers a request of a path that [`serves`](Self::serves) names. `peer` is where the connection comes from.
    pub async fn handle<B>(&self, request: Request<B>, peer: IpAddr) -> Response<StaffBody>
    where
        B: Body,
        B::Data: Buf,
    {
        let (head, body) = request.into_parts();
        let staff = &self.shared;
        let Some(route) = staff.route(head.uri.path()) else {
            return answer::text(StatusCode::NOT_FOUND, "not found\n");
        };
        let is_read = matches!(head.method, Method::GET | Method::HEAD);
        if !is_read && head.method != Method::POST {
            return answer::not_allowed("GET, HEAD, POST");
        }
        if let Route::Asset(name) = route {
            return answer::asset(name).unwrap_or_else(|| answer::text(StatusCode::NOT_FOUND, "not found\n"));
        }
        let visit = staff.sessions.find(&head.headers, &staff.tokens, !matches!(route, Route::Live));
        if is_read {
            let query = Form::parse(head.uri.query().unwrap_or_default().as_bytes());
            return match (route, visit) {
                (Route::SignIn, None) => staff.sign_in_page(&head, &query, StatusCode::OK, None),
                (Route::SignIn, Some(_)) => answer::see_other(&staff.settings.path),
                (route, Some(visit)) => staff.turn(&head, visit).read(route, &query, &head).await,
                (Route::Live, None) => answer::text(StatusCode::UNAUTHORIZED, "signed out\n"),
                (_, None) => staff.not_signed_in(&head),
            };
        }
        if !is_same_site(&head.headers, &[]) {
            tracing::warn!("a form of another site was refused");
            return staff.message(&head, visit, StatusCode::FORBIDDEN, "cross_site");
        }
        let form = match Form::read(body).await {
            Ok(form) => form,
            Err(unread) => return staff.message(&head, visit, unread.status(), unread.as_str()),
        };
        match (route, visit) {
            (Route::SignIn, _) => staff.sign_in(&head, &form, peer),
            (route, Some(visit)) if staff.sessions.gave(&visit, form.get("csrf")) => {
                staff.turn(&head, visit).write(route, &form).await
            }
            (_, Some(visit)) => staff.message(&head, Some(visit), StatusCode::FORBIDDEN, "cross_site"),
            // What was typed is shown again, and after the sign-in the page that it was typed on.
            (route, None) => {
                let form = match route {
                    Route::Work(id, _) => form.with("next", format!("{}/leads/{id}", staff.settings.path)),
                    _ => form,
                };
                staff.sign_in_page(&head, &form, StatusCode::UNAUTHORIZED, Some("signed_out"))
            }
        }
    }
}

/// What the pages answer, by path.
#[derive(Clone, Copy)]
enum Route<'p> {
    List,
    Lead(Uuid),
    Work(Uuid, &'p str),
    Dashboard,
    Search,
    Export,
    Wish(&'p str),
    Live,
    SignIn,
    SignOut,
    Asset(&'p str),
}

impl Shared {
    fn route<'p>(&self, path: &'p str) -> Option<Route<'p>> {
        let rest = path.strip_prefix(&*self.settings.path)?;
        Some(match rest {
            "" | "/" => Route::List,
            "/dashboard" => Route::Dashboard,
            "/search" => Route::Search,
            "/export" => Route::Export,
            "/live" => Route::Live,
            "/sign-in" => Route::SignIn,
            "/sign-out" => Route::SignOut,
            "/reveal" | "/mask" | "/language" => Route::Wish(&rest[1..]),
            _ if rest.starts_with("/assets/") => Route::Asset(&rest["/assets/".len()..]),
            _ => {
                let rest = rest.strip_prefix("/leads/")?;
                let (id, work) = rest.split_once('/').map_or((rest, None), |(id, work)| (id, Some(work)));
                let id = Uuid::try_parse(id).ok()?;
                match work {
                    None => Route::Lead(id),
                    Some(work) => Route::Work(id, lead::WORKS.iter().find(|known| **known == work)?),
                }
            }
        })
    }

    fn turn<'s>(self: &'s Arc<Self>, head: &Parts, visit: Visit) -> Turn<'s> {
        let language = visit.language.unwrap_or_else(|| Language::of_headers(&head.headers));
        Turn { staff: self, visit, language }
    }

    /// Sends a browser to the way in. One that came by a link from elsewhere holds its cookie back (`SameSite=Strict`): asked by this
    /// page again, it sends it.
    fn not_signed_in(&self, head: &Parts) -> Response<StaffBody> {
        let target = head.uri.path_and_query().map_or(&*self.settings.path, |target| target.as_str());
        let site = head.headers.get("sec-fetch-site").and_then(|site| site.to_str().ok());
        if matches!(site, Some("cross-site" | "same-site")) {
            let language = Language::of_headers(&head.headers);
            let frame = Frame::new(self, language, None);
            return answer::page(StatusCode::OK, &pages::Onward { frame, target });
        }
        let next = url::form_urlencoded::byte_serialize(target.as_bytes()).collect::<String>();
        answer::see_other(&format!("{}/sign-in?next={next}", self.settings.path))
    }

    fn sign_in_page(
        &self,
        head: &Parts,
        asked: &Form,
        status: StatusCode,
        problem: Option<&str>,
    ) -> Response<StaffBody> {
        let language =
            asked.some("lang").and_then(Language::of_tag).unwrap_or_else(|| Language::of_headers(&head.headers));
        let frame = Frame::new(self, language, None);
        let problem = problem.map(|problem| frame.texts.problem(problem));
        let next = self.local(asked.get("next")).to_owned();
        answer::page(status, &SignIn { frame, problem, next, kept: asked.typed() })
    }

    /// A page of these, and not one of somebody who made up a link.
    fn local<'t>(&'t self, target: &'t str) -> &'t str {
        let path = target.split('?').next().unwrap_or_default();
        let is_page = matches!(self.route(path), Some(Route::List | Route::Lead(_) | Route::Dashboard));
        let is_plain = target.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
        if is_page && is_plain { target } else { &self.settings.path }
    }

    fn sign_in(&self, head: &Parts, form: &Form, peer: IpAddr) -> Response<StaffBody> {
        let address = self.settings.proxies.client(peer, &head.headers);
        if let Err(seconds) = self.limiter.check(&self.pepper.hash_address(address, Utc::now())) {
            let mut response = self.sign_in_page(head, form, StatusCode::TOO_MANY_REQUESTS, Some("too_many_requests"));
            response.headers_mut().insert(RETRY_AFTER, seconds.into());
            return response;
        }
        let grant = self.tokens.verify(form.get("token").as_bytes()).filter(|grant| grant.allows(Scope::Read));
        let Some(grant) = grant else {
            tracing::warn!("somebody could not sign in");
            return self.sign_in_page(head, form, StatusCode::FORBIDDEN, Some("unauthorized"));
        };
        let language =
            form.some("lang").and_then(Language::of_tag).unwrap_or_else(|| Language::of_headers(&head.headers));
        tracing::info!(actor = %grant.actor(), "signed in");
        let Some(session) = self.sessions.begin(grant, language) else {
            return self.sign_in_page(head, form, StatusCode::INTERNAL_SERVER_ERROR, Some("internal"));
        };
        let mut response = answer::see_other(self.local(form.get("next")));
        self.set_cookie(&mut response, &session, &head.headers);
        response
    }

    fn set_cookie(&self, response: &mut Response<StaffBody>, session: &str, headers: &HeaderMap) {
        // TLS ends elsewhere; a browser says with a form whether it is spoken there.
        let is_secure = headers.get(ORIGIN).is_some_and(|origin| origin.as_bytes().starts_with(b"https:"));
        let cookie = self.sessions.cookie(session, &self.settings.path, is_secure);
        if let Ok(cookie) = HeaderValue::try_from(cookie) {
            response.headers_mut().insert(SET_COOKIE, cookie);
        }
    }

    fn message(
        self: &Arc<Self>,
        head: &Parts,
        visit: Option<Visit>,
        status: StatusCode,
        problem: &str,
    ) -> Response<StaffBody> {
        if let Some(visit) = visit {
            return self.turn(head, visit).refused(&Refused::of(status, problem));
        }
        let frame = Frame::new(self, Language::of_headers(&head.headers), None);
        let text = frame.texts.problem(problem);
        answer::page(status, &Message { frame, text, kept: String::new() })
    }
}

impl Turn<'_> {
    fn api(&self) -> Api<'_> {
        Api { inbox: &self.staff.inbox, grant: &self.visit.grant }
    }

    fn frame(&self) -> Frame<'_> {
        Frame::new(self.staff, self.language, Some(&self.visit))
    }

    fn path(&self) -> &str {
        &self.staff.settings.path
    }

    fn refused(&self, refused: &Refused) -> Response<StaffBody> {
        self.refused_with(refused, String::new())
    }

    /// With what was typed.
    fn refused_with(&self, refused: &Refused, kept: String) -> Response<StaffBody> {
        let frame = self.frame();
        let text = frame.texts.problem(&refused.error);
        answer::page(refused.status(), &Message { frame, text, kept })
    }

    async fn read(self, route: Route<'_>, query: &Form, head: &Parts) -> Response<StaffBody> {
        let answered = match route {
            Route::List => self.list(query).await,
            Route::Lead(id) => self.lead(id, None).await,
            Route::Work(id, "erase") => self.ask_to_erase(id).await,
            Route::Dashboard => self.dashboard().await,
            // A search is in no address: whoever comes back to one begins anew.
            Route::Search => Ok(answer::see_other(self.path())),
            Route::Live => Ok(self.live(&head.headers)),
            _ => Ok(answer::not_allowed("POST")),
        };
        answered.unwrap_or_else(|refused| self.refused(&refused))
    }

    async fn write(self, route: Route<'_>, form: &Form) -> Response<StaffBody> {
        let answered = match route {
            Route::Work(id, work) => self.work(id, work, form).await,
            Route::Search => self.search(form).await,
            Route::Export => self.export(form).await,
            Route::Wish(wish) => Ok(self.wish(wish, form)),
            Route::SignOut => {
                self.staff.sessions.end(&self.visit);
                let mut response = answer::see_other(&format!("{}/sign-in", self.path()));
                self.staff.set_cookie(&mut response, "", &HeaderMap::new());
                Ok(response)
            }
            _ => Ok(answer::not_allowed("GET, HEAD")),
        };
        answered.unwrap_or_else(|refused| self.refused(&refused))
    }

    fn wish(&self, wish: &str, form: &Form) -> Response<StaffBody> {
        let wish = match wish {
            "reveal" => Wish::ShowAll,
            "mask" => Wish::Mask,
            _ => Wish::Speak(self.language.other()),
        };
        self.staff.sessions.remember(&self.visit, &wish);
        answer::see_other(self.staff.local(form.get("next")))
    }
}

impl std::fmt::Debug for Staff {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Staff").field("settings", &self.shared.settings).finish_non_exhaustive()
    }
}

/// Where the answer of an inbox is passed on as it is.
fn passed_on(response: Response<InboxBody>) -> Response<StaffBody> {
    crate::web::secured(response.map(StaffBody::from))
}
