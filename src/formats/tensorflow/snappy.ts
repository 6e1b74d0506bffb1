/**
 * Expands a Snappy block (the raw format, without frames): a varint of the expanded length, then literals and copies of
 * what has been written. https://github.com/google/snappy/blob/main/format_description.txt
 * @throws Error when the block is damaged.
 */
export const unsnappy = (block: Uint8Array): Uint8Array => {
  let at = 0
  const byte = () => {
    if (at >= block.length) throw new Error('compressed block cut short')
    return block[at++]!
  }
  const little = (count: number) => {
    let value = 0
    for (let i = 0; i < count; i++) value += byte() * 2 ** (8 * i)
    return value
  }

  let length = 0
  for (let shift = 0; ; shift += 7) {
    const next = byte()
    length += (next & 0x7f) * 2 ** shift
    if (next < 0x80) break
    if (shift === 28) throw new Error('compressed block without a length')
  }
  // The best any element does is 64 bytes out of 3; a hostile length must not ask for the whole memory.
  if (length > block.length * 22) throw new Error('compressed block claims an impossible length')

  const out = new Uint8Array(length)
  let end = 0
  while (at < block.length) {
    const tag = byte()
    if ((tag & 3) === 0) {
      const size = 1 + (tag >> 2 < 60 ? tag >> 2 : little((tag >> 2) - 59))
      if (at + size > block.length || end + size > length) throw new Error('compressed block overruns')
      out.set(block.subarray(at, at + size), end)
      at += size
      end += size
      continue
    }
    const size = (tag & 3) === 1 ? 4 + ((tag >> 2) & 7) : 1 + (tag >> 2)
    const offset = (tag & 3) === 1 ? ((tag >> 5) << 8) | byte() : little((tag & 3) === 2 ? 2 : 4)
    if (offset === 0 || offset > end || end + size > length) throw new Error('compressed block overruns')
    // Byte by byte: a copy may overlap what it writes, which repeats a pattern.
    for (let i = 0; i < size; i++, end++) out[end] = out[end - offset]!
  }
  if (end !== length) throw new Error('compressed block ends early')
  return out
}
