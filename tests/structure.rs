//! The structure of `src`: imports point down only, and no files import each other in a circle.
//!
//! [`FLOORS`] lists the rooms, files and folders of `src`, from the ground up. A room may import
//! those on its own floor and below. `docs/architecture.md` draws the same picture. Within the
//! rooms of [`TABLED`] the table of files in `mod.rs` is such a list, too.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// The rooms of the crate, from the ground up.
const FLOORS: &[&[&str]] = &[
    &[
        "report",
        "frames",
        "probe",
        "watchdog",
        "os_thread",
        "exit",
        "flat",
        "awaitable",
        "apply",
        "inputs",
        "patcher",
        "waiters",
        "resolve",
        "uninterruptible",
    ],
    &["hub"],
    &["greenthread"],
    &[
        "event",
        "queue",
        "semaphore",
        "lock",
        "timeout",
        "several",
        "corolocal",
        "dagpool",
        "pools",
        "tpool",
    ],
    &["runtime"],
    &["stackful", "lowlevel", "prelude"],
    &["greenpool", "greenpile", "hubs", "greenio", "greendns", "db_pool", "debug"],
    &["green", "convenience", "ssl", "testing"],
    &["backdoor", "wsgi"],
    &["websocket"],
];

/// Rooms whose `mod.rs` has a table of all files, of which each imports from those above it only.
const TABLED: &[&str] = &["hub", "wsgi", "websocket"];

/// A module, as the path from the crate's root to it.
type Module = Vec<String>;

#[derive(Default)]
struct Modules {
    /// The text of each module, without comments, strings and unit tests.
    texts: BTreeMap<Module, String>,
    /// What each `mod.rs` makes known under another path: the name, and the module and the name
    /// that it comes from. Of two builds' alternatives the last one counts.
    exports: BTreeMap<(Module, String), (Module, String)>,
}

impl Modules {
    fn read() -> Modules {
        let mut modules = Modules::default();
        modules.read_folder(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/src")), &[]);
        for (module, text) in modules.texts.clone() {
            for Import { path, alias } in uses(&text) {
                let Some((name, from)) = path.split_last() else { continue };
                let target = (modules.module_of(&module, from), name.clone());
                let known_as = alias.unwrap_or_else(|| name.clone());
                modules.exports.insert((module.clone(), known_as), target);
            }
        }
        modules
    }

    fn read_folder(&mut self, folder: &Path, module: &[String]) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
            let inner: Module = module.iter().cloned().chain([name.clone()]).collect();
            if path.is_dir() {
                self.read_folder(&path, &inner);
            } else if path.extension().is_some_and(|extension| extension == "rs") && name != "tests"
            {
                let module = if name == "mod" || name == "lib" { module.to_vec() } else { inner };
                self.texts.insert(module, code(&fs::read_to_string(path).unwrap()));
            }
        }
    }

    /// Returns the module that a path names, as far as it names modules, seen from another one.
    fn module_of(&self, from: &[String], path: &[String]) -> Module {
        let mut module = from.to_vec();
        for (at, segment) in path.iter().enumerate() {
            match segment.as_str() {
                "crate" => module.clear(),
                "self" => {}
                "super" => drop(module.pop()),
                name => {
                    let mut inner = module.clone();
                    inner.push(name.to_owned());
                    let known_as = (module.clone(), name.to_owned());
                    match self.exports.get(&known_as) {
                        _ if self.texts.contains_key(&inner) => module = inner,
                        Some(target) if at > 0 && *target != known_as => {
                            let (target, name) = target.clone();
                            let rest = path[at + 1..].iter().cloned();
                            let path: Vec<_> = [name].into_iter().chain(rest).collect();
                            return self.module_of(&target, &path);
                        }
                        _ => return module,
                    }
                }
            }
        }
        module
    }

    /// Returns whom each module imports.
    fn imports(&self) -> BTreeMap<Module, BTreeSet<Module>> {
        let of = |(module, text): (&Module, &String)| {
            let targets = paths(text).into_iter().map(|path| self.module_of(module, &path));
            let others = targets.filter(|target| target != module && !module.starts_with(target));
            (module.clone(), others.collect())
        };
        // A `mod.rs` names what is below it; that is no import.
        self.texts.iter().filter(|(module, _)| !self.is_table_of_contents(module)).map(of).collect()
    }

    fn is_table_of_contents(&self, module: &Module) -> bool {
        self.texts.keys().any(|other| other.len() > module.len() && other.starts_with(module))
    }
}

/// Strips comments, the contents of strings, and unit tests.
fn code(text: &str) -> String {
    let lines = text.lines().take_while(|line| line.trim() != "#[cfg(test)]");
    lines.map(|line| line.split("//").next().unwrap_or("")).collect::<Vec<_>>().join("\n")
}

/// Returns each path that begins with `crate`, `super` or `self`, with groups in braces written
/// out.
fn paths(text: &str) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for start in ["crate::", "super::", "self::"] {
        for (at, _) in text.match_indices(start) {
            let before = text[..at].chars().next_back();
            if before.is_none_or(|c| !c.is_alphanumeric() && c != '_' && c != ':' && c != '$') {
                expand(&text[at..], &mut Vec::new(), &mut found);
            }
        }
    }
    found.into_iter().map(|import| import.path).collect()
}

/// What a `use` statement makes known.
struct Import {
    path: Vec<String>,
    alias: Option<String>,
}

