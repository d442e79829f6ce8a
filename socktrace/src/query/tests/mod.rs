//! Filters as people write them: words in, answers out.

mod ahead;
mod bytecode;
mod docs;
mod errors;
mod evaluate;
mod events;
mod fixtures;
mod knowable;
mod laws;

use std::net::IpAddr;

use super::{Context, Device, Dialect, Filter, Names, ParseError, parse};
use crate::socket::{Family, NetnsId};

/// A small world of names.
pub(crate) struct TableNames;

impl Names for TableNames {
    fn host(&self, name: &str, family: Option<Family>) -> Vec<IpAddr> {
        let addresses: &[&str] = match name {
            "one.test" => &["10.0.0.1"],
            "multi.test" => &["127.0.0.5", "127.0.0.1", "::1"],
            "port" => &["10.9.9.9"],
            _ => &[],
        };
        let wanted = |addr: &IpAddr| match family {
            Some(Family::Inet) => addr.is_ipv4(),
            Some(Family::Inet6) => addr.is_ipv6(),
            _ => true,
        };
        addresses.iter().filter_map(|text| text.parse().ok()).filter(wanted).collect()
    }
    fn service(&self, name: &str, proto: &str) -> Option<u16> {
        match (name, proto) {
            ("http", "tcp") => Some(80),
            ("https", _) => Some(443),
            ("ssh", "tcp") => Some(22),
            ("http-alt", _) => Some(8080),
            ("torn", "tcp") => Some(1000),
            ("torn", _) => Some(1001),
            _ => None,
        }
    }
    fn device(&self, name: &str) -> Option<Device> {
        match name {
            "lo" => Some(Device::Index(1)),
            "eth0" => Some(Device::Index(2)),
            "br-7" => Some(Device::Index(7)),
            "elsewhere" => Some(Device::NotHere),
            "veth2" => Some(Device::Each([(4_026_531_840, 2), (4_026_532_000, 7)].into_iter().collect())),
            "veth9" => Some(Device::Each([(4_026_531_840, 0), (4_026_532_000, 2)].into_iter().collect())),
            "veth8" => Some(Device::Each([(4_026_532_000, 2)].into_iter().collect())),
            _ => None,
        }
    }
    fn protocol(&self, name: &str) -> Option<u16> {
        (name == "ipv6-icmp").then_some(58)
    }
    fn cgroup(&self, path: &str) -> Option<u64> {
        match path {
            "/user.slice" => Some(77),
            "/a b" => Some(78),
            _ => None,
        }
    }
    fn user(&self, name: &str) -> Option<u32> {
        match name {
            "root" => Some(0),
            "www-data" => Some(33),
            _ => None,
        }
    }
    fn netns(&self, name: &str) -> Option<NetnsId> {
        (name == "blue").then_some(4_026_531_840)
    }
}

/// One word, as from a quoted argument.
fn read(text: &str) -> Result<Filter, ParseError> {
    parse(&[text.to_owned()], &Context::new(Dialect::Ss), &TableNames)
}

fn read_as(text: &str, context: &Context) -> Result<Filter, ParseError> {
    parse(&[text.to_owned()], context, &TableNames)
}
