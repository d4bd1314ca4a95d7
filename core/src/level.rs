//! The ladder of levels, and CAP's three axes, which no colour implies.

use std::fmt;

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

/// How high the danger stands; ordered, so that the higher level is the greater.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Encode, Decode, Serialize, Deserialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// No warning.
    #[default]
    #[n(0)]
    Normal,
    /// 蓝, IV.
    #[n(1)]
    Blue,
    /// 黄, III.
    #[n(2)]
    Yellow,
    /// 橙, II.
    #[n(3)]
    Orange,
    /// 红, I.
    #[n(4)]
    Red,
}

impl Level {
    /// Every level that warns, lowest first.
    pub const WARNING: [Level; 4] = [Level::Blue, Level::Yellow, Level::Orange, Level::Red];

    /// As a position in a table of levels; normal is 0.
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The level at `index`, if there is one.
    pub fn from_index(index: usize) -> Option<Level> {
        [Level::Normal, Level::Blue, Level::Yellow, Level::Orange, Level::Red].get(index).copied()
    }

    /// The word that configuration and logs use.
    pub const fn word(self) -> &'static str {
        match self {
            Level::Normal => "normal",
            Level::Blue => "blue",
            Level::Yellow => "yellow",
            Level::Orange => "orange",
            Level::Red => "red",
        }
    }

    /// Reads the word of a level.
    pub fn parse(word: &str) -> Option<Level> {
        (0..5).filter_map(Level::from_index).find(|level| level.word() == word)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

macro_rules! cap_words {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $n:literal $variant:ident),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(
            Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Encode, Decode, Serialize, Deserialize,
        )]
        pub enum $name {
            $($(#[$vmeta])* #[n($n)] $variant),+
        }

        impl $name {
            /// The word CAP 1.2 uses.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => stringify!($variant)),+ }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.word())
            }
        }
    };
}

cap_words! {
    /// CAP `urgency`: when people must act.
    Urgency {
        /// Now.
        0 Immediate,
        /// Within the next hour.
        1 Expected,
        /// Later.
        2 Future,
        /// No longer.
        3 Past,
        /// Not known.
        4 Unknown,
    }
}

cap_words! {
    /// CAP `severity`: threat to life and property.
    Severity {
        /// Extraordinary.
        0 Extreme,
        /// Significant.
        1 Severe,
        /// Possible.
        2 Moderate,
        /// Minimal.
        3 Minor,
        /// Not known.
        4 Unknown,
    }
}

cap_words! {
    /// CAP `certainty`.
    Certainty {
        /// Measured, passed its checks, voted.
        0 Observed,
        /// More likely than not: provisional, suspect but corroborated, or held through missing data.
        1 Likely,
        /// At most even.
        2 Possible,
        /// Close to none.
        3 Unlikely,
        /// Not known.
        4 Unknown,
    }
}

cap_words! {
    /// CAP `status`: whether people must act on it.
    Status {
        /// Real.
        0 Actual,
        /// A drill, a demo, a test of notification.
        1 Exercise,
        /// The canary's.
        2 Test,
    }
}

impl Severity {
    /// One step worse.
    #[must_use]
    pub const fn worse(self) -> Severity {
        match self {
            Severity::Minor => Severity::Moderate,
            Severity::Moderate => Severity::Severe,
            Severity::Severe | Severity::Extreme => Severity::Extreme,
            Severity::Unknown => Severity::Unknown,
        }
    }
}

impl Level {
    /// The CAP severity of the default ladder.
    pub const fn severity(self) -> Severity {
        match self {
            Level::Normal => Severity::Unknown,
            Level::Blue => Severity::Minor,
            Level::Yellow => Severity::Moderate,
            Level::Orange => Severity::Severe,
            Level::Red => Severity::Extreme,
        }
    }
}
