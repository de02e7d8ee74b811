//! What the ledger promises, with real threads; under `cfg(loom)` in every order loom can think of.

use super::*;

fn key(thread: u64) -> ThreadKey {
    ThreadKey { process: 1, thread }
}

fn request(thread: u64, access: Access, steps: Range<usize>) -> Request {
    Request { access, steps, thread: key(thread), place: None }
}

fn never(held: &Request) -> Result<Duration> {
    Err(Error::LockTimeout { held: held.lock(), waited: Duration::ZERO })
}

#[cfg(not(loom))]
mod threads {
    use super::*;
    use std::sync::mpsc;
    use std::thread;
    use std::time::Instant;

    const WHOLE: Range<usize> = ALL_STEPS;

    fn lease(ledger: &Arc<Ledger>, thread: u64, access: Access, steps: Range<usize>) -> Result<Lease> {
        ledger.acquire(request(thread, access, steps), never)
    }

    #[test]
    fn outcomes_are_those_of_the_table() {
        use Access::{Read, Write};
        // Held, asked for, whether the same thread gets it, whether another one does.
        let table = [(Read, Read, true), (Read, Write, false), (Write, Read, false), (Write, Write, false)];
        for (held, wanted, granted) in table {
            let ledger = Arc::<Ledger>::default();
            let first = lease(&ledger, 1, held, WHOLE).unwrap();
            let own = lease(&ledger, 1, wanted, WHOLE);
            assert_eq!(own.is_ok(), granted);
            assert!(granted || matches!(own, Err(Error::Locked { .. })));
            let other = lease(&ledger, 2, wanted, WHOLE);
            assert!(if granted { other.is_ok() } else { matches!(other, Err(Error::LockTimeout { .. })) });
            drop((own, other, first));
            assert!(lease(&ledger, 2, wanted, WHOLE).is_ok());
        }
    }

    #[test]
    fn disjoint_steps_never_meet() {
        let ledger = Arc::<Ledger>::default();
        let _first = lease(&ledger, 1, Access::Write, 0..1).unwrap();
        let _second = lease(&ledger, 1, Access::Write, 1..2).unwrap();
        let _third = lease(&ledger, 2, Access::Write, 2..4).unwrap();
        assert!(matches!(lease(&ledger, 2, Access::Read, 1..2), Err(Error::LockTimeout { .. })));
        assert!(matches!(lease(&ledger, 2, Access::Read, WHOLE), Err(Error::Locked { .. })));
        assert_eq!(ledger.held(), 3);
    }

