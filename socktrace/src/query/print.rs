//! Tree → words that are read back as the same tree.

use std::fmt::{self, Display};
use std::net::IpAddr;

use super::address::family_prefix;
use super::ending::Answers;
use super::lex::quote;
use super::number::print_duration;
use super::tree::{Address, CgroupPart, Compare, Expr, Field, Op, Side, Test};
use super::words::reserved;
use crate::socket::state_names::names_of;

/// The expression as one text; parsing it with the same names gives the same tree. `and` and `or` are never
/// mixed without parentheses. Names are printed as the numbers they stood for.
impl Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::And(parts) => join(f, parts, " and "),
            Self::Or(parts) => join(f, parts, " or "),
            Self::Not(inner) => {
                f.write_str("not ")?;
                part(f, inner)
            }
            Self::Test(test) => test.fmt(f),
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, parts: &[Expr], word: &str) -> fmt::Result {
    for (index, each) in parts.iter().enumerate() {
        if index > 0 {
            f.write_str(word)?;
        }
        part(f, each)?;
    }
    Ok(())
}

/// A part of something larger.
fn part(f: &mut fmt::Formatter<'_>, expr: &Expr) -> fmt::Result {
    match expr {
        Expr::And(_) | Expr::Or(_) => write!(f, "( {expr} )"),
        Expr::Not(_) | Expr::Test(_) => expr.fmt(f),
    }
}

impl Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Host { side, family, address, port } => {
                f.write_str(match side {
                    Side::Local => "src ",
                    Side::Peer => "dst ",
                    Side::Either => "host ",
                })?;
                let mut value = family.map_or("", family_prefix).to_owned();
                value += &match address {
                    Address::Any => "*".to_owned(),
                    Address::Prefix { addr: IpAddr::V4(addr), length } => format!("{addr}/{length}"),
                    Address::Prefix { addr: IpAddr::V6(addr), length } => format!("[{addr}/{length}]"),
                    Address::Unix(glob) => glob.pattern().to_owned(),
                    Address::Ethertype(number) => number.to_string(),
                    Address::NetlinkProtocol(number) | Address::Cid(number) => number.to_string(),
                };
                if let Some(port) = port {
                    value += &format!(":{port}");
                }
                f.write_str(&quote(&value, reserved(&value)))
            }
            Self::Port { side, family, compare } => {
                let name = match side {
                    Side::Local => "sport",
                    Side::Peer => "dport",
                    Side::Either => "port",
                };
                write_compare(f, name, compare, family.map_or("", family_prefix), |port| port.to_string())
            }
            Self::Number { field, compare } => {
                write_compare(f, name_of(*field), compare, "", |number| match field {
                    Field::Cookie => format!("{:#x}", number.cast_unsigned()),
                    Field::Rtt | Field::Age => print_duration(number.max(0).cast_unsigned()),
                    Field::Dev
                    | Field::Uid
                    | Field::Netns
                    | Field::Inode
                    | Field::Pid
                    | Field::RecvQ
                    | Field::SendQ
                    | Field::Retrans => number.to_string(),
                })
            }
            Self::Mark { value, mask: u32::MAX } => write!(f, "fwmark = {value:#x}"),
            Self::Mark { value, mask } => write!(f, "fwmark = {value:#x}/{mask:#x}"),
            Self::Device { name, device: _ } => write!(f, "dev = {}", quote(name, reserved(name))),
            Self::Cgroup { path, .. } => write!(f, "cgroup = {}", quote(path, reserved(path))),
            Self::CgroupPart(place, glob) => {
                let name = match place {
                    CgroupPart::Unit => "unit",
                    CgroupPart::Container => "container",
                    CgroupPart::Pod => "pod",
                };
                write!(f, "{name} = {}", quote(glob.pattern(), reserved(glob.pattern())))
            }
            Self::Comm(glob) => write!(f, "comm = {}", quote(glob.pattern(), reserved(glob.pattern()))),
            Self::State(set) => match names_of(*set).as_slice() {
                [name] => write!(f, "state = {name}"),
                names => write!(f, "state = {{{}}}", names.join(",")),
            },
            Self::Ending(ending, Answers::ANY) => write!(f, "{} = *", ending.name()),
            Self::Ending(ending, answers) => {
                let names: Vec<_> = answers.names(*ending).collect();
                match names.as_slice() {
                    [name] => write!(f, "{} = {name}", ending.name()),
                    names => write!(f, "{} = {{{}}}", ending.name(), names.join(",")),
                }
            }
            Self::Autobound => f.write_str("autobound"),
        }
    }
}

const fn name_of(field: Field) -> &'static str {
    match field {
        Field::Dev => "dev",
        Field::Uid => "uid",
        Field::Netns => "netns",
        Field::Inode => "inode",
        Field::Cookie => "cookie",
        Field::Pid => "pid",
        Field::RecvQ => "recvq",
        Field::SendQ => "sendq",
        Field::Rtt => "rtt",
        Field::Retrans => "retrans",
        Field::Age => "age",
    }
}

fn write_compare(
    f: &mut fmt::Formatter<'_>,
    name: &str,
    compare: &Compare,
    prefix: &str,
    print: impl Fn(i64) -> String,
) -> fmt::Result {
    let op = match compare.op {
        Op::Eq => "=",
        Op::Ne => "!=",
        Op::Lt => "<",
        Op::Le => "<=",
        Op::Gt => ">",
        Op::Ge => ">=",
    };
    let items: Vec<String> = compare
        .ranges
        .iter()
        .map(|&(low, high)| match (low, high) {
            Compare::EVERY => "*".to_owned(),
            (low, high) if low == high => print(low),
            (low, high) => format!("{}-{}", print(low), print(high)),
        })
        .collect();
    match items.as_slice() {
        [item] => write!(f, "{name} {op} {prefix}{item}"),
        items => write!(f, "{name} {op} {prefix}{{{}}}", items.join(",")),
    }
}
