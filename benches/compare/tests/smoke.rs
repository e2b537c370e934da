//! The smallest comparison there is, from the command line to the files it writes.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

/// Compares one work, without the peers of other languages.
fn compare(work: &str) -> (Value, String, String) {
    let file = |kind| PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{work}.{kind}"));
    let (json, html, markdown) = (file("json"), file("html"), file("md"));
    fs::write(&markdown, format!("# Kept\n<!-- compare: {work} -->\n<!-- /compare -->\n")).unwrap();
    let output = Command::new(env!("CARGO_BIN_EXE_eventlet-compare"))
        .args(["--smoke", "--only", work, "--python", "/no/python", "--go", "/no/go", "--json"])
        .arg(&json)
        .arg("--html")
        .arg(&html)
        .arg("--markdown")
        .arg(&markdown)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let read = |file| fs::read_to_string(file).unwrap();
    (serde_json::from_str(&read(&json)).unwrap(), read(&html), read(&markdown))
}

/// Checks that each of these peers has a number above zero in each line, and that ratios are to
/// Tokio.
fn assert_complete(report: &Value, peers: &[&str], measures: &[&str]) {
    let lines = report["works"][0]["lines"].as_array().unwrap();
    let found: Vec<_> = lines.iter().map(|line| line["measure"].as_str().unwrap()).collect();
    assert_eq!(found, measures);
    for line in lines {
        let cells = line["cells"].as_array().unwrap();
        let found: Vec<_> = cells.iter().map(|cell| cell["peer"].as_str().unwrap()).collect();
        assert_eq!(found, peers);
        for cell in cells {
            let measured = &cell["measured"];
            assert!(measured["median"].as_f64().unwrap() > 0.0, "{cell}");
            assert!(measured["ratio"].as_f64().unwrap() > 0.0, "{cell}");
            assert!(cell["peer"] != "tokio" || measured["ratio"] == 1.0, "{cell}");
        }
    }
}

#[test]
fn an_operation_is_compared_and_shown() {
    let (report, page, document) = compare("spawn");
    let peers = ["stackless", "stackful", "tokio", "may", "smol", "futures"];
    assert_complete(&report, &peers, &["operation_cpu"]);
    assert_eq!(report["effort"], "smoke");
    assert!(report["machine"]["cores"].as_u64().unwrap() >= 1);
    assert!(report["versions"]["rustc"].as_str().unwrap().starts_with("1."));
    assert_eq!(report["absent"].as_array().unwrap().len(), 3, "nobody is left out in silence");
    assert!(
        page.contains("Spawn and wait, one at a time") && page.contains("no `/no/go` is installed")
    );
    assert!(
        document.starts_with("# Kept\n") && document.contains("| Spawn and wait, one at a time |")
    );
}

#[test]
fn servers_are_compared_and_shown() {
    let (report, page, _) = compare("echo");
    let peers = ["stackless", "stackful", "tokio", "epoll", "may"];
    let measures = ["request_cpu", "requests", "latency_p50", "latency_p99", "resident"];
    assert_complete(&report, &peers, &measures);
    assert!(page.contains("TCP echo, 64 bytes"));
}

/// Two of them are the same threaded program, of which one has the shim.
#[test]
fn threads_are_compared_with_green_stacks() {
    for work in ["threaded", "mostly-idle"] {
        let (report, ..) = compare(work);
        let peers = ["stackless", "stackful", "tokio", "threads", "shim", "may"];
        let measures = ["request_cpu", "requests", "latency_p50", "latency_p99", "resident"];
        assert_complete(&report, &peers, &measures);
    }
}

#[test]
fn every_other_program_answers() {
    for (program, cost) in
        [("http", "request_cpu"), ("stream", "gigabyte_cpu"), ("connect", "request_cpu")]
    {
        let (report, ..) = compare(program);
        let lines = report["works"][0]["lines"].as_array().unwrap();
        assert_eq!(lines[0]["measure"], cost);
        for cell in lines[0]["cells"].as_array().unwrap() {
            assert!(cell["measured"]["median"].as_f64().unwrap() > 0.0, "{program}: {cell}");
        }
    }
}

#[test]
fn servers_of_the_web_are_compared() {
    for (work, peers) in [
        ("service", &["stackless", "tokio", "axum"][..]),
        ("function", &["stackless", "stackful", "tokio", "axum"]),
        ("start-response", &["stackless", "stackful", "tokio"]),
        ("tls", &["stackless", "tokio"]),
        ("websocket", &["stackless", "stackful", "tokio"]),
    ] {
        let (report, ..) = compare(work);
        let measures = ["request_cpu", "requests", "latency_p50", "latency_p99", "resident"];
        assert_complete(&report, peers, &measures);
    }
}

#[test]
fn every_operation_and_every_crowd_answers() {
    for work in [
        "batch",
        "forget",
        "links",
        "turn",
        "self-wake",
        "alone",
        "ping-pong",
        "pipeline",
        "event",
        "semaphore",
        "map",
        "buffered",
        "pool",
        "kill",
        "blocking",
        "idle",
        "fresh",
    ] {
        let (report, ..) = compare(work);
        for line in report["works"][0]["lines"].as_array().unwrap() {
            for cell in line["cells"].as_array().unwrap() {
                assert!(cell["measured"]["median"].as_f64().unwrap() > 0.0, "{work}: {cell}");
            }
        }
    }
}

#[test]
fn a_work_that_nobody_knows_is_an_error_that_names_those_there_are() {
    let output = Command::new(env!("CARGO_BIN_EXE_eventlet-compare"))
        .args(["--only", "nothing", "--python", "/no/python", "--go", "/no/go"])
        .output()
        .unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        !output.status.success() && complaint.contains("there are echo, http, "),
        "{complaint}"
    );
}
