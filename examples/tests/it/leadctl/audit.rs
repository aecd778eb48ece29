//! The audit log is proved, as an operator does it.

use std::fs;

use fastcore_leads::testing::body;

use super::Place;

impl Place {
    fn path(&self, name: &str) -> String {
        self.dir.path().join(name).to_str().unwrap().to_owned()
    }

    /// With a key, a folder, and so many leads, sealed.
    fn sealed(&self, leads: usize) {
        fs::write(self.path("keys"), self.done(&["audit", "key", "example.com/audit"])).unwrap();
        fs::write(self.path("known"), self.done(&["audit", "key", "--of", "keys"])).unwrap();
        fs::create_dir(self.path("published")).unwrap();
        self.receive(leads);
        self.seal();
    }

    fn receive(&self, leads: usize) -> Vec<String> {
        let bodies: Vec<_> = (0..leads).map(|_| body()).collect();
        self.with(&bodies)
    }

    fn seal(&self) {
        self.done(&["audit", "seal", "--keys", "keys", "--publish", "published"]);
    }

    fn verify(&self, arguments: &[&str]) -> super::Run {
        self.run(&[&["audit", "verify", "--known", "known"], arguments].concat())
    }
}

#[test]
fn a_log_is_sealed_verified_and_redacted() {
    for place in Place::all() {
        assert_eq!(place.run(&["audit", "verify", "--unsigned"]).code, 0, "nothing is sealed");
        place.sealed(5);
        let status: serde_json::Value = serde_json::from_str(&place.done(&["--json", "audit", "status"])).unwrap();
        assert_eq!((status["sealed"].as_u64(), status["signed"].as_u64()), (Some(5), Some(5)), "{status}");
        assert_eq!(status["origin"], "example.com/audit");
        fs::copy(place.path("published/checkpoint"), place.path("kept")).unwrap();
        let id = place.receive(3).remove(0);
        place.seal();
        let sound = place.verify(&["--published", "published", "--against", "kept"]);
        assert_eq!(sound.code, 0, "{}{}", sound.out, sound.err);
        assert!(sound.out.contains("8 entries, 0 of them redacted; checked against 2 checkpoints"), "{}", sound.out);

        let receipt = place.done(&["audit", "prove", &id]);
        fs::write(place.path("receipt"), &receipt).unwrap();
        let shown = place.done(&["--json", "audit", "check", "receipt", "--known", "known"]);
        let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
        assert_eq!((shown["row"]["lead_id"].as_str(), shown["size"].as_u64()), (Some(id.as_str()), Some(8)));
        let row = shown["row"]["id"].as_str().unwrap().to_owned();
        fs::write(place.path("receipt"), receipt.replacen("index ", "index 1", 1)).unwrap();
        assert_eq!(place.run(&["audit", "check", "receipt", "--known", "known"]).code, 8);

        let redact = ["audit", "redact", &row, "--reason", "a drill"];
        assert_eq!(place.run(&redact).code, 7, "nobody was there to say yes");
        place.done(&[&redact[..], &["--yes"]].concat());
        assert_eq!(place.run(&["audit", "redact", &id, "--reason", "a drill", "--yes"]).code, 3, "a lead is no row");
        assert_eq!(place.run(&["audit", "prove", &id]).code, 4);
        place.seal();
        let sound = place.verify(&["--published", "published", "--against", "kept"]);
        assert_eq!(sound.code, 0, "{}{}", sound.out, sound.err);
        assert!(sound.out.contains("9 entries, 1 of them redacted"), "{}", sound.out);
        let check = place.run(&["check"]);
        assert!(
            !format!("{}{}", check.out, check.err).contains("audit_log_no"),
            "the log is guarded again: {}",
            check.out
        );
    }
}

#[test]
fn a_log_that_was_put_back_is_told_and_begun_anew() {
    for place in Place::all() {
        place.sealed(3);
        let other = Place::sqlite();
        // As if the database had been put back to before the first lead.
        let place = Place { url: other.url.clone(), ..place };
        place.receive(2);
        let refused = place.run(&["audit", "seal", "--keys", "keys", "--publish", "published"]);
        assert!(refused.code == 8 && refused.err.contains("leadctl audit restart"), "{}", refused.err);
        let found = place.verify(&["--published", "published"]);
        assert!(found.code == 8 && found.out.contains("3 entries were signed"), "{}{}", found.out, found.err);
        let missing = place.verify(&["--published", "nowhere"]);
        assert!(missing.code == 1 && missing.err.contains("mounted"), "{}", missing.err);
        place.done(&["audit", "restart", "--former", "published/checkpoint", "--reason", "a drill", "--yes"]);
        fs::create_dir(place.path("next")).unwrap();
        let refused = place.run(&["audit", "seal", "--keys", "keys", "--publish", "next"]);
        assert!(refused.code == 8 && refused.err.contains("another name"), "{}", refused.err);
        fs::write(place.path("keys"), place.done(&["audit", "key", "example.com/audit-2"])).unwrap();
        fs::write(place.path("known"), place.done(&["audit", "key", "--of", "keys"])).unwrap();
        place.done(&["audit", "seal", "--keys", "keys", "--publish", "next"]);
        let sound = place.verify(&["--published", "next"]);
        assert_eq!(sound.code, 0, "{}{}", sound.out, sound.err);
        drop(other);
    }
}

#[test]
fn a_witness_signs_what_continues_what_it_saw() {
    let place = Place::sqlite();
    place.sealed(3);
    fs::write(place.path("witness"), place.done(&["audit", "key", "witness.example"])).unwrap();
    let witness = ["audit", "witness", "published", "--known", "known", "--key", "witness", "--seen", "seen"];
    assert_eq!(place.run(&witness).code, 5, "it has seen nothing, and nobody said so");
    place.done(&[&witness[..], &["--first"]].concat());
    assert_eq!(place.run(&[&witness[..], &["--first"]].concat()).code, 5, "it has seen something");
    place.receive(300);
    place.seal();
    let cosigned = place.done(&witness);
    assert!(cosigned.contains("\u{2014} witness.example ") && cosigned.contains("\n303\n"), "{cosigned}");
    // Who relies on the witness has its public key, too.
    let keys = place.done(&["audit", "key", "--of", "witness"]);
    let known = fs::read_to_string(place.path("known")).unwrap();
    fs::write(place.path("known"), known + &keys).unwrap();
    assert_eq!(place.verify(&["--against", "seen"]).code, 0);

    // Another log of the same key, and as long.
    let forked = Place::sqlite();
    for name in ["keys", "known", "witness", "seen"] {
        fs::copy(place.path(name), forked.path(name)).unwrap();
    }
    fs::create_dir(forked.path("published")).unwrap();
    forked.receive(305);
    forked.seal();
    let refused = forked.run(&witness);
    assert!(refused.code == 8 && refused.err.contains("not a continuation"), "{}", refused.err);
    assert_eq!(fs::read(forked.path("seen")).unwrap(), fs::read(place.path("seen")).unwrap(), "what was seen stays");
    let found = forked.verify(&["--against", "seen"]);
    assert!(found.code == 8 && found.out.contains("do not make the root"), "{}{}", found.out, found.err);
    for url in ["http://example.com", "http://localhost.example.com", "http://127.0.0.1@example.com"] {
        let in_clear = forked
            .command(&["audit", "witness", url, "--known", "known", "--key", "witness", "--seen", "seen"])
            .env("FASTCORE_AUDIT_TOKEN", "a-token-of-a-witness-0123456789")
            .output()
            .unwrap();
        assert_eq!(in_clear.status.code(), Some(5), "{url}: its token would go in clear");
    }
}
