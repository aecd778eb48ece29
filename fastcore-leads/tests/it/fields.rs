//! Every member of a lead on both sides of each of its rules.

use fastcore_leads::{
    ConsentPolicy, Lead, LeadDraft, LeadStatus, ParseError, Service,
    lead::{ViolationCode, limits},
    testing,
};
use serde_json::{Value, json};

/// Characters that count as one each, whatever their bytes: ASCII, two, three and four bytes, and a combining mark.
const ONE_CODE_POINT: &[&str] = &["a", "é", "中", "😀", "\u{301}"];

pub(crate) fn with(pointer: &str, value: Value) -> Value {
    let mut body = testing::body();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let parent = if parent.is_empty() { &mut body } else { body.pointer_mut(parent).unwrap() };
    parent.as_object_mut().unwrap().insert(member.to_owned(), value);
    body
}

fn without(pointer: &str) -> Value {
    let mut body = testing::body();
    let (parent, member) = pointer.rsplit_once('/').unwrap();
    let parent = if parent.is_empty() { &mut body } else { body.pointer_mut(parent).unwrap() };
    parent.as_object_mut().unwrap().remove(member);
    body
}

pub(crate) fn with_consent(member: &str, value: Value) -> Value {
    let mut proof = json!({"version": "2026-01", "locale": "fr-FR", "given_at": "2026-01-02T03:04:05Z"});
    proof[member] = value;
    with("/meta/consent", proof)
}

fn parse(body: &Value) -> Result<Lead, Vec<(String, ViolationCode)>> {
    match Lead::parse(body.to_string().as_bytes(), ConsentPolicy::Recorded) {
        Ok(lead) => Ok(lead),
        Err(ParseError::Invalid(violations)) => {
            Err(violations.iter().map(|v| (v.pointer().to_owned(), v.code())).collect())
        }
        Err(ParseError::Malformed) => panic!("well-formed JSON was called malformed: {body}"),
    }
}

#[track_caller]
pub(crate) fn accepts(body: &Value) -> Lead {
    parse(body).unwrap_or_else(|violations| panic!("{violations:?} in {body}"))
}

#[track_caller]
pub(crate) fn refuses(body: &Value, pointer: &str, code: ViolationCode) {
    assert_eq!(parse(body).expect_err("refused"), [(pointer.to_owned(), code)], "{body}");
}

#[test]
fn texts_have_both_limits_in_code_points() {
    let texts = [
        ("/name", limits::NAME),
        ("/message", limits::MESSAGE),
        ("/meta/source", limits::SOURCE),
        ("/phone", limits::PHONE),
        ("/company", limits::COMPANY),
    ];
    for (pointer, limits::Length { min, max }) in texts {
        for c in ONE_CODE_POINT {
            accepts(&with(pointer, c.repeat(min).into()));
            accepts(&with(pointer, c.repeat(max).into()));
            accepts(&with(pointer, format!(" \t\u{a0}{}\u{2003}\n", c.repeat(max)).into()));
            refuses(&with(pointer, c.repeat(max + 1).into()), pointer, ViolationCode::TooLong);
            if min > 1 {
                refuses(&with(pointer, c.repeat(min - 1).into()), pointer, ViolationCode::TooShort);
            }
        }
    }
    {
        let member = "version";
        accepts(&with_consent(member, "é".repeat(80).into()));
        refuses(&with_consent(member, "é".repeat(81).into()), "/meta/consent/version", ViolationCode::TooLong);
        refuses(&with_consent(member, "".into()), "/meta/consent/version", ViolationCode::TooShort);
    }
}

#[test]
fn what_is_stored_is_trimmed() {
    let lead = accepts(&with("/name", "\u{a0} Zoë \t".into()));
    assert_eq!(lead.name(), "Zoë");
    let message = " \r\nBonjour,\r\n\tje voudrais un devis.\n ";
    assert_eq!(accepts(&with("/message", message.into())).message(), "Bonjour,\n\tje voudrais un devis.");
    assert_eq!(accepts(&with("/email", " jean@EXAMPLE.com ".into())).email().as_str(), "jean@example.com");
    refuses(&with("/email", "jean@example.com\n".into()), "/email", ViolationCode::EmailInvalid);
}

