/** CRC-32C (Castagnoli), with which LevelDB protects its files; zlib has another one. Eight bytes a step. */

const polynomial = 0x82f63b78;
const steps = 8;
/** 256 entries for each of the eight places. */
const table = new Uint32Array(steps * 256);
for (let i = 0; i < 256; i++) {
  let crc = i;
  for (let bit = 0; bit < 8; bit++) crc = (crc & 1) === 1 ? (crc >>> 1) ^ polynomial : crc >>> 1;
  table[i] = crc;
}
for (let i = 256; i < table.length; i++) {
  const before = table[i - 256] ?? 0;
  table[i] = (before >>> 8) ^ (table[before & 0xff] ?? 0);
}

/** Of the bytes from `from` to before `to`. */
export function crc32c(bytes: Uint8Array, from: number, to: number): number {
  let crc = -1;
  let i = from;
  for (; i + steps <= to; i += steps) {
    crc ^=
      (bytes[i] ?? 0) |
      ((bytes[i + 1] ?? 0) << 8) |
      ((bytes[i + 2] ?? 0) << 16) |
      ((bytes[i + 3] ?? 0) << 24);
    crc =
      (table[0x700 | (crc & 0xff)] ?? 0) ^
      (table[0x600 | ((crc >>> 8) & 0xff)] ?? 0) ^
      (table[0x500 | ((crc >>> 16) & 0xff)] ?? 0) ^
      (table[0x400 | (crc >>> 24)] ?? 0) ^
      (table[0x300 | (bytes[i + 4] ?? 0)] ?? 0) ^
      (table[0x200 | (bytes[i + 5] ?? 0)] ?? 0) ^
      (table[0x100 | (bytes[i + 6] ?? 0)] ?? 0) ^
      (table[bytes[i + 7] ?? 0] ?? 0);
  }
  for (; i < to; i++) crc = (table[(crc ^ (bytes[i] ?? 0)) & 0xff] ?? 0) ^ (crc >>> 8);
  return (crc ^ -1) >>> 0;
}

/** As LevelDB stores it: the sum of something that holds sums would be a poor one. */
export function maskedCrc32c(bytes: Uint8Array, from: number, to: number): number {
  const crc = crc32c(bytes, from, to);
  return (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0;
}
