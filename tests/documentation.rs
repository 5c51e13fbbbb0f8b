//! What the documents name must exist.

use std::fs;
use std::path::{Path, PathBuf};

use keyfold::config::documents;
use keyfold::definition;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// The source of a test target: `tests/<target>.rs`, or all files below `tests/<target>`.
fn sources(target: &str) -> String {
    fn below(folder: PathBuf, text: &mut String) {
        for entry in fs::read_dir(folder).into_iter().flatten() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                below(path, text);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(path).unwrap());
            }
        }
    }
    let mut text =
        fs::read_to_string(root().join(format!("tests/{target}.rs"))).unwrap_or_default();
    below(root().join("tests").join(target), &mut text);
    text
}

/// The evidence that `docs/delivery.md` gives: each `target::test`.
#[test]
fn every_test_that_is_named_as_evidence_exists() {
    let document = read("docs/delivery.md");
    let code = document.split('`').skip(1).step_by(2);
    let mut named = 0;
    for name in code {
        let Some((target, test)) = name
            .split_once("::")
            .filter(|named| *named != ("target", "test"))
        else {
            continue;
        };
        let sources = sources(target);
        // a function, or one of the list that a macro makes tests of
        let found = sources.contains(&format!("fn {test}("))
            || sources.lines().any(|line| line.trim() == test);
        assert!(found, "{name}");
        named += 1;
    }
    assert!(named > 40, "{named}");
}

/// The documents: every Markdown file of the root, `docs` and `schemas`, by its path from the root.
fn documents() -> Vec<PathBuf> {
    let mut documents = Vec::new();
    for folder in ["", "docs", "schemas"] {
        for entry in fs::read_dir(root().join(folder)).unwrap() {
            let document = Path::new(folder).join(entry.unwrap().file_name());
            if document
                .extension()
                .is_some_and(|extension| extension == "md")
            {
                documents.push(document);
            }
        }
    }
    documents
}

/// The files that the documents lead to: each link that is a path.
#[test]
fn links_lead_to_files() {
    let documents = documents();
    for expected in ["README.md", "docs/delivery.md", "schemas/README.md"] {
        assert!(documents.iter().any(|found| found == Path::new(expected)));
    }
    for document in documents {
        let text = read(&document);
        let folder = document.parent().unwrap();
        for link in text
            .split("](")
            .skip(1)
            .filter_map(|rest| rest.split(')').next())
        {
            let path = link.split('#').next().unwrap_or_default();
            if path.is_empty() || path.contains("://") {
                continue;
            }
            assert!(
                root().join(folder).join(path).exists(),
                "{}: {link}",
                document.display()
            );
        }
    }
}

/// The value of an attribute in a piece of HTML.
fn attribute<'a>(html: &'a str, name: &str) -> &'a str {
    let found = html.split_once(&format!(" {name}=\""));
    let value = found.and_then(|(_, rest)| rest.split_once('"'));
    value.unwrap_or_else(|| panic!("no {name}: {html}")).0
}

/// What a picture says to those who do not see it, and to those who see it: both are written by `bench/draw`, and a
/// picture that was drawn again without its document would say something else.
#[test]
fn pictures_are_there_and_are_said_in_words() {
    let mut shown = Vec::new();
    for document in documents() {
        let text = read(&document);
        for picture in text.split("<picture>").skip(1) {
            let picture = picture.split_once("</picture>").unwrap().0;
            let alternative = attribute(picture, "alt").replace("&#x27;", "'");
            let described = format!("<desc>{alternative}</desc>");
            let files = [("srcset", "-dark.svg"), ("src", "-light.svg")];
            for (file, ending) in files.map(|(name, ending)| (attribute(picture, name), ending)) {
                assert!(file.ends_with(ending), "{}: {file}", document.display());
                let drawn = read(document.parent().unwrap().join(file));
                assert!(drawn.contains(&described), "{file}: {described}");
            }
            shown.push(document.clone());
        }
    }
    for expected in ["README.md", "docs/performance.md"] {
        assert!(shown.contains(&expected.into()), "{expected}");
    }
}

/// The words of a file of containers, without its comments.
fn instructions(path: &str) -> String {
    let text = read(path);
    let lines = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'));
    lines.collect::<Vec<_>>().join("\n")
}