#[test]
fn required_members_are_required() {
    let required = [
        "/name",
        "/email",
        "/message",
        "/consent",
        "/meta",
        "/meta/source",
        "/meta/request_id",
        "/meta/ip_hash",
        "/meta/timestamp_utc",
    ];
    for pointer in required {
        refuses(&without(pointer), pointer, ViolationCode::Required);
        refuses(&with(pointer, Value::Null), pointer, ViolationCode::Required);
    }
    for member in ["version", "locale", "given_at"] {
        refuses(&with_consent(member, Value::Null), &format!("/meta/consent/{member}"), ViolationCode::Required);
    }
}

#[test]
fn optional_members_may_be_missing_null_or_blank() {
    for pointer in ["/phone", "/company", "/service", "/meta/user_agent_hash"] {
        for body in
            [without(pointer), with(pointer, Value::Null), with(pointer, "".into()), with(pointer, " \u{a0}\n".into())]
        {
            let lead = accepts(&body);
            let value = match pointer {
                "/phone" => lead.phone().is_none(),
                "/company" => lead.company().is_none(),
                "/service" => lead.service().is_none(),
                _ => lead.meta().user_agent_hash().is_none(),
            };
            assert!(value, "{body}");
        }
    }
    for value in [Value::Null, json!([])] {
        assert_eq!(accepts(&with("/meta/suspicion", value)).initial_status(), LeadStatus::Received);
    }
    assert!(accepts(&with("/meta/consent", Value::Null)).meta().consent().is_none());
}

#[test]
fn types_are_strict() {
    let texts = [
        "/name",
        "/email",
        "/phone",
        "/company",
        "/service",
        "/message",
        "/meta/source",
        "/meta/request_id",
        "/meta/ip_hash",
        "/meta/user_agent_hash",
        "/meta/timestamp_utc",
    ];
    for pointer in texts {
        for value in
            [json!(1), json!(-1), json!(1.5), json!(true), json!([]), json!(["a"]), json!({}), json!({"a": {"b": []}})]
        {
            refuses(&with(pointer, value), pointer, ViolationCode::NotAString);
        }
    }
    for value in [json!("yes"), json!("true"), json!(1), json!(0), json!([]), json!({})] {
        refuses(&with("/consent", value), "/consent", ViolationCode::NotABoolean);
    }
    for value in [json!("a"), json!(1), json!(-1), json!(1.5), json!(true), json!([]), json!([{"source": "a"}])] {
        refuses(&with("/meta", value.clone()), "/meta", ViolationCode::NotAnObject);
        refuses(&with("/meta/consent", value), "/meta/consent", ViolationCode::NotAnObject);
    }
    for value in [json!("honeypot"), json!({}), json!(1), json!(false)] {
        refuses(&with("/meta/suspicion", value), "/meta/suspicion", ViolationCode::NotAList);
    }
}

