//! Configuration files in the language that both daemons read.
//!
//! Knows how settings are written; nothing of what they do.

use std::fmt;
use std::net::Ipv4Addr;

use super::VIP;

/// A `vrrp_instance` block: VI_1 on eth0, VRID 50, an advert each second, a password, one address.
#[derive(Clone, Debug)]
pub(crate) struct Instance {
    name: String,
    interface: String,
    vrid: u8,
    priority: u8,
    password: Option<String>,
    auth_type: &'static str,
    addresses: Vec<String>,
    settings: Vec<String>,
}

impl Instance {
    pub(crate) fn new(priority: u8) -> Self {
        Self {
            name: "VI_1".to_owned(),
            interface: "eth0".to_owned(),
            vrid: 50,
            priority,
            password: Some("1111".to_owned()),
            auth_type: "PASS",
            addresses: vec![VIP.to_string()],
            settings: Vec::new(),
        }
    }

    /// Another name, VRID and address, for a file with several instances.
    pub(crate) fn called(mut self, name: &str, vrid: u8, address: Ipv4Addr) -> Self {
        name.clone_into(&mut self.name);
        self.vrid = vrid;
        self.addresses = vec![address.to_string()];
        self
    }

    pub(crate) fn on(mut self, interface: &str) -> Self {
        interface.clone_into(&mut self.interface);
        self
    }

    pub(crate) fn password(mut self, password: Option<&str>) -> Self {
        self.password = password.map(str::to_owned);
        self
    }

    /// The password is the key of an Authentication Header.
    pub(crate) fn authentication_header(mut self) -> Self {
        self.auth_type = "AH";
        self
    }

    /// Lines of `virtual_ipaddress`, instead of the one address.
    pub(crate) fn addresses(mut self, lines: &[&str]) -> Self {
        self.addresses = lines.iter().map(|line| (*line).to_owned()).collect();
        self
    }

    /// One more setting.
    pub(crate) fn with(mut self, setting: impl Into<String>) -> Self {
        self.settings.push(setting.into());
        self
    }
}

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "vrrp_instance {} {{", self.name)?;
        writeln!(f, "    state BACKUP\n    interface {}", self.interface)?;
        writeln!(f, "    virtual_router_id {}\n    priority {}\n    advert_int 1", self.vrid, self.priority)?;
        if let Some(password) = &self.password {
            writeln!(
                f,
                "    authentication {{\n        auth_type {}\n        auth_pass {password}\n    }}",
                self.auth_type
            )?;
        }
        for setting in &self.settings {
            writeln!(f, "    {setting}")?;
        }
        writeln!(f, "    virtual_ipaddress {{")?;
        for address in &self.addresses {
            writeln!(f, "        {address}")?;
        }
        writeln!(f, "    }}\n}}\n")
    }
}
