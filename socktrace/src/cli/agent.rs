//! `socktrace agent`: keep the table and answer from it.

use super::args::AgentArgs;
use super::error::Error;
use super::{config, output, ring_size, runtime, source};
use crate::archive;
use crate::history::Bounds;
use crate::kernel::descriptors;
use crate::server::options::{Options, Reload};
use crate::server::run::run as run_agent;
use crate::server::socket_file;
use std::fmt::Write as _;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub(super) fn run(args: AgentArgs) -> Result<(), Error> {
    let check = args.check_config;
    let said = args.clone();
    let (options, file) = read(args)?;
    if check {
        return output::write(shown(&options, file.as_deref()).as_bytes());
    }
    // It runs for long: what its parent had open does not stay open for that.
    descriptors::close_inherited();
    // Whose file is the usual one may have been started at a terminal, which says SIGHUP when it goes.
    let reload: Option<Reload> = said.config.is_some().then(|| -> Reload {
        Arc::new(move || read(said.clone()).map(|(options, _)| options).map_err(|error| error.to_string()))
    });
    // Not dropped: that would wait for threads, of which some may wait for somebody else for ever. They end with us.
    let runtime = ManuallyDrop::new(runtime()?);
    Ok(runtime.block_on(run_agent(&options, reload))?)
}

/// What the command line and the file come to, and the file, if there is one.
fn read(args: AgentArgs) -> Result<(Options, Option<PathBuf>), Error> {
    let (args, file) = config::complete(args)?;
    if args.history_dir_size.is_some() && args.history_dir.is_none() {
        return Err(Error::Usage("--history-dir-size is for files: it needs --history-dir".to_owned()));
    }
    let options = Options {
        socket: args.socket.unwrap_or_else(source::default_socket),
        group: args.group,
        mode: args.mode.unwrap_or(socket_file::MODE),
        user: args.user,
        ring_size: ring_size(args.ring_size),
        history: archive::Options {
            bounds: Bounds {
                records: args.history_entries.unwrap_or(archive::Options::RECORDS),
                bytes: args.history_bytes.unwrap_or(archive::Options::BYTES),
            },
            files: args.history_dir.map(|dir| archive::FileOptions {
                dir,
                most: args.history_dir_size.unwrap_or(archive::Options::FILES),
            }),
        },
    };
    Ok((options, file))
}

/// What the agent would run with, as its configuration file would say it.
fn shown(options: &Options, file: Option<&Path>) -> String {
    let Options { socket, group, mode, user, ring_size, history } = options;
    let archive::Options { bounds, files } = history;
    let mut shown = match file {
        Some(file) => format!("# {} is right.\n", file.display()),
        None => format!("# There is no {}.\n", config::PATH),
    };
    let text = |name: &str, value: String| (name.to_owned(), toml::Value::String(value));
    let number = |name: &str, value: u64| (name.to_owned(), toml::Value::Integer(value.cast_signed()));
    let mut lines = vec![text("socket", socket.display().to_string()), text("mode", format!("{mode:04o}"))];
    lines.extend(group.as_ref().map(|group| text("group", group.clone())));
    lines.extend(user.as_ref().map(|user| text("user", user.clone())));
    lines.push(number("ring-size", u64::from(*ring_size)));
    lines.push(number("history-entries", bounds.records as u64));
    lines.push(number("history-bytes", bounds.bytes as u64));
    if let Some(archive::FileOptions { dir, most }) = files {
        lines.push(text("history-dir", dir.display().to_string()));
        lines.push(number("history-dir-size", *most));
    }
    for (name, value) in lines {
        // Nothing fails in writing to a string.
        let _ = writeln!(shown, "{name} = {value}");
    }
    shown
}
