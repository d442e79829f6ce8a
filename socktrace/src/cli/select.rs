//! Which sockets: the words that `events` and `history` have in common.

use super::args::WhichArgs;
use crate::api::selection::Selection;

/// The options' meaning, in the words of the agent's API.
pub(super) fn selection(args: &WhichArgs) -> Selection {
    let words = |flags: &[(bool, &[&str])]| {
        let chosen = flags.iter().filter(|(chosen, _)| *chosen).flat_map(|&(_, words)| words);
        chosen.map(|&word| word.to_owned()).collect()
    };
    Selection {
        protos: words(&[
            (args.tcp, &["tcp"]),
            (args.udp, &["udp", "udplite"]),
            (args.raw, &["raw", "icmp"]),
            (args.unix, &["unix"]),
        ]),
        families: words(&[
            (args.ipv4, &["inet"]),
            (args.ipv6, &["inet6"]),
            // Asked for beside an IP version, UNIX sockets are not excluded by it.
            (args.unix && (args.ipv4 || args.ipv6), &["unix"]),
        ]),
        pids: args.pid.clone(),
        comms: args.comm.clone(),
        filter: args.filter.clone(),
        ..Selection::default()
    }
}
