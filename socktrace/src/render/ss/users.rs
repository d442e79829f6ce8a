//! The Process cell: ` users:(("sshd",pid=812,fd=3),…)`.

use crate::render::escape::push_quoted;
use crate::render::names::{Named, Names};
use crate::render::units::push_u32;
use crate::socket::{Endpoint, Holder, Proto};

use super::{Cell, netlink, push, shared};
use crate::api::sockets::show::Users;

/// Who holds the socket. Netlink and TIPC put their details here too, as in ss.
pub(super) fn cell(out: &mut Vec<u8>, cell: &mut Cell<'_>) {
    let Some(style) = cell.show.users else { return };
    let socket = cell.socket();
    if socket.proto == Proto::Netlink {
        if let Endpoint::Netlink { portid, .. } = socket.local {
            netlink::context(out, cell, style, portid);
        }
        return netlink::details(out, cell);
    }
    let tipc = [Proto::TipcStream, Proto::TipcDgram, Proto::TipcRdm, Proto::TipcSeqpacket];
    if tipc.contains(&socket.proto) {
        shared::identity(out, cell);
    }
    let users = cell.row.users;
    if users.is_empty() {
        return;
    }
    push(out, " ");
    push_users(out, cell.names, style, users);
}

/// `users:(…)`
pub(super) fn push_users(out: &mut Vec<u8>, names: &mut dyn Names, style: Users, users: &[Holder]) {
    push(out, "users:(");
    for (index, user) in users.iter().enumerate() {
        if index > 0 {
            push(out, ",");
        }
        push_user(out, names, style, user);
    }
    push(out, ")");
}

fn push_user(out: &mut Vec<u8>, names: &mut dyn Names, style: Users, user: &Holder) {
    let pid = user.process.pid;
    push(out, "(\"");
    push_quoted(out, user.process.comm.as_bytes());
    push(out, "\",pid=");
    push_u32(out, pid);
    if style.threads {
        push(out, ",tid=");
        push_u32(out, user.tid.unwrap_or(pid));
    }
    if style.process_context {
        push(out, ",proc_ctx=");
        shared::push_context(out, names.name(Named::ProcessContext(user.tid.unwrap_or(pid))));
    }
    push(out, ",fd=");
    push_u32(out, user.fd);
    if style.socket_context {
        push(out, ",sock_ctx=");
        shared::push_context(out, names.name(Named::FileContext { pid, fd: user.fd }));
    }
    push(out, ")");
}
