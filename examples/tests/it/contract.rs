//! The published contract: made of the code's limits, and true of parser, schema and endpoint.

use std::collections::HashSet;

use bytes::Bytes;
use fastcore_leads::{
    Actor, ConsentPolicy, Endpoint, InboxEndpoint, Ingest, Lead, LeadStore, MemoryLeadStore, ParseError, Scope, Token,
    TokenSet,
    lead::{ViolationCode, limits},
    testing::{
        Random, TOKEN,
        http::{authorized, exchange},
        new_lead,
    },
};
use fastcore_leads_examples::contract::{self, Body, InboxVector, InboxVerdict, Policy, Vector, Verdict};
use http::Request;
use http_body_util::{BodyExt, Full};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::pairs;

/// Reads JSON as the schema's users do; `None` where the bytes are none, or JSON does not tell them apart.
fn instance(vector: &Vector) -> Option<Value> {
    match &vector.body {
        Body::Json(value) => Some(value.clone()),
        Body::Bytes(_) if matches!(vector.verdict, Verdict::Malformed | Verdict::TooLarge) => None,
        Body::Bytes(bytes) => serde_json::from_slice(bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)).ok(),
    }
}

fn policy(vector: &Vector) -> ConsentPolicy {
    match vector.policy {
        Policy::ConsentRecorded => ConsentPolicy::Recorded,
        Policy::ConsentRequired => ConsentPolicy::Required,
    }
}

/// The schema named so in the OpenAPI document.
fn component(name: &str) -> Validator {
    let mut schema = contract::openapi();
    schema["$ref"] = format!("#/components/schemas/{name}").into();
    jsonschema::draft202012::new(&schema).unwrap()
}

#[test]
fn the_published_files_are_those_of_the_code() {
    for file in contract::files() {
        let kept = std::fs::read_to_string(contract::folder().join(file.name)).unwrap_or_default();
        assert!(kept == file.text, "{} has drifted: run `cargo run --bin contract` and look at the change", file.name);
    }
}

#[test]
fn the_vectors_show_every_rule_once_at_least() {
    let vectors = contract::vectors();
    assert!(vectors.len() >= 150, "{}", vectors.len());
    let names: HashSet<_> = vectors.iter().map(|vector| &vector.name).collect();
    assert_eq!(names.len(), vectors.len(), "no name comes twice");
    let shown: HashSet<ViolationCode> = vectors
        .iter()
        .filter_map(|vector| if let Verdict::Invalid(violations) = &vector.verdict { Some(violations) } else { None })
        .flat_map(|violations| violations.iter().map(|(_, code)| *code))
        .collect();
    for code in ViolationCode::ALL {
        assert!(shown.contains(code), "no vector shows {code}");
    }
}

#[test]
fn the_parser_reaches_every_verdict() {
    for vector in contract::vectors() {
        let is_too_large = vector.bytes().len() > limits::MAX_BODY_BYTES;
        assert_eq!(is_too_large, vector.verdict == Verdict::TooLarge, "{}", vector.name);
        if is_too_large {
            // Whoever calls the parser bounds the body; the endpoint is asked below.
            continue;
        }
        let verdict = match Lead::parse(&vector.bytes(), policy(&vector)) {
            Ok(_) => Verdict::Accepted,
            Err(ParseError::Malformed) => Verdict::Malformed,
            Err(ParseError::Invalid(violations)) => {
                Verdict::Invalid(violations.iter().map(|v| (v.pointer().to_owned(), v.code())).collect())
            }
        };
        assert_eq!(verdict, vector.verdict, "{}", vector.name);
    }
}

#[test]
fn the_schema_reaches_every_verdict_that_it_can_say() {
    let schema = jsonschema::draft202012::new(&contract::lead_schema()).unwrap();
    let embedded = component("Lead");
    let mut seen = 0;
    for vector in contract::vectors() {
        let Some(instance) = instance(&vector) else { continue };
        // Not JSON's business: the schema's reader never sees a text that it cannot parse, such as a member twice.
        let accepts = vector.verdict == Verdict::Accepted || vector.is_beyond_schema;
        assert_eq!(schema.is_valid(&instance), accepts, "{}", vector.name);
        assert_eq!(embedded.is_valid(&instance), accepts, "{}", vector.name);
        seen += 1;
    }
    assert!(seen > 300, "{seen}");
}

