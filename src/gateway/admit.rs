//! Who asks, and whether he is let in: key, app and user, limits, the gateway's own load.
//!
//! What a reader could get wrong: this comes in two parts. At the head of a request the key, the limits and places; after the decision,
//! when it is known what the request may cost, tokens and money (`reserve`). What was taken is given back by dropping the
//! [`Admission`], whatever becomes of the request.

mod models;
mod work;

use std::sync::Arc;

use http::header::AUTHORIZATION;
use http::{HeaderMap, HeaderName, HeaderValue};
use smallvec::SmallVec;

use super::record::Record;
use crate::config::file::{Priority, Privacy, Then};
use crate::error::{Error, Kind, Result, Retry};
use crate::policy::threshold::Own;
use crate::signals::conversation::Leader;
use crate::signals::hints::{PlacementHint, PrivacyHint};
use crate::signals::wish::{Who, Wish};
use crate::signals::{self, Hints};
use crate::tenant::key::Form;
use crate::tenant::{Budget, Known, Member, Meter, Places, Refusal, Reservation, Standing, Tenant, Unknown};
use crate::upstream::price::NanoUsd;
use crate::upstream::queue::Rank;
pub use models::{Sight, may_ask, may_pass, refuses, tier};
pub use work::{Way, Work, enter_as, way};

/// A request that was let in, and what it holds.
#[derive(Debug, Default)]
pub struct Admission {
    known: Option<Arc<Known>>,
    pub app: Option<String>,
    pub user: Option<String>,
    /// What is left of the limits, for the answer's headers.
    pub standing: Standing,
    places: Places,
    meters: SmallVec<[Arc<Meter>; 3]>,
    _member: Option<Member>,
    /// Tokens that were taken from the meters as an estimate.
    tokens: u64,
    pub reservation: Reservation,
    /// Nobody waits for the answer: deferred work.
    pub work: Option<Box<Work>>,
}

/// The head of a request: whose key it is, and whether there is room for him. `metered`: his limits hold; what asks nobody (somebody looks
/// after his own deferred work) takes nothing of them.
pub fn enter(headers: &HeaderMap, metered: bool, record: &mut Record) -> Result<()> {
    if let Some(books) = &record.shared().durable.books {
        books.has_room()?;
    }
    let snapshot = Arc::clone(&record.snapshot);
    if snapshot.tenants.is_empty() {
        return Ok(());
    }
    let key = key(headers).ok_or_else(|| {
        let message = "no API key was given: send `Authorization: Bearer sk-tg-…` or `x-api-key: sk-tg-…`";
        Error::client(Kind::InvalidKey, message)
    })?;
    let today = || jiff::Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    let known = Arc::clone(snapshot.tenants.find(key, today).map_err(unknown)?);
    let tenant = Arc::clone(&known.tenant);
    record.admission.known = Some(known);
    let crowd = &record.shared().durable.accounts.crowd;
    let own = tenant.own.load(std::sync::atomic::Ordering::Relaxed);
    if !crowd.admits(own, tenant.priority, snapshot.server.max_in_flight) {
        record.limited("load");
        let message = "the gateway is working on as much as it can; try again in a moment";
        return Err(Error::gateway(Kind::Overloaded, message));
    }
    let member = crowd.join(&tenant.own);
    record.admission._member = Some(member);
    record.admission.name_app(key_app(&record.admission))?;
    let hints = Hints::from_headers(headers)?;
    record.admission.names(&hints)?;
    if metered { meter_in(record) } else { Ok(()) }
}

/// The hints of the body, where it has any: they may name the app and user that the headers did not.
pub fn hinted(hints: &Hints, record: &mut Record) -> Result<()> {
    let had = (record.admission.app.is_some(), record.admission.user.is_some());
    record.admission.names(hints)?;
    let now = (record.admission.app.is_some(), record.admission.user.is_some());
    if had == now || record.admission.known.is_none() {
        return Ok(());
    }
    let mut late: SmallVec<[Arc<Meter>; 3]> = record.admission.narrow_meters().collect();
    late.retain(|meter| !record.admission.meters.iter().any(|entered| Arc::ptr_eq(entered, meter)));
    enter_meters(record, late)
}

