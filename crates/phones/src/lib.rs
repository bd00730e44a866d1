//! phones
