//! A paused clock, for tests.

use super::Builder;

impl Builder {
    /// Starts with the clock paused: time advances only when no task can run, and then at once to
    /// the next deadline.
    ///
    /// Tests of sleeps and timeouts run in no time and with exact results.
    ///
    /// Corresponds to [`tokio::runtime::Builder::start_paused`].
    ///
    /// # Examples
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// let day = Duration::from_secs(24 * 60 * 60);
    /// eventlet::runtime::Builder::new().start_paused(true).run(async move {
    ///     let start = tokio::time::Instant::now();
    ///     eventlet::sleep(day).await;
    ///     assert_eq!(start.elapsed(), day);
    /// }).unwrap();
    /// ```
    pub fn start_paused(&mut self, paused: bool) -> &mut Builder {
        self.tokio.start_paused(paused);
        self
    }
}
