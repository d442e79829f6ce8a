//! Who may see what: from who connected to the viewer that answers are made for, and what is not done for that viewer.
//!
//! The rule is one: an answer shows what asking the kernel would show to whoever asks. What they may do is told by
//! capabilities, not by their user id; where those are not known, they have none.
//!
//! I/O: `/proc`, for what the agent itself may do.

use crate::api::sockets::{BpfMaps, NetnsChoice, Question};
use crate::engine::Interest;
use crate::kernel::credentials::Credentials;
use crate::kernel::peer::{Peer, Seen};
use crate::socket::{NetnsId, Pids, UserRights, Viewer};
use caps::Capability;
use std::path::Path;

/// Who sees everything, and what that takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// The user that the agent runs as.
    pub uid: u32,
    /// The group whose members see everything. Group 0 is nobody's to be a member of: containers' root is in it.
    pub group: Option<u32>,
    /// The agent's own capabilities.
    pub capabilities: u64,
}

const NET_ADMIN: u64 = 1 << Capability::CAP_NET_ADMIN as u8;
const SYS_PTRACE: u64 = 1 << Capability::CAP_SYS_PTRACE as u8;
const DAC_READ_SEARCH: u64 = 1 << Capability::CAP_DAC_READ_SEARCH as u8;

impl Rights {
    /// Of an agent that runs as this process does, with a socket of that group.
    #[must_use]
    pub fn of_this_process(gid: u32) -> Self {
        let capabilities =
            Credentials::of(Path::new("/proc/thread-self")).map_or(u64::MAX, |own| own.effective);
        Self { uid: nix::unistd::geteuid().as_raw(), group: (gid != 0).then_some(gid), capabilities }
    }

    /// Whom answers to that peer are made for.
    #[must_use]
    pub fn viewer(&self, peer: &Peer) -> Viewer {
        let netns = peer.netns;
        let Some(seen) = peer.seen else {
            return Viewer::User {
                uid: peer.uid,
                netns,
                rights: UserRights { pids: Pids::Unknown, other_users: true, ..UserRights::default() },
            };
        };
        let Seen { shares_users, pids, .. } = seen;
        // Who had no capabilities when they connected may have run another program since, with the same connection.
        let capabilities = if peer.uid == 0 && shares_users { seen.capabilities } else { 0 };
        let has = |wanted| capabilities & wanted == wanted;
        let is_agents = peer.uid == self.uid && self.uid != 0;
        let is_member = self.group.is_some_and(|group| peer.gids.contains(&group));
        let everything = is_agents || is_member || (peer.uid == 0 && shares_users && has(self.capabilities));
        if everything && shares_users && pids == Pids::Own {
            return Viewer::Own;
        }
        let rights = UserRights {
            gid: peer.gids.first().copied().unwrap_or(peer.uid),
            capabilities,
            namespaces: is_agents || is_member,
            net_admin: everything || has(NET_ADMIN),
            processes: everything || has(SYS_PTRACE | DAC_READ_SEARCH),
            pids,
            other_users: !shares_users,
        };
        Viewer::User { uid: peer.uid, netns, rights }
    }
}

/// In which network namespace a listing is made, none for the agent's own: the one that was said, or the viewer's.
///
/// # Errors
/// They may not look there.
pub fn place(
    viewer: Viewer,
    said: Option<NetnsId>,
    choice: &NetnsChoice,
) -> Result<Option<NetnsId>, &'static str> {
    let place = match (viewer, said) {
        (Viewer::User { netns, .. }, None) => Some(netns),
        (Viewer::User { .. } | Viewer::Own, said) => said,
    };
    let all = match viewer {
        Viewer::Own => true,
        Viewer::User { rights, .. } => rights.namespaces,
    };
    let may = match choice {
        NetnsChoice::Own => place.is_none_or(|netns| viewer.sees(netns)),
        NetnsChoice::One(_) | NetnsChoice::All => all,
    };
    if may {
        Ok(place)
    } else {
        Err("only root and the agent's group may look into other network namespaces")
    }
}

/// What an agent does not do for that viewer, since only the kernel knows what it would show them.
#[must_use]
pub fn refused(viewer: Viewer, question: &Question) -> Option<&'static str> {
    let Viewer::User { rights, .. } = viewer else { return None };
    let contexts = question.show.users.is_some_and(|users| users.process_context || users.socket_context);
    if rights.other_users {
        Some("an agent does not know the user ids of your user namespace: ask without it (--direct)")
    } else if question.bpf_maps != BpfMaps::None {
        Some(
            "an agent shows what BPF programs have stored to root and its group only: ask without it (--direct)",
        )
    } else if question.show.resolve {
        Some("an agent asks no name service for ordinary users: ask without it (--direct), or without -r")
    } else if contexts {
        Some("an agent does not know which SELinux contexts you may see: ask without it (--direct)")
    } else {
        None
    }
}

