//! As much of a browser as these tests need: a cookie, the forms' token, and the headers that browsers send.

use std::net::IpAddr;

use bytes::Bytes;
use fastcore_leads_examples::staff::{Staff, StaffBody};
use futures_util::StreamExt;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use url::form_urlencoded::Serializer;

#[derive(Clone)]
pub(super) struct Browser {
    pub(super) staff: Staff,
    pub(super) peer: IpAddr,
    pub(super) cookie: Option<String>,
    pub(super) csrf: String,
    /// Sent with each request besides.
    pub(super) headers: Vec<(&'static str, String)>,
}

pub(super) struct Page {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) bytes: Vec<u8>,
}

impl Page {
    pub(super) fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    pub(super) fn has(&self, text: &str) -> bool {
        self.text().contains(text)
    }

    pub(super) fn location(&self) -> &str {
        self.headers["location"].to_str().unwrap()
    }

    /// The value of a field of a form; the first, where there are several.
    pub(super) fn field(&self, name: &str) -> String {
        let text = self.text();
        let start = text.find(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no {name}: {text}"));
        let value = &text[start + name.len() + "name=\"\" value=\"".len()..];
        value[..value.find('"').unwrap()].to_owned()
    }
}

impl Browser {
    pub(super) fn new(staff: Staff) -> Self {
        let headers = vec![("accept-language", "en".to_owned()), ("sec-fetch-site", "same-origin".to_owned())];
        Self { staff, peer: IpAddr::from([192, 0, 2, 1]), cookie: None, csrf: String::new(), headers }
    }

    pub(super) async fn sign_in(&mut self, token: &str) {
        let answer = self.post("/staff/sign-in", &[("token", token)]).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/staff"));
        let cookie = answer.headers["set-cookie"].to_str().unwrap();
        for attribute in ["Path=/staff", "HttpOnly", "SameSite=Strict", "Max-Age=43200"] {
            assert!(cookie.split("; ").any(|part| part == attribute), "{cookie}");
        }
        self.cookie = Some(cookie.split(';').next().unwrap().to_owned());
        self.csrf = self.get("/staff").await.field("csrf");
    }

    pub(super) async fn get(&self, target: &str) -> Page {
        self.ask("GET", target, String::new()).await
    }

    /// Sends a form of a page that this browser was shown.
    pub(super) async fn post(&self, target: &str, fields: &[(&str, &str)]) -> Page {
        let mut form = Serializer::new(String::new());
        form.append_pair("csrf", &self.csrf).extend_pairs(fields);
        self.ask("POST", target, form.finish()).await
    }

    pub(super) async fn ask(&self, method: &str, target: &str, body: String) -> Page {
        let (status, headers, body) = self.begin(method, target, body).await;
        let bytes = match body {
            StaffBody::Whole(bytes) => bytes.to_vec(),
            StaffBody::Pieces(pieces) => {
                let pieces: Vec<Bytes> = pieces.map(|piece| piece.unwrap()).collect().await;
                pieces.concat()
            }
        };
        // Whatever was asked, and by whom.
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "same-origin");
        let caching = headers["cache-control"].to_str().unwrap();
        assert!(caching == "no-store" || target.contains("/assets/"), "{target}: {caching}");
        Page { status, headers, bytes }
    }

    /// What is answered, before the whole body is there.
    pub(super) async fn begin(&self, method: &str, target: &str, body: String) -> (StatusCode, HeaderMap, StaffBody) {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in &self.headers {
            request = request.header(*name, value);
        }
        if let Some(cookie) = &self.cookie {
            request = request.header("cookie", cookie);
        }
        let request = request.body(Full::new(Bytes::from(body))).unwrap();
        assert!(self.staff.serves(request.uri().path()), "{target}");
        let (head, body) = self.staff.handle(request, self.peer).await.into_parts();
        (head.status, head.headers, body)
    }
}
