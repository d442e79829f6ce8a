//! Objects of sockets.
