use http::{
    HeaderMap,
    header::{HOST, ORIGIN},
};

/// Whether a post comes from the site itself, so that no other site can post in a visitor's name (OWASP, Cross-Site Request
/// Forgery Prevention: Fetch Metadata, and the origin where a browser does not send it).
///
/// What sends neither header is no browser, and has no visitor whose name it could abuse.
pub(crate) fn is_same_site(headers: &HeaderMap, origins: &[String]) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("?"));
    let origin = text(ORIGIN.as_str());
    if origin.is_some_and(|origin| origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))) {
        return true;
    }
    match (text("sec-fetch-site"), origin) {
        (Some(site), _) => matches!(site, "same-origin" | "none"),
        (None, Some(origin)) => {
            let origin = origin.split_once("://").map(|(_, host)| host);
            origin.zip(text(HOST.as_str())).is_some_and(|(origin, host)| origin.eq_ignore_ascii_case(host))
        }
        (None, None) => true,
    }
}
