//! Arguments about the memory and the disk that the storage of a node may take.

use clap::Args;
use clap::builder::RangedU64ValueParser;

use crate::storage::{Durability, EngineOptions, FjallOptions};

/// With less, no record would stay.
const CACHE_BYTES_MIN: u64 = 1 << 20;

/// What an operator says about the storage.
#[derive(Debug, Default, Args)]
#[command(next_help_heading = "With --storage fjall")]
pub(super) struct DiskArgs {
    /// Bytes of records that are kept in memory, ready to be answered, at least 1 MiB [default:
    /// 67108864].
    #[arg(long, value_name = "BYTES", value_parser = at_least(CACHE_BYTES_MIN))]
    cache: Option<u64>,
    /// Bytes of the tables on the disk that are kept in memory, at least 1 MiB [default: 33554432].
    #[arg(long, value_name = "BYTES", value_parser = at_least(EngineOptions::BLOCK_CACHE_BYTES_MIN))]
    block_cache: Option<u64>,
    /// Bytes of writes that are gathered in memory before they become a table, at least 1 MiB: once
    /// for records and once for hints. Larger ones are written less often, and are read again from
    /// the journal at a start. A store keeps what it was made with [default: 67108864].
    #[arg(long, value_name = "BYTES", value_parser = at_least(EngineOptions::MEMTABLE_BYTES_MIN))]
    memtable: Option<u64>,
    /// Bytes of all journals together, at least 64 MiB: beyond them tables are made sooner, so that
    /// journals can go. A start reads all of them [default: 134217728].
    #[arg(long, value_name = "BYTES", value_parser = at_least(EngineOptions::JOURNAL_BYTES_MIN))]
    journal: Option<u64>,
    /// Bytes of the disk that are left free: with less, writes are refused and reads go on. At most a
    /// quarter of the file system counts [default: 64 MiB and six times --memtable].
    #[arg(long, value_name = "BYTES")]
    reserve: Option<u64>,
}

fn at_least(bytes: u64) -> RangedU64ValueParser {
    // What is kept in memory is counted in `usize`.
    RangedU64ValueParser::new().range(bytes..=usize::MAX as u64 / 2)
}

impl DiskArgs {
    pub(super) fn options(&self, durability: Durability) -> FjallOptions {
        let default = FjallOptions::default();
        let engine = EngineOptions {
            block_cache_bytes: self.block_cache.unwrap_or(default.engine.block_cache_bytes),
            memtable_bytes: self.memtable.unwrap_or(default.engine.memtable_bytes),
            journal_bytes: self.journal.unwrap_or(default.engine.journal_bytes),
        };
        FjallOptions {
            durability,
            cache_bytes: self.cache.map_or(default.cache_bytes, |bytes| bytes as usize),
            engine,
            reserve_bytes: self.reserve,
            ..default
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        disk: DiskArgs,
    }

    fn options(line: &str) -> Result<FjallOptions, String> {
        let words = std::iter::once("node").chain(line.split_whitespace());
        let line = Line::try_parse_from(words).map_err(|error| error.to_string())?;
        Ok(line.disk.options(Durability::Group))
    }

    #[test]
    fn the_help_tells_the_defaults() {
        let default = options("").unwrap();
        let FjallOptions { cache_bytes, engine, reserve_bytes, .. } = default;
        assert_eq!((cache_bytes, engine.block_cache_bytes), (67_108_864, 33_554_432));
        assert_eq!((engine.memtable_bytes, engine.journal_bytes), (67_108_864, 134_217_728));
        assert_eq!(reserve_bytes, None);
    }

    #[test]
    fn what_is_too_little_is_refused_with_the_least() {
        let all = "--cache 1048576 --block-cache 1048576 --memtable 1048576 --journal 67108864 \
                   --reserve 0";
        let FjallOptions { cache_bytes, engine, reserve_bytes, .. } = options(all).unwrap();
        let EngineOptions { block_cache_bytes, memtable_bytes, journal_bytes } = engine;
        assert_eq!((cache_bytes, block_cache_bytes), (1 << 20, 1 << 20));
        assert_eq!((memtable_bytes, journal_bytes, reserve_bytes), (1 << 20, 64 << 20, Some(0)));
        for line in ["--cache 1048575", "--block-cache 0", "--memtable 100", "--journal 67108863"] {
            let error = options(line).unwrap_err();
            let (flag, bytes) = line.split_once(' ').unwrap();
            assert!(
                error.contains(flag) && error.contains(&format!("{bytes} is not in")),
                "{error}"
            );
        }
        assert!(options("--reserve much").is_err());
    }
}
