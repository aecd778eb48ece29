//! The adapters decide nothing: no status, no JSON, no header in their sources, and little else.

use std::{fs, path::Path};

#[test]
fn adapters_hold_no_status_no_json_and_no_header_name() {
    let statuses = [
        "StatusCode",
        "status(",
        "200",
        "201",
        "400",
        "401",
        "403",
        "404",
        "405",
        "409",
        "410",
        "413",
        "415",
        "422",
        "500",
        "503",
    ];
    let json = ["json", "serde", "{\\\"", "problem"];
    let headers = [
        "content-type",
        "content_type",
        "CONTENT_TYPE",
        "authorization",
        "AUTHORIZATION",
        "retry-after",
        "RETRY_AFTER",
        "allow",
        "ALLOW",
        "cache-control",
        "www-authenticate",
        "HeaderName",
        "HeaderValue",
        "header::{",
    ];
    for adapter in ["fastcore-leads-axum", "fastcore-leads-warp"] {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join(adapter).join("src");
        let mut code = Vec::new();
        for file in fs::read_dir(source).unwrap() {
            let text = fs::read_to_string(file.unwrap().path()).unwrap();
            code.extend(
                text.lines()
                    .map(str::trim)
                    .filter(|line| !line.starts_with("//") && !line.is_empty())
                    .map(str::to_owned),
            );
        }
        assert!(code.len() > 10 && code.len() <= 120, "{adapter} has {} lines", code.len());
        for line in &code {
            for word in statuses.iter().chain(&json).chain(&headers) {
                assert!(!line.contains(word), "{adapter}: {word} in {line}");
            }
        }
    }
}
