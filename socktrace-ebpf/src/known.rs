//! Which datagram sockets have a port that has been reported (see `maps::KNOWN`).

use crate::maps::{KNOWN, SETS, WAYS};
use crate::socket::Found;

/// What tells the cookies of one set apart, of the first 2^45 of a machine; 0 is nobody's.
#[inline(always)]
fn tag(cookie: u64) -> u32 {
    (cookie / u64::from(SETS)) as u32 + 1
}

/// Whether a datagram socket has a port that has been told of; from now on it has.
#[inline(always)]
pub(crate) fn is_known(cookie: u64) -> bool {
    let Some(set) = KNOWN.get_ptr_mut(cookie as u32 & (SETS - 1)) else { return false };
    // Cookies rise one by one, so that those of one set differ in the bits above its number.
    let own = (cookie / u64::from(SETS)) as usize % WAYS;
    // SAFETY: places of an element of the array; a race of two CPUs makes a record too many.
    unsafe {
        let places = set.cast::<u32>();
        for place in 0..WAYS {
            if places.add(place).read_volatile() == tag(cookie) {
                return true;
            }
        }
        places.add(own).write_volatile(tag(cookie));
    }
    false
}

/// A connect(2) that gave a datagram socket its port tells of it; one to AF_UNSPEC may have taken it, and the next send
/// chooses another.
#[inline(always)]
pub(crate) fn connected(found: &Found) {
    let cookie = found.cookie();
    if found.local_port() != 0 {
        is_known(cookie);
    } else if let Some(set) = KNOWN.get_ptr_mut(cookie as u32 & (SETS - 1)) {
        let places = set.cast::<u32>();
        for place in 0..WAYS {
            // SAFETY: a place of an element of the array.
            unsafe {
                if places.add(place).read_volatile() == tag(cookie) {
                    places.add(place).write_volatile(0);
                }
            }
        }
    }
}
