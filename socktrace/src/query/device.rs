//! Network devices: by name, by index as ss writes it (`if4`) or as a number, and as the zone of an address.

use super::names::{DEVICE, Device, Named};
use super::number::c_number;
use super::tree::{Expr, Field, Op, Test};
use super::value::{Item, Reader, compare, equal};
use super::{Compare, ParseError};

impl Reader<'_> {
    /// The values of `dev`.
    pub(super) fn devices(&self, op: Op, items: &[Item<'_>]) -> Result<Expr, ParseError> {
        let (mut indexes, mut tests) = (Vec::new(), Vec::new());
        for &item in items {
            match self.device(item) {
                Ok(Named::Elsewhere(device)) => tests.push(Test::Device { name: item.text.into(), device }),
                // What is no index is perhaps a range of them.
                Ok(Named::Index(_)) | Err(_) => indexes.push(item),
            }
        }
        let read = |item| self.number(Field::Dev, item);
        if tests.is_empty() {
            return Ok(Expr::Test(Test::Number { field: Field::Dev, compare: compare(op, &indexes, read)? }));
        }
        if !indexes.is_empty() {
            tests.push(Test::Number { field: Field::Dev, compare: compare(Op::Eq, &indexes, read)? });
        }
        Ok(equal(op, tests.into_iter().map(Expr::Test).collect()))
    }

    /// One device: a name goes before a number, as in iproute2 (lib/ll_map.c, `ll_name_to_index`).
    pub(super) fn device(&self, item: Item<'_>) -> Result<Named, ParseError> {
        let number = || index(item.text).map(Named::Index);
        match self.names.device(item.text) {
            Some(Device::Index(index)) => Ok(Named::Index(index)),
            Some(device @ Device::Each(_)) => Ok(Named::Elsewhere(device)),
            Some(device @ Device::NotHere) => Ok(number().unwrap_or(Named::Elsewhere(device))),
            None => number().ok_or_else(|| item.unknown(DEVICE)),
        }
    }

    /// The zone of an address: the device that a socket is bound to, which ss prints behind its address.
    pub(super) fn zone(&self, item: Item<'_>) -> Result<Expr, ParseError> {
        Ok(Expr::Test(match self.device(item)? {
            Named::Index(index) => {
                Test::Number { field: Field::Dev, compare: Compare::one(Op::Eq, index.into()) }
            }
            Named::Elsewhere(device) => Test::Device { name: item.text.into(), device },
        }))
    }
}

/// `if4`, as a device without a name is shown, or a number.
fn index(text: &str) -> Option<u32> {
    let shown = text.strip_prefix("if").filter(|digits| digits.bytes().all(|digit| digit.is_ascii_digit()));
    match shown {
        Some(digits) => digits.parse().ok(),
        None => u32::try_from(c_number(text)?).ok(),
    }
}
