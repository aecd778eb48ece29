//! Is all well? Connection, tables, settings, triggers.

use fastcore_leads::LeadDatabase;
use serde_json::json;

use crate::{
    options::Options,
    outcome::{Failure, Outcome},
    shown,
};

pub(crate) async fn run(options: &Options, database: &dyn LeadDatabase) -> Outcome {
    let mut rows = vec![json!({"what": "connection", "state": "ok", "detail": ""})];
    let mut row = |what: &str, faults: Vec<String>| {
        let state = if faults.is_empty() { "ok" } else { "bad" };
        rows.push(json!({"what": what, "state": state, "detail": faults.join("; ")}));
    };
    row("tables", database.ready().await.err().map(|error| error.to_string()).into_iter().collect());
    row("adoption", database.adoption_problems().await?);
    let warnings = database.settings_warnings().await?;
    row("settings", warnings.into_iter().map(str::to_owned).collect());
    let guards = database.missing_guards().await?;
    row("triggers", guards.into_iter().map(|guard| format!("{guard} is missing or off")).collect());
    shown::print(options, &["what", "state", "detail"], &rows, || json!(rows));
    let bad: Vec<_> = rows.iter().filter(|row| row["state"] == "bad").filter_map(|row| row["what"].as_str()).collect();
    if bad.is_empty() { Ok(()) } else { Err(Failure::Failed(format!("not well: {}", bad.join(", ")))) }
}