/// No engine of containers runs here, so what they rest on is looked at by itself.
#[test]
fn containers_find_what_they_are_made_of() {
    let image = instructions("Dockerfile");
    let user = image.lines().find_map(|line| line.strip_prefix("USER "));
    assert_eq!(user, Some("10001:10001"));
    for line in image.lines().filter_map(|line| line.strip_prefix("COPY ")) {
        let mut files: Vec<&str> = line.split_whitespace().collect();
        files.pop();
        for file in files
            .into_iter()
            .filter(|file| file.starts_with(char::is_alphanumeric))
        {
            assert!(root().join(file).exists(), "{file}");
        }
    }
    // stand-ins for what Cargo.toml names, and for the crates of the workspace
    let manifest: toml::Table = read("Cargo.toml").parse().unwrap();
    for target in ["bench", "test"] {
        for one in manifest[target].as_array().unwrap() {
            let name = one["name"].as_str().unwrap();
            let path = one.get("path").and_then(toml::Value::as_str);
            let file = format!("{target}es/{name}.rs");
            let folder = format!("{target}es/{name}/main.rs");
            let found = if root().join(&file).exists() {
                file
            } else {
                folder
            };
            let path = path.map_or(found, str::to_owned);
            assert!(image.contains(&path), "{path}");
        }
    }
    for one in fs::read_dir(root().join("crates")).unwrap() {
        let name = one.unwrap().file_name().into_string().unwrap();
        assert!(image.contains(&format!("COPY crates/{name}")), "{name}");
    }

    let stack = instructions("docker-compose.yml");
    assert_eq!(stack.matches("build:").count(), 1);
    let mounts = stack
        .split_whitespace()
        .filter(|word| word.starts_with("./"));
    let mounts: Vec<&str> = mounts.filter_map(|word| word.split(':').next()).collect();
    assert!(mounts.len() > 2, "{mounts:?}");
    for mount in mounts {
        assert!(root().join(mount).exists(), "{mount}");
    }
    for text in [image, stack] {
        assert!(!text.contains("curl") && !text.contains("kafka-topics.sh\", \"--boot"));
    }
    // the dashboard is looked for where it is put
    let provider = instructions("config/grafana/provisioning/dashboards/keyfold.yml");
    let folder = provider.split_once("path: ").unwrap().1.trim();
    let stack = instructions("docker-compose.yml");
    assert!(stack.contains(&format!("keyfold.json:{folder}/keyfold.json:ro")));
}

/// What is written from the tables of keys, those of the configuration and of definitions, is up to date. With
/// `KEYFOLD_TEST_REWRITE=1` it is rewritten.
#[test]
fn what_is_written_from_the_table_of_keys_is_up_to_date() {
    let schema = |schema| serde_json::to_string_pretty(&schema).unwrap() + "\n";
    for (path, expected) in [
        ("config/keyfold.toml", documents::reference()),
        ("config/keyfold.schema.json", schema(documents::schema())),
        (
            "config/source-definition.schema.json",
            schema(definition::documents::schema()),
        ),
        (
            "docs/configuration.md",
            page("docs/configuration.md", &documents::markdown()),
        ),
        (
            "docs/definitions.md",
            page("docs/definitions.md", &definition::documents::markdown()),
        ),
    ] {
        if std::env::var_os("KEYFOLD_TEST_REWRITE").is_some() {
            fs::write(root().join(path), &expected).unwrap();
        }
        // the fields of a schema have no order
        let (found, expected) = match path.ends_with(".json") {
            true => (compact(&read(path)), compact(&expected)),
            false => (read(path), expected),
        };
        assert!(
            found == expected,
            "{path} is not what the table of keys says; `just config-files` rewrites it"
        );
    }
}

/// A page with the tables that are written into it.
fn page(path: &str, tables: &str) -> String {
    const BEGIN: &str = "<!-- written from the table of keys: just config-files -->\n";
    const END: &str = "\n<!-- end of the table of keys -->";
    let page = read(path);
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    [before, BEGIN, tables, END, after].concat()
}

fn compact(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).unwrap();
    value.to_string()
}

/// The presets and the examples hold to the schema for editors; what is wrong does not.
#[test]
fn editors_know_what_is_wrong_with_a_definition() {
    let schema = jsonschema::validator_for(&definition::documents::schema()).unwrap();
    let errors = |text: &str| -> Vec<String> {
        let file: toml::Table = text.parse().unwrap();
        let file = serde_json::to_value(file).unwrap();
        let errors = schema.iter_errors(&file);
        errors.map(|error| error.to_string()).collect()
    };
    let presets = definition::presets::PRESETS.iter();
    let mut right: Vec<String> = presets.map(|preset| preset.text.to_owned()).collect();
    right.push(read("config/examples/crm-contacts.toml"));
    right.push(read("config/examples/debezium-postgres.toml"));
    right.push(
        "customer_id = 'key'\n[action]\nid = ''\ntype = { const = 'X' }\nutm.source = '/s'"
            .to_owned(),
    );
    for text in right {
        assert_eq!(errors(&text), [""; 0], "{text}");
    }
    for wrong in [
        "",
        "customer_id = 7",
        "customer_id = 'id'",
        "customer_id = []",
        "customer_id = '/id'\ncostumer = 'x'",
        "customer_id = '/id'\nmerge = 'hole'",
        "customer_id = '/id'\n[fields]\nemail = '/x'",
        "customer_id = '/id'\n[fields]\nattributes.tier = '/x'",
        "customer_id = '/id'\n[fields]\nfirstName = { unit = 'days', from = '/x' }",
        "customer_id = '/id'\n[fields]\nsmsOptIn = { case = 'lower', from = '/x' }",
        "customer_id = '/id'\n[fields]\nfirstName = { case = 'title', from = '/x' }",
        "customer_id = '/id'\n[fields]\nfirstName = {}",
        "customer_id = '/id'\n[fields]\nattributes = { const = 'x' }",
        "customer_id = '/id'\n[lists.phones]\neach = ''\nid = ''",
        "customer_id = '/id'\n[[lists.phones]]\neach = ''",
        "customer_id = '/id'\n[[lists.phones]]\neach = ''\nid = ''\nfields.city = ''",
        "customer_id = '/id'\n[deleted]\nwhen = ''",
        "customer_id = '/id'\n[rules]\nblank_id = 'off'",
        "customer_id = '/id'\n[[tests]]\nexpected = ''",
    ] {
        assert!(!errors(wrong).is_empty(), "{wrong}");
    }
}

