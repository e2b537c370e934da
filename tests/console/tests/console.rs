#![cfg(console_without_tokio_unstable)]
