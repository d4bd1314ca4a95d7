//! Readings over HTTP, and the pages for machines that watch.
