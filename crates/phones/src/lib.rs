//! Scripted callers and lawyers: the demo, the load generator and the tests dial with it.
//!
//! [`Crowd`] is a machine like the hotline's own: one SIP endpoint that plays many people, with virtual time
//! and a seed. [`Line`] puts it behind real sockets with real audio. In tests the same crowd stands on the
//! other side of a simulated network.
//!
//! Deliberately absent: what the hotline does. A crowd knows only what phones see.

mod crowd;
mod dice;
mod line;
mod manner;
mod scene;

pub use crowd::{Config, Crowd, Output, Report};
pub use dice::Dice;
pub use line::{Line, LineConfig};
pub use manner::{Arrivals, Callers, Lawyer, Manner, PerMille, Span};
pub use scene::NOWHERE;
