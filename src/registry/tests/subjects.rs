//! Tests of the schema that snapshots are written with: looked up, checked, registered.

use super::registry;
use super::server::{Reply, Seen, Server, json, page};
use crate::registry::EnsureError;

const SCHEMA: &str = r#"{"type":"record","name":"R","fields":[]}"#;
const LOOKUP: &str = "POST /subjects/a%2Fb-value";
const CHECK: &str = "POST /compatibility/subjects/a%2Fb-value/versions/latest?verbose=true";
const REGISTER: &str = "POST /subjects/a%2Fb-value/versions";

fn no_subject() -> Reply {
    json(
        404,
        r#"{"error_code":40401,"message":"Subject 'a/b-value' not found."}"#,
    )
}

fn no_schema() -> Reply {
    json(404, r#"{"error_code":40403,"message":"Schema not found"}"#)
}

fn ensure(server: &Server, auto_register: bool) -> Result<u32, EnsureError> {
    registry(server).ensure("a/b-value", SCHEMA, auto_register)
}

/// A server with an answer for each of the three requests.
fn server(lookup: fn() -> Reply, check: fn() -> Reply, register: fn() -> Reply) -> Server {
    Server::start(move |seen: &Seen, _| match seen.line.as_str() {
        LOOKUP => lookup(),
        CHECK => check(),
        REGISTER => register(),
        line => panic!("{line}"),
    })
}

fn must_not_be_asked() -> Reply {
    json(
        500,
        r#"{"error_code":50001,"message":"this was not to be asked"}"#,
    )
}

fn refused(result: Result<u32, EnsureError>) -> String {
    match result {
        Err(EnsureError::Refused(text)) => text,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_registered_schema_is_only_looked_up() {
    let lookup = || {
        json(
            200,
            r#"{"subject":"a/b-value","id":42,"version":3,"schema":"{}"}"#,
        )
    };
    let server = server(lookup, must_not_be_asked, must_not_be_asked);
    assert_eq!(ensure(&server, false), Ok(42));
    assert_eq!(server.lines(), [LOOKUP]);
    let body: serde_json::Value = serde_json::from_str(&server.seen()[0].body).unwrap();
    assert_eq!(body, serde_json::json!({ "schema": SCHEMA }));
}

#[test]
fn a_new_subject_gets_its_first_version() {
    let server = server(no_subject, no_subject, || json(200, r#"{"id":1}"#));
    assert_eq!(ensure(&server, true), Ok(1));
    assert_eq!(server.lines(), [LOOKUP, CHECK, REGISTER]);
}

#[test]
fn a_compatible_schema_becomes_a_new_version() {
    let check = || json(200, r#"{"is_compatible":true,"messages":[]}"#);
    let server = server(no_schema, check, || json(200, r#"{"id":2,"version":2}"#));
    assert_eq!(ensure(&server, true), Ok(2));
}

#[test]
fn without_auto_register_nothing_is_registered() {
    let server = server(no_schema, must_not_be_asked, must_not_be_asked);
    let text = refused(ensure(&server, false));
    for expected in ["\"a/b-value\"", "not registered", "snapshot.auto_register"] {
        assert!(text.contains(expected), "{text}");
    }
    assert_eq!(server.lines(), [LOOKUP]);
}

#[test]
fn an_incompatible_schema_is_refused_with_the_registrys_messages() {
    let check = || {
        let mut messages = vec!["READER_FIELD_MISSING_DEFAULT_VALUE at /fields/3".to_owned()];
        messages.extend((0..9).map(|_| "x".repeat(2000)));
        let body = serde_json::json!({"is_compatible": false, "messages": messages});
        json(200, &body.to_string())
    };
    let server = server(no_schema, check, must_not_be_asked);
    let text = refused(ensure(&server, true));
    for expected in [
        "not compatible",
        "MISSING_DEFAULT",
        "/fields/3",
        "5 more",
        "level",
    ] {
        assert!(text.contains(expected), "{text}");
    }
    assert!(text.len() < 2_000, "{text}");
    assert_eq!(server.lines(), [LOOKUP, CHECK]);
}

#[test]
fn a_single_reason_is_quoted_too() {
    let check = || json(200, r#"{"is_compatible":false,"reason":"b at /fields/1"}"#);
    let server = server(no_schema, check, must_not_be_asked);
    let text = refused(ensure(&server, true));
    assert!(text.contains("b at /fields/1"), "{text}");
}

#[test]
fn a_registry_that_declines_is_quoted() {
    let compatible: fn() -> Reply = || json(200, r#"{"is_compatible":true}"#);
    let declines: [fn() -> Reply; 2] = [
        || {
            json(
                409,
                r#"{"error_code":409,"message":"incompatible with an earlier schema"}"#,
            )
        },
        || {
            json(
                422,
                r#"{"error_code":42205,"message":"Subject is in read-only mode"}"#,
            )
        },
    ];
    for decline in declines {
        for server in [
            server(decline, must_not_be_asked, must_not_be_asked),
            server(no_schema, decline, must_not_be_asked),
            server(no_schema, compatible, decline),
        ] {
            let text = refused(ensure(&server, true));
            assert!(text.contains("error code 4"), "{text}");
            assert!(text.contains("a/b-value"), "{text}");
        }
    }
}

#[test]
fn a_registry_that_is_away_refuses_nothing() {
    let compatible: fn() -> Reply = || json(200, r#"{"is_compatible":true}"#);
    let away: [fn() -> Reply; 8] = [
        || page(404),
        || page(409),
        || page(422),
        || json(401, "{}"),
        || json(500, r#"{"error_code":50003,"message":"Forwarding failed"}"#),
        || json(200, r#"{"version":3}"#),
        || json(200, "[]"),
        || Reply::Closed,
    ];
    for fault in away {
        for server in [
            server(fault, must_not_be_asked, must_not_be_asked),
            server(no_schema, fault, must_not_be_asked),
            server(no_schema, compatible, fault),
        ] {
            let result = ensure(&server, true);
            assert!(
                matches!(result, Err(EnsureError::Unavailable(_))),
                "{result:?}"
            );
        }
    }
}