#[tokio::test]
async fn the_endpoint_reaches_every_verdict_and_answers_as_documented() {
    let (receipt, problem) = (component("Receipt"), component("Problem"));
    for serve in [pairs::serve_axum, pairs::serve_warp] {
        let endpoint = || {
            let ingest = Ingest::builder(MemoryLeadStore::new()).start();
            Endpoint::new(ingest, TokenSet::parse(TOKEN).unwrap())
        };
        let recorded = serve(endpoint()).await;
        let required = serve(endpoint().consent_policy(ConsentPolicy::Required)).await;
        for vector in contract::vectors() {
            let server = if vector.policy == Policy::ConsentRecorded { &recorded } else { &required };
            let answer = exchange(server.address, &authorized(&vector.bytes())).await;
            let body = answer.json();
            let (status, error) = match &vector.verdict {
                Verdict::Accepted => (201, Value::Null),
                Verdict::Malformed => (400, "malformed_body".into()),
                Verdict::TooLarge => (413, "body_too_large".into()),
                Verdict::Invalid(_) => (422, "validation_error".into()),
            };
            assert_eq!((answer.status, &body["error"]), (status, &error), "{}", vector.name);
            let documented = if status == 201 { &receipt } else { &problem };
            assert!(documented.is_valid(&body), "{}: {body}", vector.name);
            let errors: Vec<_> = body["errors"].as_array().into_iter().flatten().collect();
            let expected: Vec<_> = match &vector.verdict {
                Verdict::Invalid(violations) => violations.as_slice(),
                _ => &[],
            }
            .iter()
            .map(|(pointer, code)| (json!(pointer), json!(code.as_str())))
            .collect();
            let answered: Vec<_> =
                errors.iter().map(|error| (error["pointer"].clone(), error["code"].clone())).collect();
            assert_eq!(answered, expected, "{}", vector.name);
        }
    }
}

/// Endpoint and schemas reach the verdict of each vector of the inbox.
#[tokio::test]
async fn the_inbox_reaches_every_verdict() {
    let tokens = || {
        let token = Token::new(TOKEN).unwrap().with_scopes(Scope::ALL.iter().copied());
        TokenSet::new([token.acting_as(Actor::new("marie").unwrap())]).unwrap()
    };
    let document = contract::inbox_openapi("");
    let component = |name: &str| {
        let mut schema = document.clone();
        schema["$ref"] = format!("#/components/schemas/{name}").into();
        jsonschema::draft202012::new(&schema).unwrap()
    };
    let mut names = HashSet::new();
    for InboxVector { name, method, path, query, schema, body, verdict } in contract::inbox_vectors() {
        let store = MemoryLeadStore::new();
        let new = new_lead();
        let id = new.id();
        store.insert(&[new]).await.unwrap();
        let inbox = InboxEndpoint::new(store, tokens());
        let bytes = match &body {
            Some(Body::Json(value)) => value.to_string().into_bytes(),
            Some(Body::Bytes(bytes)) => bytes.clone(),
            None => Vec::new(),
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}?{query}", path.replace("{id}", &id.to_string())))
            .header("authorization", format!("Bearer {TOKEN}"))
            .header("content-type", "application/json")
            .body(Full::new(Bytes::from(bytes)))
            .unwrap();
        let answer = inbox.handle(request).await;
        let status = answer.status();
        let answered = answer.into_body().collect().await.unwrap().to_bytes();
        let problem =
            serde_json::from_slice::<Value>(&answered).ok().and_then(|json| json["error"].as_str().map(str::to_owned));
        let reached = if status.is_success() { "accepted" } else { problem.as_deref().unwrap_or("?") };
        assert_eq!(reached, verdict.as_str(), "{name}");
        if let (Some(schema), Some(Body::Json(body))) = (schema, &body)
            && verdict != InboxVerdict::TooLarge
        {
            assert_eq!(component(schema).is_valid(body), verdict == InboxVerdict::Accepted, "{name}, by its schema");
        }
        assert!(names.insert(name.clone()), "{name} comes twice");
    }
    assert!(names.len() > 90, "{}", names.len());
}

