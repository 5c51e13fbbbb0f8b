//! Tests of schemas by id: what counts as an answer, and what does not.

use std::net::TcpStream;
use std::time::Duration;

use super::server::{Reply, Server, json, page, schema, unknown_id};
use super::{config, registry};
use crate::registry::{Fetched, Registry, RegistryError, Requests};
use crate::source::framing::SchemaId;

const ID: SchemaId = SchemaId::Number(7);

/// The reason why a server that always answers like this counts as away.
fn fault(answer: impl Fn() -> Reply + Send + Sync + 'static) -> String {
    let server = Server::start(move |_, _| answer());
    let registry = registry(&server);
    let text = registry.schema(ID).unwrap_err().to_string();
    let expected = Requests {
        failed: 1,
        ..Requests::default()
    };
    assert_eq!(registry.requests(), expected);
    let shown = format!("{} ", server.url());
    let text = text.strip_prefix(&shown).expect("it names the URL");
    let text = text.strip_suffix(" (asked for /schemas/ids/7)");
    text.expect("it says what was asked for").to_owned()
}

#[test]
fn a_schema_by_its_number() {
    let server = Server::start(|_, _| schema("\"string\""));
    let registry = registry(&server);
    let expected = Fetched {
        schema: "\"string\"".to_owned(),
        references: Vec::new(),
        unusable: None,
    };
    assert_eq!(registry.schema(ID), Ok(Some(expected)));
    assert_eq!(server.lines(), ["GET /schemas/ids/7"]);
    assert_eq!(server.seen()[0].authorization, None);
    assert_eq!(registry.clone().requests().ok, 1);
}

#[test]
fn a_schema_by_its_guid() {
    let server = Server::start(|_, _| schema("\"string\""));
    let guid = 0x89791762_2336_4186_9674_299b90a802e2_u128;
    let fetched = registry(&server).schema(SchemaId::Guid(guid.to_be_bytes()));
    assert!(fetched.unwrap().is_some());
    let line = "GET /schemas/guids/89791762-2336-4186-9674-299b90a802e2";
    assert_eq!(server.lines(), [line]);
}

#[test]
fn a_base_path_is_kept() {
    let server = Server::start(|_, _| schema("\"string\""));
    let url = format!("{}/apis/ccompat/v7/", server.url());
    let registry = Registry::new(&config(&[&url])).unwrap();
    assert!(registry.schema(ID).unwrap().is_some());
    assert_eq!(server.lines(), ["GET /apis/ccompat/v7/schemas/ids/7"]);
}

/// An id of each kind.
const IDS: [SchemaId; 2] = [ID, SchemaId::Guid([7; 16])];

