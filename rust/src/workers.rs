//! The threads that compute: one budget for the process, and one set of workers that all calls share.
//!
//! The *budget* is the number of threads that may compute at once: [`set_num_threads`], else the environment variable
//! `MITK_RS_NUM_THREADS`, else as many as this process may run (affinity and the quota of a control group count). A call is
//! *granted* what it asks for (all of the budget where it asks for nothing) or what others have left, at least one:
//! results do not depend on it. A call that is granted one computes on the very thread that called; one that is granted
//! more waits while as many *workers* compute. So the workers of all calls together never exceed the budget, however many
//! callers there are.
//!
//! Workers are threads of ours, started when they are first needed and kept for later calls, as many as the budget. Each call
//! gets a rayon pool of its own on top of them, so calls never share workers (barriers inside a pool cannot deadlock), and
//! code inside uses rayon as usual. Never rayon's global pool: it does not survive `fork` and is shared with strangers.
//! All of this belongs to a process: a forked child sees another process id and starts anew, with the budget of its parent.

use crate::error::{Error, Result};
use crate::processor::{self, ThreadNumber};
use crate::task::catch_panic;
use rayon::{ThreadBuilder, ThreadPool, ThreadPoolBuilder};
use std::cell::Cell;
use std::collections::VecDeque;
use std::io;
use std::ptr::NonNull;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

/// The most threads that anybody may ask for.
pub const MAX_THREADS: usize = 1024;

/// Name of the environment variable with the budget.
pub const VARIABLE: &str = "MITK_RS_NUM_THREADS";

/// The budget that was set; 0 for none. Survives `fork`.
static BUDGET: AtomicUsize = AtomicUsize::new(0);

fn check_threads(name: &'static str, n: usize) -> Result<usize> {
    let allowed = "1 to 1024";
    if (1..=MAX_THREADS).contains(&n) { Ok(n) } else { Err(Error::BadArgument { name, got: n.to_string(), allowed }) }
}

/// Sets how many threads of this process may compute at once; `None` for the default. Calls at work keep what they have.
///
/// # Errors
/// [`Error::BadArgument`] for 0 or more than [`MAX_THREADS`].
pub fn set_num_threads(threads: Option<usize>) -> Result<()> {
    let threads = threads.map(|n| check_threads("number of threads", n)).transpose()?;
    BUDGET.store(threads.unwrap_or(0), Ordering::Relaxed);
    // Idle workers beyond it may go.
    Workers::of_process().wake.notify_all();
    Ok(())
}

/// How many threads of this process may compute at once.
///
/// # Errors
/// [`Error::BadArgument`] where `MITK_RS_NUM_THREADS` is none that can be understood.
pub fn num_threads() -> Result<usize> {
    match BUDGET.load(Ordering::Relaxed) {
        0 => Workers::of_process().default.get_or_init(default_threads).clone(),
        set => Ok(set),
    }
}

fn default_threads() -> Result<usize> {
    match std::env::var(VARIABLE) {
        Ok(text) if !text.trim().is_empty() => {
            let number = text.trim().parse().ok().filter(|n| (1..=MAX_THREADS).contains(n));
            let allowed = "a whole number from 1 to 1024 is needed";
            number.ok_or(Error::BadArgument { name: VARIABLE, got: format!("{text:?}"), allowed })
        }
        _ => Ok(std::thread::available_parallelism().map_or(1, usize::from).min(MAX_THREADS)),
    }
}

/// The workers of one process.
struct Workers {
    process: u32,
    /// The budget where none was set.
    default: OnceLock<Result<usize>>,
    state: Mutex<State>,
    /// A worker is wanted, or may go.
    wake: Condvar,
}

#[derive(Default)]
struct State {
    /// Threads of the budget that compute: workers, and callers that compute themselves.
    busy: usize,
    /// Workers that calls have, those that were asked for exactly ([`run_on`]) too. Never more than are `alive`.
    granted: usize,
    /// Workers that exist.
    alive: usize,
    /// Pool members that no worker has begun to be.
    queue: VecDeque<ThreadBuilder>,
    /// Those workers, but for a moment at the beginning and the end of each.
    numbers: Vec<ThreadNumber>,
}

static WORKERS: AtomicPtr<Workers> = AtomicPtr::new(std::ptr::null_mut());

