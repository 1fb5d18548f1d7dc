// Keeps buffers that one line makes: first by the interpreter, then by what was compiled of it.
const kept = [];
function keepBuffer() {
  kept.push(Buffer.allocUnsafeSlow(2000).fill(1));
}
setInterval(() => {
  for (let n = 0; n < 40; n++) keepBuffer();
}, 5);
