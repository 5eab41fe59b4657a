//! What is printed on stdout.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write};
use std::process;

use crate::TROUBLE;

/// Prints a text as it is. Where nobody reads it the run goes on, for its exit status is read yet.
pub(crate) fn print(text: impl Display) {
    if let Err(error) = write(&mut io::stdout().lock(), text) {
        eprintln!("error: stdout: {error}");
        process::exit(TROUBLE.into());
    }
}

/// Prints a line.
pub(crate) fn print_line(line: impl Display) {
    print(format_args!("{line}\n"));
}

fn write(output: &mut impl Write, text: impl Display) -> io::Result<()> {
    match write!(output, "{text}").and_then(|()| output.flush()) {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails in one way.
    struct Failing(ErrorKind);

    impl Write for Failing {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_who_has_gone_is_no_error() {
        assert!(write(&mut Failing(ErrorKind::BrokenPipe), "text").is_ok());
        let full = write(&mut Failing(ErrorKind::StorageFull), "text").unwrap_err();
        assert_eq!(full.kind(), ErrorKind::StorageFull);
        let mut all = Vec::new();
        write(&mut all, "text").unwrap();
        assert_eq!(all, b"text");
    }
}
