//! What each tenant is invoiced for a period: the models' cost, split edge and cloud, and the fees of `billing`.
//!
//! What a reader could get wrong: the fees are those in force now, whatever they were when the requests ran; and attempts of unknown
//! price are in no sum, so they are told beside it.

use indexmap::IndexMap;
use serde_json::{Value, json};

use super::entry::SHADOW;
use super::query::{Answer, Dimension, csv_line, decimal, number};
use super::store::Figure;
use crate::config::file::{Billing, Privacy, Tenant};
use crate::upstream::price::{NANOS_PER_USD, NanoUsd};

/// What the ledger is asked for.
pub const BY: [Dimension; 4] = [Dimension::Tenant, Dimension::Privacy, Dimension::Placement, Dimension::Role];

/// One tenant's.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Invoice {
    pub tenant: String,
    pub requests: i64,
    pub cached_hits: i64,
    /// Bytes of text that were redacted: none as long as redaction is not available.
    pub redacted_bytes: i64,
    pub edge_cost: NanoUsd,
    pub cloud_cost: NanoUsd,
    /// Per request, per GB redacted, per cached hit.
    pub platform_fee: NanoUsd,
    /// A share of the models' cost.
    pub execution_fee: NanoUsd,
    /// A share of the models' cost, for tenants with a stricter privacy.
    pub privacy_premium: NanoUsd,
    /// Attempts of unknown price: in no sum.
    pub cost_unknown: i64,
}

/// What a tenant pays, his own figures put over the general ones.
#[derive(Debug, Clone, Copy, Default)]
struct Rates {
    per_request: f64,
    per_gb_redacted: f64,
    per_cached_hit: f64,
    execution_fee: f64,
    privacy_premium: f64,
}

impl Rates {
    fn of(billing: &Billing, tenant: &str) -> Rates {
        let own = billing.tenants.get(tenant).cloned().unwrap_or_default();
        Rates {
            per_request: own.per_request.unwrap_or(billing.per_request),
            per_gb_redacted: own.per_gb_redacted.unwrap_or(billing.per_gb_redacted),
            per_cached_hit: own.per_cached_hit.unwrap_or(billing.per_cached_hit),
            execution_fee: own.execution_fee.unwrap_or(billing.execution_fee),
            privacy_premium: own.privacy_premium.unwrap_or(billing.privacy_premium),
        }
    }
}

/// From an answer to a question by [`BY`], a line for each tenant that used anything, the dearest first. A tenant who is no longer
/// configured pays the privacy premium on what ran under a stricter tier.
pub fn invoices(answer: &Answer, billing: &Billing, tenants: &IndexMap<String, Tenant>) -> Vec<Invoice> {
    let mut found: IndexMap<&str, (Invoice, NanoUsd)> = IndexMap::new();
    for line in &answer.lines {
        let [tenant, privacy, placement, role] = line.group.as_slice() else { continue };
        // Nobody asked for a copy.
        if role == SHADOW {
            continue;
        }
        let (invoice, strict) = found.entry(tenant).or_default();
        let cost = line.totals.get(Figure::Cost);
        invoice.requests += line.totals.requests;
        invoice.cached_hits += line.totals.cached_hits;
        invoice.cost_unknown += line.totals.cost_unknown;
        if placement == "cloud" {
            invoice.cloud_cost += cost;
        } else {
            invoice.edge_cost += cost;
        }
        let is_strict = match tenants.get(tenant) {
            Some(configured) => configured.privacy > Privacy::Retained,
            None => [Privacy::NoRetention, Privacy::LocalOnly].iter().any(|tier| tier.name() == privacy),
        };
        *strict += if is_strict { cost } else { 0 };
    }
    let priced = |(tenant, (invoice, strict)): (&str, (Invoice, NanoUsd))| {
        let rates = Rates::of(billing, tenant);
        let cost = invoice.edge_cost + invoice.cloud_cost;
        let gigabytes = invoice.redacted_bytes as f64 / 1e9;
        Invoice {
            tenant: tenant.to_owned(),
            platform_fee: nanos(rates.per_request * invoice.requests as f64)
                + nanos(rates.per_cached_hit * invoice.cached_hits as f64)
                + nanos(rates.per_gb_redacted * gigabytes),
            execution_fee: (cost as f64 * rates.execution_fee).round() as NanoUsd,
            privacy_premium: (strict as f64 * rates.privacy_premium).round() as NanoUsd,
            ..invoice
        }
    };
    let mut invoices: Vec<Invoice> = found.into_iter().map(priced).collect();
    invoices.sort_by(|a, b| b.total().cmp(&a.total()).then_with(|| a.tenant.cmp(&b.tenant)));
    invoices
}

