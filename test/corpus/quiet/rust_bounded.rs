/* corpus
 * what: Rust; a queue of bounded length and texts that come and go
 * kind: Rust
 */
use std::collections::VecDeque;

#[path = "../corpus.rs"]
mod corpus;

#[inline(never)]
fn entry(tick: i64) -> String {
    format!("the entry that was made at tick {tick}")
}

fn main() {
    let mut run = corpus::Run::begin();
    let mut queue = VecDeque::new();
    while run.next_tick() {
        for _ in 0..3 {
            queue.push_back(entry(run.tick));
        }
        while queue.len() > 300 {
            std::hint::black_box(queue.pop_front());
        }
    }
    std::hint::black_box(queue.len());
}
