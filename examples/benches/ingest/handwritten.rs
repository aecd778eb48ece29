//! What a careful user would write: axum's extractors, an sqlx pool, a transaction a lead.

use axum::{
    Json, Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use chrono::{DateTime, Utc};
use fastcore_leads::{LeadMigrations, testing::TOKEN};
use fastcore_leads_store_sqlx::PgLeadStore;
use serde::{Deserialize, Serialize};
use sqlx::postgres::{PgPool, PgPoolOptions};
use uuid::Uuid;

use crate::candidates::serve_router;

#[derive(Deserialize)]
struct LeadIn {
    name: String,
    email: String,
    phone: Option<String>,
    company: Option<String>,
    service: Option<String>,
    message: String,
    consent: bool,
    meta: MetaIn,
}

#[derive(Deserialize, Serialize)]
struct MetaIn {
    source: String,
    request_id: Uuid,
    ip_hash: String,
    user_agent_hash: Option<String>,
    timestamp_utc: DateTime<Utc>,
}

#[derive(Serialize)]
struct LeadOut {
    #[serde(rename = "leadId")]
    lead_id: Uuid,
    timestamp: DateTime<Utc>,
    status: &'static str,
}

pub(crate) async fn serve(url: &str) {
    PgLeadStore::connect(url).await.expect("it connects").migrate().await.expect("migrated");
    let pool = PgPoolOptions::new().max_connections(30).connect(url).await.expect("it connects");
    serve_router(Router::new().route("/inbound/leads", post(ingest)).with_state(pool)).await;
}

async fn ingest(
    State(pool): State<PgPool>,
    headers: HeaderMap,
    Json(lead): Json<LeadIn>,
) -> Result<(StatusCode, Json<LeadOut>), StatusCode> {
    let token = headers.get("authorization").and_then(|value| value.to_str().ok()?.strip_prefix("Bearer "));
    if token != Some(TOKEN) {
        return Err(StatusCode::UNAUTHORIZED);
    }
    let is_valid = (2..=80).contains(&lead.name.chars().count())
        && lead.email.contains('@')
        && (20..=2000).contains(&lead.message.chars().count());
    if !is_valid {
        return Err(StatusCode::UNPROCESSABLE_ENTITY);
    }
    let (id, now) = (Uuid::now_v7(), Utc::now());
    write(&pool, id, now, &lead).await.map_err(|_| StatusCode::INTERNAL_SERVER_ERROR)?;
    Ok((StatusCode::CREATED, Json(LeadOut { lead_id: id, timestamp: now, status: "received" })))
}

async fn write(pool: &PgPool, id: Uuid, now: DateTime<Utc>, lead: &LeadIn) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let meta = serde_json::json!({
        "user_agent_hash": lead.meta.user_agent_hash,
        "timestamp_utc": lead.meta.timestamp_utc,
    });
    sqlx::query(
        "INSERT INTO lead_inbox (id, created_at_utc, name, email, phone, company, service, message, consent, source,
                                 request_id, ip_hash, meta_json, status)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 'received')",
    )
    .bind(id)
    .bind(now)
    .bind(&lead.name)
    .bind(&lead.email)
    .bind(&lead.phone)
    .bind(&lead.company)
    .bind(&lead.service)
    .bind(&lead.message)
    .bind(lead.consent)
    .bind(&lead.meta.source)
    .bind(lead.meta.request_id)
    .bind(&lead.meta.ip_hash)
    .bind(meta)
    .execute(&mut *transaction)
    .await?;
    let details = serde_json::json!({
        "email": format!("{}***", lead.email.chars().take(3).collect::<String>()),
        "service": lead.service,
        "ip_hash": lead.meta.ip_hash,
    });
    sqlx::query(
        "INSERT INTO audit_log (id, created_at_utc, event, actor, lead_id, request_id, status_code, details_json)
         VALUES ($1, $2, 'LEAD_RECEIVED', 'site_ingest', $3, $4, 201, $5)",
    )
    .bind(Uuid::now_v7())
    .bind(now)
    .bind(id)
    .bind(lead.meta.request_id)
    .bind(details)
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await
}
