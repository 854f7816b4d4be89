//! Every test of what files mean and of the commands that only read them, in one program, which is linked once.
//!
//! A file here is a module and must be named below. Knows nothing itself.

mod cases;
mod check;
mod fmt;
mod interactions;
mod keywords;
mod properties;
mod show_config;
mod size;
mod values;