impl Workers {
    /// Those of this process, made anew in a forked child.
    fn of_process() -> &'static Self {
        let process = std::process::id();
        let current = WORKERS.load(Ordering::Acquire);
        // SAFETY: the pointer is null or came from `Box::into_raw` below, and is never freed.
        if let Some(found) = unsafe { current.as_ref() }
            && found.process == process
        {
            return found;
        }
        let fresh = Self { process, default: OnceLock::new(), state: Mutex::default(), wake: Condvar::new() };
        let fresh = Box::into_raw(Box::new(fresh));
        match WORKERS.compare_exchange(current, fresh, Ordering::AcqRel, Ordering::Acquire) {
            // SAFETY: `fresh` was just leaked into a `'static`.
            Ok(_) => unsafe { &*fresh },
            Err(_) => {
                // SAFETY: nobody else has seen `fresh`.
                drop(unsafe { Box::from_raw(fresh) });
                Self::of_process()
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What a call may use of the budget: what it asks for, or what is left, at least one.
    fn grant(&'static self, asked: Option<usize>) -> Result<Grant> {
        let asked = asked.map(|n| check_threads("threads", n)).transpose()?;
        let budget = num_threads()?;
        let mut state = self.lock();
        let threads = asked.unwrap_or(budget).min(budget.saturating_sub(state.busy)).max(1);
        state.busy += threads;
        Ok(Grant { workers: self, threads })
    }

    /// A pool of `threads` workers, or of fewer where the system starts no more; `None` where it starts none.
    fn pool(&'static self, mut threads: usize) -> Option<Pool> {
        while threads > 0 {
            self.lock().granted += threads;
            let builder = ThreadPoolBuilder::new().num_threads(threads).spawn_handler(|member| self.employ(member));
            match builder.build() {
                Ok(pool) => return Some(Pool { workers: self, pool: Some(pool), threads }),
                Err(_) => {
                    let mut state = self.lock();
                    state.granted -= threads;
                    threads = (threads - 1).min(state.alive.saturating_sub(state.granted));
                }
            }
        }
        None
    }

    /// Gives a member of a pool to a worker: one that is idle, will soon be, or is started.
    fn employ(&'static self, member: ThreadBuilder) -> io::Result<()> {
        let mut state = self.lock();
        if state.alive < state.granted {
            state.alive += 1;
            let name = format!("mitk_rs-{}", state.alive);
            drop(state);
            let started = std::thread::Builder::new().name(name).spawn(move || self.serve());
            state = self.lock();
            if let Err(refused) = started {
                state.alive -= 1;
                return Err(refused);
            }
        }
        state.queue.push_back(member);
        drop(state);
        self.wake.notify_one();
        Ok(())
    }

    /// The life of a worker: a member of one pool after the other, until there are more workers than anybody may want.
    fn serve(&self) {
        let own = ThreadNumber::own();
        let mut state = self.lock();
        state.numbers.push(own);
        loop {
            if let Some(member) = state.queue.pop_front() {
                drop(state);
                member.run();
                state = self.lock();
            } else if state.alive > state.granted.max(num_threads().unwrap_or(1)) {
                state.alive -= 1;
                state.numbers.retain(|number| *number != own);
                return;
            } else {
                state = self.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }
}

/// A share of the budget, given back when dropped.
struct Grant {
    workers: &'static Workers,
    threads: usize,
}

impl Drop for Grant {
    fn drop(&mut self) {
        // What a parent had granted is of no concern to its forked child.
        if self.workers.process == std::process::id() {
            self.workers.lock().busy -= self.threads;
        }
    }
}

/// Workers that form a rayon pool, sent back when dropped.
struct Pool {
    workers: &'static Workers,
    pool: Option<ThreadPool>,
    threads: usize,
}

impl Drop for Pool {
    fn drop(&mut self) {
        // Before the workers come back, so that those who are too many see it.
        self.workers.lock().granted -= self.threads;
        drop(self.pool.take());
    }
}

/// What becomes of work that others do.
struct Outcome<T> {
    result: Mutex<Option<Result<T>>>,
    ready: Condvar,
}

impl<T> Outcome<T> {
    fn lock(&self) -> MutexGuard<'_, Option<Result<T>>> {
        self.result.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn set(&self, result: Result<T>) {
        *self.lock() = Some(result);
        self.ready.notify_all();
    }

    /// Waits, calling `poll` every `every` with no lock held. `None` where this process is a child forked by `poll`.
    fn wait(&self, every: Duration, poll: &mut dyn FnMut()) -> Option<Result<T>> {
        let process = std::process::id();
        let mut result = self.lock();
        loop {
            if let Some(result) = result.take() {
                return Some(result);
            }
            let (next, timeout) = self.ready.wait_timeout(result, every).unwrap_or_else(PoisonError::into_inner);
            result = next;
            if timeout.timed_out() && result.is_none() {
                drop(result);
                poll();
                if std::process::id() != process {
                    return None;
                }
                result = self.lock();
            }
        }
    }
}

/// Waits for the outcome also where `poll` panics: until then the workers use what the caller lent them.
struct WaitOnDrop<'a, T>(&'a Outcome<T>);

impl<T> Drop for WaitOnDrop<'_, T> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.wait(Duration::MAX, &mut || ());
        }
    }
}

