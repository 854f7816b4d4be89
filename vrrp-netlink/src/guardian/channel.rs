//! Messages between two processes, and descriptors with them. Nothing here blocks.

use std::io::{self, IoSlice};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use nix::sys::socket::{AddressFamily, ControlMessage, MsgFlags, SockFlag, SockType, sendmsg, socketpair};

use crate::sys;
use crate::{Error, Result};

/// One end of a channel, whose messages arrive whole and in order.
#[derive(Debug)]
pub struct Channel {
    socket: OwnedFd,
}

/// What came.
#[derive(Debug)]
pub enum Heard {
    /// So many octets of a message, and its descriptors.
    Message(usize, Vec<OwnedFd>),
    /// Nothing, at the moment.
    Nothing,
    /// The other end is closed.
    End,
}

impl Channel {
    /// Descriptors that one message can carry.
    pub const MOST_DESCRIPTORS: usize = sys::MOST_DESCRIPTORS;

    /// Both ends.
    pub fn pair() -> Result<(Self, Self)> {
        let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
        let (one, other) = socketpair(AddressFamily::Unix, SockType::SeqPacket, None, flags)
            .map_err(|errno| Error::new("open a channel between processes", errno))?;
        Ok((Self { socket: one }, Self { socket: other }))
    }

    /// Sends a message of at least one octet. `WouldBlock` while the other end has not read what was sent before.
    pub fn send(&self, octets: &[u8], descriptors: &[BorrowedFd<'_>]) -> Result<()> {
        let raw: Vec<_> = descriptors.iter().map(AsRawFd::as_raw_fd).collect();
        let rights = [ControlMessage::ScmRights(&raw)];
        let control = if raw.is_empty() { &[][..] } else { &rights };
        let flags = MsgFlags::MSG_DONTWAIT | MsgFlags::MSG_NOSIGNAL;
        sendmsg::<()>(self.socket.as_raw_fd(), &[IoSlice::new(octets)], control, flags, None)
            .map_err(|errno| Error::new("tell another process", errno))?;
        Ok(())
    }

    /// Takes the next message, cut to the length of `octets`. `ENOBUFS` for one whose descriptors this process could not take;
    /// it is gone.
    pub fn receive(&self, octets: &mut [u8]) -> Result<Heard> {
        match sys::receive_descriptors(self.socket.as_fd(), octets) {
            Ok((0, _)) => Ok(Heard::End),
            Ok((len, descriptors)) => Ok(Heard::Message(len, descriptors)),
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
                Ok(Heard::Nothing)
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok(Heard::End),
            Err(error) => Err(Error::new("hear another process", error)),
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::process::wait_readable;

    #[test]
    fn messages_and_descriptors_arrive_whole_until_the_end() {
        let (here, there) = Channel::pair().unwrap();
        let mut octets = [0; 8];
        assert!(matches!(there.receive(&mut octets).unwrap(), Heard::Nothing));
        let (reader, writer) = nix::unistd::pipe().unwrap();
        here.send(b"one", &[writer.as_fd()]).unwrap();
        here.send(b"another message", &[]).unwrap();
        drop(writer);
        let Heard::Message(3, descriptors) = there.receive(&mut octets).unwrap() else { panic!("the first") };
        assert_eq!((&octets[..3], descriptors.len()), (&b"one"[..], 1));
        nix::unistd::write(&descriptors[0], b"x").unwrap();
        assert_eq!(nix::unistd::read(&reader, &mut octets), Ok(1));
        assert!(matches!(there.receive(&mut octets).unwrap(), Heard::Message(8, none) if none.is_empty()));
        drop(here);
        // A program that another test starts has a copy of it until it begins.
        wait_readable(&there, Some(Duration::from_secs(10))).unwrap();
        assert!(matches!(there.receive(&mut octets).unwrap(), Heard::End));
        assert!(there.send(b"x", &[]).is_err());
    }

    #[test]
    fn a_full_channel_does_not_block() {
        let (here, _there) = Channel::pair().unwrap();
        let refused = (0..100_000).find_map(|_| here.send(&[0; 100], &[]).err()).expect("it is full some time");
        assert_eq!(refused.kind(), io::ErrorKind::WouldBlock);
    }

    #[test]
    fn as_many_descriptors_as_promised_fit() {
        let (here, there) = Channel::pair().unwrap();
        let many = vec![here.as_fd(); Channel::MOST_DESCRIPTORS];
        here.send(b"x", &many).unwrap();
        let Heard::Message(1, descriptors) = there.receive(&mut [0]).unwrap() else { panic!("a message") };
        assert_eq!(descriptors.len(), many.len());
    }
}
