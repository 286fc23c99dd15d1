//! What lines need to know of records before them: policies and currencies.
//! Both are configuration, so that they fit into memory.

use std::{collections::HashMap, sync::Arc};

use crate::{
    api::policy_reading::compile_stored,
    domain::{
        amount::Currency,
        change::{Change, Record},
        name::{AccountName, ProgrammeName, RevisionName},
        policy::{Policies, Policy},
        row::Row,
    },
};

/// What was learnt so far.
#[derive(Debug, Default)]
pub(super) struct Books {
    policies: HashMap<RevisionName, Arc<Policy>>,
    programmes: HashMap<ProgrammeName, Currency>,
    accounts: HashMap<AccountName, Currency>,
}

impl Books {
    /// Takes what a record configures; one in short configures nothing.
    pub(super) fn learn(&mut self, record: &Record) -> Result<(), String> {
        record.changes.iter().filter_map(Change::as_put).try_for_each(|row| self.take(row))
    }

    /// Takes what a row configures.
    pub(super) fn take(&mut self, row: &Row) -> Result<(), String> {
        match row {
            Row::Revision(revision) => {
                let policy = compile_stored(&revision.policy).map_err(|why| {
                    format!("{} is not read by this version: {why}", revision.name)
                })?;
                self.programmes.insert(revision.name.programme.clone(), policy.currency);
                self.policies.insert(revision.name.clone(), Arc::new(policy));
            }
            Row::Account(account) => {
                self.accounts.insert(account.name.clone(), account.currency);
            }
            _ => {}
        }
        Ok(())
    }

    /// A programme's currency: that of its last revision. `None`: it has none yet.
    pub(super) fn of_programme(&self, programme: &ProgrammeName) -> Option<Currency> {
        self.programmes.get(programme).copied()
    }

    /// An account's currency.
    pub(super) fn of_account(&self, account: &AccountName) -> Result<Currency, String> {
        let currency = self.accounts.get(account).copied();
        currency.ok_or_else(|| format!("the account {account} is not in the journal"))
    }

    /// The policy that decided something.
    pub(super) fn decided_by(&self, revision: &RevisionName) -> Result<Arc<Policy>, String> {
        let policy = self.policies.get(revision).cloned();
        policy.ok_or_else(|| format!("the revision {revision} is not in the journal"))
    }
}

impl Policies for Books {
    fn policy(&self, revision: &RevisionName) -> Option<Arc<Policy>> {
        self.policies.get(revision).cloned()
    }
}
