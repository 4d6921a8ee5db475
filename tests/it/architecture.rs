//! What ARCHITECTURE.md promises of the tree, held by looking at the tree.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use cargo_metadata::{Metadata, MetadataCommand, Package};

use crate::root;

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

pub(crate) fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(root().join("Cargo.toml"))
        // Of this platform alone: a build has fetched no other's packages, and a test fetches none.
        .other_options(
            ["--offline", "--locked", "--filter-platform", "host-tuple"].map(str::to_owned).to_vec(),
        )
        .exec()
        .unwrap()
}

fn members(metadata: &Metadata) -> BTreeMap<String, &Package> {
    metadata.workspace_packages().into_iter().map(|package| (package.name.to_string(), package)).collect()
}

fn functions() -> BTreeSet<String> {
    let entries = fs::read_dir(root().join("functions")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

/// Dependencies of what ships; those of its tests left out.
pub(crate) fn dependencies(package: &Package) -> BTreeSet<String> {
    let shipped = package.dependencies.iter().filter(|d| d.kind == cargo_metadata::DependencyKind::Normal);
    shipped.map(|dependency| dependency.name.to_string()).collect()
}

/// Every Rust file below a folder.
pub(crate) fn sources(folder: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).unwrap().display().to_string();
                found.push((name, fs::read_to_string(path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} has no source");
    found
}

#[test]
fn functions_do_not_depend_on_each_other() {
    let metadata = metadata();
    let members = members(&metadata);
    let functions = functions();
    for name in &functions {
        let package =
            members.get(name).unwrap_or_else(|| panic!("functions/{name} is no package of that name"));
        let others: Vec<_> = dependencies(package).intersection(&functions).cloned().collect();
        assert!(others.is_empty(), "{name} depends on {others:?}");
    }
}

#[test]
fn the_rings_point_inwards() {
    let metadata = metadata();
    let members = members(&metadata);
    let inside: BTreeSet<String> = members.keys().cloned().collect();
    for (name, package) in &members {
        let used: Vec<String> = dependencies(package).intersection(&inside).cloned().collect();
        let allowed: &[&str] = match name.as_str() {
            "finance" => &[],
            "shared" => &["finance"],
            "local" | "tests" => continue,
            _ => &["finance", "shared"],
        };
        for dependency in used {
            assert!(allowed.contains(&dependency.as_str()), "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn finance_can_do_no_io() {
    let metadata = metadata();
    let finance = members(&metadata)["finance"];
    let allowed = ["jiff", "uuid", "thiserror"].map(str::to_owned);
    assert!(
        dependencies(finance).is_subset(&BTreeSet::from(allowed)),
        "finance depends on more than pure crates"
    );
    for (name, text) in sources("finance/src") {
        for word in ["std::fs", "std::net", "std::env", "std::time", "async ", "println!", "Timestamp::now"] {
            assert!(!text.contains(word), "{name} says {word}");
        }
        for word in ["/api", "HTTP"] {
            assert!(!text.contains(word), "{name} says {word}: which call does what is a function's to say");
        }
    }
    let lib = read("finance/src/lib.rs");
    for lint in
        ["float_arithmetic", "arithmetic_side_effects", "as_conversions", "indexing_slicing", "missing_docs"]
    {
        assert!(lib.contains(lint), "finance/src/lib.rs must deny {lint}");
    }
}

#[test]
fn no_float_is_near_money() {
    for folder in ["finance/src", "functions", "shared/src/store", "shared/src/edge"] {
        for (name, text) in sources(folder) {
            for (number, line) in text.lines().enumerate() {
                let code = line.split("//").next().unwrap_or_default();
                // The JSON reader must name the float that it throws away.
                let float = ["f32", "f64"].iter().any(|word| code.contains(word));
                assert!(!float || code.contains("fn visit_f64"), "{name}:{} names a float", number + 1);
            }
        }
    }
}

#[test]
fn only_the_store_says_bson() {
    for folder in ["functions", "shared/src", "finance/src"] {
        for (name, text) in sources(folder) {
            let may = name.starts_with("shared/src/store/");
            assert!(may || !text.contains("bson"), "{name} says bson");
        }
    }
}

#[test]
fn only_the_problem_door_names_error_statuses() {
    for (name, text) in sources("functions") {
        for word in [
            "StatusCode::BAD_REQUEST",
            "StatusCode::NOT_FOUND",
            "StatusCode::CONFLICT",
            "StatusCode::INTERNAL",
        ] {
            assert!(!text.contains(word), "{name} names {word}");
        }
    }
}

#[test]
fn each_function_has_its_template_events_and_readme_row() {
    let (template, readme) = (read("template.yaml"), read("README.md"));
    let makefile = read("Makefile");
    let events: Vec<String> = fs::read_dir(root().join("events"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    for name in functions() {
        let registered = local::functions::ALL.iter().find(|registered| registered.function.name == name);
        let registered = registered.unwrap_or_else(|| panic!("local::functions::ALL has no {name}"));
        let is_job = matches!(registered.kind, local::functions::Kind::Job);
        for path in ["/api/", "/api/v1/"] {
            for route in [format!("{path}{name}"), format!("{path}{name}/{{proxy+}}")] {
                let routed = template.contains(&route);
                assert_ne!(
                    routed, is_job,
                    "template.yaml and the route {route}: a job has none, others have"
                );
            }
        }
        assert!(template.contains(&format!("target/lambda/{name}/")), "template.yaml builds no {name}");
        let prefix = format!("{name}.");
        assert!(events.iter().any(|event| event.starts_with(&prefix)), "events/ has none of {name}");
        assert!(readme.contains(&format!("`functions/{name}`")), "README.md has no row for {name}");
        assert!(makefile.contains(&format!(" {name}")), "the Makefile does not build {name}");
        let main = read(&format!("functions/{name}/src/main.rs"));
        assert_eq!(main.lines().count(), 4, "functions/{name}/src/main.rs is its four lines");
    }
}

#[test]
fn every_member_takes_the_workspace_lints_and_has_a_name_of_its_own() {
    let metadata = metadata();
    let mut binaries = BTreeSet::new();
    for (name, package) in members(&metadata) {
        let manifest = fs::read_to_string(&package.manifest_path).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{name} does not take the workspace's lints");
        for target in package.targets.iter().filter(|target| target.is_bin()) {
            assert!(binaries.insert(target.name.clone()), "two binaries are called {}", target.name);
        }
    }
}

#[test]
fn the_map_names_every_folder() {
    let map = read("ARCHITECTURE.md");
    let names = |folder: &str| -> Vec<String> {
        let entries = fs::read_dir(root().join(folder)).unwrap().map(|entry| entry.unwrap());
        let folders = entries.filter(|entry| entry.file_type().unwrap().is_dir());
        folders.map(|entry| entry.file_name().into_string().unwrap()).collect()
    };
    let ignored = ["target", ".git", ".local", "logs"];
    for name in names(".").into_iter().filter(|name| !ignored.contains(&name.as_str())) {
        assert!(map.contains(&format!("{name}/")), "ARCHITECTURE.md does not name {name}/");
    }
    for name in names("shared/src") {
        assert!(map.contains(&format!("{name}/")), "ARCHITECTURE.md does not name shared/src/{name}/");
    }
    for (name, _) in sources("shared/src") {
        let room = name.trim_start_matches("shared/src/");
        if !room.contains('/') && room != "lib.rs" {
            assert!(
                map.contains(room.trim_end_matches(".rs")),
                "ARCHITECTURE.md does not name shared/src/{room}"
            );
        }
    }
}

#[test]
fn every_module_says_what_it_owns() {
    for folder in ["finance/src", "shared/src", "functions", "local/src", "tests"] {
        for (name, text) in sources(folder) {
            let owed = !name.ends_with("/main.rs") || name.starts_with("tests/");
            assert!(!owed || text.starts_with("//!"), "{name} does not begin with //!");
        }
    }
}

#[test]
fn a_test_named_by_the_map_exists() {
    let map = read("ARCHITECTURE.md");
    let own = read("tests/it/architecture.rs");
    for word in map.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
        if let Some(test) = word.strip_prefix("architecture::") {
            assert!(own.contains(&format!("fn {test}()")), "ARCHITECTURE.md names architecture::{test}");
        }
    }
}

/// What each room of `shared` may use. A room stands after all that it uses, so that there is no circle.
const ROOMS: &[(&str, &[&str])] = &[
    ("clock", &[]),
    ("crypto", &[]),
    ("ids", &["clock", "crypto"]),
    ("text", &[]),
    ("email", &["text"]),
    ("config", &["crypto"]),
    ("metrics", &["clock", "config"]),
    ("secrets", &["clock", "config", "crypto"]),
    ("observability", &["clock", "config", "crypto", "ids", "metrics"]),
    ("telemetry", &["clock", "config", "metrics", "observability"]),
    (
        "store",
        &["clock", "config", "crypto", "email", "ids", "metrics", "observability", "telemetry", "text"],
    ),
    ("shutdown", &["metrics", "observability", "store", "telemetry"]),
    ("rate_limit", &["clock", "config", "crypto", "metrics", "store", "telemetry"]),
    ("identity", &["clock", "config", "crypto", "ids"]),
    (
        "boot",
        &[
            "clock",
            "config",
            "crypto",
            "metrics",
            "observability",
            "rate_limit",
            "shutdown",
            "store",
            "telemetry",
        ],
    ),
    (
        "edge",
        &[
            "boot",
            "clock",
            "config",
            "crypto",
            "identity",
            "ids",
            "metrics",
            "observability",
            "rate_limit",
            "store",
            "telemetry",
            "text",
        ],
    ),
    ("reload", &["boot", "clock", "config", "edge", "identity", "metrics", "observability", "secrets"]),
    ("lambda", &["boot", "clock", "config", "edge", "metrics", "observability", "reload", "telemetry"]),
];

/// The code of a file without its tests, comments and strings that hold a path.
fn code_of(text: &str) -> String {
    let shipped = text.split("#[cfg(test)]").next().unwrap_or_default();
    let lines = shipped.lines().map(|line| line.split("//").next().unwrap_or_default());
    lines.collect::<Vec<_>>().join("\n")
}

/// The first segments of the paths that begin with `prefix`, grouped imports too.
fn named_after(code: &str, prefix: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (index, _) in code.match_indices(prefix) {
        let before = code[..index].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let rest = &code[index + prefix.len()..];
        let group = rest.strip_prefix('{').and_then(|rest| rest.split(';').next());
        let mut depth = 0;
        let mut word = String::new();
        for c in group.unwrap_or(rest).chars() {
            match c {
                '{' => depth += 1,
                '}' if depth > 0 => depth -= 1,
                _ if c.is_alphanumeric() || c == '_' => word.push(c),
                _ if group.is_some() && c == ',' && depth == 0 => {
                    names.extend(first_segment(&std::mem::take(&mut word)));
                }
                ':' if group.is_some() => word.push(c),
                ' ' | '\n' if group.is_some() => {}
                _ => break,
            }
        }
        names.extend(first_segment(&word));
    }
    names
}

fn first_segment(path: &str) -> Option<String> {
    path.split("::").next().filter(|name| !name.is_empty()).map(str::to_owned)
}

#[test]
fn rooms_of_shared_point_one_way() {
    let rooms: BTreeMap<&str, &[&str]> = ROOMS.iter().copied().collect();
    let place = |room: &str| ROOMS.iter().position(|(name, _)| *name == room);
    for (room, uses) in ROOMS {
        for used in *uses {
            assert!(place(used) < place(room), "{room} stands before {used}, which it may use");
        }
    }
    let mut met = BTreeSet::new();
    for (name, text) in sources("shared/src") {
        let path = name.trim_start_matches("shared/src/").trim_end_matches(".rs");
        let room = path.split('/').next().unwrap_or_default();
        if room == "lib" {
            continue;
        }
        let allowed = rooms.get(room).unwrap_or_else(|| panic!("{name}: {room} is no room of the table"));
        met.insert(room.to_owned());
        for used in named_after(&code_of(&text), "crate::") {
            let is_room = rooms.contains_key(used.as_str());
            assert!(!is_room || used == room || allowed.contains(&used.as_str()), "{name} uses {used}");
        }
    }
    assert_eq!(met.len(), ROOMS.len(), "the table has a room that is gone");
}

/// Fails on a circle among files of one folder, by what each says of `prefix`.
fn assert_no_circle(folder: &str, prefixes: &[&str]) {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (name, text) in sources(folder) {
        let path = name.trim_start_matches(folder).trim_start_matches('/').trim_end_matches(".rs");
        let file = path.split('/').next().unwrap_or_default().to_owned();
        if ["mod", "lib", "main"].contains(&file.as_str()) {
            continue;
        }
        let code = code_of(&text);
        let used = prefixes.iter().flat_map(|prefix| named_after(&code, prefix));
        uses.entry(file.clone()).or_default().extend(used.filter(|used| *used != file));
    }
    // A file of which nothing that is left is used by it is taken off; what remains is a circle.
    loop {
        let names: BTreeSet<String> = uses.keys().cloned().collect();
        let free: Vec<String> =
            uses.iter().filter(|(_, used)| used.is_disjoint(&names)).map(|(name, _)| name.clone()).collect();
        if free.is_empty() {
            break;
        }
        for name in free {
            uses.remove(&name);
        }
    }
    assert!(uses.is_empty(), "a circle of files in {folder}: {:?}", uses.keys());
}

#[test]
fn files_of_the_store_and_of_each_function_form_no_circle() {
    assert_no_circle("shared/src/store", &["super::", "crate::store::"]);
    for name in functions() {
        assert_no_circle(&format!("functions/{name}/src"), &["crate::", "super::"]);
    }
}

#[test]
fn the_store_says_no_http_and_makes_no_refusal() {
    for (name, text) in sources("shared/src/store") {
        let code = code_of(&text);
        for word in [
            "http::",
            "crate::edge",
            "ProblemType",
            "HeaderMap",
            "\"/query/",
            "Problem::",
            "Rejection::new",
            "Rejection {",
        ] {
            assert!(!code.contains(word), "{name} says {word}");
        }
    }
}
