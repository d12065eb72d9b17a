//! (To be filled.)