fn nanos(usd: f64) -> NanoUsd {
    (usd * NANOS_PER_USD).round() as NanoUsd
}

/// Names and values of an invoice's amounts, in nanodollars.
type Amounts = [(&'static str, NanoUsd); 6];

impl Invoice {
    pub fn total(&self) -> NanoUsd {
        self.edge_cost + self.cloud_cost + self.platform_fee + self.execution_fee + self.privacy_premium
    }

    pub fn amounts(&self) -> Amounts {
        [
            ("edge_cost_usd", self.edge_cost),
            ("cloud_cost_usd", self.cloud_cost),
            ("platform_fee_usd", self.platform_fee),
            ("execution_fee_usd", self.execution_fee),
            ("privacy_premium_usd", self.privacy_premium),
            ("total_usd", self.total()),
        ]
    }

    pub fn counts(&self) -> [(&'static str, i64); 4] {
        [
            ("requests", self.requests),
            ("cached_hits", self.cached_hits),
            ("redacted_bytes", self.redacted_bytes),
            ("cost_unknown_attempts", self.cost_unknown),
        ]
    }

    pub fn json(&self) -> Value {
        let mut object = json!({ "tenant": self.tenant });
        for (name, count) in self.counts() {
            object[name] = count.into();
        }
        for (name, amount) in self.amounts() {
            object[name] = number(amount, 9);
        }
        object
    }
}

/// RFC 4180, with a line of names.
pub fn csv(invoices: &[Invoice]) -> String {
    let mut out = String::new();
    let names = Invoice::default();
    let counts = names.counts().map(|(name, _)| name);
    let amounts = names.amounts().map(|(name, _)| name);
    csv_line(&mut out, ["tenant"].iter().chain(&counts).chain(&amounts).map(|name| (*name).to_owned()));
    for invoice in invoices {
        let counts = invoice.counts().map(|(_, count)| count.to_string());
        let amounts = invoice.amounts().map(|(_, amount)| decimal(amount, 9));
        csv_line(&mut out, [invoice.tenant.clone()].into_iter().chain(counts).chain(amounts));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::file::Fees;
    use crate::ledger::query::{Line, Totals};

    fn line(group: [&str; 4], requests: i64, cached_hits: i64, cost: NanoUsd) -> Line {
        let mut totals = Totals { requests, cached_hits, ..Totals::default() };
        totals.of[Figure::Cost as usize] = cost;
        Line { group: group.map(str::to_owned).to_vec(), totals }
    }

    #[test]
    fn fees_are_the_tenants_own_where_they_differ() {
        let dollar = 1_000_000_000;
        let answer = Answer {
            lines: vec![
                line(["acme", "retained", "cloud", "first"], 10, 0, 2 * dollar),
                line(["acme", "retained", "edge", "first"], 20, 0, dollar),
                line(["acme", "retained", "cache", "first"], 5, 5, 0),
                line(["acme", "retained", "cloud", "shadow"], 0, 0, 7 * dollar),
                line(["globex", "no-retention", "edge", "first"], 100, 0, dollar),
                line(["gone", "local-only", "edge", "first"], 1, 0, 100),
                line(["gone", "retained", "cloud", "first"], 1, 0, 100),
            ],
            ..Answer::default()
        };
        let globex = Fees { per_request: Some(0.0), execution_fee: Some(0.5), ..Fees::default() };
        let billing = Billing {
            per_request: 0.001,
            per_cached_hit: 0.01,
            execution_fee: 0.1,
            privacy_premium: 0.2,
            tenants: [("globex".to_owned(), globex)].into_iter().collect(),
            ..Billing::default()
        };
        let strict = Tenant { privacy: Privacy::LocalOnly, ..Tenant::default() };
        let tenants = [("acme".to_owned(), Tenant::default()), ("globex".to_owned(), strict)].into_iter().collect();
        let invoices = invoices(&answer, &billing, &tenants);
        insta::assert_snapshot!(csv(&invoices), @r"
        tenant,requests,cached_hits,redacted_bytes,cost_unknown_attempts,edge_cost_usd,cloud_cost_usd,platform_fee_usd,execution_fee_usd,privacy_premium_usd,total_usd
        acme,35,5,0,0,1,2,0.085,0.3,0,3.385
        globex,100,0,0,0,1,0,0,0.5,0.2,1.7
        gone,2,0,0,0,0.0000001,0.0000001,0.002,0.00000002,0.00000002,0.00200024
        ");
        assert_eq!(invoices[0].json()["total_usd"], serde_json::json!(3.385));
    }
}
