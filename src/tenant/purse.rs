//! Money of a tenant or app for a day or month: reserved before a request leaves, settled when its entry is durable.
//!
//! What a reader could get wrong: a request is let in as long as what is spent *and reserved* is below the limit, and the reservation is the worst
//! case. So concurrent requests together can exceed the limit by at most the one reservation that was let in last, and usually
//! not at all; a large reservation does not lock out a tenant who has money left.

use std::sync::Arc;

use jiff::tz::TimeZone;
use parking_lot::Mutex;
use smallvec::SmallVec;

use super::calendar::{self, Window};
use crate::config::file::{Period, Then};
use crate::upstream::price::{NANOS_PER_USD, NanoUsd};

/// Shares of the budget at which the operator is told.
const ALERTS: [u8; 3] = [50, 80, 100];

/// A million dollars: no request costs more, and thousands of such reservations still add up exactly (an absurd `n` must not saturate the
/// sum, for what saturates cannot be given back).
const MOST_HELD: NanoUsd = 1_000_000_000_000_000;

/// What has been spent and reserved in the current period. Survives reloads.
#[derive(Debug)]
pub struct Purse {
    tenant: String,
    /// Empty: the whole tenant.
    app: String,
    period: Period,
    zone: TimeZone,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    window: Window,
    /// Counts the periods, so that a reservation of the last one does not touch this one.
    turn: u32,
    spent: NanoUsd,
    reserved: NanoUsd,
    /// The last of `ALERTS` that was told.
    told: u8,
}

/// What the configuration says about a purse.
#[derive(Debug, Clone)]
pub struct Budget {
    pub purse: Arc<Purse>,
    pub limit: NanoUsd,
    pub then: Then,
}

/// A purse as it stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Balance {
    pub spent: NanoUsd,
    pub reserved: NanoUsd,
    pub window: Window,
}

/// Money set aside for one request. Dropping it settles: what `charge` said is spent, the rest is free again.
#[derive(Debug, Default)]
pub struct Reservation {
    held: SmallVec<[Held; 2]>,
    charge: NanoUsd,
}

#[derive(Debug)]
struct Held {
    budget: Budget,
    amount: NanoUsd,
    turn: u32,
}

impl Purse {
    /// `spent`: what the ledger says for the window around `now` (microseconds, Unix), so that a restart resets nothing.
    pub fn new(tenant: &str, app: &str, period: Period, zone: TimeZone, now: i64, spent: NanoUsd) -> Purse {
        let window = calendar::window(period, &zone, now);
        let state = State { window, turn: 0, spent, reserved: 0, told: 0 };
        Purse { tenant: tenant.to_owned(), app: app.to_owned(), period, zone, state: Mutex::new(state) }
    }

    /// As it stands at `now`.
    pub fn balance(&self, now: i64) -> Balance {
        let mut state = self.state.lock();
        self.roll(&mut state, now);
        Balance { spent: state.spent, reserved: state.reserved, window: state.window }
    }

    fn roll(&self, state: &mut State, now: i64) {
        if now >= state.window.end {
            let window = calendar::window(self.period, &self.zone, now);
            *state = State { window, turn: state.turn.wrapping_add(1), spent: 0, reserved: 0, told: 0 };
        }
    }
}

impl Budget {
    /// Share that is left, 0 to 1; reserved money counts as spent.
    pub fn left(&self, now: i64) -> f64 {
        let balance = self.purse.balance(now);
        let left = self.limit.saturating_sub(balance.spent).saturating_sub(balance.reserved).max(0);
        if self.limit > 0 { left as f64 / self.limit as f64 } else { 0.0 }
    }

    /// Whether nothing may be let in any more.
    pub fn is_used_up(&self, now: i64) -> bool {
        let balance = self.purse.balance(now);
        balance.spent.saturating_add(balance.reserved) >= self.limit
    }

