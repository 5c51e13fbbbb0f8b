//! `keyfold healthcheck` against a server that answers as it is told.

use std::io::{Read, Write};
use std::net::TcpListener;

use crate::{Run, keyfold, with_config};

/// Asks a server that answers so, or not at all; what it was asked for stands first.
fn asked(args: &[&str], answer: Option<&'static str>, everywhere: bool) -> (String, Run) {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = server.local_addr().unwrap().port();
    let ip = if everywhere { "0.0.0.0" } else { "127.0.0.1" };
    let listen = format!("{ip}:{port}");
    let serving = std::thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).unwrap();
            head.extend(byte);
        }
        if let Some(answer) = answer {
            let length = answer.len() - 3;
            let (status, body) = answer.split_at(3);
            let text = format!("HTTP/1.1 {status} x\r\ncontent-length: {length}\r\n\r\n{body}");
            stream.write_all(text.as_bytes()).unwrap();
        } else {
            // until the client gives up
            let _ = stream.read(&mut [0]);
        }
        String::from_utf8(head).unwrap()
    });
    let args = [&["healthcheck"], args].concat();
    let environment = [
        ("KEYFOLD__HTTP__LISTEN", listen.as_str()),
        ("http_proxy", "http://127.0.0.1:1"),
    ];
    let run = keyfold(&args, b"", &environment);
    (serving.join().unwrap(), run)
}

#[test]
fn healthcheck_says_by_its_exit_code_whether_keyfold_works() {
    let (head, run) = asked(&[], Some("200ok"), false);
    assert!(head.starts_with("GET /healthz HTTP/1.1\r\n"), "{head}");
    assert_eq!(
        (run.code, run.out.as_str()),
        (Some(0), "ok\n"),
        "{}",
        run.err
    );
    let (head, run) = asked(&["--ready"], Some("503restoring"), true);
    assert!(head.starts_with("GET /readyz HTTP/1.1\r\n"), "{head}");
    assert_eq!((run.code, run.out.as_str()), (Some(1), "503: restoring\n"));
    let (_, run) = asked(&["--timeout", "100ms"], None, false);
    assert_eq!(run.code, Some(1), "{}", run.out);
    // another server's answer is no answer of keyfold's
    let (_, run) = asked(&[], Some("302/elsewhere"), false);
    assert_eq!(run.code, Some(1), "{}", run.out);
}

/// The address is that of the configuration, whichever way it is named.
#[test]
fn healthcheck_takes_the_configuration_of_run() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = server.local_addr().unwrap().to_string();
    drop(server);
    let folder = tempfile::tempdir().unwrap();
    let file = with_config(folder.path(), &format!("[http]\nlisten = \"{listen}\"\n"));
    for (args, environment) in [
        (&["healthcheck", "-c", &file][..], &[][..]),
        (
            &["-c", &file, "healthcheck"],
            &[("KEYFOLD_CONFIG", "/no/such/file")],
        ),
        (&["healthcheck"], &[("KEYFOLD_CONFIG", file.as_str())]),
    ] {
        let run = keyfold(args, b"", environment);
        assert_eq!(run.code, Some(1), "{}", run.err);
        assert!(run.out.contains(&listen), "{}", run.out);
    }
    // not that the program works, where the configuration is wrong
    let run = keyfold(&["healthcheck", "-c", "/no/such/file"], b"", &[]);
    assert_eq!(run.code, Some(2), "{}", run.out);
}

#[test]
fn healthcheck_finds_nobody() {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = server.local_addr().unwrap().to_string();
    drop(server);
    let run = keyfold(&["healthcheck"], b"", &[("KEYFOLD__HTTP__LISTEN", &listen)]);
    assert_eq!(run.code, Some(1));
    assert!(run.out.contains("/healthz"), "{}", run.out);
    let run = keyfold(&["healthcheck", "--timeout", "soon"], b"", &[]);
    assert_eq!(run.code, Some(2));
}