fn meter_in(record: &mut Record) -> Result<()> {
    let admission = &record.admission;
    let meters = admission.narrow_meters().chain(admission.tenant().and_then(|tenant| tenant.meter.clone()));
    let meters = meters.collect();
    enter_meters(record, meters)
}

fn enter_meters(record: &mut Record, meters: SmallVec<[Arc<Meter>; 3]>) -> Result<()> {
    for meter in meters {
        let admission = &mut record.admission;
        let entered = meter.enter(&mut admission.places, &mut admission.standing);
        record.admission.meters.push(meter);
        entered.map_err(|refusal| refused(record, refusal))?;
    }
    Ok(())
}

/// Takes the estimated tokens from the limits, and sets the worst case aside in the budgets. `exact` counts them where the estimate
/// would be refused: it costs more than everything else here, so it is asked only then. `beyond`: the plan has edge targets only,
/// which go on serving where a budget says `then: edge-only`.
pub fn reserve(
    record: &mut Record,
    tokens: u64,
    exact: impl FnOnce() -> Option<u64>,
    worst: NanoUsd,
    beyond: bool,
) -> Result<()> {
    if let Err(refusal) = take_tokens(record, tokens) {
        let counted = exact().filter(|counted| *counted < tokens).ok_or(refusal);
        let taken = counted.and_then(|counted| take_tokens(record, counted));
        taken.map_err(|refusal| refused(record, refusal))?;
    }
    set_aside(record, worst, beyond)
}

/// From every meter, or from none.
fn take_tokens(record: &mut Record, tokens: u64) -> std::result::Result<(), Refusal> {
    let mut taken: SmallVec<[Arc<Meter>; 3]> = SmallVec::new();
    for meter in record.admission.meters.clone() {
        match meter.take_tokens(tokens, &mut record.admission.standing) {
            Ok(()) => taken.push(meter),
            Err(refusal) => {
                let back = i64::try_from(tokens).unwrap_or(i64::MAX);
                taken.iter().for_each(|meter| meter.correct_tokens(-back));
                return Err(refusal);
            }
        }
    }
    // Added, not set: where the cloud is dropped for want of money this comes a second time.
    record.admission.tokens += tokens;
    Ok(())
}

fn set_aside(record: &mut Record, worst: NanoUsd, beyond: bool) -> Result<()> {
    let budgets: SmallVec<[Budget; 2]> = record.admission.budgets().cloned().collect();
    if budgets.is_empty() {
        return Ok(());
    }
    let now = record.arrived_us();
    let beyond = |budget: &&Budget| beyond && budget.then == Then::EdgeOnly;
    // Those that may go on are charged all the same, so that the ledger and the purse agree.
    let (open, strict): (SmallVec<[&Budget; 2]>, SmallVec<[&Budget; 2]>) = budgets.iter().partition(beyond);
    let made = Reservation::make(strict.iter().copied(), worst, now, false);
    let mut reservation = made.map_err(|index| used_up(record, strict.get(index).copied()))?;
    if let Ok(more) = Reservation::make(open, worst, now, true) {
        reservation.join(more);
    }
    record.admission.reservation = reservation;
    Ok(())
}

/// Another attempt beside or after those that were reckoned with: what it may cost is set aside too. `beyond`: it runs at the edge, where
/// budgets that are used up may go on (`then: edge-only`).
/// `false`: a budget is used up, and the attempt must not be made.
pub fn raise(record: &mut Record, amount: NanoUsd, beyond: bool) -> bool {
    let now = record.arrived_us();
    let beyond = |budget: &Budget| beyond && budget.then == Then::EdgeOnly;
    let raised = record.admission.reservation.raise(amount, now, beyond).is_ok();
    if raised {
        record.reserved = record.reserved.saturating_add(amount);
    }
    raised
}

