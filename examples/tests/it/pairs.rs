//! Every adapter over every store.

use fastcore_leads::{
    Endpoint,
    testing::{BoxFuture, http::Server},
};

use crate::stores;

pub(crate) fn serve_axum(endpoint: Endpoint) -> BoxFuture<Server> {
    let router: axum::Router = fastcore_leads_axum::router(endpoint);
    Box::pin(Server::spawn(|listener| async move { axum::serve(listener, router).await.unwrap() }))
}

pub(crate) fn serve_warp(endpoint: Endpoint) -> BoxFuture<Server> {
    Box::pin(Server::spawn(|listener| warp::serve(fastcore_leads_warp::filter(endpoint)).incoming(listener).run()))
}

macro_rules! pairs {
    ($($store:ident)*) => {
        $(
            mod $store {
                mod axum {
                    fastcore_leads::pair_conformance!(crate::pairs::serve_axum, super::super::stores::$store);
                }
                mod warp {
                    fastcore_leads::pair_conformance!(crate::pairs::serve_warp, super::super::stores::$store);
                }
            }
        )*
    };
}

pairs! { memory sqlx_postgres sqlx_sqlite diesel_postgres diesel_sqlite }

#[test]
fn no_pair_and_no_case_is_missing() {
    for store in ["memory", "sqlx_postgres", "sqlx_sqlite", "diesel_postgres", "diesel_sqlite"] {
        for framework in ["axum", "warp"] {
            let module = format!("pairs::{store}::{framework}");
            fastcore_leads::testing::assert_listed(&module, fastcore_leads::testing::pairs::CASES);
        }
    }
}
