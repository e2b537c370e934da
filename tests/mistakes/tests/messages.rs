//! The first line that the compiler says to a mistake names the mistake, or its cure.
//!
//! Each program in `tests/mistakes/` has one, and begins with what must be in that line. The rest
//! of a message is the compiler's, and differs from version to version.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const HERE: &str = env!("CARGO_MANIFEST_DIR");

#[test]
fn the_first_line_says_what_is_wrong() {
    let package = Path::new(env!("CARGO_TARGET_TMPDIR")).join("mistakes");
    let mistakes = write_package(&package);
    let said = check(&package);
    for (name, expected) in mistakes {
        let place = format!("src/bin/{name}:");
        let mut errors = said.lines().filter(|line| line.starts_with(&place));
        let first = errors.next().unwrap_or_else(|| panic!("{name} compiles:\n{said}"));
        assert!(first.contains(&expected), "{name} should say {expected:?}, and says\n{first}");
    }
}

/// Writes a package with a program for each mistake, and returns their names with what is to be
/// said of them.
fn write_package(package: &Path) -> Vec<(String, String)> {
    let programs = package.join("src/bin");
    let _nothing_there = fs::remove_dir_all(&programs);
    fs::create_dir_all(&programs).unwrap();
    let root = fs::canonicalize(Path::new(HERE).join("../..")).unwrap();
    fs::copy(root.join("Cargo.lock"), package.join("Cargo.lock")).unwrap();
    let manifest = format!(
        "[package]\nname = \"mistakes\"\nedition = \"2024\"\n\n[workspace]\n\n\
         [dependencies]\neventlet = {{ path = {root:?} }}\n"
    );
    fs::write(package.join("Cargo.toml"), manifest).unwrap();
    mistakes().map(|mistake| copy_mistake(&mistake, &programs)).collect()
}

fn mistakes() -> impl Iterator<Item = PathBuf> {
    let files = fs::read_dir(Path::new(HERE).join("tests/mistakes")).unwrap();
    files.map(|file| file.unwrap().path())
}

fn copy_mistake(mistake: &Path, programs: &Path) -> (String, String) {
    let name = mistake.file_name().unwrap().to_str().unwrap().to_owned();
    let program = fs::read_to_string(mistake).unwrap();
    let expected = program.lines().next().unwrap().strip_prefix("//! ").unwrap().to_owned();
    fs::write(programs.join(&name), program).unwrap();
    (name, expected)
}

/// Returns the first lines of all that the compiler has to say.
fn check(package: &Path) -> String {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["check", "--quiet", "--offline", "--keep-going", "--message-format", "short"]);
    cargo.current_dir(package).env("CARGO_TARGET_DIR", package.join("target"));
    String::from_utf8(cargo.output().unwrap().stderr).unwrap()
}