    #[test]
    fn own_lease_is_found_behind_a_stranger_s() {
        let ledger = Arc::<Ledger>::default();
        let _stranger = lease(&ledger, 1, Access::Read, WHOLE).unwrap();
        let _own = lease(&ledger, 2, Access::Read, WHOLE).unwrap();
        let refused = ledger.acquire(request(2, Access::Write, WHOLE), |_| panic!("must not wait"));
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("this thread already holds a read accessor on the whole image"), "{text}");
    }

    #[test]
    fn messages_name_steps_thread_and_place() {
        let place = Place { file: "a.py".into(), line: 7, thread: "worker".into() };
        let held = Request { place: Some(place), ..request(1, Access::Write, 3..4) };
        assert_eq!(held.lock().to_string(), "a write accessor on time step 3 (thread worker, opened at a.py:7)");
        assert_eq!(request(1, Access::Read, 1..3).lock().to_string(), "a read accessor on time steps 1 to 2");
    }

    #[test]
    fn a_lease_of_another_process_is_not_waited_for() {
        let ledger = Arc::<Ledger>::default();
        let _parent = lease(&ledger, 1, Access::Write, WHOLE).unwrap();
        let child = Request { thread: ThreadKey { process: 2, thread: 5 }, ..request(5, Access::Read, WHOLE) };
        let text = ledger.acquire(child, |_| panic!("must not wait")).unwrap_err().to_string();
        assert!(text.contains("forked"), "{text}");
    }

    #[test]
    fn a_release_in_another_thread_wakes_the_waiting() {
        let ledger = Arc::<Ledger>::default();
        let held = lease(&ledger, 1, Access::Read, WHOLE).unwrap();
        let (waits, waiting) = mpsc::channel();
        let waiter = {
            let ledger = Arc::clone(&ledger);
            let patience = move |_: &Request| {
                waits.send(()).unwrap();
                Ok(Duration::from_secs(60))
            };
            thread::spawn(move || ledger.acquire(request(2, Access::Write, WHOLE), patience).map(drop))
        };
        waiting.recv().unwrap();
        thread::spawn(move || drop(held)).join().unwrap();
        assert_eq!(waiter.join().unwrap(), Ok(()));
        assert_eq!(ledger.held(), 0);
    }

    #[test]
    fn a_waiting_writer_does_not_hold_up_readers() {
        let ledger = Arc::<Ledger>::default();
        let held = lease(&ledger, 1, Access::Read, WHOLE).unwrap();
        let (waits, waiting) = mpsc::channel();
        let patience = move |_: &Request| {
            waits.send(()).unwrap();
            Ok(Duration::from_secs(60))
        };
        let writer = {
            let ledger = Arc::clone(&ledger);
            thread::spawn(move || ledger.acquire(request(2, Access::Write, WHOLE), patience).map(drop))
        };
        waiting.recv().unwrap();
        let again = lease(&ledger, 1, Access::Read, WHOLE).unwrap();
        let stranger = lease(&ledger, 3, Access::Read, WHOLE).unwrap();
        drop((held, again, stranger));
        assert_eq!(writer.join().unwrap(), Ok(()));
    }

    #[test]
    fn giving_up_leaves_nothing_behind() {
        let ledger = Arc::<Ledger>::default();
        let held = lease(&ledger, 1, Access::Write, WHOLE).unwrap();
        let began = Instant::now();
        let (wait, mut asked) = (Duration::from_millis(30), 0);
        let patience = |_: &Request| {
            asked += 1;
            if began.elapsed() < wait { Ok(wait) } else { never(&request(2, Access::Read, WHOLE)) }
        };
        assert!(matches!(ledger.acquire(request(2, Access::Read, WHOLE), patience), Err(Error::LockTimeout { .. })));
        assert!(began.elapsed() >= wait);
        assert!(asked < 10, "asked {asked} times, so it does not sleep between");
        drop(held);
        assert_eq!(ledger.held(), 0);
    }

    #[test]
    fn a_change_of_the_whole_needs_a_free_ledger() {
        let ledger = Arc::<Ledger>::default();
        let held = lease(&ledger, 1, Access::Read, 2..3).unwrap();
        let text = ledger.when_free(|| ()).unwrap_err().to_string();
        assert!(text.contains("a read accessor on time step 2 is alive"), "{text}");
        drop(held);
        assert_eq!(ledger.when_free(|| 5), Ok(5));
    }

    proptest::proptest! {
        /// Any sequence of requests and releases by three threads is answered as MITK's rules say.
        #[test]
        fn every_sequence_follows_the_rules(
            moves in proptest::collection::vec((0u64..3, proptest::bool::ANY, 0usize..4, 1usize..3, 0usize..8), 1..60),
        ) {
            let ledger = Arc::<Ledger>::default();
            let mut held: Vec<(Request, Lease)> = Vec::new();
            for (thread, writes, first, count, release) in moves {
                if release < held.len() {
                    held.swap_remove(release);
                }
                let access = if writes { Access::Write } else { Access::Read };
                let asked = request(thread, access, first..first + count);
                let meets = |other: &Request| (first..first + count).any(|step| other.steps.contains(&step));
                let in_the_way: Vec<&Request> = held
                    .iter()
                    .map(|(other, _)| other)
                    .filter(|other| meets(other) && (writes || other.access == Access::Write))
                    .collect();
                match ledger.acquire(asked.clone(), never) {
                    Ok(lease) => {
                        assert!(in_the_way.is_empty());
                        held.push((asked, lease));
                    }
                    Err(Error::Locked { .. }) => assert!(in_the_way.iter().any(|other| other.thread == asked.thread)),
                    Err(_) => {
                        assert!(!in_the_way.is_empty());
                        assert!(in_the_way.iter().all(|other| other.thread != asked.thread));
                    }
                }
                assert_eq!(ledger.held(), held.len());
            }
        }
    }

    #[test]
    fn threads_have_keys_of_their_own() {
        let own = ThreadKey::current();
        assert_eq!(own, ThreadKey::current());
        let other = thread::spawn(ThreadKey::current).join().unwrap();
        assert!(own.can_wait_for(other) && !own.can_wait_for(own));
    }
}

