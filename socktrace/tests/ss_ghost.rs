//! A TCP peer made by hand: it says exactly what a state needs and then nothing more.

use std::net::Ipv4Addr;
use std::os::fd::{AsRawFd, OwnedFd};

use nix::net::if_::if_nametoindex;

use crate::ss_fixtures::socket;

const FIN: u8 = 1;
const SYN: u8 = 2;
const ACK: u8 = 16;

/// Speaks Ethernet on its end of a veth pair.
pub(crate) struct Ghost {
    packets: OwnedFd,
    /// The hardware address of the other end.
    to: [u8; 6],
    own: Ipv4Addr,
    peer: Ipv4Addr,
    peer_port: u16,
    /// Port of ours → what the peer's next sequence number is.
    acks: Vec<(u16, u32)>,
}

impl Ghost {
    /// A host with the address `own`, behind interface `near`, whose pair `far` has the address `peer`.
    pub(crate) fn new(near: &str, far: &str, own: Ipv4Addr, peer: Ipv4Addr, peer_port: u16) -> Self {
        let packets = socket(libc::AF_PACKET, libc::SOCK_RAW, i32::from((libc::ETH_P_IP as u16).to_be()));
        let mut address = (libc::AF_PACKET as u16).to_ne_bytes().to_vec();
        address.extend((libc::ETH_P_IP as u16).to_be_bytes());
        address.extend(if_nametoindex(near).expect("an interface").to_ne_bytes());
        address.resize(20, 0);
        // SAFETY: the address has the length that is told and lives during the call.
        let status = unsafe { libc::bind(packets.as_raw_fd(), address.as_ptr().cast(), 20) };
        assert_eq!(status, 0, "{}", std::io::Error::last_os_error());
        Self { packets, to: hardware_address(far), own, peer, peer_port, acks: Vec::new() }
    }

    /// Asks for a connection and leaves it at that.
    pub(crate) fn syn(&mut self, port: u16) {
        self.send(port, 1000, 0, SYN);
        self.syn_ack(port);
    }

    /// Completes a handshake.
    pub(crate) fn connect(&mut self, port: u16) {
        self.send(port, 1000, 0, SYN);
        let ack = self.syn_ack(port);
        self.acks.push((port, ack));
        self.send(port, 1001, ack, ACK);
    }

    /// Says that it is done, and acknowledges nothing that came since.
    pub(crate) fn fin(&mut self, port: u16) {
        let (_, ack) = *self.acks.iter().find(|(known, _)| *known == port).expect("connected");
        self.send(port, 1001, ack, FIN | ACK);
    }

    /// The socket, to be kept: when it closes, nothing changes for the peer.
    pub(crate) fn into_socket(self) -> OwnedFd {
        self.packets
    }

    /// Waits for the peer's SYN-ACK; the sequence number that acknowledges it.
    fn syn_ack(&self, port: u16) -> u32 {
        let mut frame = [0u8; 2048];
        loop {
            // SAFETY: the buffer has the length that is told.
            let length =
                unsafe { libc::recv(self.packets.as_raw_fd(), frame.as_mut_ptr().cast(), frame.len(), 0) };
            assert!(length > 0, "{}", std::io::Error::last_os_error());
            let tcp = &frame[34..];
            let to = u16::from_be_bytes([tcp[2], tcp[3]]);
            if frame[23] == 6 && to == port && tcp[13] & (SYN | ACK) == SYN | ACK {
                return u32::from_be_bytes([tcp[4], tcp[5], tcp[6], tcp[7]]).wrapping_add(1);
            }
        }
    }

    fn send(&self, port: u16, seq: u32, ack: u32, flags: u8) {
        let mut tcp = Vec::new();
        tcp.extend(port.to_be_bytes());
        tcp.extend(self.peer_port.to_be_bytes());
        tcp.extend(seq.to_be_bytes());
        tcp.extend(ack.to_be_bytes());
        tcp.extend([0x50, flags]);
        tcp.extend(8192u16.to_be_bytes());
        tcp.extend([0; 4]);
        let mut pseudo = Vec::new();
        pseudo.extend(self.own.octets());
        pseudo.extend(self.peer.octets());
        pseudo.extend([0, 6, 0, 20]);
        pseudo.extend(&tcp);
        tcp[16..18].copy_from_slice(&checksum(&pseudo).to_be_bytes());

        let mut ip = vec![0x45, 0, 0, 40, 0, 1, 0, 0, 64, 6, 0, 0];
        ip.extend(self.own.octets());
        ip.extend(self.peer.octets());
        let sum = checksum(&ip);
        ip[10..12].copy_from_slice(&sum.to_be_bytes());

        let mut frame = self.to.to_vec();
        frame.extend([2, 0, 0, 0, 0, 0x63, 8, 0]);
        frame.extend(ip);
        frame.extend(tcp);
        // SAFETY: the buffer has the length that is told.
        let sent = unsafe { libc::send(self.packets.as_raw_fd(), frame.as_ptr().cast(), frame.len(), 0) };
        assert_eq!(sent, frame.len() as isize, "{}", std::io::Error::last_os_error());
    }
}

/// The Internet checksum.
fn checksum(bytes: &[u8]) -> u16 {
    let mut sum: u32 = bytes.chunks(2).map(|pair| u32::from(u16::from_be_bytes([pair[0], pair[1]]))).sum();
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

/// `SIOCGIFHWADDR`.
fn hardware_address(interface: &str) -> [u8; 6] {
    let asker = socket(libc::AF_INET, libc::SOCK_DGRAM, 0);
    // SAFETY: an ifreq of zeros is valid; its name is shorter than the room; the call fills the union's address.
    unsafe {
        let mut request: libc::ifreq = std::mem::zeroed();
        for (to, from) in request.ifr_name.iter_mut().zip(interface.bytes()) {
            *to = from as libc::c_char;
        }
        assert_eq!(libc::ioctl(asker.as_raw_fd(), libc::SIOCGIFHWADDR, &raw mut request), 0);
        let data = request.ifr_ifru.ifru_hwaddr.sa_data;
        std::array::from_fn(|index| data[index] as u8)
    }
}