#[test]
fn control_characters_are_refused_everywhere() {
    let texts = ["/name", "/phone", "/company", "/message", "/meta/source", "/meta/ip_hash", "/meta/user_agent_hash"];
    for pointer in texts {
        for c in ['\u{0}', '\u{1}', '\u{8}', '\u{1b}', '\u{7f}', '\u{80}', '\u{85}', '\u{9f}'] {
            refuses(
                &with(pointer, format!("abcdefghij{c}klmnopqrst").into()),
                pointer,
                ViolationCode::ControlCharacter,
            );
        }
        for c in ['\n', '\r', '\t'] {
            let body = with(pointer, format!("abcdefghij{c}klmnopqrst").into());
            if pointer == "/message" {
                accepts(&body);
            } else {
                refuses(&body, pointer, ViolationCode::ControlCharacter);
            }
        }
    }
    refuses(&with("/email", "je\u{0}an@example.com".into()), "/email", ViolationCode::EmailInvalid);
    refuses(&with("/service", "ponts\u{0}".into()), "/service", ViolationCode::ServiceUnknown);
    refuses(&with("/meta/request_id", "\u{0}".into()), "/meta/request_id", ViolationCode::UuidInvalid);
    refuses(
        &with("/meta/timestamp_utc", "2024-01-03T10:30:45Z\u{0}".into()),
        "/meta/timestamp_utc",
        ViolationCode::TimestampInvalid,
    );
    refuses(&with("/meta/suspicion", json!(["a\u{0}"])), "/meta/suspicion/0", ViolationCode::SuspicionInvalid);
    refuses(&with_consent("version", "a\u{0}".into()), "/meta/consent/version", ViolationCode::ControlCharacter);
    refuses(&with_consent("locale", "fr\u{0}".into()), "/meta/consent/locale", ViolationCode::ControlCharacter);
    refuses(&with_consent("given_at", "\u{0}".into()), "/meta/consent/given_at", ViolationCode::TimestampInvalid);
}

#[test]
fn services_are_the_five_words() {
    for service in Service::ALL {
        assert_eq!(accepts(&with("/service", service.as_str().into())).service(), Some(*service));
    }
    for word in ["Ponts", "pont", " ponts", "peinture"] {
        refuses(&with("/service", word.into()), "/service", ViolationCode::ServiceUnknown);
    }
}

#[test]
fn consent_is_recorded_unless_it_is_required() {
    let refusal = with("/consent", false.into());
    assert!(!accepts(&refusal).consent());
    let Err(ParseError::Invalid(violations)) = Lead::parse(refusal.to_string().as_bytes(), ConsentPolicy::Required)
    else {
        panic!("consent was required");
    };
    assert_eq!((violations[0].pointer(), violations[0].code()), ("/consent", ViolationCode::ConsentRequired));
    assert!(Lead::parse(testing::body().to_string().as_bytes(), ConsentPolicy::Required).is_ok());
}

#[test]
fn all_faults_come_at_once_in_the_members_order() {
    let body = json!({
        "meta": {"suspicion": "x", "timestamp_utc": 5, "user_agent_hash": "a b", "ip_hash": "::1", "request_id": "x", "source": ""},
        "consent": "yes", "message": "court", "service": "x", "company": "a\u{1}", "phone": 3, "email": "x", "name": "a",
    });
    let pointers: Vec<_> = parse(&body).unwrap_err().into_iter().map(|(pointer, _)| pointer).collect();
    assert_eq!(
        pointers,
        [
            "/name",
            "/email",
            "/phone",
            "/company",
            "/service",
            "/message",
            "/consent",
            "/meta/source",
            "/meta/request_id",
            "/meta/ip_hash",
            "/meta/user_agent_hash",
            "/meta/timestamp_utc",
            "/meta/suspicion",
        ]
    );
    let both = parse(&with("/name", "\u{1}".into())).unwrap_err();
    assert_eq!(
        both,
        [("/name".to_owned(), ViolationCode::ControlCharacter), ("/name".to_owned(), ViolationCode::TooShort)]
    );
}

