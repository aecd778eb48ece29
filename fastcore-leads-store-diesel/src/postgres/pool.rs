use async_trait::async_trait;
use diesel_async::{
    AsyncPgConnection,
    pooled_connection::{
        PoolError as DieselError,
        deadpool::{Object, Pool as Deadpool, PoolError},
    },
};
use fastcore_leads::{
    StoreError, StoreErrorKind,
    sql::engine::{self, BoxFuture, PgIngest},
};

use super::{connect::Target, session::On};

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

    fn is_ours(&self) -> bool {
        self.target.is_some()
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
