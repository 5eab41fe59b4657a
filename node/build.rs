//! The ring page is a part of the program: a release is built anew whenever the page is. Other
//! builds read its files when they are asked for.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo::rerun-if-changed=page");
    }
}