#[test]
fn what_is_not_one_object_is_malformed() {
    let valid = testing::body().to_string();
    let deep = format!(r#"{{"unknown":{}{}}}"#, "[".repeat(200), "]".repeat(200));
    let malformed: Vec<Vec<u8>> = vec![
        b"".to_vec(),
        b"{".to_vec(),
        b"null".to_vec(),
        b"1".to_vec(),
        b"\"a\"".to_vec(),
        b"[]".to_vec(),
        br#"["Jean Dupont","jean@example.com"]"#.to_vec(),
        format!("[{valid}]").into_bytes(),
        format!("{valid}x").into_bytes(),
        format!("{valid}{valid}").into_bytes(),
        format!("\u{feff}\u{feff}{valid}").into_bytes(),
        valid.replacen('{', r#"{"name":"Jean","#, 1).into_bytes(),
        valid.replace(r#""source":"#, r#""source":"a","source":"#).into_bytes(),
        valid.replacen('{', r#"{"unknown":"\ud800","#, 1).into_bytes(),
        valid.replacen('{', r#"{"\udc00":1,"#, 1).into_bytes(),
        valid.replace("Jean Dupont", r"Jean \ud83d").into_bytes(),
        valid.replacen('{', r"{'a':1,", 1).into_bytes(),
        valid.replacen('{', r#"{"a":NaN,"#, 1).into_bytes(),
        deep.into_bytes(),
        [valid.as_bytes(), b"\xff"].concat(),
        [br#"{"unknown":""#.as_slice(), b"\xc3\x28", br#""}"#].concat(),
    ];
    for body in malformed {
        let verdict = Lead::parse(&body, ConsentPolicy::Recorded);
        assert_eq!(verdict, Err(ParseError::Malformed), "{}", String::from_utf8_lossy(&body));
    }
    for unknown in [r#""x":1"#, r#""x":{"name":[1,{"a":null}]},"x":2"#, r#""Name":true"#, r#""\u0000":"\u0000""#] {
        let body = valid.replacen('{', &format!("{{{unknown},"), 1);
        assert!(Lead::parse(body.as_bytes(), ConsentPolicy::Recorded).is_ok(), "{body}");
    }
    let escaped = valid.replace("Jean Dupont", r"Zo\u00eb \ud83d\ude42");
    assert_eq!(Lead::parse(escaped.as_bytes(), ConsentPolicy::Recorded).unwrap().name(), "Zoë 🙂");
    let escaped_name = valid.replace(r#""name""#, r#""\u006eame""#);
    assert!(Lead::parse(escaped_name.as_bytes(), ConsentPolicy::Recorded).is_ok());
}

#[test]
fn a_draft_is_held_to_the_same_rules() {
    let violations =
        LeadDraft { phone: Some("a\u{0}"), suspicion: &["A"], ..LeadDraft::default() }.parse(ConsentPolicy::Required);
    let Err(ParseError::Invalid(violations)) = violations else { panic!("{violations:?}") };
    let shown = ParseError::Invalid(violations.clone()).to_string();
    assert!(shown.contains("/name must have") && shown.contains("/meta/suspicion/0"), "{shown}");
    let found: Vec<_> = violations.iter().map(|v| (v.pointer(), v.code())).collect();
    assert_eq!(
        found,
        [
            ("/name", ViolationCode::TooShort),
            ("/email", ViolationCode::EmailInvalid),
            ("/phone", ViolationCode::ControlCharacter),
            ("/message", ViolationCode::TooShort),
            ("/consent", ViolationCode::ConsentRequired),
            ("/meta/source", ViolationCode::TooShort),
            ("/meta/request_id", ViolationCode::UuidInvalid),
            ("/meta/ip_hash", ViolationCode::TooShort),
            ("/meta/timestamp_utc", ViolationCode::TimestampInvalid),
            ("/meta/suspicion/0", ViolationCode::SuspicionInvalid),
        ]
    );
}

#[test]
fn details_name_the_limit_and_never_the_value() {
    let body = with("/name", "x".into());
    let Err(ParseError::Invalid(violations)) = Lead::parse(body.to_string().as_bytes(), ConsentPolicy::Recorded) else {
        panic!("the name is too short");
    };
    assert_eq!(violations[0].to_string(), "/name must have at least 2 characters");
    assert_eq!(ViolationCode::ALL.len(), 18);
    for code in ViolationCode::ALL {
        assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'_'));
    }
}

#[test]
fn debug_shows_nothing_about_the_person() {
    let lead = testing::lead();
    let shown = format!("{lead:?} {:?} {:#?}", lead.meta(), testing::new_lead());
    for secret in ["Jean", "jean@", "33612345678", "ACME", "compresseur", "abc123def456", "xyz789"] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}
