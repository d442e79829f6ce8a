//! Every JSON line that a test sees is valid by the schemas in docs/schema, which are closed here: a field that they do not
//! have is an error.

use jsonschema::Validator;
use serde_json::{Map, Value};
use std::sync::LazyLock;

/// What a line may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Lines {
    Sockets,
    Table,
    Events,
    Ended,
    Status,
    Diagnosis,
}

struct Schemas {
    count: Validator,
    diagnosis: Validator,
    event: Validator,
    socket: Validator,
    status: Validator,
    summary: Validator,
}

static SCHEMAS: LazyLock<Schemas> = LazyLock::new(|| Schemas {
    count: closed(include_str!("../../../docs/schema/count.json")),
    diagnosis: closed(include_str!("../../../docs/schema/diagnosis.json")),
    event: closed(include_str!("../../../docs/schema/event.json")),
    socket: closed(include_str!("../../../docs/schema/socket.json")),
    status: closed(include_str!("../../../docs/schema/status.json")),
    summary: closed(include_str!("../../../docs/schema/summary.json")),
});

/// The schema, whose objects have no other fields than it names.
fn closed(text: &str) -> Validator {
    fn close(value: &mut Value) {
        match value {
            Value::Object(object) => {
                object.values_mut().for_each(close);
                // Not where any name may be a field.
                if object.contains_key("properties") && !object.contains_key("additionalProperties") {
                    object.insert("additionalProperties".to_owned(), false.into());
                }
            }
            Value::Array(items) => items.iter_mut().for_each(close),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut schema: Value = serde_json::from_str(text).unwrap();
    close(&mut schema);
    jsonschema::validator_for(&schema).unwrap()
}

impl Lines {
    /// What a command with these words prints, if that is JSON; and whether it is one array of it.
    pub(crate) fn of_command<'a>(words: impl IntoIterator<Item = &'a str> + Clone) -> Option<(Self, bool)> {
        let command = words.clone().into_iter().next()?;
        let form = words.into_iter().find_map(|word| word.strip_prefix("--json"))?;
        let lines = match command {
            "ss" => Self::Sockets,
            "events" => Self::Events,
            "history" => Self::Ended,
            "status" => Self::Status,
            "doctor" => Self::Diagnosis,
            _ => return None,
        };
        Some((lines, form == "=array"))
    }

    /// What an endpoint answers.
    pub(crate) fn of_target(target: &str) -> Option<Self> {
        let path = target.split('?').next().unwrap_or_default();
        Some(match path.rsplit("/v1/").next()? {
            "sockets" => Self::Sockets,
            "table" => Self::Table,
            "events" => Self::Events,
            "history" => Self::Ended,
            "status" => Self::Status,
            _ => return None,
        })
    }

    /// Says what is wrong with a line, if something is.
    fn wrong(self, line: &Value) -> Option<String> {
        let schemas = &*SCHEMAS;
        let possible: &[&Validator] = match self {
            Self::Sockets => &[&schemas.socket, &schemas.count, &schemas.summary],
            Self::Table => &[&schemas.socket],
            Self::Events => &[&schemas.event],
            Self::Ended => &[&schemas.event, &schemas.count],
            Self::Status => &[&schemas.status],
            Self::Diagnosis => &[&schemas.diagnosis],
        };
        if possible.iter().any(|schema| schema.is_valid(line)) {
            return None;
        }
        let errors = possible.iter().map(|schema| {
            let errors = schema.iter_errors(line).map(|error| format!("{}: {error}", error.instance_path));
            errors.collect::<Vec<_>>().join("; ")
        });
        Some(errors.collect::<Vec<_>>().join("\nor "))
    }

    /// Fails the test if the line is not valid.
    #[track_caller]
    pub(crate) fn check_line(self, line: &str) {
        let value: Value = serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"));
        self.check(&value);
    }

    #[track_caller]
    fn check(self, value: &Value) {
        if let Some(wrong) = self.wrong(value) {
            panic!("not valid by docs/schema: {wrong}\n{value}");
        }
    }

    /// Fails the test if something in it is not valid: lines, or one array.
    #[track_caller]
    pub(crate) fn check_all(self, text: &str, is_array: bool) {
        if is_array {
            // One whose answer broke off is not closed.
            let values: Vec<Value> = serde_json::from_str(text).unwrap_or_default();
            values.iter().for_each(|value| self.check(value));
        } else {
            text.lines().for_each(|line| self.check_line(line));
        }
    }
}

#[test]
fn what_is_not_valid_is_noticed() {
    let lost = serde_json::json!({"ts": "2026-07-28T15:04:05Z", "event": "lost", "lost": 7, "by": "kernel"});
    assert_eq!(Lines::Events.wrong(&lost), None);
    let with = |key: &str, value: Value| {
        let mut line: Map<String, Value> = lost.as_object().unwrap().clone();
        line.insert(key.to_owned(), value);
        Lines::Events.wrong(&line.into())
    };
    for (key, value) in [
        ("events_lost", 7.into()),
        ("lost", "7".into()),
        ("lost", (-7).into()),
        ("event", "loss".into()),
        ("ts", Value::Null),
    ] {
        assert!(with(key, value.clone()).is_some(), "{key} {value}");
    }
    assert_eq!(with("pid", Value::Null), None, "an owner may be unknown");
    assert!(Lines::Sockets.wrong(&lost).is_some());
    let count = serde_json::json!({"count": 1, "key": "x"});
    assert!(Lines::Sockets.wrong(&count).is_none() && Lines::Table.wrong(&count).is_some());
}
