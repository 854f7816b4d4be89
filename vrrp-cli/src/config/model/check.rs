//! The built-in checks of `vrrp_script`, as they are configured.

use std::fmt;
use std::net::IpAddr;

/// `check`: what a `vrrp_script` looks at instead of running a command.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CheckSetting {
    /// `check tcp HOST PORT`: a connection is accepted.
    Tcp {
        /// A name or an address.
        host: String,
        /// 1 to 65535.
        port: u16,
    },
    /// `check http URL [status LOW-HIGH]`: a page is answered with a status in the range.
    Http {
        /// The page.
        url: HttpUrl,
        /// Lowest and highest status that is well, 100 to 599; 200 to 399 unless written.
        status: (u16, u16),
    },
    /// `check process NAME`: a process of this name runs.
    Process(String),
    /// `check gateway ADDRESS [INTERFACE]`: a neighbour answers on the wire.
    Gateway {
        /// The neighbour.
        address: IpAddr,
        /// Where it is; the interface that has an address in its network when `None`.
        interface: Option<String>,
    },
}

/// A page on a server, without encryption.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct HttpUrl {
    /// A name or an address, without brackets.
    pub host: String,
    /// 80 unless written.
    pub port: u16,
    /// From its first `/` on, with a query.
    pub path: String,
}

impl HttpUrl {
    /// The page that a text names; `None` unless it is `http://HOST[:PORT][/PATH]`.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.strip_prefix("http://")?;
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at_checked(end)?;
        let (host, port) = match authority.strip_prefix('[') {
            Some(inner) => {
                let (host, behind) = inner.split_once(']')?;
                host.parse::<std::net::Ipv6Addr>().ok()?;
                (host, if behind.is_empty() { None } else { Some(behind.strip_prefix(':')?) })
            }
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, None),
            },
        };
        let port = match port {
            Some(port) => port.parse().ok().filter(|number| *number != 0 && !port.starts_with('+'))?,
            None => 80,
        };
        let sound = |text: &str| text.bytes().all(|octet| octet.is_ascii_graphic());
        let named = !host.is_empty() && !host.contains('@') && sound(host) && sound(path) && !path.contains('#');
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        named.then(|| Self { host: host.to_owned(), port, path })
    }

    /// `HOST[:PORT]`, as a request names it (RFC 9110 section 7.2).
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port == 80 { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for HttpUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.authority(), self.path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_read_and_written() {
        for (text, host, port, path, written) in [
            ("http://a.example", "a.example", 80, "/", "http://a.example/"),
            ("http://192.0.2.1:8080/x?y=z", "192.0.2.1", 8080, "/x?y=z", "http://192.0.2.1:8080/x?y=z"),
            ("http://[::1]:81/", "::1", 81, "/", "http://[::1]:81/"),
            ("http://[::1]?q", "::1", 80, "/?q", "http://[::1]/?q"),
        ] {
            let url = HttpUrl::parse(text).expect(text);
            assert_eq!((url.host.as_str(), url.port, url.path.as_str()), (host, port, path), "{text}");
            assert_eq!(url.to_string(), written);
        }
        for text in [
            "a.example",
            "https://a",
            "http://",
            "http://a:0",
            "http://a:x",
            "http://u@a/",
            "http://[::1",
            "http://a/\u{e4}",
        ] {
            assert_eq!(HttpUrl::parse(text), None, "{text}");
        }
    }
}
