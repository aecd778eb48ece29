//! A canary in every personal member and in the token: in no log line, however much is logged, and in no answer.

use fastcore_leads::testing::{
    TOKEN, body,
    http::{exchange, lead_request, request},
    postgres::Cluster,
};

use crate::service::Service;

const CANARY: &str = "canary9e41";

#[tokio::test]
async fn nothing_personal_is_logged_or_answered() {
    let cluster = Cluster::start(&[]);
    let mut lead = body();
    for member in ["name", "company", "message"] {
        lead[member] = format!("Texte de {CANARY} assez long").into();
    }
    lead["email"] = format!("x.{CANARY}@{CANARY}.example").into();
    lead["phone"] = CANARY.into();
    lead["meta"]["user_agent_hash"] = CANARY.into();
    lead["meta"]["ip_hash"] = CANARY.into();
    for url in [cluster.database(), "sqlite:leads.db".to_owned()] {
        for (driver, framework) in [("sqlx", "axum"), ("diesel", "warp")] {
            let options = ["--database-url", &url, "--driver", driver, "--framework", framework];
            let variables = [("FASTCORE_SITE_INGEST_TOKEN", TOKEN), ("RUST_LOG", "trace")];
            let service = Service::start_with(&options, &variables);
            if url.starts_with("postgres") {
                cluster.psql(&url, "ALTER TABLE lead_inbox DROP CONSTRAINT IF EXISTS refusal");
                // What the server says of its own accord, drivers log.
                cluster.psql(
                    &url,
                    "CREATE OR REPLACE FUNCTION chatter() RETURNS trigger LANGUAGE plpgsql AS
                         $$ BEGIN RAISE WARNING 'lead % %', NEW.name, NEW.email; RETURN NEW; END $$;
                     CREATE OR REPLACE TRIGGER chatter BEFORE INSERT ON lead_inbox FOR EACH ROW
                         EXECUTE FUNCTION chatter()",
                );
            }
            lead["meta"]["request_id"] = uuid::Uuid::now_v7().to_string().into();
            let sent = lead_request(&lead);
            let mut answers = vec![exchange(service.address, &sent).await, exchange(service.address, &sent).await];
            assert_eq!(answers[0].status, 201);
            let mut conflict = lead.clone();
            conflict["name"] = format!("Autre {CANARY}").into();
            answers.push(exchange(service.address, &lead_request(&conflict)).await);
            let mut invalid = lead.clone();
            invalid["email"] = format!("{CANARY}@").into();
            answers.push(exchange(service.address, &lead_request(&invalid)).await);
            let token = format!("Bearer {CANARY}-0123456789");
            answers.push(exchange(service.address, &request("POST", &[("authorization", &token)], b"")).await);
            let mut other = lead.clone();
            other["meta"]["request_id"] = uuid::Uuid::now_v7().to_string().into();
            if url.starts_with("postgres") {
                // The server's message quotes the failing row.
                cluster.psql(&url, "ALTER TABLE lead_inbox ADD CONSTRAINT refusal CHECK (name = 'x') NOT VALID");
                answers.push(exchange(service.address, &lead_request(&other)).await);
                assert_eq!(answers.last().unwrap().status, 500);
                cluster.stop();
                answers.push(exchange(service.address, &lead_request(&other)).await);
                assert_eq!(answers.last().unwrap().status, 503);
                cluster.resume();
            }
            for answer in answers {
                assert!(!format!("{:?}", answer.headers).contains(CANARY));
                assert!(!String::from_utf8_lossy(&answer.body).contains(CANARY));
            }
            let logs = service.logs();
            assert!(logs.contains("lead ingest"), "{logs}");
            for line in logs.lines() {
                assert!(!line.contains(CANARY) && !line.contains(TOKEN), "{line}");
            }
        }
    }
}
