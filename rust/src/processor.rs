//! Moving a thread of ours off the processor of another one.
//!
//! Most systems start a thread on a processor that is idle. Virtual machines that let processors rest pack threads on one of
//! them and spread them after 10 ms or more, longer than many a call takes. So who wakes a thread, or works beside it, moves it
//! while it waits for its turn. Nothing is pinned: afterwards the thread may run wherever it could before, and the system may
//! move it whenever it likes.

/// How the system names a thread of this process, where it can be moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ThreadNumber(i32);

impl ThreadNumber {
    /// That of this thread.
    pub(crate) fn own() -> Self {
        #[cfg(all(target_os = "linux", not(any(miri, loom))))]
        // SAFETY: no arguments.
        return Self(unsafe { libc::gettid() });
        #[cfg(not(all(target_os = "linux", not(any(miri, loom)))))]
        Self(0)
    }
}

/// Held while a thread is moved: who saw it in between would take what is left of its affinity for the whole.
#[cfg(all(target_os = "linux", not(any(miri, loom))))]
static MOVING: std::sync::Mutex<()> = std::sync::Mutex::new(());

/// Moves a thread to another processor than that of this one, if it may run on any, and leaves it its affinity. Does nothing
/// while somebody else moves one; in a child that was forked meanwhile, never.
#[cfg(all(target_os = "linux", not(any(miri, loom))))]
pub(crate) fn keep_off(thread: ThreadNumber) {
    let Ok(_alone) = MOVING.try_lock() else { return };
    let bytes = size_of::<libc::cpu_set_t>();
    // SAFETY: no arguments.
    let here = usize::try_from(unsafe { libc::sched_getcpu() }).ok().filter(|n| *n < 8 * bytes);
    // SAFETY: a set of bits.
    let mut allowed: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the set has that many bytes. Nothing is done where there are more processors than bits, or no such thread.
    let known = unsafe { libc::sched_getaffinity(thread.0, bytes, &raw mut allowed) } == 0;
    let (Some(here), true) = (here, known) else { return };
    let mut others = allowed;
    // SAFETY: a bit of the set, as was checked; sets of that many bytes. The second call gives back what the first took.
    unsafe {
        libc::CPU_CLR(here, &mut others);
        if libc::CPU_COUNT(&others) > 0 && libc::sched_setaffinity(thread.0, bytes, &raw const others) == 0 {
            libc::sched_setaffinity(thread.0, bytes, &raw const allowed);
        }
    }
}

/// Does nothing where threads cannot be moved.
#[cfg(not(all(target_os = "linux", not(any(miri, loom)))))]
pub(crate) fn keep_off(_thread: ThreadNumber) {}

#[cfg(all(test, target_os = "linux", not(any(miri, loom))))]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    /// The processors that this thread may run on.
    fn allowed() -> Vec<usize> {
        // SAFETY: a set of bits, and calls with its address and size.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            assert_eq!(libc::sched_getaffinity(0, size_of_val(&set), &raw mut set), 0);
            (0..8 * size_of_val(&set)).filter(|n| libc::CPU_ISSET(*n, &set)).collect()
        }
    }

    #[test]
    fn a_thread_that_several_move_keeps_its_affinity() {
        let before = allowed();
        let (send, receive) = channel();
        let (go, wait) = channel::<()>();
        let moved = std::thread::spawn(move || {
            send.send(ThreadNumber::own()).unwrap();
            while wait.try_recv().is_err() {
                std::thread::yield_now();
            }
            allowed()
        });
        let number = receive.recv().unwrap();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..300).for_each(|_| keep_off(number)));
            }
        });
        go.send(()).unwrap();
        assert_eq!(moved.join().unwrap(), before);
    }

    #[test]
    fn a_thread_is_moved_off_the_processor_of_another() {
        // The system may put it back at once, but not every time.
        let apart = (0..1000).any(|_| {
            let (send, receive) = channel();
            let thread = std::thread::spawn(move || {
                send.send(ThreadNumber::own()).unwrap();
                // SAFETY: no arguments.
                unsafe { libc::sched_getcpu() }
            });
            keep_off(receive.recv().unwrap());
            // SAFETY: as above.
            let here = unsafe { libc::sched_getcpu() };
            thread.join().unwrap() != here
        });
        assert_eq!(apart, allowed().len() > 1);
    }

    #[test]
    fn threads_that_are_gone_are_left_alone() {
        keep_off(std::thread::spawn(ThreadNumber::own).join().unwrap());
        keep_off(ThreadNumber(i32::MAX));
    }
}
