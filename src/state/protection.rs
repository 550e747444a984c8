//! What is looked for in requests, and what becomes of it for each tenant: built with the snapshot, but for the keys, which stay.
//!
//! What a reader could get wrong: the keys are made once in the data directory; with others, labels and hashes would change in the middle of
//! conversations.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;

use http::uri::PathAndQuery;

use crate::audit::key::HashKey;
use crate::config::file::{AnalyzerWith, File, UpstreamTls};
use crate::pii::catalog::Wording;
use crate::pii::hide::Keys;
use crate::pii::{Catalog, Profile};
use crate::upstream::Node;
use crate::upstream::node::Address;
use crate::upstream::tls::TlsSettings;

/// Below the data directory: where the key of labels and hashes is.
const FOLDER: &str = "pii";

/// Everything that a request is looked through with.
#[derive(Debug)]
pub struct Protection {
    pub catalog: Arc<Catalog>,
    /// To be asked as well.
    pub analyzer: Option<Analyzer>,
    nobody: Arc<Profile>,
    tenants: HashMap<String, Arc<Profile>>,
}

impl Protection {
    /// As configured.
    ///
    /// # Errors
    /// A pattern that cannot be compiled.
    pub fn build(file: &File, workers: usize) -> Result<Protection, String> {
        let catalog = Catalog::build(file.pii.as_ref())?;
        let own = |(name, tenant): (&String, &crate::config::file::Tenant)| {
            (name.clone(), Arc::new(Profile::build(&catalog, file.pii.as_ref(), Some(&tenant.pii))))
        };
        let tenants = file.tenants.iter().map(own).collect();
        let nobody = Arc::new(Profile::build(&catalog, file.pii.as_ref(), None));
        // Tables are built when they are first used: not while the first request waits.
        catalog.find("warm 1 up", Wording::Prose, &mut Vec::new());
        let analyzer = file.pii.as_ref().and_then(|pii| pii.analyzer.as_ref());
        let analyzer = analyzer.map(|given| Analyzer::build(given.with(), workers)).transpose()?;
        Ok(Protection { catalog: Arc::new(catalog), analyzer, nobody, tenants })
    }

    /// A tenant's rules; empty name: nobody's.
    pub fn profile(&self, tenant: &str) -> &Arc<Profile> {
        self.tenants.get(tenant).unwrap_or(&self.nobody)
    }
}

/// A Presidio analyzer.
#[derive(Debug)]
pub struct Analyzer {
    pub section: AnalyzerWith,
    pub node: Arc<Node>,
    /// `/analyze`, below the URL's path.
    pub path: PathAndQuery,
}

impl Analyzer {
    fn build(section: AnalyzerWith, workers: usize) -> Result<Analyzer, String> {
        let wrong = |e: String| format!("pii.analyzer: {e}");
        let (address, path) = Address::parse(&section.url).map_err(wrong)?;
        let tls = match address.scheme == http::uri::Scheme::HTTPS {
            true => Some(
                TlsSettings::build(&UpstreamTls::default()).and_then(|t| t.for_host(&address.host)).map_err(wrong)?,
            ),
            false => None,
        };
        let path = PathAndQuery::try_from(format!("{path}/analyze")).map_err(|e| wrong(e.to_string()))?;
        Ok(Analyzer { section, node: Arc::new(Node::new("analyzer".into(), address, tls, workers)), path })
    }
}

/// The keys in the data directory, made there if there are none; without one (the demo, `explain`) keys for this run.
///
/// # Errors
/// The file cannot be read or made, or others may read it.
pub fn keys(data_dir: Option<&Path>) -> Result<Keys, String> {
    let mut secret = [0; 32];
    match data_dir {
        Some(dir) => {
            let key = HashKey::open(&dir.join(FOLDER)).map_err(|e| e.to_string())?;
            secret = key.hash(b"tidegate 2026 pii v1");
        }
        None => getrandom::fill(&mut secret).map_err(|e| format!("random bytes cannot be had: {e}"))?,
    }
    Ok(Keys::new(&secret))
}
