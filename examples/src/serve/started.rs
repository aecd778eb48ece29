//! The parts of the service, in the order of their start.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use fastcore_leads::{AuditEndpoint, Commits, Endpoint, EventsEndpoint, InboxEndpoint, Ingest};
use fastcore_leads_examples::{
    metrics,
    site::Site,
    staff::{self, Staff},
};
use tokio::net::TcpListener;

use crate::{
    Failure, admin::Admin, app::Parts, database::Database, options::Options, plan::Plan, rest::Rest, sealing::Sealing,
    server::Settings, telling::Telling,
};

/// All of them. What is none is not there.
pub(crate) struct Started {
    pub(crate) address: SocketAddr,
    pub(crate) listener: TcpListener,
    /// The door that the site of this process posts its leads at.
    pub(crate) inner: Option<TcpListener>,
    pub(crate) ingest: Option<Ingest>,
    pub(crate) telling: Option<Telling>,
    pub(crate) sealing: Option<Sealing>,
    pub(crate) site: Option<Site>,
    pub(crate) admin: Option<Admin>,
    /// What is served.
    pub(crate) parts: Parts,
}

impl Started {
    /// Store, ingest, endpoint, feed, inbox and staff, those who are told, listener, site, and the door for whoever runs all of it.
    pub(crate) async fn all(options: &Options, plan: Plan, settings: Settings) -> Result<Self, Failure> {
        let Plan { tokens, told, seals, has_site, is_site_only } = plan;
        let metrics = metrics::install().map_err(|error| Failure::Failed(error.to_string()))?;
        let database =
            if is_site_only { None } else { Some(Database::open(options, has_site).await.map_err(Failure::Failed)?) };
        let [committed, appended, sealed] = [(); 3].map(|()| Commits::new());
        let wake = [&committed, &appended, &sealed].map(Arc::clone);
        let ingest = database.clone().map(|database| options.ingest(database, wake));
        let endpoint = ingest.clone().map(|ingest| {
            let endpoint = Endpoint::new(ingest, tokens.set.clone()).consent_policy(options.consent_policy());
            if options.validation_as_bad_request { endpoint.validation_as_bad_request() } else { endpoint }
        });
        let feed = database.clone().filter(|_| tokens.has_events).map(|database| {
            let feed = EventsEndpoint::builder(database, tokens.set.clone()).payload(options.events_payload);
            feed.follow(appended).build()
        });
        let of_staff = database.clone().filter(|_| tokens.has_operators);
        let inbox = of_staff.clone().map(|database| InboxEndpoint::new(database, tokens.set.clone()));
        let staff = inbox.clone().zip(of_staff).map(|(inbox, database)| {
            let settings = staff::Settings {
                path: options.staff_path.to_string(),
                time_zone: options.staff_time_zone,
                lifetime: staff::Lifetime::default(),
                proxies: options.site.proxies(),
            };
            Staff::new(settings, inbox, Arc::new(database), tokens.set.clone())
        });
        let staff = staff.transpose().map_err(Failure::Failed)?;
        let inbox = inbox.map(|inbox| (options.staff_path.clone(), inbox));
        let telling =
            told.zip(database.clone()).map(|((file, told), database)| Telling::start(file, told, database, committed));
        let proofs = database.clone().filter(|_| seals.is_some());
        let proofs = proofs.map(|database| AuditEndpoint::new(database, tokens.set.clone()));
        let sealing = seals.zip(database.clone()).map(|(seals, database)| Sealing::start(seals, database, sealed));
        let listener = TcpListener::bind(&options.listen).await.map_err(|error| {
            Failure::Failed(format!("cannot listen on {}: {error}; choose another --listen", options.listen))
        })?;
        let address = listener.local_addr().map_err(unheard)?;
        let (mut site, mut inner) = (None, None);
        if has_site {
            // Visitors who hold every connection must not keep the site from reaching its own endpoint.
            let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(unheard)?;
            let own_url = format!("http://{}", door.local_addr().map_err(unheard)?);
            inner = options.site.posts_here().then_some(door);
            let started = options.site.start(&own_url, &tokens.own, options.consent_policy());
            site = Some(started.map_err(Failure::Settings)?);
        }
        let staff_path = inbox.as_ref().map(|(path, _)| path);
        let has_admin = options.admin_listen.is_some();
        let rest = Rest::new(endpoint.clone(), site.clone(), metrics, database, staff_path, has_admin);
        let admin = match &options.admin_listen {
            Some(listen) => Some(Admin::start(listen, rest.clone(), settings).await.map_err(Failure::Failed)?),
            None => None,
        };
        let parts = Parts { endpoint, feed, proofs, inbox, staff, rest };
        Ok(Self { address, listener, inner, ingest, telling, sealing, site, admin, parts })
    }
}

#[allow(clippy::needless_pass_by_value, reason = "for map_err")]
fn unheard(error: std::io::Error) -> Failure {
    Failure::Failed(error.to_string())
}
