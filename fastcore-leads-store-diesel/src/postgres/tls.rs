//! Encryption as a URL asks for it (PostgreSQL manual, 34.19.1 "Client Verification of Server Certificates").

use std::sync::Arc;

use fastcore_leads::{
    StoreError, StoreErrorKind,
    sql::{PgUrl, SslMode},
};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme,
    client::{
        WebPkiServerVerifier,
        danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    },
    crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime, pem::PemObject},
};

pub(super) fn config(url: &PgUrl) -> Result<ClientConfig, StoreError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(refused)?;
    let authorities = || -> Result<_, StoreError> {
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots(url)?), Arc::clone(&provider))
            .build()
            .map_err(refused)
    };
    let verifier: Arc<dyn ServerCertVerifier> = match url.ssl_mode {
        SslMode::Disable | SslMode::Prefer | SslMode::Require => Arc::new(AnyName { authorities: None, provider }),
        SslMode::VerifyCa => Arc::new(AnyName { authorities: Some(authorities()?), provider }),
        SslMode::VerifyFull => authorities()?,
    };
    let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
    let Some((cert, key)) = &url.ssl_client_cert else { return Ok(builder.with_no_client_auth()) };
    let chain = CertificateDer::pem_file_iter(cert).and_then(Iterator::collect).map_err(|_| unreadable("sslcert"))?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|_| unreadable("sslkey"))?;
    builder.with_client_auth_cert(chain, key).map_err(refused)
}

fn roots(url: &PgUrl) -> Result<RootCertStore, StoreError> {
    let mut roots = RootCertStore::empty();
    match &url.ssl_root_cert {
        Some(file) => {
            let certs = CertificateDer::pem_file_iter(file).map_err(|_| unreadable("sslrootcert"))?;
            for cert in certs {
                roots.add(cert.map_err(|_| unreadable("sslrootcert"))?).map_err(|_| unreadable("sslrootcert"))?;
            }
        }
        None => {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
    }
    Ok(roots)
}

/// Takes a certificate that an authority vouches for, whatever host it names; without authorities, any: the connection is then
/// encrypted, with whomever.
#[derive(Debug)]
struct AnyName {
    authorities: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        use CertificateError::{NotValidForName, NotValidForNameContext};

        let Some(authorities) = &self.authorities else { return Ok(ServerCertVerified::assertion()) };
        match authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(Error::InvalidCertificate(NotValidForName | NotValidForNameContext { .. })) => {
                Ok(ServerCertVerified::assertion())
            }
            verified => verified,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn unreadable(parameter: &str) -> StoreError {
    StoreError::new(StoreErrorKind::Internal)
        .with_reason(format!("the file that {parameter} of the database URL names cannot be read as PEM"))
}

fn refused(error: impl std::error::Error + Send + Sync + 'static) -> StoreError {
    StoreError::new(StoreErrorKind::Internal).with_reason("TLS cannot be set up").with_driver_error(error)
}