/// The reference, and a file that uses what it does not, hold to the schema; what is wrong does not.
#[test]
fn editors_know_what_is_wrong_with_a_configuration() {
    let schema = jsonschema::validator_for(&documents::schema()).unwrap();
    let is_valid = |text: &str| {
        let file: toml::Table = text.parse().unwrap();
        schema.is_valid(&serde_json::to_value(file).unwrap())
    };
    for valid in [
        &documents::reference(),
        "[kafka.properties]\nsecurity.protocol = 'SSL'\n\"linger.ms\" = 5",
        "[validation.rules]\ncountry_code = 'off'\n[topics]\npartitions = 3",
        "[validation]\nmax_state_bytes = '1 MiB'\nmax_record_bytes = 1024\nmax_metadata_bytes = '64kb'",
    ] {
        assert!(is_valid(valid), "{valid}");
    }
    for wrong in [
        "application = 'a'",
        "[snapshot]\ntopc = 'a'",
        "[sources.loyalty]",
        "[merge]\nmax_actions = 0",
        "[validation]\nmax_state_bytes = 1023",
        "[validation]\nmax_state_bytes = '1M'",
        "[validation]\nmax_state_bytes = '1048576'",
        "[processing]\nguarantee = 'once'",
        "[processing]\nmax_reject_share = 0",
    ] {
        assert!(!is_valid(wrong), "{wrong}");
    }
}

/// The chart has the version of the program, its user, and its alerts. What it makes is checked by `.ci/helm.py`.
#[test]
fn the_chart_for_kubernetes_is_that_of_this_program() {
    let chart = read("deploy/helm/keyfold/Chart.yaml");
    for key in ["version", "appVersion"] {
        let line = format!("\n{key}: {}\n", env!("CARGO_PKG_VERSION"));
        assert!(chart.contains(&line), "{key}");
    }
    // a chart holds no file from outside of its folder
    assert_eq!(
        read("deploy/helm/keyfold/files/keyfold.rules.yml"),
        read("config/prometheus/keyfold.rules.yml"),
        "copy config/prometheus/keyfold.rules.yml into deploy/helm/keyfold/files"
    );
    let values = read("deploy/helm/keyfold/values.yaml");
    for id in ["runAsUser", "runAsGroup", "fsGroup"] {
        assert!(values.contains(&format!("  {id}: 10001\n")), "{id}");
    }
}

/// Each alert leads to a section that says what to do, and each such section has its alert and its test.
#[test]
fn every_alert_has_its_section_and_its_test() {
    let rules = read("config/prometheus/keyfold.rules.yml");
    let tests = read("config/prometheus/keyfold.rules.test.yml");
    let operations = read("docs/operations.md");
    let (_, section) = operations.split_once("\n## Alerts\n").unwrap();
    let section = section.split("\n## ").next().unwrap();
    let sections: Vec<&str> = section
        .lines()
        .filter_map(|line| line.strip_prefix("### "))
        .collect();
    let alerts: Vec<&str> = rules
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- alert: "))
        .collect();
    assert_eq!(sections, alerts);
    for alert in alerts {
        let anchor = alert.to_lowercase();
        let runbook = format!("runbook: docs/operations.md#{anchor}\n");
        assert!(rules.contains(&runbook), "{alert} names no runbook");
        for outcome in ["exp_samples: []", "exp_samples:\n"] {
            let named = format!("alertname=\"{alert}\",");
            let mut cases = tests.split("- expr: ");
            let found = cases.any(|case| case.contains(&named) && case.contains(outcome));
            assert!(found, "{alert} has no test with {outcome:?}");
        }
    }
}
