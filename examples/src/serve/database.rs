//! The database of this service. Where the site is served too, it may be down when the service starts: visitors' leads wait on the
//! disk until it is there.

use std::{sync::Arc, time::Duration};

use fastcore_leads::{LeadDatabase, StoreError, StoreErrorKind};
use fastcore_leads_examples::database::{Opened, Pool, Url};
use tokio::{sync::SetOnce, time::sleep};

use crate::options::Options;

/// How long it takes at most until the database is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
const FIRST_PAUSE: Duration = Duration::from_millis(250);

/// A database that is open, or will be. Clones share it.
#[derive(Clone)]
pub(crate) struct Database {
    opened: Arc<SetOnce<Opened>>,
}

impl Database {
    /// Opens the database, brings its tables up to date, and warns of what could lose leads. Where it does not answer and `may_wait`
    /// says so, it is tried again for as long as it takes.
    pub(crate) async fn open(options: &Options, may_wait: bool) -> Result<Self, String> {
        let url = Url::parse(&options.database_url)?;
        let connect = options.connect();
        let open = move || {
            let (url, connect) = (url.clone(), connect.clone());
            async move {
                let failed = |error: StoreError| (error.kind(), format!("{}: {error}", url.shown()));
                let opened = connect.open_with_pool(&url).await.map_err(failed)?;
                prepare(&*opened.database).await.map_err(failed)?;
                Ok::<_, (StoreErrorKind, String)>(opened)
            }
        };
        let database = Self { opened: Arc::default() };
        match open().await {
            Ok(opened) => database.set(opened),
            Err((StoreErrorKind::Unavailable | StoreErrorKind::TimedOut, problem)) if may_wait => {
                tracing::error!("{problem}; the site is served meanwhile, and the database is tried again");
                let late = database.clone();
                tokio::spawn(async move {
                    let mut pause = FIRST_PAUSE;
                    loop {
                        sleep(pause).await;
                        pause = (pause * 2).min(LONGEST_PAUSE);
                        match open().await {
                            Ok(opened) => {
                                tracing::info!("the database is open");
                                return late.set(opened);
                            }
                            Err((_, problem)) => tracing::warn!("{problem}; tried again"),
                        }
                    }
                });
            }
            Err((_, problem)) => return Err(problem),
        }
        Ok(database)
    }

    /// How full the pool of connections is, where there is one.
    pub(crate) fn pool(&self) -> Option<Pool> {
        self.opened.get()?.pool.as_ref().map(|pool| pool())
    }

    /// The database, once it is there.
    pub(crate) async fn opened(&self) -> Arc<dyn LeadDatabase> {
        Arc::clone(&self.opened.wait().await.database)
    }

    fn set(&self, opened: Opened) {
        // It is opened once.
        let _ = self.opened.set(opened);
    }

    fn get(&self) -> Result<&Arc<dyn LeadDatabase>, StoreError> {
        self.opened.get().map(|opened| &opened.database).ok_or_else(|| StoreErrorKind::Unavailable.into())
    }
}

fastcore_leads::delegate_store!(Database, self => self.get()?);

async fn prepare(database: &dyn LeadDatabase) -> Result<(), StoreError> {
    database.migrate().await?;
    for warning in database.settings_warnings().await? {
        tracing::warn!("{warning}");
    }
    for guard in database.missing_guards().await? {
        tracing::warn!(guard, "the audit log is not protected: a trigger is missing or off; restore it");
    }
    Ok(())
}
