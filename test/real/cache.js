// Buffers by key, of which the oldest go once there are many; and work that comes and goes.
const cache = new Map();
let key = 0;
setInterval(() => {
  for (let n = 0; n < 20; n++) {
    cache.set(key++, Buffer.allocUnsafeSlow(2000 + (key % 1000)).fill(1));
    if (cache.size > 20_000) cache.delete(cache.keys().next().value);
    JSON.parse(JSON.stringify({ key, list: Array.from({ length: 20 }, (_, n) => n) }));
  }
}, 20);
