//! The background thread: brings frozen tables to rest, and merges runs when
//! no table waits. The only one that writes.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
    sync::Arc,
    thread::{self, JoinHandle},
    time::Instant,
};

use super::{
    super::damage::Damage,
    Mark, Table,
    manifest::{Manifest, Named},
    merging::{Merging, Plan},
    options::{Counts, Options},
    pace::Pacing,
    run::Run,
    set::Set,
    shared::{Shared, Task},
    writer::Writer,
};

/// While more merges than these are to be done, there are no pauses: the one that
/// has begun, and one that waits for it.
const MOST_MERGES: usize = 2;

/// The state of the thread.
#[derive(Debug)]
pub(super) struct Worker {
    /// Where the runs are.
    pub(super) dir: PathBuf,
    /// How they are kept.
    pub(super) options: Options,
    /// What the others know.
    pub(super) shared: Arc<Shared>,
    /// What the last manifest says.
    pub(super) manifest: Manifest,
    /// The runs that it names.
    pub(super) set: Arc<Set>,
    /// The merge that has begun.
    pub(super) merging: Option<Merging>,
    /// When the last table came, and what was done since.
    pub(super) pacing: Pacing,
}

impl Worker {
    /// Starts the thread.
    pub(super) fn spawn(self) -> Result<JoinHandle<()>, Damage> {
        let (shared, dir) = (self.shared.clone(), self.dir.clone());
        let run = move || {
            behind_others();
            let ended = catch_unwind(AssertUnwindSafe(|| self.run()));
            let panicked = || Damage::Defect("the thread that writes runs panicked".to_owned());
            if let Err(damage) = ended.unwrap_or_else(|_| Err(panicked())) {
                shared.break_down(damage);
            }
        };
        thread::Builder::new().name("runs".to_owned()).spawn(run).map_err(Damage::io(dir))
    }

    fn run(mut self) -> Result<(), Damage> {
        let mut plan = None;
        loop {
            if self.merging.is_none() && plan.is_none() {
                plan = Plan::of(&self.set, self.fan_in());
            }
            match self.shared.next(self.merging.is_some() || plan.is_some()) {
                Task::Freeze(table) => self.freeze(table)?,
                Task::Merge => match plan.take() {
                    Some(plan) => self.begin_merge(plan)?,
                    None => self.merge()?,
                },
                Task::End => return Ok(()),
            }
        }
    }

    fn next_number(&mut self) -> Result<u64, Damage> {
        let number = self.manifest.next;
        let next = number.checked_add(1);
        self.manifest.next = next.ok_or_else(|| Damage::Defect("no numbers left".to_owned()))?;
        Ok(number)
    }

    fn freeze(&mut self, table: Table) -> Result<(), Damage> {
        let number = self.next_number()?;
        let most = Counts { always: table.count, small: 0 };
        let mut writer = Writer::begin(&self.dir, (number, 0), (table.count, most), &self.options)?;
        let mut is_abandoned = false;
        self.pacing.table(now());
        (table.entries)(&mut |key, value| {
            if writer.push(key, value)? {
                self.breathe();
                is_abandoned = self.shared.is_abandoned();
            }
            Ok(!is_abandoned)
        })?;
        if is_abandoned {
            return Ok(());
        }
        let set = match writer.finish()? {
            Some(named) => self.set.with(self.open(named)?),
            None => (*self.set).clone(),
        };
        self.publish(set, table.mark.clone())?;
        self.shared.rest(table.mark);
        self.pacing.rest(now());
        Ok(())
    }

    fn begin_merge(&mut self, plan: Plan) -> Result<(), Damage> {
        let number = self.next_number()?;
        self.pacing.go_on(now());
        self.merging = Some(Merging::begin(&self.dir, number, plan, &self.options)?);
        Ok(())
    }

    /// Pauses, when a piece of work is done.
    fn breathe(&mut self) {
        let Some(pause) = self.pacing.pause(now()) else { return };
        // Tables go before merges: with pauses there might never be time for those.
        if Plan::count(&self.set, self.fan_in()) <= MOST_MERGES {
            self.shared.pause(pause);
        }
        self.pacing.go_on(now());
    }

    fn fan_in(&self) -> usize {
        self.options.fan_in.max(2)
    }

    fn merge(&mut self) -> Result<(), Damage> {
        let Some(merging) = &mut self.merging else { return Ok(()) };
        if merging.step()? {
            self.breathe();
            return Ok(());
        }
        let Some(merging) = self.merging.take() else { return Ok(()) };
        let (old, new) = merging.finish()?;
        let new = new.map(|named| self.open(named)).transpose()?;
        let set = self.set.with_merged(&old, new);
        self.publish(set, self.manifest.mark.clone())?;
        old.iter().try_for_each(|run| run.remove())?;
        self.pacing.rest(now());
        Ok(())
    }

    fn open(&self, named: Named) -> Result<Arc<Run>, Damage> {
        Run::open(&self.dir, named).map(Arc::new)
    }

    fn publish(&mut self, set: Set, mark: Mark) -> Result<(), Damage> {
        self.manifest.runs = set.named();
        self.manifest.mark = mark;
        self.manifest.write(&self.dir, &*self.options.disk)?;
        self.set = Arc::new(set);
        self.shared.show(self.set.clone());
        Ok(())
    }
}

#[allow(clippy::disallowed_methods, reason = "how long pauses are is no one's answer")]
pub(super) fn now() -> Instant {
    Instant::now()
}

/// Gives this thread about a tenth of a processor that others want too: rows are
/// put away behind decisions, and are to take little from those that somebody
/// waits for. When it is too far behind, who would freeze more waits for it.
pub(in crate::store::sled) fn behind_others() {
    // On Linux this is the priority of the calling thread alone. Where it is
    // refused, everything works, with longer pauses.
    #[cfg(target_os = "linux")]
    let _ = rustix::process::setpriority_process(None, 10);
}
