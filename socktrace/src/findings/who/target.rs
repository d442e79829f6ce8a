//! What is asked about: a port, an address, or both.

use std::fmt;
use std::net::IpAddr;

/// A port, an address, or both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target {
    addr: Option<IpAddr>,
    port: Option<u16>,
}

/// It is neither a port nor an address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither a port nor an address: try 8080, https, 10.0.0.1, 10.0.0.1:8080 or [::1]:8080")]
pub struct NoTarget(String);

impl Target {
    /// From a word. `service` knows the ports of services by their names.
    ///
    /// # Errors
    /// It is neither a port nor an address.
    pub fn parse(word: &str, service: impl Fn(&str) -> Option<u16>) -> Result<Self, NoTarget> {
        let none = || NoTarget(word.to_owned());
        let port = |text: &str| text.parse().ok().filter(|&port| port > 0).or_else(|| service(text));
        let addr = |text: &str| text.parse::<IpAddr>().ok();
        let bracketed = word.strip_prefix('[').and_then(|rest| rest.split_once(']'));
        let (addr, port) = match bracketed {
            Some((inner, "")) => (Some(addr(inner).ok_or_else(none)?), None),
            Some((inner, rest)) => {
                let rest = rest.strip_prefix(':').and_then(port);
                (Some(addr(inner).ok_or_else(none)?), Some(rest.ok_or_else(none)?))
            }
            None => match (addr(word), word.rsplit_once(':')) {
                (Some(addr), _) => (Some(addr), None),
                (None, Some(("" | "*", text))) => (None, Some(port(text).ok_or_else(none)?)),
                (None, Some((before, text))) => {
                    (Some(addr(before).ok_or_else(none)?), Some(port(text).ok_or_else(none)?))
                }
                (None, None) => (None, Some(port(word).ok_or_else(none)?)),
            },
        };
        Ok(Self { addr, port })
    }

    /// The filter for the sockets that have to do with it, in the language of ss: what is bound there, and what is
    /// connected to that address.
    #[must_use]
    pub fn filter(&self) -> String {
        match (self.addr.map(shown), self.port) {
            (None, port) => format!("sport = :{}", port.unwrap_or(0)),
            (Some(addr), None) => format!("( src {addr} or dst {addr} )"),
            (Some(addr), Some(port)) => format!(
                "( ( sport = :{port} and ( src {addr} or src 0.0.0.0 or src [::] ) ) or dst {addr}:{port} )"
            ),
        }
    }

    /// The filter for connections that others might have been meant by, where there is nothing here.
    #[must_use]
    pub fn elsewhere(&self) -> Option<String> {
        self.port.filter(|_| self.addr.is_none()).map(|port| format!("dport = :{port}"))
    }
}

fn shown(addr: IpAddr) -> String {
    match addr {
        IpAddr::V4(addr) => addr.to_string(),
        IpAddr::V6(addr) => format!("[{addr}]"),
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.addr, self.port) {
            (Some(addr), Some(port)) => write!(f, "{}:{port}", shown(addr)),
            (Some(addr), None) => write!(f, "{addr}"),
            (None, port) => write!(f, "port {}", port.unwrap_or(0)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_what_they_mean() {
        for (word, shown, filter) in [
            ("8080", "port 8080", "sport = :8080"),
            (":8080", "port 8080", "sport = :8080"),
            ("https", "port 443", "sport = :443"),
            ("10.0.0.1", "10.0.0.1", "( src 10.0.0.1 or dst 10.0.0.1 )"),
            ("::1", "::1", "( src [::1] or dst [::1] )"),
            ("[::1]", "::1", "( src [::1] or dst [::1] )"),
            (
                "10.0.0.1:80",
                "10.0.0.1:80",
                "( ( sport = :80 and ( src 10.0.0.1 or src 0.0.0.0 or src [::] ) ) or dst 10.0.0.1:80 )",
            ),
            (
                "[::1]:https",
                "[::1]:443",
                "( ( sport = :443 and ( src [::1] or src 0.0.0.0 or src [::] ) ) or dst [::1]:443 )",
            ),
        ] {
            let target = Target::parse(word, |name| (name == "https").then_some(443)).unwrap();
            assert_eq!((target.to_string(), target.filter()), (shown.to_owned(), filter.to_owned()));
        }
        for word in
            ["", "0", "65536", "http", "10.0.0.1:", "10.0.0.1:0", "[::1", "[::1]80", "[x]:80", "1.2.3:80"]
        {
            assert_eq!(Target::parse(word, |_| None), Err(NoTarget(word.to_owned())), "{word}");
        }
    }
}
