//! Address families, of those that ss knows, and what they are called.

use crate::socket::Family;

/// A set of address families, of those that ss knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FamilySet(u64);

impl FamilySet {
    /// None.
    pub const EMPTY: Self = Self(0);
    /// IPv4 and IPv6.
    pub const INET: Self = Self::of(Family::Inet).union(Self::of(Family::Inet6));

    /// Of one.
    #[must_use]
    pub const fn of(family: Family) -> Self {
        Self(1u64.unbounded_shl(family.number() as u32))
    }

    /// Whether the family is in the set.
    #[must_use]
    pub const fn contains(self, family: Family) -> bool {
        self.0 & Self::of(family).0 != 0
    }

    /// Whether there is one of those in the set.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// Both together.
    #[must_use]
    pub const fn union(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// Whether there is none.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The names of all families.
    pub fn words() -> impl Iterator<Item = &'static str> + Clone {
        FAMILY_NAMES.iter().map(|(name, _)| *name)
    }

    /// The family of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Family> {
        FAMILY_NAMES.iter().find(|(known, _)| *known == name).map(|&(_, family)| family)
    }

    /// What a family is called.
    #[must_use]
    pub fn word(family: Family) -> Option<&'static str> {
        FAMILY_NAMES.iter().find(|(_, known)| *known == family).map(|&(name, _)| name)
    }

    /// The one family in it, if it is one.
    #[must_use]
    pub fn only(self) -> Option<Family> {
        let mut families = self.iter();
        families.next().filter(|_| families.next().is_none())
    }

    /// Each of them that has a name.
    pub fn iter(self) -> impl Iterator<Item = Family> {
        FAMILY_NAMES.iter().map(|&(_, family)| family).filter(move |family| self.contains(*family))
    }
}

/// What families are called, as in ss.
const FAMILY_NAMES: [(&str, Family); 8] = [
    ("inet", Family::Inet),
    ("inet6", Family::Inet6),
    ("link", Family::Packet),
    ("unix", Family::Unix),
    ("netlink", Family::Netlink),
    ("tipc", Family::Tipc),
    ("vsock", Family::Vsock),
    ("xdp", Family::Xdp),
];
