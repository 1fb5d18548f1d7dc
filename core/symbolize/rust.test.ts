/** Rust's names, against binutils and what rustc itself makes of a program. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, describe, it } from 'node:test';
import { command } from '../../test/command.js';
import { hasProgram, workshop } from '../../test/fakes/compiled.js';
import { random } from '../../test/fuzz/random.js';
import { demangler } from './demangle.js';
import { demangleRustLegacy } from './rust-legacy.js';
import { demangleRustV0 } from './rust-v0.js';

/** Derived from the grammar of RFC 2603, by hand. */
const V0: Readonly<Record<string, string>> = {
  _RNvCs1234_7mycrate3foo: 'mycrate::foo',
  _RNvNtCs1234_7mycrate3foo3bar: 'mycrate::foo::bar',
  _RNvMs_Cs4Cv8Wi1oAIB_7mycrateNtB4_7Example3foo: '<mycrate::Example>::foo',
  _RNvXC4testNtB2_3FooNtB2_3Bar3baz: '<test::Foo as test::Bar>::baz',
  _RNvYNtC4test3FooNtB4_3Bar3baz: '<test::Foo as test::Bar>::baz',
  _RNCNvC4test4main0: 'test::main::{closure#0}',
  _RNCNvC4test4mains_0: 'test::main::{closure#1}',
  _RNSNvC4test4main7reify_x: 'test::main::{shim:reify_x#0}',
  _RINvNtC3std3mem8align_ofdE: 'std::mem::align_of::<f64>',
  _RINvC3foo3barlhjE: 'foo::bar::<i32, u8, usize>',
  _RINvC3foo3barKj7b_E: 'foo::bar::<123>',
  _RINvC3foo3barKln7b_E: 'foo::bar::<-123>',
  _RINvC3foo3barKb1_E: 'foo::bar::<true>',
  _RINvC3foo3barKc41_E: "foo::bar::<'A'>",
  _RINvC3foo3barKca_E: "foo::bar::<'\\n'>",
  _RINvC3foo3barKpE: 'foo::bar::<_>',
  _RINvC3foo3barKRe616263_E: 'foo::bar::<{"abc"}>',
  _RINvC3foo3barKAj1_j2_EE: 'foo::bar::<{[1, 2]}>',
  _RINvC1a1bTlEAhj3_E: 'a::b::<(i32,), [u8; 3]>',
  _RINvC1a1bRShQShPhOhE: 'a::b::<&[u8], &mut [u8], *const u8, *mut u8>',
  _RINvC1a1bRL_eE: 'a::b::<&str>',
  _RINvC1a1bFUKCEuE: 'a::b::<unsafe extern "C" fn()>',
  _RINvC1a1bFhEtE: 'a::b::<fn(u8) -> u16>',
  _RINvC1a1bFG_RL0_hEuE: "a::b::<for<'a> fn(&'a u8)>",
  _RINvC1a1bDG_INtC1a2FnTRL0_hEEp6OutputmEL_E: "a::b::<dyn for<'a> a::Fn<(&'a u8,), Output = u32>>",
  _RINvC1a1bDNtC1a1TNtC1a4SendEL_E: 'a::b::<dyn a::T + a::Send>',
  _RMC0INtC8arrayvec8ArrayVechKj7b_E: '<arrayvec::ArrayVec<u8, 123>>',
  _RNvC6_123foo3bar: '123foo::bar',
  _RNvC1a4u8__: 'a::u8__',
  _RNvCu9bcher_kva1b: 'bücher::b',
  '_RNvC1a1b.llvm.1234ABCD': 'a::b',
  '_RNvC1a1b.cold': 'a::b.cold',
};

const LEGACY: Readonly<Record<string, string>> = {
  _ZN4test4main17h0123456789abcdefE: 'test::main',
  _ZN3foo17h0123456789abcdefE: 'foo',
  '_ZN4test4main17h0123456789abcdefE.llvm.8ABCDEF0': 'test::main',
  _ZN4core3ptr13drop_in_place17h0123456789abcdefE: 'core::ptr::drop_in_place',
  '_ZN71_$LT$Test$u20$$u2b$$u20$$u27$static$u20$as$u20$foo..Bar$LT$Test$GT$$GT$3bar17h930b740aa94f1d3aE':
    "<Test + 'static as foo::Bar<Test>>::bar",
  _ZN13_$LT$test$GT$4foobs17h05af221e174051e9E: '_ZN13_$LT$test$GT$4foobs17h05af221e174051e9E',
  _ZN13_$LT$test$GT$4foob17h05af221e174051e9E: '<test>::foob',
};