type Job<'a> = Box<dyn FnOnce() + Send + 'a>;

/// Hands a job over to a pool, whatever it borrows.
///
/// # Safety
/// The caller must not return or unwind, and what the job borrows must not change, before the job has run to its end.
unsafe fn spawn(pool: &ThreadPool, job: Job<'_>) {
    // SAFETY: only the lifetime changes, and the caller sees to it that the job has ended before.
    pool.spawn(unsafe { std::mem::transmute::<Job<'_>, Job<'static>>(job) });
}

impl Pool {
    /// Runs `work` on a worker, calling `poll` on this thread every `every` until it is done.
    fn run<T: Send>(
        self,
        every: Duration,
        poll: &mut dyn FnMut(),
        work: impl FnOnce() -> Result<T> + Send,
    ) -> Result<T> {
        let Some(pool) = &self.pool else { return Err(Error::Internal("a pool without workers".into())) };
        let outcome = Arc::new(Outcome { result: Mutex::new(None), ready: Condvar::new() });
        let theirs = Arc::clone(&outcome);
        // SAFETY: below we wait until the job has set the outcome, which is the last that it does; also if `poll` panics
        // (`WaitOnDrop`). In a forked child we do not wait, but there no thread exists that could run the job.
        unsafe { spawn(pool, Box::new(move || theirs.set(catch_panic(work)))) };
        let result = {
            let _wait = WaitOnDrop(&outcome);
            outcome.wait(every, poll)
        };
        result.unwrap_or_else(|| {
            // The workers and their locks stayed with the parent.
            std::mem::forget((self, outcome));
            Err(Error::Forked)
        })
    }
}

/// Runs `work` on the calling thread, as the only member of a rayon pool; what it calls [`poll_here`] for calls `poll`.
fn run_here<T>(poll: &mut dyn FnMut(), work: impl FnOnce() -> Result<T>) -> Result<T> {
    if HERE.get() {
        // Called back by such work: its pool serves.
        return polling(poll, || catch_panic(work));
    }
    let mut member = None;
    let builder = ThreadPoolBuilder::new().num_threads(1).spawn_handler(|this| {
        member = Some(this);
        Ok(())
    });
    let pool = builder.build().map_err(|error| Error::Internal(format!("a pool of the calling thread: {error}")))?;
    let Some(member) = member else { return Err(Error::Internal("a pool without a member".into())) };
    let mut result = None;
    let pool = Arc::new(Mutex::new(Some(pool)));
    let job = OnThisThread(|| {
        let _here = SetHere::new();
        result = Some(polling(poll, || catch_panic(work)));
        // The member has nothing else to do.
        drop(pool.lock().unwrap_or_else(PoisonError::into_inner).take());
    });
    if let Some(pool) = &*pool.lock().unwrap_or_else(PoisonError::into_inner) {
        // SAFETY: the job runs in `member.run()`, which does not return before the job has dropped the pool.
        unsafe { spawn(pool, Box::new(move || job.run())) };
    }
    member.run();
    result.unwrap_or_else(|| Err(Error::Internal("the calling thread ended without a result".into())))
}

/// Code that stays on its thread although it is handed to a pool.
struct OnThisThread<F>(F);

