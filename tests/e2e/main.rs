//! The hotline on real phones: SIPp is the operator's trunk, baresip the lawyers' phones, the server is the
//! program as it ships. Each test has a server, addresses and a folder of its own.
//!
//! Deliberately absent: counting on time. A test waits for what it sees: an event of a phone, the board, a
//! record. The speech is the demo's.

mod bad_input;
mod callback;
mod conference;
mod demo;
mod leaving;
mod reload;
mod speech;
mod support;
mod trouble;
