//! What a directory says of itself: `node.json`, for people and for the next start.
//!
//! ```text
//!   {
//!     "format": "quorate 3",
//!     "node": "5f1c0a9be4d27788",
//!     "cluster": "00d1c2b3a4f5e697",
//!     "settings": { "r": 2, "w": 2, "strict": false, "allow_weak": false, .. },
//!     "checksum": "8a1f..."
//!   }
//! ```
//!
//! The checksum is the XXH64 of all the rest, as JSON without spaces. A file without one is taken as
//! it stands: so a person can write it anew, which is the only way to keep the id of a node whose
//! file is lost.

use std::fmt;

use quorate_core::causality::Checksum;
use quorate_core::ids::{ClusterId, NodeId};
use serde::{Deserialize, Serialize};

use super::identity::Settings;

/// Raised when a directory of the former version can no longer be read.
pub(super) const FORMAT: &str = "quorate 3";

/// The file.
pub(super) const FILE: &str = "node.json";

/// Whose directory it is, and which cluster has adopted it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct About {
    pub(super) node: NodeId,
    pub(super) belongs: Option<Belongs>,
}

/// A cluster, and what it was told to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Belongs {
    pub(super) cluster: ClusterId,
    pub(super) settings: Settings,
}

/// A file that does not say what a directory is.
#[derive(Debug)]
pub(super) enum Unreadable {
    /// It is one of another version of the program.
    Format(String),
    /// It is damaged, and how.
    Damaged(String),
}

/// Only this is read of a file of another format.
#[derive(Deserialize)]
struct AnyFormat {
    format: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    format: String,
    node: String,
    cluster: Option<String>,
    settings: Option<Settings>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    checksum: Option<String>,
}

impl About {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut written = Written {
            format: FORMAT.to_owned(),
            node: self.node.to_string(),
            cluster: self.belongs.map(|belongs| belongs.cluster.to_string()),
            settings: self.belongs.map(|belongs| belongs.settings),
            checksum: None,
        };
        written.checksum = Some(written.sum());
        let mut bytes = serde_json::to_vec_pretty(&written).expect("texts and numbers under names");
        bytes.push(b'\n');
        bytes
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<About, Unreadable> {
        let damaged = |error: &dyn fmt::Display| Unreadable::Damaged(error.to_string());
        let AnyFormat { format } =
            serde_json::from_slice(bytes).map_err(|error| damaged(&error))?;
        if format != FORMAT {
            return Err(Unreadable::Format(format));
        }
        let mut written: Written =
            serde_json::from_slice(bytes).map_err(|error| damaged(&error))?;
        if let Some(told) = written.checksum.take()
            && told != written.sum()
        {
            return Err(damaged(&"it does not match its checksum"));
        }
        let node = written.node.parse().map_err(|error| damaged(&error))?;
        let belongs = match (&written.cluster, written.settings) {
            (None, None) => None,
            (Some(cluster), Some(settings)) => {
                // It is written as the id of a node is.
                let NodeId(cluster) =
                    cluster.parse().map_err(|_| damaged(&"a cluster is 16 hexadecimal digits"))?;
                Some(Belongs { cluster: ClusterId(cluster), settings })
            }
            (Some(_), None) => return Err(damaged(&"it has a cluster, and no settings")),
            (None, Some(_)) => return Err(damaged(&"it has settings, and no cluster")),
        };
        Ok(About { node, belongs })
    }
}

impl Written {
    /// The checksum of all the rest.
    fn sum(&self) -> String {
        debug_assert!(self.checksum.is_none());
        let rest = serde_json::to_vec(self).expect("texts and numbers under names");
        Checksum::of_value(&rest).0.to_be_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::SETTINGS;
    use super::*;

    fn about() -> About {
        let settings = Settings { slots: None, ..SETTINGS };
        let belongs = Belongs { cluster: ClusterId(7), settings };
        About { node: NodeId(0xfeed), belongs: Some(belongs) }
    }

    #[test]
    fn what_is_written_is_read_and_people_can_read_it() {
        for about in [about(), About { belongs: None, ..about() }] {
            let bytes = about.encode();
            assert_eq!(About::decode(&bytes).unwrap(), about);
            let text = String::from_utf8(bytes).unwrap();
            assert!(text.contains("\n  \"node\": \"000000000000feed\",\n"), "{text}");
        }
    }

    #[test]
    fn each_flipped_bit_is_found() {
        let bytes = about().encode();
        for bit in 0..8 * bytes.len() {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            // Spaces between the parts say nothing.
            let read = About::decode(&bytes).ok();
            assert!(read.is_none_or(|read| read == about()), "bit {bit}");
        }
    }

    #[test]
    fn a_file_that_a_person_wrote_is_taken_as_it_stands() {
        let text = r#"{"format": "quorate 3", "node": "000000000000feed", "cluster":
            "0000000000000007", "settings": {"r": 2, "w": 2, "strict": false,
            "allow_weak": false, "replication": 3}}"#;
        assert_eq!(About::decode(text.as_bytes()).unwrap(), about());
        for wrong in [
            text.replace("feed", "seed"),
            text.replace("\"node\"", "\"mode\""),
            text.replace("000007", "7"),
            "{\"format\": \"quorate 3\"}".into(),
            String::new(),
        ] {
            let read = About::decode(wrong.as_bytes());
            assert!(matches!(read, Err(Unreadable::Damaged(_))), "{wrong}: {read:?}");
        }
    }

    #[test]
    fn another_format_is_told_whatever_else_stands_there() {
        let read = About::decode(b"{\"format\": \"quorate 99\", \"shape\": \"round\"}");
        assert!(matches!(read, Err(Unreadable::Format(format)) if format == "quorate 99"));
    }
}