/// Returns what `use` statements make known: in a `mod.rs` paths without a prefix, too.
fn uses(text: &str) -> Vec<Import> {
    let mut found = Vec::new();
    let begins = |at: &usize| !text[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    for at in text.match_indices("use ").map(|(at, _)| at).filter(begins) {
        expand(&text[at + 4..], &mut Vec::new(), &mut found);
    }
    found
}

/// Reads one tree of a `use` statement and returns the rest of the text.
fn expand<'a>(text: &'a str, prefix: &mut Vec<String>, found: &mut Vec<Import>) -> &'a str {
    let text = text.trim_start();
    if let Some(mut rest) = text.strip_prefix('{') {
        while !rest.trim_start().starts_with('}') && !rest.trim_start().is_empty() {
            rest = expand(rest, &mut prefix.clone(), found);
            rest = rest.trim_start().trim_start_matches(',');
        }
        return rest.trim_start().get(1..).unwrap_or("");
    }
    let end = end_of_name(text);
    if end == 0 {
        found.push(Import { path: prefix.clone(), alias: None });
        return text.strip_prefix('*').unwrap_or(text);
    }
    prefix.push(text[..end].to_owned());
    match text[end..].strip_prefix("::") {
        Some(rest) if !rest.starts_with('<') => expand(rest, prefix, found),
        _ => {
            let path = prefix.clone();
            let (alias, rest) = match text[end..].trim_start().strip_prefix("as ") {
                Some(rest) => {
                    let (alias, rest) = rest.split_at(end_of_name(rest));
                    (Some(alias.to_owned()), rest)
                }
                None => (None, &text[end..]),
            };
            found.push(Import { path, alias });
            rest
        }
    }
}

fn end_of_name(text: &str) -> usize {
    text.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(text.len())
}

fn floor(room: &str) -> usize {
    let floor = FLOORS.iter().position(|rooms| rooms.contains(&room));
    floor.unwrap_or_else(|| panic!("`src/{room}` is new: give it a floor in {}", file!()))
}

#[test]
fn imports_point_down() {
    let mut upward = Vec::new();
    for (module, imports) in Modules::read().imports() {
        let Some(room) = module.first() else { continue };
        for target in imports.iter().filter(|target| !target.is_empty()) {
            if floor(&target[0]) > floor(room) {
                upward.push(format!("{} -> {}", module.join("::"), target.join("::")));
            }
        }
    }
    assert!(upward.is_empty(), "these imports point up:\n{}", upward.join("\n"));
}

/// Returns the names in the first column of the table of files in a `mod.rs`. One that ends in `*`
/// stands for all that begin so.
fn table_of_files(mod_rs: &str) -> Vec<String> {
    let rows = mod_rs.lines().filter_map(|line| {
        line.trim_start_matches(['/', '!', ' ']).strip_prefix("| `")?.split_once(" |")
    });
    let names = rows.flat_map(|(column, _)| column.split(',').map(|name| name.replace('`', "")));
    names.map(|name| name.trim().to_owned()).collect()
}

#[test]
fn tables_of_files_are_in_the_order_of_imports() {
    let imports = Modules::read().imports();
    for room in TABLED {
        let path = format!("{}/src/{room}/mod.rs", env!("CARGO_MANIFEST_DIR"));
        let table = table_of_files(&fs::read_to_string(path).unwrap());
        let row = |module: &Module| {
            let is_it = |name: &String| match name.strip_suffix('*') {
                Some(start) => module[1].starts_with(start),
                None => *name == module[1],
            };
            let row = table.iter().position(is_it);
            row.unwrap_or_else(|| panic!("`{}` is not in the table", module.join("/")))
        };
        let is_inside = |module: &&Module| module.len() > 1 && module[0] == *room;
        for (module, targets) in imports.iter().filter(|(module, _)| is_inside(module)) {
            for target in targets.iter().filter(is_inside) {
                let (above, below) = (target.join("/"), module.join("/"));
                assert!(row(target) <= row(module), "`{above}` belongs above `{below}`");
            }
        }
    }
}

/// Returns all modules that one imports, directly or through others.
fn reach<'a>(
    imports: &'a BTreeMap<Module, BTreeSet<Module>>,
    from: &Module,
) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<_> = imports[from].iter().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(imports.get(module).into_iter().flatten());
        }
    }
    reached
}

#[test]
fn no_files_import_each_other_in_a_circle() {
    let imports = Modules::read().imports();
    let circle = |module: &&Module| reach(&imports, module).contains(*module);
    let in_circles: Vec<_> = imports.keys().filter(circle).collect();
    let show = |module: &Module| {
        let others = imports[module].iter().filter(|target| in_circles.contains(target));
        let others: Vec<_> = others.map(|target| target.join("::")).collect();
        format!("{} -> {}", module.join("::"), others.join(", "))
    };
    let circles: Vec<_> = in_circles.iter().map(|module| show(module)).collect();
    assert!(circles.is_empty(), "these files import each other:\n{}", circles.join("\n"));
}

#[test]
fn the_reader_of_imports_sees_them() {
    assert_eq!(
        paths("use super::{a::{B, c}, d};\n x(crate::e::F::new(), not_super::g)"),
        [
            ["crate", "e", "F", "new"].as_slice(),
            &["super", "a", "B"],
            &["super", "a", "c"],
            &["super", "d"]
        ]
        .map(|path| path.iter().map(|segment| (*segment).to_owned()).collect::<Vec<_>>())
    );
    let modules = Modules::read();
    let hub = ["hub".to_owned(), "timer".to_owned()];
    let timer = ["crate", "hub", "Timer"].map(str::to_owned);
    let aliased = ["super", "tls", "Session"].map(str::to_owned);
    let site = ["wsgi", "connection"].map(str::to_owned);
    assert_eq!(modules.module_of(&site, &aliased), ["wsgi", "secure"].map(str::to_owned));
    assert_eq!(modules.module_of(&["timeout".to_owned()], &timer), hub);
    assert!(modules.imports()[&vec!["timeout".to_owned()]].contains(hub.as_slice()));
}
