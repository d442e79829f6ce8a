//! The details of what is not TCP.

use super::*;
use crate::api::sockets::show::Users;

#[test]
fn what_bpf_programs_stored() {
    let attribute = |kind: u16, payload: &[u8]| {
        let mut bytes = ((payload.len() + 4) as u16).to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(payload);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    };
    let entry = [attribute(2, &7u32.to_ne_bytes()), attribute(3, &[1, 0xab])].concat();
    let block = attribute(1 | 0x8000, &entry).into();
    let row = with(
        tcp(("127.0.0.1", 1), ("127.0.0.1", 2)),
        Detail { bpf_storages: Some(block), ..Detail::default() },
    );
    assert_eq!(details(&row, Show::default()), "\n\tmap_id:7 [ 01 ab ]");
    assert_eq!(details(&row, Show { oneline: true, ..Show::default() }), " map_id:7 [ 01 ab ]");
}

#[test]
fn sctp_associations_stand_under_their_endpoint() {
    use info::sctp as s;
    let row = |state, inode| Socket {
        inode,
        ..socket(Proto::Sctp, Family::Inet, State::from_number(state), end("10.0.0.1", 5), end("10.0.0.2", 6))
    };
    let (endpoint, association, other) = (row(10, 7), row(3, 7), row(10, 8));
    let rows = [Row::of(&endpoint), Row::of(&association), Row::of(&other)];
    assert_eq!(
        table_of(&rows, show(), &mut NoNames, None, false),
        "sctp LISTEN   0      0      10.0.0.1:5 10.0.0.2:6\n     \
         `- ESTAB 0      0      10.0.0.1:5 10.0.0.2:6\n\
         sctp LISTEN   0      0      10.0.0.1:5 10.0.0.2:6\n"
    );
    let mut address = vec![0; 256];
    address[..8].copy_from_slice(&[2, 0, 0, 5, 10, 0, 0, 1]);
    address[128] = 10;
    address[128 + 23] = 1;
    let mut bytes = vec![0; 368];
    for (member, value) in
        [(s::TAG, 0xab), (s::STATE, 3), (s::RWND, 65536), (s::PEER_TAG, 0xcd), (s::S_NODELAY, 1)]
    {
        member.put(&mut bytes, value);
    }
    let detail = Detail { locals: Some(address.into()), info: Some(bytes.into()), ..Detail::default() };
    let info = Show { info: true, oneline: true, ..Show::default() };
    assert_eq!(
        details(&with(association, detail), info),
        " locals:10.0.0.1,::1 tag:ab state:ESTAB rwnd:65536 ptag:cd nodelay:1"
    );
}

#[test]
fn details_of_families_that_stay_on_the_machine() {
    let words = |words: &[u32]| -> Box<[u8]> { words.iter().flat_map(|word| word.to_ne_bytes()).collect() };
    let all =
        Show { extended: true, timers: true, memory: true, bpf: true, tipcinfo: true, ..Show::default() };
    let oneline = Show { oneline: true, ..all };
    let memory = Some(vec![1, 2, 3, 4, 5, 6, 7]);

    let unix = with(
        socket(
            Proto::UnixStream,
            Family::Unix,
            State::Listen,
            Endpoint::Unix { name: UnixName::from_bytes(b"/x"), inode: 1 },
            Endpoint::Unix { name: UnixName::default(), inode: 0 },
        ),
        Detail {
            shutdown: Some(Shutdown::default()),
            unix_vfs: Some((8 << 20 | 2, 55)),
            unix_queue: Some(vec![3, 4]),
            skmem: memory.clone(),
            ..Detail::default()
        },
    );
    assert_eq!(details(&unix, all), " skmem:(r1,rb2,t3,tb4,f5,w6,o7) <-> ino:55 dev:8/2 peers: 3 4");

    let packet = with(
        socket(
            Proto::PacketRaw,
            Family::Packet,
            State::Close,
            Endpoint::Packet { protocol: 3, ifindex: 0 },
            Endpoint::None,
        ),
        Detail {
            raw: vec![
                (0, words(&[0, 2, 0, 9, 0, 0b1_0011])),
                (2, words(&[4096, 2, 2048, 4, 50, 0, 1])),
                (4, words(&[7 | 1 << 16])),
                (7, words(&[0x20, 0, 6, 0xffff])),
            ],
            skmem: memory,
            ..Detail::default()
        },
    );
    assert_eq!(
        details(&packet, all),
        " uid:1000 ino:100 sk:abc\n\tver:2 cpy_thresh:9 flags( running auxdata loss )\n\
         \tring_rx(blk_size:4096,blk_nr:2,frm_size:2048,frm_nr:4,tmo:50,features:0x1)\n\tfanout(id:7,type:lb)\n\
         \tbpf filter (2):  0x20 0 0 0, 0x06 0 0 65535, skmem:(r1,rb2,t3,tb4,f5,w6,o7)"
    );
    assert!(details(&packet, oneline).contains(" fanout(id:7,type:lb) bpf filter (2): "));

    let netlink = with(
        socket(
            Proto::Netlink,
            Family::Netlink,
            State::Close,
            Endpoint::Netlink { protocol: 0, portid: 0 },
            Endpoint::None,
        ),
        Detail { raw: vec![(1, words(&[0x11, 0]))], ..Detail::default() },
    );
    assert_eq!(details(&netlink, all), " sk=0 cb=0 groups=0x00000011\t");
    let with_users = Show { users: Some(Users::default()), ..all };
    assert_eq!(details(&netlink, with_users), " sk=0 cb=0 groups=0x00000011\t");

    let xdp = with(
        socket(Proto::Xdp, Family::Xdp, State::Close, Endpoint::Xdp { ifindex: 2, queue: 0 }, Endpoint::None),
        Detail {
            raw: vec![
                (3, words(&[64])),
                (5, words(&[4096, 0, 1, 2, 2048, 3, 4, 5, 1, 6])),
                (6, words(&[128])),
                (9, words(&[1, 0, 2, 0, 3, 0, 4, 0, 5, 0, 6, 0])),
            ],
            ..Detail::default()
        },
    );
    assert_eq!(
        details(&xdp, oneline),
        " uid:1000 ino:100 sk:abc rx(entries:64) \
         umem(id:1,size:4096,num_pages:2,chunk_size:2048,headroom:3,ifindex:4,qid:5,zc:1,refs:6) fr(entries:128) \
         stats(rx dropped:1,rx invalid:2,rx queue full:3,rx fill ring empty:4,tx invalid:5,tx ring empty:6)"
    );

    let tipc = with(
        socket(
            Proto::TipcStream,
            Family::Tipc,
            State::Established,
            Endpoint::Tipc { node: 1, reference: 2 },
            Endpoint::Tipc { node: 3, reference: 4 },
        ),
        Detail {
            raw: vec![
                (3, words(&[4 | 1 << 16, 8 | 4 << 16, 18, 8 | 5 << 16, 19])),
                (4, Box::default()),
                (5, words(&[4 | 3 << 16, 8 | 4 << 16, 12])),
            ],
            ..Detail::default()
        },
    );
    assert_eq!(
        details(&tipc, oneline),
        " uid:1000 ino:100 sk:abc type:STREAM cong:conn  drop:12  publ via {18,19}"
    );
}
