//! What is compared.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// A client, and the servers that it talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum System {
    /// Quorate in memory, npm client.
    Memory,
    /// Quorate with fjall, synced now and then, npm client.
    Periodic,
    /// Quorate with fjall, synced before the acknowledgement, npm client.
    Group,
    /// Quorate in memory, native client.
    Native,
    /// Quorate in memory, npm client that goes through one node.
    MemoryGateway,
    /// Quorate in memory, native client that goes through one node.
    NativeGateway,
    /// Redis Cluster, ioredis.
    Ioredis,
    /// Redis Cluster, ioredis with autopipelining.
    IoredisAuto,
    /// Redis Cluster, ioredis, WAIT 1 after each SET.
    IoredisWait,
    /// Redis Cluster, node-redis.
    NodeRedis,
    /// Redis Cluster, native client, batches of SETs with one WAIT 1 for each.
    RedisNativeWait,
    /// etcd, etcd3.
    Etcd,
    /// One process that keeps values and gives them back through plain TCP, native client.
    Sockets,
}

/// What servers a system needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Quorate { storage: &'static str, durability: &'static str },
    Redis,
    Etcd,
    Sockets,
}

/// What puts the load on them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Client {
    /// A file of `tests/bench/clients`, without its ending.
    Node(&'static str),
    /// A part of this program.
    Native(&'static str),
}

/// Which nodes a client of Quorate talks to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Routing {
    Direct,
    Gateway,
}

impl System {
    pub(crate) const ALL: [System; 13] = [
        System::Memory,
        System::Periodic,
        System::Group,
        System::Native,
        System::MemoryGateway,
        System::NativeGateway,
        System::Ioredis,
        System::IoredisAuto,
        System::IoredisWait,
        System::NodeRedis,
        System::RedisNativeWait,
        System::Etcd,
        System::Sockets,
    ];

    /// As it is called in arguments and tables.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            System::Memory => "memory",
            System::Periodic => "periodic",
            System::Group => "group",
            System::Native => "native",
            System::MemoryGateway => "memory-gateway",
            System::NativeGateway => "native-gateway",
            System::Ioredis => "ioredis",
            System::IoredisAuto => "ioredis-auto",
            System::IoredisWait => "ioredis-wait",
            System::NodeRedis => "node-redis",
            System::RedisNativeWait => "redis-native-wait",
            System::Etcd => "etcd",
            System::Sockets => "sockets",
        }
    }

    pub(crate) const fn kind(self) -> Kind {
        match self {
            System::Memory | System::Native | System::MemoryGateway | System::NativeGateway => {
                Kind::Quorate { storage: "memory", durability: "group" }
            }
            System::Periodic => Kind::Quorate { storage: "fjall", durability: "periodic" },
            System::Group => Kind::Quorate { storage: "fjall", durability: "group" },
            System::Ioredis
            | System::IoredisAuto
            | System::IoredisWait
            | System::NodeRedis
            | System::RedisNativeWait => Kind::Redis,
            System::Etcd => Kind::Etcd,
            System::Sockets => Kind::Sockets,
        }
    }

    pub(crate) const fn client(self) -> Client {
        match self {
            System::Memory | System::MemoryGateway | System::Periodic | System::Group => {
                Client::Node("quorate")
            }
            System::Native | System::NativeGateway => Client::Native("quorate"),
            System::RedisNativeWait => Client::Native("redis"),
            System::Sockets => Client::Native("sockets"),
            System::Ioredis
            | System::IoredisAuto
            | System::IoredisWait
            | System::NodeRedis
            | System::Etcd => Client::Node(self.name()),
        }
    }

    /// Which nodes its client talks to, where it is one of Quorate.
    pub(crate) const fn routing(self) -> Routing {
        match self {
            System::MemoryGateway | System::NativeGateway => Routing::Gateway,
            System::Memory
            | System::Periodic
            | System::Group
            | System::Native
            | System::Ioredis
            | System::IoredisAuto
            | System::IoredisWait
            | System::NodeRedis
            | System::RedisNativeWait
            | System::Etcd
            | System::Sockets => Routing::Direct,
        }
    }

    /// How often the value of a put goes through a socket: to the first server, and on to the others.
    pub(crate) const fn copies(self) -> u8 {
        match self.kind() {
            Kind::Quorate { .. } | Kind::Etcd => 3,
            Kind::Redis => 2,
            Kind::Sockets => 1,
        }
    }

    /// What has happened to a put when it is acknowledged.
    pub(crate) const fn acknowledges(self) -> &'static str {
        match self {
            System::Memory | System::Native | System::MemoryGateway | System::NativeGateway => {
                "2 of 3 copies, in memory"
            }
            System::Periodic => "2 of 3 copies, written to the system, synced each 100 ms",
            System::Group => "2 of 3 copies, synced",
            System::Ioredis | System::IoredisAuto | System::NodeRedis => "1 of 2 copies, in memory",
            System::IoredisWait | System::RedisNativeWait => "2 of 2 copies, in memory",
            System::Etcd => "2 of 3 copies, synced",
            System::Sockets => "the only copy, in memory",
        }
    }
}

impl Kind {
    pub(crate) const fn is_peer(self) -> bool {
        match self {
            Kind::Quorate { .. } | Kind::Sockets => false,
            Kind::Redis | Kind::Etcd => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_system_is_called_the_same_in_arguments_and_tables() {
        for system in System::ALL {
            assert_eq!(System::from_str(system.name(), false), Ok(system));
        }
        assert_eq!(System::value_variants(), System::ALL);
    }
}
