//! Who may post.

use chrono::{TimeDelta, Utc};
use fastcore_leads::{
    Actor, Scope, Token, TokenSet,
    token::{TokenError, Unauthorized},
};
use http::{HeaderMap, HeaderValue, header::AUTHORIZATION};

const OLD: &str = "old-token-0123456789";
const NEW: &str = "new-token-0123456789";

fn headers(values: &[&str]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(AUTHORIZATION, HeaderValue::from_str(value).unwrap());
    }
    headers
}

#[test]
fn several_tokens_make_a_rotation() {
    let tokens = TokenSet::parse(&format!(" {OLD} , {NEW},")).unwrap();
    for token in [OLD, NEW] {
        assert_eq!(tokens.verify(token.as_bytes()).unwrap().actor(), &Actor::SITE_INGEST);
    }
    let clone = tokens.clone();
    tokens.replace([Token::new(NEW).unwrap()]).unwrap();
    assert!(clone.verify(OLD.as_bytes()).is_none());
    assert!(clone.verify(NEW.as_bytes()).is_some());
    assert_eq!(tokens.replace([]), Err(TokenError::Missing));
    assert!(clone.verify(NEW.as_bytes()).is_some());
}

#[test]
fn weak_sets_are_refused() {
    for list in ["", " ", ",", " , "] {
        assert_eq!(TokenSet::parse(list).unwrap_err(), TokenError::Missing);
    }
    assert_eq!(TokenSet::parse("123456789012345").unwrap_err(), TokenError::TooShort);
    assert!(TokenSet::parse("1234567890123456").is_ok());
    assert_eq!(TokenSet::parse(&format!("{OLD},short")).unwrap_err(), TokenError::TooShort);
    assert_eq!(TokenSet::parse("a token with spaces").unwrap_err(), TokenError::BadCharacter);
    assert_eq!(TokenSet::parse("un-jeton-d'accès-long").unwrap_err(), TokenError::BadCharacter);
    assert!(TokenError::Missing.to_string().contains("openssl rand -base64 32"));
}

#[test]
fn names_sources_and_ends() {
    let now = Utc::now();
    let tokens = TokenSet::new([
        Token::new(OLD).unwrap().expiring_at(now - TimeDelta::seconds(1)),
        Token::new(NEW)
            .unwrap()
            .acting_as(Actor::new("partner").unwrap())
            .for_sources(["partner.example"])
            .expiring_at(now + TimeDelta::hours(1)),
    ])
    .unwrap();
    assert!(tokens.verify(OLD.as_bytes()).is_none(), "expired");
    let grant = tokens.verify(NEW.as_bytes()).unwrap();
    assert_eq!(grant.actor().as_str(), "partner");
    assert!(grant.allows_source("partner.example"));
    assert!(!grant.allows_source("fast-techservices.com"));
}

#[test]
fn the_header_is_read_as_rfc_6750_has_it() {
    let tokens = TokenSet::parse(OLD).unwrap();
    for scheme in ["Bearer", "bearer", "BEARER", "bEaReR"] {
        for spaces in [" ", "   "] {
            assert!(tokens.authenticate(&headers(&[&format!("{scheme}{spaces}{OLD}")])).is_ok());
        }
    }
    for value in [
        "",
        "Bearer",
        "Bearer ",
        OLD,
        &format!("Basic {OLD}"),
        &format!("Bearer{OLD}"),
        &format!("Bearer {OLD} x"),
        &format!("Bearer {OLD},{NEW}"),
        &format!("Bearer\t{OLD}"),
        &format!("Token {OLD}"),
    ] {
        assert_eq!(tokens.authenticate(&headers(&[value])).unwrap_err(), Unauthorized::NoToken, "{value}");
    }
    assert_eq!(tokens.authenticate(&headers(&[])).unwrap_err(), Unauthorized::NoToken);
    let twice = headers(&[&format!("Bearer {OLD}"), &format!("Bearer {OLD}")]);
    assert_eq!(tokens.authenticate(&twice).unwrap_err(), Unauthorized::NoToken);
    for wrong in [NEW, &OLD[..OLD.len() - 1], &format!("{OLD}x"), &OLD.to_uppercase()] {
        let answer = tokens.authenticate(&headers(&[&format!("Bearer {wrong}")]));
        assert_eq!(answer.unwrap_err(), Unauthorized::InvalidToken, "{wrong}");
    }
}

#[test]
fn debug_shows_no_token() {
    let tokens = TokenSet::new([Token::new(OLD).unwrap().for_sources(["a.example"])]).unwrap();
    let grant = tokens.verify(OLD.as_bytes()).unwrap();
    let shown = format!("{tokens:?} {grant:?} {:?}", TokenSet::parse("short-secret-x").unwrap_err());
    assert!(!shown.contains("token-0123") && !shown.contains("short-secret"), "{shown}");
    assert!(shown.contains("site_ingest"));
}

#[test]
fn a_token_is_for_what_its_scopes_say() {
    let ingest = TokenSet::parse(NEW).unwrap().verify(NEW.as_bytes()).unwrap();
    assert!(ingest.allows(Scope::Ingest) && !ingest.allows(Scope::Events));
    let events = TokenSet::new([Token::new(NEW).unwrap().with_scopes([Scope::Events])]).unwrap();
    let events = events.verify(NEW.as_bytes()).unwrap();
    assert!(events.allows(Scope::Events) && !events.allows(Scope::Ingest));
    for scope in Scope::ALL {
        assert_eq!(scope.as_str().parse(), Ok(*scope));
    }
}

/// A session outlives the request that brought its token, but not the token.
#[test]
fn a_grant_is_good_for_as_long_as_its_token() {
    let token = |scope: Scope| Token::new("a-token-of-marie-0123456789").unwrap().with_scopes([scope]);
    let tokens = TokenSet::new([token(Scope::Read)]).unwrap();
    let grant = tokens.verify(b"a-token-of-marie-0123456789").unwrap();
    assert!(tokens.renew(&grant).unwrap().allows(Scope::Read));
    tokens.replace([token(Scope::Work)]).unwrap();
    let renewed = tokens.renew(&grant).unwrap();
    assert!(renewed.allows(Scope::Work) && !renewed.allows(Scope::Read), "what it grants now");
    tokens.replace([token(Scope::Work).expiring_at(chrono::Utc::now())]).unwrap();
    assert!(tokens.renew(&grant).is_none(), "expired");
    tokens.replace([Token::new("a-token-of-jean-0123456789").unwrap()]).unwrap();
    assert!(tokens.renew(&grant).is_none() && tokens.renew(&renewed).is_none(), "revoked");
    assert!(!format!("{grant:?}").contains("digest"));
}
