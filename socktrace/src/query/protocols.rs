//! Names of ethertypes and netlink protocols (linux/if_ether.h, linux/netlink.h), as iproute2 spells them.

use super::number::c_number;

const ETHERTYPES: [(&str, u16); 54] = [
    ("loop", 0x0060),
    ("pup", 0x0200),
    ("pupat", 0x0201),
    ("ip", 0x0800),
    ("ipv4", 0x0800),
    ("x25", 0x0805),
    ("arp", 0x0806),
    ("bpq", 0x08ff),
    ("ieeepup", 0x0a00),
    ("ieeepupat", 0x0a01),
    ("dec", 0x6000),
    ("dna_dl", 0x6001),
    ("dna_rc", 0x6002),
    ("dna_rt", 0x6003),
    ("lat", 0x6004),
    ("diag", 0x6005),
    ("cust", 0x6006),
    ("sca", 0x6007),
    ("teb", 0x6558),
    ("rarp", 0x8035),
    ("atalk", 0x809b),
    ("aarp", 0x80f3),
    ("802.1q", 0x8100),
    ("ipx", 0x8137),
    ("ipv6", 0x86dd),
    ("mpls_uc", 0x8847),
    ("mpls_mc", 0x8848),
    ("atmmpoa", 0x884c),
    ("ppp_disc", 0x8863),
    ("ppp_ses", 0x8864),
    ("atmfate", 0x8884),
    ("profinet", 0x8892),
    ("aoe", 0x88a2),
    ("ethercat", 0x88a4),
    ("802.1ad", 0x88a8),
    ("lldp", 0x88cc),
    ("tipc", 0x88ca),
    ("cfm", 0x8902),
    ("802_3", 0x0001),
    ("ax25", 0x0002),
    ("all", 0x0003),
    ("802_2", 0x0004),
    ("snap", 0x0005),
    ("ddcmp", 0x0006),
    ("wan_ppp", 0x0007),
    ("ppp_mp", 0x0008),
    ("localtalk", 0x0009),
    ("can", 0x000c),
    ("ppptalk", 0x0010),
    ("tr_802_2", 0x0011),
    ("mobitex", 0x0015),
    ("control", 0x0016),
    ("irda", 0x0017),
    ("econet", 0x0018),
];

const NETLINK: [(&str, u32); 21] = [
    ("rtnl", 0),
    ("unused", 1),
    ("usersock", 2),
    ("fw", 3),
    ("tcpdiag", 4),
    ("nflog", 5),
    ("xfrm", 6),
    ("selinux", 7),
    ("iscsi", 8),
    ("audit", 9),
    ("fiblookup", 10),
    ("connector", 11),
    ("nft", 12),
    ("ip6fw", 13),
    ("dec-rt", 14),
    ("uevent", 15),
    ("genl", 16),
    ("scsi-trans", 18),
    ("ecryptfs", 19),
    ("rdma", 20),
    ("crypto", 21),
];

/// An ethertype by name (upper and lower case are one) or number.
pub(super) fn ethertype(text: &str) -> Option<u16> {
    let named =
        ETHERTYPES.iter().find(|(name, _)| name.eq_ignore_ascii_case(text)).map(|&(_, number)| number);
    // ss writes a number in brackets.
    let number = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    named.or_else(|| u16::try_from(c_number(number)?).ok())
}

/// A netlink protocol by name or number.
pub(super) fn netlink_protocol(text: &str) -> Option<u32> {
    let named = NETLINK.iter().find(|(name, _)| *name == text).map(|&(_, number)| number);
    named.or_else(|| u32::try_from(c_number(text)?).ok())
}
