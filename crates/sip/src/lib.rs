//! SIP without sockets: datagrams and the time in, dialog events and datagrams out.
//!
//! The wire bytes meet our own lexer, URI and SDP parsers (`message`, `uri`, `name_addr`, `sdp`);
//! what they yield is typed, bounded and ours: no type of the `rsip` crate, whose vocabulary is used
//! inside, leaves this crate. On them stand the transactions, the dialogs and the registrar, and on
//! these the one machine that others drive: [`Endpoint`].
//!
//! Deliberately absent: sockets, clock and randomness (they enter as arguments), DNS, and every notion
//! of calls, agents or queues.

mod charset;
mod dialog;
pub mod digest;
mod endpoint;
mod flow;
pub mod frame;
pub mod identity;
mod mailboxes;
pub mod message;
pub mod name_addr;
mod registrar;
mod registration;
pub mod sdp;
mod session_timer;
mod transaction;
pub mod uri;

pub use digest::Account;
pub use domain::Timestamp;
pub use endpoint::{
    BindingId, Config, Counters, Credentials, EndCause, Endpoint, Event, Invite, Invited, LegId, Limits,
    Output, PingId, Referred, Register, RegistrationId, RegistrationLimits, Replaced, Sizes, Target,
};
pub use flow::{Flow, Transport};
pub use frame::{Frame, FrameError, StreamFramer};
pub use identity::Caller;
pub use message::{Headers, Message, Method, ParseError, Start, Via};
pub use name_addr::{NameAddr, Params};
pub use transaction::Intervals;
pub use uri::{Scheme, Uri, UriError};
