//! Under construction.
use std::path::Path;
use std::sync::Arc;

use crate::config::plan::Setup;
use crate::log::LogReader;
use crate::ports::{History, Inbox, Kept};
use forewarn_core::ids::SensorIx;
use forewarn_core::time::Timestamp;

#[derive(Debug)]
pub struct StoresHandle;
#[derive(Debug)]
struct Nothing;
impl History for Nothing {
    fn recent(
        &self,
        _: SensorIx,
        _: Timestamp,
        _: Timestamp,
    ) -> std::pin::Pin<Box<dyn Future<Output = Option<Vec<Kept>>> + Send + '_>> {
        Box::pin(async { None })
    }
}
impl StoresHandle {
    pub fn history(&self) -> Arc<dyn History> {
        Arc::new(Nothing)
    }
    pub fn stop(self) {}
}
pub fn start(_: &Setup, _: LogReader, _: &Path, _: Arc<dyn Inbox>) -> anyhow::Result<StoresHandle> {
    Ok(StoresHandle)
}