/// Members of random vectors, and characters put in and taken out: what the parser takes, the schema takes.
#[test]
fn the_schema_accepts_whatever_the_parser_accepts() {
    let schema = jsonschema::draft202012::new(&contract::lead_schema()).unwrap();
    let mut random = Random::from_env();
    let bodies: Vec<Value> = contract::vectors().iter().filter_map(instance).filter(Value::is_object).collect();
    let mut accepted = 0;
    for _ in 0..3_000 {
        let mut body = bodies[random.below(bodies.len())].clone();
        for _ in 0..random.below(3) {
            let other = &bodies[random.below(bodies.len())];
            let members: Vec<_> = other.as_object().into_iter().flatten().collect();
            if members.is_empty() {
                continue;
            }
            let (name, value) = members[random.below(members.len())];
            body[name] = value.clone();
        }
        edit(&mut body, &mut random);
        if Lead::parse(body.to_string().as_bytes(), ConsentPolicy::Recorded).is_ok() {
            assert!(schema.is_valid(&body), "the parser accepts, the schema does not: {body}");
            accepted += 1;
        }
    }
    assert!(accepted > 150, "{accepted} of 3,000 were leads at all");
}

/// Changes one text somewhere.
fn edit(body: &mut Value, random: &mut Random) {
    const CHARS: &[char] = &[
        'a', '0', 'Z', 'z', 'T', 't', ' ', '-', '+', ':', '.', ',', '@', '{', '}', '\u{2212}', '\u{3002}', '\n',
        '\u{a0}', 'é', '🚗', '\u{85}',
    ];
    const ALIKE: &[(char, char)] =
        &[('-', '\u{2212}'), ('-', '+'), ('.', '\u{3002}'), ('T', ' '), ('Z', 'z'), (' ', '\u{85}'), ('a', '\u{301}')];
    let mut texts = Vec::new();
    collect(body, &mut texts);
    if texts.is_empty() {
        return;
    }
    let index = random.below(texts.len());
    let text = texts.swap_remove(index);
    let mut chars: Vec<char> = text.chars().collect();
    // What looks alike at the place where it matters.
    let (from, to) = ALIKE[random.below(ALIKE.len())];
    let places: Vec<usize> = (0..chars.len()).filter(|i| chars[*i] == from).collect();
    if !places.is_empty() && random.one_in(2) {
        chars[places[random.below(places.len())]] = to;
    }
    for _ in 0..random.below(3) {
        let at = random.below(chars.len() + 1);
        if random.one_in(2) {
            chars.insert(at, CHARS[random.below(CHARS.len())]);
        } else if at < chars.len() {
            chars[at] = CHARS[random.below(CHARS.len())];
        }
    }
    *text = chars.into_iter().collect();
}

fn collect<'a>(value: &'a mut Value, texts: &mut Vec<&'a mut String>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter_mut().for_each(|item| collect(item, texts)),
        Value::Object(members) => members.values_mut().for_each(|member| collect(member, texts)),
        _ => {}
    }
}

/// Signed by a key whose private half is nowhere.
#[test]
fn the_examples_of_proofs_are_real() {
    const KEY: &str = "example.com/audit+50ec413a+AVaJ5olArmxkhj2G3G2iKvrrlU6QrqUIzGYQd6ea5sWJ";

    let document = contract::openapi();
    let example = |path: &str| {
        let content = &document["paths"][path]["get"]["responses"]["200"]["content"];
        content["text/plain; charset=utf-8"]["example"].as_str().unwrap().to_owned()
    };
    let receipt: fastcore_leads::proof::Receipt = example("/inbound/leads/{id}/receipt").parse().unwrap();
    assert_eq!(receipt.verify(&[KEY.parse().unwrap()]).unwrap().size, 3);
    assert_eq!(receipt.checkpoint.to_string(), example("/audit/checkpoint"));
}
