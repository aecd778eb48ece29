//! The tables, for teams that join on them. One module a database, since ids, instants and JSON are text in SQLite.

/// The tables in PostgreSQL.
#[cfg(feature = "postgres")]
#[allow(missing_docs, reason = "the columns are those of the wire contract")]
pub mod postgres {
    diesel::table! {
        lead_inbox (id) {
            id -> Uuid,
            created_at_utc -> Timestamptz,
            name -> Text,
            email -> Text,
            phone -> Nullable<Text>,
            company -> Nullable<Text>,
            service -> Nullable<Text>,
            message -> Text,
            consent -> Bool,
            source -> Text,
            request_id -> Uuid,
            ip_hash -> Text,
            meta_json -> Nullable<Jsonb>,
            status -> Text,
            erased_at_utc -> Nullable<Timestamptz>,
        }
    }

    diesel::table! {
        audit_log (id) {
            id -> Uuid,
            created_at_utc -> Timestamptz,
            event -> Text,
            actor -> Nullable<Text>,
            lead_id -> Nullable<Uuid>,
            request_id -> Uuid,
            status_code -> Nullable<Integer>,
            details_json -> Nullable<Jsonb>,
        }
    }

    diesel::allow_tables_to_appear_in_same_query!(lead_inbox, audit_log);
}

/// The tables in SQLite.
#[cfg(feature = "sqlite")]
#[allow(missing_docs, reason = "the columns are those of the wire contract")]
pub mod sqlite {
    diesel::table! {
        lead_inbox (id) {
            id -> Text,
            created_at_utc -> Text,
            name -> Text,
            email -> Text,
            phone -> Nullable<Text>,
            company -> Nullable<Text>,
            service -> Nullable<Text>,
            message -> Text,
            consent -> Bool,
            source -> Text,
            request_id -> Text,
            ip_hash -> Text,
            meta_json -> Nullable<Text>,
            status -> Text,
            erased_at_utc -> Nullable<Text>,
        }
    }

    diesel::table! {
        audit_log (id) {
            id -> Text,
            created_at_utc -> Text,
            event -> Text,
            actor -> Nullable<Text>,
            lead_id -> Nullable<Text>,
            request_id -> Text,
            status_code -> Nullable<Integer>,
            details_json -> Nullable<Text>,
        }
    }

    diesel::allow_tables_to_appear_in_same_query!(lead_inbox, audit_log);
}