/// Why that viewer gets no events and no history of these processes: nobody recorded the numbers that they know them by.
#[must_use]
pub fn refused_events(viewer: Viewer, interest: &Interest) -> Option<&'static str> {
    let Viewer::User { rights, .. } = viewer else { return None };
    let by_process =
        !interest.pids.is_empty() || !interest.comms.is_empty() || interest.filter.needs().processes;
    (by_process && (rights.pids != Pids::Own || rights.other_users)).then_some(
        "an agent does not know the processes of another pid or user namespace in events and history",
    )
}

/// What that viewer is not shown, in words; none if they are shown everything.
#[must_use]
pub fn limits(viewer: Viewer) -> Option<&'static str> {
    let Viewer::User { rights, .. } = viewer else { return None };
    Some(match (rights.pids, rights.other_users) {
        (Pids::Own, false) => "other users' processes and other network namespaces are not shown",
        (Pids::Own, true) => {
            "processes, user ids and other network namespaces are not shown in your user namespace"
        }
        (Pids::Beneath { .. } | Pids::Unknown, _) => {
            "processes and other network namespaces are not shown in your pid namespace"
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: Seen = Seen { capabilities: 0, shares_users: true, pids: Pids::Own };
    const RIGHTS: Rights = Rights { uid: 990, group: Some(980), capabilities: NET_ADMIN | SYS_PTRACE };

    fn peer(uid: u32, gids: &[u32], seen: Seen) -> Peer {
        Peer { uid, gids: gids.to_vec(), netns: 7, seen: Some(seen) }
    }

    #[test]
    fn capabilities_the_agents_user_and_its_group_see_everything() {
        let capable = Seen { capabilities: u64::MAX, ..SEEN };
        let enough = Seen { capabilities: RIGHTS.capabilities, ..SEEN };
        let less = Seen { capabilities: !SYS_PTRACE, ..SEEN };
        for (uid, gids, seen, expected) in [
            (0, &[0][..], capable, true),
            (0, &[], enough, true),
            (0, &[0], less, false),
            (0, &[0], SEEN, false),
            (0, &[0], Seen { shares_users: false, ..capable }, false),
            (0, &[0], Seen { pids: Pids::Unknown, ..capable }, false),
            // They may have them by a program that they have started since.
            (1000, &[1000], capable, false),
            (990, &[990], SEEN, true),
            (990, &[990], Seen { shares_users: false, ..SEEN }, false),
            (1000, &[1000, 980], SEEN, true),
            (1000, &[980], SEEN, true),
            (1000, &[1000, 0], SEEN, false),
            (65534, &[65534], SEEN, false),
        ] {
            let peer = peer(uid, gids, seen);
            assert_eq!(RIGHTS.viewer(&peer) == Viewer::Own, expected, "{peer:?}");
        }
        // The agent's user is no exception where that is root.
        let of_root = Rights { uid: 0, group: None, ..RIGHTS };
        assert_ne!(of_root.viewer(&peer(0, &[0], SEEN)), Viewer::Own);
        assert_eq!(RIGHTS.viewer(&peer(1000, &[1000], SEEN)), Viewer::user(1000, 7));
    }

    #[test]
    fn each_capability_is_for_something() {
        let rights = |uid, seen| match RIGHTS.viewer(&peer(uid, &[uid], seen)) {
            Viewer::User { rights, .. } => (rights.net_admin, rights.processes, rights.namespaces),
            Viewer::Own => (true, true, true),
        };
        let with = |capabilities| Seen { capabilities, ..SEEN };
        assert_eq!(rights(0, with(NET_ADMIN)), (true, false, false));
        assert_eq!(rights(0, with(SYS_PTRACE | DAC_READ_SEARCH)), (false, true, false));
        assert_eq!(rights(0, with(SYS_PTRACE)), (false, false, false));
        assert_eq!(rights(1000, with(NET_ADMIN)), (false, false, false));
        // In a pid namespace of one's own, everything of what is in it.
        let beneath = Pids::Beneath { inode: 1, depth: 1 };
        assert_eq!(rights(0, Seen { pids: beneath, ..with(u64::MAX) }), (true, true, false));
        assert_eq!(rights(0, Seen { shares_users: false, ..with(u64::MAX) }), (false, false, false));
    }

    #[test]
    fn who_has_gone_sees_nobodys_processes() {
        let gone = Peer { uid: 0, gids: vec![0, 980], netns: 7, seen: None };
        let viewer = RIGHTS.viewer(&gone);
        assert!(viewer.is_limited() && !viewer.sees(8) && !viewer.owns(Some(0)), "{viewer:?}");
    }
}