    /// Whose it is, for messages: `tenant acme`, `app chat of tenant acme`.
    pub fn owner(&self) -> String {
        match self.purse.app.as_str() {
            "" => format!("tenant `{}`", self.purse.tenant),
            app => format!("app `{app}` of tenant `{}`", self.purse.tenant),
        }
    }

    fn hold(&self, amount: NanoUsd, now: i64, beyond: bool) -> Option<Held> {
        let amount = amount.clamp(0, MOST_HELD);
        let mut state = self.purse.state.lock();
        self.purse.roll(&mut state, now);
        if !beyond && state.spent.saturating_add(state.reserved) >= self.limit {
            return None;
        }
        state.reserved = state.reserved.saturating_add(amount);
        Some(Held { budget: self.clone(), amount, turn: state.turn })
    }

    fn settle(&self, held: &Held, spent: NanoUsd) {
        let crossed = {
            let mut state = self.purse.state.lock();
            if state.turn != held.turn {
                // A request that began in the last period belongs to it, and that one is over.
                return;
            }
            state.reserved = state.reserved.saturating_sub(held.amount);
            state.spent = state.spent.saturating_add(spent);
            let percent = state.spent.saturating_mul(100) / self.limit.max(1);
            let crossed = ALERTS.into_iter().filter(|at| percent >= i64::from(*at) && *at > state.told).max();
            state.told = crossed.unwrap_or(state.told);
            crossed
        };
        if let Some(percent) = crossed {
            let (tenant, app) = (self.purse.tenant.as_str(), self.purse.app.as_str());
            let usd = self.limit as f64 / NANOS_PER_USD;
            tracing::warn!(tenant, app, percent, budget_usd = usd, "a budget has passed an alert's mark");
        }
    }
}

