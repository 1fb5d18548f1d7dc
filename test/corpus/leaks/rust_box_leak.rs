/* corpus
 * what: Rust; names made to live for ever by Box::leak, over and over
 * kind: Rust
 */
#[path = "../corpus.rs"]
mod corpus;

#[inline(never)]
fn name(number: i64) -> &'static str {
    let text = format!("the name of number {number}"); // MAY
    Box::leak(text.into_boxed_str()) // LEAK
}

fn main() {
    let mut run = corpus::Run::begin();
    while run.next_tick() {
        std::hint::black_box(name(run.tick));
    }
}