/// What rules and constraints may know of budgets. `now`: microseconds (Unix).
pub fn money<'b>(budgets: impl Iterator<Item = &'b Budget>, now: i64) -> signals::Budget {
    budgets.fold(signals::Budget::default(), |sum, budget| signals::Budget {
        left: sum.left.min(budget.left(now)),
        exists: true,
        edge_only: sum.edge_only || budget.then == Then::EdgeOnly && budget.is_used_up(now),
    })
}

/// The budget is used up: how the client learns of it.
pub fn used_up(record: &Record, budget: Option<&Budget>) -> Error {
    record.limited("budget");
    let owner = budget.map_or_else(|| "this key".into(), Budget::owner);
    Error::client(Kind::QuotaExceeded, format!("the budget of {owner} is used up"))
}

impl Admission {
    pub fn tenant(&self) -> Option<&Arc<Tenant>> {
        self.known.as_ref().map(|known| &known.tenant)
    }

    /// Where the request stands in line for a place at a node.
    pub fn rank(&self) -> Rank {
        let class = |priority| match priority {
            Priority::High => 0,
            Priority::Normal => 1,
            Priority::Low => 2,
        };
        let tenant = self.tenant();
        Rank {
            tenant: tenant.map_or(0, |tenant| tenant.index),
            class: if self.work.is_some() {
                class(Priority::Low)
            } else {
                tenant.map_or(1, |tenant| class(tenant.priority))
            },
        }
    }

    /// The tenant's tier; an app and a request can only tighten it.
    pub fn privacy(&self, hints: &Hints) -> Privacy {
        let own = self.tenant().map_or(Privacy::default(), |tenant| tenant.privacy);
        let app = self.known_app().and_then(|app| app.privacy).unwrap_or_default();
        own.max(app).max(hints.privacy.map_or(Privacy::default(), PrivacyHint::tier))
    }

    /// Where the request is to run, as tenant, app and request say.
    pub fn placement(&self, hints: &Hints) -> Wish {
        let tenant = self.tenant().and_then(|tenant| tenant.placement);
        let app = self.known_app().and_then(|app| app.placement);
        Wish::default()
            .then(Who::Tenant, tenant.map(PlacementHint::from))
            .then(Who::App, app.map(PlacementHint::from))
            .then(Who::Request, hints.placement)
            .then(Who::Request, self.work.as_ref().and_then(|work| work.placement))
    }

