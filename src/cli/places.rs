//! Where the service that is meant has its configuration and its data.

use std::path::PathBuf;

use clap::Args;

use crate::config::Purpose;

/// The folder of the configuration, unless another is given.
pub(super) const CONFIG_DEFAULT: &str = "config";

/// Where configuration and data stand.
#[derive(Debug, Clone, Args)]
pub struct Places {
    /// Folder of the configuration
    #[arg(long, value_name = "DIR", env = "FOREWARN_CONFIG", default_value = CONFIG_DEFAULT, global = true)]
    pub config: PathBuf,
    /// Folder of log, state and stores, where it is not the configuration's to say
    #[arg(long, value_name = "DIR", env = "FOREWARN_DATA", global = true)]
    pub data: Option<PathBuf>,
    /// The drill of this configuration, as its folder drill/ has it, in place of the live service
    #[arg(long, global = true)]
    pub drill: bool,
}

impl Places {
    /// Which of the two services is meant.
    pub(super) fn purpose(&self) -> Purpose {
        if self.drill { Purpose::Drill } else { Purpose::Live }
    }
}
