//! The backends, and what tells them apart to whoever configures a link.

use wicker_provider::Builtin;

use crate::mosquitto::Mosquitto;

/// Which provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Memory,
    Mqtt,
    Nats,
}

/// A provider and its server.
pub(crate) enum Backend {
    Memory,
    Mqtt(Mosquitto),
    /// The lattice's own server.
    Nats,
}

/// What becomes of a message that is not handled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// It is dropped.
    No,
    /// It is delivered again.
    Yes,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Memory => "messaging-memory",
            Self::Mqtt => "messaging-mqtt",
            Self::Nats => "messaging-nats",
        }
    }

    pub(crate) fn builtin(self) -> Builtin {
        match self {
            Self::Memory => Builtin::of::<messaging_memory::Memory>(),
            Self::Mqtt => Builtin::of::<messaging_mqtt::Mqtt>(),
            Self::Nats => Builtin::of::<messaging_nats::Nats>(),
        }
    }

    /// How a subscription is told what becomes of messages.
    pub(crate) fn settings(self, name: &str, kept: Kept) -> Vec<(&'static str, &str)> {
        match (self, kept) {
            (Self::Memory, Kept::No) => vec![("max-deliver", "1")],
            (Self::Memory, Kept::Yes) | (Self::Mqtt | Self::Nats, Kept::No) => Vec::new(),
            (Self::Mqtt, Kept::Yes) => vec![("durable", "true")],
            (Self::Nats, Kept::Yes) => vec![("stream", name)],
        }
    }
}

impl Backend {
    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Memory => Kind::Memory,
            Self::Mqtt(_) => Kind::Mqtt,
            Self::Nats => Kind::Nats,
        }
    }

    pub(crate) fn config(&self) -> serde_json::Value {
        match self {
            Self::Memory | Self::Nats => serde_json::Value::Null,
            Self::Mqtt(server) => serde_json::json!({ "url": server.url() }),
        }
    }
}