impl Reservation {
    /// Sets `amount` aside in every budget, or in none. `beyond`: even where it is used up (the edge goes on serving under
    /// `then: edge-only`).
    ///
    /// # Errors
    /// The index of the budget that is used up.
    pub fn make<'b>(
        budgets: impl IntoIterator<Item = &'b Budget>,
        amount: NanoUsd,
        now: i64,
        beyond: bool,
    ) -> Result<Reservation, usize> {
        let mut reservation = Reservation::default();
        for (index, budget) in budgets.into_iter().enumerate() {
            // What was held so far goes back when `reservation` is dropped.
            reservation.held.push(budget.hold(amount, now, beyond).ok_or(index)?);
        }
        Ok(reservation)
    }

    /// Sets `amount` more aside in every budget that it holds, or in none: another attempt is about to cost. `beyond`: which budgets may be
    /// used up all the same.
    ///
    /// # Errors
    /// The index of the budget that is used up.
    pub fn raise(&mut self, amount: NanoUsd, now: i64, beyond: impl Fn(&Budget) -> bool) -> Result<(), usize> {
        let mut more: SmallVec<[Held; 2]> = SmallVec::new();
        for (index, held) in self.held.iter().enumerate() {
            let Some(added) = held.budget.hold(amount, now, beyond(&held.budget)) else {
                more.iter().for_each(|added| added.budget.settle(added, 0));
                return Err(index);
            };
            more.push(added);
        }
        for (held, added) in self.held.iter_mut().zip(more) {
            match held.turn == added.turn {
                true => held.amount = held.amount.saturating_add(added.amount),
                // A new period has begun; the request belongs to the one before.
                false => added.budget.settle(&added, 0),
            }
        }
        Ok(())
    }

    /// What was spent. Without it everything is given back.
    pub fn charge(&mut self, spent: NanoUsd) {
        self.charge = spent;
    }

    /// Takes over what another one holds.
    pub fn join(&mut self, mut other: Reservation) {
        self.held.append(&mut other.held);
    }

    pub fn is_empty(&self) -> bool {
        self.held.is_empty()
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        for held in &self.held {
            held.budget.settle(held, self.charge);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CENT: NanoUsd = 10_000_000;
    const DOLLAR: NanoUsd = 100 * CENT;
    const NOON: i64 = 1_790_000_000_000_000;
    const DAY: i64 = 86_400_000_000;

    fn budget(limit: NanoUsd, spent: NanoUsd) -> Budget {
        let purse = Purse::new("acme", "", Period::Day, TimeZone::UTC, NOON, spent);
        Budget { purse: Arc::new(purse), limit, then: Then::Reject }
    }

    #[test]
    fn many_threads_never_spend_more_than_the_budget_and_one_reservation() {
        let budget = budget(DOLLAR, 0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..200 {
                        let made = Reservation::make([&budget], 5 * CENT, NOON, false);
                        let balance = budget.purse.balance(NOON);
                        assert!(balance.spent + balance.reserved < DOLLAR + 5 * CENT);
                        if let Ok(mut reservation) = made {
                            reservation.charge(CENT);
                        }
                    }
                });
            }
        });
        let balance = budget.purse.balance(NOON);
        assert_eq!((balance.spent, balance.reserved), (DOLLAR, 0), "all of it is used, and not a cent more");
        assert!(budget.is_used_up(NOON));
    }

    #[test]
    fn what_was_not_used_is_given_back_and_a_restart_remembers_the_rest() {
        let budget = budget(DOLLAR, 40 * CENT);
        let held = Reservation::make([&budget], 30 * CENT, NOON, false).unwrap();
        assert!((budget.left(NOON) - 0.3).abs() < 1e-9);
        drop(held);
        assert!((budget.left(NOON) - 0.6).abs() < 1e-9);
    }

    #[test]
    fn an_absurd_reservation_hides_no_other() {
        let budget = budget(DOLLAR, 0);
        let usual = Reservation::make([&budget], 10 * CENT, NOON, false).unwrap();
        let absurd = Reservation::make([&budget], NanoUsd::MAX, NOON, false).unwrap();
        assert!(budget.is_used_up(NOON));
        drop(absurd);
        assert_eq!(budget.purse.balance(NOON).reserved, 10 * CENT);
        drop(usual);
    }

    #[test]
    fn a_further_attempt_raises_what_is_held_in_every_budget_or_in_none() {
        let (tenant, app) = (budget(DOLLAR, 0), budget(3 * CENT, 0));
        let mut held = Reservation::make([&tenant, &app], 2 * CENT, NOON, false).unwrap();
        held.raise(2 * CENT, NOON, |_| false).unwrap();
        assert_eq!(tenant.purse.balance(NOON).reserved, 4 * CENT);
        assert_eq!(held.raise(CENT, NOON, |_| false), Err(1), "the app's is used up by what is held");
        assert_eq!(tenant.purse.balance(NOON).reserved, 4 * CENT, "and the tenant's holds no more for it");
        held.charge(3 * CENT);
        drop(held);
        let balances = [&tenant, &app].map(|budget| budget.purse.balance(NOON));
        assert!(balances.iter().all(|balance| (balance.reserved, balance.spent) == (0, 3 * CENT)), "charged once");
    }

    #[test]
    fn either_every_budget_holds_or_none() {
        let (tenant, app) = (budget(DOLLAR, 0), budget(CENT, CENT));
        assert_eq!(Reservation::make([&tenant, &app], CENT, NOON, false).unwrap_err(), 1);
        assert_eq!(tenant.purse.balance(NOON).reserved, 0);
        let beyond = Reservation::make([&tenant, &app], CENT, NOON, true).unwrap();
        assert_eq!(app.purse.balance(NOON).reserved, CENT);
        drop(beyond);
    }

    #[test]
    fn a_new_day_begins_with_a_full_purse_and_late_ones_do_not_touch_it() {
        let budget = budget(DOLLAR, DOLLAR);
        assert!(budget.is_used_up(NOON));
        let mut late = Reservation::make([&budget], CENT, NOON, true).unwrap();
        late.charge(CENT);
        assert!(!budget.is_used_up(NOON + DAY));
        drop(late);
        assert_eq!(
            budget.purse.balance(NOON + DAY),
            Balance { spent: 0, reserved: 0, ..budget.purse.balance(NOON + DAY) }
        );
    }
}
