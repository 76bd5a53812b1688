/** Where a run of bytes may be cut without splitting a UTF-8 character. */

/**
 * How many bytes at the end begin a character that is not complete yet (0 to 3). Cutting there is exact even for
 * invalid bytes, since a lead byte always starts anew in a decoder that replaces errors.
 */
export function pendingUtf8(bytes: Uint8Array): number {
  for (let back = 1; back <= 3 && back <= bytes.length; back++) {
    const byte = bytes[bytes.length - back] ?? 0
    if (byte < 0x80) return 0
    if (byte < 0xc0) continue
    const length =
      byte >= 0xf0 && byte < 0xf5 ? 4 : byte >= 0xe0 && byte < 0xf0 ? 3 : byte >= 0xc2 ? 2 : 0
    return byte < 0xf5 && length > back ? back : 0
  }
  return 0
}
