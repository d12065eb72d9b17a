//! What is shown while a run works: a model that is made from events alone, and a pure function from that model and
//! the size of the terminal to lines. `screen.rs` draws those lines and knows nothing else.

mod branches;
mod layout;
mod line;
mod model;

pub use layout::{View, layout};
pub use line::clipped;
pub use model::Progress;

#[cfg(test)]
mod tests;
