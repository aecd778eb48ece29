//! The leads that wait on the site's disk, as an operator looks after them.

use std::path::Path;

use fastcore_leads::{
    RequestId,
    client::{Client, Spool, SpoolKeys, SpoolOptions},
    testing::{self, Nobody, TOKEN},
};

use super::{Place, Value, json};

const KEY: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

async fn spooled(state: &Path, options: SpoolOptions, emails: &[&str]) -> Vec<RequestId> {
    let spool = Spool::open(state.join("spool"), options).unwrap();
    let client = Client::builder("http://127.0.0.1:1", TOKEN, Nobody).unwrap().spool(spool).start();
    let mut ids = Vec::new();
    for email in emails {
        let mut body = testing::body();
        body["email"] = (*email).into();
        ids.push(client.deliver(&testing::parse(&body)).await.unwrap().request_id());
    }
    ids
}

fn of(place: &Place, arguments: &[&str]) -> Vec<String> {
    let state = place.dir.path().join("state").display().to_string();
    arguments.iter().map(|argument| (*argument).to_owned()).chain(["--site-state".to_owned(), state]).collect()
}

#[tokio::test]
async fn leads_that_wait_are_listed_found_shown_retried_and_erased() {
    let place = Place::sqlite();
    let state = place.dir.path().join("state");
    let emails = ["marie.curie@example.com", "pierre@example.com", "Marie.Curie@example.com"];
    let ids = spooled(&state, SpoolOptions::new(), &emails).await;
    let aside = state.join("spool/refused/conflict");
    std::fs::create_dir_all(&aside).unwrap();
    let file = format!("{}.json", ids[1]);
    std::fs::rename(state.join("spool/2024-01-03T10").join(&file), aside.join(&file)).unwrap();
    let run = |arguments: &[&str]| {
        let arguments = of(&place, arguments);
        place.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let list: Value = serde_json::from_str(&run(&["spool", "list", "--json"]).out).unwrap();
    let places: Vec<_> = list["leads"].as_array().unwrap().iter().map(|lead| lead["place"].as_str().unwrap()).collect();
    assert_eq!((list["count"].clone(), places), (json!(3), vec!["waiting", "waiting", "conflict"]));
    assert!(!list.to_string().contains("curie") && !list.to_string().contains("Curie"), "{list}");
    let table = run(&["spool", "list", "--limit", "1", "--reveal"]);
    assert!(table.out.contains("@example.com") && table.err.contains("leads: 3; add --limit"), "{}", table.err);
    let found: Value = serde_json::from_str(&run(&["spool", "find", "MARIE.CURIE@example.com", "--json"]).out).unwrap();
    assert_eq!(found["leads"].as_array().unwrap().len(), 2);
    assert_eq!(run(&["spool", "find", "paul@example.com"]).code, 3);
    let shown = run(&["spool", "show", &ids[0].to_string()[..34], "--reveal", "--json"]);
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown["body"]["email"], "marie.curie@example.com");
    assert!(!run(&["spool", "show", &ids[0].to_string()]).out.contains("curie"));
    assert_eq!(run(&["spool", "retry", &ids[0].to_string()]).code, 3, "it waits already");
    assert_eq!(run(&["spool", "show", "ffff0000"]).code, 3);
    assert!(run(&["spool", "retry"]).out.contains("1 wait again"));
    assert_eq!(run(&["spool", "erase", "marie.curie@example.com"]).code, 7, "nobody is there to answer");
    let erased = run(&["spool", "erase", "marie.curie@example.com", "--yes"]);
    assert!(erased.out.contains("2 erased"), "{} {}", erased.out, erased.err);
    assert_eq!(run(&["spool", "erase", "marie.curie@example.com", "--yes"]).code, 3);
    let list: Value = serde_json::from_str(&run(&["spool", "list", "--json"]).out).unwrap();
    assert_eq!((&list["count"], &list["leads"][0]["place"]), (&json!(1), &json!("waiting")));
}

#[tokio::test]
async fn a_person_is_exported_and_erased_from_database_and_spool() {
    let place = Place::sqlite();
    let state = place.dir.path().join("state");
    let keys = SpoolOptions::new().keys(SpoolKeys::parse(KEY).unwrap());
    spooled(&state, keys, &["marie@example.com", "marie@example.com", "pierre@example.com"]).await;
    let mut body = testing::body();
    body["email"] = "marie@example.com".into();
    let import = place.write("leads.jsonl", &body.to_string());
    place.done(&["import", &import]);
    let key_file = place.write("keys", KEY);
    let with_key = |arguments: &[&str]| {
        let arguments = [of(&place, arguments), vec!["--site-spool-keys".to_owned(), key_file.clone()]].concat();
        place.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };

    // Without the folder, or without its key, nobody is told that nothing is held.
    let without = place.run(&["export", "marie@example.com", "--reveal"]);
    assert!(without.err.contains("set FASTCORE_SITE_STATE"), "{}", without.err);
    let arguments = of(&place, &["export", "marie@example.com", "--reveal"]);
    let locked = place.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(locked.err.contains("cannot be read, which may be of this address too: 3"), "{}", locked.err);

    let masked = with_key(&["export", "marie@example.com"]);
    assert!(masked.err.contains("leads held on this address: 1, and in the spool: 2"), "{}", masked.err);
    let export: Value = serde_json::from_str(&with_key(&["export", "marie@example.com", "--reveal"]).out).unwrap();
    assert_eq!(export["leads"].as_array().unwrap().len(), 1);
    let waiting = export["spool"].as_array().unwrap();
    assert!(waiting.len() == 2 && waiting.iter().all(|lead| lead["body"]["email"] == "marie@example.com"), "{export}");

    // A reason that the log cannot keep is refused before anything is changed.
    let refused = with_key(&["erase", "marie@example.com", "--reason", "Jean Dupont asked", "--yes"]);
    assert_eq!(refused.code, 4, "{} {}", refused.out, refused.err);
    let export: Value = serde_json::from_str(&with_key(&["export", "marie@example.com", "--reveal"]).out).unwrap();
    let held = ["leads", "spool"].map(|place| export[place].as_array().unwrap().len());
    assert_eq!(held, [1, 2], "{export}");

    let erased = with_key(&["erase", "Marie@example.com", "--yes"]);
    // What waited is stored and erased: its request ids are never stored again.
    assert!(erased.out.contains("3 erased, of which 2 waited in the spool"), "{} {}", erased.out, erased.err);
    // Without the key, nobody is told that it is done.
    let arguments = of(&place, &["erase", "pierre@example.com", "--yes"]);
    let locked = place.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(locked.code == 1 && locked.err.contains("--site-spool-keys"), "{} {}", locked.code, locked.err);
    assert_eq!(with_key(&["erase", "marie@example.com", "--yes"]).code, 3);
    // One who is in the spool alone.
    let erased = with_key(&["erase", "pierre@example.com", "--yes", "--json"]);
    let erased: Value = serde_json::from_str(&erased.out).unwrap();
    let count = |member: &str| erased[member].as_array().unwrap().len();
    assert_eq!((count("erased"), count("erased_from_spool"), &erased["unreadable_in_spool"]), (1, 1, &json!(0)));
}

#[test]
fn a_spool_that_is_not_there_is_not_made() {
    let place = Place::sqlite();
    assert_eq!(place.run(&["spool", "list"]).code, 5);
    let arguments = of(&place, &["spool", "list"]);
    let run = place.run(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(run.code == 5 && run.err.contains("is FASTCORE_SITE_STATE right?"), "{}", run.err);
    assert!(!place.dir.path().join("state").exists());
}
