/** Bytes that are almost messages, the same ones in every run. */
/** Numbers from 0 up to `below`, always the same ones. */
export function xorshift(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

export function randomBytes(random: (below: number) => number): Buffer {
  const bytes = Buffer.alloc(1 + random(64));
  for (let i = 0; i < bytes.length; i++) bytes[i] = random(256);
  // Often enough an array with a known type, or nothing would get past the first byte.
  if (random(2) === 0) bytes[0] = 0x90 | random(16);
  if (random(2) === 0) bytes[1] = random(55);
  return bytes;
}

const interesting = [
  0x00, 0x7f, 0x80, 0x90, 0xa0, 0xc0, 0xc1, 0xc4, 0xc6, 0xcf, 0xd3, 0xd9, 0xdb, 0xdd, 0xff,
];

export function mutated(payload: Buffer, random: (below: number) => number): Buffer {
  const bytes = Buffer.from(payload);
  for (let changes = 1 + random(3); changes > 0; changes--) {
    const at = random(bytes.length);
    bytes[at] = random(2) === 0 ? random(256) : interesting[random(interesting.length)]!;
  }
  const cut = random(4);
  if (cut === 0) return bytes.subarray(0, random(bytes.length));
  if (cut === 1) return Buffer.concat([bytes, bytes.subarray(0, random(8))]);
  return bytes;
}
