//! The agent's configuration file: what its command line takes, in TOML, under the same names.
//!
//! A key is an option's long name, and its value is read as the option's is. The command line comes before the file, and
//! the file before the defaults.
//!
//! I/O: the file.

use super::args::AgentArgs;
use super::error::Error;
use crate::api::reason::reason;
use crate::api::suggest::suggestion;
use clap::{Args as _, Command, FromArgMatches as _};
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Where it is, unless `--config` says otherwise.
pub(super) const PATH: &str = "/etc/socktrace/agent.toml";

/// Options that a file cannot have: they say which file.
const NOT_IN_A_FILE: [&str; 2] = ["config", "check-config"];
/// The longest file, bytes: nobody writes so much.
const MOST: u64 = 1 << 20;

/// The command line's options, completed by those of the file: the one that is named, or the usual one if it is there. Also
/// the file's path, if there is one.
pub(super) fn complete(args: AgentArgs) -> Result<(AgentArgs, Option<PathBuf>), Error> {
    let path = args.config.clone().unwrap_or_else(|| PATH.into());
    let text = match read(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound && args.config.is_none() => {
            return Ok((args, None));
        }
        Err(error) => {
            return Err(Error::Usage(format!("cannot read {}: {}", path.display(), reason(&error))));
        }
    };
    let file = parse(&text).map_err(|error| Error::Usage(format!("{}: {error}", path.display())))?;
    Ok((args.or(file), Some(path)))
}

/// No more of it than makes sense: it may be anything.
fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    // Not waited for, if it is a FIFO.
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    match file.take(MOST).read_to_string(&mut text)? as u64 {
        MOST => Err(io::Error::other("more than 1 MiB")),
        _ => Ok(text),
    }
}

/// The options that the text of a file says, or what is wrong with it, with the line.
fn parse(text: &str) -> Result<AgentArgs, String> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| {
        let line =
            error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
        format!("line {line}: {}", error.message())
    })?;
    let mut words = vec!["agent".to_owned()];
    for (key, value) in &table {
        let wrong = |what: String| format!("line {}: {what}", line_of(text, key));
        let word = word(key, value).map_err(wrong)?;
        // Each alone, so that what is wrong is said of its line.
        options([words[0].clone(), word.clone()])
            .map_err(|said| wrong(format!("{key} = {value}: {said}")))?;
        words.push(word);
    }
    options(words)
}

/// The option that a key and its value are.
fn word(key: &str, value: &Value) -> Result<String, String> {
    let command = AgentArgs::augment_args(Command::new("agent"));
    let names: Vec<&str> = command.get_arguments().filter_map(|arg| arg.get_long()).collect();
    let names: Vec<&str> = names.into_iter().filter(|name| !NOT_IN_A_FILE.contains(name)).collect();
    if !names.contains(&key) {
        let meant = suggestion(key, names.iter().copied());
        return Err(format!("unknown key {key:?}{meant}"));
    }
    match value {
        Value::String(text) => Ok(format!("--{key}={text}")),
        // 0660 is no number in TOML, and 660 would be another one.
        Value::Integer(_) if key == "mode" => {
            Err(format!("{key} = {value}: expected a string, such as \"0660\""))
        }
        Value::Integer(number) => Ok(format!("--{key}={number}")),
        Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
            Err(format!("{key}: expected a string or a number"))
        }
    }
}

/// What these words mean, or what is wrong with the last of them.
fn options(words: impl IntoIterator<Item = String>) -> Result<AgentArgs, String> {
    let command = AgentArgs::augment_args(Command::new("agent"));
    let said = |error: clap::Error| {
        let said = error.to_string();
        let said = said.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        // Behind the option's own name.
        said.rsplit_once("': ").map_or(said.clone(), |(_, why)| why.to_owned())
    };
    let matches = command.try_get_matches_from(words).map_err(said)?;
    AgentArgs::from_arg_matches(&matches).map_err(said)
}

/// The line on which a key stands.
fn line_of(text: &str, key: &str) -> usize {
    let is_it = |line: &str| {
        let name = line.split('=').next().unwrap_or_default().trim().trim_matches(['"', '\'']);
        name == key || line.trim() == format!("[{key}]")
    };
    text.lines().position(is_it).map_or(1, |index| index + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_says_what_the_command_line_says() {
        let text = "# A comment.\nsocket = \"/run/x.sock\"\nmode = \"0660\"\nhistory-entries = 10\n\
                    history-bytes = \"1Mi\"\nhistory-dir = '/var/lib/x'\n";
        let file = parse(text).unwrap();
        assert_eq!(file.socket.as_deref(), Some(Path::new("/run/x.sock")));
        assert_eq!(
            (file.mode, file.history_entries, file.history_bytes),
            (Some(0o660), Some(10), Some(1 << 20))
        );
        let words = ["agent", "--mode=0600", "--history-dir-size=2Mi"].map(str::to_owned);
        let merged = options(words).unwrap().or(file);
        // The command line comes first.
        assert_eq!((merged.mode, merged.history_entries), (Some(0o600), Some(10)));
        assert_eq!((merged.history_dir, merged.history_dir_size), (Some("/var/lib/x".into()), Some(2 << 20)));
        assert!(parse("").unwrap().socket.is_none());
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        for (text, expected) in [
            (
                "socket = \"/x\"\nhistroy-dir = \"/y\"",
                "line 2: unknown key \"histroy-dir\"; did you mean `history-dir`?",
            ),
            ("\nmode = 660", "line 2: mode = 660: expected a string, such as \"0660\""),
            ("mode = \"0888\"", "line 1: mode = \"0888\": expected permissions in octal, such as 0660"),
            ("history-entries = -1", "line 1: history-entries = -1: expected how many, 0 or more"),
            ("ring-size = \"much\"", "line 1: ring-size = \"much\": expected a number of bytes"),
            ("user = true", "line 1: user: expected a string or a number"),
            ("[user]\na = 1", "line 1: user: expected a string or a number"),
            ("config = \"/x\"", "line 1: unknown key \"config\"; choose from socket, group, user, mode"),
            ("user = \"a\"\nuser = \"b\"", "line 2: duplicate key"),
            ("a = \"", "line 1: "),
        ] {
            let said = parse(text).unwrap_err();
            assert!(said.starts_with(expected), "{text}: {said}");
        }
    }
}
