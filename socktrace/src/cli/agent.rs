//! `socktrace agent`: keep the table and answer from it.

use super::args::AgentArgs;
use super::error::Error;
use super::{ring_size, runtime, source};
use crate::archive;
use crate::history::Bounds;
use crate::kernel::descriptors;
use crate::server::run::{Options, run as run_agent};
use crate::server::socket_file;
use std::mem::ManuallyDrop;

pub(super) fn run(args: AgentArgs) -> Result<(), Error> {
    // It runs for long: what its parent had open does not stay open for that.
    descriptors::close_inherited();
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
    // Not dropped: that would wait for threads, of which some may wait for somebody else for ever. They end with us.
    let runtime = ManuallyDrop::new(runtime()?);
    Ok(runtime.block_on(run_agent(&options))?)
}
