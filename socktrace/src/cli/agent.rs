//! `socktrace agent`: keep the table and answer from it.

use super::args::AgentArgs;
use super::error::Error;
use super::{ring_size, runtime, source};
use crate::agent::run::{Options, run as run_agent};
use crate::agent::socket_file;

pub(super) fn run(args: AgentArgs) -> Result<(), Error> {
    let options = Options {
        socket: args.socket.unwrap_or_else(source::default_socket),
        group: args.group,
        mode: args.mode.unwrap_or(socket_file::MODE),
        ring_size: ring_size(args.ring_size),
    };
    Ok(runtime()?.block_on(run_agent(&options))?)
}
