//! Each program prints what its original in Python does, and takes about as many lines.
//!
//! `cargo test -p eventlet-ports -- --nocapture` prints the table of `docs/porting.md`.

use std::fs;
use std::process::Command;

/// The programs, and what eventlet 0.41.3 prints for each.
const PROGRAMS: [(&str, &str); 7] = [
    ("chat", "Bob has joined\nBob: hello\nAnn: good morning\nAnn has left\n"),
    ("crawler", "/ 6\n/a 6\n/b 2\n/c 1\n"),
    ("limiter", "15 true\n"),
    ("pills", "2870\n"),
    ("proxy", "HELLO\n\"\"\n"),
    ("rpc", "49\n[0, 2, 4, 6]\n"),
    ("scanner", "3 true\n"),
];

const COLOURS: [&str; 2] = ["stackless", "stackful"];

#[test]
fn each_port_prints_what_its_original_does() {
    for (program, expected) in PROGRAMS {
        for colour in COLOURS {
            let port = Command::new(env!("CARGO_BIN_EXE_eventlet-ports"))
                .args([colour, program])
                .output()
                .unwrap();
            let printed = String::from_utf8(port.stdout).unwrap();
            let errors = String::from_utf8_lossy(&port.stderr);
            assert_eq!(printed, expected, "{colour} {program}: {errors}");
        }
    }
}

/// The lines of logic: all but blank ones, comments, imports, and those that only close what was
/// opened.
fn lines_of_logic(path: &str) -> usize {
    let text = fs::read_to_string(format!("{}/{path}", env!("CARGO_MANIFEST_DIR"))).unwrap();
    let mut importing = false;
    let counts = |line: &&str| {
        let line = line.trim();
        let import = ["use ", "import ", "from "].iter().any(|word| line.starts_with(word));
        let imported = importing || import;
        importing = imported && line.ends_with(['{', ',']);
        let comment = ["//", "#!", "\"\"\""].iter().any(|mark| line.starts_with(mark));
        !imported && !comment && line.contains(char::is_alphanumeric)
    };
    text.lines().filter(counts).count()
}

/// One row of the table in `docs/porting.md`.
fn row(program: &str) -> (String, [usize; 3]) {
    let python = lines_of_logic(&format!("python/{program}.py"));
    let ports = COLOURS.map(|colour| lines_of_logic(&format!("src/{colour}/{program}.rs")));
    let [stackless, stackful] = ports;
    (format_row(program, python, ports), [python, stackless, stackful])
}

fn format_row(program: &str, python: usize, ports: [usize; 2]) -> String {
    let cells = ports.map(|port| format!("{port} ({:.2})", port as f64 / python as f64));
    format!("| {program} | {python} | {} | {} |", cells[0], cells[1])
}

#[test]
fn the_table_in_the_porting_guide_is_what_is_counted() {
    let guide = format!("{}/../../docs/porting.md", env!("CARGO_MANIFEST_DIR"));
    let guide = fs::read_to_string(guide).unwrap();
    let mut sums = [0; 3];
    let mut rows: Vec<String> = Vec::new();
    for (program, _) in PROGRAMS {
        let (row, counts) = row(program);
        sums.iter_mut().zip(counts).for_each(|(sum, count)| *sum += count);
        rows.push(row);
    }
    rows.push(format_row("all", sums[0], [sums[1], sums[2]]));
    println!("{}", rows.join("\n"));
    assert!(guide.contains(&rows.join("\n")), "`docs/porting.md` has another table");
}
