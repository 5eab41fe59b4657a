//! The list of mutants, and its switch. What the mutants do is for the simulator to notice.
#![cfg(feature = "mutants")]

use std::collections::BTreeSet;

use quorate_core::mutants::{self, Mutant, UnknownMutant};

#[test]
fn every_mutant_is_found_under_a_kebab_case_name_of_its_own() {
    let names: BTreeSet<&str> = Mutant::ALL.iter().map(|mutant| mutant.name()).collect();
    assert_eq!(names.len(), Mutant::ALL.len());
    for mutant in Mutant::ALL {
        let name = mutant.name();
        assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-'), "{name}");
        assert_eq!(name.parse(), Ok(*mutant));
        let about = mutant.about();
        assert!(about.ends_with('.') && !about.contains("  "), "{about:?}");
    }
    assert_eq!("no-such-mutant".parse::<Mutant>(), Err(UnknownMutant));
}

#[test]
fn one_mutant_at_a_time_is_on() {
    assert_eq!(mutants::switched(), None);
    for mutant in Mutant::ALL {
        mutants::switch(Some(*mutant));
        assert_eq!(mutants::switched(), Some(*mutant));
        assert!(Mutant::ALL.iter().all(|other| other.is_on() == (other == mutant)));
    }
    mutants::switch(None);
    assert!(!Mutant::ALL.iter().any(|mutant| mutant.is_on()));
}
