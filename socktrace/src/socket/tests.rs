//! Laws of the values.

use super::*;

#[test]
fn every_state_number_survives() {
    for number in 0..=u8::MAX {
        assert_eq!(State::from_number(number).number(), number);
    }
}

#[test]
fn every_family_number_survives() {
    for number in 0..=300 {
        assert_eq!(Family::from_number(number).number(), number);
    }
}

#[test]
fn a_path_ends_at_nul_and_an_abstract_name_does_not() {
    assert_eq!(UnixName::from_bytes(b"/run/x\0junk").as_bytes(), b"/run/x");
    assert_eq!(UnixName::from_bytes(b"\0a\0b").as_bytes(), b"\0a\0b");
    assert!(UnixName::from_bytes(b"").is_unnamed());
}

#[test]
fn a_comm_keeps_fifteen_bytes() {
    assert_eq!(Comm::from_bytes(b"0123456789abcdefgh").as_bytes(), b"0123456789abcde");
    assert_eq!(Comm::from_bytes(b"sh\0x").as_bytes(), b"sh");
}

#[test]
fn sets_follow_the_kernel_bits() {
    assert!(StateSet::ALL.contains(State::BoundInactive));
    assert!(!StateSet::CONNECTED.contains(State::Listen));
    assert!(StateSet::CONNECTED.contains(State::TimeWait));
    assert_eq!(StateSet::of(State::Other(200)), StateSet::EMPTY);
    assert_eq!(StateSet::BUCKET.len(), 2);
}
