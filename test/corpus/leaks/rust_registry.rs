/* corpus
 * what: Rust; a map in a mutex to which every request adds its name
 * kind: Rust
 * oracle: growth
 */
use std::collections::HashMap;
use std::sync::Mutex;

#[path = "../corpus.rs"]
mod corpus;

static NAMES: Mutex<Option<HashMap<u64, String>>> = Mutex::new(None);

#[inline(never)]
fn register(id: u64) {
    let mut names = NAMES.lock().unwrap();
    let name = format!("the name of request number {id}"); // LEAK
    names.get_or_insert_with(HashMap::new).insert(id, name); // MAY
}

fn main() {
    let mut run = corpus::Run::begin();
    while run.next_tick() {
        register(run.tick as u64);
    }
}
