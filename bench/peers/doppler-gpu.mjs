/** doppler-gpu: its own command is asked to load the folder, as its library takes only converted models. */
import { execFile } from 'node:child_process'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { answer, versionOf } from './answer.mjs'

const COMMAND = new URL('./node_modules/doppler-gpu/src/cli/doppler-cli.js', import.meta.url)

answer({
  async open({ folder }) {
    const request = {
      workload: 'inference',
      modelId: 'model',
      modelUrl: pathToFileURL(folder).href,
      loadMode: 'memory',
      prompt: 'The capital of France is',
      maxTokens: 2,
    }
    const config = JSON.stringify({ request, run: { surface: 'node' } })
    const args = [fileURLToPath(COMMAND), 'debug', '--config', config, '--surface', 'node']
    const said = await promisify(execFile)(process.execPath, args, { maxBuffer: 2 ** 26 }).catch(
      (error) => error,
    )
    const failure = /"message": "((?:[^"\\]|\\.)*)"/.exec(`${said.stdout}${said.stderr}`)
    const version = versionOf('doppler-gpu')
    if (failure) throw new Error(`${version}: ${JSON.parse(`"${failure[1]}"`)}`)
    throw new Error(`${version} runs this model now: bench/peers/doppler-gpu.mjs can time it`)
  },
  async write() {
    throw new Error('it did not load the model')
  },
  async close() {},
})