#[cfg(loom)]
mod interleavings {
    use super::*;
    use loom::cell::UnsafeCell;
    use loom::thread;

    fn patient(_: &Request) -> Result<Duration> {
        Ok(Duration::from_secs(1))
    }

    /// The ledger and what it protects; loom's cell complains about any racing access.
    #[derive(Default)]
    struct Guarded {
        ledger: Arc<Ledger>,
        steps: [UnsafeCell<u32>; 2],
    }

    // SAFETY: the cells are only accessed under leases, which is what the models below verify.
    unsafe impl Sync for Guarded {}

    impl Guarded {
        fn write(&self, thread: u64, step: usize) {
            let lease = self.ledger.acquire(request(thread, Access::Write, step..step + 1), patient).unwrap();
            // SAFETY: loom verifies that the lease excludes everybody else.
            self.steps[step].with_mut(|value| unsafe { *value += 1 });
            drop(lease);
        }

        fn read(&self, thread: u64, step: usize) -> u32 {
            let lease = self.ledger.acquire(request(thread, Access::Read, step..step + 1), patient).unwrap();
            // SAFETY: loom verifies that the lease excludes writers.
            let value = self.steps[step].with(|value| unsafe { *value });
            drop(lease);
            value
        }
    }

    /// Works in another thread on something that this one keeps.
    fn beside<S: 'static, T: 'static>(
        shared: &Arc<S>,
        work: impl FnOnce(&Arc<S>) -> T + 'static,
    ) -> thread::JoinHandle<T> {
        let shared = Arc::clone(shared);
        thread::spawn(move || work(&shared))
    }

    #[test]
    fn two_readers_and_one_writer_never_race_nor_hang() {
        loom::model(|| {
            let guarded = Arc::new(Guarded::default());
            let readers: Vec<_> =
                (1..3).map(|thread| beside(&guarded, move |guarded| guarded.read(thread, 0))).collect();
            guarded.write(9, 0);
            for reader in readers {
                assert!(reader.join().unwrap() <= 1);
            }
            assert_eq!((guarded.read(9, 0), guarded.ledger.held()), (1, 0));
        });
    }

    #[test]
    fn two_writers_lose_no_update() {
        loom::model(|| {
            let guarded = Arc::new(Guarded::default());
            let other = beside(&guarded, |guarded| guarded.write(1, 0));
            guarded.write(2, 0);
            guarded.write(2, 1);
            other.join().unwrap();
            assert_eq!(guarded.read(2, 0), 2);
        });
    }

    #[test]
    fn own_conflict_is_refused_whatever_others_do() {
        loom::model(|| {
            let ledger = Arc::<Ledger>::default();
            let own = ledger.acquire(request(1, Access::Read, 0..1), patient).unwrap();
            let other = beside(&ledger, |ledger| {
                drop(ledger.acquire(request(2, Access::Read, 0..1), patient).unwrap());
            });
            let refused = ledger.acquire(request(1, Access::Write, 0..1), |_| panic!("must not wait"));
            assert!(matches!(refused, Err(Error::Locked { .. })));
            drop(own);
            other.join().unwrap();
            assert_eq!(ledger.held(), 0);
        });
    }

    #[test]
    fn giving_up_races_with_the_release() {
        loom::model(|| {
            let ledger = Arc::<Ledger>::default();
            let held = ledger.acquire(request(1, Access::Write, 0..1), patient).unwrap();
            let impatient = beside(&ledger, |ledger| ledger.acquire(request(2, Access::Read, 0..1), never).map(drop));
            drop(held);
            let result = impatient.join().unwrap();
            assert!(matches!(result, Ok(()) | Err(Error::LockTimeout { .. })));
            assert_eq!(ledger.held(), 0);
        });
    }

    #[test]
    fn a_lease_may_be_dropped_in_another_thread() {
        loom::model(|| {
            let ledger = Arc::<Ledger>::default();
            let first = ledger.acquire(request(1, Access::Read, 0..1), patient).unwrap();
            let second = ledger.acquire(request(1, Access::Read, 0..1), patient).unwrap();
            let drops = thread::spawn(move || drop(first));
            let writes = beside(&ledger, |ledger| {
                drop(ledger.acquire(request(2, Access::Write, 0..1), patient).unwrap());
            });
            drop(second);
            drops.join().unwrap();
            writes.join().unwrap();
            assert_eq!(ledger.held(), 0);
        });
    }
}
