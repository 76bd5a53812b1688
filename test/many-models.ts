/** For tests of several models: sources whose engines are fakes, and what became of them. */
import { createApp, depsOf } from '../server/app.ts'
import { FakeEngine, type FakeOptions } from '../server/fake-engine.ts'
import { Lifecycle } from '../server/lifecycle.ts'
import type { ModelEvent, ModelSource } from '../server/models/model-source.ts'
import { Models, type ModelsOptions } from '../server/models/models.ts'
import type { Answered } from '../server/observe/answered.ts'

export interface Setting extends Pick<ModelsOptions, 'budget' | 'keepAliveMs'> {
  /** Ids; each engine says its id's last part as its first word. */
  pinned?: readonly string[]
  listed?: readonly string[]
  /** Bytes of each model. */
  memory?: number
  /** Milliseconds that a load takes. */
  loadMs?: number
  /** Thrown by loads, for as long as it is there. */
  failure?: { error: Error | null }
  engine?: FakeOptions
  timeoutMs?: number
}

export const MB = 1_000_000

export function manyModels(setting: Setting = {}) {
  const { pinned = [], listed = [], memory = 100 * MB, loadMs = 0, failure, engine } = setting
  const engines: FakeEngine[] = []
  const events: ModelEvent[] = []
  const answers: Answered[] = []
  let most = 0
  const open = () => engines.filter(({ closed }) => !closed)
  const sourceOf = (id: string): ModelSource => ({
    id,
    bytes: memory,
    facts: { architecture: 'LlamaForCausalLM', weights: 'bf16', contextLength: 2048 },
    async load({ signal }) {
      await new Promise((resolve) => setTimeout(resolve, loadMs))
      signal.throwIfAborted()
      if (failure?.error) throw failure.error
      const words = [id.slice(id.lastIndexOf('/') + 1), ' says', ' hello']
      const loaded = new FakeEngine({ words, ...engine, id, memory })
      engines.push(loaded)
      most = Math.max(most, open().length * memory)
      return loaded
    },
  })
  const catalog = { ids: listed }
  const models = new Models({
    pinned: pinned.map(sourceOf),
    catalog: async () => catalog.ids.map(sourceOf),
    onEvent: (event) => events.push(event),
    ...(setting.budget === undefined ? {} : { budget: setting.budget }),
    ...(setting.keepAliveMs === undefined ? {} : { keepAliveMs: setting.keepAliveMs }),
  })
  const lifecycle = new Lifecycle(models)
  const options = {
    lifecycle,
    log: () => undefined,
    keepAliveMs: 15,
    admissionMs: 10,
    onAnswered: (answered: Answered) => answers.push(answered),
    ...(setting.timeoutMs === undefined ? {} : { timeoutMs: setting.timeoutMs }),
  }
  const deps = depsOf(options)
  const app = createApp(options, deps)
  const ask = (model: string | undefined, rest: object = {}, signal?: AbortSignal) =>
    app.request('/v1/completions', {
      method: 'POST',
      body: JSON.stringify({ prompt: 'x', ...(model === undefined ? {} : { model }), ...rest }),
      ...(signal ? { signal } : {}),
    })
  /** The text of an answer, or its status. */
  const says = async (model: string | undefined, rest: object = {}) => {
    const response = await ask(model, rest)
    if (response.status !== 200) return response.status
    return ((await response.json()) as { choices: { text: string }[] }).choices[0]?.text
  }
  const kinds = () => events.map(({ kind, id }) => `${kind} ${id}`)
  return {
    app,
    ask,
    answers,
    catalog,
    deps,
    engines,
    events,
    kinds,
    lifecycle,
    models,
    open,
    says,
    most: () => most,
  }
}