describe('a name of Rust', () => {
  const demangle = demangler(undefined);
  for (const [name, text] of Object.entries({ ...V0, ...LEGACY })) {
    it(name, () => assert.equal(demangle(name), text));
  }

  it('that is of C++ is left to others', () => {
    assert.equal(demangleRustLegacy('_ZN2ns1T4makeIlEEPvT_'), undefined);
    assert.equal(demangler((name) => `cxx ${name}`)('_ZN2ns1T4makeEv'), 'cxx _ZN2ns1T4makeEv');
    assert.equal(demangle('malloc'), 'malloc');
  });
});

describe('what means to harm', () => {
  it('a back reference to itself, or to what follows', () => {
    for (const name of ['_RNvB_1a', '_RINvC1a1bB8_E', '_RINvC1a1bBz_E']) {
      assert.equal(demangleRustV0(name), undefined, name);
    }
  });

  it('a text that doubles with each reference', () => {
    let name = '_RINvC1a1bTlE';
    for (let n = 0; n < 60; n++) name += `TB7_B${n === 0 ? '7' : '7'}_E`;
    const nested = `_RIC1a${'T'.repeat(5000)}`;
    assert.ok((demangleRustV0(`${name}E`) ?? '').length <= 20_000);
    assert.equal(demangleRustV0(nested), undefined);
    assert.equal(demangler(undefined)(`_R${'N'.repeat(100_000)}`).length, 100_002);
  });

  it('anything at all ends', () => {
    const letters = 'CNMXYIBTRQPOFDGLKEsuvjlhbcep_0123456789az';
    for (let seed = 0; seed < 3000; seed++) {
      const next = random(seed);
      const length = 1 + next(60);
      const name = `_R${Array.from({ length }, () => letters[next(letters.length)]).join('')}`;
      const text = demangleRustV0(name);
      assert.ok(text === undefined || text.length <= 20_000, name);
    }
  });
});

const folder = workshop(after);
const PROGRAM = `use std::collections::BTreeMap;
use std::fmt::Debug;
pub trait Shape<T> { fn area(&self, unit: T) -> T; }
pub struct Square<const SIDE: usize>;
impl<const SIDE: usize> Shape<u64> for Square<SIDE> {
    #[inline(never)] fn area(&self, unit: u64) -> u64 { unit * (SIDE as u64) }
}
#[inline(never)] fn show<T: Debug + ?Sized>(what: &T) -> String { format!("{:?}", what) }
#[inline(never)] fn apply(f: &dyn for<'a> Fn(&'a str) -> usize, g: fn(i32) -> bool) -> usize { f("abc") + g(3) as usize }
fn main() {
    let mut map: BTreeMap<String, Vec<(u8, char)>> = BTreeMap::new();
    map.insert(show("x"), vec![(1, 'a')]);
    let n = map.len();
    println!("{} {} {}", show(&map), Square::<7>.area(3), apply(&|s| s.len() + n, |i| i > n as i32 - 5));
}
`;

describe('a program that rustc compiled', { timeout: 300_000 }, () => {
  const skip = hasProgram('rustc') && hasProgram('c++filt') ? false : 'rustc or c++filt is missing';
  for (const mangling of ['legacy', 'v0']) {
    it(`has the names that binutils reads (${mangling})`, { skip }, (context) => {
      writeFileSync(
        join(folder, 'program.rs'),
        PROGRAM.replace(', |i| i > n as i32 - 5', ', |i| i > 5'),
      );
      const program = join(folder, mangling);
      const options = [
        '-C',
        `symbol-mangling-version=${mangling}`,
        '-g',
        'program.rs',
        '-o',
        program,
      ];
      const unstable = { ...process.env, RUSTC_BOOTSTRAP: '1' };
      command('rustc', ['-Z', 'unstable-options', ...options], { cwd: folder, env: unstable });
      const names = command('nm', [program])
        .split('\n')
        .map((line) => line.split(' ').at(-1) ?? '')
        .filter((name) => (mangling === 'v0' ? /^_R\w+$/ : /^_ZN.*17h[0-9a-f]{16}E$/).test(name));
      const unique = [...new Set(names)];
      const { stdout } = spawnSync('c++filt', ['-s', 'rust'], {
        input: unique.join('\n'),
        encoding: 'utf8',
        maxBuffer: 1 << 27,
      });
      const known = stdout.split('\n');
      let compared = 0;
      for (const [n, name] of unique.entries()) {
        // Binutils shows hashes of crates and types of constants, and the hash of a legacy name.
        const truth = (known[n] ?? '')
          .replace(/\[[0-9a-f]+\](?=::|>|<|$| |,|\))/g, '')
          .replace(/(\d+|true|false): (u|i)(size|8|16|32|64|128)/g, '$1')
          .replace(/::h[0-9a-f]{16}$/, '');
        if (truth === name) continue;
        assert.equal(demangler(undefined)(name), truth, name);
        compared++;
      }
      context.diagnostic(`${compared} names`);
      assert.ok(compared > 20, `${compared} of ${unique.length}`);
    });
  }
});
