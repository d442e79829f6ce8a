//! Who may see what: from who connected to the viewer that answers are made for.

use crate::kernel::peer::Peer;
use crate::socket::Viewer;

/// Who sees everything, besides root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rights {
    /// The user that the agent runs as.
    pub uid: u32,
    /// The group of its socket.
    pub gid: u32,
}

impl Rights {
    /// Whom answers to that peer are made for.
    #[must_use]
    pub fn viewer(&self, peer: &Peer) -> Viewer {
        if peer.uid == 0 || peer.uid == self.uid || peer.gids.contains(&self.gid) {
            return Viewer::Own;
        }
        // Where it is not known, they see none.
        Viewer::User { uid: peer.uid, netns: peer.netns }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_the_agents_user_and_its_group_see_everything() {
        let rights = Rights { uid: 990, gid: 980 };
        let netns = 7;
        let user = |uid| Viewer::User { uid, netns };
        for (uid, gids, expected) in [
            (0, &[0][..], Viewer::Own),
            (0, &[], Viewer::Own),
            (990, &[990], Viewer::Own),
            (1000, &[1000, 980], Viewer::Own),
            (1000, &[980], Viewer::Own),
            (1000, &[1000, 0], user(1000)),
            (65534, &[65534], user(65534)),
        ] {
            let peer = Peer { uid, gids: gids.to_vec(), netns };
            assert_eq!(rights.viewer(&peer), expected, "{peer:?}");
        }
    }
}
