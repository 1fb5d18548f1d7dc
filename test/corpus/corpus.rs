// SPDX-License-Identifier: GPL-2.0 OR Apache-2.0
//! corpus.h for Rust: the same options, ticks and words.
use std::time::{Duration, Instant};

extern "C" {
    fn signal(number: i32, handler: usize) -> usize;
    fn dlsym(handle: *mut u8, name: *const u8) -> Option<unsafe extern "C" fn() -> i32>;
}

static STOPPED: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);

extern "C" fn stop(_: i32) {
    STOPPED.store(true, std::sync::atomic::Ordering::Relaxed);
}

pub struct Run {
    pub tick: i64,
    ticks: i64,
    last: i64,
    hz: i64,
    fast: bool,
    moments: i64,
    told: i64,
    start: Instant,
}

fn option(name: &str, otherwise: f64) -> f64 {
    std::env::args()
        .find_map(|arg| arg.strip_prefix(name)?.strip_prefix('=')?.parse().ok())
        .unwrap_or(otherwise)
}

impl Run {
    pub fn begin() -> Run {
        unsafe { signal(15, stop as extern "C" fn(i32) as usize) };
        let hz = option("hz", 100.0) as i64;
        let fast = option("fast", 0.0) != 0.0;
        if !fast {
            println!("ready");
        }
        Run {
            tick: 0,
            ticks: (option("seconds", 60.0) * hz as f64) as i64,
            last: ((option("seconds", 60.0) + option("beyond", 0.0)) * hz as f64) as i64,
            hz,
            fast,
            moments: option("moments", 0.0) as i64,
            told: 0,
            start: Instant::now(),
        }
    }

    pub fn next_tick(&mut self) -> bool {
        if self.moments > 0 && self.tick * self.moments >= (self.told + 1) * self.ticks {
            self.told += 1;
            eprintln!("@@moment {}", self.told);
            let check = unsafe {
                dlsym(std::ptr::null_mut(), c"__lsan_do_recoverable_leak_check".as_ptr().cast())
            };
            if let Some(check) = check {
                unsafe { check() };
            }
        }
        if STOPPED.load(std::sync::atomic::Ordering::Relaxed) || self.tick >= self.last {
            if !self.fast {
                println!("done");
            }
            return false;
        }
        if !self.fast {
            let due = self.start + Duration::from_micros((self.tick * 1_000_000 / self.hz) as u64);
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
        }
        self.tick += 1;
        true
    }

    /// How much of the run is over, 0 to 1; more beyond it.
    #[allow(dead_code)]
    pub fn progress(&self) -> f64 {
        self.tick as f64 / self.ticks as f64
    }
}
