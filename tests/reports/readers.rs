//! What the readers of each form ask for.

use crate::common::json_schema::violations;
use roxmltree::{Document as Xml, Node};
use serde_json::Value;

pub fn assert_sarif(text: &str, what: &str) -> Value {
    let schema = include_str!("../common/sarif.schema.json");
    let schema: Value = serde_json::from_str(schema).expect("the schema is JSON");
    let value: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{what}: {error}\n{text}"));
    let mut found = Vec::new();
    violations(&schema, &schema, &value, "", &mut found);
    assert!(found.is_empty(), "{what}:\n{}", found.join("\n"));
    let run = &value["runs"][0];
    for result in run["results"].as_array().unwrap() {
        let rule = &run["tool"]["driver"]["rules"][result["ruleIndex"].as_u64().unwrap() as usize];
        assert_eq!(rule["id"], result["ruleId"], "{what}");
        let place = &result["locations"][0];
        assert!(
            place.get("physicalLocation").or(place.get("logicalLocations")).is_some(),
            "{what}: {result}"
        );
    }
    value
}

pub fn elements<'d>(node: Node<'d, 'd>, name: &str) -> Vec<Node<'d, 'd>> {
    node.descendants().filter(|one| one.tag_name().name() == name).collect()
}

/// Holds a file to what readers of JUnit XML agree on: elements, their order and attributes, and true counts.
pub fn assert_junit(text: &str, what: &str) {
    let xml = Xml::parse(text).unwrap_or_else(|error| panic!("{what}: {error}\n{text}"));
    let children = |node: Node<'_, '_>| -> Vec<String> {
        node.children().filter(Node::is_element).map(|one| one.tag_name().name().to_owned()).collect()
    };
    let number = |node: Node<'_, '_>, name: &str| node.attribute(name).unwrap().parse::<usize>().unwrap();
    let suites = xml.root_element();
    assert_eq!((suites.tag_name().name(), children(suites)), ("testsuites", vec!["testsuite".to_owned()]));
    let suite = suites.first_element_child().unwrap();
    let mut parts = children(suite);
    assert_eq!(parts.pop().as_deref(), Some("system-out"), "{what}");
    assert!(parts.iter().all(|part| part == "testcase"), "{what}: {parts:?}");
    let with = |name| elements(suite, name).len();
    for node in [suites, suite] {
        assert!(node.attribute("name").is_some());
        assert_eq!(number(node, "tests"), with("testcase"), "{what}");
        assert_eq!(number(node, "failures"), with("failure"), "{what}");
        assert_eq!(number(node, "errors"), 0, "{what}");
    }
    assert_eq!(number(suite, "skipped"), with("skipped"), "{what}");
    for case in elements(suite, "testcase") {
        assert!(case.attribute("name").is_some_and(|name| !name.is_empty()), "{what}");
        assert!(case.attribute("classname").is_some(), "{what}");
        let parts = children(case);
        let allowed: [&[&str]; 6] = [
            &[],
            &["failure"],
            &["skipped"],
            &["system-out"],
            &["failure", "system-out"],
            &["skipped", "system-out"],
        ];
        assert!(allowed.iter().any(|one| parts == *one), "{what}: {parts:?}");
        for failure in elements(case, "failure") {
            assert!(failure.attribute("message").is_some() && failure.attribute("type").is_some(), "{what}");
        }
    }
}

/// Holds a page to what it promises: nothing is fetched, nothing runs, and every link leads somewhere in it.
pub fn assert_html(text: &str, what: &str) {
    let body = text.strip_prefix("<!DOCTYPE html>\n").expect("the type of the document comes first");
    let xml = Xml::parse(body).unwrap_or_else(|error| panic!("{what}: {error}\n{body}"));
    let mut ids: Vec<&str> = xml.descendants().filter_map(|node| node.attribute("id")).collect();
    ids.sort_unstable();
    assert!(ids.windows(2).all(|two| two[0] != two[1]), "{what}: an id twice: {ids:?}");
    for node in xml.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        assert!(!["script", "img", "link", "iframe", "object", "form"].contains(&name), "{what}: <{name}>");
        for attribute in node.attributes() {
            assert!(
                !attribute.name().starts_with("on") && attribute.name() != "src",
                "{what}: {attribute:?}"
            );
            if attribute.name() == "href" {
                let target = attribute.value().strip_prefix('#');
                assert!(target.is_some_and(|id| ids.contains(&id)), "{what}: {attribute:?}");
            }
        }
    }
    assert_eq!(elements(xml.root(), "h1").len(), 1, "{what}");
}

/// Every line is an annotation whose properties are closed, or no command at all.
pub fn assert_github(text: &str, what: &str) {
    for line in text.lines() {
        assert!(!line.chars().any(char::is_control), "{what}: {line:?}");
        match line.strip_prefix("::") {
            Some(command) => {
                let level = command.split(' ').next().unwrap();
                assert!(["error", "warning", "notice"].contains(&level), "{what}: {line}");
                let (properties, _) =
                    command[level.len() + 1..].split_once("::").expect("a command has an end");
                for property in properties.split(',') {
                    let (name, value) = property.split_once('=').expect("name=value");
                    assert!(["file", "line", "col", "title"].contains(&name), "{what}: {line}");
                    assert!(!value.is_empty() && !value.contains(':'), "{what}: {line}");
                }
            }
            None => assert!(!line.trim_start().starts_with("::") && !line.contains("##["), "{what}: {line}"),
        }
    }
}

/// Outside of blocks of code there is no markup but our own, and each block ends.
pub fn assert_markdown(text: &str, what: &str) {
    assert!(text.len() < 65_536, "{what}: {} bytes", text.len());
    let mut fence: Option<String> = None;
    let mut depth = 0;
    for line in text.lines() {
        assert!(!line.chars().any(|c| c.is_control() && c != '\t'), "{what}: {line:?}");
        match &fence {
            Some(end) if line == end => fence = None,
            Some(_) => {}
            None if line.starts_with("```") => {
                fence = Some(line.trim_end_matches("yaml").trim_end_matches("diff").to_owned())
            }
            None => {
                let own =
                    ["<details>", "</details>", "<summary>", "</summary>", "<code>", "</code>", "<!-- -->"];
                let bare = own.iter().fold(line.to_owned(), |rest, tag| rest.replace(tag, ""));
                assert!(!bare.contains(['<', '`']), "{what}: {line}");
                assert!(!bare.contains("://") && !bare.contains("]("), "{what}: {line}");
                let mentions = line.replace("&#", "");
                assert!(!mentions.contains("@e") && !mentions.contains("#1"), "{what}: {line}");
                depth += line.matches("<details>").count();
                depth -= line.matches("</details>").count();
            }
        }
    }
    assert!(fence.is_none() && depth == 0, "{what}: something is not closed\n{text}");
}
