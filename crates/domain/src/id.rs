use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

/// One call from its INVITE to its last fact; unique over nodes and restarts, rising with time.
///
/// It is `ms of arrival << 20 | counter`, so it exceeds 2^53: it is text in JSON and BIGINT in SQL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(pub u64);

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl Serialize for CallId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for CallId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map(CallId).map_err(serde::de::Error::custom)
    }
}

/// A lawyer's staff number (工号), chosen by the bureau; also the user name of the lawyer's phone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct AgentId(pub u32);

impl fmt::Display for AgentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

macro_rules! key {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Arc<str>);

        impl $name {
            #[must_use]
            pub fn new(key: &str) -> Self {
                Self(Arc::from(key))
            }

            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl From<&str> for $name {
            fn from(key: &str) -> Self {
                Self::new(key)
            }
        }
    };
}

key!(
    /// A prefecture-level city (地市), the unit of distribution: `wenzhou`.
    RegionId
);
key!(
    /// Which reading of a region's dialplan: the first digits of the SHA-256 of what it was read from.
    PlanVersion
);
key!(
    /// A county (区县) that calls are attributed to: `lucheng`.
    CountyId
);
key!(
    /// A group of lawyers that a call can wait for: a county's (`lucheng`) or the city's (`city`).
    PoolId
);
key!(
    /// Something that lawyers know and calls need: a language (`yi`), a matter (`labour`), legal aid.
    SkillId
);
key!(
    /// Somebody outside whom calls can be passed on to: `hotline_12345`.
    TargetId
);
key!(
    /// An operator's SIP trunk: `telecom-1`.
    TrunkId
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_id_survives_json_although_it_exceeds_what_javascript_counts_to() {
        let id = CallId(1_790_000_000_000 << 20 | 7);
        assert!(id.0 > 1 << 53);
        assert_eq!(id.to_string().parse::<u64>().map(CallId), Ok(id));
    }
}
