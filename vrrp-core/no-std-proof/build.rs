//! Links without C library and start files: a symbol that neither core nor the crate defines is an error.

fn main() {
    for argument in ["-nostdlib", "-nostartfiles", "-static"] {
        println!("cargo::rustc-link-arg-bins={argument}");
    }
}
