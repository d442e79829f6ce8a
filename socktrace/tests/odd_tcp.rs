//! TCP sockets on their less travelled ways: what the table shows is what sock_diag shows, and every event is reported once.

mod whose;
