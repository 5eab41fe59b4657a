//! The ring page, which is a part of the program, and what it asks its node for.
//!
//! `cargo xtask page` leaves the page in the folder `page` of this crate. A program that is built
//! without it knows that.

use std::borrow::Cow;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rust_embed::Embed;
use tokio::sync::Mutex;

/// The nodes are asked anew no more often, however many pages are open.
const FRESH: Duration = Duration::from_millis(900);

/// Where the page begins.
const INDEX: &str = "index.html";

#[derive(Embed)]
#[folder = "page"]
#[allow_missing = true]
struct Page;

/// Asks all nodes how they are; answers JSON, or why there is none.
pub type AskCluster =
    Box<dyn Fn() -> Pin<Box<dyn Future<Output = Result<String, String>> + Send>> + Send + Sync>;

/// JSON, or why there is none.
type Told = Result<Arc<str>, Arc<str>>;

/// The ring page of one node.
pub struct Ui {
    ask: AskCluster,
    last: Mutex<Option<(Instant, Told)>>,
}

/// A file of the page.
pub(super) struct File {
    pub(super) content_type: String,
    pub(super) body: Cow<'static, [u8]>,
}

impl Ui {
    /// The page, where this program was built with it.
    pub fn new(ask: AskCluster) -> Option<Ui> {
        Page::get(INDEX).map(|_| Ui { ask, last: Mutex::new(None) })
    }

    /// A file by the path of a request.
    pub(super) fn file(&self, path: &str) -> Option<File> {
        let name = path.trim_start_matches('/');
        let file = Page::get(if name.is_empty() { INDEX } else { name })?;
        let content_type = file.metadata.mimetype();
        let charset = if content_type.starts_with("text/") { "; charset=utf-8" } else { "" };
        Some(File { content_type: format!("{content_type}{charset}"), body: file.data })
    }

    /// How all nodes are, as JSON, at most [`FRESH`] old; whoever asks while they are asked is told
    /// what they answer.
    pub(super) async fn cluster(&self) -> Told {
        self.cluster_at(Instant::now()).await
    }

    async fn cluster_at(&self, now: Instant) -> Told {
        let mut last = self.last.lock().await;
        if let Some((at, told)) = &*last
            && now.saturating_duration_since(*at) < FRESH
        {
            return told.clone();
        }
        let told = (self.ask)().await.map(Arc::from).map_err(Arc::from);
        // Those who came meanwhile wait for this answer, and for no other one.
        *last = Some((now.max(Instant::now()), told.clone()));
        told
    }
}

impl fmt::Debug for Ui {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ui").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[tokio::test]
    async fn nodes_are_asked_once_for_all_pages_and_anew_when_the_answer_is_old() {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let ask: AskCluster = Box::new(move || {
            let number = count.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                // The second time nobody answers.
                if number == 1 { Err("nobody".to_owned()) } else { Ok(number.to_string()) }
            })
        });
        let ui = Ui { ask, last: Mutex::new(None) };
        let now = Instant::now() + FRESH;
        let told = async |at| match ui.cluster_at(at).await {
            Ok(told) => told.to_string(),
            Err(why) => why.to_string(),
        };
        assert_eq!(told(now).await, "0");
        assert_eq!(told(now + FRESH / 2).await, "0");
        assert_eq!(told(now + FRESH).await, "nobody");
        assert_eq!(told(now + FRESH).await, "nobody", "nobody is asked again at once");
        assert_eq!(told(now + FRESH * 2).await, "2");
    }
}
