use async_trait::async_trait;
use deadpool::{
    Runtime,
    managed::{Hook, HookError, Metrics},
};
use diesel_async::{
    AsyncPgConnection,
    pooled_connection::{
        AsyncDieselConnectionManager, ManagerConfig, PoolError as DieselError, RecyclingMethod,
        deadpool::{Object, Pool as Deadpool, PoolError},
    },
};
use fastcore_leads::{
    StoreError, StoreErrorKind,
    sql::{
        PgOptions,
        engine::{self, BoxFuture, Engine, MAX_IDLE, PgConnections, PgIngest, Sessions},
    },
};

use super::{PgLeadStore, connect::Target, session::On};

pub(super) async fn connect(target: Target, options: PgOptions) -> Result<PgLeadStore, StoreError> {
    let mut config = ManagerConfig::default();
    // A dead connection shows when it is taken.
    config.recycling_method = RecyclingMethod::Fast;
    config.custom_setup = Box::new({
        let target = target.clone();
        move |_| Box::pin(target.clone().connect())
    });
    let manager = AsyncDieselConnectionManager::new_with_config(String::new(), config);
    let is_fresh = Hook::sync_fn(|_, metrics: &Metrics| {
        if metrics.last_used() < MAX_IDLE { Ok(()) } else { Err(HookError::message("idle for too long")) }
    });
    let pool = Deadpool::builder(manager)
        .max_size((options.get_max_connections() as usize - 1).max(1))
        .runtime(Runtime::Tokio1)
        .pre_recycle(is_fresh)
        .build()
        .map_err(|error| StoreError::new(StoreErrorKind::Internal).with_driver_error(error))?;
    let connections = PgConnections::over(Pool { pool, target: Some(target) }, options.get_timeout());
    connections.open(options.get_min_connections().min(options.get_max_connections() - 1) as usize).await?;
    Ok(PgLeadStore { engine: Engine::new(connections) })
}

/// A pool, and where it connects to.
pub(super) struct Pool {
    pub(super) pool: Deadpool<AsyncPgConnection>,
    /// Whom to ask why a statement was refused. None: the pool is the host's, and does not tell where it connects to.
    pub(super) target: Option<Target>,
}

#[async_trait]
impl engine::Pool for Pool {
    type Connection = On<Object<AsyncPgConnection>>;

    async fn acquire(&self) -> Result<Self::Connection, StoreError> {
        self.pool.get().await.map(On).map_err(while_connecting)
    }

    fn close(connection: Self::Connection) {
        drop(Object::take(connection.0));
    }

    fn close_idle(&self) {
        self.pool.retain(|_, _| false);
    }

    fn max_size(&self) -> usize {
        self.pool.status().max_size
    }

    fn sessions(&self) -> Sessions {
        match &self.target {
            None => Sessions::Host,
            Some(target) if target.is_pooled => Sessions::Pooled,
            Some(_) => Sessions::Own,
        }
    }

    fn is_closed(&self) -> bool {
        self.pool.is_closed()
    }

    /// deadpool neither tells nor waits.
    fn closed(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }

    async fn explaining(&self) -> Result<Option<Box<dyn PgIngest>>, StoreError> {
        match &self.target {
            Some(target) => Ok(Some(Box::new(target.connect_bare().await?))),
            None => Ok(None),
        }
    }
}

fn while_connecting(error: PoolError) -> StoreError {
    let error = match error {
        PoolError::Backend(DieselError::ConnectionError(diesel::ConnectionError::CouldntSetupConfiguration(
            diesel::result::Error::QueryBuilderError(error),
        ))) => match error.downcast::<StoreError>() {
            Ok(error) => return *error,
            Err(error) => error,
        },
        error => Box::new(error),
    };
    StoreError::new(StoreErrorKind::Unavailable).with_driver_error(error)
}