// SAFETY: the only member of the pool is the thread that hands it over.
unsafe impl<F> Send for OnThisThread<F> {}

impl<F: FnOnce()> OnThisThread<F> {
    fn run(self) {
        (self.0)();
    }
}

type Poll = NonNull<dyn FnMut()>;

thread_local! {
    /// Whether this thread is the only member of the pool that it computes in.
    static HERE: Cell<bool> = const { Cell::new(false) };
    /// What to call now and then while this thread computes.
    static POLL: Cell<Option<Poll>> = const { Cell::new(None) };
}

struct SetHere;

impl SetHere {
    fn new() -> Self {
        HERE.set(true);
        Self
    }
}

impl Drop for SetHere {
    fn drop(&mut self) {
        HERE.set(false);
    }
}

/// Puts a poll back when dropped.
struct PutBack(Option<Poll>);

impl Drop for PutBack {
    fn drop(&mut self) {
        POLL.set(self.0);
    }
}

/// Lets `poll` be called by [`poll_here`] while `work` runs on this thread.
fn polling<T>(poll: &mut dyn FnMut(), work: impl FnOnce() -> T) -> T {
    // SAFETY: only the lifetime is forgotten; `_back` takes the pointer away again before `poll` is given back.
    let poll = unsafe { std::mem::transmute::<NonNull<dyn FnMut() + '_>, Poll>(NonNull::from(poll)) };
    let _back = PutBack(POLL.replace(Some(poll)));
    work()
}

/// Gives a caller that computes itself the occasion to look around: [`crate::task::TaskControl`] calls it at every check.
#[inline]
pub(crate) fn poll_here() {
    // Taken away meanwhile: what it calls may compute, too, and poll for itself.
    if let Some(mut poll) = POLL.take() {
        let _back = PutBack(Some(poll));
        // SAFETY: set by `polling` further up this thread's stack, whose borrow lasts; nobody else uses it just now.
        unsafe { poll.as_mut()() };
    }
}

/// Checks of its [`crate::task::TaskControl`] at which work on several workers moves them apart: at the first one it has begun
/// to share, or is about to.
const CHECKS: u32 = 2;

/// Moves workers that were woken on the processor of this one, and wait for their turn there, to others.
fn spread() {
    let own = ThreadNumber::own();
    let numbers = Workers::of_process().lock().numbers.clone();
    numbers.into_iter().filter(|number| *number != own).for_each(processor::keep_off);
}

/// Runs `work` on as many threads as are asked for and free, inside a rayon pool of that size.
///
/// While it runs, `poll` is called on this thread: about every `every` where workers compute, and at every check of the
/// work's [`crate::task::TaskControl`] where this thread computes itself, so `poll` should look at a clock first. A panic of
/// `work` becomes [`Error::Internal`].
///
/// # Errors
/// What `work` returns; [`Error::BadArgument`] for a number of threads beyond 1 to 1024 or an environment variable that is
/// none; [`Error::Forked`] in a child that `poll` has forked while workers compute: they stayed with the parent.
pub fn run<T: Send>(
    threads: Option<usize>,
    every: Duration,
    mut poll: impl FnMut(),
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    let workers = Workers::of_process();
    let grant = workers.grant(threads)?;
    run_granted(workers, grant.threads, every, &mut poll, work)
}

/// Runs `work` on exactly `threads` threads, or as many as the system starts, whatever the budget says: for tests and benches.
///
/// # Errors
/// As [`run`].
pub fn run_on<T: Send>(threads: usize, work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let threads = check_threads("threads", threads)?;
    run_granted(Workers::of_process(), threads, Duration::from_secs(3600), &mut || (), work)
}

fn run_granted<T: Send>(
    workers: &'static Workers,
    threads: usize,
    every: Duration,
    poll: &mut dyn FnMut(),
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    // A worker of somebody else's pool cannot be a member of a second one.
    let foreign = rayon::current_thread_index().is_some() && !HERE.get();
    let pool = if threads > 1 || foreign { workers.pool(threads) } else { None };
    match pool {
        Some(pool) => pool.run(every, poll, || {
            let mut checks = 0..CHECKS;
            polling(&mut || checks.next().into_iter().for_each(|_| spread()), work)
        }),
        None if foreign => Err(Error::Internal("no thread could be started inside a rayon pool".into())),
        None => run_here(poll, work),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::task::TaskControl;
    use std::thread;

    #[test]
    fn work_runs_in_a_pool_of_the_size_asked_for() {
        for n in [1, 2, 3, 16, 2, 1] {
            assert_eq!(run_on(n, || Ok(rayon::current_num_threads())), Ok(n));
            assert_eq!(run_on(n, || Ok(rayon::broadcast(|c| c.index()))), Ok((0..n).collect()));
        }
    }

    #[test]
    fn one_thread_is_the_caller_s_own() {
        let here = thread::current().id();
        assert_eq!(run_on(1, || Ok(thread::current().id())), Ok(here));
        assert_ne!(run_on(2, || Ok(thread::current().id())), Ok(here));
        assert_eq!(
            run_on(1, || Ok(rayon::join(|| thread::current().id(), || thread::current().id()))),
            Ok((here, here))
        );
        assert_eq!(rayon::current_thread_index(), None);
    }

    #[test]
    fn a_panic_becomes_an_error_and_workers_live_on() {
        for n in [1, 2] {
            let result: Result<()> = run_on(n, || panic!("injected"));
            assert_eq!(result, Err(Error::Internal("injected".into())));
            assert_eq!(run_on(n, || Ok(7)), Ok(7));
        }
    }

    #[test]
    fn a_poll_can_cancel_wherever_the_work_runs() {
        for threads in [1, 2] {
            let control = TaskControl::default();
            let work = || loop {
                control.check()?;
                thread::sleep(Duration::from_millis(1));
            };
            let mut polls = 0;
            let mut poll = || {
                polls += 1;
                if polls == 3 {
                    control.cancel();
                }
            };
            let workers = Workers::of_process();
            let result: Result<()> = run_granted(workers, threads, Duration::from_millis(5), &mut poll, work);
            assert_eq!((result, polls), (Err(Error::Cancelled), 3));
        }
    }

    #[test]
    fn work_that_a_poll_starts_has_threads_of_its_own() {
        for (outer, inner) in [(1, 1), (1, 2), (2, 1), (2, 2)] {
            let control = TaskControl::default();
            let mut found = Vec::new();
            let mut poll = || {
                if found.is_empty() {
                    found = run_on(inner, || Ok(rayon::broadcast(|c| c.index()))).unwrap();
                    control.cancel();
                }
            };
            let work = || -> Result<()> {
                loop {
                    control.check()?;
                    thread::yield_now();
                }
            };
            let workers = Workers::of_process();
            let result = run_granted(workers, outer, Duration::from_millis(1), &mut poll, work);
            assert_eq!((result, found.len()), (Err(Error::Cancelled), inner));
        }
    }

    #[test]
    fn callers_inside_a_pool_of_others_get_a_worker() {
        let pool = ThreadPoolBuilder::new().num_threads(2).build().unwrap();
        for n in [1, 2] {
            let counted = pool.install(|| rayon::join(|| run_on(n, || Ok(rayon::current_num_threads())), || 0).0);
            assert_eq!(counted, Ok(n));
        }
    }

    #[test]
    fn what_others_have_left_is_granted() {
        let process = std::process::id();
        let default = OnceLock::from(Ok(4));
        let workers = Workers { process, default, state: Mutex::default(), wake: Condvar::new() };
        let workers: &'static Workers = Box::leak(Box::new(workers));
        let budget = num_threads().unwrap();
        let first = workers.grant(None).unwrap();
        assert_eq!(first.threads, budget);
        let more: Vec<Grant> = [None, Some(1), Some(1000)].map(|asked| workers.grant(asked).unwrap()).into();
        assert!(more.iter().all(|grant| grant.threads == 1));
        drop(more);
        drop(first);
        assert_eq!(workers.lock().busy, 0);
        assert_eq!(workers.grant(Some(1000)).unwrap().threads, budget);
    }

    #[test]
    fn thread_counts_are_checked() {
        assert!(run_on(0, || Ok(())).is_err());
        assert!(run(Some(4096), Duration::ZERO, || (), || Ok(())).is_err());
        assert!(set_num_threads(Some(0)).is_err());
        assert!(set_num_threads(Some(MAX_THREADS + 1)).is_err());
        assert!(num_threads().unwrap() >= 1);
    }
}