#[test]
fn an_error_of_the_registry_itself_means_that_there_is_no_such_schema() {
    // registries without schemas by GUID answer 404 or 405
    for (status, code) in [
        (404, 40400),
        (404, 40401),
        (404, 40403),
        (404, 40499),
        (404, 404),
        (404, 50001),
        (404, 0),
        (400, 400),
        (405, 405),
        (406, 406),
        (409, 409),
        (410, 40403),
        (422, 42202),
    ] {
        for id in IDS {
            let body = format!(r#"{{"error_code":{code},"message":"not found"}}"#);
            let server = Server::start(move |_, _| json(status, &body));
            let registry = registry(&server);
            assert_eq!(registry.schema(id), Ok(None), "{status} {code}");
            let expected = Requests {
                not_found: 1,
                ..Requests::default()
            };
            assert_eq!(registry.requests(), expected);
        }
    }
}

#[test]
fn another_error_means_that_there_is_no_such_schema_only_if_the_registry_works() {
    for body in [
        "",
        "{}",
        "null",
        "[]",
        "no such route",
        "default backend - 404",
        r#"{"error_code":40403.0}"#,
        r#"{"error_code":"40403"}"#,
        r#"{"code":404,"message":"Not found"}"#,
        r#"[{"error_code":40403}]"#,
        r#"{"error_code":40403} <html>"#,
        r#"{"message":"Schema 7 not found"}"#,
        "<html>Not found</html>",
    ] {
        for (id, status) in IDS
            .into_iter()
            .zip([404, 410])
            .chain(IDS.into_iter().zip([400, 404]))
        {
            let server = Server::start(move |seen, _| match seen.line.as_str() {
                "GET /schemas/types" => json(200, r#"["AVRO"]"#),
                _ => json(status, body),
            });
            assert_eq!(registry(&server).schema(id), Ok(None), "{status} {body}");

            let nothing = Server::start(move |_, _| json(status, body));
            let reason = registry(&nothing).schema(id).unwrap_err().to_string();
            assert!(
                reason.contains(&format!("answered {status} ")),
                "{body}: {reason}"
            );
        }
    }
    let page = Server::start(|_, _| page(404));
    let reason = registry(&page).schema(ID).unwrap_err().to_string();
    let foreign = "answered 404 Not Found, but not as a registry that lacks what it is asked for";
    assert!(reason.contains(foreign), "{reason}");
}

#[test]
fn a_temporary_status_is_waited_for_whatever_its_body() {
    for status in [200, 302, 401, 403, 407, 408, 425, 429, 500, 502, 503, 504] {
        for id in IDS {
            let server = Server::start(move |seen, _| match seen.line.as_str() {
                "GET /schemas/types" => json(200, r#"["AVRO"]"#),
                _ => json(
                    status,
                    r#"{"error_code":40403,"message":"Schema 7 not found"}"#,
                ),
            });
            let registry = registry(&server);
            assert!(registry.schema(id).is_err(), "{status}");
            assert_eq!(registry.requests().failed, 1);
            assert_eq!(server.lines().len(), 1);
        }
    }
}

#[test]
fn any_other_failure_means_that_the_registry_is_away() {
    type Make = fn() -> Reply;
    let cases: [(Make, &str); 13] = [
        (
            || json(401, r#"{"error_code":40101,"message":"Unauthorized"}"#),
            "answered 401 Unauthorized: registry.username and registry.password, or registry.token, are missing or wrong",
        ),
        (
            || page(403),
            "answered 403 Forbidden: the user or token is not allowed to ask for this",
        ),
        (|| json(429, "slow down"), "answered 429 Too Many Requests"),
        (
            || {
                json(
                    500,
                    r#"{"error_code":50001,"message":"Error in the\nbackend"}"#,
                )
            },
            "answered 500 Internal Server Error: Error in the backend (error code 50001)",
        ),
        (|| page(502), "answered 502 Bad Gateway with a web page"),
        (
            || page(302),
            "answered 302 Found: registry.url must name the registry itself",
        ),
        (
            || page(200),
            "answered with a web page: a proxy answers in the registry's place, or registry.url is not that of a registry",
        ),
        (
            || json(200, "ok"),
            "answered with what is not JSON: registry.url may not be that of a registry",
        ),
        (
            || json(200, r#"{"schemaType":"AVRO","id":7}"#),
            "answered with JSON that is not what it was asked for: registry.url may not be that of a registry",
        ),
        (
            || json(200, r#"{"schema":{"type":"string"}}"#),
            "answered with JSON that is not what it was asked for: registry.url may not be that of a registry",
        ),
        (
            || Reply::Cut(r#"{"schema":"#.to_owned()),
            "cut the connection",
        ),
        (|| Reply::Closed, "cut the connection"),
        (
            || Reply::Raw(b"\x15\x03\x01\x00\x02\x02\x46 no HTTP\r\n\r\n"),
            "answered with what is not HTTP",
        ),
    ];
    for (make, expected) in cases {
        assert_eq!(fault(make), expected);
    }
}

#[test]
fn an_answer_is_bounded() {
    let text = fault(|| schema(&"a".repeat(5 * 1024 * 1024)));
    assert_eq!(text, "answered with more than 4 MiB");
    let long = format!(r#"{{"error_code":50001,"message":"{}"}}"#, "é".repeat(5000));
    let text = fault(move || json(500, &long));
    assert!(text.chars().count() < 400, "{text}");
}

#[test]
fn a_slow_registry_is_away() {
    let server = Server::start(|_, _| Reply::Silence);
    let mut config = config(&[&server.url()]);
    config.timeout = Duration::from_millis(100);
    let text = Registry::new(&config).unwrap().schema(ID).unwrap_err();
    let expected = "did not answer within 100ms (registry.timeout)";
    assert!(text.to_string().contains(expected), "{text}");
}

#[test]
fn a_refused_connection_is_named() {
    // The client's end of a connection has a port that nobody listens on.
    let server = Server::start(|_, _| Reply::Closed);
    let taken = TcpStream::connect(server.address()).unwrap();
    let url = format!("http://{}", taken.local_addr().unwrap());
    let text = Registry::new(&config(&[&url])).unwrap().schema(ID);
    let expected =
        format!("{url} cannot be reached: connection refused (asked for /schemas/ids/7)");
    assert_eq!(text.unwrap_err().to_string(), expected);
}

#[test]
fn the_urls_are_asked_in_turn_and_the_last_that_answered_first() {
    let away = Server::start(|_, _| page(503));
    let here = Server::start(|_, _| schema("\"string\""));
    let registry = Registry::new(&config(&[&away.url(), &here.url()])).unwrap();
    for _ in 0..3 {
        assert!(registry.schema(ID).unwrap().is_some());
    }
    assert_eq!(away.lines().len(), 1);
    assert_eq!(here.lines().len(), 3);
}

#[test]
fn when_no_url_answers_all_of_them_are_named() {
    let one = Server::start(|_, _| page(503));
    let two = Server::start(|_, _| Reply::Closed);
    let registry = Registry::new(&config(&[&one.url(), &two.url()])).unwrap();
    let expected = format!(
        "{} answered 503 Service Unavailable with a web page; {} cut the connection (asked for /schemas/ids/7)",
        one.url(),
        two.url()
    );
    assert_eq!(registry.schema(ID).unwrap_err().to_string(), expected);
}

#[test]
fn a_schema_is_unknown_only_where_no_url_has_it() {
    let lags = Server::start(|_, _| unknown_id());
    let leads = Server::start(|_, _| schema("\"string\""));
    let registry = Registry::new(&config(&[&lags.url(), &leads.url()])).unwrap();
    assert!(registry.schema(ID).unwrap().is_some());

    let away = Server::start(|_, _| page(503));
    let registry = Registry::new(&config(&[&lags.url(), &away.url()])).unwrap();
    assert_eq!(registry.schema(ID), Ok(None));
}

#[test]
fn an_id_beyond_a_signed_number_is_not_asked_for() {
    let server = Server::start(|_, _| page(500));
    let id = SchemaId::Number(i32::MAX as u32 + 1);
    assert_eq!(registry(&server).schema(id), Ok(None));
    assert!(server.lines().is_empty());
}

#[test]
fn credentials_are_sent_and_never_shown() {
    let server = Server::start(|seen, _| {
        let sent = seen.authorization.clone().unwrap();
        json(
            500,
            &format!(r#"{{"error_code":50001,"message":"no: {sent}"}}"#),
        )
    });
    let mut basic = config(&[&server.url()]);
    basic.username = "ada".to_owned();
    basic.password = "hunter2".to_owned();
    let mut bearer = config(&[&server.url()]);
    bearer.token = "t0k3n".to_owned();
    let url = server.url().replace("http://", "http://bob:hunter%32@");
    for (config, sent) in [
        (basic, "Basic YWRhOmh1bnRlcjI="),
        (bearer, "Bearer t0k3n"),
        (config(&[&url]), "Basic Ym9iOmh1bnRlcjI="),
    ] {
        let registry = Registry::new(&config).unwrap();
        let text = registry.schema(ID).unwrap_err().to_string();
        assert_eq!(server.seen().pop().unwrap().authorization.unwrap(), sent);
        for secret in ["hunter", "t0k3n", "YWRh", "Ym9i"] {
            assert!(!text.contains(secret), "{text}");
            assert!(!format!("{registry:?}").contains(secret));
        }
    }
}

#[test]
fn references_come_after_what_they_refer_to() {
    let server = Server::start(|seen, _| {
        let refers = |text: &str, to: &[(&str, i64)]| {
            let to: Vec<_> = to
                .iter()
                .map(|(subject, version)| {
                    serde_json::json!({"name": "n", "subject": subject, "version": version})
                })
                .collect();
            let body = serde_json::json!({"schema": text, "schemaType": "AVRO", "references": to});
            json(200, &body.to_string())
        };
        match seen.line.as_str() {
            "GET /schemas/ids/7" => refers("root", &[("a/b", 1), ("c", 2)]),
            "GET /subjects/a%2Fb/versions/1?deleted=true" => refers("ab", &[("d", -1), ("c", 2)]),
            // It refers back to the schema that refers to it, which no registry allows.
            "GET /subjects/c/versions/2?deleted=true" => refers("c", &[("a/b", 1)]),
            "GET /subjects/d/versions/-1?deleted=true" => refers("d", &[]),
            line => panic!("{line}"),
        }
    });
    let fetched = registry(&server).schema(ID).unwrap().unwrap();
    assert_eq!(fetched.schema, "root");
    assert_eq!(fetched.references, ["d", "c", "ab"]);
    assert_eq!(fetched.unusable, None);
}

#[test]
fn a_registry_that_lacks_a_reference_counts_as_away() {
    let server = Server::start(|seen, _| match seen.line.as_str() {
        "GET /schemas/ids/7" => json(
            200,
            r#"{"schema":"\"n\"","references":[{"name":"n","subject":"s","version":3}]}"#,
        ),
        _ => json(
            404,
            r#"{"error_code":40402,"message":"Version 3 not found."}"#,
        ),
    });
    let text = registry(&server).schema(ID).unwrap_err().to_string();
    let expected = r#"has the schema, but not the version 3 of the subject "s" that it refers to"#;
    assert!(text.contains(expected), "{text}");
}

#[test]
fn references_are_bounded_in_depth_and_number() {
    let refer = |to: String| json(200, &format!(r#"{{"schema":"\"n\"","references":[{to}]}}"#));
    let one = |version: usize| format!(r#"{{"name":"n","subject":"s","version":{version}}}"#);
    let deep = Server::start(move |_, before| refer(one(before)));
    let fetched = registry(&deep).schema(ID).unwrap().unwrap();
    assert!(fetched.unusable.is_some());
    assert!(deep.lines().len() < 30);

    let wide = Server::start(move |_, before| match before {
        0 => refer((0..300).map(one).collect::<Vec<_>>().join(",")),
        _ => refer(String::new()),
    });
    let fetched = registry(&wide).schema(ID).unwrap().unwrap();
    assert!(fetched.unusable.is_some());
    assert!(wide.lines().len() < 250);
}

#[test]
fn a_schema_that_is_not_avro_is_unusable() {
    let server = Server::start(|_, _| json(200, r#"{"schema":"{}","schemaType":"JSON"}"#));
    let fetched = registry(&server).schema(ID).unwrap().unwrap();
    assert_eq!(fetched.unusable.as_deref(), Some("it is JSON, not Avro"));
    assert_eq!(fetched.references, Vec::<String>::new());
}

#[test]
fn a_wrong_configuration_is_an_error_from_the_start() {
    assert_eq!(
        Registry::new(&config(&[])).err(),
        Some(RegistryError::NoUrl)
    );
    let error = Registry::new(&config(&["http://localhost", "localhost:8081"])).unwrap_err();
    let expected = "registry.url: the URL no. 2 begins with neither http:// nor https://";
    assert_eq!(error.to_string(), expected);
    let mut config = config(&["https://localhost"]);
    config.ca_location = "/nonexistent/ca.pem".to_owned();
    let error = Registry::new(&config).unwrap_err().to_string();
    let expected = "registry.ca_location: cannot use /nonexistent/ca.pem: No such file";
    assert!(error.starts_with(expected), "{error}");
}
