/* corpus
 * what: Rust; boxes are leaked on purpose, and reference counts in a cycle by mistake
 * kind: Rust
 */
use std::cell::RefCell;
use std::rc::Rc;

#[path = "../corpus.rs"]
mod corpus;

struct Node {
    next: RefCell<Option<Rc<Node>>>,
    data: [u8; 80],
}

#[inline(never)]
fn node() -> Rc<Node> {
    Rc::new(Node { next: RefCell::new(None), data: [1; 80] }) // LEAK
}

#[inline(never)]
fn leak_buffer() -> usize {
    let buffer: &'static mut [u8] = vec![7u8; 120].leak(); // LEAK
    std::hint::black_box(buffer).len()
}

fn main() {
    let mut run = corpus::Run::begin();
    let mut sum = 0;
    while run.next_tick() {
        let (one, two) = (node(), node());
        sum += one.data.len() + two.data.len();
        *one.next.borrow_mut() = Some(two.clone());
        *two.next.borrow_mut() = Some(one.clone());
        sum += leak_buffer();
        drop(vec![0u8; 500]);
    }
    std::hint::black_box(sum);
}