    /// Who leads the conversation. Where nobody is asked for a key, as the request says.
    pub fn leader<'l>(&'l self, tenant: &'l str, hints: &'l Hints) -> Leader<'l> {
        let app = self.app.as_deref().or(hints.app.as_deref()).unwrap_or("");
        let user = self.user.as_deref().or(hints.user.as_deref()).unwrap_or("");
        Leader { tenant, app, user }
    }

    /// The app's own threshold, or the tenant's, in place of the route's.
    pub fn threshold(&self) -> Option<Own> {
        let app = self.known_app().and_then(|app| app.threshold).map(Own::App);
        app.or_else(|| self.tenant().and_then(|tenant| tenant.threshold).map(Own::Tenant))
    }

    /// The budgets that the request is charged to, the tenant's first.
    pub fn budgets(&self) -> impl Iterator<Item = &Budget> {
        let app = self.known_app().and_then(|app| app.budget.as_ref());
        self.tenant().and_then(|tenant| tenant.budget.as_ref()).into_iter().chain(app)
    }

    /// What rules and constraints may know of the money. `now`: microseconds (Unix).
    pub fn budget(&self, now: i64) -> signals::Budget {
        money(self.budgets(), now)
    }

    /// What was used is known: the estimate in the limits is corrected.
    pub fn used(&mut self, tokens: u64) {
        let more = i64::try_from(i128::from(tokens) - i128::from(self.tokens)).unwrap_or(i64::MAX);
        if more != 0 {
            self.meters.iter().for_each(|meter| meter.correct_tokens(more));
        }
        self.tokens = tokens;
    }

    fn known_app(&self) -> Option<&crate::tenant::App> {
        self.tenant()?.apps.get(self.app.as_deref()?)
    }

    /// The meters of user and app.
    fn narrow_meters(&self) -> impl Iterator<Item = Arc<Meter>> + use<> {
        let users = self.tenant().and_then(|tenant| tenant.users.as_ref());
        let user = users.zip(self.user.as_deref()).map(|(users, user)| users.meter(user));
        let app = self.known_app().and_then(|app| app.meter.clone());
        user.into_iter().chain(app)
    }

    fn names(&mut self, hints: &Hints) -> Result<()> {
        self.name_app(hints.app.clone())?;
        if self.user.is_none() {
            self.user.clone_from(&hints.user);
        }
        Ok(())
    }

    fn name_app(&mut self, app: Option<String>) -> Result<()> {
        let Some(app) = app else { return Ok(()) };
        let bound = self.known.as_ref().and_then(|known| known.app.as_ref());
        let listed = self.tenant().is_none_or(|tenant| tenant.apps.is_empty() || tenant.apps.contains_key(&app));
        if bound.is_some_and(|bound| *bound != app) || !listed {
            let message = format!("this key may not be used for the app `{app}` (x-tidegate-app)");
            return Err(Error::client(Kind::AppNotAllowed, message));
        }
        self.app = Some(app);
        Ok(())
    }
}

fn key_app(admission: &Admission) -> Option<String> {
    admission.known.as_ref().and_then(|known| known.app.clone())
}

/// The client's key: a bearer token (RFC 6750 2.1), or what Anthropic's and Azure's SDKs send.
fn key(headers: &HeaderMap) -> Option<&[u8]> {
    const NAMES: [HeaderName; 2] = [HeaderName::from_static("x-api-key"), HeaderName::from_static("api-key")];
    let bearer = headers.get(AUTHORIZATION).map(HeaderValue::as_bytes).and_then(|value| {
        let (scheme, token) = value.split_at_checked(7)?;
        scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim_ascii())
    });
    bearer.or_else(|| NAMES.iter().find_map(|name| headers.get(name)).map(HeaderValue::as_bytes))
}

fn unknown(unknown: Unknown) -> Error {
    let message = match unknown {
        Unknown::Key(Form::Damaged) => "the API key is damaged: part of it is missing or mistyped; copy it anew".into(),
        Unknown::Key(Form::Whole) => {
            "the API key is not known here: it was revoked, or belongs to another gateway".into()
        }
        Unknown::Key(Form::Foreign) => "the API key is none of this gateway's: keys begin with sk-tg-".into(),
        Unknown::Expired(day) => format!("the API key ended on {day}; ask for a new one"),
    };
    Error::client(Kind::InvalidKey, message)
}

fn refused(record: &Record, refusal: Refusal) -> Error {
    record.limited(refusal.limit_name());
    let message = match refusal {
        Refusal::Requests { limit, .. } => format!("the limit of {limit} requests per minute is reached"),
        Refusal::InFlight { limit } => format!("the limit of {limit} requests at once is reached"),
        Refusal::Tokens { limit, wait: Some(_) } => format!("the limit of {limit} tokens per minute is reached"),
        Refusal::Tokens { limit, wait: None } => {
            format!(
                "prompt and answer together may be larger than the limit of {limit} tokens per minute; shorten the prompt or lower max_tokens"
            )
        }
    };
    let error = Error::client(Kind::LimitReached, message);
    match refusal.wait() {
        Some(wait) => error.with_retry(Retry::SameAfter(wait)),
        None => error,
    }
}
